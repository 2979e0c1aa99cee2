"""Everything a study can ask for, by name: what it is, in which unit, from which source; pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType

from analytics.signals.features import FEATURES, PART_CHANNEL
from analytics.store.points import Measurement
from sensors.errors import ConfigurationError
from sensors.signals import FIELDS, SIGNALS, Channel, Reduction

LOOK_BACK = timedelta(minutes=5, seconds=5)
"""Features look back five minutes of windows."""

SLOW_LOOK_BACK = timedelta(minutes=20)
"""Of evidence, and of the alerts that it makes: its longer average forgets by a factor e in four
minutes (:data:`analytics.scoring.evidence.LASTING_S`), so that 0.7 % is left after twenty."""


class Cover(StrEnum):
    """One kind of data that a person's form covers, or not."""

    HEART = "heart"
    KEYBOARD = "keyboard"
    POINTER = "pointer"
    VOICE = "voice"
    MODULES = "modules"
    SCORE = "score"
    SELF_REPORT = "self_report"
    ALERTS = "alerts"
    CONTEXT = "context"
    """What telephony said beside each value: when somebody was on a call, on a break, away."""


class Kind(StrEnum):
    """How the values of a variable come about."""

    MEASURED = "measured"  # one value per window, as sent
    FEATURE = "feature"  # over the last minutes, as scored
    SCORED = "scored"
    ASKED = "asked"  # the agent's own answer
    BEATS = "beats"  # computed from the beats of a stretch that the question names


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One signal that a study can ask for.

    Parameters
    ----------
    name : str
        As asked for, and as it stands in the frame.
    kind : Kind
    cover : Cover
        What a person must have consented to.
    measurement : Measurement
    field : str
        Where it lies in the store.
    unit : str
        ``"1"`` for a pure number.
    low, high : float or None
        Inclusive range; ``None`` where there is none.
    meaning : str
    source : str
        Where definition or range come from.
    """

    name: str
    kind: Kind
    cover: Cover
    measurement: Measurement
    field: str
    unit: str
    low: float | None
    high: float | None
    meaning: str
    source: str

    @property
    def channel(self) -> Channel | None:
        """The channel whose quality is this variable's; ``None`` for none."""
        return Channel(self.cover.value) if self.cover.value in set(Channel) else None

    @property
    def look_back(self) -> timedelta:
        """How far back what it says may reach: so long after a signature it is not given."""
        return SLOW_LOOK_BACK if self.name == "evidence" else LOOK_BACK


# fmt: off
_FEATURE_MEANING: dict[str, str] = {
    "heart_rate_bpm": "Heart rate: from the median of the newest 8 to 40 good beats of the last minute.",
    "device_rate_bpm": "Heart rate as the device reports it, mean of the last 30 s.",
    "log_rmssd": "Logarithm of RMSSD of the last minute, artefacts removed.",
    "log_sdnn": "Logarithm of SDNN of the last minute, artefacts removed.",
    "log_rmssd_5min": "Logarithm of RMSSD of the last five minutes, artefacts removed.",
    "log_sdnn_5min": "Logarithm of SDNN of the last five minutes, artefacts removed.",
    "log_eda": "Logarithm of skin conductance, mean of the last 15 s.",
    "eda_rises_per_min": "How often skin conductance rises by 0.05 uS or more, in the last minute.",
    "skin_temp_c": "Skin temperature, mean of the last 15 s.",
    "skin_temp_slope_c_min": "Slope of skin temperature over the last five minutes.",
    "movement_g": "Movement: root mean square of acceleration without gravity, mean of the last 30 s.",
    "dwell_ms": "How long a key is held down; mean of the last minute.",
    "flight_ms": "Time from releasing a key to pressing the next; mean of the last minute.",
    "typing_rate_hz": "Key presses per second of the last minute.",
    "correction_ratio": "Corrections over presses of the last minute.",
    "typing_pause_ratio": "Pauses of more than half a second over presses of the last minute.",
    "pointer_speed_px_s": "Speed of the pointer while it moves; mean of the last minute.",
    "click_rate_hz": "Clicks per second of the last minute.",
    "f0_st": "Pitch above 100 Hz; mean of the last minute.",
    "loudness_db": "Level of the speech; mean of the last minute.",
    "speech_rate_hz": "Loudness peaks (about syllables) per second of speech; mean of the last minute.",
    "pause_ratio": "Share of silence between the first and last speech of a window; mean of the last minute.",
    "jitter_local": "Cycle-to-cycle change of the period over the mean period; mean of the last minute.",
}

_SCORED: tuple[tuple[str, float | None, str], ...] = (
    ("score", None, "Distance from the agent's own usual in the direction of strain."),
    ("strain_index", 100.0, "This project's composite: the chance of strain given this window, had strain and calm been equally likely; no probability of strain."),
    ("evidence", None, "Sequential statistic; an episode begins when it stays above a threshold."),
)

_BEATS: tuple[tuple[str, str, str], ...] = (
    ("rmssd_ms", "ms", "Root mean square of successive differences of the beats of the stretch, artefacts removed."),
    ("sdnn_ms", "ms", "Standard deviation of the beats' intervals of the stretch, artefacts removed; compare stretches of one length only."),
    ("sdsd_ms", "ms", "Standard deviation of successive differences of the stretch, artefacts removed."),
    ("pnn50", "1", "Share of successive differences above 50 ms in the stretch, artefacts removed."),
    ("sd1_ms", "ms", "Poincare plot of the stretch: deviation across the identity line."),
    ("sd2_ms", "ms", "Poincare plot of the stretch: deviation along the identity line."),
    ("mean_rr_ms", "ms", "Mean of the beats' intervals of the stretch, artefacts removed."),
)
# fmt: on

_OURS = "this project: analytics/store/README.md"
_TASK_FORCE = SIGNALS["rr_ms"].source


def _measured() -> Iterable[Variable]:
    for signal in SIGNALS.values():
        if signal.reduction is Reduction.ALL and signal.name != "rr_ms":
            continue
        is_beat = signal.name == "rr_ms"
        yield Variable(
            name=signal.name,
            kind=Kind.MEASURED,
            cover=Cover(signal.channel.value),
            measurement=Measurement.BEAT if is_beat else Measurement.READING,
            field=signal.name,
            unit=signal.unit,
            low=signal.low,
            high=signal.high,
            meaning=signal.meaning,
            source=signal.source,
        )


def _features() -> Iterable[Variable]:
    for feature in FEATURES:
        yield Variable(
            # What is measured under the same name keeps the plain one.
            name=f"feature.{feature.name}" if feature.name in SIGNALS else feature.name,
            kind=Kind.FEATURE,
            cover=Cover(PART_CHANNEL[feature.part].value),
            measurement=Measurement.FEATURE,
            field=feature.name,
            unit=feature.unit,
            low=None,
            high=None,
            meaning=_FEATURE_MEANING[feature.name],
            source="analytics/SIGNALS.md",
        )


def _others() -> Iterable[Variable]:
    for name, high, meaning in _SCORED:
        yield Variable(
            name=name, kind=Kind.SCORED, cover=Cover.SCORE, measurement=Measurement.SCORE,
            field=name, unit="1", low=0.0, high=high, meaning=meaning, source=_OURS,
        )  # fmt: skip
    for name in ("demanding", "recovered"):
        yield Variable(
            name=name, kind=Kind.ASKED, cover=Cover.SELF_REPORT, measurement=Measurement.DECISION,
            field=name, unit="1", low=0.0, high=10.0, meaning=FIELDS[name].meaning, source=_OURS,
        )  # fmt: skip
    for name, unit, meaning in _BEATS:
        yield Variable(
            name=name, kind=Kind.BEATS, cover=Cover.HEART, measurement=Measurement.BEAT,
            field="rr_ms", unit=unit, low=0.0, high=1.0 if unit == "1" else None,
            meaning=meaning, source=_TASK_FORCE,
        )  # fmt: skip


VARIABLES: Mapping[str, Variable] = MappingProxyType(
    {v.name: v for v in (*_measured(), *_features(), *_others())}
)
"""Every signal by name: measured, features, scores, answers, then figures of the beats."""


def variable(name: str) -> Variable:
    """Return the signal called `name`.

    Raises
    ------
    ConfigurationError
        If there is none; names the nearest.
    """
    try:
        return VARIABLES[name]
    except KeyError:
        near = difflib.get_close_matches(name, VARIABLES, n=3, cutoff=0.5)
        meant = f"; did you mean {' or '.join(near)}?" if near else ""
        raise ConfigurationError(
            f"there is no signal {name!r}{meant} wellbeing research signals lists all"
        ) from None
