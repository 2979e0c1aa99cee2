"""What each channel measured in one window: the sections of a reading.

Range checks are driven by the catalogue. No section has a field for audio,
words, keys, window titles or positions.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import ClassVar

from sensors.checks import check_quality, refuse
from sensors.errors import MessageError, Refusal
from sensors.signals import SIGNALS, Channel


class _Section:
    """Range checks shared by the channel sections, driven by the catalogue."""

    __slots__ = ()
    channel: ClassVar[Channel]

    def _check(self) -> None:
        bounds = _BOUNDS[type(self)]
        for value, (name, low, high) in zip(bounds.values(self), bounds.single, strict=True):
            if value is not None and not low <= value <= high:
                raise refuse(name, value, f"{low:g} to {high:g}")
        for name, low, high in bounds.series:
            for number in getattr(self, name):
                if not low <= number <= high:
                    raise refuse(name, number, f"{low:g} to {high:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Heart(_Section):
    """What the headset measured in one window; `rr_ms` and `beat_offset_ms` pair up."""

    channel: ClassVar[Channel] = Channel.HEART
    quality: float
    hr_bpm: float | None = None
    rr_ms: tuple[float, ...] = ()
    beat_offset_ms: tuple[float, ...] = ()
    contact: float | None = None

    def __post_init__(self) -> None:
        check_quality(self.quality)
        if len(self.rr_ms) != len(self.beat_offset_ms):
            raise refuse(
                "beat_offset_ms",
                len(self.beat_offset_ms),
                f"one for each of {len(self.rr_ms)} rr_ms",
            )
        self._check()


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyboard(_Section):
    """Counts and timing of one window; no key, no character, no order."""

    channel: ClassVar[Channel] = Channel.KEYBOARD
    quality: float
    key_presses: float = 0.0
    dwell_ms: float | None = None
    dwell_iqr_ms: float | None = None
    flight_ms: float | None = None
    flight_iqr_ms: float | None = None
    key_pauses: float = 0.0
    burst_presses: float | None = None
    key_corrections: float = 0.0

    def __post_init__(self) -> None:
        check_quality(self.quality)
        self._check()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointer(_Section):
    """Movement statistics of one window; no position."""

    channel: ClassVar[Channel] = Channel.POINTER
    quality: float
    pointer_speed_px_s: float | None = None
    pointer_acceleration_px_s2: float | None = None
    pointer_straightness: float | None = None
    pointer_clicks: float = 0.0
    click_dwell_ms: float | None = None
    scroll_steps: float = 0.0

    def __post_init__(self) -> None:
        check_quality(self.quality)
        self._check()


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceValues:
    """What is measured of a voice, by its names in the catalogue; ``None`` is unknown, never zero."""

    quality: float
    speech_ratio: float | None = None
    pause_ratio: float | None = None
    speech_rate_hz: float | None = None
    f0_hz: float | None = None
    f0_spread_st: float | None = None
    f0_slope_st_s: float | None = None
    voiced_ratio: float | None = None
    jitter_local: float | None = None
    shimmer_local: float | None = None
    hnr_db: float | None = None
    loudness_db: float | None = None
    alpha_ratio_db: float | None = None
    hammarberg_db: float | None = None
    slope_0_500_db_hz: float | None = None
    slope_500_1500_db_hz: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice(VoiceValues, _Section):
    """Acoustic features of one window of the agent's own voice; no audio, no words."""

    channel: ClassVar[Channel] = Channel.VOICE

    def __post_init__(self) -> None:
        check_quality(self.quality)
        self._check()


@dataclass(frozen=True, slots=True, kw_only=True)
class Modules:
    """What serial and third-party modules measured, by catalogue name."""

    channel: ClassVar[Channel] = Channel.MODULES
    quality: float
    values: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_quality(self.quality)
        for name, value in self.values.items():
            known = SIGNALS.get(name)
            if known is None or known.channel is not Channel.MODULES:
                raise MessageError(
                    Refusal.UNKNOWN_SIGNAL, f"modules carry {name!r}, not a module signal"
                )
            if not known.accepts(value):
                raise refuse(name, value, f"{known.low:g} to {known.high:g}")


Section = Heart | Keyboard | Pointer | Voice | Modules

SECTIONS: dict[Channel, type[Section]] = {
    kind.channel: kind for kind in (Heart, Keyboard, Pointer, Voice, Modules)
}
"""The section that carries each channel."""

_Range = tuple[str, float, float]


class _Bounds:
    """What the catalogue allows each field of one kind of section; a server asks for every window."""

    __slots__ = ("series", "single", "values")

    def __init__(self, kind: type[Section]) -> None:
        known = [f for f in fields(kind) if f.name in SIGNALS]
        ranges = {f.name: (f.name, SIGNALS[f.name].low, SIGNALS[f.name].high) for f in known}
        self.series: list[_Range] = [ranges[f.name] for f in known if f.default == ()]
        self.single: list[_Range] = [r for r in ranges.values() if r not in self.series]
        self.values = attrgetter(*(name for name, _, _ in self.single))


_BOUNDS: dict[type, _Bounds] = {
    kind: _Bounds(kind) for kind in SECTIONS.values() if kind is not Modules
}
