"""The outbox: windows kept on disk until the server says it has them.

SQLite with a write-ahead log and ``synchronous=FULL``: a window counts as kept
once `Outbox.put` returns. Payloads are sealed (:mod:`sensors.edge.sealing.cipher`),
each for its own run and number. Entries leave when the server's ``stored``
covers them, and the oldest are dropped, counted, when there are too many or
they are too old. One process at a time: the file is locked while it is open.

What a key that is not here sealed (a keyring that is locked today) waits, under
the same bounds as everything else, for a start at which it is back. What was
changed since it was sealed is removed, counted as dropped, and said.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from sensors import codec
from sensors.edge.outbox.layout import VERSION_1, about
from sensors.edge.outbox.rescue import PAGE, Row, rescue
from sensors.edge.sealing.cipher import HEAD_BYTES, Cipher, SealError
from sensors.edge.sealing.sqlite_file import SqliteFile, Transaction, alone
from sensors.errors import StateError
from sensors.messages import ReadingMessage

MAX_AGE_S = 72 * 3600.0
"""Longest time a window may wait unsent (TRUST T18). [s]"""

MAX_WINDOWS = 52_000
"""72 hours of 5-second windows, rounded up."""

_INSERT = "INSERT INTO window (run, seq, kept_at, payload) VALUES (?, ?, ?, ?)"


class Key(NamedTuple):
    """Which window: its run and its number in it."""

    run: str
    seq: int


class Outbox:
    """A bounded, ordered queue of windows in one SQLite file.

    A damaged file is moved aside and a new one begun with what can still be
    read (:mod:`sensors.edge.outbox.rescue`): the edge goes on, and `take_notes` says
    what happened. Any thread may use it; each waits for the one before.

    Parameters
    ----------
    path : Path
        The file; made, with its folder, readable by the owner only.
    cipher : Cipher
        Seals what is kept.
    max_windows : int
    max_age_s : float
        Bounds; the oldest go first. [s]

    Attributes
    ----------
    held : int
        How many windows wait here, and of these
    locked : int
        how many are sealed with a key that is not here.

    Raises
    ------
    StateError
        If another edge has it open, a newer version wrote it, or the disk
        refuses; names the file and the remedy.
    """

    def __init__(
        self,
        path: Path,
        cipher: Cipher,
        *,
        max_windows: int = MAX_WINDOWS,
        max_age_s: float = MAX_AGE_S,
    ) -> None:
        self.lock = threading.RLock()  # a commit on a slow disk is no reason to stop the loop
        self._cipher = cipher
        self._max_windows = max_windows
        self._max_age_s = max_age_s
        self.held = 0
        self.locked = 0
        self._counted = 0  # dropped, as the file says
        self._uncounted = 0  # dropped besides, until the file says so too
        self._counting = threading.Lock()  # of these; never held while the disk is waited for
        self._has_said_changed = False
        self._rescued: list[Row] = []
        self._carried = 0  # dropped, as a damaged file said, until the new one stands
        self._migrations = (VERSION_1, self._seal_all)
        self._file = SqliteFile(
            path,
            "outbox",
            self._migrations,
            synchronous="FULL",
            on_open=self._look,
            on_replaced=self._replaced,
            aside_kept_s=max_age_s,
        )
        if self.locked:
            self._file.note(
                f"{self.locked} windows here are sealed with a key that is not here "
                "(keyring locked?); they wait for it, and are dropped when they are too old"
            )

    @property
    def dropped(self) -> int:
        """How many windows were given up since the outbox was first made."""
        return self._counted + self._uncounted

    @property
    def is_refused(self) -> bool:
        """Whether the disk refused the last change."""
        return self._file.is_refused

    @property
    def generation(self) -> int:
        """Goes up when a damaged file was replaced."""
        return self._file.generation

    @alone
    def keys(self) -> list[Key]:
        """Return every window that can be opened, oldest first."""
        order = f"SELECT run, seq FROM window WHERE {self._ours} ORDER BY id"  # noqa: S608
        heads = self._cipher.heads
        rows = self._file.guard(lambda: self._file.db.execute(order, heads).fetchall(), None)
        return [Key(*row) for row in rows or ()]

    @alone
    def put(self, messages: Sequence[ReadingMessage], now: datetime) -> list[Key]:
        """Keep `messages`, in one transaction, and return what had to be dropped for them.

        Raises
        ------
        StateError
            If the disk is full or refuses; then none of them is kept, and
            they are counted as dropped.
        """
        rows = [
            (
                m.run,
                m.seq,
                now.timestamp(),
                self._cipher.seal(codec.encode(m), about(m.run, m.seq)),
            )
            for m in messages
        ]
        try:
            dropped = self._keep(rows, now)
        except StateError:
            self.give_up(len(rows))
            raise
        self._file.is_refused = False
        return dropped

    def _keep(self, rows: list[tuple[str, int, float, bytes]], now: datetime) -> list[Key]:
        for _ in range(2):  # where the file was damaged, there is a new one
            dropped = self._file.guard(lambda: self._insert(rows, now), None)
            if dropped is not None:
                return dropped
        raise StateError(f"outbox {self._file.path}: damaged twice at once; mend the disk")

    def _insert(self, rows: list[tuple[str, int, float, bytes]], now: datetime) -> list[Key]:
        db = self._file.db
        now_s = now.timestamp()
        with self._file.transaction():
            # A clock that was ahead once must not keep anything longer than promised.
            db.execute("UPDATE window SET kept_at = ?1 WHERE kept_at > ?1", (now_s,))
            db.executemany(_INSERT, rows)
            gone = db.execute(
                "DELETE FROM window WHERE kept_at < ? RETURNING run, seq",
                (now_s - self._max_age_s,),
            ).fetchall()
            excess = self.held + len(rows) - len(gone) - self._max_windows
            if excess > 0:
                gone += db.execute(
                    "DELETE FROM window WHERE id IN"
                    " (SELECT id FROM window ORDER BY id LIMIT ?) RETURNING run, seq",
                    (excess,),
                ).fetchall()
            uncounted = self._count(len(gone))
        self._settled(len(gone), uncounted)
        self.held += len(rows) - len(gone)
        self._recount_locked(len(gone))
        return [Key(run, seq) for run, seq in gone]

    def give_up(self, number: int) -> None:
        """Count `number` windows as dropped that never came here; waits for no disk."""
        with self._counting:
            self._uncounted += number

    @alone
    def release(self, run: str, seq: int) -> list[Key]:
        """Let go of the windows of `run` up to and including `seq`: the server has them.

        Raises
        ------
        StateError
            If the disk refuses; they stay.
        """

        def delete() -> list[tuple[str, int]]:
            with self._file.transaction():
                return self._file.db.execute(
                    "DELETE FROM window WHERE run = ? AND seq <= ? RETURNING run, seq", (run, seq)
                ).fetchall()

        gone = [Key(*row) for row in self._file.guard(delete, None) or ()]
        self.held -= len(gone)
        self._recount_locked(len(gone))
        return gone

    @alone
    def forget(self) -> int:
        """Remove every window, at the agent's wish, and return how many there were.

        Their place on disk is overwritten; damaged files moved aside go too.

        Raises
        ------
        StateError
            If the disk refuses; they stay.
        """

        def delete() -> int:
            with self._file.transaction():
                return self._file.db.execute("DELETE FROM window").rowcount

        self._file.remove_aside(0.0)
        gone = self._file.guard(delete, 0)
        self.held = self.locked = 0
        self._file.guard(
            lambda: self._file.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall(), None
        )
        return gone

    @alone
    def load(self, key: Key) -> ReadingMessage | None:
        """Return the window `key` with its run's ``oldest_seq`` of now; ``None`` if it is gone.

        Raises
        ------
        StateError
            If the disk refuses.
        """

        def select() -> tuple[bytes, int] | None:
            found: tuple[bytes, int] | None = self._file.db.execute(
                "SELECT payload, (SELECT min(seq) FROM window WHERE run = ?1)"
                " FROM window WHERE run = ?1 AND seq = ?2",
                (key.run, key.seq),
            ).fetchone()
            return found

        row = self._file.guard(select, None)
        if row is None:
            return None
        sealed, oldest_seq = row
        try:
            payload = self._cipher.open(sealed, about(*key))
        except SealError as error:
            self._drop(key, error)
            return None
        return replace(codec.decode(payload, ReadingMessage), oldest_seq=oldest_seq)

    def take_notes(self) -> list[str]:
        """Return what the person at the machine should know, once."""
        return self._file.take_notes()

    @alone
    def close(self) -> None:
        """Count what is uncounted and close the file; another process may open it."""

        def count() -> None:
            with self._file.transaction():
                uncounted = self._count(0)
            self._settled(0, uncounted)

        if self._uncounted:
            with suppress(StateError):  # the file has noted it
                self._file.guard(count, None)
        self._file.close()

    @property
    def _ours(self) -> str:
        """The SQL condition on rows that the cipher has a key for; takes its heads."""
        places = ", ".join("?" * len(self._cipher.heads))
        return f"substr(payload, 1, {HEAD_BYTES}) IN ({places})"

    def _drop(self, key: Key, error: SealError) -> None:
        """Remove a window that does not open: it never will."""

        def delete() -> bool:
            with self._file.transaction():
                self._file.db.execute("DELETE FROM window WHERE run = ? AND seq = ?", key)
                uncounted = self._count(1)
            self._settled(1, uncounted)
            return True

        if self._file.guard(delete, damaged=False):
            self.held -= 1
        if not self._has_said_changed:
            self._has_said_changed = True
            self._file.note(f"a window in the outbox does not open ({error}); dropped and counted")

    def _count(self, number: int) -> int:
        """Add `number` and what is uncounted to the file's counter, in its transaction.

        Returns how many were uncounted: for `_settled`, once it is committed.
        """
        uncounted = self._uncounted
        if number + uncounted:
            self._file.db.execute(
                "UPDATE counter SET value = value + ? WHERE name = 'dropped'",
                (number + uncounted,),
            )
        return uncounted

    def _settled(self, number: int, uncounted: int) -> None:
        """Note that the file has counted `number` and what was `uncounted`."""
        with self._counting:
            self._counted += number + uncounted
            self._uncounted -= uncounted

    def _recount_locked(self, gone: int) -> None:
        if gone and self.locked:
            self.locked = self._number_locked(self._file.db)

    def _number_locked(self, db: sqlite3.Connection) -> int:
        query = f"SELECT count(*) FROM window WHERE NOT {self._ours}"  # noqa: S608
        return int(db.execute(query, self._cipher.heads).fetchone()[0])

    def _look(self, db: sqlite3.Connection) -> None:
        if self._rescued:
            with Transaction(db):
                db.executemany(_INSERT, self._rescued)
        self._rescued = []
        self.held = db.execute("SELECT count(*) FROM window").fetchone()[0]
        self.locked = self._number_locked(db)
        self._counted = db.execute("SELECT value FROM counter WHERE name = 'dropped'").fetchone()[0]
        self.give_up(self._carried)
        self._carried = 0

    def _seal_all(self, db: sqlite3.Connection) -> None:
        """Bring a file forward in which windows lay open (version 1)."""
        for (number,) in db.execute("SELECT id FROM window").fetchall():
            row = db.execute("SELECT run, seq, payload FROM window WHERE id = ?", (number,))
            run, seq, payload = row.fetchone()
            sealed = self._cipher.seal(payload, about(run, seq))
            db.execute("UPDATE window SET payload = ? WHERE id = ?", (sealed, number))
        db.execute("CREATE INDEX window_kept_at ON window (kept_at)")

    def _replaced(self, aside: Path, why: str) -> str:
        """Take over what can be read of the damaged file, count the rest; return what to tell."""
        rescued = rescue(aside, self._opens, self._lay_out)
        self._rescued = rescued.rows
        lost = max(rescued.missing, self.held - len(rescued.rows))
        self._carried = max(self._counted, rescued.dropped) + lost
        unknown = "" if rescued.rows or lost else "; how many it held is not known"
        return (
            f"the outbox was damaged ({why}); moved to {aside}, begun anew with "
            f"{len(rescued.rows)} windows that could be read, {lost} lost and counted{unknown}"
        )

    def _opens(self, row: Row) -> bool:
        if row.payload[:HEAD_BYTES] not in self._cipher.heads:
            return False
        try:
            self._cipher.open(row.payload, about(row.run, row.seq))
        except SealError:
            return False
        return True

    def _lay_out(self, path: Path) -> None:
        """Make an empty file of the newest layout."""
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute(f"PRAGMA page_size={PAGE}")
            for migrate in self._migrations:
                migrate(db)
