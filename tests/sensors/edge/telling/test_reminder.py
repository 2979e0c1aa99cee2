"""The break reminder: from the clock and from being away, without any sensor (TRUST T9)."""

from datetime import UTC, datetime, timedelta

import pytest

from sensors.edge.settings import EdgeSettings
from sensors.edge.telling.reminder import BREAK, EVERY_MIN, BreakReminder
from sensors.errors import ConfigurationError

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class Day:
    """A working day, minute by minute."""

    def __init__(self, every_min: float = EVERY_MIN) -> None:
        self.reminder = BreakReminder(every_min)
        self.minute = 0
        self.reminded: list[tuple[int, int]] = []

    def go(self, minutes: int, *, away: bool = False) -> "Day":
        for _ in range(minutes):
            worked = self.reminder.step(NOW + timedelta(minutes=self.minute), is_away=away)
            if worked is not None:
                self.reminded.append((self.minute, int(worked.total_seconds() // 60)))
            self.minute += 1
        return self


def test_after_an_hour_of_work_once_and_after_another_hour_again():
    assert Day().go(200).reminded == [(60, 60), (120, 120), (180, 180)]


def test_a_break_of_five_minutes_begins_the_hour_anew():
    assert Day().go(50).go(6, away=True).go(59).reminded == []
    assert Day().go(50).go(6, away=True).go(61).reminded == [(116, 60)]


def test_a_shorter_absence_is_no_break():
    assert Day().go(50).go(3, away=True).go(20).reminded == [(60, 60)]


def test_nobody_is_reminded_while_away():
    day = Day().go(59).go(60, away=True)
    assert day.reminded == []


def test_a_machine_that_slept_was_nobodys_work():
    day = Day().go(50)
    day.minute += int(BREAK.total_seconds() // 60)
    assert day.go(59).reminded == []


def test_zero_never_reminds():
    assert Day(0).go(600).reminded == []


def test_reminded_before_a_break_counts_anew_after_it():
    assert Day().go(70).go(10, away=True).go(61).reminded == [(60, 60), (140, 60)]


@pytest.mark.parametrize("minutes", [-1, 241, float("nan")])
def test_the_setting_names_key_and_value(minutes):
    with pytest.raises(ConfigurationError, match="break_reminder_min is"):
        EdgeSettings(break_reminder_min=minutes)
