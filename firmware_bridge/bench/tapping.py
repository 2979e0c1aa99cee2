"""One board being read: what is due is written, what comes is decoded and, if asked, kept.

Time is counted from the start in nanoseconds, so that a capture replays to
exactly what was decoded when it was made.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from firmware_bridge.bench.watching import Feed, Heard
from firmware_bridge.ports.capture import CaptureWriter, Chunk
from firmware_bridge.ports.serial_port import SerialPort
from sensors.errors import DeviceError


@dataclass(frozen=True, slots=True)
class Step:
    """What one read brought.

    Parameters
    ----------
    at_s : float
        Since the start. [s]
    heard : Heard
        May be nothing.
    size : int
        Bytes read.
    """

    at_s: float
    heard: Heard
    size: int


class Tap:
    """Reads one port.

    Parameters
    ----------
    feed : Feed
        What decodes it.
    capture : CaptureWriter or None
        Where the bytes are kept.
    """

    def __init__(self, feed: Feed, capture: CaptureWriter | None = None) -> None:
        self._feed = feed
        self._capture = capture
        self._start_ns = time.monotonic_ns()
        self._asks = True

    def opened(self) -> None:
        """Take that the port is another opening's: whatever was half said is over."""
        self._asks = True
        self._feed.opened()

    def now_s(self) -> float:
        """Return the time since the start, in seconds."""
        return _seconds(self._now_ns())

    def _now_ns(self) -> int:
        return time.monotonic_ns() - self._start_ns

    def step(self, port: SerialPort) -> Step:
        """Write what is due, wait a little for bytes, and return what they say.

        Raises
        ------
        DeviceError
            If the board was unplugged.
        """
        news = self._ask(port)
        data = port.read()
        now_ns = self._now_ns()
        if data:
            self._keep(Chunk(now_ns, from_board=True, data=data))
        heard = self._feed.feed(data, _seconds(now_ns))
        if news:
            heard = replace(heard, log=(*news, *heard.log), notices=(*news, *heard.notices))
        return Step(_seconds(now_ns), heard, len(data))

    def _ask(self, port: SerialPort) -> tuple[str, ...]:
        """Write what is due; a board that takes nothing is read all the same, and not asked again.

        If it is gone, reading says so.
        """
        now_ns = self._now_ns()
        due = self._feed.due(_seconds(now_ns)) if self._asks else b""
        if not due:
            return ()
        self._keep(Chunk(now_ns, from_board=False, data=due))
        try:
            port.write(due)
        except DeviceError as error:
            self._asks = False
            return (f"{error}; it is asked no more",)
        return ()

    def _keep(self, chunk: Chunk) -> None:
        if self._capture is not None:
            self._capture.write(chunk)


def replayed(chunks: Iterable[Chunk], feed: Feed) -> Iterator[Step]:
    """Yield what was decoded when a capture was made, from its `chunks`."""
    for chunk in chunks:
        at_s = _seconds(chunk.at_ns)
        if chunk.from_board:
            yield Step(at_s, feed.feed(chunk.data, at_s), len(chunk.data))
        else:
            feed.due(at_s)


def _seconds(ns: int) -> float:
    return ns / 1e9
