"""Samples that arrived together made into values with their times; pure.

A call of NumPy costs about as much for one frame as for fifty, so frames of
the same shape are laid one below the other and computed at once. What comes
out of a frame does not depend on those beside it.
"""

from __future__ import annotations

import numpy as np

from firmware_bridge.protocol.clock import Line
from firmware_bridge.protocol.events import Event, Measured
from firmware_bridge.protocol.messages import MAX_STREAMS, Stream

_RAMP = np.arange(256.0)  # a frame counts its samples in one byte


class Rows:
    """Frames of one shape, each a row.

    Parameters
    ----------
    stream : Stream
    count, step : int
        As in SAMPLES.
    line : Line
        The board's clock on the host's, as it was when they arrived.

    Attributes
    ----------
    firsts : list of int
        First tick of each frame, unwrapped.
    raws : list of bytes
        Its values.
    places : list of int
        Where its event belongs.
    """

    __slots__ = ("_count", "_line", "_step", "_stream", "firsts", "places", "raws")

    def __init__(self, stream: Stream, count: int, step: int, line: Line) -> None:
        self._stream, self._count, self._step, self._line = stream, count, step, line
        self.firsts: list[int] = []
        self.raws: list[bytes] = []
        self.places: list[int] = []

    def fits(self, stream: Stream, count: int, step: int, line: Line) -> bool:
        """Return whether a frame is of this shape."""
        return (
            self._step == step
            and self._count == count
            and self._line is line
            and self._stream is stream
        )

    def put_into(self, events: list[Event]) -> None:
        """Put what each frame measured in its place among `events`."""
        stream, line = self._stream, self._line
        shape = (len(self.raws), self._count, stream.width)
        values = stream.decode(b"".join(self.raws)).reshape(shape)
        # Floats hold ticks exactly for 28 years at the fastest clock.
        firsts = np.array([first - line.origin for first in self.firsts], dtype=np.float64)
        board_s = (firsts[:, None] + _RAMP[: self._count] * self._step) / line.tick_hz
        at_s = line.host_s(board_s)
        for place, at, measured, board in zip(self.places, at_s, values, board_s, strict=True):
            events[place] = Measured(stream, at, measured, board)


class Sampled:
    """The frames of samples of one read.

    Attributes
    ----------
    rows : list of Rows or None
        By number of their stream those to which a frame may be added.
    """

    __slots__ = ("_all", "rows")

    def __init__(self) -> None:
        self.rows: list[Rows | None] = [None] * MAX_STREAMS
        self._all: list[Rows] = []

    def begin(self, number: int, rows: Rows) -> Rows:
        """Begin `rows` for frames of another shape."""
        self.rows[number] = rows
        self._all.append(rows)
        return rows

    def put_into(self, events: list[Event]) -> None:
        """Put what each frame measured in its place among `events`."""
        for rows in self._all:
            rows.put_into(events)
