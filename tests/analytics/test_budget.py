from datetime import UTC, datetime, timedelta

from analytics.budget import Budget

AT = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


def test_goes_down_the_line_and_then_waits_for_an_hour() -> None:
    budget = Budget(2)
    told = []
    for minute in (0, 10, 20, 30, 40):
        now = AT + timedelta(minutes=minute)
        to = budget.room(("ana", "bo"), now)
        if to is not None:
            budget.tell(to, now)
        told.append(to)
    assert told == ["ana", "ana", "bo", "bo", None]
    assert budget.room(("ana", "bo"), AT + timedelta(minutes=59, seconds=59)) is None
    assert budget.room(("ana", "bo"), AT + timedelta(hours=1)) == "ana"


def test_nobody_has_no_room() -> None:
    assert Budget(2).room((), AT) is None


def test_memory_is_bounded_and_kept() -> None:
    budget = Budget(1)
    for hour in range(100):
        budget.tell("ana", AT + timedelta(hours=hour))
    assert budget.to_plain() == {"ana": [AT + timedelta(hours=99)]}
    restored = Budget(1)
    restored.restore(budget.to_plain())
    assert restored.room(("ana",), AT + timedelta(hours=99, minutes=1)) is None
