"""What an electrode does is no strain: moved, loose, pressed, put back; noise is no electrode."""

from __future__ import annotations

import numpy as np
import pytest

from analytics.signals.features import FEATURE_INDEX, PARTS, UNKNOWN_LEVEL, Part
from tests.analytics.scoring.settled import CENTRE, D, batch, rows, settled


def skin_alone():
    """Return a detector that knows one agent's skin, the time, and the skin as it is and unknown."""
    keep = np.arange(D) == FEATURE_INDEX["log_eda"]
    detector, at_s, _ = settled(keep=keep)
    return detector, at_s, np.where(keep, CENTRE, np.nan), np.full(D, np.nan)


def test_what_an_electrode_does_in_a_gap_counts_for_nothing():
    detector, at_s, values, nothing = skin_alone()
    skin = FEATURE_INDEX["log_eda"]
    for k in (1, 2):
        detector.step(rows(1), batch(at_s + 5 * k, nothing), learn=np.ones(1, bool))
    values[skin] += 1.0
    found = detector.step(rows(1), batch(at_s + 15, values), learn=np.ones(1, bool))
    assert detector.to_arrays()["moved"][0] == 0
    assert np.isnan(found.score[0])  # learnt anew
    values[skin] += 1.0  # within a window no skin does that
    detector.step(rows(1), batch(at_s + 20, values), learn=np.ones(1, bool))
    assert detector.to_arrays()["moved"][0] == pytest.approx(0.8, abs=1e-5)


def test_an_electrode_put_on_badly_and_then_well_is_no_strain():
    detector, at_s, on, nothing = skin_alone()
    for bad in (-2.0, 1.5):
        for values in [nothing] * 12 + [on + bad] * 2 + [on] * 120:
            at_s += 5
            found = detector.step(rows(1), batch(at_s, values), learn=np.ones(1, bool))
            assert not found.evidence[0] > 0.5
        assert found.part_level[0, PARTS.index(Part.SKIN)] == 0


def test_a_loose_electrode_is_unknown_until_it_rests_and_then_no_strain():
    detector, at_s, on, _ = skin_alone()
    rng = np.random.default_rng(4)
    loose = [on + rng.normal(0.5, 1.0) for _ in range(30)]
    for k, values in enumerate([*loose, *[on + 0.5] * 120]):
        at_s += 5
        found = detector.step(rows(1), batch(at_s, values), learn=np.ones(1, bool))
        assert not found.evidence[0] > 0.5
        if 8 <= k < 36:
            assert found.part_level[0, PARTS.index(Part.SKIN)] == UNKNOWN_LEVEL
    assert found.part_level[0, PARTS.index(Part.SKIN)] == 0


def test_an_electrode_that_was_pressed_once_is_followed():
    detector, at_s, on, _ = skin_alone()
    for values in [on] * 3 + [on + 1.0] * 2 + [on] * 10:
        at_s += 5
        found = detector.step(rows(1), batch(at_s, values), learn=np.ones(1, bool))
        assert found.part_level[0, PARTS.index(Part.SKIN)] in {0, 1}


def test_noise_is_no_electrode():
    rng = np.random.default_rng(4)
    detector, at_s, on, _ = skin_alone()
    skin, found = FEATURE_INDEX["log_eda"], []
    for k in range(3 * 720):
        at_s += 5.0
        values = on.copy()
        values[skin] += rng.normal(0, 0.15) + (1.0 if k >= 1800 else 0.0)
        scores = detector.step(rows(1), batch(at_s, values), learn=np.array([k < 1800]))
        found.append(scores.evidence[0])
    calm, raised = np.array(found[720:1800]), np.array(found[1860:])
    # Before, jumps of noise were taken out one by one, and what was left walked at random.
    assert raised.min() > np.quantile(calm, 0.99)


def test_an_electrode_that_came_off_and_is_put_back_is_no_strain():
    detector, at_s, on, nothing = skin_alone()
    off = on - 2.5
    for values in [off] * 3 + [nothing] * 12 + [on] * 60:
        at_s += 5
        found = detector.step(rows(1), batch(at_s, values), learn=np.ones(1, bool))
        assert not found.evidence[0] > 0.5
    assert found.part_level[0, PARTS.index(Part.SKIN)] == 0


def test_the_usual_range_is_that_of_the_skin_as_it_is_measured_now():
    detector, at_s, on, _ = skin_alone()
    skin = FEATURE_INDEX["log_eda"]
    (before, _, _), was = detector.usual(rows(1)), detector.to_arrays()["moved"][0]
    detector.step(rows(1), batch(at_s + 5, on + 1.5), learn=np.zeros(1, bool))
    low, high, hours = detector.usual(rows(1))
    moved = detector.to_arrays()["moved"][0] - was  # but for what a skin can do
    assert moved > 1.0
    assert low[0, skin] - before[0, skin] == pytest.approx(moved, abs=0.01)
    assert low[0, skin] < on[skin] + moved < high[0, skin]
    assert hours[0, skin] > 0
