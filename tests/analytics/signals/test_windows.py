"""Features from 5-second windows: gaps, sources, order, subsets, restarts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.signals.features import FEATURE_INDEX, FEATURES, PART_CHANNEL
from analytics.signals.windows import FeatureWindows
from sensors.messages import Heart, Keyboard, Modules, ReadingMessage
from sensors.signals import Channel
from tests.analytics.made_windows import ALL, ROW, START, fed, value, window


def test_a_steady_minute_gives_what_was_put_in():
    _, batch = fed(window(k) for k in range(13))
    assert value(batch, "heart_rate_bpm") == pytest.approx(75.0)
    assert value(batch, "device_rate_bpm") == pytest.approx(75.0)
    assert value(batch, "log_eda") == pytest.approx(np.log(2.0), rel=1e-3)
    assert value(batch, "typing_rate_hz") == pytest.approx(2.0)
    assert value(batch, "correction_ratio") == pytest.approx(0.1)
    assert value(batch, "f0_st") == pytest.approx(12.0)
    assert value(batch, "click_rate_hz") == pytest.approx(0.2)
    assert not batch.moving[0]
    # identical intervals: a stuck sensor, not a calm agent
    assert np.isnan(value(batch, "log_rmssd"))
    assert batch.at_s[0] == (START + timedelta(seconds=60)).timestamp()


def test_rmssd_is_that_of_the_beats_of_the_last_minute():
    messages = [window(k, seed=5) for k in range(40)]
    _, batch = fed(messages)
    assert np.exp(value(batch, "log_rmssd")) == pytest.approx(28.0, abs=8.0)


@given(st.sets(st.sampled_from(ALL)))
@settings(deadline=None, max_examples=40)
def test_any_subset_of_channels_gives_just_its_features(channels):
    _, batch = fed(window(k, channels=channels, seed=1) for k in range(34))
    always = {"pause_ratio", "jitter_local"}  # not in these windows at all
    for feature in FEATURES:
        expected = PART_CHANNEL[feature.part] in channels and feature.name not in always
        assert np.isfinite(value(batch, feature.name)) == expected, feature.name
    assert ((batch.quality > 0) == np.isfinite(batch.values)).all()


def test_a_body_channel_that_falls_silent_is_unknown_within_15_s():
    quiet = (Channel.KEYBOARD,)
    messages = [window(k) for k in range(13)]
    messages += [window(k, channels=quiet) for k in range(13, 17)]
    _, batch = fed(messages)
    assert np.isnan(value(batch, "log_eda"))
    assert np.isnan(value(batch, "device_rate_bpm"))
    assert np.isfinite(value(batch, "dwell_ms"))


def test_skin_at_the_end_of_its_sensor_s_range_is_unknown_after_a_minute():
    def at_the_end(k):
        one = window(k)
        return replace(one, modules=replace(one.modules, values={"eda_us": 100.0}))

    windows, batch = fed(at_the_end(k) for k in range(11))
    assert value(batch, "log_eda") == pytest.approx(np.log(100.0), rel=1e-6)
    assert np.isnan(value(windows.extract(ROW, [at_the_end(11)]), "log_eda"))
    assert np.isfinite(value(windows.extract(ROW, [window(12)]), "log_eda"))


def test_a_device_s_rate_that_never_changes_is_stuck_after_a_minute():
    def stuck(k):
        one = window(k)
        return replace(one, heart=replace(one.heart, hr_bpm=81.0))

    windows, batch = fed(stuck(k) for k in range(11))
    assert value(batch, "device_rate_bpm") == 81.0
    for k in range(11, 20):
        batch = windows.extract(ROW, [stuck(k)])
    assert np.isnan(value(batch, "device_rate_bpm"))
    assert value(batch, "heart_rate_bpm") == pytest.approx(75.0)  # the beats are another matter
    assert np.isfinite(value(windows.extract(ROW, [window(20)]), "device_rate_bpm"))


def test_after_a_gap_nothing_old_is_left():
    _, batch = fed([*(window(k) for k in range(13)), window(200, channels=())])
    assert np.isnan(batch.values).all()
    assert (batch.quality == 0).all()


def test_two_sources_of_one_moment_are_one_window():
    both = []
    for k in range(13):
        both.append(window(k, channels=(Channel.KEYBOARD, Channel.POINTER), source="desktop"))
        both.append(window(k, channels=(Channel.HEART, Channel.MODULES), source="headset"))
    _, joined = fed(both)
    _, single = fed(
        window(k, channels=(Channel.KEYBOARD, Channel.POINTER, Channel.HEART, Channel.MODULES))
        for k in range(13)
    )
    assert np.array_equal(joined.values, single.values, equal_nan=True)


def source(batch, channel):
    return batch.source[0, ALL.index(channel)]


def test_of_two_machines_with_one_channel_one_is_read_and_does_not_change():
    messages = []
    for k in range(30):
        messages.append(window(k, channels=(Channel.MODULES,), source="pc", quality=0.6))
        messages.append(window(k, channels=(Channel.MODULES, Channel.VOICE), source="cloud"))
    windows, _ = fed(messages[:1])
    for message in messages[1:]:
        batch = windows.extract(ROW, [message])
        assert source(batch, Channel.MODULES) == crc32(b"pc")
        assert batch.quality[0, FEATURE_INDEX["log_eda"]] < 0.61
    assert source(batch, Channel.VOICE) == crc32(b"cloud")
    assert source(batch, Channel.HEART) == 0


@pytest.mark.parametrize(
    ("channel", "patience_s", "feature"),
    [(Channel.MODULES, 15, "log_eda"), (Channel.HEART, 15, "device_rate_bpm"),
     (Channel.KEYBOARD, 60, "typing_rate_hz"), (Channel.VOICE, 60, "f0_st")],
)  # fmt: skip
def test_another_machine_takes_over_once_the_first_is_silent(channel, patience_s, feature):
    windows, _ = fed(window(k, channels=(channel,), source="pc") for k in range(30))
    last = 29 + patience_s // 5
    for k in range(30, last + 1):
        batch = windows.extract(ROW, [window(k, channels=(channel,), source="cloud")])
        assert source(batch, channel) == crc32(b"pc")
    batch = windows.extract(ROW, [window(last + 1, channels=(channel,), source="cloud")])
    assert source(batch, channel) == crc32(b"cloud")
    for k in range(last + 2, last + 4):
        batch = windows.extract(ROW, [window(k, channels=(channel,), source="cloud", rr_ms=700.0)])
    assert np.isfinite(value(batch, feature))
    assert np.isnan(value(batch, "heart_rate_bpm")) or value(batch, "heart_rate_bpm") > 76


def test_an_idle_keyboard_does_not_hold_the_place_of_the_one_that_is_typed_on():
    idle = ReadingMessage(
        source="pc", run="abcdefgh", seq=0, window_end_at=START, keyboard=Keyboard(quality=1.0)
    )
    windows, batch = fed([idle])
    assert source(batch, Channel.KEYBOARD) == crc32(b"pc")
    batch = windows.extract(ROW, [window(1, channels=(Channel.KEYBOARD,), source="cloud")])
    assert source(batch, Channel.KEYBOARD) == crc32(b"cloud")
    assert value(batch, "typing_rate_hz") == 2.0


def test_quality_says_how_much_of_the_span_was_covered():
    def quality(batch, name):
        return batch.quality[0, FEATURE_INDEX[name]]

    few = [window(k) for k in range(3)]
    _, batch = fed(few)
    assert quality(batch, "log_eda") == 1.0
    assert quality(batch, "typing_rate_hz") == pytest.approx(0.5)
    _, batch = fed(window(k, channels=ALL if k % 6 == 0 else (), seed=1) for k in range(70))
    assert quality(batch, "heart_rate_bpm") == pytest.approx(np.sqrt(24 / 40))  # of two minutes
    assert np.isnan(value(batch, "log_rmssd"))
    _, batch = fed(window(k, channels=ALL if k % 3 == 0 else (), seed=1) for k in range(70))
    assert quality(batch, "heart_rate_bpm") == 1.0
    assert quality(batch, "log_rmssd") == pytest.approx(np.sqrt(20 * 0.8 / 60), abs=0.03)
    assert np.isnan(value(batch, "skin_temp_slope_c_min"))


def test_five_minutes_of_beats_are_those_of_five_minutes():
    messages = [window(k, seed=9) for k in range(100)]
    _, batch = fed(messages)
    heart = [m.heart for m in messages[38:98]]  # the newest 10 s are not settled yet
    steps = [np.diff(h.rr_ms) for h in heart]
    expected = np.sqrt(np.mean(np.concatenate(steps) ** 2))
    assert np.exp(value(batch, "log_rmssd_5min")) == pytest.approx(expected, rel=0.03)
    spread = np.std(np.concatenate([h.rr_ms for h in heart]), ddof=1)
    assert np.exp(value(batch, "log_sdnn_5min")) == pytest.approx(spread, rel=0.03)


def test_a_lively_heart_loses_no_beat_and_an_artefact_leaves_no_trace():
    def rmssd_and_quality(rr):
        beat_s = np.cumsum(rr) / 1000
        windows = FeatureWindows()
        windows.ensure(1)
        for k in range(13):
            here = (beat_s > 5 * k - 5) & (beat_s <= 5 * k)
            message = window(k, channels=(Channel.HEART,))
            heart = Heart(
                quality=1.0,
                rr_ms=tuple(rr[here].tolist()),
                beat_offset_ms=tuple(((beat_s[here] - 5 * k) * 1000).tolist()),
            )
            batch = windows.extract(ROW, [replace(message, heart=heart)])
        return np.exp(value(batch, "log_rmssd")), batch.quality[0, FEATURE_INDEX["log_rmssd"]]

    # deep slow breathing at rest: single beats lie more than 20 % from their neighbours' median
    lively = 900.0 + 150.0 * np.sin(np.arange(65) * 2 * np.pi / 4.3)
    expected = np.sqrt(np.mean(np.diff(lively) ** 2))
    rmssd, quality = rmssd_and_quality(lively)
    assert rmssd == pytest.approx(expected, rel=0.02)
    assert quality > 0.97  # nothing was left out
    missed = np.concatenate([lively[:40], [lively[40] + lively[41]], lively[42:]])
    rmssd, quality = rmssd_and_quality(missed)
    assert rmssd == pytest.approx(expected, rel=0.03)
    assert 0.9 < quality < 0.97


def test_identical_intervals_give_no_variability_however_they_round():
    _, batch = fed(window(k, rr_ms=2500 / 3) for k in range(40))
    for name in ("log_rmssd", "log_sdnn", "log_rmssd_5min", "log_sdnn_5min"):
        assert np.isnan(value(batch, name)), name
    assert value(batch, "heart_rate_bpm") == pytest.approx(72.0)


def body(k, **values):
    return ReadingMessage(
        source="pc", run="abcdefgh", seq=k, window_end_at=START + timedelta(seconds=5 * k),
        modules=Modules(quality=1.0, values=values),
    )  # fmt: skip


def test_skin_that_cools_has_a_slope_and_a_response_is_a_rise():
    messages = [
        body(k, skin_temp_c=33.0 - 0.004 * k, eda_us=2.0 + (0.08 if k % 4 == 0 else 0.0))
        for k in range(70)
    ]
    _, batch = fed(messages)
    assert value(batch, "skin_temp_slope_c_min") == pytest.approx(-0.048, rel=1e-3)
    assert value(batch, "eda_rises_per_min") == pytest.approx(3 * 12 / 11)
    _, batch = fed([*messages[:40], body(300, skin_temp_c=33.0, eda_us=2.0)])
    assert np.isnan(value(batch, "skin_temp_slope_c_min"))
    assert np.isnan(value(batch, "eda_rises_per_min"))


def test_beats_of_two_headsets_are_not_mixed():
    mixed = []
    for k in range(13):
        mixed.append(window(k, channels=(Channel.HEART,), source="one", rr_ms=800.0))
        mixed.append(window(k, channels=(Channel.HEART,), source="two", rr_ms=600.0))
    _, batch = fed(mixed)
    assert value(batch, "heart_rate_bpm") == pytest.approx(75.0)


def test_a_late_window_finds_its_place_or_none():
    order = [*range(11), 12, 11, 13]
    _, late = fed(window(k, seed=2, channels=(Channel.MODULES, Channel.KEYBOARD)) for k in order)
    _, plain = fed(
        window(k, seed=2, channels=(Channel.MODULES, Channel.KEYBOARD)) for k in range(14)
    )
    assert np.array_equal(late.values, plain.values, equal_nan=True)
    windows, _ = fed(window(k) for k in range(100, 120))
    before = windows.to_arrays()
    windows.extract(ROW, [window(3)])
    after = windows.to_arrays()
    assert all(np.array_equal(before[n], after[n], equal_nan=True) for n in ("raw", "beat_s", "rr"))


def test_movement_is_seen_and_wears_off():
    shaken = Modules(quality=1.0, values={"acc_rms_g": 0.6})
    messages = [window(k, channels=()) for k in range(12)]
    moved = ReadingMessage(
        source="pc", run="abcdefgh", seq=12, window_end_at=START + timedelta(seconds=60),
        modules=shaken,
    )  # fmt: skip
    windows, batch = fed([*messages, moved])
    assert batch.moving[0]
    for k in range(13, 19):
        batch = windows.extract(ROW, [window(k)])
    assert not batch.moving[0]
