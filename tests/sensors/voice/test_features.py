"""Features against synthetic voices of known f0, jitter, shimmer and harmonicity."""

from __future__ import annotations

import doctest
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensors.sections import Voice
from sensors.signals import SIGNALS, Channel, of_channel
from sensors.voice import features
from sensors.voice.features import VoiceFeatures, extract
from tests.sensors.voice.synthesis import RATE, voice

F0_HZ = [90.0, 120.0, 165.0, 200.0, 300.0]


def tone(hz: float, level: float, seconds: float = 5.0, rate: int = RATE) -> np.ndarray:
    return level * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate)) / rate)


@pytest.mark.parametrize("f0_hz", F0_HZ)
def test_pitch_within_five_cents(f0_hz):
    made = voice(f0_hz, jitter=0.005)
    found = extract(made.samples, RATE)
    assert abs(1200 * np.log2(found.f0_hz / made.f0_hz)) < 5
    assert found.f0_spread_st < 0.3
    assert abs(found.f0_slope_st_s) < 0.1
    assert found.voiced_ratio > 0.95
    assert found.speech_ratio > 0.95
    assert found.quality == 1.0


def test_pitch_glide_has_its_spread_and_slope():
    at_s = np.arange(5 * RATE) / RATE
    f0_hz = 120.0 * 2 ** (at_s * 2.0 / 12)  # two semitones a second
    phase = 2 * np.pi * np.cumsum(f0_hz) / RATE
    found = extract(0.05 * sum(np.sin(k * phase) / k for k in range(1, 8)), RATE)
    assert found.f0_slope_st_s == pytest.approx(2.0, abs=0.05)
    assert found.f0_spread_st == pytest.approx(6.0, abs=0.2)


@pytest.mark.parametrize("jitter", [0.002, 0.005, 0.01, 0.02])
@pytest.mark.parametrize("f0_hz", F0_HZ)
def test_jitter_within_a_seventh(f0_hz, jitter):
    made = voice(f0_hz, jitter=jitter)
    assert extract(made.samples, RATE).jitter_local == pytest.approx(made.jitter_local, rel=0.15)


@pytest.mark.parametrize("shimmer", [0.01, 0.03, 0.06, 0.1])
@pytest.mark.parametrize("f0_hz", F0_HZ)
def test_shimmer_within_an_eighth(f0_hz, shimmer):
    made = voice(f0_hz, shimmer=shimmer)
    assert extract(made.samples, RATE).shimmer_local == pytest.approx(made.shimmer_local, rel=0.13)


@pytest.mark.parametrize("hnr_db", [5, 10, 15, 20])
@pytest.mark.parametrize("f0_hz", [100.0, 150.0, 200.0])
def test_harmonicity_within_a_decibel_and_a_half(f0_hz, hnr_db):
    made = voice(f0_hz, hnr_db=hnr_db)
    assert extract(made.samples, RATE).hnr_db == pytest.approx(hnr_db, abs=1.5)


def test_noise_lowers_harmonicity_and_raises_jitter():
    clear, hoarse = (extract(voice(150, hnr_db=h).samples, RATE) for h in (30, 8))
    assert clear.hnr_db > hoarse.hnr_db + 10
    assert clear.jitter_local < hoarse.jitter_local


def test_loudness_of_a_full_scale_tone_of_one_kilohertz():
    # A 1 kHz tone has no pitch below 600 Hz of its own, but repeats at 500 Hz and so counts.
    found = extract(tone(500, 0.999), RATE)
    # A-weighting at 500 Hz is -3.2 dB, the sine's mean square -3.0 dB.
    assert found.loudness_db == pytest.approx(-6.25, abs=0.1)
    assert extract(tone(500, 0.0999), RATE).loudness_db == pytest.approx(-26.25, abs=0.1)


def test_alpha_ratio_and_hammarberg_index_are_low_over_high():
    # Partials at 400 Hz and 2.4 kHz, the lower ten times (20 dB) the stronger.
    found = extract(tone(400, 0.3) + tone(2400, 0.03), RATE)
    assert found.alpha_ratio_db == pytest.approx(20.0, abs=0.3)
    assert found.hammarberg_db == pytest.approx(20.0, abs=0.3)


def test_slopes_of_a_falling_spectrum_are_negative():
    # 100 Hz partials falling by 10 dB a kilohertz: -0.01 dB/Hz.
    sound = sum(tone(100 * k, 0.1 * 10 ** (-0.05 * k)) for k in range(1, 40))
    found = extract(sound, RATE)
    assert found.slope_500_1500_db_hz == pytest.approx(-0.01, abs=0.003)


def test_pauses_and_syllables():
    # Ten bursts of 0.25 s, 0.25 s apart.
    sound = voice(140).samples.copy()
    at_s = np.arange(sound.size) / RATE
    sound[(at_s % 0.5) >= 0.25] *= 1e-4
    found = extract(sound, RATE)
    assert found.speech_ratio == pytest.approx(0.5, abs=0.1)
    assert found.pause_ratio == pytest.approx(0.47, abs=0.1)
    assert found.speech_rate_hz * found.speech_ratio * 5 == pytest.approx(10, abs=1.1)


def test_a_vowel_held_beyond_the_window_is_one_syllable():
    # Once the window's own ends were counted as crests.
    found = extract(voice(140, seconds=6.0).samples[RATE // 2 :][: 5 * RATE], RATE)
    assert found.speech_ratio == 1.0
    assert round(found.speech_rate_hz * 5) == 1


@pytest.mark.parametrize("rate", [8000, 16_000, 44_100, 48_000])
@pytest.mark.parametrize("kind", ["click", "step"])
def test_one_event_in_silence_is_no_speech(kind, rate):
    # Smooth correlations have peaks one bit high: at 44.1 kHz that was a division by zero.
    sound = np.zeros(5 * rate)
    sound[sound.size // 2 :][: None if kind == "step" else 1] = 0.5
    assert extract(sound, rate).known() == {"speech_ratio": 0.0}


def test_the_hum_in_the_pauses_has_no_part_in_the_jitter():
    """It is as regular as the mains: jitter of 1.4 % was measured as 0.002 %."""
    sound = voice(140, jitter=0.015, hnr_db=30).samples.copy()
    at_s = np.arange(sound.size) / RATE
    sound[(at_s % 1.0) >= 0.4] = 0.0
    hum = tone(100, 0.3 * float(np.std(sound)), 5.0)
    usual, found = extract(sound, RATE), extract(sound + hum, RATE)
    assert found.speech_ratio == pytest.approx(usual.speech_ratio, abs=0.05)
    assert found.jitter_local == pytest.approx(usual.jitter_local, rel=0.15)


@pytest.mark.parametrize("level", [0.3, 0.01])
def test_a_key_that_is_struck_is_no_measure_of_how_loud_somebody_speaks(level):
    """A click at full scale made a voice 30 dB below it silence, and one 10 dB below it shorter."""
    sound = voice(140, jitter=0.01, shimmer=0.03, hnr_db=25, level=level).samples.copy()
    at_s = np.arange(sound.size) / RATE
    sound[(at_s % 1.0) >= 0.6] = 0.0
    sound += np.float32(1e-3 * level) * np.random.default_rng(1).standard_normal(sound.size)
    usual = extract(sound, RATE)
    struck = sound.copy()
    for at in (round(0.8 * RATE), round(2.75 * RATE)):  # between two words
        struck[at : at + 64] += np.exp(-np.arange(64) / 12)
    found = extract(struck, RATE)
    assert usual.speech_ratio == pytest.approx(0.6, abs=0.05)
    for name in usual.known().keys() - {"jitter_local", "shimmer_local", "hnr_db"}:
        assert getattr(found, name) == pytest.approx(getattr(usual, name), rel=0.05, abs=0.02), name
    assert found.jitter_local == pytest.approx(usual.jitter_local, rel=0.1)


def test_silence_is_no_speech_and_of_no_quality():
    found = extract(np.zeros(5 * RATE), RATE)
    assert found.known() == {"speech_ratio": 0.0}
    assert found.quality == 0.0


def test_steady_noise_is_no_speech():
    rng = np.random.default_rng(5)
    found = extract(0.05 * rng.standard_normal(5 * RATE), RATE)
    assert found.speech_ratio < 0.1
    assert found.f0_hz is None


@pytest.mark.parametrize("snr_db", [20, 15, 10])
def test_steady_noise_between_phrases_is_no_speech(snr_db):
    # Before, everything within 30 dB of the loudest and near a vowel was speech.
    sound = voice(140).samples.copy()
    at_s = np.arange(sound.size) / RATE
    sound[(at_s % 1.0) >= 0.6] = 0.0
    spoken = np.mean(sound[at_s % 1.0 < 0.6] ** 2)
    noise = np.random.default_rng(2).standard_normal(sound.size)
    found = extract(sound + noise * np.sqrt(spoken / 10 ** (snr_db / 10)), RATE)
    assert found.speech_ratio == pytest.approx(0.6, abs=0.08)
    assert found.voiced_ratio > 0.9


def test_shifting_the_window_by_a_frame_changes_little():
    made = voice(150, jitter=0.01, shimmer=0.04, hnr_db=20, seconds=5.1)
    one, other = extract(made.samples[:-1600], RATE), extract(made.samples[1600:], RATE)
    # In one long vowel there is only chance in the slope and in the number of syllables.
    for name in one.known().keys() - {"f0_slope_st_s", "speech_rate_hz"}:
        assert getattr(other, name) == pytest.approx(getattr(one, name), rel=0.1, abs=0.05)


def test_direct_current_changes_nothing():
    made = voice(150, jitter=0.01, shimmer=0.03, hnr_db=20)
    usual, other = extract(made.samples, RATE), extract(made.samples + np.float32(0.05), RATE)
    for name in usual.known():
        assert getattr(other, name) == pytest.approx(getattr(usual, name), rel=0.02, abs=0.01)


@pytest.mark.parametrize("kind", [list, np.float32, np.float64])
def test_lists_and_both_widths_of_numbers_are_the_same_sound(kind):
    samples = voice(150, jitter=0.01, seconds=1.0).samples
    given = samples.tolist() if kind is list else samples.astype(kind)
    assert extract(given, RATE) == extract(samples, RATE)


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.bool_, np.complex64])
def test_whole_numbers_are_refused_with_what_to_do(dtype):
    with pytest.raises(TypeError, match=r"divide 16-bit samples by 32768\.0"):
        extract(np.zeros(RATE, dtype=dtype), RATE)


@pytest.mark.parametrize("rate", [16_000.0, "16000", None, np.zeros(RATE)])
def test_a_rate_that_is_no_whole_number_is_refused_with_the_order(rate):
    with pytest.raises(TypeError, match=r"expected int: extract\(samples, sample_rate\)"):
        extract(np.zeros(RATE, dtype=np.float32), rate)


@pytest.mark.parametrize("size", [640, 641, 900, 1600, 12_347])
def test_short_and_odd_windows_are_taken(size):
    found = extract(voice(150, jitter=0.01, seconds=1.0).samples[:size], RATE)
    assert 0.0 <= found.quality <= 1.0
    # Three frames in a row are the shortest vowel.
    assert (found.speech_ratio > 0.5) == (size >= 1600)


def test_little_speech_lowers_the_quality():
    sound = voice(140).samples.copy()
    sound[RATE:] = 0.0
    assert 0.3 < extract(sound, RATE).quality < 0.9


def test_telephone_band_leaves_out_what_it_cannot_hold():
    found = extract(voice(140, rate=8000).samples, 8000)
    assert found.alpha_ratio_db is None
    assert found.hammarberg_db is None
    assert found.f0_hz == pytest.approx(140, rel=0.003)


@pytest.mark.parametrize("rate", [8000, 22_050, 44_100, 48_000])
def test_other_sample_rates_give_the_same_voice(rate):
    made = voice(150, jitter=0.01, rate=rate)
    found = extract(made.samples, rate)
    assert found.f0_hz == pytest.approx(made.f0_hz, rel=0.003)
    assert found.jitter_local == pytest.approx(made.jitter_local, rel=0.15)


def test_gain_changes_the_loudness_only():
    made = voice(150, jitter=0.01, shimmer=0.03, hnr_db=20)
    loud, soft = extract(made.samples, RATE), extract(0.05 * made.samples, RATE)
    assert loud.loudness_db - soft.loudness_db == pytest.approx(26.0, abs=0.1)
    for name in loud.known().keys() - {"loudness_db"}:
        assert getattr(soft, name) == pytest.approx(getattr(loud, name), rel=0.02, abs=1e-4)


@pytest.mark.parametrize("gain_db", [-20, -40])
def test_a_microphone_turned_down_changes_no_speech_and_no_pitch(gain_db):
    """As 16 bits hold it. Weak syllables fell below -70 dBFS and were pauses."""
    sound = voice(140, jitter=0.01, hnr_db=20).samples.copy()
    at_s = np.arange(sound.size) / RATE
    sound[(at_s % 1.0) >= 0.6] = 0.0
    sound[(at_s % 1.0) < 0.3] *= 0.1  # a weak syllable, then a strong one
    soft = np.round(sound * 10 ** (gain_db / 20) * 32_768) / 32_768
    usual, found = extract(sound, RATE), extract(soft, RATE)
    assert found.speech_ratio == pytest.approx(usual.speech_ratio, abs=0.01)
    assert found.f0_hz == pytest.approx(usual.f0_hz, rel=0.005)
    assert found.jitter_local == pytest.approx(usual.jitter_local, rel=0.1)
    assert found.hnr_db == pytest.approx(usual.hnr_db, abs=1.5)


def test_input_is_left_as_it_is_and_the_result_repeats():
    samples = voice(150).samples
    before = samples.copy()
    assert extract(samples, RATE) == extract(samples, RATE)
    assert np.array_equal(samples, before)


@pytest.mark.parametrize(
    ("samples", "rate", "words"),
    [
        (np.zeros((5, 2)), RATE, r"shape \(5, 2\); expected \(640 or more,\): one channel"),
        (np.zeros(100), RATE, "640 or more"),
        (np.full(RATE, np.nan), RATE, "not finite"),
        (np.full(RATE, -1e300), RATE, "reach 1e\\+300; expected -1 to 1"),
        (np.zeros(RATE), 4000, "sample_rate is 4000"),
    ],
)
def test_what_is_no_sound_is_refused(samples, rate, words):
    with pytest.raises(ValueError, match=words):
        extract(samples, rate)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    kind=st.sampled_from(["noise", "clicks", "square", "step", "tiny"]),
    size=st.integers(640, 20_000),
)
def test_any_sound_gives_values_the_catalogue_accepts(seed, kind, size):
    rng = np.random.default_rng(seed)
    sound = {
        "noise": rng.standard_normal(size),
        "clicks": (rng.random(size) < 0.01) * 1.0,
        "square": np.sign(np.sin(np.arange(size) * rng.uniform(0.01, 1))),
        "step": (np.arange(size) > size / 2) * 1.0,
        "tiny": 1e-30 * rng.standard_normal(size),
    }[kind]
    found = extract(sound, RATE)
    assert 0.0 <= found.quality <= 1.0
    assert all(SIGNALS[name].accepts(value) for name, value in found.known().items())


def test_every_voice_signal_of_the_catalogue_is_delivered():
    names = {s.name for s in of_channel(Channel.VOICE)}
    assert extract(voice(150, jitter=0.01).samples, RATE).known().keys() == names
    # The names stand in the message's section too, which no driver may be loaded for.
    assert [f.name for f in fields(VoiceFeatures)] == [f.name for f in fields(Voice)]
    assert {f.name for f in fields(Voice)} - {"quality"} == names


def test_the_examples_in_the_documentation_are_true():
    assert doctest.testmod(features).attempted > 0
    assert doctest.testmod(features).failed == 0
