"""Jitter, shimmer and harmonicity against voices made in three other ways, and their parts."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks._voices import RATE, Recipe, make, recipes
from benchmarks._voices_other import make_other, others
from sensors.voice import changes, cycles, overlay, pitch
from sensors.voice.features import extract
from tests.sensors.voice.synthesis import voice


def measured(samples: np.ndarray) -> changes.Changes | None:
    frames = pitch.cut(samples, RATE)
    return cycles.measure(samples, frames, pitch.track(frames))


@pytest.mark.parametrize(
    ("varied", "feature", "truth"),
    [
        ("jitter", "jitter_local", "jitter"),
        ("shimmer", "shimmer_local", "shimmer"),
        ("hnr_db", "hnr_db", "hnr"),
    ],
)
def test_bias_and_correlation_over_vowels_and_ways_of_making_a_voice(varied, feature, truth):
    voices = [make(recipe) for recipe in recipes(16, 7, varied)]
    known = np.array([getattr(one, truth) for one in voices])
    found = np.array([getattr(extract(one.samples, RATE), feature) for one in voices])
    assert abs(found.mean() / known.mean() - 1) < 0.1
    assert np.corrcoef(known, found)[0, 1] > 0.95


def test_two_disturbances_do_not_spoil_the_third():
    """Jitter, shimmer and noise at once, in voices made in yet another way."""
    drawn = others(20, 11, "jitter", "shimmer", "hnr_db")
    voices = [make_other(recipe, rate) for recipe, rate in drawn]
    found = [extract(one.samples, rate) for one, (_, rate) in zip(voices, drawn, strict=True)]
    for feature, truth, least_known in (
        ("jitter_local", "jitter", 0.8),
        ("shimmer_local", "shimmer", 0.3),
        ("hnr_db", "hnr", 1.0),
    ):
        pairs = [
            (getattr(v, truth), getattr(f, feature)) for v, f in zip(voices, found, strict=True)
        ]
        known = np.array([pair for pair in pairs if pair[1] is not None])
        assert len(known) >= least_known * len(pairs), feature
        assert abs(known[:, 1].mean() / known[:, 0].mean() - 1) < 0.15, feature
        assert np.corrcoef(known.T)[0, 1] > 0.9, feature


@pytest.mark.parametrize("f0_hz", [100.0, 160.0, 220.0])
def test_noise_is_not_taken_for_jitter_or_shimmer(f0_hz):
    made = voice(f0_hz, jitter=0.01, shimmer=0.06, hnr_db=22)
    found = measured(made.samples)
    assert found.jitter_local == pytest.approx(made.jitter_local, rel=0.1)
    assert found.shimmer_local == pytest.approx(made.shimmer_local, rel=0.2)


def test_more_noise_than_a_voice_changes_by_leaves_it_unknown():
    made = {hnr_db: voice(200, shimmer=0.01, hnr_db=hnr_db) for hnr_db in (30, 8)}
    found = {hnr_db: measured(one.samples) for hnr_db, one in made.items()}
    assert found[30].jitter_local < 0.001
    assert found[30].shimmer_local == pytest.approx(made[30].shimmer_local, rel=0.5)
    # Times can still be told where sizes no more can.
    assert found[8].jitter_local < 0.004
    assert found[8].shimmer_local is None
    # A high /i/ is near a sine: noise beside its one strong partial is a change of time and size.
    near_sine = Recipe(331, "i", "impulse", shaped_noise=True, seed=3, jitter=0.004, hnr_db=15)
    found_near = measured(make(near_sine).samples)
    assert found_near.jitter_local is None
    assert found_near.shimmer_local is None


def test_jitter_is_not_taken_for_noise():
    made = voice(120, jitter=0.015, hnr_db=20)
    frames = pitch.cut(made.samples, RATE)
    track = pitch.track(frames)
    share = track.periodicity[track.f0_hz > 0].mean()
    by_frames_db = 10 * np.log10(share / (1 - share))
    assert by_frames_db < 14
    assert extract(made.samples, RATE).hnr_db == pytest.approx(20, abs=1)


def test_certainty_tells_whose_work_the_change_is():
    rough = measured(voice(120, jitter=0.02, hnr_db=25).samples)
    noisy = measured(voice(120, jitter=0.0, hnr_db=10).samples)
    assert rough.certainty > 0.9
    assert noisy.certainty < 0.5


def test_a_steady_voice_has_next_to_no_jitter_and_shimmer():
    found = measured(voice(137).samples)
    assert found.jitter_local < 2e-4
    assert found.shimmer_local < 4e-3


def test_too_few_cycles_are_no_measure():
    assert measured(voice(100, seconds=0.2).samples) is None
    assert measured(np.zeros(RATE, dtype=np.float32)) is None


def test_gain_and_direct_current_change_nothing():
    sound = voice(150, jitter=0.01, shimmer=0.05, hnr_db=20).samples
    usual = measured(sound)
    for other in (0.01 * sound, sound + np.float32(0.05)):
        found = measured(other)
        assert found.jitter_local == pytest.approx(usual.jitter_local, rel=0.02)
        assert found.shimmer_local == pytest.approx(usual.shimmer_local, rel=0.02)


def test_shifts_between_the_samples_are_found():
    # A pulse every 100.3 samples.
    at = np.arange(20_000, dtype=float)
    times = 200 + 100.3 * np.arange(150)
    sound = sum(np.exp(-0.5 * ((at - t) / 4) ** 2) for t in times).astype(np.float32)
    marks = np.rint(times).astype(np.intp)
    found = overlay.align(sound, marks, 50, 10)
    assert np.diff(marks) + found.shift == pytest.approx(100.3, abs=0.02)
    assert found.likeness.min() > 0.998
    good = np.ones(marks.size - 1, dtype=bool)
    places = overlay.places(marks, found.shift, good)
    assert np.diff(places) == pytest.approx(100.3, abs=0.02)
    laid = overlay.cut(sound, places, 50)
    assert np.ptp(laid, axis=0).max() < 0.04
    whole = changes.measure(np.diff(marks) + found.shift, laid, laid, good, 1.0)
    assert whole.periodicity > 0.999
    assert whole.jitter_local < 2e-4


def test_places_begin_anew_where_two_cycles_are_no_neighbours():
    marks = np.array([100, 200, 300, 400, 500])
    good = np.array([True, False, True, True])
    places = overlay.places(marks, np.array([1.0, 9.0, 2.0, 3.0]), good)
    assert places == pytest.approx([100, 201, 300, 402, 505])


def test_what_both_halves_of_the_spectrum_tell_is_the_voices():
    """Noise of either half is taken out, however large it is beside the other's."""
    rng = np.random.default_rng(4)
    own, low, high = rng.standard_normal((3, 20_000)) * np.array([[1.0], [0.5], [1.5]])
    found = changes._common(np.stack([own + low, own + high]))
    assert found.mean == pytest.approx(np.sqrt(2 / np.pi), rel=0.04)
    alone = changes._common(np.stack([low, high]))
    assert alone.share < 0.05
    assert alone.mean < 0.25 * alone.noise
    # Half the distance between the two: what is left of the noise in their mean.
    assert alone.between == pytest.approx(np.sqrt(2 / np.pi) * np.hypot(0.5, 1.5) / 2, rel=0.03)


def test_times_and_sizes_are_found_in_either_half_of_the_spectrum():
    rng = np.random.default_rng(5)
    times, sizes = 0.1 * rng.standard_normal(200), 1 + 0.05 * rng.standard_normal(200)
    at = np.arange(64)[None, :] - 32 - times[:, None]
    laid = sizes[:, None] * np.exp(-0.5 * (at / 3) ** 2) * np.cos(0.5 * at)
    first = np.arange(190)
    found = changes._fits(laid.astype(np.float32), first, 1.0)
    beside = np.stack([times[first + i] for i in (0, 1, 5, 6)]).mean(axis=0)
    for i in range(3):
        true = times[first + 2 + i] - beside
        assert np.abs(found.time[i] - true).max() < 0.05
        assert np.corrcoef(found.time[i, 0], true)[0, 1] > 0.99
        assert np.corrcoef(found.time[i, 1], true)[0, 1] > 0.99
    steps = np.diff(found.whole[:2], axis=0)[0], np.diff(sizes)[first + 2]
    assert np.corrcoef(*steps)[0, 1] > 0.98
