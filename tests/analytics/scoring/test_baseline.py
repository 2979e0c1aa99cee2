"""The baseline against a slow, obvious oracle, and what it must never do."""

from __future__ import annotations

import math

import numpy as np
import pytest

from analytics.scoring.baseline import (
    ABS_TO_SD,
    CALL_PRIOR_S,
    LONGEST_STEP_S,
    PRIOR_S,
    SCORED,
    SPREAD_HORIZON_S,
    WANDERS_S,
    WINSOR,
    Baseline,
)
from analytics.signals.features import FEATURES

_S = len(SCORED)
_SCORED = [FEATURES[i] for i in SCORED]
_HEART = [feature.name for feature in _SCORED].index("heart_rate_bpm")
_ROWS = np.zeros(1, dtype=np.intp)


class Naive:
    """One agent, one feature, one value at a time."""

    def __init__(self, feature):
        self.feature = feature
        self.mean = self.seconds = self.spread = self.spread_s = self.call = self.call_s = 0.0

    def age(self, elapsed_s):
        if elapsed_s > LONGEST_STEP_S:
            self.seconds *= math.exp(-elapsed_s / self.feature.horizon_s)
        else:
            self.seconds *= 1 - elapsed_s / self.feature.horizon_s

    def usual(self, in_call):
        return self.mean + (self.call if in_call else 0.0)

    def scale(self):
        own = ABS_TO_SD * self.spread
        shrunk = (PRIOR_S * self.feature.scale + self.spread_s * own) / (PRIOR_S + self.spread_s)
        young = math.sqrt(1 + WANDERS_S / max(self.seconds, 5.0))
        return max(shrunk, self.feature.floor) * young

    def learn(self, x, step_s, in_call):
        if math.isnan(x) or step_s <= 0:
            return
        scale, first = self.scale(), self.seconds <= 0
        off = x - self.usual(in_call)
        if not first:
            off = min(max(off, -WINSOR * scale), WINSOR * scale)
        if not first and (in_call or self.call_s > 0):
            if in_call:
                self.call_s = self.call_s * (1 - step_s / SPREAD_HORIZON_S) + step_s
            gain = step_s / (self.call_s + CALL_PRIOR_S)
            self.call += (2 if in_call else -2) * gain * off
        self.seconds += step_s
        self.mean += step_s / self.seconds * off
        if not first:
            self.spread_s = self.spread_s * (1 - step_s / SPREAD_HORIZON_S) + step_s
            self.spread += step_s / self.spread_s * (abs(off) - self.spread)


def teach(baseline, values, elapsed_s=5.0, *, in_call=False):
    values = np.asarray(values, dtype=np.float32)[:, None]
    known = np.isfinite(values)
    calls = np.array([in_call])
    baseline.age(_ROWS, np.array([elapsed_s], np.float32))
    steps = (known * min(elapsed_s, LONGEST_STEP_S)).astype(np.float32)
    reference = baseline.reference(_ROWS, calls)
    apart = reference.apart(np.where(known, values, np.float32(0)))
    baseline.learn(_ROWS, apart, steps, reference, calls)


def test_it_agrees_with_the_oracle_through_gaps_unknowns_calls_and_artefacts():
    rng = np.random.default_rng(7)
    baseline, naive = Baseline(1), [Naive(feature) for feature in _SCORED]
    for k in range(600):
        in_call = k % 60 < 40
        values = rng.normal(50, 3, _S) + 4 * in_call
        values[rng.uniform(size=_S) < 0.2] = np.nan
        if k % 50 == 30:
            values += 500  # an artefact
        elapsed_s = float(rng.choice([0.0, 5.0, 5.0, 5.0, 300.0]))
        teach(baseline, values, elapsed_s, in_call=in_call)
        for one, x in zip(naive, values, strict=True):
            one.age(elapsed_s)
            one.learn(float(np.float32(x)), min(elapsed_s, LONGEST_STEP_S), in_call)
    for in_call in (False, True):
        found = baseline.reference(_ROWS, np.array([in_call]))
        usual = [one.usual(in_call) for one in naive]
        assert found.mean[:, 0] == pytest.approx(usual, rel=1e-3)
    assert found.scale[:, 0] == pytest.approx([one.scale() for one in naive], rel=1e-3)
    assert found.seconds[:, 0] == pytest.approx([one.seconds for one in naive], rel=1e-3)


def test_before_any_value_no_time_has_been_seen_and_what_is_usual_is_wide():
    found = Baseline(1).reference(_ROWS)
    assert (found.seconds == 0).all()
    assert (found.scale[:, 0] > 5 * np.array([feature.scale for feature in _SCORED])).all()


def test_a_level_once_known_narrows_what_is_usual_to_the_shipped_spread_and_then_the_own():
    rng, baseline = np.random.default_rng(2), Baseline(1)
    for _ in range(60):
        teach(baseline, rng.normal(50, 0.1, _S))
    young = baseline.reference(_ROWS).scale[_HEART, 0]
    for _ in range(12 * 240):
        teach(baseline, rng.normal(50, 0.1, _S))
    old = baseline.reference(_ROWS).scale[_HEART, 0]
    assert young > 1.4 * _SCORED[_HEART].floor
    assert old == pytest.approx(_SCORED[_HEART].floor * math.sqrt(1 + 600 / 3600), rel=0.01)


def test_what_is_unknown_teaches_nothing():
    baseline = Baseline(1)
    for _ in range(20):
        teach(baseline, np.full(_S, 60.0))
    before = {name: getattr(baseline, name).copy() for name in Baseline.ARRAYS}
    teach(baseline, np.full(_S, np.nan), elapsed_s=0.0)
    for name, array in before.items():
        assert np.array_equal(array, getattr(baseline, name)), name


def test_one_artefact_moves_it_little_and_a_lasting_change_is_followed():
    rng = np.random.default_rng(3)
    baseline = Baseline(1)
    for _ in range(720):
        teach(baseline, rng.normal(70, 3, _S))
    settled = float(baseline.reference(_ROWS).mean[_HEART, 0])
    teach(baseline, np.full(_S, 300.0))
    assert abs(baseline.reference(_ROWS).mean[_HEART, 0] - settled) < 0.1
    for _ in range(3 * 720):
        teach(baseline, rng.normal(90, 3, _S))
    assert baseline.reference(_ROWS).mean[_HEART, 0] == pytest.approx(90, abs=1.5)


def test_a_new_day_learns_its_own_level_and_keeps_the_spread_of_the_days_before():
    rng, baseline = np.random.default_rng(4), Baseline(1)
    for _ in range(6 * 720):
        teach(baseline, rng.normal(70, 8, _S))
    spread = baseline.spread[_HEART, 0]
    teach(baseline, np.full(_S, 85.0), elapsed_s=16 * 3600.0)
    morning = baseline.reference(_ROWS)
    assert morning.mean[_HEART, 0] == pytest.approx(85.0, abs=0.1)
    assert morning.seconds[_HEART, 0] < 20
    assert baseline.spread[_HEART, 0] == pytest.approx(spread, rel=0.05)


def test_what_a_call_adds_is_learnt_and_is_no_deviation():
    rng, baseline = np.random.default_rng(5), Baseline(1)
    for k in range(8 * 720):
        in_call = k % 60 < 40
        teach(baseline, rng.normal(70, 2, _S) + 6 * in_call, in_call=in_call)
    talking = baseline.reference(_ROWS, np.array([True])).mean[_HEART, 0]
    quiet = baseline.reference(_ROWS, np.array([False])).mean[_HEART, 0]
    assert quiet == pytest.approx(70, abs=1)
    assert talking - quiet == pytest.approx(6, abs=1)


@pytest.mark.parametrize("cycle_s", [10, 7200])
def test_the_effect_of_calls_is_never_taken_for_more_than_it_is(cycle_s):
    baseline, believed = Baseline(1), []
    for k in range(3 * 720):
        in_call = 5 * k % cycle_s >= cycle_s / 2
        teach(baseline, np.full(_S, 70.0) + 6 * in_call, in_call=in_call)
        quiet, talking = (baseline.reference(_ROWS, np.array([c])).mean for c in (False, True))
        believed.append(talking[_HEART, 0] - quiet[_HEART, 0])
    assert max(believed) < 6.1
    assert believed[-1] > 3


def test_reopening_forgets_the_level_alone_and_only_where_meant():
    baseline = Baseline(1)
    for _ in range(50):
        teach(baseline, np.full(_S, 60.0))
    which = np.zeros((_S, 1), bool)
    which[_HEART] = True
    spread_s = baseline.spread_s.copy()
    baseline.reopen(_ROWS, which)
    seconds = baseline.reference(_ROWS).seconds[:, 0]
    assert seconds[_HEART] == 0
    assert (np.delete(seconds, _HEART) > 0).all()
    assert np.array_equal(baseline.spread_s, spread_s)
    baseline.reopen(_ROWS)
    assert (baseline.reference(_ROWS).seconds == 0).all()
