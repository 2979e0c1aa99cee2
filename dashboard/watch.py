"""Looks at the store once a second in its own thread, so that a slow one delays no alert."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from dashboard.cards import Decided
from dashboard.queries import People, Reader
from dashboard.rates import Figures
from dashboard.records import Standing
from sensors.errors import StoreError

EVERY_S = 1.0

FIGURES_EVERY = timedelta(minutes=1)
"""How often the figures of *How it does* are taken anew: they move slowly and cost more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorView:
    """What the store last said; `people` is ``None`` until it said anything.

    `told` are the personal alerts of the last hour, `decided` what waits for
    its outcome, `silences` those that stand, `figures` how the alerts do, ``None``
    until that is known; `away_since` is when it stopped answering, ``None`` while it answers.
    """

    people: People | None = None
    told: frozenset[str] = frozenset()
    decided: tuple[Decided, ...] = ()
    silences: tuple[Standing, ...] = ()
    figures: Figures | None = None
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
            self._look(now)
        except StoreError as error:
            since = self._view.away_since or now
            self._view = replace(self._view, away_since=since, why=str(error))

    def _look(self, now: datetime) -> None:
        teams = self._teams_at(now)
        figures = self._view.figures
        self._view = FloorView(
            people=self._reader.people(teams, now),
            told=self._reader.told(self._me, now),
            decided=self._reader.decided(self._me, now),
            silences=self._reader.silences(teams, now),
            figures=figures,
            read_at=now,
        )
        if figures is None or now - figures.at >= FIGURES_EVERY:
            # After the view: a long count must not keep people's states from the screen.
            agents = [agent for _, members in teams for agent in members]
            figures = self._reader.figures(self._me, agents, self._on_duty, now)
            self._view = replace(self._view, figures=figures)

    def _on_duty(self, at: datetime) -> bool:
        return bool(self._teams_at(at))

    def _run(self) -> None:
        while not self._end.is_set():
            self.look()
            self._end.wait(EVERY_S)
