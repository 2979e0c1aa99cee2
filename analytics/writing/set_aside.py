"""Points the store refused: kept with the reason, listed, and told again once it is mended.

They lie in ``server.sqlite`` beside the spool, packed like it. A refusal never
stands in the way of other points, and never loses one silently.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path

from analytics.state.packing import UNREADABLE, pack, unpack
from analytics.state.state_file import add_counts, from_us, state_errors, to_us, transaction
from analytics.store.points import Point

KEPT_POINTS = 200_000
"""At most so many are kept; beyond it the oldest go and are counted."""

_MAX_REASON = 500


@dataclass(frozen=True, slots=True)
class RefusedPoints:
    """Points that were refused for one reason, as they are kept."""

    at: datetime
    reason: str
    points: int
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAsidePoints:
    """One entry of the list: `points` of them, refused for `reason`."""

    id: int
    at: datetime
    points: int
    reason: str
    measurements: dict[str, int]


def bundle(refused: Sequence[tuple[Point, str]], at: datetime) -> list[RefusedPoints]:
    """Return refused points packed, one bundle per reason."""
    ordered = sorted(refused, key=lambda one: one[1])
    return [
        RefusedPoints(at, reason[:_MAX_REASON], count, payload)
        for reason, group in groupby(ordered, key=lambda one: one[1])
        for count, payload in pack([point for point, _ in group])
    ]


def keep(db: sqlite3.Connection, refused: Sequence[RefusedPoints]) -> None:
    """Add bundles within the caller's transaction; the oldest beyond the bound go, counted."""
    if not refused:
        return
    db.executemany(
        "INSERT INTO refused_points (at_us, points, reason, payload) VALUES (?, ?, ?, ?)",
        [(to_us(r.at), r.points, r.reason, r.payload) for r in refused],
    )
    beyond = db.execute(
        "SELECT id, points FROM (SELECT id, points, sum(points) OVER (ORDER BY id DESC) AS kept"
        " FROM refused_points) WHERE kept > ?",
        (KEPT_POINTS,),
    ).fetchall()
    db.executemany("DELETE FROM refused_points WHERE id = ?", [(row[0],) for row in beyond])
    add_counts(
        db,
        {
            "points_set_aside": sum(r.points for r in refused),
            "points_set_aside_dropped": sum(points for _, points in beyond),
        },
    )


def listed(db: sqlite3.Connection, path: Path) -> list[SetAsidePoints]:
    """Return what is kept, oldest first."""
    with state_errors(path):
        rows = db.execute(
            "SELECT id, at_us, points, reason, payload FROM refused_points ORDER BY id"
        )
        return [
            SetAsidePoints(
                id=id_,
                at=from_us(at_us),
                points=points,
                reason=reason,
                measurements=_measurements(payload),
            )
            for id_, at_us, points, reason, payload in rows
        ]


def _measurements(payload: bytes) -> dict[str, int]:
    try:
        return dict(Counter(point.measurement.value for point in unpack(payload)))
    except UNREADABLE:
        return {}  # listed all the same: its reason says so


def replay(db: sqlite3.Connection, path: Path, ids: Sequence[int] = ()) -> int:
    """Put bundles back into the spool, all without `ids`; return how many points.

    A server that is running writes them within a second; else the next one does.
    """
    return _move(db, path, ids, into_spool=True)


def drop(db: sqlite3.Connection, path: Path, ids: Sequence[int] = ()) -> int:
    """Delete bundles for good, all without `ids`; return how many points."""
    return _move(db, path, ids, into_spool=False)


def _move(db: sqlite3.Connection, path: Path, ids: Sequence[int], *, into_spool: bool) -> int:
    where = f" WHERE id IN ({', '.join('?' * len(ids))})" if ids else ""
    with state_errors(path), transaction(db):
        found = db.execute(
            f"SELECT coalesce(sum(points), 0) FROM refused_points{where}",  # noqa: S608 - marks only
            tuple(ids),
        ).fetchone()
        if into_spool:
            db.execute(
                "INSERT INTO spool (points, payload)"  # noqa: S608 - marks only
                f" SELECT points, payload FROM refused_points{where} ORDER BY id",
                tuple(ids),
            )
        db.execute(f"DELETE FROM refused_points{where}", tuple(ids))  # noqa: S608 - marks only
    return int(found[0])
