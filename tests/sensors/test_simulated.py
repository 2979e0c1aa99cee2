"""The simulated agent: plausible, repeatable, and it obeys its script."""

from __future__ import annotations

import numpy as np
import pytest

from sensors.collector import Collector, Link, Reading
from sensors.errors import ConfigurationError
from sensors.messages import Absence
from sensors.signals import SIGNALS, Channel
from sensors.simulated import Episode, SimulatedCollector, Simulation


class InstantClock:
    """A clock that arrives wherever it is asked to wait for."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic_s(self) -> float:
        return self.now_s

    async def sleep_until(self, at_monotonic_s: float) -> None:
        self.now_s = max(self.now_s, at_monotonic_s)


async def _first_seconds(collector: Collector, seconds: float) -> list[Reading | Link]:
    clock = InstantClock()
    found: list[Reading | Link] = []
    stream = collector.readings(clock)
    async for item in stream:
        if clock.now_s > 100.0 + seconds:
            break
        found.append(item)
    await stream.aclose()
    return found


def test_every_value_lies_in_its_catalogue_range_and_time_order() -> None:
    for seed in range(8):
        tracks = Simulation(seed, (Episode(start_s=60, hold_s=200, strength=3),)).advance(600)
        for name, (at_s, values) in tracks.items():
            assert all(SIGNALS[name].accepts(v) for v in values), (seed, name)
            assert np.all(np.diff(at_s) >= 0), (seed, name)
            assert len(at_s) == len(values)


def test_same_seed_gives_the_same_signals_and_another_seed_another_person() -> None:
    first, again, other = (Simulation(seed).advance(120) for seed in (5, 5, 6))
    for name in first:
        assert np.array_equal(first[name][1], again[name][1])
    assert not np.array_equal(first["eda_us"][1], other["eda_us"][1])


def test_beats_carry_on_across_stretches_without_a_gap() -> None:
    simulation = Simulation(2)
    stretches = [simulation.advance(5)["rr_ms"] for _ in range(60)]
    at_s = np.concatenate([t for t, _ in stretches])
    rr_ms = np.concatenate([v for _, v in stretches])
    # each interval ends where the next begins: times and intervals tell the same story
    assert np.allclose(np.diff(at_s) * 1000, rr_ms[1:], atol=1.0)


def test_an_episode_raises_heart_rate_and_skin_conductance_and_passes() -> None:
    tracks = Simulation(3, (Episode(start_s=600, hold_s=300, ramp_s=30),)).advance(1500)
    for name, at_least in (("hr_bpm", 8.0), ("eda_us", 1.0)):
        at_s, values = tracks[name]
        during = values[(at_s > 640) & (at_s < 920)].mean()
        before = values[at_s < 600].mean()
        after = values[at_s > 1100].mean()
        assert during - before > at_least, name
        assert abs(after - before) < (during - before) / 2, name


async def test_only_the_channels_asked_for_are_delivered() -> None:
    collector = SimulatedCollector({"seed": 1, "channels": ["heart"]})
    found = await _first_seconds(collector, 20)
    names = {item.signal for item in found if isinstance(item, Reading)}
    assert names == {"hr_bpm", "rr_ms", "contact"}


async def test_an_outage_says_so_once_and_gives_nothing() -> None:
    outage = {"channel": "heart", "start_s": 5, "end_s": 10, "reason": "not_worn"}
    collector = SimulatedCollector({"seed": 1, "channels": ["heart"], "outages": [outage]})
    found = await _first_seconds(collector, 20)
    links = [item for item in found if isinstance(item, Link)]
    assert links == [
        Link(Channel.HEART, "ok"),
        Link(Channel.HEART, Absence.NOT_WORN),
        Link(Channel.HEART, "ok"),
    ]
    gone = found.index(links[1])
    assert found[gone + 1] == links[2], "nothing is read between the two"


@pytest.mark.parametrize(
    ("options", "named"),
    [
        pytest.param({"sede": 1}, "sede", id="unknown-option"),
        pytest.param({"seed": "x"}, "seed", id="wrong-type"),
        pytest.param(
            {"episodes": [{"start_s": 0, "hold_s": 1, "ramp_s": 0}]}, "ramp_s", id="value"
        ),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        SimulatedCollector(options)
