"""What a round of windows rests on, message by message and feature by feature."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from analytics.scoring import measured
from analytics.signals.features import FEATURES
from analytics.signals.windows import FeatureBatch
from sensors.messages import Heart, Keyboard, Modules, Pointer, ReadingMessage, Voice

_AT = datetime(2026, 1, 5, 9, tzinfo=UTC)
_CHANNELS = ("heart", "keyboard", "pointer", "voice", "modules")
_CHANNEL = {
    "heart": "heart",
    "skin": "modules",
    "typing": "keyboard",
    "pointer": "pointer",
    "voice": "voice",
}
_OF_THE_ROOM = {
    "presence": 1.0,
    "distance_m": 0.7,
    "breathing_rate_per_min": 15.0,
    "ambient_light_lux": 300.0,
    "noise_level_db": 50.0,
}
_OF_THE_BODY = {"eda_us": 4.0, "skin_temp_c": 33.0, "acc_rms_g": 0.01}


def _modules(names):
    return Modules(quality=1.0, values={n: (_OF_THE_ROOM | _OF_THE_BODY)[n] for n in names})


def _or_none(section):
    return st.sampled_from([None, section])


_MESSAGES = st.builds(
    ReadingMessage,
    source=st.just("pc"),
    run=st.just("abcdefgh"),
    seq=st.just(0),
    window_end_at=st.just(_AT),
    heart=_or_none(Heart(quality=1.0, hr_bpm=70.0, rr_ms=(), beat_offset_ms=())),
    keyboard=_or_none(
        Keyboard(quality=0.0, key_presses=0.0)
    ),  # idle, and poor: measured all the same
    pointer=_or_none(Pointer(quality=1.0, pointer_clicks=0.0)),
    voice=_or_none(Voice(quality=1.0, speech_ratio=0.0)),
    modules=st.none()
    | st.sets(st.sampled_from(sorted(_OF_THE_ROOM | _OF_THE_BODY)), min_size=1).map(_modules),
)


def gives(message, channel):
    """Return whether a message says anything of the person by `channel`."""
    section = getattr(message, channel)
    if section is None or channel != "modules":
        return section is not None
    return any(name not in _OF_THE_ROOM for name in section.values)


@given(st.lists(_MESSAGES, max_size=5))
@settings(deadline=None)
def test_what_is_given_is_what_each_section_gives(messages):
    found = measured.given(messages)
    assert found.shape == (len(messages), len(_CHANNELS))
    assert found.tolist() == [[gives(m, channel) for channel in _CHANNELS] for m in messages]


def _batch(at_s, values, quality):
    n = len(values)
    return FeatureBatch(
        at_s=np.array(at_s, float),
        values=np.array(values, float).reshape(n, len(FEATURES)),
        quality=np.array(quality, float).reshape(n, len(FEATURES)),
        moving=np.zeros(n, bool),
    )


def _row(of):
    return st.lists(st.sampled_from(of), min_size=len(FEATURES), max_size=len(FEATURES))


_ROWS = st.tuples(
    _row([1.0, -2.5, 0.0, math.nan, math.nan, math.inf]),  # values
    _row([0.0, 0.25, 0.5, 0.75, 1.0]),  # quality
    st.lists(  # since each channel gave anything
        st.sampled_from([-5.0, 0.0, 14.9, 15.0, 15.1, 20.0, math.inf]), min_size=5, max_size=5
    ),
)


@given(st.lists(_ROWS, max_size=4))
@settings(deadline=None)
def test_a_feature_is_unknown_once_its_channel_is_silent(rows):
    at_s = [1_000_000.0 + 7.0 * k for k in range(len(rows))]
    batch = _batch(at_s, [values for values, _, _ in rows], [quality for _, quality, _ in rows])
    newest_s = [[t - age for age in ages] for t, (_, _, ages) in zip(at_s, rows, strict=True)]
    measured.blank_unmeasured(batch, np.array(newest_s).reshape(len(rows), len(_CHANNELS)))
    for k, (values, quality, _) in enumerate(rows):
        for f, feature in enumerate(FEATURES):
            silent_s = at_s[k] - newest_s[k][_CHANNELS.index(_CHANNEL[feature.part])]
            left = math.nan if silent_s > 15.0 else values[f]
            assert np.array_equal(batch.values[k, f], left, equal_nan=True), feature.name
        assert batch.quality[k].tolist() == quality


def is_good(values, quality):
    """Return whether what is known has a mean quality of a half."""
    known = [q for value, q in zip(values, quality, strict=True) if math.isfinite(value)]
    return bool(known) and sum(known) / len(known) >= 0.5


@example([([1.0] * len(FEATURES), [0.5] * len(FEATURES), [])])
@example([([math.nan] * len(FEATURES), [1.0] * len(FEATURES), [])])
@given(st.lists(_ROWS, max_size=4))
@settings(deadline=None)
def test_a_window_teaches_if_what_is_known_is_good_enough(rows):
    values, quality = [row[0] for row in rows], [row[1] for row in rows]
    found = measured.good(_batch([0.0] * len(rows), values, quality))
    assert found.tolist() == [is_good(v, q) for v, q in zip(values, quality, strict=True)]
