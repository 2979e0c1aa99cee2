"""Beat times: rebuilt from the intervals, whatever the radio does to arrivals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensors.heart_rate.beats import MAX_BUFFERED_S, BeatClock


def deliver(beat_s: np.ndarray, arrivals_s: list[float]) -> list[tuple[float, list[float]]]:
    """Return (arrival, RR intervals of the beats that had happened by `sent`)."""
    rr_ms = np.diff(beat_s, prepend=beat_s[0] - 0.8) * 1000
    packets, begin = [], 0
    for sent_s, arrived_s in arrivals_s:
        end = int(np.searchsorted(beat_s, sent_s, side="right"))
        packets.append((arrived_s, list(rr_ms[begin:end])))
        begin = end
    return packets


def beats_of(seed: int, n: int = 600) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 100.0 + np.cumsum(rng.normal(0.8, 0.06, n).clip(0.4, 1.5))


def test_jittered_arrivals_leave_the_intervals_exact():
    rng = np.random.default_rng(7)
    beat_s = beats_of(1)
    sent = np.arange(beat_s[0], beat_s[-1], 1.0)
    arrived = np.maximum.accumulate(sent + rng.uniform(0.0, 3.5, sent.size))
    clock = BeatClock()
    placed = [
        b
        for at, rr in deliver(beat_s, list(zip(sent, arrived, strict=True)))
        for b in clock.place(rr, at)
    ]
    times = np.array([b.at_s for b in placed])
    truth = beat_s[: times.size]
    assert np.all(np.diff(times) > 0)
    # Absolute times follow the least delayed notification of a minute; intervals nearly always exactly.
    late_s = times[60:] - truth[60:]
    assert np.abs(late_s).max() < 1.2
    moved = np.abs(np.diff(times[60:]) - np.diff(truth[60:])) > 0.001
    assert moved.mean() < 0.02


def test_punctual_arrivals_give_exact_times():
    clock = BeatClock()
    beat_s = beats_of(2, 50)
    packets = deliver(beat_s, [(t, t) for t in beat_s])
    times = [b.at_s for at, rr in packets for b in clock.place(rr, at)]
    assert times == pytest.approx(list(beat_s), abs=1e-6)


def test_a_buffered_batch_keeps_its_own_times():
    clock = BeatClock()
    clock.place([800.0], 10.0)
    assert [b.at_s for b in clock.place([800.0] * 4, 13.9)] == pytest.approx(
        [10.8, 11.6, 12.4, 13.2]
    )


def test_lost_beats_end_the_chain():
    clock = BeatClock()
    clock.place([800.0], 10.0)
    later_s = 10.0 + 0.8 + MAX_BUFFERED_S + 1.0
    assert [b.at_s for b in clock.place([800.0], later_s)] == pytest.approx([later_s])


def test_one_lost_beat_is_made_up_for():
    clock = BeatClock()
    now_s = 10.0
    for _ in range(130):
        now_s += 0.8
        clock.place([800.0], now_s)
    now_s += 0.8  # this one is never sent
    for _ in range(130):
        now_s += 0.8
        (last,) = clock.place([800.0], now_s)
    assert last.at_s == pytest.approx(now_s, abs=0.05)


def test_after_an_interruption_times_follow_the_arrival_again():
    clock = BeatClock()
    clock.place([800.0], 10.0)
    clock.interrupt()
    assert clock.place([900.0], 14.0)[0].at_s == pytest.approx(14.0)


def test_no_intervals_no_beats():
    assert BeatClock().place([], 1.0) == []


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.lists(st.floats(1.0, 64_000.0), max_size=5), st.floats(0.0, 30.0)), max_size=30
    )
)
def test_times_always_increase(packets):
    clock, now_s, last_s = BeatClock(), 0.0, -np.inf
    for rr, wait_s in packets:
        now_s += wait_s
        for beat in clock.place(rr, now_s):
            assert beat.at_s > last_s
            last_s = beat.at_s


class NaiveClock:
    """Times as the rules say them: every delay of a minute kept, the smallest looked up each time."""

    def __init__(self) -> None:
        self.last_s: float | None = None
        self.delays_s: list[float] = []

    def place(self, rr_ms: list[float], arrived_s: float) -> list[float]:
        begins_s = arrived_s - sum(rr_ms) / 1000 if self.last_s is None else self.last_s
        behind_s = arrived_s - begins_s - sum(rr_ms) / 1000
        minute_s = [*self.delays_s[-60:], behind_s]
        move_s = 0.0
        if self.last_s is None or behind_s > MAX_BUFFERED_S or behind_s < 0:
            move_s = behind_s
        elif len(minute_s) == 61 and min(minute_s) > 0.25:
            move_s = min(minute_s)
        if move_s:
            self.delays_s.clear()
        times = []
        for rr in rr_ms:
            step_s = max(move_s, -0.5 * rr / 1000)
            move_s -= step_s
            begins_s += rr / 1000 + step_s
            times.append(begins_s)
        self.last_s = begins_s
        self.delays_s.append(arrived_s - begins_s)
        return times


@pytest.mark.parametrize("punctual", [0.0, 0.005, 0.05, 0.5])
@pytest.mark.parametrize("lost", [0.0, 0.003])
def test_the_times_are_those_of_the_rules_written_down_plainly(punctual, lost):
    rng = np.random.default_rng(12)
    clock, naive, now_s = BeatClock(), NaiveClock(), 0.0
    for _ in range(4_000):
        rr = list(rng.normal(500, 30, rng.choice([1, 1, 2])).round(1))
        now_s += sum(rr) / 1000
        late_s = 0.0 if rng.random() < punctual else rng.uniform(0.0, 0.4) + 0.2
        if rng.random() < lost:
            continue
        placed = clock.place(rr, now_s + late_s)
        assert [b.at_s for b in placed] == pytest.approx(naive.place(rr, now_s + late_s), abs=1e-9)
