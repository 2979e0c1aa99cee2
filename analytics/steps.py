"""What the pipeline did, so that a restart reaches the same state.

A step is a number, the positions up to which it took each lane of the
journal, and its `now`. Its points, publications and the step itself become
durable in one transaction. A start restores the newest snapshot and repeats
the steps recorded after it; what they put out is dropped, because it is
already in the spool.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from analytics import set_aside, snapshot_rows
from analytics.events import Publication
from analytics.packing import pack
from analytics.set_aside import RefusedPoints
from analytics.state_file import add_counts, from_us, state_errors, to_us, transaction
from analytics.store.points import Point
from sensors import codec
from sensors.errors import StateError

CONFIRMED_KEPT = timedelta(seconds=60)
"""How long points are kept that the store has confirmed.

A server that keeps what it confirmed in memory first loses some of it when its
machine stops: up to a second by default in 3.x, as long as its
``wal-fsync-delay`` in 1.x.
"""


@dataclass(frozen=True, slots=True, order=True)
class Step:
    """One step: everything of a lane up to and including its position was taken."""

    number: int
    live: int
    backlog: int
    now: datetime


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The pipeline's state after `step`."""

    step: Step
    data: bytes


@dataclass(frozen=True, slots=True)
class Pending:
    """A publication that the broker has not confirmed yet; `payload` empty clears."""

    id: int
    topic: str
    payload: bytes


@dataclass(slots=True)
class Commit:
    """What goes into one transaction.

    Parameters
    ----------
    steps : list of Step
        In order; earlier ones had no output and waited for this one.
    written_spool, confirmed : list of (int, int), list of int
        Spool batches the store has, from the first to the last of each range,
        and publications the broker has: deleted.
    settled_at : datetime or None
        When the store said that it has them; they are kept for `CONFIRMED_KEPT`.
    refused : list of RefusedPoints
        What the store refused of those batches: set aside.
    """

    steps: list[Step] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)
    publications: list[Publication] = field(default_factory=list)
    written_spool: list[tuple[int, int]] = field(default_factory=list)
    settled_at: datetime | None = None
    refused: list[RefusedPoints] = field(default_factory=list)
    confirmed: list[int] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    status: str | None = None


class StepLog:
    """Steps, snapshot, spool and publications of one site's server."""

    def __init__(self, db: sqlite3.Connection, path: Path) -> None:
        self._db, self._path = db, path

    def snapshot(self) -> Snapshot | None:
        """Return the newest snapshot.

        Raises
        ------
        StateError
            If it is not what was written.
        """
        with state_errors(self._path):
            found = snapshot_rows.read(self._db)
        if found is None:
            return None
        place, data, is_whole = found
        if not is_whole:
            raise StateError(
                f"{self._path}: the snapshot of step {place[0]} is damaged;"
                " restore a backup, or move the file away and start again"
            )
        return Snapshot(_step(place), data)

    def steps_after(self, number: int) -> list[Step]:
        """Return the recorded steps after `number`, in order."""
        with state_errors(self._path):
            rows = self._db.execute(
                "SELECT step, live, backlog, now_us FROM steps WHERE step > ? ORDER BY step",
                (number,),
            ).fetchall()
        return [_step(row) for row in rows]

    def commit(self, commit: Commit) -> list[Pending]:
        """Make it durable, all or nothing; return the publications to send now."""
        with state_errors(self._path), transaction(self._db):
            db = self._db
            db.executemany(
                "INSERT INTO steps VALUES (?, ?, ?, ?)",
                [(s.number, s.live, s.backlog, to_us(s.now)) for s in commit.steps],
            )
            db.executemany("INSERT INTO spool (points, payload) VALUES (?, ?)", pack(commit.points))
            pending = [self.keep(publication) for publication in commit.publications]
            self._settle(commit)
            set_aside.keep(db, commit.refused)
            db.executemany(
                "DELETE FROM publications WHERE id = ?", [(i,) for i in commit.confirmed]
            )
            add_counts(db, commit.counts)
            if commit.status is not None:
                db.execute("INSERT OR REPLACE INTO notes VALUES ('status', ?)", (commit.status,))
        return pending

    def keep(self, publication: Publication) -> Pending:
        """Note what the broker is to have, within the caller's transaction."""
        message = publication.message
        payload = b"" if message is None else codec.encode(message)
        cursor = self._db.execute(
            "INSERT INTO publications (topic, payload) VALUES (?, ?)", (publication.topic, payload)
        )
        return Pending(int(cursor.lastrowid or 0), publication.topic, payload)

    def _settle(self, commit: Commit) -> None:
        """Take out of the spool what the store has; for a while it can be told again."""
        if commit.settled_at is not None and commit.written_spool:
            now_us = to_us(commit.settled_at)
            self._db.executemany(
                "INSERT OR REPLACE INTO spool_confirmed"
                " SELECT id, ?, points, payload FROM spool WHERE id BETWEEN ? AND ?",
                [(now_us, *written) for written in commit.written_spool],
            )
            # Of a later time, too: the clock has gone back.
            self._db.execute(
                "DELETE FROM spool_confirmed WHERE at_us < ? OR at_us > ?",
                (to_us(commit.settled_at - CONFIRMED_KEPT), now_us),
            )
        self._db.executemany("DELETE FROM spool WHERE id BETWEEN ? AND ?", commit.written_spool)

    def pending(self) -> list[Pending]:
        """Return the publications that the broker never confirmed, in order."""
        with state_errors(self._path):
            rows = self._db.execute("SELECT id, topic, payload FROM publications ORDER BY id")
            return [Pending(*row) for row in rows.fetchall()]

    def save_snapshot(self, snapshot: Snapshot) -> None:
        """Replace the snapshot."""
        with state_errors(self._path), transaction(self._db):
            self.put_snapshot(snapshot)

    def put_snapshot(self, snapshot: Snapshot) -> None:
        """Replace the snapshot, within the caller's transaction."""
        snapshot_rows.replace(self._db, place_of(snapshot.step), snapshot.data)

    def prune(self, at: datetime, keep: timedelta) -> None:
        """Forget steps that a snapshot covers, older than `keep`, and what was long confirmed."""
        with state_errors(self._path):
            self._db.execute(
                "DELETE FROM steps WHERE step < (SELECT max(step) FROM snapshot) AND now_us < ?",
                (to_us(at - keep),),
            )
            before_us = to_us(at - CONFIRMED_KEPT)
            self._db.execute("DELETE FROM spool_confirmed WHERE at_us < ?", (before_us,))

    def spool_size(self) -> tuple[int, int]:
        """Return how many points, and bytes, wait for the store."""
        with state_errors(self._path):
            row = self._db.execute(
                "SELECT coalesce(sum(points), 0), coalesce(sum(length(payload)), 0) FROM spool"
            ).fetchone()
        return int(row[0]), int(row[1])

    def drop_oldest_spooled(self, max_bytes: int) -> int:
        """Drop the oldest batches until at most `max_bytes` wait; return how many points went."""
        with state_errors(self._path), transaction(self._db):
            found = self._db.execute(
                "SELECT id, points FROM (SELECT id, points,"
                " sum(length(payload)) OVER (ORDER BY id DESC) AS kept FROM spool)"
                " WHERE kept > ?",
                (max_bytes,),
            ).fetchall()
            self._db.executemany("DELETE FROM spool WHERE id = ?", [(row[0],) for row in found])
            dropped = sum(int(points) for _, points in found)
            add_counts(self._db, {"spool_dropped": dropped})
        return dropped


def place_of(step: Step) -> snapshot_rows.Place:
    """Return `step` as columns."""
    return step.number, step.live, step.backlog, to_us(step.now)


def _step(row: Sequence[int]) -> Step:
    number, live, backlog, now_us = row
    return Step(number, live, backlog, from_us(now_us))
