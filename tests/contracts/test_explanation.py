"""What an alert says about itself, held against what is known to be true."""

from __future__ import annotations

import pytest

from analytics.alerts.common_cause import TOP
from analytics.pipeline.pipeline import Pipeline
from analytics.store.points import Measurement
from benchmarks._ablation import Explained, explanations
from sensors.messages import Absence, AlertKind
from sensors.signals import Channel
from tests.analytics.synthetic_floor import (
    CALM_S,
    SITE,
    START,
    Floor,
    Person,
    strained_after,
    teams,
)


def test_the_parts_named_are_those_that_the_evidence_falls_most_without() -> None:
    found = explanations(n_agents=24, hours=1.5, seed=4)
    assert len(found) >= 5
    assert all(1 <= len(one.named) <= TOP for one in found)
    assert any(len(one.named) > 1 for one in found)
    assert sum(one.harmless for one in found) == 0
    assert all(one.right for one in found)
    assert all(one.in_order for one in found)


def test_a_wrong_explanation_is_seen_to_be_wrong() -> None:
    falls = {"heart": 0.1, "skin": 0.9, "voice": -0.2}
    assert Explained(("skin",), falls).right
    assert not Explained(("heart",), falls).right
    assert not Explained(("heart", "skin"), falls).in_order
    assert Explained(("skin", "voice"), falls).harmless == 1


@pytest.mark.parametrize("missing", [(), (Channel.KEYBOARD,), (Channel.MODULES, Channel.KEYBOARD)])
def test_duration_quality_and_what_is_unknown_are_true(missing: tuple[Channel, ...]) -> None:
    absent = dict.fromkeys(missing, Absence.WITHHELD)
    person = Person("k0", strained_after(CALM_S), lambda _: absent)
    f = Floor([person], Pipeline(SITE, teams(1)))
    assert f.run(CALM_S + 900, until=lambda: bool(f.open(AlertKind.PERSONAL)))
    (alert,) = f.open(AlertKind.PERSONAL)
    threshold = float(f.pipeline._floor.columns["threshold"][0])
    above = [float(p.fields.get("evidence", 0.0)) >= threshold for p in f.of(Measurement.SCORE)]
    first = len(above) - above[::-1].index(False)  # the first window of the last run above
    started_s = (alert.started_at - START).total_seconds()
    assert started_s == 5.0 * (first + 1)
    assert CALM_S < started_s < f.t_s
    gave = {Channel.HEART: 0.95, Channel.KEYBOARD: 0.9, Channel.MODULES: 0.9}
    known = [quality for channel, quality in gave.items() if channel not in missing]
    assert alert.quality is not None
    assert min(known) - 0.001 <= alert.quality <= max(known) + 0.001
    assert set(alert.unknown) == {Channel.POINTER, Channel.VOICE, *missing}
    assert {one.part for one in alert.contributions} <= {"heart", "skin", "typing"}
