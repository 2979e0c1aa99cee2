"""The alert budget (TRUST A1): a ceiling per supervisor-hour, never a quota.

A personal alert is told to the first supervisor in line who has room. With
nobody's hour having room it waits, visible as a count, and is told when room
comes, longest waiting first, if its evidence still stands. Nothing is dropped
silently: what vanished while waiting is in the record.
"""

from __future__ import annotations

from datetime import datetime, timedelta

HOUR = timedelta(hours=1)


class Budget:
    """Who was told a personal alert when, over the last hour.

    Parameters
    ----------
    ceiling : int
        Most personal alerts per supervisor in any hour.
    """

    def __init__(self, ceiling: int) -> None:
        self._ceiling = ceiling
        self._told: dict[str, list[datetime]] = {}

    def room(self, supervisors: tuple[str, ...], now: datetime) -> str | None:
        """Return the first of `supervisors` who may be told now, ``None`` if nobody."""
        for supervisor in supervisors:
            told = [at for at in self._told.get(supervisor, ()) if now - at < HOUR]
            if len(told) < self._ceiling:
                return supervisor
        return None

    def tell(self, supervisor: str, now: datetime) -> None:
        """Count one alert told to `supervisor`."""
        told = [at for at in self._told.get(supervisor, ()) if now - at < HOUR]
        self._told[supervisor] = [*told, now]

    def to_plain(self) -> dict[str, list[datetime]]:
        """Return the state as plain values."""
        return self._told

    def restore(self, told: dict[str, list[datetime]]) -> None:
        """Become the budget that :meth:`to_plain` described."""
        self._told = told
