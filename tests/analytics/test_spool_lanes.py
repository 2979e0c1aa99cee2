"""In which order the spool goes: every batch once, what is new first."""

from hypothesis import given
from hypothesis import strategies as st

from analytics.spool_lanes import (
    BACK_OFF_MAX_S,
    BACK_OFF_MIN_S,
    REPLAY_SHARE,
    RETRY_AFTER_MAX_S,
    Lanes,
    patience_s,
    pause_s,
)


def test_what_waited_follows_what_is_new():
    lanes = Lanes()
    lanes.fall_behind(40)
    assert (lanes.is_behind, lanes.written_id, lanes.live_after) == (True, 0, 40)
    assert lanes.wrote_live(43) == (41, 43)
    assert lanes.waiting() == (0, 40)
    assert lanes.wrote_waiting(15) == (1, 15)
    assert lanes.waiting() == (15, 40)
    assert lanes.written_id == 15
    assert lanes.wrote_waiting(40) == (16, 40)
    assert (lanes.is_behind, lanes.written_id) == (False, 43)


@given(st.lists(st.sampled_from(["new", "live", "fail", "replay"]), max_size=60), st.data())
def test_every_batch_is_written_exactly_once(events, data):
    lanes, newest, written = Lanes(), 0, []
    for event in [*events, "fail", *["replay"] * 60]:
        if event == "new":
            newest += data.draw(st.integers(1, 5))
        elif event == "fail":
            lanes.fall_behind(newest)
        elif event == "live" and newest > lanes.live_after:
            last = data.draw(st.integers(lanes.live_after + 1, newest))
            first, until = lanes.wrote_live(last)
            written += range(first, until + 1)
        elif event == "replay" and lanes.is_behind:
            after, until = lanes.waiting()
            first, last = lanes.wrote_waiting(data.draw(st.integers(after + 1, until)))
            written += range(first, last + 1)
        unwritten = set(range(1, newest + 1)) - set(written)
        assert lanes.written_id < min(unwritten, default=newest + 1)
    while lanes.is_behind:
        first, last = lanes.wrote_waiting(lanes.waiting()[1])
        written += range(first, last + 1)
    assert sorted(written) == list(range(1, newest + 1))
    assert lanes.written_id == newest


@given(st.integers(0, 10_000), st.none() | st.floats(0, 1e9), st.floats(0, 1))
def test_patience_is_capped_and_never_less_than_the_server_asked(attempt, asked_s, chance):
    waits = patience_s(attempt, asked_s, chance)
    assert BACK_OFF_MIN_S / 2 <= waits <= max(BACK_OFF_MAX_S, RETRY_AFTER_MAX_S)
    assert waits >= min(asked_s or 0.0, RETRY_AFTER_MAX_S)


def test_patience_grows_and_differs_between_servers():
    assert [patience_s(n, None, 1.0) for n in (0, 1, 2, 20)] == [0.5, 1.0, 2.0, 10.0]
    assert patience_s(3, None, 0.0) == 2.0


def test_what_waits_gets_a_share_of_the_time():
    assert abs(3.0 / (3.0 + pause_s(3.0)) - REPLAY_SHARE) < 1e-12
