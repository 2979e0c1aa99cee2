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
from collections.abc import Iterable
from typing import overload

import numpy as np
from numpy.typing import NDArray

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

MAX_DRIFT = 0.1
"""The worst oscillators of microcontrollers, without crystal and untrimmed, are off by 10 %."""

_NEAR_S = 0.02  # as USB's polling makes them; Bluetooth's best arrivals lie as close
_BEND_WITHIN_S = 10.0  # a small error is worked off in this time
_FIT_SPAN_S = 5.0  # from here on the line may slope; until the first question after 10 s it must
_TELL_SPAN_S = 10.0  # below, a good oscillator's drift drowns in jitter
_ROUND_TRIPS = 30  # five minutes, at one in 10 s
_TICKS = 1 << 32
_HALF = _TICKS >> 1


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
    """

    def __init__(self, tick_hz: int) -> None:
        self.tick_hz = tick_hz
        self.steps = 0
        self.latency_s = 0.0
        self._newest: int | None = None  # unwrapped
        self._origin = 0  # unwrapped tick at which board time is 0
        self._forget()

    def _forget(self) -> None:
        # Offset is host minus board time. [s] One point, the lowest, per second of board time.
        self._lows: deque[tuple[float, float]] = deque(maxlen=WINDOW_S)
        self._asked: deque[tuple[float, float]] = deque(maxlen=_ROUND_TRIPS)
        self._drift = 0.0
        self._bottom_s = 0.0  # offset of the hull's edge at board time 0
        self._gap_s: float | None = None
        # What is given out: offset `_out_s` at board time `_since_s`, from there with `_bend`.
        self._out_s, self._since_s, self._bend = 0.0, 0.0, 0.0

    # Board time.

    def unwrap(self, ticks: int) -> int:
        """Return `ticks` with their wraps counted; the newest are remembered."""
        if self._newest is None:
            self._newest = self._origin = ticks
            return ticks
        ahead = ticks - self._newest & _TICKS - 1
        unwrapped = self._newest + ahead - (_TICKS if ahead >= _HALF else 0)
        self._newest = max(self._newest, unwrapped)
        return unwrapped

    @overload
    def board_s(self, unwrapped: int) -> float: ...
    @overload
    def board_s(self, unwrapped: NDArray[np.int64]) -> FloatArray: ...
    def board_s(self, unwrapped: int | NDArray[np.int64]) -> float | FloatArray:
        """Return seconds of the board's clock since it was first heard."""
        return (unwrapped - self._origin) / self.tick_hz

    # What is known about the offset.

    def heard(self, unwrapped: int, arrived_s: float) -> None:
        """Take that what happened at `unwrapped` (ticks) was here at `arrived_s` (in s)."""
        board_s = self.board_s(unwrapped)
        offset_s = arrived_s - board_s
        if not self._lows:
            self._lows.append((board_s, offset_s))
            self._fit(board_s)
            return
        early_s = self._edge(board_s) - offset_s
        if early_s > STEP_S:
            self._step(board_s, offset_s)
            return
        newest_s, low_s = self._lows[-1]
        if board_s // 1 > newest_s // 1:
            self._lows.append((board_s, offset_s))
            self._fit(board_s)
        elif board_s // 1 == newest_s // 1 and offset_s < low_s:
            self._lows[-1] = (board_s, offset_s)
            if early_s > 0.0 and self._is_settling(board_s):
                self._fit(board_s)
        self.latency_s = max(0.0, offset_s - self._edge(board_s))

    def answered(self, asked_s: float, received: int, sent: int, arrived_s: float) -> None:
        """Take a round trip: asked and arrived on the host's clock [s], the rest unwrapped."""
        self.heard(sent, arrived_s)
        board_s = self.board_s(received)
        asked_offset_s = asked_s - board_s
        if asked_offset_s - self._edge(board_s) > STEP_S:
            self._step(self.board_s(sent), arrived_s - self.board_s(sent))
            return
        self._asked.append((board_s, asked_offset_s))
        self._fit(self.board_s(sent))

    def _step(self, board_s: float, offset_s: float) -> None:
        """Begin again: what was known about the offset holds no longer."""
        self.steps += not self._is_settling(board_s)
        self._forget()
        self._lows.append((board_s, offset_s))
        self._fit(board_s)
        self.latency_s = 0.0

    def _is_settling(self, board_s: float) -> bool:
        return board_s - self._lows[0][0] < SETTLING_S

    def _edge(self, board_s: float) -> float:
        return self._bottom_s + self._drift * board_s

    def _fit(self, now_s: float) -> None:
        """Lay the line below all arrivals, and bend what is given out towards it."""
        if self._lows[-1][0] - self._lows[0][0] >= _FIT_SPAN_S:
            self._drift = min(max(edge_slope(self._lows), -MAX_DRIFT), MAX_DRIFT)
        self._bottom_s = min(low_s - self._drift * at_s for at_s, low_s in self._lows)
        gaps = [self._edge(at_s) - asked_s for at_s, asked_s in self._asked]
        self._gap_s = min(gaps) if gaps else None
        wanted_s = self._edge(now_s) - max(0.0, self._gap_s or 0.0) / 2
        off_s = wanted_s - self._offset(now_s)
        if self._is_settling(now_s) or abs(off_s) > STEP_S:
            self._out_s, off_s = wanted_s, 0.0
        else:
            self._out_s = self._offset(now_s)
        self._since_s = now_s
        self._bend = self._drift + min(max(off_s / _BEND_WITHIN_S, -SLEW), SLEW)

    def _offset(self, board_s: float) -> float:
        return self._out_s + self._bend * (board_s - self._since_s)

    # What comes out.

    def to_host_s(self, ticks: int) -> float:
        """Return the host's time at `ticks`, wrapped or not; in s."""
        return self.host_s(self.board_s(self.unwrap(ticks)))

    @overload
    def host_s(self, board_s: float) -> float: ...
    @overload
    def host_s(self, board_s: FloatArray) -> FloatArray: ...
    def host_s(self, board_s: float | FloatArray) -> float | FloatArray:
        """Return the host's time at which it was `board_s` on the board. Both in s."""
        return board_s + self._out_s + self._bend * (board_s - self._since_s)

    @property
    def drift_ppm(self) -> float | None:
        """How much faster than the host's its clock runs, in 1e-6; None in the first 10 s."""
        if not self._lows or self._lows[-1][0] - self._lows[0][0] < _TELL_SPAN_S:
            return None
        return -1e6 * self._drift / (1.0 + self._drift)

    @property
    def error_s(self) -> float | None:
        """How far `to_host_s` may be off, in s; None before the first round trip.

        Half of what the fastest round trip leaves open, one tick, and what is
        not bent away yet. Not in it: a drift that changes within 5 minutes.
        """
        if self._gap_s is None:
            return None
        at_s = self._lows[-1][0]
        middle_s = self._edge(at_s) - max(0.0, self._gap_s) / 2
        return abs(self._gap_s) / 2 + 1 / self.tick_hz + abs(middle_s - self._offset(at_s))


def edge_slope(points: Iterable[tuple[float, float]]) -> float:
    """Return the slope of that edge of the lower convex hull which most points lie near.

    A stall may hold back half of all arrivals and more; those that came
    without delay still lie on one line, and those held back seldom do.

    Parameters
    ----------
    points : iterable of (time, offset), times strictly increasing, at least two. [s]
    """
    dots = np.array(list(points))
    hull: list[tuple[float, float]] = []
    for point in map(tuple, dots.tolist()):
        while len(hull) >= 2 and _turns_down(hull[-2], hull[-1], point):
            hull.pop()
        hull.append(point)
    corners = np.array(hull)
    slopes = np.diff(corners[:, 1]) / np.diff(corners[:, 0])
    return float(slopes[np.argmax(_support(slopes, corners[:-1], dots))])


def _support(slopes: FloatArray, through: FloatArray, dots: FloatArray) -> FloatArray:
    """Return how many `dots` lie near each line; a slope that no crystal has counts against it."""
    edges = through[:, 1:] + slopes[:, None] * (dots[:, 0] - through[:, :1])
    near = np.exp(-np.maximum(dots[:, 1] - edges, 0.0) / _NEAR_S).sum(axis=1)
    return np.asarray(near - np.abs(slopes) / MAX_DRIFT)


def _turns_down(
    first: tuple[float, float], second: tuple[float, float], third: tuple[float, float]
) -> bool:
    """Return whether `second` lies on or above the line from `first` to `third`."""
    run_s, rise_s = second[0] - first[0], second[1] - first[1]
    return rise_s * (third[0] - first[0]) >= (third[1] - first[1]) * run_s
