"""A snapshot as rows of ``server.sqlite``: one row that names it, and its bytes in parts.

The row comes last, or in the same transaction: parts without it are nothing.
Parts carry a number drawn for this one writing, so that two snapshots of the
same step never mix.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator
from hashlib import blake2b

PART_BYTES = 1 << 20

Place = tuple[int, int, int, int]
"""Step, live and backlog position, `now` in microseconds."""


def draw() -> int:
    """Return the number of a new writing."""
    return secrets.randbits(62)


def parts_of(data: bytes | memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield `data` in numbered parts."""
    view = memoryview(data)
    for start in range(0, len(view), PART_BYTES):
        yield start // PART_BYTES, view[start : start + PART_BYTES]


def add_part(db: sqlite3.Connection, writing: int, part: int, data: memoryview) -> None:
    """Add one part."""
    db.execute("INSERT INTO snapshot_part VALUES (?, ?, ?)", (writing, part, data))


def name(db: sqlite3.Connection, writing: int, place: Place, told: bytes) -> None:
    """Let the parts of `writing`, of digest `told`, be the snapshot, and no others."""
    db.execute("DELETE FROM snapshot")
    db.execute("INSERT INTO snapshot VALUES (?, ?, ?, ?, ?, ?)", (*place, told, writing))


def replace(db: sqlite3.Connection, place: Place, data: bytes) -> None:
    """Replace the snapshot at once, within the caller's transaction."""
    writing = draw()
    db.execute("DELETE FROM snapshot_part")
    for part, some in parts_of(data):
        add_part(db, writing, part, some)
    name(db, writing, place, digest(data))


def forget_others(db: sqlite3.Connection, at_most: int) -> int:
    """Delete some of the parts that no row names; return how many."""
    return db.execute(
        "DELETE FROM snapshot_part WHERE rowid IN (SELECT rowid FROM snapshot_part"
        " WHERE writing NOT IN (SELECT writing FROM snapshot) LIMIT ?)",
        (at_most,),
    ).rowcount


def newest_step(db: sqlite3.Connection) -> int:
    """Return the step of the snapshot, -1 if there is none."""
    (step,) = db.execute("SELECT coalesce(max(step), -1) FROM snapshot").fetchone()
    return int(step)


def read(db: sqlite3.Connection) -> tuple[Place, bytes, bool] | None:
    """Return where the snapshot was taken, its bytes, and whether they are what was written."""
    db.execute("BEGIN")  # row and parts of one moment: another may be written meanwhile
    try:
        row = db.execute(
            "SELECT step, live, backlog, now_us, digest, writing FROM snapshot"
        ).fetchone()
        if row is None:
            return None
        parts = db.execute(
            "SELECT data FROM snapshot_part WHERE writing = ? ORDER BY part", (row[5],)
        ).fetchall()
    finally:
        db.execute("COMMIT")
    step, live, backlog, now_us, told, _ = row
    data = b"".join(part for (part,) in parts)
    return (step, live, backlog, now_us), data, digest(data) == told


def digest(data: bytes | memoryview) -> bytes:
    """Return what tells whether `data` is what was written."""
    return blake2b(data, digest_size=16).digest()
