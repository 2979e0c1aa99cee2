from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from analytics.alerts.alerting import (
    KEPT_RESOLVED,
    KEPT_TAKEN,
    TABLE,
    Alert,
    AlertPolicy,
    Event,
    UndefinedTransitionError,
    advance,
    alert_id,
    allows,
    event_of,
    expires_at,
    hand_on_order,
    next_state,
    not_told,
    turn_again,
)
from sensors.errors import ConfigurationError
from sensors.messages import DECISIONS, Action, AlertKind, AlertMessage, AlertState

AT = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
P, F, A, R, C = (
    AlertState.PENDING,
    AlertState.FIRING,
    AlertState.ACKNOWLEDGED,
    AlertState.RESOLVED,
    AlertState.CLOSED,
)


def alert(state: AlertState = P, **fields: object) -> Alert:
    message = AlertMessage(
        alert_id=alert_id("k7", AT),
        kind=AlertKind.PERSONAL,
        state=state,
        team="billing",
        agent="k7",
        started_at=AT,
        **fields,
    )
    return Alert(message=message)


def test_every_state_can_be_reached_and_left() -> None:
    assert {to for to in TABLE.values() if to is not None} == set(AlertState)
    assert {state for state, _ in TABLE} == set(AlertState)
    assert {event for _, event in TABLE} == set(Event)


@pytest.mark.parametrize(
    ("state", "event"), [p for p in product(AlertState, Event) if p not in TABLE]
)
def test_what_the_table_does_not_hold_is_an_error(state: AlertState, event: Event) -> None:
    assert not allows(state, event)
    with pytest.raises(UndefinedTransitionError, match=f"{state} cannot {event}"):
        next_state(state, event)


def test_only_a_decision_closes() -> None:
    closing = {event for (state, event), to in TABLE.items() if to is C and state is not C}
    assert closing == {Event.DECIDE}
    assert {a for a in Action if event_of(a) is Event.DECIDE} == DECISIONS - {Action.CANNOT_NOW}


def test_evidence_and_decision_are_independent() -> None:
    taken = advance(advance(alert(), Event.FIRE, AT), Event.TAKE, AT, taken_by="ana")
    gone = advance(taken, Event.RESOLVE, AT + timedelta(minutes=1))
    assert (gone.state, gone.message.taken_by) == (A, "ana")
    assert gone.message.resolved_at is not None
    assert gone.message.closed_at is None
    back = advance(gone, Event.RETURN, AT + timedelta(minutes=2))
    assert (back.state, back.message.resolved_at) == (A, None)
    closed = advance(back, Event.DECIDE, AT + timedelta(minutes=3), decision=Action.TALK)
    assert (closed.state, closed.message.resolved_at) == (C, None)
    assert closed.message.closed_at == AT + timedelta(minutes=3)


@pytest.mark.parametrize(
    ("resolved", "expected"), [(False, F), (True, R)], ids=["evidence stands", "evidence gone"]
)
def test_cannot_now_hands_on_and_forgets_who_had_it(resolved: bool, expected: AlertState) -> None:
    taken = advance(advance(alert(), Event.FIRE, AT), Event.TAKE, AT, taken_by="ana")
    if resolved:
        taken = advance(taken, Event.RESOLVE, AT)
    handed = advance(taken, Event.HAND_ON, AT, told_to=hand_on_order(("ana", "bo"), "bo"))
    assert handed.state is expected
    assert handed.message.told_to == ("bo", "ana")
    assert handed.message.taken_by is None


def test_what_is_gone_stays_gone() -> None:
    vanished = advance(alert(), Event.VANISH, AT)
    assert vanished.gone
    assert not vanished.open
    assert vanished.message.closed_at is None
    with pytest.raises(UndefinedTransitionError):
        advance(vanished, Event.FIRE, AT)


def test_undecided_alerts_leave_for_the_record_after_the_documented_time() -> None:
    firing = advance(alert(), Event.FIRE, AT)
    assert expires_at(firing) is None
    assert expires_at(advance(firing, Event.RESOLVE, AT)) == AT + KEPT_RESOLVED[AlertKind.PERSONAL]
    taken = advance(firing, Event.TAKE, AT, taken_by="ana")
    assert expires_at(advance(taken, Event.RESOLVE, AT)) == AT + KEPT_TAKEN


def test_identity_is_of_subject_and_start() -> None:
    assert alert_id("k7", AT) == alert_id("k7", AT)
    assert alert_id("k7", AT) != alert_id("k8", AT)
    assert alert_id("k7", AT) != alert_id("k7", AT + timedelta(seconds=5))
    assert len(alert_id("k7", AT)) == 16


def test_who_is_told_next_and_who_again() -> None:
    assert not_told(("ana",), ("ana", "bo", "cy")) == ("bo", "cy")
    assert not_told(("bo", "ana"), ("ana", "bo")) == ()
    # The one told longest ago comes first; who is off duty is left out.
    assert turn_again(("cy", "ana", "bo"), ("ana", "bo")) == ("bo", "ana")


@pytest.mark.parametrize("ceiling", [0, 7])
def test_ceiling_can_never_be_set_beyond_six(ceiling: int) -> None:
    with pytest.raises(
        ConfigurationError, match=f"alerts_per_supervisor_hour is {ceiling}; set it"
    ):
        AlertPolicy(alerts_per_supervisor_hour=ceiling)
