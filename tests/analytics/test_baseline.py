"""The baseline against a slow, obvious oracle, and what it must never do."""

from __future__ import annotations

import math

import numpy as np
import pytest

from analytics.baseline import ABS_TO_SD, LONGEST_STEP_S, PRIOR_S, WINSOR, Baseline
from analytics.features import FEATURE_INDEX, FEATURES

_D = len(FEATURES)
_HEART = FEATURE_INDEX["heart_rate_bpm"]
_ROWS = np.zeros(1, dtype=np.intp)


class Naive:
    """One agent, one feature, one value at a time."""

    def __init__(self, feature):
        self.feature, self.mean, self.spread, self.seconds = feature, math.nan, 0.0, 0.0

    def scale(self):
        own = ABS_TO_SD * self.spread
        shrunk = (PRIOR_S * self.feature.scale + self.seconds * own) / (PRIOR_S + self.seconds)
        return max(shrunk, self.feature.floor)

    def learn(self, x, step_s):
        if math.isnan(x) or step_s <= 0:
            return
        step_s = min(step_s, LONGEST_STEP_S)
        scale = self.scale()
        self.seconds = self.seconds * (1 - step_s / self.feature.horizon_s) + step_s
        share = step_s / self.seconds
        if math.isnan(self.mean):
            self.mean = x
        off = min(max(x - self.mean, -WINSOR * scale), WINSOR * scale)
        self.mean += share * off
        self.spread += share * (abs(off) - self.spread)


def teach(baseline, values, step_s=5.0):
    known = np.isfinite(np.asarray(values, dtype=np.float32))[:, None]
    column = np.where(known, np.asarray(values, dtype=np.float32)[:, None], np.float32(0.0))
    steps = (known * step_s).astype(np.float32)
    baseline.learn(_ROWS, column, steps, baseline.reference(_ROWS))


def test_it_agrees_with_the_oracle_through_gaps_unknowns_and_artefacts():
    rng = np.random.default_rng(7)
    baseline, naive = Baseline(1), [Naive(feature) for feature in FEATURES]
    for k in range(400):
        values = rng.normal(50, 3, _D)
        values[rng.uniform(size=_D) < 0.2] = np.nan
        if k % 50 == 30:
            values += 500  # an artefact
        step_s = float(rng.choice([0.0, 5.0, 5.0, 5.0, 300.0]))
        teach(baseline, values, step_s)
        for one, x in zip(naive, values, strict=True):
            one.learn(float(x), step_s)
    found = baseline.reference(_ROWS)
    assert found.mean[:, 0] == pytest.approx([one.mean for one in naive], rel=1e-4)
    assert found.scale[:, 0] == pytest.approx([one.scale() for one in naive], rel=1e-3)
    assert found.seconds[:, 0] == pytest.approx([one.seconds for one in naive], rel=1e-4)


def test_before_any_value_no_time_has_been_seen_and_the_spread_is_the_shipped_one():
    found = Baseline(1).reference(_ROWS)
    assert (found.seconds == 0).all()
    assert found.scale[:, 0] == pytest.approx([max(f.scale, f.floor) for f in FEATURES])


def test_what_is_unknown_teaches_nothing():
    baseline = Baseline(1)
    for _ in range(20):
        teach(baseline, np.full(_D, 60.0))
    before = baseline.reference(_ROWS)
    teach(baseline, np.full(_D, np.nan))
    after = baseline.reference(_ROWS)
    assert np.array_equal(before.mean, after.mean)
    assert np.array_equal(before.seconds, after.seconds)
    assert np.isfinite(after.mean).all()


def test_one_artefact_moves_it_little_and_a_lasting_change_is_followed():
    baseline = Baseline(1)
    rng = np.random.default_rng(2)
    for _ in range(720):
        teach(baseline, rng.normal(70, 3, _D))
    settled = float(baseline.reference(_ROWS).mean[_HEART, 0])
    teach(baseline, np.full(_D, 5000.0))
    assert abs(baseline.reference(_ROWS).mean[_HEART, 0] - settled) < 0.1
    for _ in range(4 * 720):  # four hours at another level
        teach(baseline, rng.normal(90, 3, _D))
    assert baseline.reference(_ROWS).mean[_HEART, 0] == pytest.approx(90, abs=1.5)
