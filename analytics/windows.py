"""From 5-second windows to features: per-agent ring buffers, one row per agent.

A slot of the ring is addressed by the time of its window, so windows of two
sources meet in one slot, a gap leaves a stale slot that the time mask skips,
and a window that comes late lands where it belongs or nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import ClassVar
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from analytics import hrv
from analytics.features import FEATURE_INDEX, FEATURES, PART_CHANNEL
from sensors.messages import WINDOW_S, ContextState, Heart, ReadingMessage
from sensors.signals import Channel

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Rows = NDArray[np.intp]

SPAN_S = 60.0
"""Features summarise the last minute: the shortest span RMSSD is trusted over. [s]

Munoz et al. 2015, PLoS ONE 10(9):e0138921: 30 to 60 s agree with 5 minutes.
"""

SMOOTH_S = 30.0
"""A device's own heart rate is smoothed over the last half minute. [s]"""

FRESH_S = 15.0
"""A body channel that gave nothing for longer is unknown, not unchanged. [s]

Skin conductance, which is smooth by itself, is averaged over this span too.
"""

MOVING_G = 0.12
"""Movement above this gates the channels that it disturbs (TRUST A3). [g]

Typing and gesturing at a desk stay below about 0.1 g at the wrist; walking
is 0.2 g and more.
"""

SETTLE_S = 30.0
"""After movement, heart and skin take about this long to settle. [s]"""

LEAST_BEATS = 8
MOST_BEATS = 40
"""The rate is that of the newest 8 to 40 good beats of the last minute.

Few beats that were really found tell more than the rate a device makes up
between them; where all are found, 40 beats are about half a minute.
"""

LEAST_DIFFERENCES = 20
"""Successive differences in the last minute from which RMSSD is given."""

LEAST_PRESSES = 20
"""Key presses in the last minute from which their timing is summarised."""

LEAST_SPOKEN = 2
"""Windows with speech in the last minute from which the voice is summarised."""

_SLOTS = 16
_BEATS = 192  # a minute at 190 beats a minute; beyond that the span shortens
_BURST = 64  # intervals taken from one message; a 5 s window holds about 25 at most

_KEYBOARD = ("key_presses", "dwell_ms", "flight_ms", "key_corrections")
_POINTER = ("pointer_speed_px_s", "pointer_clicks")
_VOICE = ("speech_ratio", "f0_hz", "loudness_db", "speech_rate_hz", "pause_ratio", "jitter_local")
_MODULES = ("eda_us", "skin_temp_c", "acc_rms_g")
# Names within the ring: two are kept as logarithms, so that their means are of those.
_RAW = (
    "hr_bpm",
    *_KEYBOARD,
    *_POINTER,
    *(_VOICE[0], "f0_st", *_VOICE[2:]),
    *("log_eda", *_MODULES[1:]),
)
_CHANNELS = ("heart", "keyboard", "pointer", "voice", "modules")
_CHANNEL_OF = np.array([0, *[1] * 4, *[2] * 2, *[3] * 6, *[4] * 3])
_COLUMN = {name: i for i, name in enumerate(_RAW)}

_get_keyboard = attrgetter("quality", *_KEYBOARD)
_get_pointer = attrgetter("quality", *_POINTER)
_get_voice = attrgetter("quality", *_VOICE)
_NO_HEART = (None, None)
_NO_KEYBOARD = (None,) * 5
_NO_POINTER = (None,) * 3
_NO_VOICE = (None,) * 7
_NO_MODULES = (None,) * 4


CONTEXTS: tuple[ContextState | None, ...] = (None, *ContextState)
"""What an agent may be doing, as telephony says; ``None`` is unknown."""


@dataclass(slots=True)
class FeatureBatch:
    """Features of n agents at the end of one window each.

    Parameters
    ----------
    at_s : ndarray of float64, shape (n,)
        Window end. [s since the epoch, UTC]
    values : ndarray of float64, shape (n, d)
        In the units of :data:`~analytics.features.FEATURES`; NaN is unknown.
    quality : ndarray of float64, shape (n, d)
        0 to 1; 0 where the value is unknown.
    moving : ndarray of bool, shape (n,)
        The body moves, or moved within the last half minute.
    context : ndarray of int8, shape (n,), optional
        What the agent is doing: index into :data:`CONTEXTS`; left out, unknown.
    source : ndarray of int64, shape (n, C), optional
        Code of the edge that each channel (order of ``Channel``) came from last,
        0 for none; left out, one and the same.
    """

    at_s: Floats
    values: Floats
    quality: Floats
    moving: NDArray[np.bool_]
    context: NDArray[np.int8] = field(default_factory=lambda: np.zeros(0, np.int8))
    source: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0), np.int64))

    def __post_init__(self) -> None:
        n = len(self.at_s)
        if len(self.context) != n:
            self.context = np.zeros(n, np.int8)
        if len(self.source) != n:
            self.source = np.zeros((n, len(Channel)), np.int64)

    def take(self, index: Rows | Mask) -> FeatureBatch:
        """Return the windows of `index`, in its order."""
        return FeatureBatch(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    @staticmethod
    def join(parts: Sequence[FeatureBatch]) -> FeatureBatch:
        """Return the windows of all of `parts`, one after the other; at least one part."""
        return FeatureBatch(
            **{
                f.name: np.concatenate([getattr(part, f.name) for part in parts])
                for f in fields(FeatureBatch)
            }
        )


def _unpack(message: ReadingMessage) -> tuple[float | None, ...]:
    """Return quality and values of every section, in ring order; ``None`` is unknown."""
    heart, modules = message.heart, message.modules
    keyboard, pointer, voice = message.keyboard, message.pointer, message.voice
    get = modules.values.get if modules is not None else None
    return (
        *(_NO_HEART if heart is None else (heart.quality, heart.hr_bpm)),
        *(_NO_KEYBOARD if keyboard is None else _get_keyboard(keyboard)),
        *(_NO_POINTER if pointer is None else _get_pointer(pointer)),
        *(_NO_VOICE if voice is None else _get_voice(voice)),
        *(
            _NO_MODULES
            if modules is None or get is None
            else (modules.quality, get("eda_us"), get("skin_temp_c"), get("acc_rms_g"))
        ),
    )


_QUALITY_AT = np.array([0, 2, 7, 10, 17])
_VALUE_AT = np.delete(np.arange(len(_RAW) + 5), _QUALITY_AT)


class FeatureWindows:
    """Ring buffers of every agent's last minute.

    Memory is bounded: about 5 KiB per agent, whatever arrives.
    """

    def __init__(self) -> None:
        self._n = 0
        self._slot = np.zeros((0, _SLOTS), dtype=np.int64)  # window number of each slot
        self._raw = np.zeros((0, _SLOTS, len(_RAW)), dtype=np.float32)
        self._quality = np.zeros((0, _SLOTS, len(_CHANNELS)), dtype=np.float32)
        self._rr = np.zeros((0, _BEATS), dtype=np.float32)
        self._beat_s = np.zeros((0, _BEATS), dtype=np.float64)
        self._head = np.zeros(0, dtype=np.int32)  # where the next beat goes
        self._heart_source = np.zeros(0, dtype=np.int64)
        self._heart_at = np.zeros(0, dtype=np.float64)

    _ARRAYS: ClassVar = (
        "slot", "raw", "quality", "rr", "beat_s", "head", "heart_source", "heart_at",
    )  # fmt: skip
    _BLANK: ClassVar = {
        "slot": -1,
        "raw": np.nan,
        "rr": np.nan,
        "beat_s": -np.inf,
        "heart_at": -np.inf,
    }

    def ensure(self, n_rows: int) -> None:
        """Make room for agents 0 to n_rows - 1; never shrinks."""
        have = len(self._slot)
        if n_rows > have:
            room = max(n_rows, have + have // 4)
            for name in self._ARRAYS:
                old = getattr(self, f"_{name}")
                new = np.full((room, *old.shape[1:]), self._BLANK.get(name, 0), dtype=old.dtype)
                new[:have] = old
                setattr(self, f"_{name}", new)
        self._n = max(self._n, n_rows)

    def forget(self, rows: Rows) -> None:
        """Begin again with `rows`: their clock was set back."""
        for name in self._ARRAYS:
            getattr(self, f"_{name}")[rows] = self._BLANK.get(name, 0)

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return a copy of the whole state."""
        return {name: getattr(self, f"_{name}")[: self._n].copy() for name in self._ARRAYS}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]]) -> FeatureWindows:
        """Return windows in the state of :meth:`to_arrays`, bit for bit."""
        made = cls()
        for name in cls._ARRAYS:
            setattr(made, f"_{name}", arrays[name].copy())
        made._n = len(made._slot)
        return made

    def extract(self, rows: Rows, windows: Sequence[ReadingMessage]) -> FeatureBatch:
        """Take one new window of each agent in and return their features.

        Parameters
        ----------
        rows : ndarray of intp, shape (n,)
            Row of each window's agent; unique.
        windows : sequence of ReadingMessage, length n

        Returns
        -------
        FeatureBatch
            As of each window's own end: a late one sees its own past.
        """
        at_s = np.array([w.window_end_at.timestamp() for w in windows], dtype=np.float64)
        self._take_values(rows, windows, at_s)
        self._take_beats(rows, windows, at_s)
        values, quality, moving = self._features(rows, at_s)
        return FeatureBatch(at_s=at_s, values=values, quality=quality, moving=moving)

    def _take_values(self, rows: Rows, windows: Sequence[ReadingMessage], at_s: Floats) -> None:
        if not len(rows):
            return
        flat = np.array([_unpack(w) for w in windows], dtype=np.float32)
        values, quality = flat[:, _VALUE_AT], flat[:, _QUALITY_AT]
        f0, eda = values[:, _COLUMN["f0_st"]], values[:, _COLUMN["log_eda"]]
        with np.errstate(divide="ignore", invalid="ignore"):
            values[:, _COLUMN["f0_st"]] = 12.0 * np.log2(f0 / 100.0)  # semitones above 100 Hz
            # a conductance of zero is an electrode in the air
            values[:, _COLUMN["log_eda"]] = np.where(eda > 0, np.log(eda), np.nan)
        number = np.floor(at_s / WINDOW_S).astype(np.int64)
        slot = number % _SLOTS
        held = self._slot[rows, slot]
        fresh, same = held < number, held == number
        r, s = rows[fresh], slot[fresh]
        self._slot[r, s] = number[fresh]
        self._raw[r, s] = values[fresh]
        self._quality[r, s] = quality[fresh]
        r, s = rows[same], slot[same]
        if r.size:  # another source of the same agent: the better of the two, per channel
            old = self._quality[r, s]
            better = ~(quality[same] <= old) & np.isfinite(quality[same])
            self._quality[r, s] = np.where(better, quality[same], old)
            pick = better[:, _CHANNEL_OF]
            self._raw[r, s] = np.where(pick, values[same], self._raw[r, s])

    def _take_beats(self, rows: Rows, windows: Sequence[ReadingMessage], at_s: Floats) -> None:
        for row, window, end_s in zip(rows.tolist(), windows, at_s.tolist(), strict=True):
            heart = window.heart
            if heart is not None and heart.rr_ms:
                self._take_burst(row, window.source, heart, end_s)

    def _take_burst(self, row: int, source: str, heart: Heart, end_s: float) -> None:
        """Append the beats that are newer than the last; one headset at a time."""
        code = crc32(source.encode())
        if code != self._heart_source[row] and end_s - self._heart_at[row] <= FRESH_S:
            return
        head = int(self._head[row])
        last_s = float(self._beat_s[row, head - 1])
        times = [end_s + offset / 1000.0 for offset in heart.beat_offset_ms[-_BURST:]]
        pairs = [(t, rr) for t, rr in zip(times, heart.rr_ms[-_BURST:], strict=True) if t > last_s]
        if not pairs:
            return
        self._heart_source[row] = code
        self._heart_at[row] = max(end_s, float(self._heart_at[row]))
        place = np.arange(head, head + len(pairs)) % _BEATS
        self._beat_s[row, place] = [t for t, _ in pairs]
        self._rr[row, place] = [rr for _, rr in pairs]
        self._head[row] = (head + len(pairs)) % _BEATS

    def _features(self, rows: Rows, at_s: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
        n = len(rows)
        values = np.full((n, len(FEATURES)), np.nan)
        age = (np.floor(at_s / WINDOW_S).astype(np.int64)[:, None] - self._slot[rows]) * WINDOW_S
        spans = _Spans(
            raw=self._raw[rows].astype(np.float64),
            fresh=(age >= 0) & (age < FRESH_S),
            short=(age >= 0) & (age < SMOOTH_S),
            long=(age >= 0) & (age < SPAN_S),
        )
        _body(spans, values)
        _hands(spans, values)
        _voice(spans, values)
        self._rhythm(rows, at_s, values)
        held = self._quality[rows].astype(np.float64)
        quality = _mean(held, spans.long)[:, _FEATURE_CHANNEL]
        quality = np.where(np.isfinite(values) & np.isfinite(quality), quality, 0.0)
        moving = spans.most("acc_rms_g", spans.short) > MOVING_G
        return values, quality, moving

    def _rhythm(self, rows: Rows, at_s: Floats, values: Floats) -> None:
        """Fill in what needs beats."""
        some = np.flatnonzero(at_s - self._heart_at[rows] < SPAN_S)
        if not some.size:
            return
        r, end = rows[some], at_s[some, None]
        beat_s, rr = self._beat_s[r], self._rr[r].astype(np.float64)
        present = (beat_s > end - SPAN_S) & (beat_s <= end + WINDOW_S)
        normal = hrv.normal_beats(rr, present)
        figures = hrv.time_domain(rr, normal, hrv.successive(rr, beat_s, normal))
        enough = figures.n_differences >= LEAST_DIFFERENCES
        with np.errstate(divide="ignore", invalid="ignore"):
            for name, spread in (("log_rmssd", figures.rmssd_ms), ("log_sdnn", figures.sdnn_ms)):
                # identical intervals are a stuck sensor, not a calm agent
                known = enough & (spread > 0)
                values[some, FEATURE_INDEX[name]] = np.where(known, np.log(spread), np.nan)
        newest = _newest(beat_s, normal, MOST_BEATS)
        rate = 60_000.0 / hrv.row_median(rr, newest)
        column = FEATURE_INDEX["heart_rate_bpm"]
        values[some, column] = np.where(newest.sum(axis=1) >= LEAST_BEATS, rate, np.nan)


def _newest(beat_s: Floats, normal: Mask, most: int) -> Mask:
    """Return the newest `most` of the normal beats of each row."""
    found = np.where(normal, beat_s, -np.inf)
    oldest = np.partition(found, -most, axis=1)[:, -most, None]
    return normal & (found >= oldest)


_FEATURE_CHANNEL = np.array(
    [_CHANNELS.index(PART_CHANNEL[feature.part].value) for feature in FEATURES]
)


@dataclass(slots=True)
class _Spans:
    """The rings of n agents, and which slots belong to which span."""

    raw: Floats
    fresh: Mask
    short: Mask
    long: Mask

    def column(self, name: str) -> Floats:
        return self.raw[:, :, _COLUMN[name]]

    def mean(self, name: str, span: Mask) -> Floats:
        return _mean(self.column(name)[:, :, None], span)[:, 0]

    def total(self, name: str) -> Floats:
        column = self.column(name)
        total: Floats = np.where(self.long & np.isfinite(column), column, 0.0).sum(axis=1)
        return total

    def count(self, name: str) -> Floats:
        known: Mask = self.long & np.isfinite(self.column(name))
        number: Floats = known.sum(axis=1, dtype=np.float64)
        return number

    def most(self, name: str, span: Mask) -> Floats:
        greatest: Floats = np.fmax.reduce(np.where(span, self.column(name), np.nan), axis=1)
        return greatest


def _mean(values: Floats, span: Mask) -> Floats:
    """Return the mean over slots of what is known; NaN where nothing is."""
    known = span[:, :, None] & np.isfinite(values)
    count = known.sum(axis=1)
    total = np.where(known, values, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _put(values: Floats, name: str, column: Floats, known: Mask) -> None:
    values[:, FEATURE_INDEX[name]] = np.where(known, column, np.nan)


def _body(spans: _Spans, values: Floats) -> None:
    for name, raw in (
        ("device_rate_bpm", "hr_bpm"),
        ("log_eda", "log_eda"),
        ("skin_temp_c", "skin_temp_c"),
    ):
        known = np.asarray((spans.fresh & np.isfinite(spans.column(raw))).any(axis=1))
        span = spans.short if name == "device_rate_bpm" else spans.fresh
        _put(values, name, spans.mean(raw, span), known)


def _hands(spans: _Spans, values: Floats) -> None:
    presses = spans.total("key_presses")
    seconds = spans.count("key_presses") * WINDOW_S
    typed = presses >= LEAST_PRESSES
    with np.errstate(divide="ignore", invalid="ignore"):
        _put(values, "typing_rate_hz", presses / seconds, seconds > 0)
        _put(values, "correction_ratio", spans.total("key_corrections") / presses, typed)
        _put(values, "dwell_ms", spans.mean("dwell_ms", spans.long), typed)
        _put(values, "flight_ms", spans.mean("flight_ms", spans.long), typed)
        speed = spans.mean("pointer_speed_px_s", spans.long)
        _put(values, "pointer_speed_px_s", speed, spans.count("pointer_speed_px_s") >= 3)
        seconds = spans.count("pointer_clicks") * WINDOW_S
        _put(values, "click_rate_hz", spans.total("pointer_clicks") / seconds, seconds > 0)


def _voice(spans: _Spans, values: Floats) -> None:
    for name in ("f0_st", "loudness_db", "speech_rate_hz", "pause_ratio", "jitter_local"):
        known = spans.count(name) >= LEAST_SPOKEN
        _put(values, name, spans.mean(name, spans.long), known)
