"""What the bench is told of a board's faults and silences."""

from dataclasses import replace

import pytest

from firmware_bridge.bench.board_feed import BoardFeed
from firmware_bridge.protocol.messages import Contact, Fault, FaultCode, Log, Part
from tests.firmware_bridge.protocol.talking import EDA, TEMPERATURE, Talking, numbered


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


def test_a_board_that_does_not_describe_all_its_streams_is_named():
    """Numbering from 1 is the likeliest mistake; nothing of such a board is read."""
    talking, feed = Talking(), BoardFeed()
    feed.feed(b"\0" + talking.hello(0, replace(EDA, stream=1)), 0.0)
    assert feed.trouble("ttyACM0") == (
        "ttyACM0 describes 0 of the 1 streams it announces, so none is read "
        "(1 messages held something impossible); run: firmware-bridge check"
    )
    feed.feed(talking.hello(1, EDA), 1.0)
    assert not feed.trouble("ttyACM0")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\0", "says nothing; is the board running"),
        (b"\0\x80\xfe\x80\xfe\0", "sends bytes that are no frames"),
    ],
)
def test_the_zero_before_all_else_says_nothing(data, words):
    feed = BoardFeed()
    feed.feed(data, 0.0)
    assert words in feed.trouble("ttyACM0")


def test_two_streams_of_one_signal_have_a_name_each():
    talking, feed = Talking(), BoardFeed()
    left, right, other = numbered(EDA, EDA, TEMPERATURE)
    heard = feed.feed(b"\0" + talking.hello(0, left, right, other), 0.0)
    assert [t.name for t in heard.taken] == ["eda_us stream 0", "eda_us stream 1", "skin_temp_c"]
    heard = feed.feed(talking.values(right, 1, 3.0), 1.0)
    assert [t.name for t in heard.taken] == ["eda_us stream 1"]


def test_what_is_not_read_is_a_notice_and_what_the_board_logs_is_none():
    talking, feed = Talking(), BoardFeed()
    unsuited = replace(EDA, unit="nS")
    heard = feed.feed(b"\0" + talking.hello(0, unsuited) + talking.frame(Log(1, "hi")), 0.0)
    (notice,) = heard.notices
    assert "'eda_us' in 'nS'" in notice
    assert heard.log == (notice, "information: hi")
