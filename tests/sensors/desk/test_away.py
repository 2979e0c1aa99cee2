"""Whether the agent has left the desk."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from sensors.desk.away import REQUEST, Desk


def test_locked_as_long_as_one_source_says_so():
    desk = Desk().told("saver", locked=True).told("login", locked=True)
    assert desk.is_away
    desk = desk.told("saver", locked=False)
    assert desk.is_away  # the password is being typed
    assert not desk.told("login", locked=False).is_away


def test_a_request_to_lock_ends_with_any_unlocking():
    asked = Desk().told(REQUEST, locked=True)
    assert asked.is_away
    assert not asked.told("saver", locked=False).is_away
    assert not asked.told(REQUEST, locked=False).is_away
    assert asked.told("login", locked=True).told(REQUEST, locked=False).is_away


def test_away_after_the_limit_and_back_with_the_first_touch():
    desk = Desk(600.0).looked(1000.0, 599.0, on_call=False)
    assert not desk.is_away
    desk = desk.looked(1001.0, 600.0, on_call=False)
    assert desk.is_away
    assert not desk.looked(1002.0, 0.3, on_call=False).is_away


def test_who_speaks_is_there_and_the_time_begins_anew_when_the_call_ends():
    desk = Desk(600.0).looked(0.0, 0.0, on_call=False)
    for now_s in range(0, 1800, 5):
        desk = desk.looked(float(now_s), float(now_s), on_call=True)
        assert not desk.is_away
    desk = desk.looked(1800.0, 1800.0, on_call=False)
    assert not desk.is_away
    assert not desk.looked(2394.0, 2394.0, on_call=False).is_away
    assert desk.looked(2396.0, 2396.0, on_call=False).is_away


def test_without_a_limit_nobody_is_idle():
    assert not Desk().looked(1e9, 1e9, on_call=False).is_away


def test_what_cannot_be_looked_at_is_no_absence():
    desk = Desk(600.0).looked(1000.0, 900.0, on_call=False).unseen(1001.0)
    assert not desk.is_away
    assert not desk.looked(1100.0, 1000.0, on_call=False).is_away
    assert desk.looked(1601.0, 1600.0, on_call=False).is_away


@given(
    st.lists(st.tuples(st.sampled_from([REQUEST, "saver", "login"]), st.booleans()), max_size=30)
)
def test_unlocking_everything_always_ends_it(told):
    desk = Desk(math.inf)
    for source, locked in told:
        desk = desk.told(source, locked=locked)
    for source in ("saver", "login"):
        desk = desk.told(source, locked=False)
    assert not desk.is_away
