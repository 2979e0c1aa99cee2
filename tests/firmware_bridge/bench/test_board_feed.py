"""What the bench is told of a board's faults and silences."""

import pytest

from firmware_bridge.bench.board_feed import BoardFeed
from firmware_bridge.protocol.messages import Contact, Fault, FaultCode, Part
from tests.firmware_bridge.protocol.talking import EDA, Talking


@pytest.fixture
def heard():
    """A feed that has been told of a stream, and how to tell it more."""
    talking, feed = Talking(), BoardFeed()
    feed.feed(b"\0" + talking.hello(0, EDA), 0.0)
    feed.feed(talking.values(EDA, 1, 3.0), 1.0)

    def hear(now_s, **change):
        said = Fault(talking.ticks(now_s), FaultCode.ELECTRODE, 0, **change)
        return feed.feed(talking.frame(said), now_s).log

    return feed, hear


def test_a_fault_that_lasts_is_told_once(heard):
    feed, hear = heard
    assert hear(1.0, active=True) == ("fault begins: eda_us: electrode open or shorted",)
    assert hear(10.0, active=True) == hear(20.0, active=True) == ()
    assert len(feed.health().faults) == 1
    assert hear(21.0, active=False) == ("fault ends: eda_us: electrode open or shorted",)
    assert feed.health().faults == ()


def test_a_fault_whose_end_was_lost_is_over_after_a_while(heard):
    feed, hear = heard
    hear(1.0, active=True)
    feed.feed(b"", 25.9)
    assert len(feed.health().faults) == 1
    feed.feed(b"", 26.1)
    assert feed.health().faults == ()
    assert hear(30.0, active=True), "and may begin again"


def test_a_channel_that_falls_silent_is_shown(heard):
    feed, _ = heard
    assert feed.health().channels == {"modules": "ok"}
    feed.feed(b"", 12.0)
    assert feed.health().channels == {"modules": "disconnected"}


def test_values_that_are_refused_or_not_believed_are_counted():
    talking, feed = Talking(), BoardFeed()
    feed.feed(b"\0" + talking.hello(0, EDA) + talking.values(EDA, 1, -5.0), 1.0)
    off = Contact(talking.ticks(2), Part.SKIN, on=False)
    feed.feed(talking.frame(off) + talking.values(EDA, 3, 3.0), 3.0)
    counts = feed.health().counts
    assert (counts["out_of_range"], counts["withheld"]) == (1, 1)
