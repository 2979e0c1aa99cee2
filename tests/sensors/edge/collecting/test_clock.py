from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensors.edge.collecting.clock import WindowClock
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
