"""Times in, readings out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensors.collector import Reading
from sensors.hid.timing import KeyTiming, PointerTiming
from sensors.signals import SIGNALS


def values(readings: list[Reading], signal: str) -> list[float]:
    return [round(r.value, 6) for r in readings if r.signal == signal]


def typed(*steps: tuple[str, int, float]) -> list[Reading]:
    timing, found = KeyTiming(), []
    for what, number, at_s in steps:
        if what == "down":
            found += timing.press(number, at_s, correction=False)
        else:
            found += timing.release(number, at_s)
    return found


def test_dwell_and_flight_of_two_keys():
    found = typed(("down", 1, 1.0), ("up", 1, 1.08), ("down", 2, 1.2), ("up", 2, 1.3))
    assert values(found, "dwell_ms") == [80.0, 100.0]
    assert values(found, "flight_ms") == [120.0]
    assert values(found, "key_presses") == [1.0, 1.0]
    assert values(found, "key_pauses") == []


def test_flight_is_negative_in_rollover():
    found = typed(("down", 1, 1.0), ("down", 2, 1.05), ("up", 1, 1.08), ("up", 2, 1.15))
    assert values(found, "flight_ms") == [-30.0]
    assert values(found, "dwell_ms") == [80.0, 100.0]


def test_rollover_of_three_keys_released_in_any_order():
    found = typed(
        ("down", 1, 1.0),
        ("down", 2, 1.1),
        ("down", 3, 1.2),
        ("up", 3, 1.3),
        ("up", 1, 1.4),
        ("up", 2, 1.5),
    )
    assert sorted(values(found, "flight_ms")) == [-300.0, -300.0]


def test_pauses_are_longer_than_half_a_second():
    found = typed(
        ("down", 1, 1.0), ("up", 1, 1.1), ("down", 2, 1.6), ("up", 2, 1.7), ("down", 3, 2.3)
    )
    assert values(found, "key_pauses") == [1.0]


def test_an_hour_away_is_a_pause_but_no_flight():
    found = typed(("down", 1, 1.0), ("up", 1, 1.1), ("down", 2, 3600.0))
    assert values(found, "key_pauses") == [1.0]
    assert values(found, "flight_ms") == []
    assert values(found, "burst_presses") == [1.0]


def test_a_lost_or_unknown_release_is_harmless():
    timing = KeyTiming()
    timing.press(1, 1.0, correction=False)
    timing.forget(1)
    assert timing.release(1, 2.0) == timing.release(99, 2.0) == []
    assert values(timing.press(2, 3.0, correction=True), "key_corrections") == [1.0]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 8), st.floats(0, 20)), max_size=60))
def test_every_reading_is_one_the_catalogue_accepts(steps):
    timing, count, now_s, found = KeyTiming(), 0, 0.0, []
    for down, back, wait_s in steps:
        now_s += wait_s
        if down:
            count += 1
            found += timing.press(count, now_s, correction=False)
        else:
            found += timing.release(count - back, now_s)
    assert all(SIGNALS[r.signal].accepts(r.value) for r in found)
    assert len(values(found, "key_presses")) == count


def test_a_straight_even_movement():
    pointer, found = PointerTiming(), []
    for i in range(26):
        found += pointer.move(10.0 * i, 0.0, 0.025 * i)  # a step longer than a segment
    found += pointer.rest(2.0)
    assert values(found, "pointer_speed_px_s") == [400.0] * 25
    assert values(found, "pointer_acceleration_px_s2") == pytest.approx([0.0] * 24, abs=1e-3)
    assert values(found, "pointer_straightness") == [1.0]


def test_fast_mice_are_gathered_into_steps():
    pointer, found = PointerTiming(), []
    for i in range(1001):
        found += pointer.move(i, 0.0, i / 1000)
    speeds = values(found, "pointer_speed_px_s")
    assert 45 <= len(speeds) <= 51
    assert speeds == pytest.approx([1000.0] * len(speeds), rel=1e-3)


def test_a_detour_is_less_straight():
    pointer = PointerTiming()
    for i, (x, y) in enumerate([(0, 0), (30, 0), (30, 40)]):
        pointer.move(x, y, 0.05 * i)
    assert values(pointer.rest(1.0), "pointer_straightness") == [round(50 / 70, 6)]


def test_a_click_ends_the_movement_and_is_timed():
    pointer = PointerTiming()
    pointer.move(0, 0, 1.0)
    pointer.move(100, 0, 1.05)
    found = pointer.click(1.1, pressed=True) + pointer.click(1.19, pressed=False)
    assert values(found, "pointer_straightness") == [1.0]
    assert values(found, "pointer_clicks") == [1.0]
    assert values(found, "click_dwell_ms") == [90.0]
    assert pointer.click(1.2, pressed=False) == []
    assert pointer.rest(5.0) == []


def test_a_tremble_says_nothing_about_straightness():
    pointer = PointerTiming()
    for i in range(5):
        pointer.move(i % 2, 0, 0.03 * i)
    assert values(pointer.rest(1.0), "pointer_straightness") == []


def test_scrolling_counts_either_way():
    pointer = PointerTiming()
    assert values(pointer.scroll(-2, 1.0) + pointer.scroll(1, 1.1), "scroll_steps") == [2.0, 1.0]


@given(
    st.lists(st.tuples(st.floats(-9e4, 9e4), st.floats(-9e4, 9e4), st.floats(0, 1)), max_size=60)
)
def test_no_movement_leaves_the_catalogues_ranges(moves):
    pointer, now_s, found = PointerTiming(), 0.0, []
    for x, y, wait_s in moves:
        now_s += wait_s
        found += pointer.move(x, y, now_s)
    found += pointer.rest(now_s + 1)
    assert all(SIGNALS[r.signal].accepts(r.value) for r in found)
