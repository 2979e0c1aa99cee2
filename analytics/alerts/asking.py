"""People asking: *Help now* and *Break please* outrank every detection (TRUST T9).

They need no channel, no baseline and no budget: an agent who withholds
everything is heard like any other.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from analytics.alerts import points_out
from analytics.alerts.alert_book import AlertBook
from analytics.alerts.alerting import Alert, Event, alert_id, allows
from sensors.messages import AlertKind, AlertMessage, AlertState, RequestKind, RequestMessage

_ASKING = frozenset({RequestKind.HELP_NOW, RequestKind.BREAK_PLEASE})


def hear(
    book: AlertBook, agent: str, team: str | None, message: RequestMessage, now: datetime
) -> None:
    """Take in what `agent` asks for; a retelling counts once.

    Parameters
    ----------
    book : AlertBook
    agent : str
    team : str or None
        ``None``: in no team, so there is nobody to ask; it is recorded.
    message : RequestMessage
    now : datetime
    """
    if not book.first_time(message.id, now):
        return
    if message.kind is RequestKind.CANCEL:
        effect = _cancel(book, agent, now)
    elif message.kind not in _ASKING:
        effect = "recorded"
    elif team is None:
        effect = "no_team"
    else:
        effect = _ask(book, agent, team, message, now)
    book.out.points.append(points_out.request(book.site, agent, message, effect))


def follow(book: AlertBook, team_of: Callable[[str, datetime], str | None], now: datetime) -> None:
    """Let requests go along with their agents whose team is no more: else nobody would see them.

    Parameters
    ----------
    book : AlertBook
    team_of : callable
        Agent and time to the team, or ``None``.
    now : datetime
    """
    for alert in book.of_kind(AlertKind.REQUEST):
        message = alert.message
        if message.agent is None or book.supervisors(message.team, now):
            continue  # a team that there is has somebody who leads it
        team = team_of(message.agent, now)
        if team not in {None, message.team} and allows(alert.state, Event.UPDATE):
            book.apply(message.alert_id, Event.UPDATE, now, team=team)


def _own(book: AlertBook, agent: str) -> list[Alert]:
    return [a for a in book.of_kind(AlertKind.REQUEST) if a.message.agent == agent]


def _ask(book: AlertBook, agent: str, team: str, message: RequestMessage, now: datetime) -> str:
    if any(alert.message.request is message.kind for alert in _own(book, agent)):
        return "already_open"  # pressing twice asks once
    asked = AlertMessage(
        alert_id=alert_id(f"{agent}|{message.kind}", message.at),
        kind=AlertKind.REQUEST,
        state=AlertState.PENDING,
        team=team,
        agent=agent,
        request=message.kind,
        started_at=message.at,
    )
    if not book.open(Alert(message=asked), now):
        return "already_open"
    told_to = book.supervisors(team, now)[:1]
    book.apply(asked.alert_id, Event.FIRE, now, told_to=told_to)
    return "applied"


def _cancel(book: AlertBook, agent: str, now: datetime) -> str:
    open_ones = [a for a in _own(book, agent) if allows(a.state, Event.WITHDRAW)]
    for alert in open_ones:
        book.apply(alert.message.alert_id, Event.WITHDRAW, now)
    return "applied" if open_ones else "nothing_open"
