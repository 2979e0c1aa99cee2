"""The tail of the spool: read, settled and bounded by the one who writes it into the store.

The service adds batches at the head, in the transaction of the step that made
them; everything else that happens to them happens here, on a connection of
its own. So what is dropped at the bound has never been confirmed, what is
refused is kept in the transaction that takes it out of the spool, and the
service's own commits stay small.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from analytics.state import packing
from analytics.state.packing import UNREADABLE
from analytics.state.state_file import (
    FILE_NAME,
    add_counts,
    give_back,
    open_beside,
    open_for_reading,
    state_errors,
    to_us,
    transaction,
)
from analytics.store.formatted import Formatted
from analytics.store.points import Point
from analytics.writing import set_aside
from analytics.writing.set_aside import RefusedPoints

CONFIRMED_KEPT = timedelta(seconds=60)
"""How long points are kept that the store has confirmed.

A server that keeps what it confirmed in memory first loses some of it when its
machine stops: up to a second by default in 3.x, as long as its
``wal-fsync-delay`` in 1.x.
"""

GIVE_BACK_EVERY_S, PAGES_AT_ONCE = 1.0, 1_000
"""How often, and how many pages of a file that has become too big go back to the system: 4 MB a
second, while the server can commit nothing for about 20 ms. [s, 1]"""

DROP_AT_ONCE = 64
"""Batches that one transaction drops: the service must not wait for the file."""


@dataclass(slots=True)
class Batch:
    """Consecutive batches ``(after, last]`` of the spool, unpacked; `unreadable` are whole ones."""

    after: int
    last: int
    points: Sequence[Point] = ()
    unreadable: list[RefusedPoints] = field(default_factory=list)


class SpoolTail:
    """The spool in ``server.sqlite`` of `directory`; for one thread.

    Raises
    ------
    StateError
        If there is no such file, it cannot be opened, or is of another version.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE_NAME
        # For reading first: it looks at the version, and makes no file.
        open_for_reading(directory).close()
        self._db = open_beside(directory)
        self._give_back_due_s = 0.0

    def give_back(self, now_s: float) -> None:
        """Return free pages of the file to the system, if they are many; not too often."""
        if now_s >= self._give_back_due_s:
            self._give_back_due_s = now_s + GIVE_BACK_EVERY_S
            give_back(self._db, self._path, PAGES_AT_ONCE)

    def newest(self) -> int:
        """Return the number of the newest batch, also if it is gone by now."""
        with state_errors(self._path):
            # Not of the table: the newest may have been deleted, its number is not used again.
            row = self._db.execute(
                "SELECT seq FROM sqlite_sequence WHERE name = 'spool'"
            ).fetchone()
        return int(row[0]) if row else 0

    def read(
        self, after: int, until: int, at: datetime, at_most: int, *, confirmed: bool = False
    ) -> Batch:
        """Return the batches after `after`, up to `until`, of about `at_most` points.

        Parameters
        ----------
        at : datetime
            Now: when batches that nobody can read were refused.
        confirmed : bool
            Of those that the store has confirmed lately instead.
        """
        table = "spool_confirmed" if confirmed else "spool"
        batch, rows_read, count = Batch(after, after), list[Formatted](), 0
        with state_errors(self._path):
            rows = self._db.execute(
                f"SELECT id, payload FROM {table} WHERE id > ? AND id <= ?"  # noqa: S608 - ours
                " ORDER BY id",
                (after, until),
            )
            for number, payload in rows:
                try:
                    row = packing.read(payload)
                except UNREADABLE as error:
                    # One bad batch must not stand in the way of all that follow.
                    reason = f"spool batch {number} cannot be read: {error}"
                    batch.unreadable.append(RefusedPoints(at, reason, 1, payload))
                else:
                    # What has no lines is written after what has: it must not come from before.
                    if rows_read and rows_read[-1].others and row.sections:
                        break
                    rows_read.append(row)
                    count += len(row)
                batch.last = number
                if count >= at_most:
                    break
            rows.close()
        if rows_read:
            batch.points = packing.together(rows_read)
        return batch

    def settle(self, first: int, last: int, at: datetime, refused: Sequence[RefusedPoints]) -> None:
        """Take out of the spool what the store has; for a while it can be told again."""
        with state_errors(self._path), transaction(self._db):
            self._db.execute(
                "INSERT OR REPLACE INTO spool_confirmed"
                " SELECT id, ?, points, payload FROM spool WHERE id BETWEEN ? AND ?",
                (to_us(at), first, last),
            )
            self._db.execute("DELETE FROM spool WHERE id BETWEEN ? AND ?", (first, last))
            set_aside.keep(self._db, refused)

    def set_aside(self, refused: Sequence[RefusedPoints]) -> None:
        """Keep what was refused of what had been confirmed before."""
        with state_errors(self._path), transaction(self._db):
            set_aside.keep(self._db, refused)

    def forget_confirmed(self, at: datetime) -> None:
        """Delete what was confirmed long ago: nobody will ask for it to be told again."""
        with state_errors(self._path), transaction(self._db):
            # Of a later time, too: the clock has gone back.
            self._db.execute(
                "DELETE FROM spool_confirmed WHERE at_us < ? OR at_us > ?",
                (to_us(at - CONFIRMED_KEPT), to_us(at)),
            )

    def bound(self, max_bytes: int) -> int:
        """Drop the oldest batches until at most `max_bytes` wait.

        Returns
        -------
        int
            How many points went; none of them had been confirmed by the store.
        """
        with state_errors(self._path):
            (size,) = self._db.execute(
                "SELECT coalesce(sum(length(payload)), 0) FROM spool"
            ).fetchone()
            if size <= max_bytes:
                return 0
            found = self._db.execute(
                "SELECT id, points FROM (SELECT id, points,"
                " sum(length(payload)) OVER (ORDER BY id DESC) AS kept FROM spool)"
                " WHERE kept > ? ORDER BY id",
                (max_bytes,),
            ).fetchall()
            for start in range(0, len(found), DROP_AT_ONCE):
                self._drop(found[start : start + DROP_AT_ONCE])
        return sum(int(points) for _, points in found)

    def _drop(self, rows: Sequence[tuple[int, int]]) -> None:
        with transaction(self._db):
            self._db.executemany("DELETE FROM spool WHERE id = ?", [(row[0],) for row in rows])
            add_counts(self._db, {"spool_dropped": sum(int(points) for _, points in rows)})

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()
