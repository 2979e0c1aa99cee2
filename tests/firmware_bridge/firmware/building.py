"""Compiling the firmware, and talking to the programs made of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

FIRMWARE = Path(__file__).resolve().parents[3] / "firmware_bridge" / "firmware"
LIBRARY = ("wellbeing_serial.c", "wellbeing_receive.c", "wellbeing_board.c")
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror")
# Kernels that scatter programs widely may put one where older sanitizers keep their heap.
FIXED = ("-fno-pie", "-no-pie") if sys.platform == "linux" else ()
SANITIZED = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", *FIXED)


def run(command: Sequence[str | Path]) -> str:
    """Return what `command` prints, given no input; fail with its errors."""
    return run_bytes(command).decode()


def run_bytes(command: Sequence[str | Path]) -> bytes:
    """Return what `command` prints, given no input; fail with its errors."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout!r}\n{done.stderr.decode()}"
    return done.stdout


def compile_c(target: Path, *sources: str, compiler: str = "gcc", options=SANITIZED) -> Path:
    """Compile `sources` of the firmware folder, warnings being errors."""
    paths = [FIRMWARE / source for source in sources]
    libraries = () if "-c" in options else ("-lm",)
    run([compiler, *STRICT, *options, "-o", target, *paths, *libraries])
    return target


class Lines:
    """A program that answers lines with lines."""

    def __init__(self, program: Path) -> None:
        self._process = subprocess.Popen(
            [program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ask(self, line: str, until: Callable[[str], bool] = bool) -> list[str]:
        """Return the answer to `line`: all lines up to one that is `until`; one by itself."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise AssertionError(self._said()) from None
        answer: list[str] = []
        while not (answer and until(answer[-1])):
            got = self._process.stdout.readline()
            assert got, self._said()
            answer.append(got.strip())
        return answer

    def _said(self) -> str:
        assert self._process.stderr is not None
        return f"the program ended: {self._process.stderr.read()}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _, errors = self._process.communicate()
        if kind is None:  # the sanitizers speak at the end, too
            assert (self._process.returncode, errors) == (0, "")
