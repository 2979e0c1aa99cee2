"""What the supervisor's screen shows of an alert: plain values, nothing measured (TRUST T12)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from enum import StrEnum

from analytics.alerts.alerting import NO_DATA, SAYS_FINE
from analytics.people.teams import Roster, Teams
from dashboard.clocks import places, team_zone
from dashboard.live import Sent
from sensors.messages import (
    DECISIONS,
    Action,
    AlertKind,
    AlertMessage,
    AlertState,
    Contribution,
    RequestKind,
)
from sensors.shown import Shown
from sensors.signals import Channel


class Section(StrEnum):
    """Where a card stands on the screen, top to bottom."""

    ASKING = "asking"
    WORK = "work"
    SIGNALS = "signals"
    MINE = "mine"
    TECHNICAL = "technical"


class Step(StrEnum):
    """What happened to an alert."""

    STARTED = "started"
    TOLD = "told"
    TAKEN = "taken"
    DECIDED = "decided"
    RESOLVED = "resolved"
    LOST = "lost"
    SAID_FINE = "said_fine"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One line of an alert's own history."""

    at: datetime | None
    step: Step
    by: str = ""
    decision: Action | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What a supervisor decided and has not yet said how it went."""

    alert_id: str
    at: datetime
    action: Action
    agent: str | None
    team: str
    follow_up_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One alert as it is drawn.

    `taken_by` and `with_other` are names, not logins; `with_other` is who was
    told last, when that is somebody else; `place` is where the clocks of `zone` hang, if that
    has to be said; `sending` says that what was done here
    has not come back from the server yet; `escalated` that nobody answered before
    and it came on to this screen, `repeated_at` when it was told again; `hand_to` are logins and names of
    who else could take it, in the order of escalation.
    """

    alert_id: str
    section: Section
    shown: Shown
    title: str
    agent: str | None
    team: str
    zone: tzinfo
    place: str = ""
    started_at: datetime
    waiting_since: datetime
    told_at: datetime | None = None
    taken_at: datetime | None = None
    taken_by: str = ""
    taken_by_me: bool = False
    with_other: str = ""
    sending: datetime | None = None
    resolved_at: datetime | None = None
    ending: Step = Step.RESOLVED
    decision: Action | None = None
    follow_up_at: datetime | None = None
    request: RequestKind | None = None
    escalated: bool = False
    repeated_at: datetime | None = None
    contributions: tuple[Contribution, ...] = ()
    unknown: tuple[Channel, ...] = ()
    quality: float | None = None
    affected: int | None = None
    team_size: int | None = None
    fault: str | None = None
    channel: Channel | None = None
    hand_to: tuple[tuple[str, str], ...] = ()
    timeline: tuple[TimelineEntry, ...] = ()

    @property
    def needs_somebody(self) -> bool:
        """Whether nobody has taken it and the supervisor at this screen is who should."""
        waits = not self.taken_by and self.section is not Section.TECHNICAL
        return waits and not self.with_other


_BY_KIND = {
    AlertKind.REQUEST: (Section.ASKING, Shown.ASKING),
    AlertKind.TEAM: (Section.WORK, Shown.WORK),
    AlertKind.PERSONAL: (Section.SIGNALS, Shown.DIFFERENT),
    AlertKind.TECHNICAL: (Section.TECHNICAL, Shown.FAULT),
}


def my_teams(teams: Teams, me: str, now: datetime) -> tuple[str, ...]:
    """Return the teams that `me` leads at `now`; nobody sees another's (TRUST T17)."""
    return tuple(name for name in teams.names if me in teams.supervisors(name, now))


def cards(
    alerts: Collection[AlertMessage],
    sent: Mapping[str, Sent],
    decided: Iterable[Decided] = (),
    *,
    me: str,
    teams: Teams,
    roster: Roster,
    now: datetime,
) -> list[Card]:
    """Return the cards that `me` is to see, longest waiting first, never by severity.

    Parameters
    ----------
    alerts : iterable of AlertMessage
        Open alerts of the site.
    sent : mapping
        By alert, what was done here and has not come back yet; shown as done.
    decided : iterable of Decided
        What the store knows `me` decided and has not said the outcome of.
    me : str
        Login of the supervisor.
    """
    mine = set(my_teams(teams, me, now))
    found = [
        _card(alert, sent.get(alert.alert_id), me, teams, roster, now)
        for alert in alerts
        if alert.team in mine
        and alert.state is not AlertState.PENDING
        and (not alert.told_to or me in alert.told_to or alert.taken_by == me)
    ]
    shown = [card for card in found if card is not None]
    known = {alert.alert_id for alert in alerts}
    shown += [
        _decided_card(one, me, teams, roster, now)
        for one in decided
        if one.alert_id not in known and one.alert_id not in sent and one.team in mine
    ]
    where = places(teams, mine, now)
    shown = [replace(card, place=where.get(card.team, "")) for card in shown]
    return sorted(shown, key=lambda card: (card.waiting_since, card.alert_id))


def _card(  # noqa: PLR0917 - the context of `cards`, handed on
    alert: AlertMessage,
    sent: Sent | None,
    me: str,
    teams: Teams,
    roster: Roster,
    now: datetime,
) -> Card | None:
    taken_by, decision, follow_up_at = alert.taken_by, alert.decision, alert.follow_up_at
    if sent is not None and sent.message.action is Action.TAKE:
        taken_by = me
    elif sent is not None and sent.message.action in DECISIONS:
        taken_by = sent.message.to or me
        decision, follow_up_at = sent.message.action, sent.message.follow_up_at
    # Handing it on decides nothing about the person: it waits again, with somebody else.
    decided = decision is not None and decision is not Action.CANNOT_NOW
    if (decided or alert.closed_at is not None) and taken_by != me:
        return None
    section, shown = _place(alert, taken_by, me)
    current = alert.told_to[0] if alert.told_to else me
    others = [login for login in teams.supervisors(alert.team, now) if login != me]
    return Card(
        alert_id=alert.alert_id,
        section=section,
        shown=shown,
        title=roster.agent(alert.agent) if alert.agent else alert.team.capitalize(),
        agent=alert.agent,
        team=alert.team,
        zone=team_zone(teams, alert.team, now),
        started_at=alert.started_at,
        waiting_since=alert.told_at or alert.started_at,
        told_at=alert.told_at,
        taken_at=alert.taken_at or (sent.message.at if sent and taken_by else None),
        taken_by=roster.supervisor(taken_by) if taken_by else "",
        taken_by_me=taken_by == me,
        with_other="" if current == me else roster.supervisor(current),
        sending=sent.message.at if sent is not None else None,
        resolved_at=alert.resolved_at,
        ending=_ending(alert),
        decision=decision if decided else None,
        follow_up_at=follow_up_at,
        request=alert.request,
        escalated=alert.escalated > 0 and current == me,
        repeated_at=alert.repeated_at,
        contributions=alert.contributions,
        unknown=alert.unknown,
        quality=alert.quality,
        affected=alert.affected,
        team_size=alert.team_size,
        fault=alert.fault,
        channel=alert.channel,
        hand_to=tuple((login, roster.supervisor(login)) for login in others),
        timeline=_timeline(alert, roster),
    )


def _place(alert: AlertMessage, taken_by: str | None, me: str) -> tuple[Section, Shown]:
    """Return where the card of `alert` stands, and as what."""
    section, shown = _BY_KIND[alert.kind]
    if taken_by is not None and shown is not Shown.FAULT:
        return Section.MINE if taken_by == me else section, Shown.TAKEN
    if alert.resolved_at is not None and shown is Shown.DIFFERENT:
        # What nobody can see any more is unknown, never fine (TRUST T13).
        lost = _ending(alert) is Step.LOST
        return section, Shown.NO_DATA if lost else Shown.AS_USUAL
    return section, shown


def _decided_card(one: Decided, me: str, teams: Teams, roster: Roster, now: datetime) -> Card:
    return Card(
        alert_id=one.alert_id,
        section=Section.MINE,
        shown=Shown.TAKEN,
        title=roster.agent(one.agent) if one.agent else one.team.capitalize(),
        agent=one.agent,
        team=one.team,
        zone=team_zone(teams, one.team, now),
        started_at=one.at,
        waiting_since=one.at,
        taken_at=one.at,
        taken_by=roster.supervisor(me),
        taken_by_me=True,
        decision=one.action,
        follow_up_at=one.follow_up_at,
    )


def _ending(alert: AlertMessage) -> Step:
    """Return how the evidence went: by itself, out of sight, or by the agent's word."""
    return {NO_DATA: Step.LOST, SAYS_FINE: Step.SAID_FINE}.get(alert.reason or "", Step.RESOLVED)


def _timeline(alert: AlertMessage, roster: Roster) -> tuple[TimelineEntry, ...]:
    told = ", ".join(roster.supervisor(login) for login in alert.told_to)
    taken = roster.supervisor(alert.taken_by) if alert.taken_by else ""
    entries = [
        TimelineEntry(alert.started_at, Step.STARTED),
        TimelineEntry(alert.told_at, Step.TOLD, told),
        TimelineEntry(alert.taken_at, Step.TAKEN, taken),
        TimelineEntry(alert.resolved_at, _ending(alert)),
        TimelineEntry(alert.closed_at, Step.CLOSED, taken, alert.decision),
    ]
    happened = [entry for entry in entries if entry.at is not None]
    return tuple(sorted(happened, key=lambda entry: entry.at or alert.started_at))
