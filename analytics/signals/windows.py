"""From 5-second windows to features: per-agent ring buffers, one row per agent.

A slot of a ring is addressed by the time of its window, so a gap leaves a
stale slot that the time mask skips, and a window that comes late lands where
it belongs or nowhere. Each channel is read from one edge at a time: another
takes over once that one has been silent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from operator import attrgetter
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from analytics.signals import beats, spans
from analytics.signals.beats import LONG_SLOTS, LONG_SPAN_S, SPAN_S
from analytics.signals.features import FEATURES
from analytics.signals.rings import Ring, Rings
from analytics.signals.spans import COLUMN, FRESH_S, MOVING_G, QUALITY, RAW, RAW_CHANNEL, SETTLE_S
from sensors.messages import WINDOW_S, ContextState, Modules, ReadingMessage
from sensors.signals import UNSCORED, Channel

__all__ = [
    "CONTEXTS",
    "FRESH_S",
    "LONG_SPAN_S",
    "MOVING_G",
    "PATIENCE_S",
    "SETTLE_S",
    "SPAN_S",
    "FeatureBatch",
    "FeatureWindows",
]

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Mask = NDArray[np.bool_]
Rows = NDArray[np.intp]
Numbers = NDArray[np.int64]

PATIENCE_S = np.array([FRESH_S, SPAN_S, SPAN_S, SPAN_S, FRESH_S])
"""How long each channel's edge must be silent before another takes over. [s]

Heart and skin are measured all the time; hands and voice rest by themselves,
and not typing for a while is no reason to look at another keyboard.
"""

_SLOTS = 16
_OLDEST = LONG_SLOTS + 1  # windows; how much older makes no difference
_CHUNK = 1024  # agents worked on at a time: the temporaries stay in a core's cache
_HEART, _KEYBOARD, _POINTER, _VOICE, _MODULES = range(5)

_get_keyboard = attrgetter(
    "quality", "key_presses", "dwell_ms", "flight_ms", "key_corrections", "key_pauses"
)
_get_pointer = attrgetter("quality", "pointer_speed_px_s", "pointer_clicks")
_get_voice = attrgetter(
    "quality", "f0_hz", "loudness_db", "speech_rate_hz", "pause_ratio", "jitter_local"
)
_NO_HEART = (None,) * 2
_NO_KEYBOARD = (None,) * 6
_NO_POINTER = (None,) * 3
_NO_VOICE = (None,) * 6
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
        In the units of :data:`~analytics.signals.features.FEATURES`; NaN is unknown.
    quality : ndarray of float64, shape (n, d)
        0 to 1; 0 where the value is unknown.
    moving : ndarray of bool, shape (n,)
        The body moves, or moved within the last half minute.
    context : ndarray of int8, shape (n,), optional
        What the agent is doing: index into :data:`CONTEXTS`; left out, unknown.
    source : ndarray of int64, shape (n, C), optional
        Code (CRC-32 of its name) of the edge that each channel (order of
        ``Channel``) is read from, 0 for none; left out, one and the same.
        Another edge takes over only after :data:`PATIENCE_S` of silence.
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


def measures_body(modules: Modules | None) -> bool:
    """Return whether modules gave anything that is scored.

    A radar at the display says whether somebody is there, and nothing about
    them: it must neither stand for a skin sensor that fell silent nor take the
    channel from another edge that has one.
    """
    return modules is not None and not modules.values.keys() <= UNSCORED


def _unpack(message: ReadingMessage) -> tuple[float | None, ...]:
    """Return quality and values of every section, in ring order; ``None`` is unknown."""
    heart, modules = message.heart, message.modules
    keyboard, pointer, voice = message.keyboard, message.pointer, message.voice
    get = modules.values.get if modules is not None and measures_body(modules) else None
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


_RINGS = {
    "slot": Ring((_SLOTS,), "<i8", -1),  # window number of each slot
    "raw": Ring((_SLOTS, len(RAW)), "<f4", np.nan),
    "source": Ring((len(Channel),), "<i8", 0),  # edge that each channel is read from
    "active_s": Ring((len(Channel),), "<f8", -np.inf),  # when it last gave something
    "long_slot": Ring((LONG_SLOTS,), "<i8", -1),
    "skin_temp_c": Ring((LONG_SLOTS,), "<f4", np.nan),
    **beats.RINGS,
}


class FeatureWindows:
    """Ring buffers of every agent's last five minutes.

    Memory is bounded: about 6 KiB per agent, whatever arrives.
    """

    def __init__(self) -> None:
        self._rings = Rings(_RINGS)

    def ensure(self, n_rows: int) -> None:
        """Make room for agents 0 to n_rows - 1; never shrinks."""
        self._rings.ensure(n_rows)

    def forget(self, rows: Rows) -> None:
        """Begin again with `rows`: their clock was set back."""
        self._rings.forget(rows)

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return a copy of the whole state."""
        return self._rings.to_arrays()

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]]) -> FeatureWindows:
        """Return windows in the state of :meth:`to_arrays`, bit for bit.

        Raises
        ------
        KeyError
            If an array is missing.
        """
        made = cls()
        made._rings.restore(arrays)
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
        n = len(rows)
        at_s = np.array([w.window_end_at.timestamp() for w in windows], dtype=np.float64)
        number = _number(at_s)
        values, quality = np.full((n, len(FEATURES)), np.nan), np.zeros((n, len(FEATURES)))
        moving = np.zeros(n, dtype=bool)
        if n:
            read = _read(windows)
            ours = self._choose(rows, windows, at_s, read)
            self._take(rows, number, read)
            told = ours[:, _HEART] & (read[:, COLUMN["quality_heart"]] > 0)
            beats.take(self._rings, rows, windows, at_s, told)
        held = self._rings["long_slot"][rows, number % LONG_SLOTS] == number
        beats.minute(self._rings, rows, at_s, number, held, values, quality)
        for start in range(0, n, _CHUNK):
            here = slice(start, start + _CHUNK)
            self._features(rows[here], at_s[here], values[here], quality[here], moving[here])
        source = self._rings["source"][rows]
        return FeatureBatch(at_s=at_s, values=values, quality=quality, moving=moving, source=source)

    def _choose(
        self,
        rows: Rows,
        windows: Sequence[ReadingMessage],
        at_s: Floats,
        read: Singles,
    ) -> Mask:
        """Blank the channels that another edge gives; return which are taken, shape (n, C)."""
        source, active_s = self._rings["source"], self._rings["active_s"]
        code = np.array([crc32(w.source.encode()) for w in windows], dtype=np.int64)[:, None]
        held, since_s = source[rows], active_s[rows]
        present, active = np.isfinite(read[:, QUALITY]), _active(read)
        silent = at_s[:, None] - since_s > PATIENCE_S
        ours = present & ((held == code) | (held == 0) | (active & silent))
        others = present & ~ours
        if others.any():
            read[others[:, RAW_CHANNEL]] = np.nan
        changed = ours & (held != code) & (held != 0)
        if changed.any():
            for channel in range(len(Channel)):
                self._clear(rows[changed[:, channel]], channel)
        source[rows] = np.where(ours, code, held)
        heard = ours & active
        active_s[rows] = np.where(heard, np.maximum(since_s, at_s[:, None]), since_s)
        return np.asarray(ours)

    def _clear(self, rows: Rows, channel: int) -> None:
        """Forget what another edge gave of `channel`: features never mix two."""
        if not rows.size:
            return
        for column in np.flatnonzero(channel == RAW_CHANNEL).tolist():
            self._rings["raw"][rows, :, column] = np.nan
        if channel == _HEART:
            beats.clear(self._rings, rows)
        elif channel == _MODULES:
            self._rings["skin_temp_c"][rows] = np.nan

    def _take(self, rows: Rows, number: Numbers, read: Singles) -> None:
        rings = self._rings
        # How well silence was heard says nothing about how well speech was.
        read[~np.isfinite(read[:, COLUMN["loudness_db"]]), COLUMN["quality_voice"]] = np.nan
        slot = number % _SLOTS
        held = rings["slot"][rows, slot]
        fresh, same = held < number, np.flatnonzero(held == number)
        r, s = rows[fresh], slot[fresh]
        rings["slot"][r, s] = number[fresh]
        rings["raw"][r, s] = read[fresh]
        if same.size:  # other channels of the same moment, or the same once more
            r, s = rows[same], slot[same]
            old, new = rings["raw"][r, s], read[same]
            better = ~(new[:, QUALITY] <= old[:, QUALITY]) & np.isfinite(new[:, QUALITY])
            rings["raw"][r, s] = np.where(better[:, RAW_CHANNEL], new, old)
        self._take_long(rows, number, read[:, COLUMN["skin_temp_c"]])

    def _take_long(self, rows: Rows, number: Numbers, skin_temp_c: Singles) -> None:
        rings, slot = self._rings, number % LONG_SLOTS
        held = rings["long_slot"][rows, slot]
        fresh = held < number
        r, s = rows[fresh], slot[fresh]
        rings["long_slot"][r, s] = number[fresh]
        rings["skin_temp_c"][r, s] = np.nan
        rings["sums"][r, s] = 0.0
        some = np.isfinite(skin_temp_c) & (held <= number)
        rings["skin_temp_c"][rows[some], slot[some]] = skin_temp_c[some]

    def _features(
        self,
        rows: Rows,
        at_s: Floats,
        values: Floats,
        quality: Floats,
        moving: Mask,
    ) -> None:
        """Fill in values, quality and movement; `quality` comes with the coverage of beats."""
        rings, number = self._rings, _number(at_s)
        raw = rings["raw"][rows]
        age_s, long_age_s = (
            _age_s(number, rings["slot"][rows]),
            _age_s(number, rings["long_slot"][rows]),
        )
        found = spans.sums(raw, age_s, values, quality)
        spans.body(found, raw, age_s)
        spans.hands(found)
        spans.voice(found)
        spans.rises(found, raw[:, :, COLUMN["log_eda"]], age_s)
        spans.slope(found, rings["skin_temp_c"][rows], long_age_s)
        within = (long_age_s >= 0) & (long_age_s < LONG_SPAN_S)
        sums = np.matmul(within[:, None, :].astype(np.float32), rings["sums"][rows])[:, 0]
        beats.five_minutes(sums, at_s - rings["newest_s"][rows] < SPAN_S, values, quality)
        quality[:] = spans.quality(found)
        moving[:] = spans.moving(raw, age_s)


def _read(windows: Sequence[ReadingMessage]) -> Singles:
    """Return what the sections say, shape (n, len(RAW)); NaN is unknown."""
    read = np.array([_unpack(w) for w in windows], dtype=np.float32)
    f0, eda = read[:, COLUMN["f0_st"]], read[:, COLUMN["log_eda"]]
    with np.errstate(divide="ignore", invalid="ignore"):
        read[:, COLUMN["f0_st"]] = 12.0 * np.log2(f0 / 100.0)  # semitones above 100 Hz
        # a conductance of zero is an electrode in the air
        read[:, COLUMN["log_eda"]] = np.where(eda > 0, np.log(eda), np.nan)
    spans.refuse_implausible(read)
    return read


def _number(at_s: Floats) -> Numbers:
    """Return the number of the window that ends at each time."""
    return np.floor(at_s / WINDOW_S).astype(np.int64)


def _age_s(number: Numbers, slot: Numbers) -> NDArray[np.int32]:
    """Return how long before each window its slots ended [s]; beyond the rings means the same."""
    windows = np.clip(number[:, None] - slot, -1, _OLDEST)
    return np.asarray(windows.astype(np.int32) * np.int32(WINDOW_S))


def _active(read: Singles) -> Mask:
    """Return which channels gave something, (n, C): an idle keyboard does not, nor poor quality."""
    active = read[:, QUALITY] > 0
    active[:, _KEYBOARD] &= read[:, COLUMN["key_presses"]] > 0
    moved = np.isfinite(read[:, COLUMN["pointer_speed_px_s"]])
    active[:, _POINTER] &= moved | (read[:, COLUMN["pointer_clicks"]] > 0)
    return np.asarray(active)
