"""Technical faults, put into the windows of agents who are otherwise calm.

A fault takes the windows of one stretch and returns what the server hears
instead: pairs of delay after the window's own end [s] and message. None of
them is an agent's doing; each happens to devices, cables, clocks or lines.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np

from sensors.messages import WINDOW_S, Absence, Modules, ReadingMessage
from sensors.signals import Channel

Told = tuple[float, ReadingMessage]
Fault = Callable[[Sequence[ReadingMessage], np.random.Generator], list[Told]]

ON_TIME_S = 0.3
"""From a window's end to the server, when nothing is the matter. [s]"""

_MOST_BEATS = 64  # what one message of a headset that was away brings at most


def told(messages: Sequence[ReadingMessage]) -> list[Told]:
    """Return windows that arrive as they should."""
    return [(ON_TIME_S, message) for message in messages]


def without(message: ReadingMessage, reason: Absence, *channels: Channel) -> ReadingMessage:
    """Return the window as if those of `channels` that gave something had not, for `reason`."""
    given = [channel for channel in channels if message.section(channel) is not None]
    gone = {channel.value: None for channel in given}
    absent = {**message.absent, **dict.fromkeys(given, reason)}
    return replace(message, absent=absent, **gone)


def heart(message: ReadingMessage, **changes: object) -> ReadingMessage:
    """Return the window with another heart, if it has one."""
    if message.heart is None:
        return message
    return replace(message, heart=replace(message.heart, **changes))


def module(message: ReadingMessage, **values: float) -> ReadingMessage:
    """Return the window with other values of the modules, if it has any."""
    if message.modules is None:
        return message
    modules = Modules(quality=message.modules.quality, values={**message.modules.values, **values})
    return replace(message, modules=modules)


def _beats(message: ReadingMessage, rr_ms: Sequence[float]) -> dict[str, object]:
    """Return beats of these intervals, the last one where the window's last one is."""
    last = message.heart.beat_offset_ms[-1] if message.heart and message.heart.rr_ms else 0.0
    back = np.cumsum([0.0, *rr_ms[:0:-1]])[::-1]
    return {"rr_ms": tuple(rr_ms), "beat_offset_ms": tuple((last - back).tolist())}


def not_worn(stretch: Sequence[ReadingMessage], _rng: np.random.Generator) -> list[Told]:
    """Lay the headset on the desk: no heart, no skin."""
    parts = (Channel.HEART, Channel.MODULES)
    return told([without(m, Absence.NOT_WORN, *parts) for m in stretch])


def put_on(stretch: Sequence[ReadingMessage], rng: np.random.Generator) -> list[Told]:
    """Take it off and put it on: guesses of rate and settling skin contact either side."""
    found = [m for _, m in not_worn(stretch, rng)]
    for i in {0, 1, len(found) - 2, len(found) - 1} & set(range(len(found))):
        guess = heart(stretch[i], hr_bpm=float(rng.uniform(35, 180)), rr_ms=(), beat_offset_ms=())
        found[i] = module(guess, eda_us=float(rng.uniform(0.01, 30)))
    return told(found)


def stale(stretch: Sequence[ReadingMessage], _rng: np.random.Generator) -> list[Told]:
    """Repeat the last values for ever, as a driver does whose device hangs."""
    first = stretch[0]
    if first.heart is None or first.modules is None:
        return told(stretch)
    return told([replace(m, heart=first.heart, modules=first.modules) for m in stretch])


def flat_line(stretch: Sequence[ReadingMessage], _rng: np.random.Generator) -> list[Told]:
    """Give every beat the same interval, every conductance the same value."""
    first = stretch[0]
    rate = first.heart.hr_bpm if first.heart and first.heart.hr_bpm else 70.0
    eda = first.modules.values.get("eda_us", 4.0) if first.modules else 4.0
    n = int(WINDOW_S * rate / 60)
    flat = [heart(m, hr_bpm=rate, **_beats(m, [60_000 / rate] * n)) for m in stretch]
    return told([module(m, eda_us=eda) for m in flat])


def clipped(stretch: Sequence[ReadingMessage], rng: np.random.Generator) -> list[Told]:
    """Hold one sensor at the end of its range: skin conductance, rate or microphone."""
    which = rng.integers(3)
    if which == 0:
        top = float(rng.choice([20.0, 60.0, 100.0]))
        return told([module(m, eda_us=top) for m in stretch])
    if which == 1:
        top = float(rng.choice([220.0, 240.0]))
        return told([heart(m, hr_bpm=top, rr_ms=(), beat_offset_ms=()) for m in stretch])
    loud = [
        replace(m, voice=replace(m.voice, loudness_db=-1.0, alpha_ratio_db=-5.0)) if m.voice else m
        for m in stretch
    ]
    return told(loud)


def clock_step(stretch: Sequence[ReadingMessage], rng: np.random.Generator) -> list[Told]:
    """Let the PC's clock be wrong for a while, ahead or behind; the edge may know it."""
    off_s = float(rng.choice([-1, 1]) * rng.choice([7.0, 40.0, 300.0, 3600.0]))
    known = -1000.0 * off_s if rng.uniform() < 0.5 else None
    shift = timedelta(seconds=off_s)
    return [
        (
            ON_TIME_S - off_s,
            replace(m, window_end_at=m.window_end_at + shift, clock_offset_ms=known),
        )
        for m in stretch
    ]


def reconnect(stretch: Sequence[ReadingMessage], _rng: np.random.Generator) -> list[Told]:
    """Drop Bluetooth; the headset brings what it kept when it is back."""
    away = [without(m, Absence.DISCONNECTED, Channel.HEART) for m in stretch[:-1]]
    last, kept = stretch[-1], []
    for m in stretch:
        back_ms = 1000.0 * (last.window_end_at - m.window_end_at).total_seconds()
        if m.heart is not None:
            pairs = zip(m.heart.beat_offset_ms, m.heart.rr_ms, strict=True)
            kept += [(offset - back_ms, rr) for offset, rr in pairs]
    kept = kept[-_MOST_BEATS:]
    offsets, rr_ms = tuple(o for o, _ in kept), tuple(rr for _, rr in kept)
    return told([*away, heart(last, rr_ms=rr_ms, beat_offset_ms=offsets)])


def electrode_in_the_air(stretch: Sequence[ReadingMessage], rng: np.random.Generator) -> list[Told]:
    """Measure nothing but stray conductance, or the value that says so."""
    value = float(rng.choice([0.001, 0.003, 0.02, 0.05]))
    return told([module(m, eda_us=value) for m in stretch])


def loose_electrode(stretch: Sequence[ReadingMessage], rng: np.random.Generator) -> list[Told]:
    """Let contact come and go with every movement."""
    return told(
        [module(m, eda_us=float(np.clip(rng.lognormal(0.5, 1.5), 0.001, 200))) for m in stretch]
    )


def stuck_rate(stretch: Sequence[ReadingMessage], rng: np.random.Generator) -> list[Told]:
    """Report a rate that no heart has anything to do with, and no beats."""
    rate = float(rng.integers(40, 190))
    return told([heart(m, hr_bpm=rate, rr_ms=(), beat_offset_ms=()) for m in stretch])


def counted_twice(stretch: Sequence[ReadingMessage], _rng: np.random.Generator) -> list[Told]:
    """Find every beat twice: its second wave counts for another."""
    found = []
    for m in stretch:
        rr = m.heart.rr_ms if m.heart else ()
        halves = [x for one in rr for x in (max(200.0, 0.45 * one), max(200.0, 0.55 * one))]
        rate = min(250.0, 2 * (m.heart.hr_bpm or 70.0)) if m.heart else None
        found.append(heart(m, hr_bpm=rate, **_beats(m, halves)) if rr else m)
    return told(found)


def spikes(stretch: Sequence[ReadingMessage], rng: np.random.Generator) -> list[Told]:
    """Put in single absurd values here and there, in any channel."""
    found = list(stretch)
    for i in np.flatnonzero(rng.uniform(size=len(found)) < 0.4):
        m = heart(found[i], hr_bpm=float(rng.uniform(20, 250)))
        m = module(m, eda_us=float(rng.choice([0.01, 100.0])))
        if m.pointer is not None:
            m = replace(m, pointer=replace(m.pointer, pointer_speed_px_s=45_000.0))
        if m.keyboard is not None and m.keyboard.dwell_ms is not None:
            m = replace(m, keyboard=replace(m.keyboard, dwell_ms=4_500.0))
        found[i] = m
    return told(found)


def swapped_beats(stretch: Sequence[ReadingMessage], rng: np.random.Generator) -> list[Told]:
    """Bring beats out of order, missed and invented."""
    found = []
    for m in stretch:
        rr = list(m.heart.rr_ms) if m.heart else []
        if len(rr) >= 3:
            i = int(rng.integers(len(rr) - 1))
            rr[i], rr[i + 1] = rr[i + 1], rr[i]
            if rng.uniform() < 0.5:
                rr[i : i + 2] = [min(3000.0, rr[i] + rr[i + 1])]
            else:
                rr[i : i + 1] = [max(200.0, 0.4 * rr[i]), max(200.0, 0.6 * rr[i])]
            m = heart(m, **_beats(m, rr))  # noqa: PLW2901 - a window that was heard otherwise
        found.append(m)
    return told(found)


def no_quality(stretch: Sequence[ReadingMessage], rng: np.random.Generator) -> list[Told]:
    """Send rubbish that says of itself that it is."""
    found = []
    for m in stretch:
        wild = heart(
            m, quality=0.0, hr_bpm=float(rng.uniform(20, 250)), rr_ms=(), beat_offset_ms=()
        )
        wild = module(wild, eda_us=float(rng.uniform(0.001, 200)))
        if wild.modules is not None:
            wild = replace(wild, modules=replace(wild.modules, quality=0.0))
        found.append(wild)
    return told(found)


def stuck_key(stretch: Sequence[ReadingMessage], rng: np.random.Generator) -> list[Told]:
    """Lay something on the keyboard: one key repeats, the deletion key most often."""
    presses = WINDOW_S * float(rng.choice([6.0, 11.0, 25.0, 30.0]))
    deleted = presses if rng.uniform() < 0.8 else 0.0
    return told(
        [
            replace(m, keyboard=replace(m.keyboard, key_presses=presses, key_corrections=deleted))
            if m.keyboard
            else m
            for m in stretch
        ]
    )


def jumping_pointer(stretch: Sequence[ReadingMessage], rng: np.random.Generator) -> list[Told]:
    """Wear out the mouse: its pointer jumps, its button clicks by itself."""
    clicks, speed = float(rng.uniform(0, 200)), float(rng.uniform(2_000, 50_000))
    return told(
        [
            replace(m, pointer=replace(m.pointer, pointer_speed_px_s=speed, pointer_clicks=clicks))
            if m.pointer
            else m
            for m in stretch
        ]
    )


def duplicated(stretch: Sequence[ReadingMessage], rng: np.random.Generator) -> list[Told]:
    """Tell every window again, at once or much later."""
    again = [(ON_TIME_S + float(rng.choice([0.0, 5.0, 60.0])), m) for m in stretch]
    return [*told(stretch), *again]


def late(stretch: Sequence[ReadingMessage], rng: np.random.Generator) -> list[Told]:
    """Let windows come late and out of order over a slow line."""
    return [(float(rng.uniform(1, 200)), m) for m in stretch]


FAULTS: tuple[Fault, ...] = (
    not_worn,
    put_on,
    stale,
    flat_line,
    clipped,
    clock_step,
    reconnect,
    electrode_in_the_air,
    loose_electrode,
    stuck_rate,
    counted_twice,
    spikes,
    swapped_beats,
    no_quality,
    stuck_key,
    jumping_pointer,
    duplicated,
    late,
)
