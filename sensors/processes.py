"""Child processes of `wellbeing up` and `wellbeing me`: started in order, logged, ended together."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from sensors.errors import StateError
from sensors.parent import VARIABLE as PARENT_VARIABLE
from sensors.spoken import say

ENDS_WITHIN_S = 15.0
"""How long a part may take to end once it was asked to; then it ends itself. [s]"""

_END_WITHIN_S = ENDS_WITHIN_S + 5.0  # its last words, and a busy machine
_SAID_AFTER_S = 2.0  # most have ended by then
_GONE_WITHIN_S = 5.0
_LOOK_EVERY_S = 0.05


class StoppedError(Exception):
    """A signal has asked us to stop; carries its number."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class Stop:
    """Whether a signal has asked this process to stop, to be looked at from any thread."""

    def __init__(self) -> None:
        self._number: int | None = None
        self._is_urgent = False

    @property
    def is_urgent(self) -> bool:
        """Whether it was asked for again."""
        return self._is_urgent

    def ask(self, number: int) -> None:
        """Note that signal `number` has asked."""
        # A closed terminal sends two kinds; only the same one again is impatience.
        self._is_urgent = self._number == number
        self._number = number

    def check(self) -> None:
        """Raise :class:`StoppedError` once asked."""
        if self._number is not None:
            raise StoppedError(self._number)


@contextlib.contextmanager
def stopping() -> Iterator[Stop]:
    """Let Ctrl-C, SIGTERM and the closed terminal ask; a second one ends the parts at once, a third all."""
    stop = Stop()
    before: dict[int, Any] = {}

    def ask(number: int, _frame: FrameType | None) -> None:
        # No exception: it would print where it was met, and wait for what hangs.
        if stop.is_urgent:
            os._exit(128 + number)
        stop.ask(number)

    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # no SIGHUP on Windows
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:  # nohup
            before[number] = signal.signal(number, ask)
    try:
        yield stop
    finally:
        for caught, handler in before.items():
            signal.signal(caught, handler)


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

    def __init__(self, log_dir: Path, stop: Stop) -> None:
        self._log_dir = log_dir
        self._stop = stop
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
        by itself with exit code 0. Nothing is started any more once we were
        asked to stop.
        """
        self._stop.check()
        log = self._log_dir / f"{name}.log"
        with log.open("wb") if not tty else contextlib.nullcontext() as output:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                stdin=None if tty else subprocess.DEVNULL,
                stdout=None if tty else output,
                stderr=None if tty else subprocess.STDOUT,
                env={**os.environ, **environ, PARENT_VARIABLE: str(os.getpid())},
                # Its own group: Ctrl-C reaches only us, and we end the others in order.
                start_new_session=not tty,
            )
        child = Child(name, process, log, may_end)
        self._children.append(child)
        return child

    def check(self) -> None:
        """Raise if a part has ended by itself, or we were asked to stop.

        Raises
        ------
        StoppedError
            If a signal has asked us to stop; that is looked at first.
        StateError
            Naming the part, its exit code and the end of its log.
        """
        self._stop.check()
        for child in self._children:
            code = child.process.poll()
            if code is not None and not (child.may_end and code == 0):
                said = f": {lines}" if (lines := child.last_lines()) else ""
                raise StateError(f"{child.name} ended with exit code {code}{said}")

    def end(self) -> None:
        """End every part, last started first; insist when one does not keep to `ENDS_WITHIN_S`."""
        running = [child.process for child in reversed(self._children)]
        for process in running:
            if process.poll() is None:
                process.send_signal(signal.SIGINT if os.name == "posix" else signal.SIGTERM)
        begun = time.monotonic()
        is_said = False
        while self._running() and not self._stop.is_urgent:
            past = time.monotonic() - begun
            if past >= _END_WITHIN_S:
                break
            if past >= _SAID_AFTER_S and not is_said:
                is_said = True
                self._say_who_is_slow()
            time.sleep(_LOOK_EVERY_S)
        for process in running:
            if process.poll() is None:
                process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):  # the kernel holds it: a disk
                process.wait(_GONE_WITHIN_S)

    def _running(self) -> list[str]:
        return [child.name for child in self._children if child.process.poll() is None]

    def _say_who_is_slow(self) -> None:
        text = say(
            "still ending: {names}. At most {s} s more; Ctrl-C again ends at once",
            names=", ".join(self._running()),
            s=round(_END_WITHIN_S - _SAID_AFTER_S),
        )
        with contextlib.suppress(OSError):  # the terminal may be gone
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()
