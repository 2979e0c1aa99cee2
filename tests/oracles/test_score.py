"""The detector's arrays against one agent after another, one number at a time."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.scoring.detector import Detector
from analytics.signals.features import FEATURES, PARTS
from analytics.signals.windows import CONTEXTS, FeatureBatch
from sensors.messages import ContextState
from tests.contracts.scorer.protocol import CENTRE, SPREAD, D
from tests.oracles.one_agent_score import SCORED, OneAgent

_IN_CALL = CONTEXTS.index(ContextState.ON_CALL)
_NAMES = [feature.name for feature in FEATURES]


def _draw(rng: np.random.Generator, n: int, at_s: float, share: float, size: float) -> FeatureBatch:
    in_call = rng.uniform(size=n) < 0.5
    values = CENTRE + size * SPREAD * rng.normal(size=(n, D))
    values[in_call] += 4.0 * SPREAD  # calls have a level of their own
    values += 80.0 * SPREAD * (rng.uniform(size=(n, D)) < 0.03)  # and some values are absurd
    values[rng.uniform(size=values.shape) > share] = np.nan
    quality = np.where(np.isfinite(values), rng.choice([0.0, 0.4, 1.0], values.shape), 0.0)
    return FeatureBatch(
        at_s=np.full(n, at_s),
        values=values,
        quality=quality,
        moving=rng.uniform(size=n) < 0.2,
        context=np.where(in_call, _IN_CALL, 0).astype(np.int8),
    )


@given(
    seed=st.integers(0, 2**32 - 1),
    steps_s=st.lists(st.sampled_from([5.0] * 9 + [10.0, 25.0, 900.0]), min_size=80, max_size=140),
    share=st.sampled_from([0.5, 0.9, 1.0]),
    size=st.sampled_from([0.2, 1.0, 4.0]),
)
@settings(deadline=None, max_examples=10)
def test_arrays_score_what_one_number_at_a_time_scores(seed, steps_s, share, size):
    n, rng, at_s = 3, np.random.default_rng(seed), 1_000_000.0
    detector, alone = Detector(), [OneAgent() for _ in range(n)]
    detector.ensure(n)
    for step_s in steps_s:
        at_s += step_s
        batch = _draw(rng, n, at_s, share, size)
        learn = rng.uniform(size=n) < 0.8
        found = detector.step(np.arange(n), batch, learn=learn)
        for a, agent in enumerate(alone):
            known = {
                feature.name: float(batch.values[a, _NAMES.index(feature.name)])
                for feature in SCORED
                if math.isfinite(batch.values[a, _NAMES.index(feature.name)])
            }
            quality = {name: float(batch.quality[a, _NAMES.index(name)]) for name in known}
            one = agent.step(
                at_s,
                known,
                quality,
                moving=bool(batch.moving[a]),
                in_call=bool(batch.context[a] == _IN_CALL),
                learn=bool(learn[a]),
            )
            _agree(found, a, one)
        _agree_on_the_usual(detector, alone)


def _agree(found, a, one):
    near = {"rtol": 2e-3, "atol": 2e-3, "equal_nan": True}
    total = math.nan if one.total is None else one.total
    score = total if one.total is None else math.log1p(math.exp(total))
    assert np.allclose(found.score[a], score, **near)
    assert np.allclose(
        found.strain_index[a], 100 / (1 + math.exp(-total)), atol=0.1, equal_nan=True
    )
    assert np.allclose(
        found.evidence[a], math.nan if one.evidence is None else one.evidence, **near
    )
    assert bool(found.learning[a]) == one.learning
    said = [one.contributions.get(part, math.nan) for part in PARTS]
    assert np.allclose(found.part_contribution[a], said, **near)
    assert found.part_level[a].tolist() == [one.levels[part] for part in PARTS]


def _agree_on_the_usual(detector, alone):
    order = np.arange(len(alone))[::-1]  # whoever is asked for, in any order
    found = detector.usual(order)
    assert all(array.shape == (len(alone), D) for array in found)
    low, high, hours = (array[order] for array in found)
    for a, agent in enumerate(alone):
        for i, feature in enumerate(FEATURES):
            usual = agent.usual(feature.name) if feature in SCORED else (math.nan, math.nan, 0.0)
            assert np.allclose(hours[a, i], usual[2], rtol=1e-3)
            if usual[2] > 0:  # else the range means nothing
                near = 2e-3 * (usual[1] - usual[0]) + 1e-4 * abs(usual[1])
                assert np.allclose((low[a, i], high[a, i]), usual[:2], atol=near), feature.name


def test_nobody_and_who_was_never_seen_have_no_usual_range():
    detector = Detector()
    detector.ensure(1)
    for rows in (np.arange(0), np.arange(1)):
        assert [array.shape for array in detector.usual(rows)] == [(len(rows), D)] * 3
        assert not detector.usual(rows)[2].any()
