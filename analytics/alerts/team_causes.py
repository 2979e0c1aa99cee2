"""Team alerts: follows the common cause of every team and tells it once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from analytics.alerts.alert_book import AlertBook
from analytics.alerts.alerting import UPDATE_EVERY, Alert, Event, alert_id
from analytics.alerts.common_cause import (
    LEAST_AGENTS,
    Cause,
    Floats,
    Mask,
    find,
    gathers,
    persists,
)
from analytics.scoring.detector import DETECTOR_VERSION
from analytics.scoring.floor import Floor, Rows
from sensors.codec import convert
from sensors.messages import AlertKind, AlertMessage, AlertState

AFTERMATH = timedelta(minutes=5)
"""Personal alerts stay inhibited so long after a cause has gone: people calm down apart."""


@dataclass(slots=True)
class _Standing:
    """A cause that stands, or has just gone."""

    alert_id: str
    ended_at: datetime | None = None


class TeamCauses:
    """The common causes of a site.

    Parameters
    ----------
    book : AlertBook
    floor : Floor
    smallest_group : int
        Causes among fewer people are told without figures (TRUST T16).
    """

    def __init__(self, book: AlertBook, floor: Floor, smallest_group: int) -> None:
        self._smallest_group = smallest_group
        self._book = book
        self._floor = floor
        self._standing: dict[str, _Standing] = {}

    def inhibitor(self, team: str) -> str | None:
        """Return the team alert that explains what differs in `team` now."""
        standing = self._standing.get(team)
        return standing.alert_id if standing is not None else None

    def gathers(self, team: str, now: datetime) -> bool:
        """Return whether so many of `team` begin to differ that a cause may be about to show."""
        rows = self._floor.members(team)
        active, pending, started_s = self._above(rows)
        judged = self._floor.judged(rows, now.timestamp())
        return gathers(active | pending, started_s, judged)

    def _above(self, rows: Rows) -> tuple[Mask, Mask, Floats]:
        """Return who of `rows` differs, who does not yet for long enough, and since when.

        Who leans differs; so does who has an episode of their own: above the
        lower line they may have been for so long that it counts no more.
        """
        columns, leanings = self._floor.columns, self._floor.leanings
        since_s = leanings.since_s(rows)
        leans = np.isfinite(since_s)
        active = leanings.active(rows) | columns["active"][rows]
        pending = (leans | columns["pending"][rows]) & ~active
        return active, pending, np.where(leans, since_s, columns["started_s"][rows])

    def step(self, now: datetime) -> None:
        """Find causes that begin, follow those that stand, let go of those that ended."""
        everybody = np.arange(len(self._floor.agents))
        active, pending, _ = self._above(everybody)
        teams = self._floor.columns["team"][everybody[active | pending]]
        crowd = np.bincount(teams + 1, minlength=len(self._floor.team_names) + 1)
        for index, team in enumerate(self._floor.team_names):
            if team in self._standing or crowd[index + 1] >= LEAST_AGENTS:
                self._follow(team, now)
        # A restart with other teams: nobody is left in whom the cause of an old one could end.
        for team in [team for team in self._standing if team not in self._floor.team_names]:
            self._follow(team, now)

    def _follow(self, team: str, now: datetime) -> None:
        rows = self._floor.members(team)
        active, pending, started_s = self._above(rows)
        judged = self._floor.judged(rows, now.timestamp())
        standing = self._standing.get(team)
        if standing is not None and standing.ended_at is None:
            if persists(active, pending, judged):
                self._update(standing, rows[(active | pending) & judged], int(judged.sum()), now)
            else:
                self._end(standing, now)
            return
        cause = find(active, pending, started_s, judged)
        if cause is not None:
            self._begin(team, cause, rows[cause.affected], now)
        elif standing is not None and now - (standing.ended_at or now) >= AFTERMATH:
            self._let_go(team, standing, now)

    def _begin(self, team: str, cause: Cause, affected: Any, now: datetime) -> None:
        standing = self._standing.get(team)
        known = self._book.get(standing.alert_id) if standing is not None else None
        if standing is not None:
            standing.ended_at = None
            if known is None:
                return  # decided: the same matter wavers, and asks nobody twice
            if known.state is not AlertState.PENDING and known.message.resolved_at is not None:
                self._tell(known, Event.RETURN, affected, cause.judged, now)
            return
        started_at = datetime.fromtimestamp(cause.started_s, UTC)
        message = AlertMessage(
            alert_id=alert_id(f"team|{team}", started_at),
            kind=AlertKind.TEAM,
            state=AlertState.PENDING,
            team=team,
            started_at=started_at,
            detector_version=DETECTOR_VERSION,
        )
        if self._book.open(Alert(message=message), now):
            self._standing[team] = _Standing(message.alert_id)
            opened = self._book.get(message.alert_id)
            if opened is not None:
                self._tell(opened, Event.FIRE, affected, cause.judged, now)

    def _tell(self, alert: Alert, event: Event, affected: Any, judged: int, now: datetime) -> None:
        """Tell everybody who leads the team, unless somebody silenced it."""
        identity, team = alert.message.alert_id, alert.message.team
        silence = self._book.silences.of(alert.message, now)
        if silence is not None and alert.state is not AlertState.ACKNOWLEDGED:
            if silence != alert.silenced_by:
                self._book.apply(identity, Event.SILENCE, now, silenced_by=silence)
            return
        facts = self._facts(affected, judged)
        if event is Event.FIRE:
            facts |= {"told_to": self._book.supervisors(team, now), "silenced_by": None}
        self._book.apply(identity, event, now, **facts)

    def _facts(self, affected: Any, judged: int) -> dict[str, Any]:
        """Return what the card says; no figures about a group that is too small (T16)."""
        floor = self._floor
        shown = judged >= self._smallest_group
        quality = floor.columns["quality"][affected]
        known = quality[np.isfinite(quality)]
        return {
            "affected": len(affected) if shown else None,
            "team_size": judged if shown else None,
            "quality": round(float(known.mean()), 3) if known.size else None,
            "contributions": floor.explanation(affected),
        }

    def _update(self, standing: _Standing, affected: Any, judged: int, now: datetime) -> None:
        alert = self._book.get(standing.alert_id)
        if alert is None or alert.state is AlertState.RESOLVED:
            return
        silence = self._book.silences.of(alert.message, now)
        if alert.state is AlertState.PENDING or (
            alert.state is AlertState.FIRING and silence is not None
        ):
            self._tell(alert, Event.FIRE, affected, judged, now)
            return
        if alert.updated_at is not None and now - alert.updated_at < UPDATE_EVERY:
            return
        facts = self._facts(affected, judged)
        if any(getattr(alert.message, name) != value for name, value in facts.items()):
            self._book.apply(standing.alert_id, Event.UPDATE, now, **facts)

    def _end(self, standing: _Standing, now: datetime) -> None:
        standing.ended_at = now
        alert = self._book.get(standing.alert_id)
        if alert is None or alert.state is AlertState.PENDING or alert.message.resolved_at:
            return  # decided, silenced (it may only waver), or resolved already
        self._book.apply(standing.alert_id, Event.RESOLVE, now)

    def _let_go(self, team: str, standing: _Standing, now: datetime) -> None:
        """Forget a cause that is over for good."""
        alert = self._book.get(standing.alert_id)
        if alert is not None and alert.state is AlertState.PENDING:
            # Silenced, nobody saw it: it goes into the record.
            self._book.apply(standing.alert_id, Event.VANISH, now)
        del self._standing[team]

    def to_plain(self) -> Any:
        """Return the state as plain values."""
        return self._standing

    def restore(self, plain: Any) -> None:
        """Become the causes that :meth:`to_plain` described."""
        self._standing = convert(plain, dict[str, _Standing])
