"""R6: mutated requests against the firmware's receiver and board in C, under the sanitizers.

Also what its code weighs: on a Cortex-M0 where ``arm-none-eabi-gcc`` is
installed, otherwise compiled for this machine; the line says which.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

IDS = ("R6.firmware", "R6.firmware_code")
FIRMWARE = Path(__file__).resolve().parent.parent / "firmware_bridge" / "firmware"
LIBRARY = tuple(sorted(FIRMWARE.glob("wellbeing_*.c")))
# Kernels that scatter programs widely may put one where older sanitizers keep their heap.
FIXED = ("-fno-pie", "-no-pie") if sys.platform == "linux" else ()
SANITIZED = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", *FIXED)
SEEDS = (1, 20261122)


def compiled(folder: Path) -> Path:
    """Return the program, built in `folder`."""
    program = folder / "fuzz"
    sources = (FIRMWARE / "checks" / "fuzz.c", *LIBRARY)
    subprocess.run(["gcc", "-std=c99", *SANITIZED, "-o", program, *sources], check=True)
    return program


def fuzz(program: Path, inputs: int) -> dict[str, object]:
    """Return the row of `inputs` mutated inputs per seed."""
    counted: dict[str, int] = {}
    crashes = 0
    began = time.perf_counter()
    for seed in SEEDS:
        command = [program, str(inputs), str(seed)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            crashes += 1
            print(done.stderr, file=sys.stderr)
            continue
        words = done.stdout.split()
        for name, number in zip(words[::2], words[1::2], strict=True):
            counted[name] = counted.get(name, 0) + int(number)
    uncounted = counted.get("stretches", 0) - counted.get("requests", 0) - counted.get("refused", 0)
    return {
        "id": "R6.firmware",
        "value": crashes,
        "unit": "crashes",
        "n": counted.get("inputs", 0),
        "uncounted": uncounted,
        "seconds": round(time.perf_counter() - began, 1),
        **{name: counted.get(name, 0) for name in ("stretches", "requests", "refused")},
    }


def code_size(folder: Path) -> dict[str, object]:
    """Return the row of how much code the three files are."""
    arm = shutil.which("arm-none-eabi-gcc")
    compiler, size = (arm, "arm-none-eabi-size") if arm else ("gcc", "size")
    options = ("-mcpu=cortex-m0", "-mthumb") if arm else ()
    objects = [folder / f"{source.stem}.o" for source in LIBRARY]
    for source, target in zip(LIBRARY, objects, strict=True):
        command = [compiler, *options, "-std=c99", "-Os", "-c", "-o", target, source]
        subprocess.run(command, check=True)
    done = subprocess.run([size, "-t", *objects], capture_output=True, text=True, check=True)
    target_name = "Cortex-M0" if arm else os.uname().machine
    code = int(done.stdout.splitlines()[-1].split()[0])
    return {"id": "R6.firmware_code", "value": code, "unit": "byte", "target": target_name}


def main() -> int:
    """Print the rows; return 1 if anything crashed or went uncounted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="200 000 inputs instead of 4 million")
    quick: bool = parser.parse_args().quick
    if shutil.which("gcc") is None:
        print("gcc is not installed; run: apt-get install gcc", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        row = fuzz(compiled(Path(folder)), (200_000 if quick else 4_000_000) // len(SEEDS))
        print(json.dumps(row))
        print(json.dumps(code_size(Path(folder))))
    return 1 if row["value"] or row["uncounted"] else 0


if __name__ == "__main__":
    sys.exit(main())
