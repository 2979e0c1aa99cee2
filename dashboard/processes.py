"""Child processes of `wellbeing up`: started in order, logged to files, ended together."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sensors.errors import StateError

_END_WITHIN_S = 8.0


@dataclass(frozen=True, slots=True)
class Child:
    """One running part."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    may_end: bool

    def last_lines(self, count: int = 3) -> str:
        """Return the end of its log, for an error message."""
        with contextlib.suppress(OSError):
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
            return " / ".join(line.strip() for line in lines[-count:] if line.strip())
        return ""


class Children:
    """Every part that was started, so that one Ctrl-C ends them all."""

    def __init__(self, log_dir: Path) -> None:
        self._log_dir = log_dir
        self._children: list[Child] = []

    def start(
        self,
        name: str,
        arguments: Sequence[str],
        environ: Mapping[str, str],
        *,
        tty: bool = False,
        may_end: bool = False,
    ) -> Child:
        """Start ``python ARGUMENTS`` as `name`.

        With `tty` it speaks to the person directly; with `may_end` it may end
        by itself with exit code 0.
        """
        log = self._log_dir / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                stdin=None if tty else subprocess.DEVNULL,
                stdout=None if tty else output,
                stderr=None if tty else subprocess.STDOUT,
                env={**os.environ, **environ},
                # Its own group: Ctrl-C reaches only us, and we end the others in order.
                start_new_session=not tty,
            )
        child = Child(name, process, log, may_end)
        self._children.append(child)
        return child

    def check(self) -> None:
        """Raise if a part has ended by itself.

        Raises
        ------
        StateError
            Naming the part, its exit code and the end of its log.
        """
        for child in self._children:
            code = child.process.poll()
            if code is not None and not (child.may_end and code == 0):
                raise StateError(
                    f"{child.name} ended with exit code {code}: {child.last_lines()} "
                    f"(whole log: {child.log})"
                )

    def end(self) -> None:
        """End every part, last started first; insist after eight seconds."""
        running = [child.process for child in reversed(self._children)]
        for process in running:
            if process.poll() is None:
                process.send_signal(signal.SIGINT if os.name == "posix" else signal.SIGTERM)
        until = time.monotonic() + _END_WITHIN_S
        for process in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, until - time.monotonic()))
            if process.poll() is None:
                process.kill()
                process.wait()
