"""The agent's own figures as tables: now, usual range, last day and month. Pure.

These figures are the agent's; no other screen shows them (TRUST T12).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sensors.edge.page import told
from sensors.edge.page.capture import consent_words
from sensors.edge.page.facts import Facts
from sensors.messages import MirrorMessage, PersonState, ReadingMessage, UsualRange
from sensors.shown import bands, duration
from sensors.signals import Channel, Reduction, Signal, of_channel
from sensors.words import N_, Words

FEATURE_WORDS: dict[str, str] = {
    "heart_rate_bpm": N_("Heart rate"),
    "device_rate_bpm": N_("Heart rate as the device reports it"),
    "log_rmssd": N_("Heart: change from beat to beat (RMSSD)"),
    "log_sdnn": N_("Heart: spread of the beats (SDNN)"),
    "log_rmssd_5min": N_("Heart: change from beat to beat over five minutes (RMSSD)"),
    "log_sdnn_5min": N_("Heart: spread of the beats over five minutes (SDNN)"),
    "log_eda": N_("Skin conductance"),
    "eda_rises_per_min": N_("Rises of skin conductance"),
    "skin_temp_c": N_("Skin temperature"),
    "skin_temp_slope_c_min": N_("Change of skin temperature"),
    "movement_g": N_("Movement"),
    "dwell_ms": N_("How long a key is held"),
    "flight_ms": N_("Time from one key to the next"),
    "typing_rate_hz": N_("Keys pressed"),
    "correction_ratio": N_("Share of corrections"),
    "typing_pause_ratio": N_("Share of pauses in typing"),
    "pointer_speed_px_s": N_("Speed of the pointer"),
    "click_rate_hz": N_("Clicks"),
    "f0_st": N_("Pitch of the voice"),
    "loudness_db": N_("Loudness of the voice"),
    "speech_rate_hz": N_("Pace of speaking"),
    "pause_ratio": N_("Share of pauses in speaking"),
    "jitter_local": N_("Unevenness of the voice (jitter)"),
}
"""The detector's features in words; one that a newer server adds is shown as it is named."""

_UNITS: dict[str, str] = {
    "1": "",
    "1/min": "/min",
    "1/s": "/s",
    "uS": "µS",
    "degC": "°C",
    "degC/min": "°C/min",
    "px/s2": "px/s²",
    "semitone": "st",
    "semitone/s": "st/s",
}
_YOUNG_H = 1.0  # until then it is mostly everybody's range, and must not look like one's own
_LOGARITHM = "ln("
"""A unit such as ``ln(ms)``: judged as a logarithm, shown as what it is the logarithm of."""

_STATE_WORDS: dict[PersonState, str] = {
    PersonState.AS_USUAL: N_("You are within your own usual range."),
    PersonState.LEARNING: N_("Your own usual range is still being learnt."),
    PersonState.DIFFERENT: N_("Right now you differ from your own usual range."),
    PersonState.NO_DATA: N_("Nothing is known about you right now."),
    PersonState.FAULT: N_("A device does not work, so nothing can be said."),
}


@dataclass(frozen=True, slots=True)
class UsualRow:
    """One compared feature in words."""

    name: str
    now: str
    usual: str
    place: str
    rests_on: str


@dataclass(frozen=True, slots=True)
class MeasuredRow:
    """One signal: now, and over day and month as lowest, mean and highest."""

    signal: Signal
    name: str
    now: str
    day: str
    month: str
    day_points: tuple[tuple[datetime, float], ...]


@dataclass(frozen=True, slots=True)
class MeasuredGroup:
    """The signals of one channel."""

    channel: Channel
    name: str
    rows: tuple[MeasuredRow, ...]


def number(value: float | None) -> str:
    """Return three figures that matter, never in powers of ten; a dash for unknown."""
    if value is None or not math.isfinite(value):
        return "–"  # noqa: RUF001 - the sign that stands for unknown on every screen
    if value == 0:
        return "0"
    digits = min(3, max(0, 2 - math.floor(math.log10(abs(value)))))
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def unit(name: str) -> str:
    """Return a unit as people write it; nothing for a pure number."""
    return _UNITS.get(name, name)


def sentence(words: Words, facts: Facts) -> str:
    """Return in one sentence how the agent is doing against their own usual."""
    mirror = facts.known_mirror
    if mirror is None:
        return words.say("How you compare with your own usual is not known right now.")
    said = words.say(_STATE_WORDS[mirror.state])
    notice = told.is_open(facts.notices)
    if mirror.state is PersonState.DIFFERENT and notice is not None:
        return words.join(said, bands(words, notice.contributions))
    return said


def index_lines(words: Words, mirror: MirrorMessage, *, is_private: bool = False) -> list[str]:
    """Return index and evidence, each with what it means; in private, nobody else is told."""
    lines = []
    if mirror.strain_index is not None:
        lines.append(
            words.say(
                "Strain index {value} of 100: above 50 this moment looks more like strain than like "
                "calm, below 50 less. It says how your body and hands respond, not why.",
                value=round(mirror.strain_index),
            )
        )
    if mirror.evidence is not None and mirror.threshold is not None:
        value, threshold = number(mirror.evidence), number(mirror.threshold)
        lines.append(
            words.say(
                "Evidence {value}; from {threshold} on you are told.",
                value=value,
                threshold=threshold,
            )
            if is_private
            else words.say(
                "Evidence {value}; from {threshold} on your supervisor would be told.",
                value=value,
                threshold=threshold,
            )
        )
    if mirror.quality is not None and mirror.state is not PersonState.LEARNING:
        # While it learns it judges nothing, and "0 %" would be said of good signals.
        percent = round(100 * mirror.quality)
        lines.append(words.say("Signal quality {percent} %.", percent=percent))
    return lines


def usual_rows(words: Words, usual: Sequence[UsualRange]) -> list[UsualRow]:
    """Return what is compared: the value now, the usual range, and what that rests on."""
    return [_usual_row(words, one) for one in usual]


def _usual_row(words: Words, one: UsualRange) -> UsualRow:
    low, high, now, shown_unit = one.low, one.high, one.now, one.unit
    if one.unit.startswith(_LOGARITHM):
        low, high = _exp(low), _exp(high)
        now = None if now is None else _exp(now)
        shown_unit = one.unit.removeprefix(_LOGARITHM).removesuffix(")")
    name = words.say(FEATURE_WORDS[one.feature]) if one.feature in FEATURE_WORDS else one.feature
    return UsualRow(
        name=name,
        now=_with_unit(number(now), shown_unit),
        usual=_with_unit(f"{number(low)} – {number(high)}", shown_unit),  # noqa: RUF001
        place=_place(words, now, low, high),
        rests_on=_rests_on(words, one.hours),
    )


def _rests_on(words: Words, hours: float) -> str:
    if hours <= 0:
        return words.say("still learning; until then everybody's range")
    time = duration(words, hours * 3600)
    if hours < _YOUNG_H:
        return words.say(
            "still learning, {time} so far; until then near everybody's range", time=time
        )
    return words.say("learnt from {time}", time=time)


def _exp(value: float) -> float:
    return math.exp(min(value, 50.0))  # of a sane logarithm; never an overflow


def _with_unit(text: str, name: str) -> str:
    shown = unit(name)
    return f"{text} {shown}" if shown and text != "–" else text  # noqa: RUF001


def _place(words: Words, now: float | None, low: float, high: float) -> str:
    if now is None:
        return words.say("unknown")
    if now < low:
        return words.say("below")
    return words.say("above") if now > high else words.say("as usual")


def measured(words: Words, facts: Facts) -> list[MeasuredGroup]:
    """Return every signal that was measured in the last month, by channel."""
    groups = []
    for channel in facts.channels:
        rows = [row for s in of_channel(channel) if (row := _measured_row(words, facts, s))]
        if rows:
            name, _ = consent_words(words, channel)
            groups.append(MeasuredGroup(channel, name, tuple(rows)))
    return groups


def _measured_row(words: Words, facts: Facts, signal: Signal) -> MeasuredRow | None:
    if signal.reduction is Reduction.ALL:
        return None  # single beats; their rate and spread are what a person reads
    day, month = facts.history(signal.name, "day"), facts.history(signal.name, "month")
    now = _now(facts.window, signal)
    if now is None and not day and not month:
        return None
    return MeasuredRow(
        signal=signal,
        name=words.say(signal.meaning).rstrip(".。"),
        now=_with_unit(number(now), signal.unit),
        day=_spread(day),
        month=_spread(month),
        day_points=tuple(day),
    )


def _now(window: ReadingMessage | None, signal: Signal) -> float | None:
    section = window.section(signal.channel) if window is not None else None
    if section is None:
        return None
    if signal.channel is Channel.MODULES:
        return getattr(section, "values", {}).get(signal.name)
    value: float | None = getattr(section, signal.name)
    return value


def _spread(points: Sequence[tuple[datetime, float]]) -> str:
    """Return lowest, mean and highest; the table says in its heading which is which."""
    if not points:
        return number(None)
    values = [value for _, value in points]
    mean = sum(values) / len(values)
    return " / ".join(number(value) for value in (min(values), mean, max(values)))
