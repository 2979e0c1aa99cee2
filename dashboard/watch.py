"""Looks at the store once a second in its own thread, so that a slow one delays no alert."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from dashboard.cards import Decided
from dashboard.queries import People, Reader
from sensors.errors import StoreError

EVERY_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorView:
    """What the store last said; `people` is ``None`` until it said anything.

    `told` are the personal alerts of the last hour, `decided` what waits for
    its outcome; `away_since` is when it stopped answering, ``None`` while it answers.
    """

    people: People | None = None
    told: frozenset[str] = frozenset()
    decided: tuple[Decided, ...] = ()
    read_at: datetime | None = None
    away_since: datetime | None = None
    why: str = ""


class FloorWatch:
    """Keeps the newest `FloorView` at hand.

    Parameters
    ----------
    reader : Reader
    me : str
        Login of the supervisor.
    teams_at : callable
        Time to the (team, agents) pairs to look at.
    clock : callable
    """

    def __init__(
        self,
        reader: Reader,
        me: str,
        teams_at: Callable[[datetime], list[tuple[str, tuple[str, ...]]]],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._reader = reader
        self._me = me
        self._teams_at = teams_at
        self._clock = clock
        self._view = FloorView()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="floor-watch", daemon=True)

    def start(self) -> None:
        """Begin looking."""
        self._thread.start()

    def stop(self) -> None:
        """End; returns when the thread has."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2 * EVERY_S)

    def view(self) -> FloorView:
        """Return what the store last said."""
        return self._view

    def look(self) -> None:
        """Ask the store once; an error keeps what was known and says since when."""
        now = self._clock()
        try:
            view = FloorView(
                people=self._reader.people(self._teams_at(now), now),
                told=self._reader.told(self._me, now),
                decided=self._reader.decided(self._me, now),
                read_at=now,
            )
        except StoreError as error:
            since = self._view.away_since or now
            view = replace(self._view, away_since=since, why=str(error))
        self._view = view

    def _run(self) -> None:
        while not self._end.is_set():
            self.look()
            self._end.wait(EVERY_S)
