"""In which order the spool goes: every batch once, what is new first."""

from hypothesis import given
from hypothesis import strategies as st

from analytics.writing.lanes import (
    BACK_OFF_MAX_S,
    BACK_OFF_MIN_S,
    HELD_AT_MOST,
    HELD_FOR_S,
    HELD_TRIES,
    REPLAY_AT_LEAST,
    REPLAY_AT_MOST_S,
    REPLAY_SHARE,
    RETRY_AFTER_MAX_S,
    Lanes,
    next_size,
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


def held_once(lanes, *, taken=3):
    lanes.fall_behind(40)
    held = lanes.hold(10, points=500, now_s=100.0, taken=taken)
    held.due_s = 104.0
    return held


def test_what_is_refused_is_held_beside_the_others():
    lanes = Lanes()
    held = held_once(lanes)
    assert (lanes.waiting(), lanes.written_id, lanes.held_points) == ((10, 40), 0, 500)
    assert lanes.due_held(103.9, taken=3) is None
    assert lanes.next_due_s() == 104.0
    assert lanes.due_held(104.0, taken=3) is held
    lanes.wrote_waiting(40)
    assert (lanes.is_behind, lanes.may_go_on, lanes.written_id) == (True, False, 0)
    lanes.release(held)
    assert (lanes.is_behind, lanes.held_points, lanes.written_id) == (False, 0, 40)


def test_it_is_given_up_only_after_a_while_and_if_others_are_taken():
    lanes = Lanes()
    held = held_once(lanes, taken=3)
    late_s = 100.0 + HELD_FOR_S
    held.tries = HELD_TRIES
    assert not lanes.is_hopeless(held, late_s, taken=3), "the store takes nothing at all"
    assert not lanes.is_hopeless(held, late_s - 1.0, taken=4), "somebody may be mending it"
    assert lanes.is_hopeless(held, late_s, taken=4)
    held.tries = HELD_TRIES - 1
    assert not lanes.is_hopeless(held, late_s, taken=4), "it was not tried often enough"


def test_too_many_are_not_held():
    lanes = Lanes()
    lanes.fall_behind(1_000)
    for n in range(1, HELD_AT_MOST + 1):
        assert lanes.may_go_on
        lanes.hold(n, points=1, now_s=100.0, taken=3).due_s = 200.0
    assert not lanes.may_go_on
    assert lanes.due_held(101.0, taken=3) is None, "the store takes nothing at all"
    oldest = lanes.due_held(101.0, taken=4)
    assert oldest is not None
    assert (oldest.last, lanes.is_hopeless(oldest, 101.0, taken=4)) == (1, True)


def test_what_waited_comes_in_smaller_batches_from_a_slow_store():
    size = 10_000
    for _ in range(20):
        size = next_size(size, REPLAY_AT_MOST_S * 1.1, 10_000)
    assert size == REPLAY_AT_LEAST
    assert next_size(size, REPLAY_AT_MOST_S * 0.5, 10_000) == size
    for _ in range(20):
        size = next_size(size, 0.01, 10_000)
    assert size == 10_000
    assert next_size(10, 99.0, 10) == 10, "a bound below it stands"


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
