"""The contract of the detector: unknown, order, sources, subsets, restarts, direction."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.scoring.baseline import Baseline
from analytics.scoring.detector import LEARNING_S, Detector
from analytics.scoring.fusion import KNOWN_S
from analytics.signals.features import FEATURE_INDEX, FEATURES, PARTS, UNKNOWN_LEVEL, Part
from tests.analytics.scoring.settled import CENTRE, D, batch, calm, rows, settled, strained


def test_nothing_known_is_unknown_and_learning():
    detector = Detector()
    detector.ensure(1)
    found = detector.step(rows(1), batch(5, np.full(D, np.nan)), learn=np.ones(1, bool))
    for values in (found.score, found.strain_index, found.evidence, found.part_contribution[0]):
        assert np.isnan(values).all()
    assert found.learning[0]
    assert found.quality[0] == 0.0
    assert (found.part_level == UNKNOWN_LEVEL).all()


def test_a_score_appears_within_two_minutes_and_learning_ends_after_five():
    rng = np.random.default_rng(1)
    detector = Detector()
    detector.ensure(1)
    first_score = first_settled = None
    for k in range(1, 100):
        found = detector.step(rows(1), batch(5 * k, calm(rng)), learn=np.ones(1, bool))
        if first_score is None and np.isfinite(found.score[0]):
            first_score = 5 * k
        if first_settled is None and not found.learning[0]:
            first_settled = 5 * k
    assert KNOWN_S <= first_score <= 120
    assert LEARNING_S <= first_settled <= LEARNING_S + 30


def test_strain_raises_everything_and_its_opposite_does_not():
    detector, at_s, before = settled()
    twin = Detector.from_arrays(detector.to_arrays())
    for k in range(1, 25):
        up = detector.step(rows(1), batch(at_s + 5 * k, strained()), learn=np.zeros(1, bool))
        down = twin.step(rows(1), batch(at_s + 5 * k, strained(-3.0)), learn=np.zeros(1, bool))
    assert up.score[0] > before.score[0] + 1.5
    assert up.strain_index[0] > 95
    assert up.evidence[0] > 2
    assert (up.part_contribution > 0.1).all()
    assert 0 <= down.score[0] < 0.5
    assert down.evidence[0] == 0
    assert down.strain_index[0] < 25


def test_levels_tell_the_direction_of_the_signal_not_of_the_strain():
    detector, at_s, _ = settled()
    values = CENTRE.copy()
    values[FEATURE_INDEX["heart_rate_bpm"]] -= 20
    for k in range(1, 13):  # as fast as skin can
        values[FEATURE_INDEX["log_eda"]] += 0.17
        found = detector.step(rows(1), batch(at_s + 5 * k, values), learn=np.zeros(1, bool))
    level = dict(zip(PARTS, found.part_level[0].tolist(), strict=True))
    assert level[Part.HEART] == -2
    assert level[Part.SKIN] == 2


@given(st.sets(st.sampled_from(list(Part)), min_size=1))
@settings(deadline=None, max_examples=8)
def test_what_a_part_says_does_not_depend_on_which_others_are_known(parts):
    keep = np.array([feature.part in parts for feature in FEATURES])
    detector, at_s, _ = settled(minutes=12)
    twin = Detector.from_arrays(detector.to_arrays())
    values = strained()
    whole = twin.step(rows(1), batch(at_s + 5, values), learn=np.zeros(1, bool))
    values[~keep] = np.nan
    found = detector.step(rows(1), batch(at_s + 5, values), learn=np.zeros(1, bool))
    for p, part in enumerate(PARTS):
        assert (found.part_level[0, p] != UNKNOWN_LEVEL) == (part in parts)
        if part in parts:
            assert found.part_contribution[0, p] == whole.part_contribution[0, p]
        else:
            assert np.isnan(found.part_contribution[0, p])
    said = np.nansum(found.part_contribution[0])
    assert found.score[0] == pytest.approx(np.logaddexp(0, said), rel=1e-5)
    assert found.strain_index[0] == pytest.approx(100 / (1 + np.exp(-said)), rel=1e-5)


def test_a_part_that_stays_calm_takes_little_back_from_one_that_does_not():
    detector, at_s, _ = settled()
    arrays = detector.to_arrays()

    def score(skin):
        values = CENTRE.copy()
        values[FEATURE_INDEX["heart_rate_bpm"]] += 25
        values[FEATURE_INDEX["log_eda"]] = skin
        twin = Detector.from_arrays(arrays)
        for k in range(1, 41):  # as fast as skin can
            values[FEATURE_INDEX["log_eda"]] = usual + (skin - usual) * k / 40
            found = twin.step(rows(1), batch(at_s + 5 * k, values), learn=np.zeros(1, bool))
        return found.score[0]

    usual = CENTRE[FEATURE_INDEX["log_eda"]]
    assert score(np.nan) == pytest.approx(score(usual), abs=0.2)
    assert score(usual - 5) > score(usual) - 0.8  # it cannot take back more than log(1 - q)
    assert score(usual + 5) > score(usual) + 0.8


def test_doubt_makes_for_less_evidence():
    detector, at_s, _ = settled()
    arrays = detector.to_arrays()

    def total(**how):
        twin = Detector.from_arrays(arrays)
        return twin.step(
            rows(1), batch(at_s + 5, strained(), **how), learn=np.zeros(1, bool)
        ).score[0]

    sure = total()
    assert total(quality=0.4) < sure
    assert total(moving=True) < sure


def test_the_device_rate_only_stands_in():
    detector, at_s, _ = settled()
    arrays = detector.to_arrays()
    both = CENTRE.copy()
    both[FEATURE_INDEX["device_rate_bpm"]] += 40
    lone = both.copy()
    lone[FEATURE_INDEX["heart_rate_bpm"]] = np.nan
    heart = PARTS.index(Part.HEART)

    def contribution(values):
        twin = Detector.from_arrays(arrays)
        found = twin.step(rows(1), batch(at_s + 5, values), learn=np.zeros(1, bool))
        return found.part_contribution[0, heart]

    assert abs(contribution(both)) < 0.2
    assert contribution(lone) > 0.3


def test_a_rate_between_found_beats_is_a_guess_and_a_rate_alone_is_not():
    beat, device = FEATURE_INDEX["heart_rate_bpm"], FEATURE_INDEX["device_rate_bpm"]

    def score(*, beats_before):
        keep = np.zeros(D, dtype=bool)
        keep[[device, *([beat] if beats_before else [])]] = True
        detector, at_s, _ = settled(keep=keep)
        values = np.full(D, np.nan)
        values[device] = CENTRE[device] + 30
        return detector.step(rows(1), batch(at_s + 5, values), learn=np.zeros(1, bool)).score[0]

    assert score(beats_before=True) < score(beats_before=False) - 0.3


@pytest.mark.parametrize("hours", [0.5, 1.5])
def test_a_rate_is_a_guess_for_an_hour_after_the_last_beats(hours):
    beat, device = FEATURE_INDEX["heart_rate_bpm"], FEATURE_INDEX["device_rate_bpm"]
    keep = np.isin(np.arange(D), [beat, device])
    detector, at_s, _ = settled(keep=keep)
    none = np.where(np.arange(D) == device, CENTRE, np.nan)
    for _ in range(int(720 * hours)):
        at_s += 5
        detector.step(rows(1), batch(at_s, none), learn=np.ones(1, bool))
    none[device] += 30
    found = detector.step(rows(1), batch(at_s + 5, none), learn=np.zeros(1, bool))
    assert (found.score[0] > 1.1) == (hours > 1)


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_beats_counted_twice_or_lost_are_unknown_and_teach_nothing(factor):
    heart = np.isin([feature.name for feature in FEATURES], ["heart_rate_bpm", "device_rate_bpm"])
    detector, at_s, _ = settled(keep=heart)
    mean = detector.to_arrays()["mean"]
    values = np.where(heart, factor * CENTRE, np.nan)
    found = detector.step(rows(1), batch(at_s + 5, values), learn=np.ones(1, bool))
    assert found.part_level[0, PARTS.index(Part.HEART)] == UNKNOWN_LEVEL
    assert np.isnan(found.evidence[0])
    assert np.array_equal(mean, detector.to_arrays()["mean"])


def test_a_level_that_was_wrong_itself_gives_way_within_hours():
    heart = np.isin([feature.name for feature in FEATURES], ["heart_rate_bpm"])
    detector, at_s, _ = settled(keep=heart)
    values = np.where(heart, 2.0 * CENTRE, np.nan)
    for k in range(1, 4 * 720):
        found = detector.step(rows(1), batch(at_s + 5 * k, values), learn=np.ones(1, bool))
    assert np.isfinite(found.score[0])
    assert found.score[0] < 1


def test_what_must_not_teach_does_not():
    detector, at_s, _ = settled()
    before = detector.to_arrays()
    for k in range(1, 200):
        detector.step(rows(1), batch(at_s + 5 * k, strained()), learn=np.zeros(1, bool))
    after = detector.to_arrays()
    for name in set(Baseline.ARRAYS) - {"seconds"}:  # what is known grows old all the same
        assert np.array_equal(before[name], after[name])


def test_a_batch_equals_one_by_one_and_inputs_stay_untouched():
    n, rng = 7, np.random.default_rng(9)
    together = Detector()
    together.ensure(n)
    alone = [Detector() for _ in range(n)]
    for k in range(1, 40):
        values = calm(rng, n)
        values[rng.uniform(size=values.shape) < 0.2] = np.nan
        learn = rng.uniform(size=n) < 0.8
        given_batch = batch(5 * k, values, quality=0.9)
        copies = [a.copy() for a in (given_batch.values, given_batch.quality, learn)]
        found = together.step(rows(n), given_batch, learn=learn)
        for a in range(n):
            alone[a].ensure(1)
            one = alone[a].step(
                rows(1), batch(5 * k, values[a], quality=0.9), learn=learn[a : a + 1]
            )
            for name in ("score", "evidence", "quality", "part_contribution", "part_level"):
                single, batched = getattr(one, name)[0], getattr(found, name)[a]
                assert np.array_equal(single, batched, equal_nan=True), name
        for kept, now in zip(copies, (given_batch.values, given_batch.quality, learn), strict=True):
            assert np.array_equal(kept, now, equal_nan=True)


def test_part_of_the_floor_leaves_the_rest_alone():
    detector, at_s, _ = settled(n=5)
    before = detector.to_arrays()
    chosen = np.array([3, 1], dtype=np.intp)
    values = np.stack([strained(), CENTRE])
    detector.step(chosen, batch(at_s + 5, values), learn=np.ones(2, bool))
    after = detector.to_arrays()
    assert np.array_equal(before.pop("site"), after["site"]), "a step teaches nothing of the site"
    for name, array in before.items():
        assert np.array_equal(array[..., [0, 2, 4]], after[name][..., [0, 2, 4]])
        if name in {"mean", "seconds", "deviation", "last_s"}:
            assert not np.array_equal(array[..., chosen], after[name][..., chosen])


def test_a_restart_goes_on_bit_for_bit():
    detector, at_s, _ = settled(n=3)
    twin = Detector.from_arrays(detector.to_arrays())
    rng = np.random.default_rng(4)
    for k in range(1, 30):
        given_batch = batch(at_s + 5 * k, calm(rng, 3))
        one = detector.step(rows(3), given_batch, learn=np.ones(3, bool))
        two = twin.step(rows(3), given_batch, learn=np.ones(3, bool))
        assert one.evidence.tobytes() == two.evidence.tobytes()
    assert {n: a.tobytes() for n, a in detector.to_arrays().items()} == {
        n: a.tobytes() for n, a in twin.to_arrays().items()
    }


@pytest.mark.parametrize("teaches", [False, True])
def test_a_second_source_of_the_same_moment_counts_once(teaches):
    detector, at_s, _ = settled()
    twin = Detector.from_arrays(detector.to_arrays())
    learn = np.array([teaches])
    half = strained()
    half[FEATURE_INDEX["log_eda"]] = np.nan
    for k in range(1, 12):
        detector.step(rows(1), batch(at_s + 5 * k, half), learn=learn)
        found = detector.step(rows(1), batch(at_s + 5 * k, strained()), learn=learn)
        plain = twin.step(rows(1), batch(at_s + 5 * k, strained()), learn=learn)
        if not teaches:
            assert found.evidence[0] == pytest.approx(plain.evidence[0], rel=1e-6)
    ours, theirs = detector.to_arrays(), twin.to_arrays()
    assert ours["seconds"] == pytest.approx(theirs["seconds"], rel=1e-6)
    assert ours["mean"] == pytest.approx(theirs["mean"], rel=1e-6)


def test_an_older_window_changes_nothing():
    detector, at_s, _ = settled()
    before = detector.to_arrays()
    found = detector.step(rows(1), batch(at_s - 60, strained()), learn=np.ones(1, bool))
    assert np.isnan(found.evidence[0])
    after = detector.to_arrays()
    for name, array in before.items():
        assert np.array_equal(array, after[name], equal_nan=True), name


def test_growing_keeps_what_is_known():
    detector, _, _ = settled()
    before = detector.to_arrays()
    detector.ensure(100)
    after = detector.to_arrays()
    for name, array in before.items():
        assert np.array_equal(array, after[name][..., :1], equal_nan=True)


def test_what_was_usual_yesterday_is_told_again_once_today_s_level_is_known():
    detector, at_s, _ = settled()
    rng, at_s = np.random.default_rng(1), at_s + 16 * 3600.0
    heart = FEATURE_INDEX["heart_rate_bpm"]
    hours = []
    for k in range(14):
        detector.step(rows(1), batch(at_s + 5 * k, calm(rng)), learn=np.ones(1, bool))
        hours.append(float(detector.usual(rows(1))[2][0, heart]))
    assert hours[:6] == [0.0] * 6, (
        "a night leaves next to nothing of a level, but not quite nothing"
    )
    assert hours[-1] > 0.4
