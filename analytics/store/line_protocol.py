"""Points to InfluxDB's line protocol; pure.

``measurement,tag=value field=1.5,other=2i 1700000000000000000``: commas,
spaces and equal signs are escaped in keys and tags, quotes and backslashes in
text. Values that are not finite are left out, since unknown is absent.

References
----------
.. [1] InfluxData, "Line protocol reference", InfluxDB v1.8 and v2 documentation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from analytics.store import admission
from analytics.store.points import FieldValue, Point
from sensors import codec

_MAX_MEMORY = 4_096
"""Keys, texts and sets of names remembered; a floor has some 60 fields."""

_MAX_SERIES = 65_536
"""Tag sets remembered: a floor has two for each agent. With fewer than it has, none would help."""

_MAX_REMEMBERED = 64
"""Longer texts are not remembered: they do not come again."""

# The fields of many points are written as JSON at once, and that is turned into lines by one
# table: no colon, quote, brace or bracket of JSON's stays. Those of texts hide meanwhile.
_HIDDEN = b':"{}[]'
_HIDING = b"\x01\x02\x03\x04\x05\x06"
_END = b"\x1e"
_HIDE = bytes.maketrans(_HIDDEN, _HIDING)
_TO_LINES = bytes.maketrans(b":}" + _HIDING, b"=" + _END + _HIDDEN)
_DELETED = b'"{[]'
_TAKEN = frozenset(_HIDING + _END)

_FORMATTED = type(codec.written_json(b""))
_AS_THEY_ARE = frozenset({float, _FORMATTED})
"""Types whose values JSON writes as line protocol does."""

_YES_OR_NO = {yes: codec.written_json(b"true" if yes else b"false") for yes in (False, True)}


class _UnusualError(ValueError):
    """A point wants to be looked at alone."""


class Encoder:
    """Formats points; remembers the names, tag sets and texts it has checked and escaped."""

    __slots__ = ("_keys", "_others", "_shapes", "_tags", "_texts", "_whole")

    def __init__(self) -> None:
        self._keys: dict[str, str] = {}
        self._tags: dict[tuple[str, ...], bytes] = {}
        # Names of fields that have held something else than a float, and for each set of names
        # those of them.
        self._others: set[str] = set()
        self._shapes: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._texts: dict[str, Any] = {}
        self._whole: dict[int, Any] = {}

    def lines(
        self, points: Sequence[Point]
    ) -> tuple[list[bytes], list[Point], list[tuple[Point, str]]]:
        """Return the lines, the point of each line, and the refused points with reasons."""
        try:
            return self._all_at_once(points), list(points), []
        except ValueError:
            return self._one_by_one(points)

    def _one_by_one(
        self, points: Sequence[Point]
    ) -> tuple[list[bytes], list[Point], list[tuple[Point, str]]]:
        lines: list[bytes] = []
        written: list[Point] = []
        refused: list[tuple[Point, str]] = []
        for point in points:
            try:
                lines.append(self.line(point))
            except ValueError as reason:
                refused.append((point, str(reason)))
            else:
                written.append(point)
        return lines, written, refused

    def line(self, point: Point) -> bytes:
        """Return `point` as one line of UTF-8, without the line's end.

        Raises
        ------
        ValueError
            With the reason why the point is refused.
        """
        fields = self._field_by_field(point.fields)
        admission.check_time(point.time_ns)
        tags = self._tags_of(point)
        return b"%b%b %b %d" % (point.measurement.encode(), tags, fields, point.time_ns)

    def _all_at_once(self, points: Sequence[Point]) -> list[bytes]:
        """Return the lines of `points`; ValueError if not each is as points mostly are."""
        if not points:
            return []
        times = [point.time_ns for point in points]
        admission.check_time(min(times))
        admission.check_time(max(times))
        fields = [point.fields for point in points]
        if not all(fields):
            raise _UnusualError
        # This JSON writer is ten times faster with floats than Python's own, and as exact.
        written = codec.dump_json(self._as_json(fields)).translate(_TO_LINES, _DELETED)
        if b"=null" in written:  # not finite
            raise _UnusualError
        bodies = written[: -len(_END)].split(_END + b",")
        names = [point.measurement.encode() for point in points]
        tags = self._tags_of_each(points)
        return [b"%b%b %b %d" % line for line in zip(names, tags, bodies, times, strict=True)]

    def _as_json(self, fields: Sequence[Mapping[str, FieldValue]]) -> Sequence[Mapping[str, Any]]:
        """Return `fields` so that JSON writes them as line protocol does, but for its marks."""
        for _ in range(2):
            found = self._shaped(fields)
            if _AS_THEY_ARE.issuperset(map(type, chain.from_iterable([f.values() for f in found]))):
                return found
            # Some name holds another type than so far: once more, knowing that.
            if len(self._others) >= _MAX_MEMORY:
                self._others.clear()
            self._others |= {n for one in found for n, v in one.items() if type(v) is not float}
            self._shapes.clear()
        raise _UnusualError

    def _shaped(self, fields: Sequence[Mapping[str, FieldValue]]) -> Sequence[Mapping[str, Any]]:
        """Return `fields` with what is no float written out already."""
        shapes = list(map(tuple, fields))
        known = {shape: self._others_of(shape) for shape in set(shapes)}
        if not any(known.values()):
            return fields
        raw = self._raw
        shaped: list[dict[str, Any]] = list(map(dict, fields))
        for one, shape in zip(shaped, shapes, strict=True):
            for name in known[shape]:
                one[name] = raw(name, one[name])
        return shaped

    def _others_of(self, shape: tuple[str, ...]) -> tuple[str, ...]:
        others = self._shapes.get(shape)
        return self._new_shape(shape) if others is None else others

    def _new_shape(self, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if self._key(name) != name or not name.isascii() or not name.isidentifier():
                raise _UnusualError
        if len(self._shapes) >= _MAX_MEMORY:
            self._shapes.clear()
        others = self._shapes[names] = tuple(name for name in names if name in self._others)
        return others

    def _raw(self, name: str, value: FieldValue) -> Any:
        if type(value) is float:
            return value
        if type(value) is bool:
            return _YES_OR_NO[value]
        if type(value) is int:
            return self._whole.get(value) or self._raw_whole(name, value)
        if type(value) is not str:
            raise _UnusualError
        return self._texts.get(value) or self._raw_text(name, value)

    def _raw_whole(self, name: str, value: int) -> Any:
        admission.plain_value(name, value)
        if len(self._whole) >= _MAX_MEMORY:
            self._whole.clear()
        written = self._whole[value] = codec.written_json(b"%di" % value)
        return written

    def _raw_text(self, name: str, value: str) -> Any:
        literal = _literal(admission.plain_text(name, value)).encode()
        if not _TAKEN.isdisjoint(literal):
            raise _UnusualError
        written = codec.written_json(literal.translate(_HIDE))
        if len(literal) <= _MAX_REMEMBERED:
            if len(self._texts) >= _MAX_MEMORY:
                self._texts.clear()
            self._texts[value] = written
        return written

    def _field_by_field(self, fields: Mapping[str, FieldValue]) -> bytes:
        parts = []
        for name, value in fields.items():
            key = self._key(name)
            plain = admission.plain_value(name, value)
            if plain is not None:
                parts.append(f"{key}={_literal(plain)}")
        if not parts:
            raise ValueError(admission.NO_FIELD)
        return ",".join(parts).encode()

    def _key(self, name: str) -> str:
        known = self._keys.get(name)
        if known is not None:
            return known
        admission.check_name(name)
        if len(self._keys) >= _MAX_MEMORY:
            self._keys.clear()
        escaped = self._keys[name] = _escape(name)
        return escaped

    def _tags_of_each(self, points: Sequence[Point]) -> list[bytes]:
        """Return the tags of every point; a window's beats share theirs."""
        found: list[bytes] = []
        before, known = None, b""
        for point in points:
            if point.tags is not before:
                before, known = point.tags, self._tags_of(point)
            found.append(known)
        return found

    def _tags_of(self, point: Point) -> bytes:
        tags = point.tags
        # Keyed by names and values alike: a tag set is equal only if both are.
        memory = (*tags, *tags.values())
        known = self._tags.get(memory)
        if known is None:
            admission.check_tags(tags)
            if len(self._tags) >= _MAX_SERIES:
                self._tags.clear()
            # Sorted, since the server would sort them otherwise.
            pairs = (f",{_escape(k)}={_escape(tags[k])}" for k in sorted(tags))
            known = self._tags[memory] = "".join(pairs).encode()
        return known


def _escape(text: str) -> str:
    return text.replace(",", "\\,").replace(" ", "\\ ").replace("=", "\\=")


def _literal(value: FieldValue) -> str:
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int):
        return f"{value}i"
    if isinstance(value, float):
        return codec.dump_json(value).decode()  # as exact as Python's own, and as all at once
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}"'
