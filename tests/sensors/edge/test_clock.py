from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensors.edge.clock import OffsetEstimate, WindowClock
from sensors.reduction import grid_shift_ms

WALL = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def on_grid(at: datetime) -> bool:
    return round(at.timestamp() * 1000) % 5000 == grid_shift_ms("main", "k7")


@given(
    st.lists(
        st.tuples(
            st.floats(0, 40) | st.sampled_from([0.0, 5.0, 3600.0]),  # monotonic time passes
            st.floats(-100, 100_000) | st.just(0.0),  # the system clock is set besides
        ),
        max_size=30,
    )
)
def test_window_ends_never_repeat_and_stay_on_the_grid(steps):
    clock = WindowClock("main", "k7", WALL, 1000.0)
    monotonic_s, wall = 1000.0, WALL
    ends: list[datetime] = []
    for passed_s, set_s in steps:
        monotonic_s += passed_s
        wall += timedelta(seconds=passed_s + set_s)
        while monotonic_s >= clock.due_s:
            if clock.resync(wall, monotonic_s):
                assert clock.due_s > monotonic_s
                break
            ends.append(clock.end_at)
            clock.advance()
    assert all(on_grid(end) for end in ends)
    assert all(before < after for before, after in pairwise(ends))


def test_a_corrected_system_clock_does_not_move_the_windows():
    clock = WindowClock("main", "k7", WALL, 0.0)
    first = clock.end_at
    for set_back_s in (-3600.0, 9.0):
        assert not clock.resync(clock.end_at + timedelta(seconds=set_back_s), clock.due_s)
        clock.advance()
    assert clock.end_at == first + timedelta(seconds=10)


@pytest.mark.parametrize(
    "monotonic_counts_sleep", [True, False], ids=["as on Windows", "as on Linux"]
)
def test_after_sleep_the_next_window_ends_after_the_present(monotonic_counts_sleep):
    clock = WindowClock("main", "k7", WALL, 0.0)
    due_s = clock.due_s
    slept = timedelta(hours=8)
    monotonic_s = due_s + (slept.total_seconds() if monotonic_counts_sleep else 0.0)
    wall = clock.end_at + slept
    assert clock.resync(wall, monotonic_s)
    assert timedelta(0) < clock.end_at - wall <= timedelta(seconds=5)
    assert 0 < clock.due_s - monotonic_s <= 5
    assert on_grid(clock.end_at)


def test_the_offset_is_that_of_the_fastest_answer():
    estimate = OffsetEstimate()
    assert estimate.best(WALL) is None
    second = timedelta(seconds=1)
    estimate.add(WALL, WALL + 120.5 * second, WALL + 1 * second)
    assert estimate.best(WALL + second) == (120_000.0, 500.0)
    estimate.add(WALL, WALL + 120.1 * second, WALL + 0.1 * second)
    assert estimate.best(WALL + 0.1 * second) == (120_050.0, 50.0)
    estimate.add(WALL, WALL, WALL - second)  # an answer before its question says nothing
    assert estimate.best(WALL + 0.1 * second) == (120_050.0, 50.0)
    estimate.forget()
    assert estimate.best(WALL) is None


def test_an_old_answer_is_worth_less_every_second():
    estimate = OffsetEstimate()
    second = timedelta(seconds=1)
    estimate.add(WALL, WALL + 0.005 * second, WALL + 0.01 * second)
    assert estimate.best(WALL + 0.01 * second) == (0.0, 5.0)
    offset_ms, error_ms = estimate.best(WALL + 36_000 * second)
    assert offset_ms == 0.0
    assert error_ms == pytest.approx(5.0 + 540.0, abs=0.1)  # ten hours at 15 parts in a million
    later = WALL + 36_000 * second
    estimate.add(later, later + 0.4 * second, later + 0.2 * second)  # slower, and fresh
    assert estimate.best(later + 0.2 * second) == (300.0, 100.0)


def test_a_clock_that_was_set_ends_the_time_of_older_answers():
    """A machine that slept for eight seconds goes on without a new anchor, and is eight late."""
    estimate = OffsetEstimate()
    second = timedelta(seconds=1)
    for n in range(8):
        at = WALL + 30 * n * second
        estimate.add(at, at + 0.105 * second, at + 0.01 * second)
    at = WALL + 240 * second
    estimate.add(at, at + 8.106 * second, at + 0.012 * second)  # slower than all before it
    assert estimate.best(at) == (8100.0, 6.0)
