"""Jitter, shimmer and harmonicity against voices made in three other ways, and their parts."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks._voices import RATE, make, recipes
from sensors.voice import cycles, overlay, pitch
from sensors.voice.features import extract
from tests.sensors.voice.synthesis import voice


def measured(samples: np.ndarray) -> cycles.Cycles | None:
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


@pytest.mark.parametrize("f0_hz", [100.0, 160.0, 220.0])
def test_noise_is_not_taken_for_jitter_or_shimmer(f0_hz):
    made = voice(f0_hz, jitter=0.01, shimmer=0.06, hnr_db=15)
    found = measured(made.samples)
    assert found.jitter_local == pytest.approx(made.jitter_local, rel=0.2)
    assert found.shimmer_local == pytest.approx(made.shimmer_local, rel=0.25)


def test_jitter_is_not_taken_for_noise():
    made = voice(120, jitter=0.015, hnr_db=20)
    frames = pitch.cut(made.samples, RATE)
    track = pitch.track(frames)
    share = track.periodicity[track.f0_hz > 0].mean()
    by_frames_db = 10 * np.log10(share / (1 - share))
    found_db = extract(made.samples, RATE).hnr_db
    # The cycle before still rings when the next comes early, so some is lost all the same.
    assert by_frames_db < 14
    assert 15 < found_db < 20


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
    assert overlay.periodicity(laid, good) > 0.999


def test_places_begin_anew_where_two_cycles_are_no_neighbours():
    marks = np.array([100, 200, 300, 400, 500])
    good = np.array([True, False, True, True])
    places = overlay.places(marks, np.array([1.0, 9.0, 2.0, 3.0]), good)
    assert places == pytest.approx([100, 201, 300, 402, 505])


def test_noise_is_measured_as_it_disturbs():
    """Time and size of a known pattern, fitted in known noise, scatter as foretold."""
    rng = np.random.default_rng(4)
    at = np.arange(64)
    pattern = (np.exp(-0.5 * ((at - 32) / 3) ** 2) * np.cos(0.5 * (at - 32))).astype(np.float32)
    slope = np.fft.irfft(2j * np.pi * np.fft.rfftfreq(64) * np.fft.rfft(pattern))
    rest = 0.05 * rng.standard_normal((4000, 64)).astype(np.float32)
    sizes = rest @ pattern / (pattern @ pattern)
    times = -(rest @ slope) / (slope @ slope)
    # A quarter more, because the mean of four neighbours is noisy too.
    patterns = np.tile(pattern, (4000, 1))
    of_time, of_size = overlay.noise(patterns, rest * np.float32(np.sqrt(1.25)))
    assert of_size == pytest.approx(sizes.var(), rel=0.1)
    assert of_time == pytest.approx(times.var(), rel=0.1)
