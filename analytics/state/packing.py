"""Points as they lie in the spool and among what was set aside, compressed; pure.

For a database server as lines: formatted here, once, as it will take them, so
that the writer only passes them on. For the embedded store as JSON, which is
faster to read. Either is read for either, since a store may be changed while
something waits, and older versions wrote nothing but JSON.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from analytics.store.formatted import Formatted, Group, Section, formatted, joined
from analytics.store.gathered import Gathered
from analytics.store.line_protocol import Encoder
from analytics.store.line_reading import point_of
from analytics.store.points import Database, Point
from sensors import codec

POINTS_PER_BATCH = 5_000
"""InfluxDB's own advice for one request."""

UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, zlib.error)
"""What :func:`unpack` raises on a batch that was damaged or that nobody wrote."""

# A row of lines begins with a line that says how they lie in what follows; last come the points
# that have no line, as JSON. A row of JSON begins with a bracket.
_LINES = b"lines "


class LinePacker:
    """Packs points as lines; remembers what names, tags and texts look like in them."""

    def __init__(self) -> None:
        self._encoder = Encoder()

    def pack(self, points: Sequence[Point]) -> list[tuple[int, bytes]]:
        """Return `points` as spool rows: how many, and their compressed bytes."""
        if isinstance(points, Gathered):
            parts = points.lines(self._encoder)
        else:
            parts = (formatted(part, self._encoder) for part in _parts(points))
        return [(len(row), _packed(row)) for row in _rows(parts)]


def pack(points: Sequence[Point]) -> list[tuple[int, bytes]]:
    """Return `points` as spool rows of JSON: how many, and their compressed bytes."""
    return [(len(part), zlib.compress(codec.dump_json(part), 1)) for part in _parts(points)]


def _parts(points: Sequence[Point]) -> Iterator[Sequence[Point]]:
    for start in range(0, len(points), POINTS_PER_BATCH):
        yield points[start : start + POINTS_PER_BATCH]


def _rows(parts: Iterable[Formatted]) -> Iterator[Formatted]:
    """Yield `parts`, as many in one as make a row."""
    waiting, count = list[Formatted](), 0
    for part in parts:
        if waiting and count + len(part) > POINTS_PER_BATCH:
            yield together(waiting)
            waiting, count = [], 0
        waiting.append(part)
        count += len(part)
    if waiting:
        yield together(waiting)


def _packed(points: Formatted) -> bytes:
    lies = [(s.group.database, s.group.anew, s.count, len(s.text)) for s in points.sections]
    texts = [section.text for section in points.sections]
    data = [_LINES, codec.dump_json(lies), b"\n", *texts, codec.dump_json(points.others)]
    return zlib.compress(b"".join(data), 1)


def unpack(payload: bytes) -> list[Point]:
    """Return the points that were packed, equal to the last bit; of lines by their group.

    Raises
    ------
    ValueError
        If `payload` is no such row.
    """
    return list(read(payload))


def read(payload: bytes) -> Formatted:
    """Return the points of a row, as lines where they are lines."""
    return _read(zlib.decompress(payload))


def _read(data: bytes) -> Formatted:
    if not data.startswith(_LINES):
        return Formatted((), _from_json(data))
    end = data.index(b"\n")
    sections, place = [], end + 1
    for database, anew, count, size in codec.load_json(data[len(_LINES) : end]):
        text = data[place : place + size]
        sections.append(Section(Group(Database(database), anew), count, text))
        place += size
    return Formatted(sections, _from_json(data[place:]))


def _from_json(data: bytes) -> list[Point]:
    try:
        return codec.load_json_as(data, list[Point])
    except ValueError:
        # JSON has no NaN or infinity and says null: that field is unknown, the rest stands.
        told = codec.load_json(data)
        for point in told:
            point["fields"] = {k: v for k, v in point["fields"].items() if v is not None}
        return codec.convert(told, list[Point])


def together(rows: Sequence[Formatted]) -> Formatted:
    """Return the points of consecutive rows."""
    return rows[0] if len(rows) == 1 else joined(rows)


def words_of(agent: str, alert_ids: Iterable[str]) -> tuple[bytes, ...]:
    """Return words of which one stands in every point of `agent`, or about one of the alerts.

    As they are written, with what stands around them: a name may be as short as a digit.
    """
    tag = f",agent={agent},"  # of a line: tags are sorted, and there always is a site
    return tuple(word.encode() for word in (tag, *(f'"{name}"' for name in (agent, *alert_ids))))


def without(
    payload: bytes, words: Sequence[bytes], is_theirs: Callable[[Any], bool]
) -> tuple[int, bytes, int] | None:
    """Return a batch without some of its points: how many stay, packed, and how many went.

    Only lines with one of the words are looked at; what stays is as it was.

    Parameters
    ----------
    payload : bytes
    words : sequence of bytes
        One of them stands in every point that is meant; without any, ``None``.
    is_theirs : callable
        Given a point as plain JSON: tags, fields.

    Raises
    ------
    ValueError
        Or another of `UNREADABLE`: nobody can say what is in it.
    """
    data = zlib.decompress(payload)
    if not any(word in data for word in words):
        return None
    if not data.startswith(_LINES):
        return _without_json(data, is_theirs)
    found = _read(data)
    sections = [_without_lines(section, words, is_theirs) for section in found.sections]
    others = [point for point in found.others if not is_theirs(asdict(point))]
    kept = Formatted([section for section in sections if section.count], others)
    return len(kept), _packed(kept), len(found) - len(kept)


def _without_lines(
    section: Section, words: Sequence[bytes], is_theirs: Callable[[Any], bool]
) -> Section:
    kept = [
        line
        for line in section.lines()
        if not any(word in line for word in words) or not is_theirs(asdict(point_of(line)))
    ]
    return Section(section.group, len(kept), b"\n".join(kept))


def _without_json(data: bytes, is_theirs: Callable[[Any], bool]) -> tuple[int, bytes, int]:
    """As plain JSON, five times faster than as points."""
    told = codec.load_json(data)
    kept = [point for point in told if not is_theirs(point)]
    return len(kept), zlib.compress(codec.dump_json(kept), 1), len(told) - len(kept)
