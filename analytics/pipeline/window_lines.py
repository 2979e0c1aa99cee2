"""The lines of one round of windows, without a point being made for each; pure.

They are the lines that :class:`analytics.store.line_protocol.Encoder` writes of
the points of :mod:`analytics.pipeline.window_points`, byte for byte. A floor of
10,000 sends 18,000 points a second, so what lines have in common is written
once: names and tags for good, and the numbers of a whole round at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from types import NoneType

import numpy as np
from numpy.typing import NDArray

from analytics.alerts import points_out
from analytics.scoring.detector import DETECTOR_VERSION
from analytics.scoring.floor import Judged
from analytics.scoring.person_state import STATES
from analytics.signals.features import FEATURES, PARTS, UNKNOWN_LEVEL
from analytics.store import admission
from analytics.store.formatted import GROUPS, Section
from analytics.store.line_protocol import Encoder
from analytics.store.points import FieldValue, Measurement, Point
from sensors import codec
from sensors.messages import Absence, PersonState, ReadingMessage
from sensors.signals import SIGNALS, Channel

_RAW, _DERIVED, _ = GROUPS
_UNKNOWN = b"null"  # as JSON says it
_FLOATS = frozenset({float, NoneType})
_NANOSECONDS_PER_MS = 1_000_000
_OFFSET = SIGNALS["beat_offset_ms"]
_BEATS_APART_NS = int(max(-_OFFSET.low, _OFFSET.high)) * _NANOSECONDS_PER_MS
"""So far from its window's end is no beat, before or after."""


def _field(name: str, value: FieldValue) -> bytes:
    """Return ``,name=value`` as the encoder writes it; ValueError if that is no part of one line."""
    line = Encoder().line(Point(Measurement.SCORE, {"site": "any"}, {name: value}, 0))
    if b"\n" in line:
        raise ValueError(f"field {name!r} holds the end of a line")
    return b"," + line.removeprefix(b"score,site=any ").removesuffix(b" 0")


@lru_cache(maxsize=65_536)
def _text(name: str, value: str) -> bytes:
    return _field(name, value)


@lru_cache(maxsize=1_024)
def _name(name: str) -> bytes:
    """Return ``,name=`` of a field that holds a number."""
    return _field(name, 1.5).removesuffix(b"1.5")


@lru_cache(maxsize=65_536)
def _series(site: str, agent: str, source: str) -> tuple[bytes, ...]:
    """Return what the lines of an agent's reading, beats, feature and score begin with."""
    derived = {"site": site, "agent": agent}
    raw = derived | {"source": source}
    of = {
        Measurement.READING: raw,
        Measurement.BEAT: raw,
        Measurement.FEATURE: derived,
        Measurement.SCORE: derived,
    }
    lines = (Encoder().line(Point(which, tags, {"x": 1.5}, 0)) for which, tags in of.items())
    return tuple(line.removesuffix(b"x=1.5 0") for line in lines)


_SCALARS = tuple((tuple(map(_name, names)), get) for names, get in points_out.SCALARS.values())
_MODULES = _name("quality_modules")
_RR = _name("rr_ms")[1:]
_FEATURES = tuple(_name(feature.name) for feature in FEATURES)
_FIGURES = tuple(map(_name, ("score", "strain_index", "evidence", "quality")))
_VERSION = _field("detector_version", DETECTOR_VERSION)
_LATE = b",late=false", b",late=true"
_STATE = tuple(_field("state", state.value) for state in STATES)
_NO_DATA = _field("state", PersonState.NO_DATA.value)
_ABSENT = {
    (channel, reason): _field(f"absent_{channel.value}", reason.value)
    for channel in Channel
    for reason in Absence
}
_LEVEL = tuple(
    {UNKNOWN_LEVEL: b""} | {level: _field(f"level_{part.value}", level) for level in range(-2, 3)}
    for part in PARTS
)


def sections(
    site: str,
    judged: Judged,
    teams: Sequence[str | None],
    contexts: Sequence[str | None],
    some: slice,
) -> list[Section]:
    """Return the lines of `some` windows of a round.

    Parameters
    ----------
    site : str
    judged : Judged
    teams, contexts : sequence of str or None
        Of each window's agent, when it was judged.
    some : slice
        Which of the windows.

    Raises
    ------
    ValueError
        If not each point has a line of its own; the points themselves tell which.
    """
    windows = judged.windows[some]
    raw: list[bytes] = []
    derived: list[bytes] = []
    messages, features = [w.message for w in windows], judged.features.values[some]
    is_known = np.logical_not(np.isnan(features)).any(axis=1)
    times = [points_out.window_time_ns(message) for message in messages]
    admission.check_time(min(times) - _BEATS_APART_NS)
    admission.check_time(max(times) + _BEATS_APART_NS)
    rows = zip(
        windows,
        times,
        _scalars(messages),
        _beats(messages),
        _row_by_row(_FEATURES, features),
        np.asarray(is_known).tolist(),
        _judgements(judged, some),
        teams[some],
        contexts[some],
        strict=True,
    )
    for window, time_ns, scalars, beats, known, has_known, judgement, team, context in rows:
        message = window.message
        of_reading, of_beat, of_feature, of_score = _series(site, window.agent, message.source)
        time, late = b" %d" % time_ns, _LATE[window.late]
        which = _text("run", message.run) + b",seq=%di" % message.seq
        hour, absent = b",utc_offset_min=%di" % message.utc_offset_min, _absent(message)
        member = _text("team", team) if team is not None else b""
        raw.append(of_reading + (which + hour + late + scalars + absent)[1:] + time)
        raw += [b"%b%b%b %d" % (of_beat, rr, which, time_ns + ns) for rr, ns in beats]
        if has_known:
            derived.append(of_feature + (known + which + member)[1:] + time)
        doing = _text("context", context) if context is not None else b""
        figures, levels = judgement
        about = late + _VERSION + member + doing + figures + which + hour
        derived.append(of_score + (about + _clock(message) + levels + absent)[1:] + time)
    found = (_RAW, raw), (_DERIVED, derived)
    return [Section(group, len(lines), b"\n".join(lines)) for group, lines in found if lines]


def _scalars(messages: Sequence[ReadingMessage]) -> Iterator[bytes]:
    """Yield the fields of every section of each message."""
    names: list[bytes] = []
    numbers: list[float | None] = []
    ends = [0]
    for message in messages:
        told = message.heart, message.keyboard, message.pointer, message.voice
        for section, (of_section, get) in zip(told, _SCALARS, strict=True):
            if section is not None:
                names += of_section
                numbers += get(section)
        modules = message.modules
        if modules is not None:
            names += (_MODULES, *map(_name, modules.values))
            numbers += (modules.quality, *modules.values.values())
        ends.append(len(numbers))
    fields = _named(names, numbers)
    for first, last in pairwise(ends):
        yield b"".join(fields[2 * first : 2 * last])


def _beats(messages: Sequence[ReadingMessage]) -> Iterator[list[tuple[bytes, int]]]:
    """Yield the interval of each beat of each message, and its time after the window's. [ns]."""
    hearts = [message.heart for message in messages]
    told = [() if heart is None else heart.rr_ms for heart in hearts]
    numbers = _written([rr_ms for intervals in told for rr_ms in intervals])
    if _UNKNOWN in numbers:
        raise ValueError("an interval is not finite")
    place = 0
    for heart in hearts:
        if heart is None or not heart.rr_ms:
            yield []
            continue
        mine = numbers[place : (place := place + len(heart.rr_ms))]
        times = [round(offset * _NANOSECONDS_PER_MS) for offset in heart.beat_offset_ms]
        yield [(_RR + number, ns) for number, ns in zip(mine, times, strict=True)]


def _judgements(judged: Judged, some: slice) -> Iterator[tuple[bytes, bytes]]:
    """Yield figures with the state, and the levels, of each window."""
    scores, place = judged.scores, judged.place[some]
    scored = place[place >= 0]
    columns = (scores.score, scores.strain_index, scores.evidence, scores.quality)
    figures = _row_by_row(_FIGURES, np.column_stack([column[scored] for column in columns]))
    states, levels = judged.states[scored].tolist(), scores.part_level[scored].tolist()
    found = zip(figures, states, levels, strict=True)
    for at in place.tolist():
        if at < 0:
            yield _NO_DATA, b""
            continue
        mine, state, of_parts = next(found)
        known = [part[level] for part, level in zip(_LEVEL, of_parts, strict=True)]
        yield mine + _STATE[state], b"".join(known)


def _row_by_row(names: tuple[bytes, ...], values: NDArray[np.float64]) -> list[bytes]:
    """Return the fields of each row; what is not finite is absent."""
    held = np.asarray(np.isfinite(values).any(axis=0))
    names = tuple(name for name, is_held in zip(names, held.tolist(), strict=True) if is_held)
    if not names:
        return [b""] * len(values)
    width = 2 * len(names)
    fields = _named(names * len(values), values[:, held].ravel().tolist())
    return [b"".join(fields[at : at + width]) for at in range(0, len(fields), width)]


def _named(names: Sequence[bytes], numbers: Sequence[float | None]) -> list[bytes]:
    """Return name and number in turns; nothing of either where a number is not finite."""
    written = _written(numbers)
    found = [b""] * (2 * len(written))
    found[::2], found[1::2] = names, written
    if _UNKNOWN in written:
        for at, number in enumerate(written):
            if number == _UNKNOWN:
                found[2 * at] = found[2 * at + 1] = b""
    return found


def _written(numbers: Sequence[float | None]) -> list[bytes]:
    """Return each number as it is written, all at once; `_UNKNOWN` where it is not finite."""
    if not numbers:
        return []
    if not _FLOATS.issuperset(map(type, numbers)):
        numbers = [None if number is None else float(number) for number in numbers]
    return codec.dump_json(numbers)[1:-1].split(b",")


def _clock(message: ReadingMessage) -> bytes:
    if message.clock_offset_ms is None:
        return b""
    return _field("clock_offset_ms", message.clock_offset_ms)


def _absent(message: ReadingMessage) -> bytes:
    if not message.absent:
        return b""
    return b"".join([_ABSENT[told] for told in message.absent.items()])
