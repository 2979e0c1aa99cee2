"""The outbox: windows kept on disk until the server says it has them.

SQLite with a write-ahead log and ``synchronous=FULL``: a window counts as kept
once `Outbox.put` returns. Entries leave when the server's ``stored`` covers
them, and the oldest are dropped, counted, when there are too many or they are
too old. One process at a time: the file is locked while it is open.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, TypeVar

from sensors import codec
from sensors.errors import StateError
from sensors.messages import ReadingMessage

T = TypeVar("T")
D = TypeVar("D")

MAX_AGE_S = 72 * 3600.0
"""Longest time a window may wait unsent (TRUST T18). [s]"""

MAX_WINDOWS = 52_000
"""72 hours of 5-second windows, rounded up."""

_MIGRATIONS = (
    # version 1
    """
    CREATE TABLE window (
        id INTEGER PRIMARY KEY,
        run TEXT NOT NULL,
        seq INTEGER NOT NULL,
        kept_at REAL NOT NULL,
        payload BLOB NOT NULL,
        UNIQUE (run, seq)
    );
    CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
    INSERT INTO counter VALUES ('dropped', 0);
    """,
)

_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_TAKEN = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


class Key(NamedTuple):
    """Which window: its run and its number in it."""

    run: str
    seq: int


class Outbox:
    """A bounded, ordered queue of windows in one SQLite file.

    A damaged file is moved aside and a new one begun: the edge goes on, and
    `take_notes` says what happened. Not thread-safe.

    Parameters
    ----------
    path : Path
        The file; made, with its folder, readable by the owner only.
    max_windows : int
    max_age_s : float
        Bounds; the oldest go first. [s]

    Raises
    ------
    StateError
        If another edge has it open, a newer version wrote it, or the disk
        refuses; names the file and the remedy.
    """

    def __init__(
        self, path: Path, *, max_windows: int = MAX_WINDOWS, max_age_s: float = MAX_AGE_S
    ) -> None:
        self._path = path
        self._max_windows = max_windows
        self._max_age_s = max_age_s
        self._notes: list[str] = []
        self.is_refused = False  # by the disk, since the last window that could be kept
        self.generation = 0  # goes up when a damaged file was replaced
        self.held = 0
        self.dropped = 0
        self._db = self._open()

    def keys(self) -> list[Key]:
        """Return every window held, oldest first."""
        order = "SELECT run, seq FROM window ORDER BY id"
        rows = self._guard(lambda: self._db.execute(order).fetchall(), None)
        return [Key(*row) for row in rows or ()]

    def put(self, messages: Sequence[ReadingMessage], now: datetime) -> list[Key]:
        """Keep `messages`, in one transaction, and return what had to be dropped for them.

        Raises
        ------
        StateError
            If the disk is full or refuses; then none of them is kept.
        """
        rows = [(m.run, m.seq, now.timestamp(), codec.encode(m)) for m in messages]
        dropped = self._guard(lambda: self._insert(rows, now), None)
        if dropped is None:  # the file was damaged and there is a new one
            dropped = self._insert(rows, now)
        self.is_refused = False
        return dropped

    def _insert(self, rows: list[tuple[str, int, float, bytes]], now: datetime) -> list[Key]:
        oldest_s = now.timestamp() - self._max_age_s
        with _Transaction(self._db):
            self._db.executemany(
                "INSERT INTO window (run, seq, kept_at, payload) VALUES (?, ?, ?, ?)", rows
            )
            excess = max(0, self.held + len(rows) - self._max_windows)
            gone = self._db.execute(
                "DELETE FROM window WHERE kept_at < ? OR id IN"
                " (SELECT id FROM window ORDER BY id LIMIT ?) RETURNING run, seq",
                (oldest_s, excess),
            ).fetchall()
            if gone:
                self._db.execute("UPDATE counter SET value = value + ?", (len(gone),))
        self.held += len(rows) - len(gone)
        self.dropped += len(gone)
        return [Key(run, seq) for run, seq in gone]

    def release(self, run: str, seq: int) -> list[Key]:
        """Let go of the windows of `run` up to and including `seq`: the server has them."""

        def delete() -> list[tuple[str, int]]:
            with _Transaction(self._db):
                return self._db.execute(
                    "DELETE FROM window WHERE run = ? AND seq <= ? RETURNING run, seq", (run, seq)
                ).fetchall()

        gone = [Key(*row) for row in self._guard(delete, None) or ()]
        self.held -= len(gone)
        return gone

    def load(self, key: Key) -> ReadingMessage | None:
        """Return the window `key` with its run's ``oldest_seq`` of now; ``None`` if it is gone."""

        def select() -> tuple[bytes, int] | None:
            found: tuple[bytes, int] | None = self._db.execute(
                "SELECT payload, (SELECT min(seq) FROM window WHERE run = ?1)"
                " FROM window WHERE run = ?1 AND seq = ?2",
                (key.run, key.seq),
            ).fetchone()
            return found

        row = self._guard(select, None)
        if row is None:
            return None
        payload, oldest_seq = row
        return replace(codec.decode(payload, ReadingMessage), oldest_seq=oldest_seq)

    def take_notes(self) -> list[str]:
        """Return what the person at the machine should know, once."""
        notes, self._notes = self._notes, []
        return notes

    def close(self) -> None:
        """Close the file; another process may open it."""
        self._db.close()

    def _guard(self, work: Callable[[], T], damaged: D) -> T | D:
        """Return what `work` returns, or `damaged` after replacing a damaged file."""
        try:
            return work()
        except sqlite3.DatabaseError as error:
            if _code(error) not in _DAMAGED:
                text = f"outbox {self._path}: {error}; free space or mend the disk, the edge tries again"
                if not self.is_refused:  # said once, until a window can be kept again
                    self._notes.append(text)
                self.is_refused = True
                raise StateError(text) from None
            self._db.close()
            self._set_aside(str(error))
            self._db = self._connect()
            return damaged

    def _open(self) -> sqlite3.Connection:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise StateError(
                f"cannot write {self._path}: {error.strerror}; check [edge] state_dir"
            ) from None
        try:
            return self._connect()
        except sqlite3.DatabaseError as error:
            if _code(error) in _TAKEN:
                raise StateError(
                    f"{self._path} is in use: another edge runs for this agent and source"
                ) from None
            if _code(error) not in _DAMAGED:
                raise StateError(f"outbox {self._path}: {error}") from None
            self._set_aside(str(error))
            return self._connect()

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=1.0, isolation_level=None)
        try:
            # Exclusive: the lock ends with the process, however that ends.
            db.execute("PRAGMA locking_mode=EXCLUSIVE")
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            db.execute("PRAGMA secure_delete=ON")
            _migrate(db, self._path)
            _check(db)
            self.held = db.execute("SELECT count(*) FROM window").fetchone()[0]
            self.dropped += db.execute("SELECT value FROM counter").fetchone()[0]
        except BaseException:
            db.close()
            raise
        return db

    def _set_aside(self, why: str) -> None:
        """Move the damaged file away; what it held is unknown to us from now on."""
        aside = next(
            path
            for n in range(1, 1_000_000)
            if not (path := self._path.with_name(f"{self._path.name}.damaged-{n}")).exists()
        )
        for tail in ("", "-wal", "-shm"):
            part = self._path.with_name(self._path.name + tail)
            if part.exists():
                part.rename(aside.with_name(aside.name + tail))
        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        self.dropped += self.held
        self.generation += 1
        self._notes.append(
            f"the outbox was damaged ({why}); moved to {aside}, begun anew, "
            f"{self.held or 'an unknown number of'} windows not sent"
        )


class _Transaction:
    """``BEGIN IMMEDIATE`` to ``COMMIT``, or ``ROLLBACK`` on any error."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            try:
                self._db.execute("COMMIT")
            except sqlite3.DatabaseError:
                self._undo()
                raise
        else:
            self._undo()

    def _undo(self) -> None:
        if self._db.in_transaction:  # a full disk may have rolled back already
            self._db.execute("ROLLBACK")


def _code(error: sqlite3.DatabaseError) -> int:
    """Return SQLite's primary code; its extended codes carry detail in the upper bits."""
    return int(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) or 0) & 0xFF


def _check(db: sqlite3.Connection) -> None:
    """Raise SQLite's own error for a damaged file if SQLite finds anything wrong."""
    problem = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if problem != "ok":
        damaged = sqlite3.DatabaseError(problem)
        damaged.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise damaged


def _migrate(db: sqlite3.Connection, path: Path) -> None:
    """Bring the file forward to this version's layout."""
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > len(_MIGRATIONS):
        raise StateError(
            f"{path} has version {version}, this program reads up to {len(_MIGRATIONS)}; "
            "upgrade the program or move the file away"
        )
    for number, script in enumerate(_MIGRATIONS[version:], start=version + 1):
        db.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {number}; COMMIT;")
    db.execute("BEGIN IMMEDIATE")  # takes the lock now, not with the first window
    db.execute("COMMIT")
