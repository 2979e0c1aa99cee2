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

from analytics.store import admission
from analytics.store.points import FieldValue, Point

_MAX_MEMORY = 4_096
"""Keys and tag sets remembered; a floor has some 60 fields and a series per agent."""


class Encoder:
    """Formats points; remembers the keys and tag sets it has checked and escaped."""

    __slots__ = ("_heads", "_keys")

    def __init__(self) -> None:
        self._keys: dict[str, str] = {}
        self._heads: dict[tuple[str, ...], str] = {}

    def lines(
        self, points: Sequence[Point]
    ) -> tuple[list[str], list[Point], list[tuple[Point, str]]]:
        """Return the lines, the point of each line, and the refused points with reasons."""
        lines: list[str] = []
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

    def line(self, point: Point) -> str:
        """Return `point` as one line, without the line's end.

        Raises
        ------
        ValueError
            With the reason why the point is refused.
        """
        fields = self._fields(point.fields)
        admission.check_time(point.time_ns)
        return f"{self._head(point)} {fields} {point.time_ns}"

    def _fields(self, fields: Mapping[str, FieldValue]) -> str:
        parts = []
        keys = self._keys
        for name, value in fields.items():
            key = keys.get(name) or self._key(name)
            kind = type(value)
            if kind is float:
                # False for infinities and NaN, and cheaper than a call.
                if value - value == 0.0:  # type: ignore[operator]
                    parts.append(f"{key}={value!r}")
            elif kind is int and -(2**63) <= value < 2**63:  # type: ignore[operator]
                parts.append(f"{key}={value}i")
            elif kind is bool:
                parts.append(f"{key}=t" if value else f"{key}=f")
            else:
                plain = admission.plain_value(name, value)
                if plain is not None:
                    parts.append(f"{key}={_literal(plain)}")
        if not parts:
            raise ValueError(admission.NO_FIELD)
        return ",".join(parts)

    def _key(self, name: str) -> str:
        admission.check_name(name)
        if len(self._keys) >= _MAX_MEMORY:
            self._keys.clear()
        escaped = self._keys[name] = _escape(name)
        return escaped

    def _head(self, point: Point) -> str:
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
            head = self._heads[memory] = ",".join([_escape(point.measurement), *pairs])
        return head


def _escape(text: str) -> str:
    return text.replace(",", "\\,").replace(" ", "\\ ").replace("=", "\\=")


def _literal(value: FieldValue) -> str:
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, int):
        return f"{value}i"
    if isinstance(value, float):
        return repr(value)
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}"'
