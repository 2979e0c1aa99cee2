"""Personal alerts: from episodes to cards, within the budget and behind other causes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from analytics.alerts.alert_book import AlertBook
from analytics.alerts.alerting import (
    ESCALATE_AFTER,
    GROUP_WAIT,
    NO_DATA,
    REPEAT_AFTER,
    SAYS_FINE,
    UPDATE_EVERY,
    Alert,
    Event,
    alert_id,
    allows,
    hand_on_order,
    not_told,
    turn_again,
)
from analytics.alerts.budget import Budget
from analytics.alerts.matters import ENDS_AFTER, Matters
from analytics.alerts.team_causes import TeamCauses
from analytics.alerts.technical import Technical
from analytics.scoring.detector import DETECTOR_VERSION
from analytics.scoring.floor import STALE_S, Floor, Judged
from analytics.signals.features import PART_CHANNEL, PARTS, UNKNOWN_LEVEL
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
        self._matters = Matters()

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
            contributions=self._floor.explanation([row]),
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
        self._matters.step({a: self._above(a, now) for a in self._matters.agents()}, now)
        known = [self._rowed(alert, now) for alert in self._book.of_kind(AlertKind.PERSONAL)]
        # Who was never told about comes before anybody is told of the same again.
        for alert, row in known:
            if row is not None and alert.state is AlertState.PENDING:
                self._release(alert, row, now)
        for alert, row in known:
            if row is not None and alert.state is not AlertState.PENDING:
                self._follow(alert, row, now)

    def _rowed(self, alert: Alert, now: datetime) -> tuple[Alert, int | None]:
        """Return `alert`, moved along with an agent who changed team, and the agent's row.

        What somebody was told stays with their team, as long as there is one.
        """
        message = alert.message
        row = self._floor.known_row(message.agent) if message.agent is not None else None
        team = self._floor.team(row) if row is not None else None
        if team is None or team == message.team or not allows(alert.state, Event.UPDATE):
            return alert, row
        if message.told_at is None or message.team not in self._floor.team_names:
            alert = self._book.apply(message.alert_id, Event.UPDATE, now, team=team)
        return alert, row

    def _above(self, agent: str, now: datetime) -> bool:
        row, columns = self._floor.known_row(agent), self._floor.columns
        if row is None or not (columns["active"][row] or columns["pending"][row]):
            return False
        return self._seen_lately(row, now)

    def _inhibitor(self, alert: Alert) -> str | None:
        """Return the alert that speaks for this one: the work, a fault, or an answer given."""
        agent = alert.message.agent
        return (
            self._causes.inhibitor(alert.message.team)
            or self._technical.inhibitor(alert)
            or (self._matters.of(agent) if agent is not None else None)
        )

    def _mute(self, alert: Alert, now: datetime) -> bool:
        """Let `alert` give way to what speaks for it or mutes it; return whether something does.

        Inhibition comes before silence: who is told of the cause needs no silence.
        """
        inhibitor = self._inhibitor(alert)
        silence = self._book.silences.of(alert.message, now) if inhibitor is None else None
        if (inhibitor, silence) != (alert.inhibited_by, alert.silenced_by):
            event = Event.UPDATE
            if inhibitor is not None or silence is not None:
                event = Event.INHIBIT if inhibitor is not None else Event.SILENCE
            causes = {"inhibited_by": inhibitor, "silenced_by": silence}
            self._book.apply(alert.message.alert_id, event, now, **causes)
        return inhibitor is not None or silence is not None

    def _release(self, alert: Alert, row: int, now: datetime) -> None:
        """Tell a pending alert if nothing speaks against it any more."""
        identity = alert.message.alert_id
        if not self._stands(row, now):
            self._lose(alert, row, now)
            return
        if alert.lost_at is not None:
            alert = self._book.apply(identity, Event.UPDATE, now, lost_at=None)
        if self._mute(alert, now) or self._waits_for_others(alert, now):
            return
        found = self._find_room(alert, now)
        if found is not None:
            self._book.apply(identity, Event.FIRE, now, told_to=found)

    def _lose(self, alert: Alert, row: int, now: datetime) -> None:
        """Let a pending alert go whose evidence is gone; what was told is not forgotten at once."""
        identity = alert.message.alert_id
        if alert.message.told_at is None:
            self._book.apply(identity, Event.VANISH, now)
        elif not alert.muted:
            # It was on a screen, and waited for room.
            self._book.apply(identity, Event.RESOLVE, now, reason=self._why_gone(row))
        elif alert.lost_at is None:
            self._book.apply(identity, Event.UPDATE, now, lost_at=now)
        elif now - alert.lost_at >= ENDS_AFTER:
            self._book.apply(identity, Event.VANISH, now)

    def _waits_for_others(self, alert: Alert, now: datetime) -> bool:
        """Return whether the team may be about to have one cause, which would say it better."""
        opened_at = alert.opened_at
        fresh = opened_at is not None and now - opened_at < GROUP_WAIT
        return fresh and self._causes.gathers(alert.message.team, now)

    def _find_room(self, alert: Alert, now: datetime) -> tuple[str, ...] | None:
        """Return who is told in order, having counted it; ``None`` if nobody's hour has room."""
        message = alert.message
        supervisors = self._book.supervisors(message.team, now)
        # Whoever has it already comes first. A team that nobody leads still
        # shows its alerts; its team is their budget.
        known = tuple(person for person in message.told_to[:1] if person in supervisors)
        line = (*known, *supervisors) or (f"team:{message.team}",)
        to = self._budget.room(message.alert_id, line, now)
        if to is None:
            return None
        self._budget.tell(message.alert_id, to, now)
        return hand_on_order(message.told_to, to) if supervisors else ()

    def _why_gone(self, row: int) -> str | None:
        """Return the reason of evidence that stands no more: over, or there is nothing to see."""
        columns = self._floor.columns
        return NO_DATA if columns["active"][row] or not columns["known"][row] else None

    def _stands(self, row: int, now: datetime) -> bool:
        return bool(self._floor.columns["active"][row]) and self._seen_lately(row, now)

    def _seen_lately(self, row: int, now: datetime) -> bool:
        lost_s = now.timestamp() - self._floor.columns["judged_s"][row]
        return bool(lost_s < EVIDENCE_LOST_AFTER.total_seconds())

    def _follow(self, alert: Alert, row: int, now: datetime) -> None:
        message = alert.message
        if message.resolved_at is not None:
            if self._returned(row, message.agent, now):
                self._return(alert, now)
            return
        if not self._stands(row, now):
            self._book.apply(message.alert_id, Event.RESOLVE, now, reason=self._why_gone(row))
            return
        if alert.state is AlertState.FIRING:
            if self._mute(alert, now):
                return
            self._pass_on(alert, now)
        self._update(alert, row, now)

    def _returned(self, row: int, agent: str | None, now: datetime) -> bool:
        columns = self._floor.columns
        if not columns["active"][row] or now.timestamp() - columns["judged_s"][row] > STALE_S:
            return False
        # The agent's own word holds for as long as the matter lasts.
        return agent is None or self._matters.of(agent) is None

    def _return(self, alert: Alert, now: datetime) -> None:
        """Bring a card back; like every telling it needs room and may be muted."""
        identity = alert.message.alert_id
        if alert.state is AlertState.ACKNOWLEDGED:
            if self._inhibitor(alert) is None:
                self._book.apply(identity, Event.RETURN, now)  # a person has it: nobody is told
        elif not self._mute(alert, now):
            found = self._find_room(alert, now)
            if found is not None:
                self._book.apply(identity, Event.RETURN, now, told_to=found)
            else:
                self._book.apply(identity, Event.HOLD, now)

    def _pass_on(self, alert: Alert, now: datetime) -> None:
        """Tell the next supervisor, or everybody again, if nobody answers; within their budget."""
        message, passed_at = alert.message, alert.passed_at
        if not message.told_to or passed_at is None:
            return
        # A colleague may have handed it on: that counts for whom it reached.
        self._budget.tell(message.alert_id, message.told_to[0], passed_at)
        waited, on_duty = now - passed_at, self._book.supervisors(message.team, now)
        if waited >= ESCALATE_AFTER[AlertKind.PERSONAL]:
            following = not_told(message.told_to, on_duty)
            passed_on = self._tell_next(alert, Event.ESCALATE, following, now)
            due = waited >= REPEAT_AFTER and not self._somebody_waits(message.team)
            if due and not passed_on:
                again = turn_again(message.told_to, on_duty)
                self._tell_next(alert, Event.REPEAT, again, now)

    def _somebody_waits(self, team: str) -> bool:
        """Return whether an alert of `team` that nobody was told yet waits for room."""
        return any(
            a.state is AlertState.PENDING and not a.muted and a.message.team == team
            for a in self._book.of_kind(AlertKind.PERSONAL)
        )

    def _tell_next(self, alert: Alert, event: Event, line: tuple[str, ...], now: datetime) -> bool:
        """Tell the first of `line` whose hour has room; return whether there was one."""
        identity, told_to = alert.message.alert_id, alert.message.told_to
        to = self._budget.room(identity, line, now)
        if to is None:
            return False
        self._budget.tell(identity, to, now)
        self._book.apply(identity, event, now, by=to, told_to=hand_on_order(told_to, to))
        return True

    def _update(self, alert: Alert, row: int, now: datetime) -> None:
        if alert.updated_at is not None and now - alert.updated_at < UPDATE_EVERY:
            return
        found = self._floor.explanation([row])
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

    def answered(self, alert: Alert, now: datetime) -> None:
        """Take note that a person decided on `alert`: what is left of it asks nobody again."""
        message = alert.message
        if message.kind is AlertKind.PERSONAL and message.agent is not None:
            stood_at = message.resolved_at or now
            self._matters.answer(message.agent, message.alert_id, stood_at)

    def says_fine(self, agent: str, now: datetime) -> str:
        """Take the agent's *I'm fine*: the evidence is answered, the card stays for a decision."""
        found = self._open_of(agent)
        for alert in found:
            identity, resolved_at = alert.message.alert_id, alert.message.resolved_at
            self._matters.answer(agent, identity, resolved_at or now)
            if alert.state is AlertState.PENDING:
                self._book.apply(identity, Event.VANISH, now)
            elif alert.state in _SHOWN and resolved_at is None:
                self._book.apply(identity, Event.RESOLVE, now, reason=SAYS_FINE)
        return "applied" if found else "recorded"

    def to_plain(self) -> Any:
        """Return the state as plain values."""
        return self._matters.to_plain()

    def restore(self, plain: Any) -> None:
        """Become the alerts that :meth:`to_plain` described."""
        self._matters.restore(plain)
