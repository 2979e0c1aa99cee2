"""Where the identity of a key ends."""

from __future__ import annotations

import gc
import pickle
import string

from hypothesis import given
from hypothesis import strategies as st

from sensors.collector import Reading
from sensors.hid.keys import KeyDropper

SECRET = "Zq7wXv"


def summary(found: list[Reading]) -> list[tuple[str, float]]:
    return [(r.signal, round(r.value, 3)) for r in found]


def tap(keys: KeyDropper, key: str, down_s: float, up_s: float, **options: bool) -> list[Reading]:
    correction = options.get("correction", False)
    return keys.press(key, down_s, correction=correction) + keys.release(key, up_s)


def test_a_press_finds_its_release():
    keys = KeyDropper()
    found = tap(keys, "'a'", 1.0, 1.1) + tap(keys, "'b'", 1.3, 1.35) + keys.settle(1.4)
    assert summary(found) == [
        ("key_presses", 1.0),
        ("dwell_ms", 100.0),
        ("key_presses", 1.0),
        ("flight_ms", 200.0),
        ("dwell_ms", 50.0),
    ]


def test_corrections_are_the_only_class():
    keys = KeyDropper()
    found = tap(keys, "Key.backspace", 1.0, 1.1, correction=True)
    assert ("key_corrections", 1.0) in summary(found)


def test_a_held_key_that_repeats_is_one_press_windows():
    keys = KeyDropper()
    found = keys.press("'a'", 1.0, correction=False)
    for i in range(20):
        found += keys.press("'a'", 1.5 + 0.03 * i, correction=False)
    found += keys.release("'a'", 2.2) + keys.settle(2.3)
    assert summary(found) == [("key_presses", 1.0), ("dwell_ms", 1200.0)]


def test_a_held_key_that_repeats_is_one_press_x11():
    keys = KeyDropper()
    found = keys.press("'a'", 1.0, correction=False)
    for i in range(20):
        at_s = 1.5 + 0.03 * i
        found += keys.release("'a'", at_s) + keys.press("'a'", at_s + 0.0005, correction=False)
    found += keys.release("'a'", 2.2) + keys.settle(2.3)
    assert summary(found) == [("key_presses", 1.0), ("dwell_ms", 1200.0)]


def test_a_key_that_changed_its_name_with_shift_is_found():
    keys = KeyDropper()
    found = keys.press("'A'", 1.0, correction=False) + keys.release("'a'", 1.1) + keys.settle(2.0)
    assert ("dwell_ms", 100.0) in summary(found)


def test_a_burst_ends_with_a_pause_and_is_told_once():
    keys = KeyDropper()
    for n in range(7):
        assert "burst_presses" not in dict(summary(tap(keys, "'a'", 0.2 * n, 0.2 * n + 0.08)))
    assert summary(keys.settle(1.5)) == [("dwell_ms", 80.0)]
    assert summary(keys.settle(1.8)) == [("burst_presses", 7.0)]
    assert keys.settle(9.0) == []
    tap(keys, "'a'", 10.0, 10.1)
    assert ("burst_presses", 1.0) in summary(tap(keys, "'b'", 12.0, 12.1))


def test_input_methods_that_give_every_key_one_name_are_still_counted():
    """VK_PROCESSKEY on Windows; on X, a character for which there is no keysym."""
    keys, found = KeyDropper(), []
    for n in range(5):
        found += tap(keys, "<229>", 0.2 * n, 0.2 * n + 0.07)
    found += keys.settle(1.0)
    assert summary(found).count(("key_presses", 1.0)) == 5
    assert summary(found).count(("dwell_ms", 70.0)) == 5
    assert summary(found).count(("flight_ms", 130.0)) == 4


def test_the_rhythm_of_a_screen_reader_is_measured_like_any_other():
    """Long pauses, navigation keys, chords with the reader's key: no case of their own."""
    keys, found, now_s = KeyDropper(), [], 0.0
    for _ in range(6):
        found += keys.press("Key.insert", now_s, correction=False)
        found += keys.press("Key.down", now_s + 0.05, correction=False)
        found += keys.release("Key.down", now_s + 0.12) + keys.release("Key.insert", now_s + 0.2)
        now_s += 3.0
        found += keys.settle(now_s - 0.1)
    told = summary(found)
    assert told.count(("key_presses", 1.0)) == 12
    assert told.count(("flight_ms", -150.0)) == 6
    assert told.count(("flight_ms", 2880.0)) == 5
    assert told.count(("burst_presses", 2.0)) == 6
    assert told.count(("key_pauses", 1.0)) == 5


def test_lost_events_leave_no_key_held():
    keys = KeyDropper()
    keys.press("30", 1.0, correction=False)
    keys.lose()
    found = tap(keys, "30", 2.0, 2.1) + keys.settle(2.2)
    assert summary(found) == [("key_presses", 1.0), ("dwell_ms", 100.0)]


def test_a_release_of_before_the_start_is_not_taken_for_another_key():
    keys = KeyDropper(renamed=False)
    found = keys.press("30", 1.0, correction=False) + keys.release("28", 1.01)
    found += keys.release("30", 1.1) + keys.settle(1.2)
    assert summary(found) == [("key_presses", 1.0), ("dwell_ms", 100.0)]


def test_a_lost_release_is_forgotten():
    keys = KeyDropper()
    keys.press("'a'", 1.0, correction=False)
    keys.press("'b'", 60.0, correction=False)
    assert len(keys._held) == 1


def test_nothing_of_a_typed_secret_is_kept():
    keys = KeyDropper()
    found, now_s = [], 0.0
    for letter in SECRET:
        found += tap(keys, repr(letter), now_s, now_s + 0.08)
        now_s += 0.1
    found += keys.settle(now_s + 1)
    kept = pickle.dumps(found) + repr(found).encode() + repr(vars(keys)).encode()
    assert not keys._held
    assert keys._lifted is None
    # Field names hold letters too; so look for the keys in the order and form they came in.
    assert SECRET.encode() not in kept
    assert not any(repr(c).encode() in kept for c in SECRET)
    reachable = {id(o) for o in _reach(keys)} | {id(o) for o in _reach(found)}
    assert not any(isinstance(o, str) and id(o) in reachable for o in map(repr, SECRET))


def test_two_runs_give_one_key_different_tokens():
    one, other = KeyDropper(), KeyDropper()
    for keys in (one, other):
        keys.press("'a'", 1.0, correction=False)
    assert set(one._held) != set(other._held)
    assert all(token != b"a" for token in one._held)


@given(st.lists(st.tuples(st.sampled_from(string.ascii_letters), st.booleans(), st.floats(0, 12))))
def test_any_order_of_events_is_harmless_and_bounded(events):
    keys, now_s = KeyDropper(), 0.0
    for key, down, wait_s in events:
        now_s += wait_s
        keys.press(key, now_s, correction=False) if down else keys.release(key, now_s)
    assert len(keys._held) <= len(string.ascii_letters)
    assert len(keys._timing._down_s) <= len(keys._held) + 1
    assert len(keys._timing._rolled_over_s) <= len(keys._held) + 1


def _reach(root: object) -> list[object]:
    seen, todo = {}, [root]
    while todo:
        item = todo.pop()
        if id(item) not in seen and not isinstance(item, type):
            seen[id(item)] = item
            todo += gc.get_referents(item)
    return list(seen.values())
