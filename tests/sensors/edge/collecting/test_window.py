import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensors import codec
from sensors.collector import Reading
from sensors.edge.collecting.window import Assembler
from sensors.edge.consent.permission import Event, Permission
from sensors.messages import Absence, Heart, Keyboard, ReadingMessage
from sensors.reduction import WINDOW, grid_shift_ms, window_end_after, window_end_until
from sensors.signals import SIGNALS, Channel, readable_names

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
# Hypothesis wants naive bounds.
YEAR_2000 = datetime(2000, 1, 1)  # noqa: DTZ001
YEAR_2100 = datetime(2100, 1, 1)  # noqa: DTZ001
identities = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,31}", fullmatch=True)


@given(identities, identities, st.datetimes(YEAR_2000, YEAR_2100))
def test_window_ends_lie_on_the_agents_grid(site, agent, naive):
    at = naive.replace(tzinfo=UTC)
    shift = grid_shift_ms(site, agent)
    assert 0 <= shift < 5000
    after, until = window_end_after(at, shift), window_end_until(at, shift)
    assert after > at - timedelta(milliseconds=1)
    assert until <= at
    assert after - until == WINDOW
    assert (after - datetime(1970, 1, 1, tzinfo=UTC)) % WINDOW == timedelta(milliseconds=shift)


def test_the_grid_of_an_agent_never_changes():
    # Pinned: another value would make two versions of the edge disagree.
    assert grid_shift_ms("main", "k7") == 1830


def heart_and_keyboard() -> Assembler:
    return Assembler({Channel.HEART, Channel.KEYBOARD})


def test_a_window_holds_what_arrived_and_beats_keep_their_times():
    assembler = heart_and_keyboard()
    for value, at in ((800.0, 101.0), (790.0, 100.2)):
        assembler.add(Reading("rr_ms", value, at, quality=0.5))
    assembler.add(Reading("dwell_ms", 90.0, 102.0))
    assembler.add(Reading("dwell_ms", 110.0, 103.0))
    content = assembler.close(104.0)
    heart, keyboard = content.sections[Channel.HEART], content.sections[Channel.KEYBOARD]
    assert isinstance(heart, Heart)
    assert heart.rr_ms == (790.0, 800.0)
    assert heart.beat_offset_ms == (-3800.0, -3000.0)
    assert heart.quality == 0.5
    assert isinstance(keyboard, Keyboard)
    assert (keyboard.dwell_ms, keyboard.dwell_iqr_ms) == (100.0, 10.0)
    assert keyboard.flight_ms is None


def test_silence_is_a_measurement_only_where_it_says_something():
    assembler = heart_and_keyboard()
    assembler.link(Channel.HEART, "ok")
    assembler.link(Channel.KEYBOARD, "ok")
    content = assembler.close(5.0)
    assert content.absent == {Channel.HEART: Absence.POOR}
    assert content.sections == {Channel.KEYBOARD: Keyboard(quality=1.0)}


@pytest.mark.parametrize(
    "state", [Absence.DISCONNECTED, Absence.NOT_WORN, Absence.FAULT, Absence.POOR]
)
def test_a_channel_that_gives_nothing_is_absent_with_the_devices_reason(state):
    assembler = heart_and_keyboard()
    assembler.link(Channel.HEART, state)
    assert assembler.close(5.0).absent[Channel.HEART] is state
    assert assembler.links[Channel.HEART] is state


def test_what_came_before_a_device_was_lost_is_kept_but_not_what_an_unworn_one_says():
    for state, kept in ((Absence.DISCONNECTED, True), (Absence.NOT_WORN, False)):
        assembler = heart_and_keyboard()
        assembler.add(Reading("hr_bpm", 70, 1.0))
        assembler.link(Channel.HEART, state)
        assert (Channel.HEART in assembler.close(5.0).sections) is kept


@pytest.mark.parametrize(
    ("skin", "radar", "together"),
    [
        ("ok", Absence.FAULT, "ok"),
        (Absence.DISCONNECTED, "ok", "ok"),
        (Absence.DISCONNECTED, Absence.FAULT, Absence.FAULT),
        (Absence.NOT_WORN, "ok", Absence.NOT_WORN),
        (Absence.NOT_WORN, Absence.DISCONNECTED, Absence.NOT_WORN),
        (Absence.POOR, "ok", Absence.POOR),
    ],
)
def test_two_devices_of_one_channel_do_not_speak_for_each_other(skin, radar, together):
    """A radar that comes back does not put an unworn skin sensor back on."""
    assembler = Assembler([Channel.MODULES])
    assembler.link(Channel.MODULES, skin, "serial")
    assembler.link(Channel.MODULES, radar, "display")
    assert assembler.links[Channel.MODULES] == together
    assembler.link(Channel.MODULES, "ok", "serial")
    assert assembler.links[Channel.MODULES] == "ok"


def test_values_out_of_range_are_dropped_counted_and_lower_the_quality():
    assembler = heart_and_keyboard()
    for value in (70.0, 72.0, 900.0, math.nan):
        assembler.add(Reading("hr_bpm", value, 1.0))
    assembler.add(Reading("no_such_signal", 1.0, 1.0))
    heart = assembler.close(5.0).sections[Channel.HEART]
    assert isinstance(heart, Heart)
    assert heart.hr_bpm == 71.0
    assert heart.quality == 0.5
    assert assembler.rejected == 3


def test_a_count_that_cannot_be_believed_is_poor_and_never_zero():
    assembler = heart_and_keyboard()
    for _ in range(3):
        assembler.add(Reading("key_presses", 400.0, 1.0))
    assert assembler.close(5.0).absent[Channel.KEYBOARD] is Absence.POOR


readings = st.builds(
    Reading,
    st.sampled_from([*readable_names(), "dwell_iqr_ms", "nonsense"]),
    st.floats()
    | st.sampled_from([s.low for s in SIGNALS.values()] + [s.high for s in SIGNALS.values()]),
    st.floats(-1e6, 1e6),
    st.floats(),
)


@given(st.lists(readings, max_size=40))
def test_whatever_a_collector_delivers_the_message_is_valid(delivered):
    assembler = Assembler(Channel)
    for reading in delivered:
        assembler.add(reading)
    content = assembler.close(0.0)
    message = content.message(source="pc", run="a" * 8, seq=0, window_end_at=NOW)
    assert codec.decode(codec.encode(message), ReadingMessage) == message
    assert set(content.sections) | set(content.absent) == set(Channel)


def test_paused_locked_and_every_other_private_reason_are_the_same_bytes():
    """T7: one word on the wire, whatever the reason and whatever the device did."""
    given_ = Permission().consenting(Channel, NOW)
    seen = set()
    for event in (Event.PAUSE, Event.LOCK, Event.SHIFT_ENDS, Event.BREAK_BEGINS, None):
        permission = given_.withdrawing((), NOW) if event is None else given_.after(event)
        assembler = heart_and_keyboard()
        assembler.link(Channel.HEART, Absence.NOT_WORN)
        assembler.add(Reading("key_presses", 3, 1.0))
        assembler.withhold(permission.withheld(assembler.channels))
        assembler.add(Reading("key_presses", 4, 2.0))
        assembler.link(Channel.HEART, "ok")
        message = assembler.close(5.0).message(source="pc", run="a" * 8, seq=1, window_end_at=NOW)
        seen.add((codec.encode(message), tuple(assembler.links.items())))
    assert len(seen) == 1
    assert b"withheld" in next(iter(seen))[0]


def test_a_window_withheld_in_part_is_withheld_as_a_whole():
    assembler = heart_and_keyboard()
    assembler.withhold({Channel.HEART})
    assembler.withhold(())
    assembler.add(Reading("hr_bpm", 70, 1.0))
    assert assembler.close(5.0).absent[Channel.HEART] is Absence.WITHHELD
    assembler.add(Reading("hr_bpm", 70, 6.0))
    assert Channel.HEART in assembler.close(10.0).sections
