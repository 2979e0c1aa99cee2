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
"""Keys and tag sets remembered; a floor has some 60 fields and a series per agent."""

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

_PLAIN = frozenset({float, bool})
"""Types whose values JSON writes as line protocol does."""

_ONLY_FLOATS = frozenset({float})


class _UnusualError(ValueError):
    """A point wants to be looked at alone."""


class Encoder:
    """Formats points; remembers the names, tag sets and texts it has checked and escaped."""

    __slots__ = ("_heads", "_keys", "_plain_names", "_texts")

    def __init__(self) -> None:
        self._keys: dict[str, str] = {}
        self._heads: dict[tuple[str, ...], bytes] = {}
        self._plain_names: set[str] = set()
        self._texts: dict[str, Any] = {}

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
        return b"%b %b %d" % (self._head(point), fields, point.time_ns)

    def _all_at_once(self, points: Sequence[Point]) -> list[bytes]:
        """Return the lines of `points`; ValueError if not each is as points mostly are."""
        if not points:
            return []
        fields = [point.fields for point in points]
        self._check_names(set(chain.from_iterable(fields)))
        times = [point.time_ns for point in points]
        admission.check_time(min(times))
        admission.check_time(max(times))
        if not all(fields):
            raise _UnusualError
        if set(map(type, chain.from_iterable([f.values() for f in fields]))) != _ONLY_FLOATS:
            fields = [self._as_json(one) for one in fields]
        # This JSON writer is ten times faster with floats than Python's own, and as exact.
        written = codec.dump_json(fields).translate(_TO_LINES, _DELETED)
        if b"=null" in written:  # not finite
            raise _UnusualError
        bodies = written[: -len(_END)].split(_END + b",")
        heads = map(self._head, points)
        return [b"%b %b %d" % line for line in zip(heads, bodies, times, strict=True)]

    def _check_names(self, names: set[str]) -> None:
        if names <= self._plain_names:
            return
        for name in names - self._plain_names:
            if self._key(name) != name or not name.isascii() or not name.isidentifier():
                raise _UnusualError
        if len(self._plain_names) >= _MAX_MEMORY:
            self._plain_names.clear()
        self._plain_names |= names

    def _as_json(self, fields: Mapping[str, FieldValue]) -> dict[str, Any]:
        """Return `fields` so that JSON writes them as line protocol does, but for its marks."""
        return {
            name: value if type(value) in _PLAIN else self._raw(name, value)
            for name, value in fields.items()
        }

    def _raw(self, name: str, value: FieldValue) -> Any:
        if type(value) is int:
            admission.plain_value(name, value)
            return codec.written_json(b"%di" % value)
        if type(value) is not str:
            raise _UnusualError
        known = self._texts.get(value)
        if known is not None:
            return known
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

    def _head(self, point: Point) -> bytes:
        tags = point.tags
        # Keyed by names and values alike: a tag set is equal only if both are.
        memory = (point.measurement, *tags, *tags.values())
        head = self._heads.get(memory)
        if head is None:
            admission.check_tags(tags)
            if len(self._heads) >= _MAX_MEMORY * 4:
                self._heads.clear()
            # Sorted, since the server would sort them otherwise.
            pairs = (f"{_escape(k)}={_escape(tags[k])}" for k in sorted(tags))
            head = ",".join([_escape(point.measurement), *pairs]).encode()
            self._heads[memory] = head
        return head


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
