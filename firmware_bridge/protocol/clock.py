"""The board's clock on the host's: offset, drift and how wrong both may be; pure.

What a frame says was measured before the frame arrived. So the line that maps
board time to host time lies below every arrival, and touches those that came
without delay: it is an edge of the lower convex hull of the arrivals (Moon,
Skelly & Towsley 1999, INFOCOM: estimation and removal of clock skew). A
TIME_REQUEST bounds it from below, too, since the board had it only after it
was asked (Cristian 1989, Distributed Computing 3:146). Buffering of seconds
in USB or Bluetooth makes arrivals late and never early, and moves nothing.

What comes out is continuous and bends by at most `SLEW`: one beat stays where
it is beside the next to within 0.5 ms per second between them. Only where the
clocks themselves jumped (the host slept, the board lied) does it step.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.protocol.arrivals import MAX_DRIFT, Earliest

FloatArray = NDArray[np.float64]

WINDOW_S = 300
"""Arrivals are looked at together. [s] Long enough that a millisecond of jitter is 3 ppm,
short beside changes of temperature."""

SETTLING_S = 20.0
"""At first the mapping follows each better arrival at once; then it only bends. [s]"""

SLEW = 5e-4
"""How fast the mapping moves towards what it should be: 0.5 ms per second, as adjtime does."""

STEP_S = 0.25
"""So far before its time, or before it was asked for, nothing arrives: a clock jumped. [s]
Above the jitter of a busy host; below the shortest interval of two beats."""

LATE_S, LATE_FOR_S = 30.0, 60.0
"""What a stall held back arrives in one go. All that comes later than `LATE_S` for so long after its
time is not held back: a clock jumped, such as a timer that stood still while its board slept. [s]"""

_BEND_WITHIN_S = 10.0  # a small error is worked off in this time
_FIT_SPAN_S = 5.0  # from here on the line may slope; until the first question after 10 s it must
_TELL_SPAN_S = 10.0  # below, a good oscillator's drift drowns in jitter
_ROUND_TRIPS = 30  # five minutes, at one in 10 s
_TICKS = 1 << 32
_HALF = _TICKS >> 1
_BEHIND_S = 50.0  # so far behind the newest a frame may be; half a wrap of 10 MHz is 214 s
_WRAP_OFF_S = 5.0  # drift and delay within a silence of a wrap


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """Host time by board time, as it is given out until more is known.

    Parameters
    ----------
    tick_hz : int
        Ticks per second of the board. [1/s]
    origin : int
        Unwrapped tick at which board time is 0.
    offset_s, since_s : float
        Host minus board time at board time `since_s`. [s]
    bend : float
        By how much that grows per second from there. [s/s]
    """

    tick_hz: int
    origin: int
    offset_s: float = 0.0
    since_s: float = 0.0
    bend: float = 0.0

    @overload
    def host_s(self, board_s: float) -> float: ...
    @overload
    def host_s(self, board_s: FloatArray) -> FloatArray: ...
    def host_s(self, board_s: float | FloatArray) -> float | FloatArray:
        """Return the host's time at which it was `board_s` on the board. Both in s."""
        return board_s + self.offset_s + self.bend * (board_s - self.since_s)

    def offset_at_s(self, board_s: float) -> float:
        """Return host minus board time at `board_s`; in s."""
        return self.offset_s + self.bend * (board_s - self.since_s)


class TickClock:
    """Maps the 32-bit ticks of one start of a board to the host's clock.

    Parameters
    ----------
    tick_hz : int
        Ticks per second, as the board says. [1/s]

    Attributes
    ----------
    steps : int
        How often the clocks jumped against each other.
    latency_s : float
        How much later than without delay the newest frame arrived. [s]
    line : Line
        What is given out now; another object once more is known.
    """

    def __init__(self, tick_hz: int) -> None:
        self.tick_hz = tick_hz
        self._wrap_s = _TICKS / tick_hz
        self._behind = round(_BEHIND_S * tick_hz)  # [ticks]
        self.steps = 0
        self.latency_s = 0.0
        self._newest: int | None = None  # unwrapped
        self._origin = 0  # unwrapped tick at which board time is 0
        self._arrived_s = 0.0
        self._forget()

    def _forget(self) -> None:
        self._lows = Earliest(WINDOW_S)
        self._asked: deque[tuple[float, float]] = deque(maxlen=_ROUND_TRIPS)
        self._drift = 0.0
        self._bottom_s = 0.0  # offset of the hull's edge at board time 0
        self._gap_s: float | None = None
        self._late_since_s: float | None = None
        self.line = Line(self.tick_hz, self._origin)

    # Board time.

    def unwrap(self, ticks: int) -> int:
        """Return `ticks` with their wraps counted, within half a wrap of the newest heard."""
        newest = ticks if self._newest is None else self._newest
        return newest + (ticks - newest + _HALF & _TICKS - 1) - _HALF

    def unwrap_past(self, ticks: int) -> int:
        """Return `ticks` of what may be long over: up to nearly a wrap before the newest heard."""
        latest = self._behind + (ticks if self._newest is None else self._newest)
        return latest - (latest - ticks & _TICKS - 1)

    @overload
    def board_s(self, unwrapped: int) -> float: ...
    @overload
    def board_s(self, unwrapped: NDArray[np.int64]) -> FloatArray: ...
    def board_s(self, unwrapped: int | NDArray[np.int64]) -> float | FloatArray:
        """Return seconds of the board's clock since it was first heard."""
        return (unwrapped - self._origin) / self.tick_hz

    # What is known about the offset.

    def heard(self, ticks: int, arrived_s: float) -> int:
        """Take that what happened at `ticks` was here at `arrived_s` (in s); return it unwrapped.

        It is not far behind the newest heard, and may be far ahead: the host slept.
        """
        # Once per frame: no calls that most frames do not need.
        newest = self._newest
        if newest is None:
            newest = self._newest = self._origin = ticks
        oldest = newest - self._behind
        unwrapped = oldest + (ticks - oldest & _TICKS - 1)
        board_s = (unwrapped - self._origin) / self.tick_hz
        offset_s = arrived_s - board_s
        late_s = offset_s - (self._bottom_s + self._drift * board_s)
        if late_s > self._wrap_s / 2 and self._lows:
            unwrapped += self._unheard(late_s, arrived_s)
            board_s = (unwrapped - self._origin) / self.tick_hz
            offset_s = arrived_s - board_s
            late_s = offset_s - self._edge(board_s)
        self._arrived_s = arrived_s
        if unwrapped > newest:
            self._newest = unwrapped
        self._arrive(board_s, offset_s, late_s)
        return unwrapped

    def _unheard(self, late_s: float, arrived_s: float) -> int:
        """Return the ticks of the wraps of a silence; nothing else is late by just so much."""
        wraps = round(late_s / self._wrap_s)
        silent_s = arrived_s - self._arrived_s
        off_s = abs(late_s - wraps * self._wrap_s)
        return wraps * _TICKS if silent_s > self._wrap_s / 2 and off_s < _WRAP_OFF_S else 0

    def _arrive(self, board_s: float, offset_s: float, late_s: float) -> None:
        if (late_s < -STEP_S and self._lows) or self._stays_late(late_s):
            self._step(board_s, offset_s)
            return
        lows = self._lows
        if board_s // 1 > lows.second:
            lows.add(board_s, offset_s)
            self._fit(board_s)
            late_s = offset_s - self._edge(board_s)
        elif lows.lower(board_s, offset_s) and late_s < 0.0 and self._is_settling(board_s):
            self._fit(board_s)
            late_s = offset_s - self._edge(board_s)
        self.latency_s = max(0.0, late_s)

    def _stays_late(self, late_s: float) -> bool:
        """Return whether this is no buffer that empties: the board's clock stood still, or fell."""
        if late_s < LATE_S:
            self._late_since_s = None
            return False
        if self._late_since_s is None:
            self._late_since_s = self._arrived_s
        return self._arrived_s - self._late_since_s > LATE_FOR_S

    def answered(self, asked_s: float, received: int, sent: int, arrived_s: float) -> None:
        """Take a round trip: asked and arrived on the host's clock [s], the rest in ticks."""
        sent_s = self.board_s(self.heard(sent, arrived_s))
        received_s = self.board_s(self.unwrap(received))
        asked_offset_s = asked_s - received_s
        if asked_offset_s - self._edge(received_s) > STEP_S:
            self._step(sent_s, arrived_s - sent_s)
            return
        self._asked.append((received_s, asked_offset_s))
        self._fit(sent_s)

    def _step(self, board_s: float, offset_s: float) -> None:
        """Begin again: what was known about the offset holds no longer."""
        self.steps += not self._is_settling(board_s)
        self._forget()
        self._lows.add(board_s, offset_s)
        self._fit(board_s)
        self.latency_s = 0.0

    def _is_settling(self, board_s: float) -> bool:
        return board_s - self._lows.first_s < SETTLING_S

    def _edge(self, board_s: float) -> float:
        return self._bottom_s + self._drift * board_s

    def _fit(self, now_s: float) -> None:
        """Lay the line below all arrivals, and bend what is given out towards it."""
        lows = self._lows
        if lows.newest_s - lows.first_s >= _FIT_SPAN_S:
            self._drift = min(max(lows.slope(), -MAX_DRIFT), MAX_DRIFT)
        self._bottom_s = lows.bottom(self._drift)
        gaps = [self._edge(at_s) - asked_s for at_s, asked_s in self._asked]
        self._gap_s = min(gaps) if gaps else None
        wanted_s = self._edge(now_s) - max(0.0, self._gap_s or 0.0) / 2
        offset_s = self.line.offset_at_s(now_s)
        off_s = wanted_s - offset_s
        if self._is_settling(now_s) or abs(off_s) > STEP_S:
            offset_s, off_s = wanted_s, 0.0
        bend = self._drift + min(max(off_s / _BEND_WITHIN_S, -SLEW), SLEW)
        self.line = Line(self.tick_hz, self._origin, offset_s, now_s, bend)

    # What comes out.

    @overload
    def host_s(self, board_s: float) -> float: ...
    @overload
    def host_s(self, board_s: FloatArray) -> FloatArray: ...
    def host_s(self, board_s: float | FloatArray) -> float | FloatArray:
        """Return the host's time at which it was `board_s` on the board. Both in s."""
        return self.line.host_s(board_s)

    @property
    def drift_ppm(self) -> float | None:
        """How much faster than the host's its clock runs, in 1e-6; None in the first 10 s."""
        if not self._lows or self._lows.newest_s - self._lows.first_s < _TELL_SPAN_S:
            return None
        return -1e6 * self._drift / (1.0 + self._drift)

    @property
    def error_s(self) -> float | None:
        """How far `host_s` may be off, in s; None before the first round trip.

        Half of what the fastest round trip leaves open, one tick, and what is
        not bent away yet. Not in it: a drift that changes within 5 minutes.
        """
        if self._gap_s is None:
            return None
        at_s = self._lows.newest_s
        middle_s = self._edge(at_s) - max(0.0, self._gap_s) / 2
        return abs(self._gap_s) / 2 + 1 / self.tick_hz + abs(middle_s - self.line.offset_at_s(at_s))
