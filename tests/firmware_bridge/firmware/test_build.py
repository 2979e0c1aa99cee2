"""It compiles without a warning, is small, and stands a storm of spoilt requests."""

import os
import shutil
from pathlib import Path

import pytest

from tests.firmware_bridge.firmware.building import (
    FIRMWARE,
    LIBRARY,
    STRICT,
    compile_c,
    run,
    run_bytes,
)

CORTEX_M0 = ("-mcpu=cortex-m0", "-mthumb", "-Os")
LIMIT_BYTES = 4096


# Clang is one more opinion where it is installed; what the project asks for is gcc.
COMPILERS = ["gcc", *(["clang"] if shutil.which("clang") else [])]


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("options", [("-O0",), ("-O2",), ("-Os", "-funsigned-char")])
def test_it_compiles_without_a_warning(tmp_path, compiler, options):
    compile_c(tmp_path / "example", "example_board.c", *LIBRARY, compiler=compiler, options=options)


@pytest.mark.needs("g++")
def test_the_headers_are_good_for_cpp(tmp_path):
    program = tmp_path / "main.cpp"
    program.write_text(
        '#include "wellbeing_serial.h"\n#include "wellbeing_board.h"\n'
        "int main() { return wbs_crc32(nullptr, 0) == 0 ? 0 : 1; }\n"
    )
    objects = [compile_c(tmp_path / f"{s}.o", s, options=("-O1", "-c")) for s in LIBRARY]
    warnings = ("-std=c++11", "-Wall", "-Wextra", "-Wpedantic", "-Wold-style-cast", "-Werror")
    run(["g++", *warnings, f"-I{FIRMWARE}", "-o", tmp_path / "main", program, *objects])
    run([tmp_path / "main"])


def test_it_is_smaller_than_four_kib(tmp_path, record_property):
    arm = shutil.which("arm-none-eabi-gcc")
    size = shutil.which("arm-none-eabi-size") if arm else shutil.which("size")
    options = CORTEX_M0 if arm else ("-Os",)
    objects = [tmp_path / f"{source}.o" for source in LIBRARY]
    for source, target in zip(LIBRARY, objects, strict=True):
        run([arm or "gcc", *STRICT, *options, "-c", "-o", target, FIRMWARE / source])
    total = run([size or "size", "-t", *objects]).splitlines()[-1].split()
    text, data, bss = map(int, total[:3])
    what = "on a Cortex-M0" if arm else f"compiled for this machine ({os.uname().machine})"
    record_property("code", f"{text} bytes {what}")
    assert (data, bss) == (0, 0)  # no state but what the caller owns
    assert text < (LIMIT_BYTES if arm else 2 * LIMIT_BYTES)  # 64-bit code is half as dense


def test_it_needs_no_heap_and_no_system(tmp_path):
    objects = [tmp_path / f"{source}.o" for source in LIBRARY]
    for source, target in zip(LIBRARY, objects, strict=True):
        run(["gcc", *STRICT, "-Os", "-fno-stack-protector", "-c", "-o", target, FIRMWARE / source])
    symbols = [line.split() for line in run(["nm", *objects]).splitlines() if line.strip()]
    wanted = {words[-1] for words in symbols if words[-2:-1] == ["U"]}
    defined = {words[-1] for words in symbols if len(words) == 3}
    assert wanted - defined <= {
        "memcpy",
        "memset",
        "memcmp",
        "memmove",
        "strlen",
        "_GLOBAL_OFFSET_TABLE_",
    }


def test_spoilt_requests_do_no_harm_and_each_is_counted(built):
    inputs = 60_000  # a million and more: benchmarks/firmware_fuzz.py
    said = run([built("checks/fuzz.c"), str(inputs), "7"]).split()
    counted = dict(zip(said[::2], map(int, said[1::2]), strict=True))
    assert counted["inputs"] == inputs
    assert counted["requests"] > inputs / 10
    assert counted["refused"] > inputs / 2
    assert counted["stretches"] == counted["requests"] + counted["refused"]


@pytest.mark.needs("make")
def test_the_makefile_and_the_one_line_command(tmp_path):
    make = ("make", "-C", FIRMWARE, f"BUILD={tmp_path}")
    run([*make, "all"])
    assert run_bytes([tmp_path / "example_board", "--fast", "--seconds", "1"])
    planned = run([*make, "--dry-run", "check", "fuzz", "size"])  # what they do is tried above
    assert all(
        name in planned for name in ("message_lines", "board_lines", "fuzz 1000000", "size -t")
    )
    sources = sorted(Path(path).name for path in FIRMWARE.glob("*.c"))
    compile_c(tmp_path / "one_line", *sources, options=("-O2",))
    assert run_bytes([tmp_path / "one_line", "--fast", "--seconds", "1"])
