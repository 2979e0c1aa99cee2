from datetime import UTC, datetime, timedelta

import pytest

from analytics.alerts.budget import Budget

AT = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
ANA = ("ana",)


def at(minutes: float) -> datetime:
    return AT + timedelta(minutes=minutes)


def test_goes_down_the_line_and_then_waits_for_an_hour() -> None:
    budget = Budget(2)
    told = []
    for minute in (0, 10, 20, 30, 40):
        to = budget.room(f"alert{minute}", ("ana", "bo"), at(minute))
        if to is not None:
            budget.tell(f"alert{minute}", to, at(minute))
        told.append(to)
    assert told == ["ana", "ana", "bo", "bo", None]
    assert budget.room("new", ("ana", "bo"), AT + timedelta(minutes=59, seconds=59)) is None
    assert budget.room("new", ("ana", "bo"), at(60)) == "ana"


def test_what_comes_back_keeps_the_room_it_took_and_is_counted_from_then() -> None:
    budget = Budget(2)
    budget.tell("first", "ana", at(0))
    budget.tell("second", "ana", at(1))
    assert budget.room("third", ANA, at(50)) is None
    assert budget.room("first", ANA, at(50)) == "ana"
    budget.tell("first", "ana", at(50))
    budget.tell("first", "ana", at(20))  # an older telling heard of later moves nothing back
    assert budget.room("third", ANA, at(61)) == "ana"
    budget.tell("third", "ana", at(61))
    # first (50) and third (61) fill the hour: what is over two in an hour waits.
    assert budget.room("fourth", ANA, at(109.9)) is None
    assert budget.room("fourth", ANA, at(110)) == "ana"


def test_above_a_ceiling_that_a_colleague_exceeded_nobody_is_told() -> None:
    budget = Budget(1)
    budget.tell("first", "ana", at(0))
    budget.tell("handed", "ana", at(5))
    assert budget.room("handed", ANA, at(6)) is None
    assert budget.room("first", ANA, at(6)) is None


def test_nobody_has_no_room() -> None:
    assert Budget(2).room("first", (), AT) is None


def test_memory_is_bounded_and_kept() -> None:
    budget = Budget(1)
    for hour in range(100):
        budget.tell(f"alert{hour}", "ana", AT + timedelta(hours=hour))
    assert budget.to_plain() == {"ana": {"alert99": AT + timedelta(hours=99)}}
    restored = Budget(1)
    restored.restore(budget.to_plain())
    assert restored.room("new", ANA, AT + timedelta(hours=99, minutes=1)) is None


def test_times_of_an_older_snapshot_count_as_alerts_of_their_own() -> None:
    budget = Budget(2)
    budget.restore({"ana": [at(0).isoformat(), at(1).isoformat()]})
    assert budget.room("new", ANA, at(59)) is None
    assert budget.room("new", ANA, at(60)) == "ana"


def test_what_is_no_budget_is_refused() -> None:
    with pytest.raises(ValueError, match="datetime"):
        Budget(2).restore({"ana": {"first": "yesterday"}})
