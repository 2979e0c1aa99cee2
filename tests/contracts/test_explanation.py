"""What an alert says about itself, held against what is known to be true."""

from __future__ import annotations

import numpy as np
import pytest

from analytics.people.teams import Teams, parse_teams
from analytics.pipeline.pipeline import Pipeline
from analytics.scoring.detector import Detector
from analytics.scoring.explanation import TOP
from analytics.store.points import Measurement
from benchmarks._ablation import Explained, explain, explanations, falls
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


def each_alone(people: list[Person]) -> Teams:
    """Return a team of one for everybody: nobody's card waits for another's."""
    return parse_teams(
        {
            f"team-{one.agent}": {
                "supervisors": [f"lead-{one.agent}"],
                "time_zone": "UTC",
                "agents": [one.agent],
            }
            for one in people
        }
    )


def test_a_wrong_explanation_is_seen_to_be_wrong() -> None:
    falls = {"heart": 0.1, "skin": 0.9, "voice": -0.2}
    assert Explained(("skin",), falls).right
    assert not Explained(("heart",), falls).right
    assert not Explained(("heart", "skin"), falls).in_order
    spared = Explained(("skin", "heart", "voice"), falls)
    assert spared.in_order
    assert spared.harmless == 1
    assert not spared.right


def test_a_card_names_the_parts_that_its_evidence_falls_most_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    step, asked = Detector.step, []

    def remembered(self, rows, batch, *, learn):
        asked.append((self.to_arrays(), rows, batch.take(np.arange(len(rows)))))
        return step(self, rows, batch, learn=learn)

    people = [Person(f"k{i}", strained_after(CALM_S + 20.0 * i)) for i in range(24)]
    f = Floor(people, Pipeline(SITE, each_alone(people)))
    at_begin = {}
    with monkeypatch.context() as patch:
        patch.setattr(Detector, "step", remembered)
        while len(at_begin) < len(people) and f.run(5.0, until=lambda: True):
            before, rows, batch = asked.pop()
            for alert in f.open(AlertKind.PERSONAL):
                row = int(alert.agent.removeprefix("k"))
                window = batch.take(np.flatnonzero(rows == row))
                at_begin.setdefault(alert.agent, (alert, before, row, window))
    found = [explain(alert.contributions, falls(*what)) for alert, *what in at_begin.values()]
    assert all(one.named and one.right and one.in_order for one in found)
    assert len({one.named for one in found}) > 1


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
