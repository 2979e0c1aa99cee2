from datetime import datetime

import pytest

from sensors.edge.consent.shift import Shift, in_shift
from sensors.errors import ConfigurationError

MONDAY = datetime(2026, 3, 2)  # noqa: DTZ001 - wall time


@pytest.mark.parametrize(
    ("day", "clock", "inside"),
    [
        (2, "08:59", False),
        (2, "09:00", True),
        (2, "17:29", True),
        (2, "17:30", False),
        (3, "10:00", False),
        (6, "21:59", False),
        (6, "22:00", True),
        (7, "05:59", True),
        (7, "06:00", False),
        (7, "22:30", False),
    ],
)
def test_shifts_by_the_wall_clock_also_over_midnight(day, clock, inside):
    shifts = [
        Shift(days=("mon",), start="09:00", end="17:30"),
        Shift(days=("fri",), start="22:00", end="06:00"),
    ]
    at = datetime.fromisoformat(f"2026-03-{day:02d}T{clock}")
    assert in_shift(shifts, at) is inside


def test_without_declared_shifts_always():
    assert in_shift((), MONDAY)


@pytest.mark.parametrize(
    "wrong",
    [{"days": ("monday",)}, {"start": "9 am"}, {"end": "25:00"}],
    ids=["day", "start", "end"],
)
def test_wrong_values_are_named(wrong):
    with pytest.raises(ConfigurationError, match=r"\[edge\] shifts"):
        Shift(**{"days": ("mon",), "start": "09:00", "end": "17:00", **wrong})
