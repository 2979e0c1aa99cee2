"""Judgements on heartbeats that a board found itself; pure."""

from __future__ import annotations

from firmware_bridge.conformance.analysis import Analysis
from firmware_bridge.conformance.measuring import AHEAD_S, apart, is_steady
from firmware_bridge.conformance.verdict import Verdict, by_faults, not_applicable
from firmware_bridge.protocol.messages import Beat, Beats, Contact, Part
from firmware_bridge.readings.board import PPG

LATEST_S = 4.0
"""A beat is sent at most so long after it was. [s]"""

_BEAT_MISS_S = 0.002
_INTERVALS = (2_000, 30_000)  # rr_ms of the catalogue, in tenths of a millisecond


def beats(analysis: Analysis) -> Verdict:
    """Judge heartbeats that the board found itself."""
    faults = [f"BEATS at {h.at_s:.1f} s: {h.error}" for h in analysis.unreadable(Beats)]
    found = analysis.of(Beats)
    if not found and not faults:
        return not_applicable("the board finds no beats itself")
    if any(stream.signal == PPG for stream in analysis.streams.values()):
        faults.append("BEATS are sent beside a ppg stream")
    faults += _untouched(analysis, found)
    if analysis.tick_hz is not None and is_steady(analysis):
        faults += _beat_faults(analysis, found, analysis.tick_hz) + _out_of_time(analysis)
    return by_faults(faults, f"{sum(len(message.beats) for _, message in found)} beats")


def _beat_faults(analysis: Analysis, found: list[tuple[float, Beats]], tick_hz: int) -> list[str]:
    faults = []
    last: tuple[float, Beat] | None = None
    for at_s, message in found:
        for beat in message.beats:
            whole = last is not None and not analysis.is_disturbed(last[0], at_s)
            before = last[1] if last is not None and whole else None
            faults += [f"beat at {at_s:.1f} s: {f}" for f in _one_beat(beat, before, tick_hz)]
            last = at_s, beat
    return faults


def _one_beat(beat: Beat, before: Beat | None, tick_hz: int) -> list[str]:
    low, high = _INTERVALS
    if beat.interval and not low <= beat.interval <= high:
        return [f"interval of {beat.interval / 10:g} ms"]
    if before is None:
        return []
    apart_s = apart(beat.at, before.at) / tick_hz
    if apart_s <= 0:
        return ["not later than the one before"]
    miss_s = abs(apart_s - beat.interval / 10_000) if beat.interval else 0.0
    if miss_s > _BEAT_MISS_S + 2 / tick_hz:
        return [
            f"interval of {beat.interval / 10:g} ms, {apart_s * 1000:.1f} ms after the one before"
        ]
    return []


def _untouched(analysis: Analysis, found: list[tuple[float, Beats]]) -> list[str]:
    """Return which BEATS came although the pulse sensor had long been off the skin."""
    faults = []
    told = [(at_s, one.on) for at_s, one in analysis.of(Contact) if one.part == Part.PULSE]
    for at_s, _ in found:
        before = [(then_s, on) for then_s, on in told if then_s <= at_s]
        last_on_s = max((then_s for then_s, on in before if on), default=-1.0)
        off_s = min((then_s for then_s, on in before if then_s > last_on_s), default=at_s)
        # What was found before the change may still be on its way.
        if at_s - off_s > LATEST_S + analysis.slack_s:
            faults.append(f"BEATS at {at_s:.1f} s, not touched since {off_s:.1f} s")
    return faults


def _out_of_time(analysis: Analysis) -> list[str]:
    """Return which beats came too late, or before they were."""
    faults = []
    for number, (boot, clock) in enumerate(zip(analysis.boots, analysis.clocks, strict=True)):
        open_s = analysis.slack_s + analysis.clock_open_s(number)
        for heard in boot.heard if clock is not None else ():
            for beat in heard.message.beats if isinstance(heard.message, Beats) else ():
                age_s = heard.at_s - clock.host_s(beat.at, heard.at_s) if clock else 0.0
                if not -AHEAD_S - open_s <= age_s <= LATEST_S + open_s:
                    faults.append(f"beat at {heard.at_s:.1f} s is {age_s:.2f} s old")
    return faults
