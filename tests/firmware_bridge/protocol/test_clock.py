"""The board's ticks on the host's clock, with everything a wire and a machine do to it."""

import math
from itertools import combinations, pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.protocol.arrivals import MAX_DRIFT, edge_slope
from firmware_bridge.protocol.clock import SETTLING_S, TickClock

LEAST_S = 0.002  # on the way, at the fastest


def to_host_s(clock, ticks):
    return clock.host_s(clock.board_s(clock.unwrap(ticks)))


class World:
    """One board and one host: true time runs, frames come late, questions are answered."""

    def __init__(self, drift=0.0, tick_hz=10_000, first_tick=0xFFFF_0000, seed=1, asks=True):
        self.random = Random(seed)
        self.clock = TickClock(tick_hz)
        self.drift, self.tick_hz, self.first_tick = drift, tick_hz, first_tick
        self.asks = asks
        self.host_s = 1_000.0  # host's clock at true time 0
        self.arrived_s = 0.0
        self.mapped = []  # (true time, mapped minus true)

    def ticks(self, true_s):
        return self.first_tick + round(true_s * self.tick_hz * (1 + self.drift)) & 0xFFFF_FFFF

    def _arrives(self, true_s, held_s):
        delay_s = LEAST_S + self.random.expovariate(1 / 0.003) + held_s
        self.arrived_s = max(self.arrived_s, self.host_s + true_s + delay_s)
        return self.arrived_s

    def run(self, begin_s, end_s, held=lambda _: 0.0):
        """Let a frame come every 0.25 s, each held back by `held` of its time."""
        for quarter in range(round(begin_s * 4), round(end_s * 4)):
            true_s = quarter / 4
            self.clock.heard(self.ticks(true_s), self._arrives(true_s, held(true_s)))
            if self.asks and quarter % 40 == 3:
                answered_s = true_s + 0.004
                received = self.ticks(answered_s)
                sent = self.ticks(answered_s + 0.001)
                asked_s = self.host_s + true_s
                self.clock.answered(
                    asked_s, received, sent, self._arrives(answered_s, held(true_s))
                )
            off_s = to_host_s(self.clock, self.ticks(true_s)) - (self.host_s + true_s)
            self.mapped.append((true_s, off_s))

    @property
    def worst_s(self):
        """How far off the times of the last minute were."""
        end_s = self.mapped[-1][0]
        return max(abs(off_s) for true_s, off_s in self.mapped if true_s > end_s - 60)


@pytest.mark.parametrize("drift", [0.0, 50e-6, -3e-3, 0.02, -0.02, 0.09])
@pytest.mark.parametrize("first_tick", [0, 0xFFFF_FFFE])
def test_times_are_right_to_within_the_stated_error(drift, first_tick):
    world = World(drift, first_tick=first_tick)
    world.run(0, 400)
    assert world.clock.error_s < 0.005
    assert world.worst_s <= world.clock.error_s
    assert world.clock.drift_ppm == pytest.approx(drift * 1e6, abs=15)
    assert world.clock.steps == 0


@pytest.mark.parametrize(
    "held",
    [
        pytest.param(lambda t: 3.0 if t % 20 < 4 else 0.0, id="Bluetooth holds back 3 s"),
        pytest.param(lambda t: 5.0 - t if t < 5 else 0.0, id="buffered before the port was opened"),
        pytest.param(lambda t: 0.016 * (t * 7 % 1), id="USB in steps"),
        pytest.param(lambda t: max(0.0, 45 - abs(t - 200)) if t > 155 else 0.0, id="a long stall"),
    ],
)
def test_buffering_moves_nothing(held):
    world = World(40e-6)
    world.run(0, 400, held)
    assert world.worst_s <= world.clock.error_s < 0.02
    assert world.clock.steps == 0


def test_without_questions_times_are_late_by_the_fastest_way_and_the_error_is_unknown():
    world = World(40e-6, asks=False)
    world.run(0, 300)
    assert world.clock.error_s is None
    assert world.worst_s <= LEAST_S + 0.002


def test_what_lies_beside_each_other_stays_so():
    """After it has settled, two times are as far apart as their ticks, to 0.5 ms per second."""
    world = World(30e-6, seed=4)
    world.run(0, 600, lambda t: 2.0 if t % 50 >= 20 else 0.0)
    settled = [(t, off) for t, off in world.mapped if t > SETTLING_S + 1]
    bends = [abs(b - a) / (s - r) for (r, a), (s, b) in pairwise(settled)]
    assert max(bends) <= 5.5e-4


def test_the_host_slept():
    """Its clock stood still for ten minutes, the board's did not."""
    world = World()
    world.run(0, 100)
    world.host_s -= 600
    world.arrived_s = 0.0
    world.run(700, 800)
    assert world.clock.steps == 1
    assert world.worst_s <= world.clock.error_s < 0.005


def test_a_board_whose_clock_stood_still_is_found_out_by_the_next_question():
    world = World()
    world.run(0, 100)
    world.first_tick -= 3 * world.tick_hz
    world.run(100, 200)
    assert world.clock.steps == 1
    assert world.worst_s <= world.clock.error_s < 0.005


def test_a_board_whose_clock_jumped_ahead():
    world = World()
    world.run(0, 100)
    world.first_tick += 5 * world.tick_hz
    world.run(100, 200)
    assert world.clock.steps == 1
    assert world.worst_s <= world.clock.error_s < 0.005


def test_wraps_are_counted_over_a_day():
    clock = TickClock(10_000_000)  # wraps every 429 s
    for minute in range(24 * 60):
        ticks = minute * 60 * 10_000_000 & 0xFFFF_FFFF
        unwrapped = clock.heard(ticks, 5.0 + minute * 60)
        assert clock.board_s(unwrapped) == minute * 60
    assert to_host_s(clock, ticks) == pytest.approx(5.0 + minute * 60, abs=1e-3)
    assert len(clock._lows) <= 300


def test_before_the_first_frame_nothing_is_known():
    clock = TickClock(1_000)
    assert clock.drift_ppm is None
    assert clock.error_s is None


def test_no_drift_is_told_beyond_what_oscillators_have():
    world = World(0.12, asks=False)
    world.run(0, 60)
    assert abs(world.clock.drift_ppm) <= 1.2e6 * MAX_DRIFT


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=12), st.randoms(use_true_random=False))
def test_the_line_below_all_points_that_most_lie_near(offsets, random):
    """Against every line through two points that has none below it."""
    times, t = [], 0.0
    for _ in offsets:
        t += random.uniform(0.1, 3)
        times.append(t)
    points = list(zip(times, offsets, strict=True))

    def support(slope):
        bottom = min(o - slope * t for t, o in points)
        near = sum(math.exp(-(o - slope * t - bottom) / 0.02) for t, o in points)
        return near - abs(slope) / MAX_DRIFT

    best = -math.inf
    for (t1, o1), (t2, o2) in combinations(points, 2):
        slope = (o2 - o1) / (t2 - t1)
        if all(o >= o1 + slope * (t - t1) - 1e-12 for t, o in points):
            best = max(best, support(slope))
    assert support(edge_slope(np.array(times), np.array(offsets))) == pytest.approx(best, abs=1e-6)


@pytest.mark.parametrize("hours", [0.5, 0.7, 1.1])
def test_the_host_slept_while_the_board_ran_on(hours):
    """The host's clock stands still meanwhile; half a wrap is 0.6 h here."""
    world = World(tick_hz=1_000_000)
    world.run(0, 60)
    world.host_s -= hours * 3_600
    world.run(hours * 3_600 + 60, hours * 3_600 + 120)
    assert world.clock.steps == 1
    assert world.worst_s < 0.005


@pytest.mark.parametrize("minutes", [5, 7, 8, 20, 60])
def test_a_silence_longer_than_half_a_wrap_or_than_several(minutes):
    """Unplugged, with a battery of its own; a wrap is 7.2 min."""
    world = World(tick_hz=10_000_000)
    world.run(0, 60)
    world.run(minutes * 60, minutes * 60 + 60)
    assert world.clock.steps == 0
    assert world.worst_s < 0.1, "the drift is not known to the last millionth"


def test_a_frame_that_lies_about_its_time_moves_the_next_ones_not_for_long():
    world = World(tick_hz=1_000_000)
    world.run(0, 60)
    for begin_s, off_s in ((60, 1_000), (180, 3_000)):
        world.clock.heard(world.ticks(begin_s + off_s), world.arrived_s)
        world.run(begin_s, begin_s + 120)
        assert world.worst_s < 0.01


def test_a_board_whose_timer_stood_still_while_both_slept():
    world = World()
    world.run(0, 100)
    world.first_tick -= 3_600 * world.tick_hz
    world.run(3_700, 4_000)
    assert world.clock.steps == 1
    assert world.worst_s <= world.clock.error_s < 0.005
