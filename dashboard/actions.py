"""What a supervisor does, as messages: pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from dashboard.cards import Card
from dashboard.records import Standing
from sensors.messages import Action, DecisionMessage, Outcome

FOLLOW_UP = timedelta(minutes=20)
"""When to look again after something was done: this project's own choice."""

DECISION_KEYS: dict[Action, str] = {
    Action.TALK: "1",
    Action.OFFER_BREAK: "2",
    Action.JOIN_OR_TAKE_OVER: "3",
    Action.BRING_IN_EXPERT: "4",
    Action.FIX_THE_WORK: "5",
    Action.AGENT_SAYS_FINE: "6",
    Action.CANNOT_NOW: "7",
    Action.NOT_USEFUL: "8",
}
OUTCOME_KEYS: dict[Outcome, str] = {
    Outcome.HELPED: "H",
    Outcome.NO_CHANGE: "N",
    Outcome.DECLINED: "D",
    Outcome.NOT_REACHED: "X",
}
TAKE_KEY, LOOK_KEY, LIFT_KEY = "T", "L", "E"

_FOLLOWED_UP = frozenset(
    {
        Action.TALK,
        Action.OFFER_BREAK,
        Action.JOIN_OR_TAKE_OVER,
        Action.BRING_IN_EXPERT,
        Action.FIX_THE_WORK,
    }
)


def take(card: Card, *, by: str, at: datetime, identity: str) -> DecisionMessage:
    """Return *I take this*."""
    return DecisionMessage(id=identity, at=at, alert_id=card.alert_id, by=by, action=Action.TAKE)


def decide(
    card: Card,
    action: Action,
    *,
    by: str,
    at: datetime,
    identity: str,
    to: str | None = None,
    reason: str | None = None,
    note: str = "",
) -> DecisionMessage:
    """Return what was decided; `to` counts only for *can't now*.

    Raises
    ------
    MessageError
        If *can't now* names nobody, or the note is too long.
    """
    return DecisionMessage(
        id=identity,
        at=at,
        alert_id=card.alert_id,
        by=by,
        action=action,
        to=to if action is Action.CANNOT_NOW else None,
        reason=reason or None,
        note=note.strip() or None,
        follow_up_at=at + FOLLOW_UP if action in _FOLLOWED_UP else None,
    )


def outcome(card: Card, found: Outcome, *, by: str, at: datetime, identity: str) -> DecisionMessage:
    """Return what followed."""
    return DecisionMessage(
        id=identity,
        at=at,
        alert_id=card.alert_id,
        by=by,
        action=Action.OUTCOME,
        outcome=found,
    )


def lift(silence: Standing, *, by: str, at: datetime, identity: str) -> DecisionMessage:
    """Return the end of `silence`: to the server, one about the same that ends at once."""
    return DecisionMessage(
        id=identity,
        at=at,
        alert_id=identity,
        by=by,
        action=Action.SILENCE,
        agent=silence.agent,
        team=None if silence.agent is not None else silence.team,
        until_at=at,
        reason="lifted",
    )
