"""Shifts in local wall time: when capture may happen at all (T8). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from sensors.errors import ConfigurationError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """``[[edge.shifts]]``: one stretch of the week, by the wall clock.

    Parameters
    ----------
    days : tuple of str
        ``mon`` to ``sun``: days on which it starts.
    start, end : str
        ``HH:MM``; an `end` not after `start` lies on the next day.
    """

    days: tuple[str, ...]
    start: str
    end: str

    def __post_init__(self) -> None:
        for day in self.days:
            if day not in DAYS:
                raise ConfigurationError(
                    f"[edge] shifts: day {day!r}; expected one of {', '.join(DAYS)}"
                )
        for key in ("start", "end"):
            _clock_time(key, getattr(self, key))

    def holds(self, local_at: datetime) -> bool:
        """Return whether local wall time `local_at` lies within: start included, end not."""
        start, end = _clock_time("start", self.start), _clock_time("end", self.end)
        now, today = local_at.time(), DAYS[local_at.weekday()]
        if start < end:
            return today in self.days and start <= now < end
        yesterday = DAYS[(local_at - timedelta(days=1)).weekday()]
        return (today in self.days and now >= start) or (yesterday in self.days and now < end)


def _clock_time(key: str, text: str) -> time:
    try:
        return datetime.strptime(text, "%H:%M").time()  # noqa: DTZ007 - wall time has no zone
    except ValueError:
        raise ConfigurationError(f"[edge] shifts: {key} is {text!r}; expected HH:MM") from None


def in_shift(shifts: Sequence[Shift], local_at: datetime) -> bool:
    """Return whether `local_at` lies in any of `shifts`; with none declared, always."""
    return not shifts or any(shift.holds(local_at) for shift in shifts)
