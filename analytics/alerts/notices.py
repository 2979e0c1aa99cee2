"""What an agent is told about themselves, and when (TRUST T10): facts, no words.

The words are the edge's own, in the agent's language. Every event of an alert
that concerns one person is told to that person; team alerts concern the work
and technical ones the device, which the agent's own page shows first hand.

`ALERT_TOLD` is the notice that may interrupt an agent, and one alert is one
such notice, however its evidence flickers: what a supervisor sees of it later
is told as `ALERT_SHOWN_AGAIN`, for the page alone (TRUST A6). How often and
when an agent is interrupted at all (twice a shift, never in a call) is the
edge's business, :mod:`sensors.edge.telling.telling`.
"""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2s

from analytics.alerts.alerting import Alert, Event
from analytics.events import Publication
from sensors import topics
from sensors.messages import (
    Action,
    AlertKind,
    AlertState,
    AuditMessage,
    DecisionMessage,
    NoticeKind,
    NoticeMessage,
)

_PERSONAL: dict[Event, NoticeKind] = {
    Event.FIRE: NoticeKind.ALERT_TOLD,
    Event.RETURN: NoticeKind.ALERT_SHOWN_AGAIN,
    Event.ESCALATE: NoticeKind.ALERT_SHOWN_AGAIN,
    Event.RESOLVE: NoticeKind.ALERT_RESOLVED,
    Event.INHIBIT: NoticeKind.ALERT_RESOLVED,
    Event.SILENCE: NoticeKind.ALERT_RESOLVED,
    Event.EXPIRE: NoticeKind.ALERT_RESOLVED,
    Event.TAKE: NoticeKind.TAKEN,
    Event.HAND_ON: NoticeKind.DECIDED,
    Event.DECIDE: NoticeKind.DECIDED,
}

_REQUEST: dict[Event, NoticeKind] = {
    Event.FIRE: NoticeKind.REQUEST_RECEIVED,
    Event.ESCALATE: NoticeKind.REQUEST_PASSED_ON,
    Event.REPEAT: NoticeKind.REQUEST_RECEIVED,
    Event.HAND_ON: NoticeKind.REQUEST_PASSED_ON,
    Event.TAKE: NoticeKind.TAKEN,
    Event.DECIDE: NoticeKind.DECIDED,
}

_TAKES_BACK = frozenset({Event.INHIBIT, Event.SILENCE, Event.RESOLVE})
_NOT_SHOWN = frozenset({AlertState.PENDING, AlertState.RESOLVED})
_SHOWS = frozenset({NoticeKind.ALERT_TOLD, NoticeKind.ALERT_SHOWN_AGAIN})

_KINDS = {AlertKind.PERSONAL: _PERSONAL, AlertKind.REQUEST: _REQUEST}


def notice_id(*parts: object) -> str:
    """Return the identity of a notice: the same facts told twice are one notice."""
    text = "|".join(str(part) for part in parts)
    return blake2s(text.encode(), digest_size=8).hexdigest()


def of_event(
    site: str, before: Alert, after: Alert, event: Event, at: datetime, *, by: str | None
) -> Publication | None:
    """Return what the agent is told about `event`, ``None`` where it does not concern them.

    Parameters
    ----------
    site : str
    before, after : Alert
        The alert on both sides of the event.
    event : Event
    at : datetime
        UTC.
    by : str or None
        The person who acted; for requests that went on, who is told now.
    """
    message = after.message
    kind = _KINDS.get(message.kind, {}).get(event)
    if kind is None or message.agent is None:
        return None
    if event in _TAKES_BACK and before.state in _NOT_SHOWN:
        return None  # it was not shown, or is over already: nothing is taken back
    if kind is NoticeKind.ALERT_TOLD and before.message.told_at is not None:
        kind = NoticeKind.ALERT_SHOWN_AGAIN
    decided = event in {Event.DECIDE, Event.HAND_ON} and kind is NoticeKind.DECIDED
    notice = NoticeMessage(
        id=notice_id(message.alert_id, event, at.isoformat()),
        at=at,
        kind=kind,
        alert_id=message.alert_id,
        by=by,
        decision=(message.decision or Action.CANNOT_NOW) if decided else None,
        contributions=message.contributions if kind in _SHOWS else (),
    )
    return Publication(topics.notice(site, message.agent), notice)


def was_it_so(site: str, alert: Alert, at: datetime) -> Publication | None:
    """Return the question whether it was so and whether it helped."""
    message = alert.message
    if message.agent is None:
        return None
    notice = NoticeMessage(
        id=notice_id(message.alert_id, NoticeKind.WAS_IT_SO),
        at=at,
        kind=NoticeKind.WAS_IT_SO,
        alert_id=message.alert_id,
        decision=message.decision,
    )
    return Publication(topics.notice(site, message.agent), notice)


def silenced(site: str, message: DecisionMessage, effect: str) -> Publication | None:
    """Return what tells an agent that somebody muted alerts about them, or ended that.

    Parameters
    ----------
    site : str
    message : DecisionMessage
    effect : str
        What it did, from :meth:`analytics.alerts.silences.Silences.hear`.
    """
    if message.agent is None or effect not in {"applied", "lifted"}:
        return None
    lifted = effect == "lifted"
    notice = NoticeMessage(
        id=notice_id(message.id, Action.SILENCE),
        at=message.at,
        kind=NoticeKind.SILENCE_LIFTED if lifted else NoticeKind.DECIDED,
        by=message.by,
        decision=None if lifted else Action.SILENCE,
    )
    return Publication(topics.notice(site, message.agent), notice)


def looked(site: str, audit: AuditMessage) -> Publication | None:
    """Return what tells an agent that somebody opened their page."""
    if audit.agent is None:
        return None
    notice = NoticeMessage(
        id=notice_id(audit.id, NoticeKind.LOOKED), at=audit.at, kind=NoticeKind.LOOKED, by=audit.by
    )
    return Publication(topics.notice(site, audit.agent), notice)
