"""The pitch track against known voices, Praat's costs and a slow correlation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import spectrogram

from sensors.voice import pitch
from tests.sensors.voice.synthesis import RATE, voice


def tone(*hz: float, seconds: float = 1.0, rate: int = RATE) -> np.ndarray:
    at_s = np.arange(int(seconds * rate)) / rate
    return sum(0.1 * np.sin(2 * np.pi * one * at_s) for one in hz).astype(np.float32)


def test_power_spectra_are_those_of_scipy():
    # Whole periods in a frame: without a mean there is none to take out.
    sound = tone(200.0, 1025.0)
    frames = pitch.cut(sound, RATE)
    # Half a sample in from the zeros; everybody else's Hann begins with one.
    window = pitch._window(frames.frame)
    _, _, theirs = spectrogram(
        sound,
        window=window,
        noverlap=frames.frame - round(pitch.HOP_S * RATE),
        nfft=frames.n_fft,
        detrend=False,
        scaling="spectrum",
        mode="magnitude",
    )
    theirs = theirs * window.sum()
    least = 1e-3 * float(theirs.max()) ** 2
    np.testing.assert_allclose(frames.power.T, theirs**2, rtol=1e-3, atol=least)


def test_correlation_is_that_of_the_slow_way():
    sound = voice(150, jitter=0.01, hnr_db=15, seconds=0.3).samples
    frames = pitch.cut(sound, RATE)
    window = pitch._window(frames.frame).astype(float)
    piece = sound[: frames.frame].astype(float)
    piece = (piece - piece.mean()) * window

    def slow(x: np.ndarray, lag: int) -> float:
        return float(x[: x.size - lag] @ x[lag:] / (x @ x))

    found = pitch._correlation(frames, np.arange(1))[0]
    for lag in (0, 1, 40, 107, 213):
        assert found[lag] == pytest.approx(slow(piece, lag) / slow(window, lag), abs=1e-4)


@pytest.mark.parametrize("f0_hz", [80.0, 110.0, 160.0, 240.0, 350.0, 550.0])
def test_every_voiced_frame_has_the_known_pitch(f0_hz):
    track = pitch.track(pitch.cut(tone(f0_hz, 2 * f0_hz, 3 * f0_hz), RATE))
    assert track.f0_hz == pytest.approx(np.full(track.f0_hz.size, f0_hz), rel=1e-3)
    assert track.periodicity == pytest.approx(np.ones(track.f0_hz.size), abs=0.005)


def test_a_rough_voice_keeps_its_octave():
    # Praat's own octave cost of 0.01 halves the pitch of some of these.
    for f0_hz in (100.0, 140.0, 180.0, 260.0):
        made = voice(f0_hz, jitter=0.02, shimmer=0.05, hnr_db=20, seconds=2.0)
        found = pitch.track(pitch.cut(made.samples, RATE)).f0_hz
        voiced = found[found > 0]
        assert np.mean(np.abs(voiced / made.f0_hz - 1) > 0.2) < 0.02


def test_periodicity_is_the_known_share_of_the_energy():
    made = voice(140, hnr_db=10)
    frames = pitch.cut(made.samples, RATE)
    found = pitch.track(frames).periodicity
    assert found[found > 0].mean() == pytest.approx(10 / 11, abs=0.01)


def test_noise_and_silence_have_no_pitch():
    noise = np.random.default_rng(3).standard_normal(RATE).astype(np.float32)
    assert np.mean(pitch.track(pitch.cut(0.1 * noise, RATE)).f0_hz > 0) < 0.05
    silence = np.zeros(RATE, dtype=np.float32)
    assert not pitch.track(pitch.cut(silence, RATE)).f0_hz.any()


def test_the_onset_of_a_voice_is_where_it_is():
    # What is loud only at the edge of a frame does not make its middle voiced.
    sound = np.concatenate([np.zeros(RATE // 2, dtype=np.float32), tone(150, 300, 450)])
    sound[: RATE // 2] += 1e-4 * np.random.default_rng(1).standard_normal(RATE // 2)
    frames = pitch.cut(sound, RATE)
    begins = frames.centre[np.flatnonzero(pitch.track(frames).f0_hz)[0]] / RATE
    assert begins == pytest.approx(0.5, abs=0.015)


def test_frames_of_a_part_are_a_part_of_the_frames():
    sound = voice(130, jitter=0.01).samples
    hop = round(pitch.HOP_S * RATE)
    whole, part = pitch.cut(sound, RATE), pitch.cut(sound[100 * hop :], RATE)
    np.testing.assert_allclose(whole.power[100:], part.power, rtol=1e-5, atol=1e-9)
    assert np.array_equal(whole.centre[100:], part.centre + 100 * hop)


def test_gain_and_direct_current_change_no_pitch():
    sound = voice(130, jitter=0.01, hnr_db=15).samples
    usual = pitch.track(pitch.cut(sound, RATE)).f0_hz
    for other in (0.01 * sound, sound + np.float32(0.1), -sound):
        assert pitch.track(pitch.cut(other, RATE)).f0_hz == pytest.approx(usual, rel=1e-3)


def test_one_frame_is_enough():
    track = pitch.track(pitch.cut(tone(200, seconds=pitch.FRAME_S), RATE))
    assert track.f0_hz == pytest.approx([200.0], rel=1e-3)


def test_leaving_out_what_is_silent_changes_no_path(monkeypatch):
    rng = np.random.default_rng(8)
    sound = np.concatenate([tone(180, 360), 1e-4 * tone(150, 300), 0.02 * tone(110, 220)] * 2)
    sound += (1e-3 * rng.standard_normal(sound.size)).astype(np.float32)
    frames = pitch.cut(sound, RATE)
    short = pitch.track(frames)
    monkeypatch.setattr(pitch, "_SURELY_UNVOICED", np.inf)
    whole = pitch.track(frames)
    assert 0.3 < (short.f0_hz > 0).mean() < 0.9
    assert np.array_equal(short.f0_hz, whole.f0_hz)
    assert np.array_equal(short.periodicity, whole.periodicity)
