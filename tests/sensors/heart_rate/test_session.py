"""Notifications in, readings out: worn, not worn, nonsense."""

from __future__ import annotations

import math
import struct
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensors.collector import Link, Reading
from sensors.heart_rate.backoff import Backoff
from sensors.heart_rate.session import HeartSession
from sensors.messages import Absence
from sensors.signals import SIGNALS, Channel

OK = Link(Channel.HEART, "ok")
NOT_WORN = Link(Channel.HEART, Absence.NOT_WORN)


def test_a_worn_headset_gives_contact_rate_and_beats():
    session = HeartSession()
    found = session.take(bytes([0b10110, 75, 0, 4, 0, 4]), 50.0)
    assert found == [
        OK,
        Reading("contact", 1.0, 50.0),
        Reading("hr_bpm", 75.0, 50.0),
        Reading("rr_ms", 1000.0, 49.0),
        Reading("rr_ms", 1000.0, 50.0),
    ]
    assert OK not in session.take(bytes([0b10110, 75, 0, 4]), 51.0)


def test_a_headset_taken_off_gives_no_heart_rate():
    session = HeartSession()
    session.take(bytes([0b10110, 75, 0, 4]), 50.0)
    found = session.take(bytes([0b10100, 180, 0, 1]), 51.0)
    assert found == [NOT_WORN, Reading("contact", 0.0, 51.0)]
    assert session.take(bytes([0b10110, 70]), 60.0)[0] == OK


def test_without_contact_bits_three_empty_reports_mean_not_worn():
    session = HeartSession()
    empty = bytes([0, 0])
    assert session.take(empty, 1.0) == [OK]
    assert session.take(empty, 2.0) == []
    assert session.take(empty, 3.0) == [NOT_WORN]
    assert session.take(bytes([0, 70]), 4.0) == [OK, Reading("hr_bpm", 70.0, 4.0)]


def test_what_is_out_of_range_is_dropped_and_counted():
    session = HeartSession()
    found = session.take(struct.pack("<BHHH", 0b10001, 300, 50, 1024), 5.0)
    assert found == [OK, Reading("rr_ms", 1000.0, 5.0)]
    assert session.implausible == 2


def test_malformed_notifications_are_counted_and_say_nothing():
    session = HeartSession()
    assert session.take(b"", 1.0) is session.take(b"\x01\x02", 2.0) is None
    assert session.malformed == 2


def test_a_link_that_never_spoke_is_not_lost():
    session = HeartSession()
    assert session.disconnected() is None
    session.take(bytes([0, 70]), 1.0)
    assert session.disconnected() == Link(Channel.HEART, Absence.DISCONNECTED)


def test_backoff_doubles_to_its_cap_and_starts_again():
    backoff = Backoff(0.5, 4.0, Random(3))
    delays = [backoff.next_s() for _ in range(6)]
    for delay, longest in zip(delays, [0.5, 1, 2, 4, 4, 4], strict=True):
        assert longest / 2 <= delay <= longest
    backoff.reset()
    assert backoff.next_s() <= 0.5


def test_two_backoffs_do_not_march_in_step():
    one, other = Backoff(1, 8, Random(1)), Backoff(1, 8, Random(2))
    assert [one.next_s() for _ in range(4)] != pytest.approx([other.next_s() for _ in range(4)])


@given(
    st.lists(
        st.tuples(st.binary(max_size=24), st.floats(0.0, 20.0))
        | st.tuples(
            st.builds(
                lambda flags, rest: bytes([flags]) + rest,
                st.integers(0, 31),
                st.binary(min_size=1, max_size=12),
            ),
            st.floats(0.0, 5.0),
        ),
        max_size=30,
    )
)
def test_whatever_is_sent_only_what_the_catalogue_allows_comes_out(sent):
    session, now_s, last_s = HeartSession(), 0.0, -math.inf
    for data, wait_s in sent:
        now_s += wait_s
        for item in session.take(data, now_s) or ():
            if isinstance(item, Reading):
                assert SIGNALS[item.signal].accepts(item.value)
                if item.signal == "rr_ms":
                    assert item.at_monotonic_s > last_s
                    last_s = item.at_monotonic_s
