"""`firmware-bridge` as a person drives it: a process of its own, in a terminal or in a pipe."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.rig.waiting import PATIENCE_S

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "firmware_bridge"]

# Makes the terminal the one whose keys, such as Ctrl-C, reach the command.
_WITH_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""

_OF_A_TERMINAL = frozenset({"COLUMNS", "LINES", "NO_COLOR"})

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\x1b\][^\x07]*\x07|\r")


class Driven:
    """A command that runs, and what it has printed so far."""

    def __init__(self, process: subprocess.Popen[bytes], reading: int) -> None:
        self.process = process
        self._reading = reading
        self._bytes = b""

    @property
    def text(self) -> str:
        """Everything printed so far, with what controls the terminal."""
        return self._bytes.decode("utf-8", errors="replace")

    @property
    def plain(self) -> str:
        """The same without what controls the terminal."""
        return _CONTROL.sub("", self.text)

    @property
    def frame(self) -> list[str]:
        """The newest whole screen that was drawn."""
        drawn = self.text.split("\x1b[H")
        return _CONTROL.sub("", drawn[-2] if len(drawn) > 1 else "").split("\n")

    def jsons(self) -> list[dict]:
        """The whole lines of JSON printed so far."""
        whole = self.plain.splitlines()[: self.plain.count("\n")]
        return [json.loads(line) for line in whole if line.startswith("{")]

    def until(self, is_enough: Callable[["Driven"], object], what: str = "") -> "Driven":
        """Read until `is_enough`; fail when that takes too long or the command ends before."""
        end_s = time.monotonic() + PATIENCE_S
        while not is_enough(self):
            assert time.monotonic() < end_s, f"{what or 'what is waited for'} not in: {self.text}"
            if not self._read(0.1) and self.process.poll() is not None and not self._read(0.2):
                assert is_enough(self), f"{what or 'what is waited for'} not in: {self.text}"
        return self

    def press(self, keys: str) -> None:
        """Press keys, in a terminal."""
        os.write(self._reading, keys.encode())

    def end(self, number: int = signal.SIGINT) -> int:
        """Interrupt it as Ctrl-C does, read to the end and return its exit code."""
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> int:
        """Read to the end and return the exit code."""
        end_s = time.monotonic() + PATIENCE_S
        while self.process.poll() is None:
            assert time.monotonic() < end_s, f"it does not end: {self.text}"
            self._read(0.1)
        while self._read(0.2):
            pass
        return self.process.returncode

    def _read(self, within_s: float) -> bool:
        if not select.select([self._reading], [], [], within_s)[0]:
            return False
        try:
            data = os.read(self._reading, 1 << 16)
        except OSError:  # the other end of a terminal is closed
            data = b""
        self._bytes += data
        return bool(data)


@contextmanager
def driven(*arguments: object, env: dict[str, str] | None = None) -> Iterator[Driven]:
    """Run the command with its output in a pipe."""
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=writing,
        stderr=writing,
        env=os.environ | (env or {}),
    )
    os.close(writing)
    with _ended(process, reading) as one:
        yield one


@contextmanager
def in_terminal(
    *arguments: object,
    columns: int = 80,
    rows: int = 24,
    env: dict[str, str] | None = None,
    cwd: Path = ROOT,
) -> Iterator[Driven]:
    """Run the command in a terminal of its own, of so many columns and rows."""
    master, slave = pty.openpty()
    resize(master, columns, rows)
    # Size and colours of whatever runs the tests are not this terminal's.
    given = {name: value for name, value in os.environ.items() if name not in _OF_A_TERMINAL}
    process = subprocess.Popen(
        [sys.executable, "-c", _WITH_TERMINAL, *COMMAND, *map(str, arguments)],
        cwd=cwd,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        env=given | {"TERM": "xterm-256color", "PYTHONPATH": str(ROOT)} | (env or {}),
    )
    os.close(slave)
    with _ended(process, master) as one:
        yield one


def resize(terminal: int, columns: int, rows: int) -> None:
    """Give a terminal another size."""
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


@contextmanager
def _ended(process: subprocess.Popen[bytes], reading: int) -> Iterator[Driven]:
    try:
        yield Driven(process, reading)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(reading)
