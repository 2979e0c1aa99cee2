"""What stored rows of alerts and decisions mean to a supervisor's screen: pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from analytics.alerts.silences import LONGEST
from analytics.store.base import Row
from dashboard.rates import Answer, Telling
from sensors.messages import AlertKind, AlertState, ReplyKind

TELLING_FIELDS = ("alert_id", "kind", "event", "state", "told_to")
ANSWER_FIELDS = ("kind", "action", "alert_id", "answer")
SILENCE_FIELDS = ("kind", "id", "by", "effect", "team", "reason", "until_at")

SILENCES_BACK = LONGEST + timedelta(hours=1)
"""A silence that stands is not older; an hour for a wrong clock at whoever silenced."""

APPLIED = "applied"
"""The server's word for what counted."""

_LIFTED = "lifted"
_TELLS = frozenset({"fire", "return", "escalate", "repeat", "hand_on"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A silence that stands: about `agent`, or else all of `team`."""

    id: str
    agent: str | None
    team: str
    by: str
    until_at: datetime
    reason: str


def row_time(row: Row) -> datetime:
    """Return the time of `row`."""
    return datetime.fromtimestamp(row.time_ns / 1e9, UTC)


def tellings(rows: Iterable[Row], me: str) -> list[Telling]:
    """Return each time that an alert asked for `me`, technical ones left out.

    The work asks for everybody who leads the team at once, all else for the
    first who is named.
    """
    found = []
    for row in rows:
        values = row.fields
        if values.get("event") not in _TELLS or values.get("state") != AlertState.FIRING:
            continue
        told_to, kind = str(values.get("told_to", "")).split(","), values.get("kind")
        asks = me in told_to if kind == AlertKind.TEAM else me == told_to[0]
        if asks and kind != AlertKind.TECHNICAL:
            personal = kind == AlertKind.PERSONAL
            found.append(Telling(row_time(row), str(values["alert_id"]), personal))
    return found


def answers(rows: Iterable[Row], kind: ReplyKind) -> list[Answer]:
    """Return what agents answered to the question `kind`."""
    return [
        Answer(row.tags["agent"], str(row.fields["alert_id"]), bool(row.fields["answer"]))
        for row in rows
        if row.fields.get("kind") == "reply"
        and row.fields.get("action") == kind
        and row.fields.get("answer") is not None
        and row.fields.get("alert_id") is not None
        and "agent" in row.tags
    ]


def standing(
    rows: Iterable[Row], teams: Sequence[tuple[str, Sequence[str]]], now: datetime
) -> tuple[Standing, ...]:
    """Return the silences of `teams`, (name, agents) pairs, that stand at `now`.

    The first to end comes first. As at the server: the newest about somebody
    counts, a lifted one is gone, and one about an agent moves teams with them.
    """
    mine = {("team", name) for name, _ in teams}
    mine |= {("agent", agent) for _, members in teams for agent in members}
    newest: dict[tuple[str, str], Standing] = {}
    for row in rows:
        values = row.fields
        team, agent = str(values.get("team", "")), row.tags.get("agent")
        about = ("team", team) if agent is None else ("agent", agent)
        if values.get("kind") != "silence" or about not in mine:
            continue
        if values.get("effect") == _LIFTED:
            newest.pop(about, None)
        elif values.get("effect") == APPLIED:
            newest[about] = Standing(
                id=str(values["id"]),
                agent=agent,
                team=team,
                by=str(values["by"]),
                until_at=datetime.fromisoformat(str(values["until_at"])),
                reason=str(values.get("reason", "")),
            )
    stand = [silence for silence in newest.values() if silence.until_at > now]
    return tuple(sorted(stand, key=lambda one: (one.until_at, one.id)))
