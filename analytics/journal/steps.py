"""What the pipeline did, so that a restart reaches the same state.

A step is a number, the positions up to which it took each lane of the
journal, and its `now`. Its points, publications and the step itself become
durable in one transaction. A start restores the newest snapshot and repeats
the steps recorded after it; what they put out is dropped, because it is
already in the spool.

Where a step has something to tell, its points may follow in a transaction of
their own, so that nobody waits for them: the step then owes them, and a start
that finds it so takes them from the repetition. The journal holds a step's
input until a snapshot covers it, which none does that owes points.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from analytics.events import Publication
from analytics.journal.unsent import UNSENT_KEPT, excess
from analytics.state import snapshot_rows
from analytics.state.packing import LinePacker, pack
from analytics.state.state_file import add_counts, from_us, state_errors, to_us, transaction
from analytics.store.gathered import Gathered
from analytics.store.points import Point
from sensors import codec
from sensors.errors import StateError

_TO_SPOOL = "INSERT INTO spool (points, payload) VALUES (?, ?)"
_OWED = "owed_by_step"


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
    owes_points : bool
        Whether the points of the last step follow (`StepLog.pay`).
    confirmed : list of int
        Publications the broker has: deleted.
    """

    steps: list[Step] = field(default_factory=list)
    points: Sequence[Point] = ()
    owes_points: bool = False
    publications: list[Publication] = field(default_factory=list)
    confirmed: list[int] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    status: str | None = None


class StepLog:
    """Steps, snapshot, spool and publications of one site's server.

    Parameters
    ----------
    db : sqlite3.Connection
    path : Path
        Its file.
    as_lines : bool
        Whether points are packed as a database server takes them.
    """

    def __init__(self, db: sqlite3.Connection, path: Path, *, as_lines: bool = False) -> None:
        self._db, self._path = db, path
        self._pack = LinePacker().pack if as_lines else pack

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
        rows = self._packed(commit.points)
        with state_errors(self._path), transaction(self._db):
            db = self._db
            db.executemany(
                "INSERT INTO steps VALUES (?, ?, ?, ?)",
                [(s.number, s.live, s.backlog, to_us(s.now)) for s in commit.steps],
            )
            db.executemany(_TO_SPOOL, rows)
            if commit.owes_points:
                owed = str(commit.steps[-1].number)
                db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (_OWED, owed))
            pending = [self.keep(publication) for publication in commit.publications]
            db.executemany(
                "DELETE FROM publications WHERE id = ?", [(i,) for i in commit.confirmed]
            )
            add_counts(db, commit.counts)
            if commit.status is not None:
                db.execute("INSERT OR REPLACE INTO notes VALUES ('status', ?)", (commit.status,))
        return pending

    def prepare(self, points: Gathered) -> None:
        """Pack `points` now for the commit that takes them."""
        points.packed = self._pack(points)

    def try_packing(self, points: Sequence[Point]) -> None:
        """Raise what packing `points` would."""
        self._pack(points)

    def _packed(self, points: Sequence[Point]) -> list[tuple[int, bytes]]:
        known = points.packed if isinstance(points, Gathered) else None
        return self._pack(points) if known is None else known

    def owed_by(self) -> int | None:
        """Return the number of the step whose points are not in the spool yet, if there is one."""
        with state_errors(self._path):
            row = self._db.execute("SELECT value FROM notes WHERE name = ?", (_OWED,)).fetchone()
        return int(row[0]) if row else None

    def pay(self, points: Sequence[Point]) -> None:
        """Make the points durable that the last step owes."""
        rows = self._packed(points)
        with state_errors(self._path), transaction(self._db):
            self._db.executemany(_TO_SPOOL, rows)
            self._db.execute("DELETE FROM notes WHERE name = ?", (_OWED,))

    def keep(self, publication: Publication) -> Pending:
        """Note what the broker is to have, within the caller's transaction."""
        message = publication.message
        payload = b"" if message is None else codec.encode(message)
        cursor = self._db.execute(
            "INSERT INTO publications (topic, payload) VALUES (?, ?)", (publication.topic, payload)
        )
        return Pending(int(cursor.lastrowid or 0), publication.topic, payload)

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
        """Forget steps that a snapshot covers, older than `keep`."""
        with state_errors(self._path):
            self._db.execute(
                "DELETE FROM steps WHERE step < (SELECT max(step) FROM snapshot) AND now_us < ?",
                (to_us(at - keep),),
            )

    def spool_size(self) -> tuple[int, int]:
        """Return how many points, and bytes, wait for the store."""
        with state_errors(self._path):
            row = self._db.execute(
                "SELECT coalesce(sum(points), 0), coalesce(sum(length(payload)), 0) FROM spool"
            ).fetchone()
        return int(row[0]), int(row[1])

    def bound_publications(self) -> int:
        """Drop what waits too long for a broker; return how much of it nobody will hear."""
        with state_errors(self._path):
            (count,) = self._db.execute("SELECT count(*) FROM publications").fetchone()
            if count <= UNSENT_KEPT:
                return 0
            rows = self._db.execute("SELECT id, topic FROM publications ORDER BY id").fetchall()
            going = excess(rows, UNSENT_KEPT)
            with transaction(self._db):
                self._db.executemany(
                    "DELETE FROM publications WHERE id = ?",
                    [(number,) for number in (*going.told_anyway, *going.lost)],
                )
                add_counts(self._db, {"publications_dropped": len(going.lost)})
        return len(going.lost)


def place_of(step: Step) -> snapshot_rows.Place:
    """Return `step` as columns."""
    return step.number, step.live, step.backlog, to_us(step.now)


def _step(row: Sequence[int]) -> Step:
    number, live, backlog, now_us = row
    return Step(number, live, backlog, from_us(now_us))
