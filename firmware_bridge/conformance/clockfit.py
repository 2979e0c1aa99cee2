"""Whether a board's ticks can be one steady clock; pure.

Each observation says: at this tick it was, on the host's clock, not before
one time and not after another. A steady clock is a straight line through all
these gaps. Delays only widen the gaps, so a busy host accuses nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MAX_DRIFT = 0.02
"""By how much `tick_hz` may be off, as a share."""

STEADY_S = 0.05
"""A clock that misses an observation by more than this is not steady. [s]"""

WIDEST = 0.2
"""Drift beyond which no line is looked for."""

_TICKS = 1 << 32
_HALVINGS = 60


@dataclass(frozen=True, slots=True)
class Observation:
    """At `tick` the host's time lay between `low_s` and `high_s`."""

    tick: int
    low_s: float
    high_s: float


@dataclass(frozen=True, slots=True)
class Line:
    """The steady clock that fits best.

    Parameters
    ----------
    first : int
        Tick that board time counts from.
    tick_hz : float
        As the board says. [1/s]
    offset_s : float
        Host time at `first`. [s]
    drift : float
        By how much the board's clock is fast, as a share.
    miss_s : float
        By how much the worst observation is missed; 0 or less if none is. [s]
    """

    first: int
    tick_hz: float
    offset_s: float
    drift: float
    miss_s: float

    @property
    def is_steady(self) -> bool:
        """Whether every observation lies on the line, but for a little."""
        return self.miss_s <= STEADY_S

    def host_s(self, tick: int, near_s: float) -> float:
        """Return the host's time at `tick`; of all wraps the one next to `near_s`."""
        guess = self.first + (near_s - self.offset_s) * self.tick_hz * (1 + self.drift)
        unwrapped = tick + _TICKS * round((guess - tick) / _TICKS)
        return self.offset_s + (unwrapped - self.first) / (self.tick_hz * (1 + self.drift))


def fit(seen: Sequence[Observation], tick_hz: float, widest: float) -> Line:
    """Return the line that misses the observations least, with a drift up to `widest`.

    Parameters
    ----------
    seen : sequence of Observation
        In the order of their times, at least one.
    tick_hz : float
        As the board says. [1/s]
    widest : float
        Largest drift, as a share, below 1.
    """
    board_s = _unwrapped(seen, tick_hz)
    lows = np.array([one.low_s for one in seen])
    highs = np.array([one.high_s for one in seen])

    def miss_s(slope: float) -> float:
        return float(np.max(lows - slope * board_s) - np.min(highs - slope * board_s)) / 2

    low, high = 1 / (1 + widest), 1 / (1 - widest)
    for _ in range(_HALVINGS):  # the miss is convex in the slope
        third = (high - low) / 3
        if miss_s(low + third) < miss_s(high - third):
            high -= third
        else:
            low += third
    slope = (low + high) / 2
    middle_s = float(np.max(lows - slope * board_s) + np.min(highs - slope * board_s)) / 2
    return Line(seen[0].tick, tick_hz, middle_s, 1 / slope - 1, miss_s(slope))


def fit_steady(seen: Sequence[Observation], tick_hz: float) -> Line:
    """Return the line of a clock that is allowed; a faster or slower one only where that fits.

    So a clock that jumps is compared with one that does not drift away.
    """
    allowed = fit(seen, tick_hz, MAX_DRIFT)
    if allowed.is_steady:
        return allowed
    other = fit(seen, tick_hz, WIDEST)
    return other if other.is_steady else allowed


def _unwrapped(seen: Sequence[Observation], tick_hz: float) -> Floats:
    """Return board time since the first observation, with wraps counted by the host's clock."""
    board_s = []
    for one in seen:
        about = (one.high_s - seen[0].high_s) * tick_hz
        ahead = one.tick - seen[0].tick
        board_s.append((ahead + _TICKS * round((about - ahead) / _TICKS)) / tick_hz)
    return np.array(board_s)
