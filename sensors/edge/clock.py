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


DRIFT = 15e-6
"""How fast two clocks may drift apart: PHI of RFC 5905, section 4."""


ROUNDING_MS = 32.0
"""Two readings make an offset, and Windows' monotonic clock goes in steps of 15.6 ms. [ms]"""


class OffsetEstimate:
    """Server clock minus this one, from questions and their echoes.

    The echo's midpoint is the best guess, half the way there and back its
    error (Mills 1985, RFC 958). An answer's error grows with its age (`DRIFT`,
    RFC 5905); of the last answers the one with the smallest counts. An answer
    that no earlier one can be right beside ends their time: a clock was set,
    or this machine slept for less than what anchors anew.
    """

    def __init__(self, keep: int = 8) -> None:
        self._keep = keep
        self._samples: list[tuple[datetime, float, float]] = []  # (at, error_ms, offset_ms)

    def add(self, asked_at: datetime, server_at: datetime, answered_at: datetime) -> None:
        """Take one answer; one that came before its question is ignored."""
        error_ms = (answered_at - asked_at).total_seconds() * 500.0
        if error_ms < 0:
            return
        middle_at = asked_at + (answered_at - asked_at) / 2
        offset_ms = (server_at - middle_at).total_seconds() * 1000.0
        held = self.best(answered_at)
        if held is not None and abs(offset_ms - held[0]) > error_ms + held[1] + ROUNDING_MS:
            self.forget()
        self._samples = [*self._samples, (answered_at, error_ms, offset_ms)][-self._keep :]

    def forget(self) -> None:
        """Begin again: the clock was anchored anew."""
        self._samples = []

    def best(self, now_at: datetime) -> tuple[float, float] | None:
        """Return offset and error as of `now_at` (UTC), or ``None`` while unknown. [ms]."""
        if not self._samples:
            return None
        error_ms, offset_ms = min(
            (error_ms + max(0.0, (now_at - at).total_seconds()) * 1000.0 * DRIFT, offset_ms)
            for at, error_ms, offset_ms in self._samples
        )
        return round(offset_ms, 3), round(error_ms, 3)
