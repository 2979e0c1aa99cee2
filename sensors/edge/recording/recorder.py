"""``wellbeing edge --record FILE``: what was measured, as a recording to replay.

The recorder sees only windows that were committed to the outbox, so only what
the agent allowed. Values stand at the end of their window, beats at their own
time. A recording knows no reasons and no qualities: where a channel was absent
there are no rows, and a spread within a window (``dwell_iqr_ms``) stays behind,
as the readings it came from are gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import heapq
import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from sensors.aside import InOrder
from sensors.edge.companion import Companion, EdgeAccess
from sensors.errors import ConfigurationError
from sensors.messages import SECTIONS, WINDOW_S, Heart, Modules, ReadingMessage, Section
from sensors.signals import HEADER, SIGNALS, Channel, Reduction, readable_names

_HELD_S = 10.0
"""Rows wait this long, since a file is sorted by time and beats come late. [s] Headsets buffer
3-4 s (DESIGN); a beat later than this is left out and counted."""

_GZIP_EVERY_S = 60.0
"""How much a power cut can take of a compressed file. [s] Each piece is closed in itself."""

_MOST_WAITING = 720
"""Windows that may wait for the disk: an hour. Further ones are missing."""

_LAST_WITHIN_S = 2.0
"""How long the end waits for the disk. [s]"""

_LONGEST_S = 31 * 86_400.0
"""A recording ends here, as the reader takes no more. [s]"""

# Windows would write other line ends, into compressed data too.
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)

_PLAIN = frozenset(n for n in readable_names() if SIGNALS[n].reduction is not Reduction.ALL)

Row = tuple[float, str, float]


class Recorder(Companion):
    """Writes every committed window to `path`.

    Parameters
    ----------
    path : Path
        A new file; ``.csv`` or ``.csv.gz``. Only its owner may read it.

    Raises
    ------
    ConfigurationError
        If the name has another ending, the file exists or cannot be made.
    """

    def __init__(self, path: Path) -> None:
        if not path.name.endswith((".csv", ".csv.gz")):
            raise ConfigurationError(f"--record is {str(path)!r}; expected FILE.csv or FILE.csv.gz")
        self._path = path
        self._is_gzip = path.name.endswith(".gz")
        self._disk = InOrder("recording", _MOST_WAITING)
        self._is_missing = False
        self._edge: EdgeAccess | None = None
        self._zero_at: datetime | None = None
        self._held: list[Row] = []
        self._text = [",".join(HEADER) + "\n"]
        self._newest_s = self._written_s = 0.0
        self._size = 0  # of the file that is known to be whole
        self._left_out = 0
        self._is_failing = False
        self._is_full = False
        try:
            self._file = os.open(path, _NEW, 0o600)
        except FileExistsError:
            raise ConfigurationError(
                f"--record {path} exists; nothing is overwritten, give another name"
            ) from None
        except OSError as error:
            raise ConfigurationError(f"--record cannot make {path}: {error.strerror}") from None
        self._write()

    async def run(self, edge: EdgeAccess) -> None:
        """Record until cancelled, then close the file."""
        self._edge = edge
        edge.say(f"{'cannot write yet' if self._is_failing else 'recording to'} {self._path}")
        try:
            await asyncio.Event().wait()
        finally:
            with contextlib.suppress(TimeoutError):  # a disk that hangs
                await self._disk.within(_LAST_WITHIN_S, self.close)

    def take_window(self, message: ReadingMessage) -> None:
        """Have `message` written, beside the event loop."""
        taken = self._disk.do(lambda: self.write(message)) is not None
        if not taken and not self._is_missing:
            self._say(f"the disk does not answer; {self._path} misses what comes now")
        self._is_missing = not taken

    def write(self, message: ReadingMessage) -> None:
        """Write what `message` holds, as far as it is old enough to be sorted."""
        if self._zero_at is None:
            self._zero_at = message.window_end_at - timedelta(seconds=WINDOW_S)
        end_s = (message.window_end_at - self._zero_at).total_seconds()
        if end_s > _LONGEST_S:
            if not self._is_full:
                self._is_full = True
                self._say(f"{self._path} holds 31 days and ends here; record anew to another file")
            return
        for row in rows_of(message, end_s):
            if row[0] >= self._newest_s:
                heapq.heappush(self._held, row)
            elif row[0] >= 0.0:  # what lies before the start is not missing
                self._left_out += 1
        self._release(end_s - _HELD_S)
        if not self._is_gzip or end_s - self._written_s >= _GZIP_EVERY_S:
            self._written_s = end_s
            self._write()

    def close(self) -> None:
        """Write what still waits, and close; a second time does nothing."""
        if self._file < 0:
            return
        self._release(float("inf"))
        self._write()
        if self._left_out:
            self._say(f"{self._left_out} beats came too late to be recorded")
        os.close(self._file)
        self._file = -1

    def _release(self, until_s: float) -> None:
        """Turn the rows up to `until_s` into text."""
        while self._held and self._held[0][0] <= until_s:
            t_s, name, value = heapq.heappop(self._held)
            self._newest_s = t_s
            self._text.append(f"{t_s:.10g},{name},{_exact(value)}\n")

    def _write(self) -> None:
        """Append the text; where the disk refuses, leave whole lines, say so once and go on."""
        data = "".join(self._text).encode()
        if not data:
            return
        if self._is_gzip:
            data = gzip.compress(data, mtime=0)
        try:
            written = 0
            while written < len(data):
                written += os.write(self._file, data[written:])
        except OSError as error:
            with contextlib.suppress(OSError):  # tried again with the next piece
                os.ftruncate(self._file, self._size)
                os.lseek(self._file, self._size, os.SEEK_SET)
            # A gap from here on; only the header is kept until it stands there.
            self._text = [] if self._size else self._text[:1]
            if not self._is_failing:
                self._is_failing = True
                self._say(f"cannot write {self._path}: {error.strerror}; measuring goes on")
            return
        self._size += len(data)
        self._text.clear()
        if self._is_failing:
            self._is_failing = False
            self._say(f"writing {self._path} again; what came meanwhile is missing in it")

    def _say(self, text: str) -> None:
        if self._edge is not None:
            self._edge.say(text)


def _exact(value: float) -> str:
    """Return the shortest text that reads back as the same number."""
    return repr(float(value)).removesuffix(".0")


def rows_of(message: ReadingMessage, end_s: float) -> Iterator[Row]:
    """Yield ``(t_s, signal, value)`` of one window that ends at `end_s` of the recording."""
    for channel in Channel:
        section = message.section(channel)
        if section is None:
            continue
        for name, value in _values(section).items():
            yield end_s, name, value
        if isinstance(section, Heart):
            for rr_ms, offset_ms in zip(section.rr_ms, section.beat_offset_ms, strict=True):
                yield end_s + offset_ms / 1000.0, "rr_ms", rr_ms


def _values(section: Section) -> dict[str, float]:
    if isinstance(section, Modules):
        return {name: value for name, value in section.values.items() if name in _PLAIN}
    names = (
        n for n in SIGNALS if n in _PLAIN and isinstance(section, SECTIONS[SIGNALS[n].channel])
    )
    found = ((name, getattr(section, name)) for name in names)
    return {name: value for name, value in found if value is not None}
