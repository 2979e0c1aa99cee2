"""Loudness and shape of the spectrum against librosa and against known spectra."""

from __future__ import annotations

import librosa
import numpy as np
import pytest

from sensors.voice import pitch, spectrum
from tests.sensors.voice.synthesis import RATE


def tone(hz: float, level: float = 0.1, seconds: float = 1.0) -> np.ndarray:
    at_s = np.arange(int(seconds * RATE)) / RATE
    return (level * np.sin(2 * np.pi * hz * at_s)).astype(np.float32)


def shape_of(sound: np.ndarray, noise: np.ndarray | None = None) -> spectrum.Shape:
    frames = pitch.cut(sound.astype(np.float32), RATE)
    if noise is None:
        noise = np.zeros(frames.power.shape[1], dtype=np.float32)
    return spectrum.shape(frames, np.ones(frames.power.shape[0], dtype=bool), noise)


def test_loudness_at_one_kilohertz_is_the_root_mean_square():
    sound = tone(1000, 0.2)
    frames = pitch.cut(sound, RATE)
    windows = np.lib.stride_tricks.sliding_window_view(sound, 640)[::160]
    theirs = np.sqrt(np.mean(windows.astype(np.float64) ** 2, axis=1))
    ours = spectrum.loudness_db(frames)
    assert ours == pytest.approx(20 * np.log10(theirs), abs=0.05)


@pytest.mark.parametrize("hz", [200.0, 500.0, 3000.0, 6000.0])
def test_loudness_follows_the_weighting(hz):
    level = spectrum.loudness_db(pitch.cut(tone(hz), RATE)).mean()
    assert level == pytest.approx(-23.01 + librosa.A_weighting(hz), abs=0.15)


def test_semitones_are_twelve_an_octave():
    assert np.diff(spectrum.semitones([110.0, 220.0, 440.0])) == pytest.approx([12.0, 12.0])


def test_a_bright_sound_lowers_both_ratios():
    dark = shape_of(tone(400, 0.3) + tone(2400, 0.003))
    bright = shape_of(tone(400, 0.3) + tone(2400, 0.1))
    assert dark.alpha_ratio_db > bright.alpha_ratio_db + 25
    assert dark.hammarberg_db > bright.hammarberg_db + 25


def test_the_noise_between_the_speech_is_taken_out():
    rng = np.random.default_rng(2)
    voice = sum(tone(150 * k, 0.1 / k**2, seconds=2.0) for k in range(1, 30))
    hiss = (0.003 * rng.standard_normal(4 * RATE)).astype(np.float32)
    sound = np.concatenate([voice, np.zeros_like(voice)]) + hiss
    frames = pitch.cut(sound, RATE)
    speech = frames.centre < 2 * RATE - frames.frame
    noise = spectrum.between(frames, spectrum.loudness_db(frames), speech)
    clear = shape_of(voice)
    plain = spectrum.shape(frames, speech, np.zeros_like(noise))
    cleaned = spectrum.shape(frames, speech, noise)
    assert plain.alpha_ratio_db < clear.alpha_ratio_db - 2
    assert cleaned.alpha_ratio_db == pytest.approx(clear.alpha_ratio_db, abs=1.0)


def test_a_click_between_the_speech_is_no_noise():
    sound = tone(150, seconds=2.0)
    sound[RATE:] = 0.0
    sound[int(1.5 * RATE)] = 1.0
    frames = pitch.cut(sound, RATE)
    speech = frames.centre < RATE
    noise = spectrum.between(frames, spectrum.loudness_db(frames), speech)
    assert noise.max() < 1e-3 * frames.power.max()


def test_without_a_pause_there_is_no_noise_to_know():
    frames = pitch.cut(tone(150), RATE)
    everywhere = np.ones(frames.power.shape[0], dtype=bool)
    assert not spectrum.between(frames, spectrum.loudness_db(frames), everywhere).any()


def test_half_the_sample_rate_of_the_telephone_has_no_high_band():
    sound = tone(400)[::2].copy()
    frames = pitch.cut(sound, 8000)
    flat = np.zeros(frames.power.shape[1], dtype=np.float32)
    found = spectrum.shape(frames, np.ones(frames.power.shape[0], dtype=bool), flat)
    assert found.alpha_ratio_db is None
    assert found.hammarberg_db is None
    assert np.isfinite(found.slope_0_500_db_hz)
