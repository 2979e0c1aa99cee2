"""What the rings of many agents say at one moment: one row of features each. Pure.

Each feature has a span, and three things are told of it: its value, how much
of the span was covered, and what the section's own quality was meanwhile.
Definitions, directions and disturbances of all features: ``SIGNALS.md``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.signals.beats import LONG_SPAN_S, SPAN_S
from analytics.signals.features import FEATURE_INDEX, FEATURES, PART_CHANNEL
from sensors.messages import WINDOW_S
from sensors.signals import Channel

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Mask = NDArray[np.bool_]
Ages = NDArray[np.int32]

SMOOTH_S = 30.0
"""Movement, and a device's own heart rate, are averaged over the last half minute. [s]"""

FLAT_WINDOWS = 12
"""What is the same in so many windows of a minute is stuck: neither heart nor skin is.

Even a sitting person's rate moves with every breath, by more than the tenths
in which a window of five seconds shows it; conductance that rests to the last
digit is the end of its sensor's range.
"""

FRESH_S = 15.0
"""A body channel that gave nothing for longer is unknown, not unchanged. [s]

Skin conductance and temperature, which are smooth by themselves, are averaged
over this span too.
"""

MOVING_G = 0.12
"""Movement above this gates the channels that it disturbs (TRUST A3). [g]

Typing and gesturing at a desk stay below about 0.1 g at the wrist; walking
is 0.2 g and more.
"""

SETTLE_S = 30.0
"""After movement, heart and skin take about this long to settle. [s]"""

RISE_US = 0.05
"""From here on a change of skin conductance from window to window is a rise. [uS]

A usual least amplitude of a response scored by hand: Boucsein et al. 2012,
Psychophysiology 49(8):1017; what computers count from, 0.01, is noise at a wrist.
"""

NEAR_EDA = 0.4
"""Further from the median of three windows conductance is taken for no skin's. [ln(uS)]

Twice the fastest that it changes within a window (``electrode.FASTEST_SKIN``).
"""

LEAST_PAIRS = 6
"""Pairs of successive windows in the last minute from which rises are counted."""

LEAST_TREND = 30
"""Windows of the last five minutes from which a slope is given: half of them."""

LEAST_PRESSES = 20
"""Key presses in the last minute from which their timing is summarised."""

LEAST_MOVES = 3
"""Windows with pointer movement in the last minute from which its speed is summarised."""

LEAST_SPOKEN = 2
"""Windows with speech in the last minute from which the voice is summarised."""

MOST_PRESSES_HZ = 15.0
"""More presses are a key that lies pressed and repeats: the keyboard is unknown. [1/s]

The fastest of 168,000 typists reach about 10: Dhakal et al. 2018, CHI, "Observations
on typing from 136 million keystrokes". Held keys usually repeat 10 to 33 times.
"""

HELD_PRESSES_HZ = 5.0
"""From so many presses on that are all deletions, the deletion key is held down. [1/s]"""

MOST_CLICKS_HZ = 15.0
"""More clicks are a worn switch or a program: the pointer is unknown. [1/s]

Fingers tap 5 to 8 times a second.
"""

FASTEST_POINTER_PX_S = 20_000.0
"""A pointer that moves faster half of the time jumps. [px/s] Two wide screens in half a second."""

LONGEST_DWELL_MS = 1000.0
"""Where half of the keys are held longer, something lies on the keyboard. [ms] Typing: about 100."""

LOUDEST_DBFS = -6.0
"""Speech above this level is cut off by the microphone's range: the voice is unknown. [dBFS]

A sine as loud as can be has -3; speech that fits has peaks 12 dB above its level.
"""

RAW = (
    *("quality_heart", "hr_bpm"),
    "quality_keyboard",
    *("key_presses", "dwell_ms", "flight_ms", "key_corrections", "key_pauses"),
    *("quality_pointer", "pointer_speed_px_s", "pointer_clicks"),
    "quality_voice",
    *("f0_st", "loudness_db", "speech_rate_hz", "pause_ratio", "jitter_local"),
    *("quality_modules", "log_eda", "skin_temp_c", "acc_rms_g"),
)
"""Names within the ring: pitch and conductance as logarithms, so that means are of those."""

RAW_CHANNEL = np.array([0] * 2 + [1] * 6 + [2] * 3 + [3] * 6 + [4] * 4)
"""Channel, in the order of ``Channel``, of each name of :data:`RAW`."""

COLUMN = {name: i for i, name in enumerate(RAW)}

QUALITY = [COLUMN[f"quality_{channel}"] for channel in Channel]
"""Columns of the sections' own quality, in the order of ``Channel``."""

_CHANNELS = tuple(Channel)
_IS_QUALITY = np.isin(np.arange(len(RAW)), QUALITY)
_FEATURE_QUALITY = np.array([QUALITY[_CHANNELS.index(PART_CHANNEL[f.part])] for f in FEATURES])
_FRESH, _SHORT, _LONG = range(3)
_LENGTHS_S = np.array([FRESH_S, SMOOTH_S, SPAN_S])
_WINDOWS = _LENGTHS_S / WINDOW_S

_MIDDLE: dict[str, tuple[str, int]] = {
    "device_rate_bpm": ("hr_bpm", _SHORT),
    "log_eda": ("log_eda", _FRESH),
    "skin_temp_c": ("skin_temp_c", _FRESH),
    **{name: (name, _LONG) for name in ("dwell_ms", "flight_ms", "pointer_speed_px_s")},
    **{
        name: (name, _LONG)
        for name in ("f0_st", "loudness_db", "speech_rate_hz", "pause_ratio", "jitter_local")
    },
}
"""Features that are the median over their windows, with raw name and span: one absurd
window, or two of a minute, then shift nothing."""

_MIDDLE_OF = {name: i for i, name in enumerate(_MIDDLE)}
_EDA = _MIDDLE_OF["log_eda"]
_MIDDLE_COLUMN = np.array([COLUMN[raw] for raw, _ in _MIDDLE.values()])
_MIDDLE_SPAN = np.array([span for _, span in _MIDDLE.values()])


@dataclass(slots=True)
class Spans:
    """What the three spans hold that end now.

    Parameters
    ----------
    total, count : ndarray of float64, shape (n, 3, len(RAW))
        Sum of what is known in the last 15, 30 and 60 s, and how many windows knew it.
    middle : ndarray of float64, shape (n, len(_MIDDLE))
        Medians; mean nothing where nothing is known.
    values, coverage : ndarray of float64, shape (n, d)
        To fill in.
    """

    total: Floats
    count: Floats
    middle: Floats
    values: Floats
    coverage: Floats

    def put(self, feature: str, value: Floats, known: Mask, covered: Floats) -> None:
        """Set one feature where it is known, and how much of its span was covered."""
        column = FEATURE_INDEX[feature]
        self.values[:, column] = np.where(known, value, np.nan)
        self.coverage[:, column] = covered

    def put_middle(self, feature: str, known: Mask, covered: Floats | None = None) -> None:
        """Set `feature` to its median; it covers the windows that knew it, or as said."""
        raw, span = _MIDDLE[feature]
        if covered is None:
            covered = self.count[:, span, COLUMN[raw]] / _WINDOWS[span]
        self.put(feature, self.middle[:, _MIDDLE_OF[feature]], known, covered)


def refuse_implausible(read: Singles) -> None:
    """Make unknown what no person does, and what says itself that it is worth nothing.

    Parameters
    ----------
    read : ndarray of float32, shape (n, len(RAW))
        What n windows say; changed.
    """
    worthless = read[:, QUALITY] <= 0.0
    if worthless.any():
        read[worthless[:, RAW_CHANNEL] & ~_IS_QUALITY] = np.nan
    presses, deletions = read[:, COLUMN["key_presses"]], read[:, COLUMN["key_corrections"]]
    held = (presses >= HELD_PRESSES_HZ * WINDOW_S) & (deletions >= presses)
    for channel, broken in (
        (Channel.KEYBOARD, held | (presses > MOST_PRESSES_HZ * WINDOW_S)),
        (Channel.POINTER, read[:, COLUMN["pointer_clicks"]] > MOST_CLICKS_HZ * WINDOW_S),
        (Channel.VOICE, read[:, COLUMN["loudness_db"]] > LOUDEST_DBFS),
    ):
        if broken.any():
            of_channel = RAW_CHANNEL == _CHANNELS.index(channel)  # noqa: SIM300 - an array
            read[broken[:, None] & of_channel] = np.nan
    for name, most in (
        ("dwell_ms", LONGEST_DWELL_MS),
        ("pointer_speed_px_s", FASTEST_POINTER_PX_S),
    ):
        column = read[:, COLUMN[name]]
        column[column > most] = np.nan


def sums(raw: Singles, age_s: Ages, values: Floats, coverage: Floats) -> Spans:
    """Return the sums and medians of n agents' rings.

    Parameters
    ----------
    raw : ndarray of float32, shape (n, slots, len(RAW))
        NaN is unknown.
    age_s : ndarray, shape (n, slots)
        How long before now each slot's window ended; negative: later. [s]
    values, coverage : ndarray of float64, shape (n, d)
    """
    within = (age_s[:, None, :] >= 0) & (age_s[:, None, :] < _LENGTHS_S[:, None])
    weight = within.astype(np.float32)
    known = np.isfinite(raw)
    total = np.matmul(weight, np.where(known, raw, np.float32(0))).astype(np.float64)
    count = np.matmul(weight, known.astype(np.float32)).astype(np.float64)
    return Spans(total, count, _medians(raw, within, count), values, coverage)


def _medians(raw: Singles, within: Mask, count: Floats) -> Floats:
    """Return the median of every feature of `_MIDDLE` over its span, shape (n, len(_MIDDLE))."""
    held = raw.transpose(0, 2, 1)[:, _MIDDLE_COLUMN]
    ordered = np.where(within[:, _MIDDLE_SPAN], held, np.float32(np.nan))
    ordered.sort(axis=2)  # what is unknown comes last
    n = count[:, _MIDDLE_SPAN, _MIDDLE_COLUMN].astype(np.intp)
    low, high = np.maximum(n - 1, 0) // 2, n // 2
    ends = np.take_along_axis(ordered, np.stack((low, high), axis=2), axis=2)
    middle: Floats = ends.astype(np.float64).mean(axis=2)
    _smooth(middle[:, _EDA], ordered[:, _EDA, : int(_WINDOWS[_FRESH])])
    return middle


def _smooth(middle: Floats, held: Singles) -> None:
    """Make the median of skin conductance the mean of what lies near it, in place.

    Three values are few for a median; their mean has less noise, and one that
    lies further off than skin can be counts as far as skin could be.
    """
    known = np.isfinite(held)
    off = np.where(known, held - middle[:, None], 0.0)
    middle += np.clip(off, -NEAR_EDA, NEAR_EDA).sum(axis=1) / np.maximum(known.sum(axis=1), 1)


def body(spans: Spans, raw: Singles, age_s: Ages) -> None:
    """Fill in what the body's channels give, but for beats and trends.

    Parameters
    ----------
    spans : Spans
    raw : ndarray of float32, shape (n, slots, len(COLUMN))
        The windows of the last minutes; NaN is unknown.
    age_s : ndarray, shape (n, slots)
    """
    fresh = spans.count[:, _FRESH] > 0
    for feature in ("device_rate_bpm", "log_eda", "skin_temp_c"):
        column = COLUMN[_MIDDLE[feature][0]]
        known = fresh[:, column]
        if feature in _RESTLESS:
            known = known & ~_is_flat(raw[:, :, column], age_s)
        spans.put_middle(feature, known)
    column = COLUMN["acc_rms_g"]
    count = spans.count[:, _SHORT, column]
    moved = spans.total[:, _SHORT, column] / np.maximum(count, 1.0)
    spans.put("movement_g", moved, fresh[:, column], count / _WINDOWS[_SHORT])


_RESTLESS = frozenset({"device_rate_bpm", "log_eda"})


def _is_flat(values: Singles, age_s: Ages) -> Mask:
    """Return whose value has not changed at all in the last minute."""
    known = (age_s >= 0) & (age_s < SPAN_S) & np.isfinite(values)
    low = np.where(known, values, np.float32(np.inf)).min(axis=1)
    high = np.where(known, values, np.float32(-np.inf)).max(axis=1)
    return np.asarray((known.sum(axis=1) >= FLAT_WINDOWS) & (low == high))


def hands(spans: Spans) -> None:
    """Fill in what keyboard and pointer give."""
    total, count = spans.total[:, _LONG], spans.count[:, _LONG]
    presses, keyed = total[:, COLUMN["key_presses"]], count[:, COLUMN["key_presses"]]
    typed = presses >= LEAST_PRESSES
    covered = keyed / _WINDOWS[_LONG]
    clicked = count[:, COLUMN["pointer_clicks"]]
    with np.errstate(divide="ignore", invalid="ignore"):
        spans.put("typing_rate_hz", presses / (keyed * WINDOW_S), keyed > 0, covered)
        for feature, raw in (
            ("correction_ratio", "key_corrections"),
            ("typing_pause_ratio", "key_pauses"),
        ):
            spans.put(feature, total[:, COLUMN[raw]] / presses, typed, covered)
        rate = total[:, COLUMN["pointer_clicks"]] / (clicked * WINDOW_S)
        spans.put("click_rate_hz", rate, clicked > 0, clicked / _WINDOWS[_LONG])
    for feature in ("dwell_ms", "flight_ms"):
        spans.put_middle(feature, typed, covered)
    moves = count[:, COLUMN["pointer_speed_px_s"]]
    spans.put_middle("pointer_speed_px_s", moves >= LEAST_MOVES, clicked / _WINDOWS[_LONG])


def voice(spans: Spans) -> None:
    """Fill in what the voice gives."""
    for name in ("f0_st", "loudness_db", "speech_rate_hz", "pause_ratio", "jitter_local"):
        spans.put_middle(name, spans.count[:, _LONG, COLUMN[name]] >= LEAST_SPOKEN)


def rises(spans: Spans, log_eda: Singles, age_s: Ages) -> None:
    """Fill in how often skin conductance rises from one window to the next.

    A ring's neighbours are neighbours in time, but for the seam, where ages tell.
    """
    within = (age_s >= 0) & (age_s < SPAN_S) & np.isfinite(log_eda)
    before = np.roll(within, 1, axis=1) & (np.roll(age_s, 1, axis=1) - age_s == int(WINDOW_S))
    pairs = within & before
    eda_us = np.exp(np.where(within, log_eda, np.float32(0)))
    risen = pairs & (eda_us - np.roll(eda_us, 1, axis=1) >= RISE_US)
    n_pairs = pairs.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = risen.sum(axis=1) / (n_pairs * (WINDOW_S / 60.0))
    possible = SPAN_S / WINDOW_S - 1.0
    spans.put("eda_rises_per_min", rate, n_pairs >= LEAST_PAIRS, n_pairs / possible)


def slope(spans: Spans, skin_temp_c: Singles, age_s: Ages) -> None:
    """Fill in the slope of skin temperature: least squares over five minutes.

    Parameters
    ----------
    spans : Spans
    skin_temp_c : ndarray of float32, shape (n, long slots)
    age_s : ndarray of int32, shape (n, long slots)
    """
    known = (age_s >= 0) & (age_s < LONG_SPAN_S) & np.isfinite(skin_temp_c)
    n = known.sum(axis=1)
    minutes = np.where(known, age_s, 0) * np.float32(-1.0 / 60.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        middle = (minutes.sum(axis=1) / n).astype(np.float32)
        off = np.where(known, minutes - middle[:, None], np.float32(0))
        warm = np.where(known, skin_temp_c, np.float32(0))
        found = np.einsum("ij,ij->i", off, warm) / np.einsum("ij,ij->i", off, off)
    covered = n / (LONG_SPAN_S / WINDOW_S)
    fresh = spans.count[:, _FRESH, COLUMN["skin_temp_c"]] > 0
    spans.put("skin_temp_slope_c_min", found, fresh & (n >= LEAST_TREND), covered)


def moving(raw: Singles, age_s: Ages) -> Mask:
    """Return who moves, or moved so lately that heart and skin have not settled."""
    recent = (age_s >= 0) & (age_s < SETTLE_S)
    with np.errstate(invalid="ignore"):
        return np.asarray((recent & (raw[:, :, COLUMN["acc_rms_g"]] > MOVING_G)).any(axis=1))


def quality(spans: Spans) -> Floats:
    """Return how far each feature can be trusted, shape (n, d).

    The mean quality of the channel's sections of the last minute (of the voice:
    of those with speech) times the square root of how much of the feature's own
    span was covered: an average of a quarter of the span is half as precise.

    Parameters
    ----------
    spans : Spans
        With values and coverage filled in.
    """
    total, count = spans.total[:, _LONG], spans.count[:, _LONG]
    section = (total / np.maximum(count, 1.0))[:, _FEATURE_QUALITY]
    covered = np.sqrt(np.clip(np.nan_to_num(spans.coverage), 0.0, 1.0))
    return np.where(np.isfinite(spans.values), section * covered, 0.0)
