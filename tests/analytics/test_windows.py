"""Features from 5-second windows: gaps, sources, order, subsets, restarts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.features import FEATURE_INDEX, FEATURES, PART_CHANNEL
from analytics.floor import Floor
from analytics.windows import FeatureWindows
from sensors.messages import Heart, Keyboard, Modules, Pointer, ReadingMessage, Voice
from sensors.signals import Channel
from tests.analytics.synthetic_floor import teams

_START = datetime(2026, 3, 2, 9, 0, 3, tzinfo=UTC)
_ROW = np.zeros(1, dtype=np.intp)
_ALL = tuple(Channel)


def window(k, *, channels=_ALL, source="pc", rr_ms=800.0, hr_bpm=75.0, quality=1.0, seed=None):
    """Return window `k` of one agent, with six regular beats."""
    rng = np.random.default_rng([seed, k]) if seed is not None else None
    wobble = rng.normal(0, 20, 6) if rng is not None else np.zeros(6)
    rr = rr_ms + wobble
    sections = {
        Channel.HEART: Heart(
            quality=quality,
            hr_bpm=hr_bpm,
            rr_ms=tuple(rr.tolist()),
            beat_offset_ms=tuple((np.cumsum(rr) - 5000.0).tolist()),
        ),
        Channel.KEYBOARD: Keyboard(
            quality=quality, key_presses=10, dwell_ms=100.0, flight_ms=120.0, key_corrections=1
        ),
        Channel.POINTER: Pointer(quality=quality, pointer_speed_px_s=400.0, pointer_clicks=1),
        Channel.VOICE: Voice(
            quality=quality, speech_ratio=0.5, f0_hz=200.0, loudness_db=-30.0, speech_rate_hz=4.0
        ),
        Channel.MODULES: Modules(
            quality=quality, values={"eda_us": 2.0, "skin_temp_c": 33.0, "acc_rms_g": 0.01}
        ),
    }
    return ReadingMessage(
        source=source,
        run="abcdefgh",
        seq=k,
        window_end_at=_START + timedelta(seconds=5 * k),
        **{channel.value: sections[channel] for channel in channels},
    )


def fed(messages):
    windows = FeatureWindows()
    windows.ensure(1)
    batch = None
    for message in messages:
        batch = windows.extract(_ROW, [message])
    return windows, batch


def value(batch, name, row=0):
    return batch.values[row, FEATURE_INDEX[name]]


def test_a_steady_minute_gives_what_was_put_in():
    _, batch = fed(window(k) for k in range(13))
    assert value(batch, "heart_rate_bpm") == pytest.approx(75.0)
    assert value(batch, "device_rate_bpm") == pytest.approx(75.0)
    assert value(batch, "log_eda") == pytest.approx(np.log(2.0), rel=1e-6)
    assert value(batch, "typing_rate_hz") == pytest.approx(2.0)
    assert value(batch, "correction_ratio") == pytest.approx(0.1)
    assert value(batch, "f0_st") == pytest.approx(12.0)
    assert value(batch, "click_rate_hz") == pytest.approx(0.2)
    assert not batch.moving[0]
    # identical intervals: a stuck sensor, not a calm agent
    assert np.isnan(value(batch, "log_rmssd"))
    assert batch.at_s[0] == (_START + timedelta(seconds=60)).timestamp()


def test_rmssd_is_that_of_the_beats_of_the_last_minute():
    messages = [window(k, seed=5) for k in range(40)]
    _, batch = fed(messages)
    assert np.exp(value(batch, "log_rmssd")) == pytest.approx(28.0, abs=8.0)


@given(st.sets(st.sampled_from(_ALL)))
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
    return batch.source[0, _ALL.index(channel)]


def test_of_two_machines_with_one_channel_one_is_read_and_does_not_change():
    messages = []
    for k in range(30):
        messages.append(window(k, channels=(Channel.MODULES,), source="pc", quality=0.6))
        messages.append(window(k, channels=(Channel.MODULES, Channel.VOICE), source="cloud"))
    windows, _ = fed(messages[:1])
    for message in messages[1:]:
        batch = windows.extract(_ROW, [message])
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
        batch = windows.extract(_ROW, [window(k, channels=(channel,), source="cloud")])
        assert source(batch, channel) == crc32(b"pc")
    batch = windows.extract(_ROW, [window(last + 1, channels=(channel,), source="cloud")])
    assert source(batch, channel) == crc32(b"cloud")
    for k in range(last + 2, last + 4):
        batch = windows.extract(_ROW, [window(k, channels=(channel,), source="cloud", rr_ms=700.0)])
    assert np.isfinite(value(batch, feature))
    assert np.isnan(value(batch, "heart_rate_bpm")) or value(batch, "heart_rate_bpm") > 76


def test_an_idle_keyboard_does_not_hold_the_place_of_the_one_that_is_typed_on():
    idle = ReadingMessage(
        source="pc", run="abcdefgh", seq=0, window_end_at=_START, keyboard=Keyboard(quality=1.0)
    )
    windows, batch = fed([idle])
    assert source(batch, Channel.KEYBOARD) == crc32(b"pc")
    batch = windows.extract(_ROW, [window(1, channels=(Channel.KEYBOARD,), source="cloud")])
    assert source(batch, Channel.KEYBOARD) == crc32(b"cloud")
    assert value(batch, "typing_rate_hz") == 2.0


def test_quality_says_how_much_of_the_span_was_covered():
    def quality(batch, name):
        return batch.quality[0, FEATURE_INDEX[name]]

    few = [window(k) for k in range(3)]
    _, batch = fed(few)
    assert quality(batch, "log_eda") == 1.0
    assert quality(batch, "typing_rate_hz") == pytest.approx(0.5)
    _, batch = fed(window(k, channels=_ALL if k % 6 == 0 else (), seed=1) for k in range(70))
    assert quality(batch, "heart_rate_bpm") == pytest.approx(np.sqrt(24 / 40))  # of two minutes
    assert np.isnan(value(batch, "log_rmssd"))
    _, batch = fed(window(k, channels=_ALL if k % 3 == 0 else (), seed=1) for k in range(70))
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
            batch = windows.extract(_ROW, [replace(message, heart=heart)])
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
        source="pc", run="abcdefgh", seq=k, window_end_at=_START + timedelta(seconds=5 * k),
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
    windows.extract(_ROW, [window(3)])
    after = windows.to_arrays()
    assert all(np.array_equal(before[n], after[n], equal_nan=True) for n in ("raw", "beat_s", "rr"))


def test_movement_is_seen_and_wears_off():
    shaken = Modules(quality=1.0, values={"acc_rms_g": 0.6})
    messages = [window(k, channels=()) for k in range(12)]
    moved = ReadingMessage(
        source="pc", run="abcdefgh", seq=12, window_end_at=_START + timedelta(seconds=60),
        modules=shaken,
    )  # fmt: skip
    windows, batch = fed([*messages, moved])
    assert batch.moving[0]
    for k in range(13, 19):
        batch = windows.extract(_ROW, [window(k)])
    assert not batch.moving[0]


def marred(message, agent):
    """Return the window with beats missed or made up, of each agent at other times."""
    heart = message.heart
    if heart is None or message.seq % 4 != agent % 4:
        return message
    rr = [(2.0, 0.5, 3.0)[agent % 3] * heart.rr_ms[0], *heart.rr_ms[1:]]
    return replace(message, heart=replace(heart, rr_ms=tuple(rr)))


def test_a_batch_equals_one_by_one_and_inputs_stay_untouched():
    agents = 7
    together = FeatureWindows()
    together.ensure(agents)
    alone = [FeatureWindows() for _ in range(agents)]
    rows = np.arange(agents, dtype=np.intp)
    kept = rows.copy()
    for k in range(15):
        messages = [marred(window(k, seed=a, channels=_ALL[: a % 6]), a) for a in range(agents)]
        batch = together.extract(rows, messages)
        for a, one in enumerate(alone):
            one.ensure(1)
            single = one.extract(_ROW, [messages[a]])
            assert np.array_equal(single.values[0], batch.values[a], equal_nan=True)
            assert np.array_equal(single.quality[0], batch.quality[a])
    shared = together.to_arrays()
    for a, one in enumerate(alone):
        assert all(v.tobytes() == shared[n][a].tobytes() for n, v in one.to_arrays().items())
    assert np.array_equal(rows, kept)


def test_whoever_else_is_in_the_batch_changes_no_bit():
    agents, heart = 60, (Channel.HEART,)
    rows = np.arange(agents)
    together = FeatureWindows()
    together.ensure(agents)
    for k in range(15):
        # each has its own number of beats, and artefacts at its own times
        messages = [
            marred(window(k, seed=a, channels=heart, rr_ms=600.0 + 5.0 * a), a)
            for a in range(agents)
        ]
        alone = FeatureWindows.from_arrays(together.to_arrays())
        batch = together.extract(rows, messages)
    for a in range(agents):
        single = alone.extract(rows[a : a + 1], messages[a : a + 1])
        assert single.values.tobytes() == batch.values[a : a + 1].tobytes()
    kept = alone.to_arrays()
    assert all(v.tobytes() == kept[n].tobytes() for n, v in together.to_arrays().items())


def test_rows_may_come_in_any_order():
    forward, backward = FeatureWindows(), FeatureWindows()
    forward.ensure(3)
    backward.ensure(3)
    for k in range(14):
        messages = [window(k, seed=a) for a in range(3)]
        a = forward.extract(np.arange(3), messages)
        b = backward.extract(np.array([2, 0, 1]), [messages[2], messages[0], messages[1]])
    assert np.array_equal(a.values[[2, 0, 1]], b.values, equal_nan=True)


def test_a_restart_goes_on_bit_for_bit():
    windows, _ = fed(marred(window(k, seed=8), 0) for k in range(20))
    twin = FeatureWindows.from_arrays(windows.to_arrays())
    for k in range(20, 40):
        one = windows.extract(_ROW, [marred(window(k, seed=8), 0)])
        two = twin.extract(_ROW, [marred(window(k, seed=8), 0)])
        assert one.values.tobytes() == two.values.tobytes()
    assert {n: a.tobytes() for n, a in windows.to_arrays().items()} == {
        n: a.tobytes() for n, a in twin.to_arrays().items()
    }


def test_a_snapshot_from_before_these_rings_starts_afresh():
    floor = Floor(teams(1))
    floor.row("k0")
    arrays = floor.to_arrays()
    before = {n: a for n, a in arrays.items() if not n.startswith("windows.")}
    before["windows.raw"] = np.zeros((1, 16, 15), np.float32)
    twin = Floor(teams(1))
    twin.restore(before, ["k0"], list(twin.team_names), "the version before")
    kept = twin.to_arrays()
    assert {n: a.shape for n, a in kept.items()} == {n: a.shape for n, a in arrays.items()}


def test_memory_is_bounded_and_growing_keeps_what_is_known():
    windows, _ = fed(window(k) for k in range(13))
    before = sum(a.nbytes for a in windows.to_arrays().values())
    for k in range(13, 300):
        windows.extract(_ROW, [window(k)])
    assert sum(a.nbytes for a in windows.to_arrays().values()) == before
    kept = windows.to_arrays()
    windows.ensure(50)
    assert all(np.array_equal(windows.to_arrays()[n][:1], kept[n], equal_nan=True) for n in kept)
    windows.ensure(2)
    assert len(windows.to_arrays()["head"]) == 50


def test_nothing_to_do_is_done():
    windows = FeatureWindows()
    windows.ensure(3)
    batch = windows.extract(np.empty(0, dtype=np.intp), [])
    assert batch.values.shape == (0, len(FEATURES))
