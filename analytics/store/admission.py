"""What a store may be handed: checks that hold before any of them writes.

A point that breaks a rule is refused with a reason and the rest is written,
so every store refuses the same points in the same words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from math import isfinite
from numbers import Integral, Real

from analytics.store.points import FieldValue, Point

TAGS = ("site", "agent", "source")
"""Every tag there is; what else identifies a point is a field (DESIGN)."""

KINDS: dict[type, str] = {float: "float", int: "integer", bool: "boolean", str: "string"}
"""Type of a field value as InfluxDB calls it."""

# Limits of InfluxDB: 64-bit integers and times (two values are its own
# markers), strings and keys of 64 KiB.
_INT_LOW, _INT_HIGH = -(2**63), 2**63 - 1
_TIME_LOW, _TIME_HIGH = -(2**63) + 2, 2**63 - 2
_MAX_TEXT_BYTES = 65_535

_ESCAPED = re.compile(r"\\[,= ]")

# "time" as a field is dropped silently by InfluxDB; a field named like a tag
# comes back under another name.
_RESERVED = frozenset({*TAGS, "time"})


def admit(point: Point) -> dict[str, FieldValue]:
    """Return the fields of `point` that can be stored.

    Values that are not finite are left out: unknown is absent, not a number.

    Raises
    ------
    ValueError
        With the reason why the point is refused.
    """
    check_tags(point.tags)
    check_time(point.time_ns)
    fields: dict[str, FieldValue] = {}
    for name, value in point.fields.items():
        check_name(name)
        plain = plain_value(name, value)
        if plain is not None:
            fields[name] = plain
    if not fields:
        raise ValueError(NO_FIELD)
    return fields


NO_FIELD = "has no field with a value"
"""Why a point is refused that holds only values that are not finite, or nothing."""


def check_tags(tags: Mapping[str, str]) -> None:
    """Raise ValueError unless every tag is a known one with a printable value, and site is given."""
    if not tags.get("site"):
        raise ValueError("has no tag 'site'")
    for name, value in tags.items():
        if name not in TAGS:
            raise ValueError(f"has tag {name!r}; known tags: {', '.join(TAGS)}")
        _check_text(f"tag {name}", value)


def check_time(time_ns: int) -> None:
    """Raise ValueError unless `time_ns` fits InfluxDB's clock (years 1677 to 2262)."""
    if not _TIME_LOW <= time_ns <= _TIME_HIGH:
        raise ValueError(f"time {time_ns} is outside the years 1677 to 2262")


def check_name(name: str) -> None:
    """Raise ValueError unless `name` can name a field."""
    if name in _RESERVED:
        raise ValueError(f"field {name!r} has the name of a tag or of the time")
    _check_text("field name", name)


@lru_cache(maxsize=16_384)  # a floor has few names, and they come with every point
def _check_text(what: str, text: str) -> None:
    # Line protocol has no way to write these in a tag or a key.
    if not text or not text.isprintable() or text.endswith("\\"):
        raise ValueError(f"{what} {text!r} is empty, not printable or ends in a backslash")
    if "\\" in text and _ESCAPED.search(text):
        raise ValueError(f"{what} {text!r} has a backslash before a comma, space or equal sign")
    if len(text.encode(errors="replace")) > _MAX_TEXT_BYTES:
        raise ValueError(f"{what} is longer than {_MAX_TEXT_BYTES} bytes")


def plain_value(name: str, value: object) -> FieldValue | None:
    """Return `value` as one of the four plain types; ``None`` if it is not finite.

    Raises
    ------
    ValueError
        If it is of another type, or too big to be stored.
    """
    if type(value) is float:  # nearly all of them, and a tenth of the time
        return value if isfinite(value) else None
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return plain_text(name, value)
    # NumPy's scalars register as numbers too.
    if isinstance(value, Integral):
        number = int(value)
        if not _INT_LOW <= number <= _INT_HIGH:
            raise ValueError(f"field {name!r} is {number}; whole numbers have 64 bits")
        return number
    if isinstance(value, Real):
        real = float(value)
        return real if isfinite(real) else None
    raise ValueError(f"field {name!r} is of type {type(value).__name__}; expected a number or text")


def plain_text(name: str, value: str) -> str:
    """Return `value` as plain text; raise ValueError if it cannot be stored."""
    text = str.__str__(value)
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise ValueError(f"field {name!r} is not valid Unicode") from None
    if size > _MAX_TEXT_BYTES or "\0" in text:
        raise ValueError(f"field {name!r} is longer than {_MAX_TEXT_BYTES} bytes or holds a NUL")
    return text


def conflict(name: str, kind: str, existing: str) -> str:
    """Return the reason for refusing a value of `kind` in a field of another kind."""
    return f"field {name!r} is {kind}, but the store has it as {existing}"
