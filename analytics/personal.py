"""Personal alerts: from episodes to cards, within the budget and behind other causes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from analytics.alert_book import AlertBook
from analytics.alerting import NO_DATA, SAYS_FINE, UPDATE_EVERY, Alert, Event, alert_id
from analytics.budget import Budget
from analytics.common_cause import contributions
from analytics.detector import DETECTOR_VERSION
from analytics.features import PART_CHANNEL, PARTS, UNKNOWN_LEVEL
from analytics.floor import STALE_S, Floor, Judged
from analytics.team_causes import TeamCauses
from analytics.technical import Technical
from sensors.messages import AlertKind, AlertMessage, AlertState
from sensors.signals import Channel

EVIDENCE_LOST_AFTER = timedelta(minutes=10)
"""Without anything to judge for so long, an alert's evidence is gone: unknown, not fine."""

_SHOWN = frozenset({AlertState.FIRING, AlertState.ACKNOWLEDGED})


class PersonalAlerts:
    """The personal alerts of a site.

    Parameters
    ----------
    book : AlertBook
    floor : Floor
    budget : Budget
    causes : TeamCauses
    technical : Technical
    """

    def __init__(
        self,
        book: AlertBook,
        floor: Floor,
        budget: Budget,
        causes: TeamCauses,
        technical: Technical,
    ) -> None:
        self._book = book
        self._floor = floor
        self._budget = budget
        self._causes = causes
        self._technical = technical

    def begin(self, judged: Judged, now: datetime) -> None:
        """Open an alert for every episode that begins and belongs to no open one."""
        for index in np.flatnonzero(judged.episodes.began):
            row = judged.windows[int(np.flatnonzero(judged.place == index)[0])].row
            team = self._floor.team(row)
            if team is not None and not self._open_of(self._floor.agents[row]):
                self._open(row, team, now)

    def _open_of(self, agent: str) -> list[Alert]:
        return [a for a in self._book.of_kind(AlertKind.PERSONAL) if a.message.agent == agent]

    def _open(self, row: int, team: str, now: datetime) -> None:
        agent = self._floor.agents[row]
        started_at = self._started_at(row)
        message = AlertMessage(
            alert_id=alert_id(agent, started_at),
            kind=AlertKind.PERSONAL,
            state=AlertState.PENDING,
            team=team,
            agent=agent,
            started_at=started_at,
            quality=self._quality(row),
            contributions=contributions(
                self._floor.level[row : row + 1], self._floor.contribution[row : row + 1]
            ),
            unknown=self._unknown(row),
            detector_version=DETECTOR_VERSION,
        )
        self._book.open(Alert(message=message), now)

    def _started_at(self, row: int) -> datetime:
        return datetime.fromtimestamp(float(self._floor.columns["started_s"][row]), UTC)

    def _quality(self, row: int) -> float | None:
        quality = float(self._floor.columns["quality"][row])
        return round(quality, 3) if np.isfinite(quality) else None

    def _unknown(self, row: int) -> tuple[Channel, ...]:
        """Return the channels of which no part could be judged."""
        level = self._floor.level[row]
        known = {PART_CHANNEL[p] for p, v in zip(PARTS, level, strict=True) if v != UNKNOWN_LEVEL}
        return tuple(channel for channel in Channel if channel not in known)

    def step(self, now: datetime) -> None:
        """Follow every open personal alert; tell those that there is room for."""
        for alert in self._book.of_kind(AlertKind.PERSONAL):
            agent = alert.message.agent
            row = self._floor.known_row(agent) if agent is not None else None
            if row is None:
                continue
            if alert.state is AlertState.PENDING:
                self._release(alert, row, now)
            else:
                self._follow(alert, row, now)

    def _inhibitor(self, alert: Alert) -> str | None:
        return self._causes.inhibitor(alert.message.team) or self._technical.inhibitor(alert)

    def _release(self, alert: Alert, row: int, now: datetime) -> None:
        identity, team = alert.message.alert_id, alert.message.team
        if not self._stands(row, now):
            self._book.apply(identity, Event.VANISH, now)
            return
        inhibitor = self._inhibitor(alert)
        if inhibitor is not None:
            if inhibitor != alert.inhibited_by:
                self._book.apply(identity, Event.INHIBIT, now, inhibited_by=inhibitor)
            return
        if alert.inhibited_by is not None:
            self._book.apply(identity, Event.UPDATE, now, inhibited_by=None)
        supervisors = self._book.supervisors(team, now)
        # A team that nobody leads still shows its alerts; its team is their budget.
        to = self._budget.room(supervisors or (f"team:{team}",), now)
        if to is not None:
            self._budget.tell(to, now)
            told_to = (to,) if supervisors else ()
            self._book.apply(identity, Event.FIRE, now, told_to=told_to)

    def _stands(self, row: int, now: datetime) -> bool:
        lost = now.timestamp() - self._floor.columns["judged_s"][row]
        active = bool(self._floor.columns["active"][row])
        return active and lost < EVIDENCE_LOST_AFTER.total_seconds()

    def _follow(self, alert: Alert, row: int, now: datetime) -> None:
        message = alert.message
        if message.resolved_at is not None:
            if self._returned(alert, row, now):
                self._book.apply(message.alert_id, Event.RETURN, now)
            return
        if not self._stands(row, now):
            # An episode ends when it is over, and when there is nothing more to see.
            columns = self._floor.columns
            lost = columns["active"][row] or not columns["known"][row]
            reason = NO_DATA if lost else None
            self._book.apply(message.alert_id, Event.RESOLVE, now, reason=reason)
            return
        if alert.state is AlertState.FIRING:
            inhibitor = self._inhibitor(alert)
            if inhibitor is not None:
                self._book.apply(message.alert_id, Event.INHIBIT, now, inhibited_by=inhibitor)
                return
        self._update(alert, row, now)

    def _returned(self, alert: Alert, row: int, now: datetime) -> bool:
        columns = self._floor.columns
        if not columns["active"][row] or now.timestamp() - columns["judged_s"][row] > STALE_S:
            return False
        return self._started_at(row) != alert.said_fine_at

    def _update(self, alert: Alert, row: int, now: datetime) -> None:
        if alert.updated_at is not None and now - alert.updated_at < UPDATE_EVERY:
            return
        found = contributions(
            self._floor.level[row : row + 1], self._floor.contribution[row : row + 1]
        )
        unknown = self._unknown(row)
        changed = (found, unknown) != (alert.message.contributions, alert.message.unknown)
        # Evidence outlasts the bands for a moment: keep what it rested on.
        if found and changed:
            self._book.apply(
                alert.message.alert_id,
                Event.UPDATE,
                now,
                contributions=found,
                unknown=unknown,
                quality=self._quality(row),
            )

    def says_fine(self, agent: str, now: datetime) -> str:
        """Take the agent's *I'm fine*: the evidence is answered, the card stays for a decision."""
        row = self._floor.known_row(agent)
        found = self._open_of(agent)
        if row is None or not found:
            return "recorded"
        fine_at = self._started_at(row) if self._floor.columns["active"][row] else None
        for alert in found:
            identity = alert.message.alert_id
            if alert.state is AlertState.PENDING:
                self._book.apply(identity, Event.VANISH, now)
            elif alert.state in _SHOWN and alert.message.resolved_at is None:
                self._book.apply(
                    identity, Event.RESOLVE, now, reason=SAYS_FINE, said_fine_at=fine_at
                )
        return "applied"
