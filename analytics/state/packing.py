"""Points as they lie in the spool and among what was set aside: compressed JSON; pure."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any

from analytics.store.points import Point
from sensors import codec

POINTS_PER_BATCH = 5_000
"""InfluxDB's own advice for one request."""

UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, zlib.error)
"""What :func:`unpack` raises on a batch that was damaged or that nobody wrote."""


def pack(points: Sequence[Point]) -> list[tuple[int, bytes]]:
    """Return `points` as spool rows: how many, and their compressed bytes."""
    return [
        (len(part), zlib.compress(codec.dump_json(part), 1))
        for part in (
            points[start : start + POINTS_PER_BATCH]
            for start in range(0, len(points), POINTS_PER_BATCH)
        )
    ]


def unpack(payload: bytes) -> list[Point]:
    """Return the points that :func:`pack` packed, equal to the last bit.

    Raises
    ------
    ValueError
        If `payload` is not what `pack` returns.
    """
    data = zlib.decompress(payload)
    try:
        return codec.load_json_as(data, list[Point])
    except ValueError:
        # JSON has no NaN or infinity and says null: that field is unknown, the rest stands.
        told = codec.load_json(data)
        for point in told:
            point["fields"] = {k: v for k, v in point["fields"].items() if v is not None}
        return codec.convert(told, list[Point])


def without(
    payload: bytes, marks: Sequence[bytes], is_theirs: Callable[[Any], bool]
) -> tuple[int, bytes, int] | None:
    """Return a batch without some of its points: how many stay, packed, and how many went.

    As plain JSON, five times faster than as points; what stays is as it was.

    Parameters
    ----------
    payload : bytes
    marks : sequence of bytes
        One of them stands in every point that is meant; without any, ``None``.
    is_theirs : callable
        Given a point as plain JSON: tags, fields.

    Raises
    ------
    ValueError
        Or another of `UNREADABLE`: nobody can say what is in it.
    """
    data = zlib.decompress(payload)
    if not any(mark in data for mark in marks):
        return None
    told = codec.load_json(data)
    kept = [point for point in told if not is_theirs(point)]
    return len(kept), zlib.compress(codec.dump_json(kept), 1), len(told) - len(kept)
