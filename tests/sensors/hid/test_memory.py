"""TRUST T2 against a core dump: what the memory of a running collector tells of a typed secret."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rig.display import Display
from tests.rig.waiting import wait_until

ROOT = Path(__file__).parents[3]
SECRET = "wq7zkx9vbj2"
CONTROL = "hm4tgy8fud5"  # stands in the child's arguments, so it must be found
CHANCE = 4
"""Keys in a row that megabytes of other bytes hold by chance: three were seen, of eleven."""

if not Path("/proc/self/mem").exists():
    pytest.skip("only Linux shows a process's memory as a file", allow_module_level=True)


def memory(pid: int) -> Iterator[bytes]:
    """Yield every readable mapping of a process: what a core dump of it would hold."""
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as file:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, rights, *_ = line.split()
            low, high = (int(end, 16) for end in span.split("-"))
            if rights.startswith("r") and not line.endswith(("[vvar]", "[vsyscall]", "clock]")):
                file.seek(low)
                yield file.read(high - low)


def stand_still(pid: int) -> None:
    """Stop a process, all its threads, and return once they are."""
    os.kill(pid, signal.SIGSTOP)
    tasks = Path(f"/proc/{pid}/task")
    wait_until(lambda: all(_stands(task) for task in tasks.iterdir()))


def _stands(task: Path) -> bool:
    try:
        return ") T " in (task / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True  # it ended just before


def longest_run(text: str, codes: list[int], held: bytes) -> int:
    """Return how many keys of `text` stand one after the other somewhere in `held`.

    As characters of 1, 2 or 4 bytes (the last are X's keysyms too), as key
    codes, and as X's own events of 32 bytes, press and release in turn.
    """
    forms = [text.encode(encoding) for encoding in ("ascii", "utf-16-le", "utf-32-le")]
    forms.append(bytes(codes))
    best = 0
    for form in forms:
        width = len(form) // len(text)
        for first in range(len(text)):
            while (
                first + best < len(text)
                and form[first * width : (first + best + 1) * width] in held
            ):
                best += 1
    return max(best, _longest_run_of_events(codes, held))


def _longest_run_of_events(codes: list[int], held: bytes) -> int:
    best = 0
    for first, code in enumerate(codes):
        for found in re.finditer(re.escape(bytes([2, code])), held):
            run = 0
            for offset, wanted in enumerate(codes[first:]):
                at = found.start() + 64 * offset
                down, up = held[at : at + 2], held[at + 32 : at + 34]
                if (down, up) != (bytes([2, wanted]), bytes([3, wanted])):
                    break
                run += 1
            best = max(best, run)
    return best


def key_codes(display: Display) -> list[int]:
    from Xlib import XK  # noqa: PLC0415 - python-xlib comes with pynput on Linux
    from Xlib.display import Display as Connection  # noqa: PLC0415

    connection = Connection(display.name)
    try:
        return [connection.keysym_to_keycode(XK.string_to_keysym(c)) for c in SECRET]
    finally:
        connection.close()


def test_the_search_finds_what_is_there():
    codes = [25, 24, 16, 52, 45, 53, 18, 55, 56, 44, 11]
    event = "".join(f"{kind:02x}{code:02x}" + "00" * 30 for code in codes for kind in (2, 3))
    for held in (
        SECRET.encode(), SECRET.encode("utf-16-le"), SECRET.encode("utf-32-le"), bytes(codes),
        b"x" * 7 + bytes.fromhex(event),
    ):  # fmt: skip
        assert longest_run(SECRET, codes, b"\0" * 999 + held + b"\0" * 999) == len(SECRET)
    assert longest_run(SECRET, codes, bytes(9999)) == 0


@pytest.mark.needs("Xvfb", "xdotool")
def test_a_typed_secret_is_not_in_the_memory_of_the_process_nor_in_its_crash_report(xvfb):
    environ = {
        k: v for k, v in xvfb.environ.items() if k not in {"WAYLAND_DISPLAY", "XDG_SESSION_TYPE"}
    }
    command = [sys.executable, "-m", "tests.sensors.hid.watched_child", str(len(SECRET)), CONTROL]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "listening\n"
        typing = ["xdotool", "type", "--delay", "5", SECRET]  # many keys in one of X's answers
        subprocess.run(typing, env=environ, check=True)
        assert process.stdout.readline() == "timed\n"
        codes = key_codes(xvfb)
        runs, control = [], False
        stand_still(process.pid)  # or a thread that ends takes its memory away under us
        for held in memory(process.pid):
            runs.append(longest_run(SECRET, codes, held))
            control |= CONTROL.encode() in held
    finally:
        process.send_signal(signal.SIGABRT)
        process.send_signal(signal.SIGCONT)
        _, report = process.communicate(timeout=60)
    assert len(runs) > 20
    assert control
    assert max(runs) <= CHANCE
    assert "Fatal Python error: Aborted" in report
    assert not [part for part in (SECRET[:6], SECRET[-6:]) if part in report]
