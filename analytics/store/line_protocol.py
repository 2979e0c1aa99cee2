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
from dataclasses import dataclass
from typing import Any

from analytics.store import admission
from analytics.store.points import FieldValue, Point
from sensors import codec

_MAX_MEMORY = 4_096
"""Keys and tag sets remembered; a floor has some 60 fields and a series per agent."""

_MAX_REMEMBERED = 64
"""Longer texts are not remembered: they do not come again."""

_FORMATS: dict[type, bytes] = {float: b"%b", int: b"%di", bool: b"%a", str: b"%b"}
"""How a value of each type is written; floats and text are turned into bytes before."""


@dataclass(frozen=True, slots=True)
class _Shape:
    """How points with the same field names and types are formatted.

    `template` takes the values in their order; the others are their places by type.
    """

    template: bytes
    floats: tuple[int, ...]
    integers: tuple[int, ...]
    texts: tuple[int, ...]
    only_floats: bool


class Encoder:
    """Formats points; remembers the names, tag sets and texts it has checked and escaped."""

    __slots__ = ("_heads", "_keys", "_shapes", "_texts")

    def __init__(self) -> None:
        self._keys: dict[str, str] = {}
        self._heads: dict[tuple[str, ...], bytes] = {}
        self._shapes: dict[tuple[tuple[str, ...], tuple[type, ...]], _Shape] = {}
        self._texts: dict[str, bytes] = {}

    def lines(
        self, points: Sequence[Point]
    ) -> tuple[list[bytes], list[Point], list[tuple[Point, str]]]:
        """Return the lines, the point of each line, and the refused points with reasons."""
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
        fields = self._fields(point.fields)
        admission.check_time(point.time_ns)
        return b"%b %b %d" % (self._head(point), fields, point.time_ns)

    def _fields(self, fields: Mapping[str, FieldValue]) -> bytes:
        values = tuple(fields.values())
        kinds = tuple(map(type, values))
        names = tuple(fields)
        shape = self._shapes.get((names, kinds))
        if shape is None:
            shape = self._shape(names, kinds)
        if shape is None:
            return self._field_by_field(fields)
        # The JSON writer is ten times faster with floats than Python's own, and as exact.
        told = values if shape.only_floats else [values[i] for i in shape.floats]
        written = codec.dump_json(told)
        # JSON's null: not finite.
        if b"n" in written or (shape.integers and not _fits(shape, values)):
            return self._field_by_field(fields)
        numbers = written[1:-1].split(b",")
        if shape.only_floats:
            return shape.template % tuple(numbers)
        plain: list[Any] = list(values)
        for i, number in zip(shape.floats, numbers, strict=False):  # of no float: one empty piece
            plain[i] = number
        for i in shape.texts:
            text: Any = values[i]
            plain[i] = self._texts.get(text) or self._text(names[i], text)
        return shape.template % tuple(plain)

    def _shape(self, names: tuple[str, ...], kinds: tuple[type, ...]) -> _Shape | None:
        """Return how to format such fields; ``None`` if one by one is the only way."""
        if not names or not set(kinds) <= _FORMATS.keys():
            return None
        pairs = [
            self._key(name).replace("%", "%%").encode() + b"=" + _FORMATS[kind]
            for name, kind in zip(names, kinds, strict=True)
        ]
        floats, integers, texts = (
            tuple(i for i, kind in enumerate(kinds) if kind is wanted)
            for wanted in (float, int, str)
        )
        if len(self._shapes) >= _MAX_MEMORY:
            self._shapes.clear()
        shape = self._shapes[names, kinds] = _Shape(
            b",".join(pairs), floats, integers, texts, only_floats=len(floats) == len(kinds)
        )
        return shape

    def _text(self, name: str, value: str) -> bytes:
        if len(self._texts) >= _MAX_MEMORY:
            self._texts.clear()
        literal = _literal(admission.plain_text(name, value)).encode()
        if len(literal) <= _MAX_REMEMBERED:
            self._texts[value] = literal
        return literal

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


def _fits(shape: _Shape, values: tuple[Any, ...]) -> bool:
    """Return whether all whole numbers have 64 bits."""
    return all(-(2**63) <= values[i] < 2**63 for i in shape.integers)


def _escape(text: str) -> str:
    return text.replace(",", "\\,").replace(" ", "\\ ").replace("=", "\\=")


def _literal(value: FieldValue) -> str:
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int):
        return f"{value}i"
    if isinstance(value, float):
        return repr(value)
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}"'
