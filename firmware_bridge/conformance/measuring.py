"""Judgements on what a board measures, and on its clock; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.conformance.analysis import ANSWER_S, Analysis, Block, stretches
from firmware_bridge.conformance.clockfit import MAX_DRIFT
from firmware_bridge.conformance.verdict import Verdict, by_faults, failed, not_applicable
from firmware_bridge.protocol.messages import (
    WHOLE_BOARD,
    Contact,
    Fault,
    FaultCode,
    Part,
    Samples,
    Stream,
    Time,
    TimeRequest,
)
from firmware_bridge.readings.board import ACC, PPG, RAW
from sensors.signals import SIGNALS, Channel

_RATES_MHZ = {PPG: (25_000, 200_000), ACC: (10_000, 200_000)}
_SKIN = {PPG: Part.PULSE, "hr_bpm": Part.PULSE, "eda_us": Part.SKIN, "skin_temp_c": Part.SKIN}
_MOVES_WITHIN_S = {PPG: 2.0, ACC: 10.0, "eda_us": 10.0}
_RATE_SHARE = 0.1
_PAUSE_S = 1.0
_FEW_PAUSES = 2
_LEAST_REPEATS = 3  # a slow or coarse sensor may well give the same twice
_FRESH_S = 1.0
AHEAD_S = 0.05
"""A tick may be so far in the future, beyond what the clock's line leaves open. [s]"""

_LEAST_SPAN_S = 5.0
_TICKS = 1 << 32


def apart(later: int, earlier: int) -> int:
    """Return ticks from `earlier` to `later`, negative if it is the other way round."""
    return (later - earlier + _TICKS // 2) % _TICKS - _TICKS // 2


def catalogue(analysis: Analysis) -> Verdict:
    """Judge each description."""
    faults = [
        f"STREAM at {h.at_s:.1f} s: {h.error}"
        for h in analysis.unreadable(Stream)
        if not h.error.startswith("a text")
    ]
    described = dict.fromkeys(stream for _, stream in analysis.of(Stream))
    for stream in described:
        faults += [f"stream {stream.stream} ({stream.signal!r}): {f}" for f in _unknown(stream)]
    signals = Counter(stream.signal for stream in analysis.streams.values())
    faults += [f"{count} streams of {name}" for name, count in signals.items() if count > 1]
    if not described and not faults:
        return not_applicable("no stream was described")
    names = dict.fromkeys(stream.signal for stream in described)
    return by_faults(faults, ", ".join(names))


def _unknown(stream: Stream) -> list[str]:
    """Return what no host would understand."""
    raw, known = RAW.get(stream.signal), SIGNALS.get(stream.signal)
    if raw is not None:
        unit, widths = raw
        low, high = _RATES_MHZ[stream.signal]
        faults = []
        if not low <= stream.rate_mhz <= high:
            faults.append(
                f"{stream.rate_mhz / 1000:g} Hz; expected {low / 1000:g} to {high / 1000:g}"
            )
    elif known is not None and (known.channel is Channel.MODULES or known.name == "hr_bpm"):
        unit, widths, faults = known.unit, (1,), []
    else:
        return ["no signal that a board may deliver"]
    if stream.unit != unit:
        faults.append(f"unit is {stream.unit!r}; expected {unit!r}")
    if stream.width not in widths:
        faults.append(f"width is {stream.width}; expected {' or '.join(map(str, widths))}")
    return faults


def described_first(analysis: Analysis) -> Verdict:
    """Judge whether samples come only of what was described."""
    unreadable = {h.frame.payload[0] for h in analysis.unreadable(Stream) if h.frame.payload}
    faults = [
        f"{count} SAMPLES of stream {stream}, which was not described"
        for stream, count in analysis.undescribed.items()
        if stream not in unreadable
    ]
    if not analysis.of(Samples):
        return not_applicable("no SAMPLES came")
    return by_faults(faults, "every stream was described")


def samples(analysis: Analysis) -> Verdict:
    """Judge whether each frame holds what it announces."""
    faults = [f"SAMPLES at {h.at_s:.1f} s: {h.error}" for h in analysis.unreadable(Samples)]
    faults += analysis.short_samples
    count = len(analysis.of(Samples))
    if not count and not faults:
        return not_applicable("no SAMPLES came")
    return by_faults(faults, f"{count} frames")


def _series(analysis: Analysis) -> Iterator[tuple[int, Stream, list[Block]]]:
    """Yield boot, description and frames of every stream."""
    for (boot, number), blocks in analysis.blocks.items():
        yield boot, analysis.streams[number], blocks


def _is_believed(analysis: Analysis, stream: Stream, block: Block) -> bool:
    """Return whether nothing said that `block` is not to be believed, or could just have said so."""
    part = _SKIN.get(stream.signal)
    is_on = True
    for at_s, contact in analysis.of(Contact):
        if contact.part == part and at_s <= block.at_s + ANSWER_S:
            is_on = contact.on if at_s <= block.at_s - _FRESH_S else is_on and contact.on
    active = False
    for at_s, fault in analysis.of(Fault):
        if fault.stream in {stream.stream, WHOLE_BOARD} and at_s <= block.at_s + ANSWER_S:
            active = fault.active or (active and at_s > block.at_s - _FRESH_S)
    return is_on and not active


def values(analysis: Analysis) -> Verdict:
    """Judge the range of what was measured."""
    faults, seen = [], []
    for _, stream, blocks in _series(analysis):
        known = SIGNALS.get(stream.signal)
        believed = [b.values for b in blocks if _is_believed(analysis, stream, b)]
        if known is None or not believed:
            continue
        found = np.concatenate(believed)
        found = found[np.isfinite(found)]
        outside = int(np.sum((found < known.low) | (found > known.high)))
        if not len(found):
            continue
        span = f"{stream.signal} {found.min():.4g} to {found.max():.4g} {stream.unit}"
        seen.append(span)
        if outside:
            faults.append(
                f"{outside} of {len(found)} values outside {known.low:g} to {known.high:g}: {span}"
            )
    if not seen:
        return not_applicable("nothing with a range was measured")
    return by_faults(faults, "; ".join(seen))


def not_repeated(analysis: Analysis) -> Verdict:
    """Judge whether what always moves does move."""
    faults, looked = [], []
    for _, stream, blocks in _series(analysis):
        limit_s = _MOVES_WITHIN_S.get(stream.signal)
        believed = [b.values for b in blocks if _is_believed(analysis, stream, b)]
        if limit_s is None or not believed:
            continue
        repeats = _longest_run(np.concatenate(believed))
        longest_s = repeats * 1000 / stream.rate_mhz
        looked.append(stream.signal)
        if longest_s > limit_s and repeats >= _LEAST_REPEATS:
            faults.append(f"{stream.signal} has one and the same value for {longest_s:.1f} s")
    if not looked:
        return not_applicable("no raw waveform and no skin conductance")
    return by_faults(faults, f"{', '.join(dict.fromkeys(looked))}: all move")


def _longest_run(rows: NDArray[np.float64]) -> int:
    """Return how often the longest run of equal rows repeats; what was not measured is unequal."""
    changes = np.flatnonzero(~(rows[1:] == rows[:-1]).all(axis=1))
    edges = np.concatenate([[-1], changes, [len(rows) - 1]])
    return int(np.diff(edges).max()) - 1


def _spacings(analysis: Analysis, blocks: list[Block], tick_hz: int) -> list[float]:
    """Return seconds per sample from each frame to the next, pauses left out.

    Where there are more pauses than anything else, they are the rate.
    """
    found: list[float] = []
    paused: list[float] = []
    for before, after in stretches(blocks, analysis):
        ticks = apart(after.samples.first, before.samples.first)
        expected = before.samples.count * before.samples.step
        if ticks > 0:
            is_pause = ticks > expected + _PAUSE_S * tick_hz
            (paused if is_pause else found).append(ticks / before.samples.count / tick_hz)
    return found + paused if len(paused) > max(len(found), _FEW_PAUSES) else found


def rate(analysis: Analysis) -> Verdict:
    """Judge how many samples come."""
    if analysis.tick_hz is None:
        return not_applicable("no HELLO came that could be read")
    faults, seen = [], []
    for _, stream, blocks in _series(analysis):
        spacings = _spacings(analysis, blocks, analysis.tick_hz)
        if not spacings:
            continue
        real_hz, said_hz = 1 / float(np.median(spacings)), stream.rate_mhz / 1000
        words = f"{stream.signal} {real_hz:.4g} Hz of {said_hz:g}"
        seen.append(words)
        if abs(real_hz / said_hz - 1) > _RATE_SHARE:
            faults.append(words)
    if not seen:
        return not_applicable("no stream brought two frames in a row")
    return by_faults(faults, "; ".join(seen))


def is_steady(analysis: Analysis) -> bool:
    """Return whether times of this board mean anything."""
    return all(line is None or line.is_steady for line in analysis.clocks)


def steps(analysis: Analysis) -> Verdict:
    """Judge whether each frame goes on where the one before ends."""
    if analysis.tick_hz is None or not is_steady(analysis):
        return not_applicable("no clock to go by; see hello and clock")
    faults, looked = [], 0
    for _, stream, blocks in _series(analysis):
        for before, after in stretches(blocks, analysis):
            looked += 1
            off = _off_step(before, after, analysis.tick_hz)
            if off and not _overran(analysis, stream, after):
                ms = 1000 * off / analysis.tick_hz
                side = "behind" if ms > 0 else "before"
                faults.append(
                    f"{stream.signal} at {after.at_s:.1f} s begins {abs(ms):.4g} ms {side} the end "
                    "of the frame before"
                )
    if not looked:
        return not_applicable("no stream brought two frames in a row")
    return by_faults(faults, f"{looked} frames joined")


def _off_step(before: Block, after: Block, tick_hz: int) -> int:
    """Return by how many ticks `after` does not follow; 0 if it does, or after a pause."""
    one = before.samples
    off = apart(after.samples.first, (one.first + one.count * one.step) % _TICKS)
    # Half a sample, and what rounding `step` to whole ticks adds up to.
    allowed = (max(one.step, after.samples.step) + one.count) / 2 + 1
    is_pause = off > _PAUSE_S * tick_hz or (one.count == 1 and one.step == 0)
    return 0 if abs(off) <= allowed or is_pause else off


def _overran(analysis: Analysis, stream: Stream, block: Block) -> bool:
    return any(
        fault.code == FaultCode.OVERRUN
        and fault.stream in {stream.stream, WHOLE_BOARD}
        and block.at_s - 2 * _FRESH_S <= at_s <= block.at_s + _FRESH_S
        for at_s, fault in analysis.of(Fault)
    )


def fresh(analysis: Analysis) -> Verdict:
    """Judge how old samples are when they arrive."""
    if not is_steady(analysis) or all(line is None for line in analysis.clocks):
        return not_applicable("no clock to go by; see hello and clock")
    oldest, youngest, faults = [0.0], [1.0], []
    for boot, stream, blocks in _series(analysis):
        for block in blocks:
            measured_s = analysis.measured_s(boot, block)
            if measured_s is None:
                continue
            age_s, ahead_s = block.at_s - measured_s[0], measured_s[-1] - block.at_s
            oldest.append(age_s)
            youngest.append(-ahead_s)
            open_s = analysis.slack_s + analysis.clock_open_s(boot)
            if age_s > _FRESH_S + open_s:
                faults.append(f"{stream.signal} at {block.at_s:.1f} s is {age_s:.2f} s old")
            elif ahead_s > AHEAD_S + open_s:
                faults.append(f"{stream.signal} at {block.at_s:.1f} s is {ahead_s:.2f} s early")
    if len(oldest) == 1:
        return not_applicable("no SAMPLES came")
    return by_faults(
        faults, f"{max(min(youngest), 0) * 1000:.0f} to {max(oldest) * 1000:.0f} ms old"
    )


def clock(analysis: Analysis) -> Verdict:
    """Judge whether ticks are a steady clock."""
    judged = [
        (seen, line)
        for seen, line in zip(analysis.observations, analysis.clocks, strict=True)
        if line is not None and seen[-1].high_s - seen[0].high_s >= _LEAST_SPAN_S
    ]
    if not judged or analysis.tick_hz is None:
        return not_applicable("too little was heard of the clock")
    faults, seen_words = [], []
    for seen, line in judged:
        if line.is_steady and abs(line.drift) <= MAX_DRIFT:
            seen_words.append(f"{line.drift * 1e6:+.0f} ppm over {len(seen)} times")
        elif line.is_steady:
            faults.append(
                f"it is {100 * abs(line.drift):.1f} % {'fast' if line.drift > 0 else 'slow'}"
            )
        else:
            faults.append(f"it jumps or stops: even the best line misses by {line.miss_s:.2f} s")
    return by_faults(faults, "; ".join(seen_words))


def _held_s(analysis: Analysis, time: Time) -> float:
    """Return for how long the board had the request that `time` answers, as it says; in s."""
    return apart(time.sent, time.received) / analysis.tick_hz if analysis.tick_hz else 0.0


def time_answer(analysis: Analysis) -> Verdict:
    """Judge the answers to TIME_REQUEST."""
    answers = {time.token: (at_s, time) for at_s, time in analysis.of(Time)}
    asked = [
        sent
        for sent in analysis.requests(TimeRequest)
        if getattr(sent.message, "token", -1) in answers or not analysis.is_excused(sent)
    ]
    if not asked:
        everything = analysis.requests(TimeRequest)
        if not analysis.is_all_excused(everything):
            return failed(f"none of {len(everything)} requests was answered")
        return not_applicable("every request was disturbed by what other requirements tell")
    faults = [f"TIME at {h.at_s:.1f} s: {h.error}" for h in analysis.unreadable(Time)]
    slowest_s = 0.0
    for sent in asked:
        at_s, time = answers.get(getattr(sent.message, "token", -1), (float("inf"), None))
        name = f"TIME_REQUEST at {sent.at_s:.1f} s"
        if time is None or not analysis.is_within(sent.at_s, at_s):
            faults.append(f"{name} was not answered within {ANSWER_S * 1000:.0f} ms")
            continue
        slowest_s = max(slowest_s, at_s - sent.at_s)
        if apart(time.sent, time.received) < 0:
            faults.append(f"{name}: sent at {time.sent}, before it was received at {time.received}")
        elif _held_s(analysis, time) > at_s - sent.at_s + AHEAD_S:
            faults.append(f"{name}: received {_held_s(analysis, time):.2f} s before it was sent")
    if faults and not answers:
        return failed(f"none of {len(asked)} requests was answered with its token")
    return by_faults(faults, f"{len(asked)} answers within {slowest_s * 1000:.0f} ms")
