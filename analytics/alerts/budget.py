"""The alert budget (TRUST A1): a ceiling per supervisor-hour, never a quota.

A personal alert is told to the first supervisor in line who has room. With
nobody's hour having room it waits, visible as a count, and is told when room
comes, longest waiting first, if its evidence still stands. Nothing is dropped
silently: what vanished while waiting is in the record.

What counts is how many *different* alerts ask for a supervisor in an hour.
Whatever brings an alert to somebody (told, back, passed on, told again, handed
on by a colleague) moves its one entry to now: an alert that comes back has the
room that it took, and keeps it. Only a colleague who hands on may exceed the
ceiling; the system then tells that supervisor nothing more.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sensors.codec import convert

SPAN = timedelta(hours=1)

Told = dict[str, datetime]


class Budget:
    """Which personal alerts asked for whom over the last hour.

    Parameters
    ----------
    ceiling : int
        Most different personal alerts per supervisor in any hour.
    """

    def __init__(self, ceiling: int) -> None:
        self._ceiling = ceiling
        self._told: dict[str, Told] = {}

    def room(self, alert_id: str, supervisors: tuple[str, ...], now: datetime) -> str | None:
        """Return the first of `supervisors` who may be told now, ``None`` if nobody."""
        for supervisor in supervisors:
            others = self._of_last_hour(supervisor, now).keys() - {alert_id}
            if len(others) < self._ceiling:
                return supervisor
        return None

    def tell(self, alert_id: str, supervisor: str, at: datetime) -> None:
        """Count `alert_id` as asking for `supervisor` at `at`; the same again moves it."""
        told = self._of_last_hour(supervisor, at)
        told[alert_id] = max(at, told.get(alert_id, at))
        self._told[supervisor] = told

    def _of_last_hour(self, supervisor: str, now: datetime) -> Told:
        told = self._told.get(supervisor, {})
        return {alert_id: at for alert_id, at in told.items() if now - at < SPAN}

    def to_plain(self) -> dict[str, Told]:
        """Return the state as plain values."""
        return self._told

    def restore(self, plain: Any) -> None:
        """Become the budget that :meth:`to_plain` described.

        Raises
        ------
        ValueError
            If `plain` is something else.
        """
        # Snapshots from before alerts were told apart hold the times alone.
        named = {
            who: told if isinstance(told, dict) else {f"before{n}": at for n, at in enumerate(told)}
            for who, told in plain.items()
        }
        self._told = convert(named, dict[str, Told])
