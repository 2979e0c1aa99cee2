"""What each agent is told about themselves: what, when, and nobody else (TRUST T10, T12)."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest

from analytics.events import Outputs
from analytics.pipeline import mirror
from analytics.pipeline.mirror import EVERY_S
from analytics.pipeline.pipeline import Pipeline
from analytics.scoring.detector import DETECTOR_VERSION, Detector
from analytics.signals.features import FEATURES, PARTS, UNKNOWN_LEVEL, Part
from analytics.signals.windows import FeatureBatch
from analytics.store.points import Measurement
from sensors import codec, topics
from sensors.messages import Absence, MirrorMessage, PersonState, UsualRange
from sensors.signals import Channel
from tests.analytics.synthetic_floor import (
    CALM_S,
    SITE,
    Floor,
    Person,
    strained_after,
    teams,
)

Told = list[tuple[datetime, str, MirrorMessage]]


class Mirrored(Floor):
    """A floor that keeps what its agents are told."""

    def __init__(self, *people: Person, n_agents: int = 0) -> None:
        self.told_mirrors: Told = []
        self.most = 0
        super().__init__(people, Pipeline(SITE, teams(n_agents or len(people))))

    def feed(self, arrivals=()) -> Outputs:
        out = super().feed(arrivals)
        self.most = max(self.most, len(out.mirrors))
        for one in out.mirrors:
            assert isinstance(one.message, MirrorMessage)
            agent = topics.parse(one.topic).agent
            assert one.topic == topics.mirror(SITE, agent)
            self.told_mirrors.append((self.now, agent, one.message))
        return out

    def last(self, agent: str = "k0") -> MirrorMessage:
        return [m for _, a, m in self.told_mirrors if a == agent][-1]


def usual(message: MirrorMessage, feature: str) -> UsualRange:
    return {one.feature: one for one in message.usual}[feature]


def test_the_agent_sees_the_state_that_is_written_for_others_and_the_figures_behind_it() -> None:
    f = Mirrored(Person("k0", strained_after(CALM_S)))
    f.run(CALM_S + 200)
    (score,) = f.of(Measurement.SCORE)[-1:]
    seen = {m.state for _, _, m in f.told_mirrors}
    # Who gives data is learning until there is something to judge.
    assert seen == set(PersonState) - {PersonState.FAULT, PersonState.NO_DATA}
    # Every change was told in the step in which it was written.
    told = {round(at.timestamp()): m.state.value for at, _, m in f.told_mirrors}
    written = [(round(p.time_ns / 1e9), p.fields["state"]) for p in f.of(Measurement.SCORE)]
    changes = [after for before, after in pairwise([(0, None), *written]) if before[1] != after[1]]
    assert len(changes) >= 3
    assert [(at, told.get(at)) for at, _ in changes] == changes
    last = f.last()
    assert last.state.value == score.fields["state"] == "different"
    assert last.evidence is not None
    assert last.threshold is not None
    assert last.evidence > last.threshold
    assert last.strain_index is not None
    assert last.strain_index > 90
    assert last.detector_version == DETECTOR_VERSION
    heart = usual(last, "heart_rate_bpm")
    assert heart.unit == "1/min"
    assert heart.low < 70 < heart.high
    assert heart.now is not None
    assert heart.now > heart.high
    assert 0.1 < heart.hours < 0.25, "ten calm minutes; what is strained teaches nothing"
    assert codec.decode(codec.encode(last), MirrorMessage) == last


def test_figures_are_those_of_the_same_window_in_the_store() -> None:
    f = Mirrored(Person("k0"))
    f.run(CALM_S)
    at = f.told_mirrors[-1][0]
    (score,) = [p for p in f.of(Measurement.SCORE) if abs(p.time_ns / 1e9 - at.timestamp()) < 2.5]
    (known,) = [p for p in f.of(Measurement.FEATURE) if p.time_ns == score.time_ns]
    last = f.last()
    assert last.evidence == pytest.approx(score.fields["evidence"], abs=1e-3)
    assert last.strain_index == pytest.approx(score.fields["strain_index"], abs=0.1)
    assert last.quality == pytest.approx(score.fields["quality"], abs=1e-3)
    floors = {feature.name: feature.floor for feature in FEATURES}
    for one in last.usual:
        shown = pytest.approx(known.fields[one.feature], abs=floors[one.feature] / 100)
        assert one.now == shown, one.feature


def test_the_usual_range_is_where_level_0_holds() -> None:
    """Alone in its part, a feature inside its range is *as usual*, outside it is not."""
    f = Mirrored(Person("k0"))
    f.run(CALM_S)
    row = np.array([0])
    low, high, hours = (a[0] for a in f.pipeline._floor.usual(row))
    eda = next(i for i, one in enumerate(FEATURES) if one.name == "log_eda")
    assert hours[eda] > 0
    part = PARTS.index(Part.SKIN)

    def level(value: float) -> int:
        arrays = f.pipeline._floor._detector.to_arrays()
        arrays["skin_s"][:] = -np.inf  # no step from the value before: no electrode moved
        detector = Detector.from_arrays(arrays)
        values = np.full((1, len(FEATURES)), np.nan)
        values[0, eda] = value
        batch = FeatureBatch(
            at_s=np.array([f.now.timestamp() + 5.0]),
            values=values,
            quality=np.ones_like(values),
            moving=np.array([False]),
        )
        scores = detector.step(row, batch, learn=np.array([False]))
        return int(scores.part_level[0, part])

    half = (high[eda] - low[eda]) / 2
    assert level(high[eda] - 0.01 * half) == 0
    assert level(low[eda] + 0.01 * half) == 0
    assert level(high[eda] + 0.01 * half) == 1
    assert level(low[eda] - 0.01 * half) == -1


def test_a_withheld_feature_keeps_its_range_and_has_no_value_now() -> None:
    gone = {Channel.HEART: Absence.WITHHELD}
    f = Mirrored(Person("k0", absent=lambda t: gone if t > CALM_S else {}))
    f.run(CALM_S)
    before = usual(f.last(), "heart_rate_bpm")
    f.run(90)
    after = usual(f.last(), "heart_rate_bpm")
    assert before.now is not None
    assert after.now is None
    assert (after.low, after.high) == pytest.approx((before.low, before.high), abs=1.0)
    assert usual(f.last(), "dwell_ms").now is not None


def test_of_nothing_there_is_no_figure_and_it_is_not_called_fine() -> None:
    """TRUST T13, for the agent as for others."""
    nothing = dict.fromkeys((Channel.HEART, Channel.KEYBOARD, Channel.MODULES), Absence.WITHHELD)
    f = Mirrored(Person("k0", absent=lambda _: nothing))
    f.run(90)
    last = f.last()
    assert last.state is PersonState.NO_DATA
    assert (last.strain_index, last.evidence, last.quality, last.usual) == (None, None, None, ())


def test_a_broken_device_is_a_fault_to_the_agent_as_to_others() -> None:
    broken = dict.fromkeys((Channel.HEART, Channel.KEYBOARD, Channel.MODULES), Absence.DISCONNECTED)
    f = Mirrored(Person("k0", absent=lambda t: broken if t > 60 else {}))
    f.run(180)
    assert f.last().state is PersonState.FAULT
    assert f.of(Measurement.SCORE)[-1].fields["state"] == "fault"


def test_everybody_is_told_once_a_minute_and_not_all_at_once() -> None:
    f = Mirrored(*(Person(f"k{n}") for n in range(60)))
    f.run(CALM_S)
    f.told_mirrors.clear()
    f.most = 0
    f.run(5 * EVERY_S)
    count = Counter(agent for _, agent, _ in f.told_mirrors)
    assert set(count) == {p.agent for p in f.people}
    by_time = [m for _, a, m in f.told_mirrors if a == "k0"]
    for a, b in pairwise(by_time):
        assert b.at - a.at <= timedelta(seconds=EVERY_S + 5)
    unchanged = [c for c in count.values() if c == 5]
    assert len(unchanged) >= 50, "five minutes, five times; more only where a state changed"
    assert f.most < 20, "60 people, twelve steps of five seconds: about five at a time"


def test_a_step_tells_no_more_than_it_may_and_the_rest_comes_in_the_next(monkeypatch) -> None:
    monkeypatch.setattr(mirror, "AT_MOST", 4)
    f = Mirrored(*(Person(f"k{n}") for n in range(10)))
    f.feed([f.arrival(p.agent, p.window(0.0)) for p in f.people])
    assert len(f.told_mirrors) == 4
    for _ in range(2):
        f.t_s += 0.25
        f.feed()
    assert sorted(agent for _, agent, _ in f.told_mirrors) == sorted(p.agent for p in f.people)
    assert f.most == 4


def test_whoever_has_no_live_edge_is_told_nothing() -> None:
    f = Mirrored(Person("k0"), Person("k1"))
    f.run(120)
    f.people = f.people[:1]
    f.run(60)
    f.told_mirrors.clear()
    f.run(180)
    assert {agent for _, agent, _ in f.told_mirrors} == {"k0"}


def test_a_restart_tells_the_same_to_the_same_people_at_the_same_time() -> None:
    def floor() -> Mirrored:
        return Mirrored(
            Person("k0", strained_after(CALM_S)), Person("k1"), Person("k2"), n_agents=3
        )

    one, two = floor(), floor()
    one.run(CALM_S + 200)
    two.run(CALM_S + 20)
    kept = two.pipeline.snapshot()
    two.pipeline = Pipeline(SITE, teams(3))
    two.pipeline.restore(kept)
    two.run(180)
    assert two.told_mirrors == one.told_mirrors
    assert one.pipeline.snapshot() == two.pipeline.snapshot()


def test_after_a_restart_with_other_features_nothing_is_said_before_something_is_judged() -> None:
    f = Mirrored(Person("k0"), Person("k1"))
    f.run(120)
    before = len(f.told_mirrors)
    f.pipeline._mirrors.restore({})
    f.feed()
    assert len(f.told_mirrors) == before
    f.run(10)
    told = f.told_mirrors[before:]
    assert {agent for _, agent, _ in told} == {"k0", "k1"}
    assert PersonState.FAULT not in {m.state for _, _, m in told}


def test_nothing_of_a_mirror_is_among_points_or_publications() -> None:
    f = Mirrored(Person("k0", strained_after(CALM_S)))
    f.run(CALM_S + 200)
    assert f.alerts  # they are looked at in `feed`, as every publication
    for point in f.points:
        told = point.fields.keys() - {"share_as_usual"}  # how often the state was that word
        assert not {n for n in told if "usual" in n or "low" in n or "high" in n}
    row = f.pipeline._floor.level[0]
    assert (row != UNKNOWN_LEVEL).any()
