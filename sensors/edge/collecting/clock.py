"""The edge's clocks: the system's, and the one that says when windows end.

Within a run, window ends follow the monotonic clock, anchored to wall time
once, so that a corrected system clock neither repeats nor reorders a window;
how far the anchored clock is off is what the clock offset in each message
says. Only a jump forward of more than `RESYNC_S` (the machine slept, or its
clock was far behind) anchors anew: the next window then ends on the grid
after the present, its ``seq`` is simply the next one, and what had gathered
in the window that was interrupted is forgotten.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

from sensors.collector import Clock
from sensors.reduction import WINDOW, grid_shift_ms, window_end_after

RESYNC_S = 10.0
"""Two windows: a busy machine is late by less, a sleeping one by more. [s]"""


class TimeSource(Clock, Protocol):
    """Monotonic and wall time; tests hand in their own."""

    def wall_at(self) -> datetime:
        """Return the present in UTC, as the system believes."""


class SystemTime:
    """The machine's own clocks."""

    def monotonic_s(self) -> float:
        """Return the monotonic clock. [s]."""
        return time.monotonic()

    def wall_at(self) -> datetime:
        """Return the system's wall clock in UTC."""
        return datetime.now(UTC)

    async def sleep_until(self, at_monotonic_s: float) -> None:
        """Return once the monotonic clock has reached `at_monotonic_s`."""
        while (left_s := at_monotonic_s - time.monotonic()) > 0:  # noqa: ASYNC110 - a sleep may wake early
            await asyncio.sleep(left_s)


class WindowClock:
    """When the windows of one run end, in wall and in monotonic time.

    Parameters
    ----------
    site, agent : str
        Whose grid.
    wall_at : datetime
        Wall time of the anchor. UTC.
    monotonic_s : float
        Monotonic time of the anchor. [s]
    """

    def __init__(self, site: str, agent: str, wall_at: datetime, monotonic_s: float) -> None:
        self._shift_ms = grid_shift_ms(site, agent)
        self._anchor_at = wall_at
        self._anchor_s = monotonic_s
        self.end_at = window_end_after(wall_at, self._shift_ms)

    @property
    def due_s(self) -> float:
        """When the running window ends on the monotonic clock. [s]."""
        return self._anchor_s + (self.end_at - self._anchor_at).total_seconds()

    def now_at(self, monotonic_s: float) -> datetime:
        """Return the run's own wall time: anchored, never set back."""
        return self._anchor_at + timedelta(seconds=monotonic_s - self._anchor_s)

    def advance(self) -> None:
        """Go on to the next window."""
        self.end_at += WINDOW

    def resync(self, wall_at: datetime, monotonic_s: float) -> bool:
        """Anchor anew if time jumped forward; return whether it did."""
        present_at = max(wall_at, self.now_at(monotonic_s))
        if (present_at - self.end_at).total_seconds() <= RESYNC_S:
            return False
        self._anchor_at = present_at
        self._anchor_s = monotonic_s
        self.end_at = window_end_after(present_at, self._shift_ms)
        return True
