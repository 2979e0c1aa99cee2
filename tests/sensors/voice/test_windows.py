"""From one window of sound to what was heard: nothing of the sound stays."""

from __future__ import annotations

import numpy as np
import pytest

from sensors.collector import Link
from sensors.messages import Absence
from sensors.signals import Channel
from sensors.voice.windows import WindowReader, slowed
from tests.sensors.voice.synthesis import RATE, voice


def test_no_sample_outlives_the_features_of_its_window():
    window = voice(150).samples.copy()
    heard = WindowReader(RATE).read(window)
    found = {r.signal: r for r in heard.readings(12.0)}
    assert found["f0_hz"].value == pytest.approx(150, rel=0.01)
    assert {r.at_monotonic_s for r in found.values()} == {12.0}
    assert not window.any()


def test_not_even_when_the_features_fail():
    window = np.full(100, 0.5, np.float32)
    with pytest.raises(ValueError, match="640 or more"):
        WindowReader(RATE).read(window)
    assert not window.any()


@pytest.mark.parametrize("rate", [16_000, 48_000])
@pytest.mark.parametrize("what", [np.nan, np.inf, -np.inf, 1e30])
def test_a_driver_that_gives_no_numbers_costs_a_window_and_not_the_process(what, rate):
    reader = WindowReader(rate)
    window = voice(150, rate=rate).samples.copy()
    window[777] = what
    heard = reader.read(window)
    assert (heard.values, heard.quality) == ({}, 0.0)
    assert heard.reasons == ("the sound driver gives no sound",)
    assert not window.any()
    # Nothing of it is remembered: the next window is heard.
    assert reader.read(voice(150, rate=rate).samples.copy()).values["f0_hz"] > 100


def test_a_muted_microphone_is_poor_and_says_nothing():
    heard = WindowReader(RATE).read(np.zeros(5 * RATE, np.float32))
    assert (heard.values, heard.quality) == ({}, 0.0)
    assert heard.link == Link(Channel.VOICE, Absence.POOR)
    assert heard.reasons == ("the microphone is muted",)


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_faster_sound_gives_the_same_features(rate):
    slow = WindowReader(RATE).read(voice(150, jitter=0.01, seed=3).samples.copy())
    fast = WindowReader(rate).read(voice(150, jitter=0.01, seed=3, rate=rate).samples.copy())
    for name in ("f0_hz", "hnr_db", "alpha_ratio_db", "loudness_db"):
        assert fast.values[name] == pytest.approx(slow.values[name], rel=0.03), name
    assert fast.values["jitter_local"] == pytest.approx(slow.values["jitter_local"], rel=0.1)


def test_what_lies_above_half_the_rate_does_not_fold():
    at_s = np.arange(48_000) / 48_000
    for hz in (8_500, 12_000, 15_800, 19_000, 23_000):
        sound, rate = slowed(np.sin(2 * np.pi * hz * at_s).astype(np.float32), 48_000)
        assert rate == RATE
        assert np.abs(sound[200:-200]).max() < 1e-4, hz
    kept, _ = slowed(np.sin(2 * np.pi * 5_000 * at_s).astype(np.float32), 48_000)
    assert np.abs(kept[200:-200]).max() == pytest.approx(1.0, abs=1e-3)


def test_telephone_sound_has_no_features_that_rest_on_the_rest():
    sound = voice(150, rate=8_000).samples.copy()
    heard = WindowReader(8_000).read(sound)
    assert "f0_hz" in heard.values
    assert not {"alpha_ratio_db", "hammarberg_db", "slope_0_500_db_hz"} & set(heard.values)
    assert "telephone band" in heard.reasons
