"""One SQLite file of the edge: for its owner only, locked while open, never in the way.

Write-ahead log, exclusive lock for as long as it is open, deleted content
overwritten, a version that migrates forward. A damaged file is moved aside and
a new one begun; a disk that refuses is an error that loses nothing.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, TypeVar

from sensors.edge.keyhold import free_name
from sensors.errors import StateError

T = TypeVar("T")
D = TypeVar("D")

Migration = Callable[[sqlite3.Connection], None]
"""Brings a file forward by one version, inside the transaction it is given."""

_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_TAKEN = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


class SqliteFile:
    """The open file.

    Parameters
    ----------
    path : Path
        Made, with its folder, readable by the owner only.
    name : str
        What it is, for messages: ``outbox``.
    migrations : sequence of Migration
        The n-th makes version n of version n - 1; version 0 is empty.
    synchronous : FULL or NORMAL
        FULL: committed survives a power cut. NORMAL: the file does, its last
        transactions may not.
    on_open : callable
        Given the connection whenever the file was opened or begun anew.
    on_replaced : callable
        Given the old file's new place and what was wrong, before `on_open`;
        returns what to tell the person at the machine.

    Raises
    ------
    StateError
        If another process has it open, a newer version wrote it, or the disk
        refuses; names the file and the remedy.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        migrations: Sequence[Migration],
        *,
        synchronous: Literal["FULL", "NORMAL"],
        on_open: Callable[[sqlite3.Connection], None],
        on_replaced: Callable[[Path, str], str],
    ) -> None:
        self.path = path
        self._name = name
        self._migrations = migrations
        self._synchronous = synchronous
        self._on_open = on_open
        self._on_replaced = on_replaced
        self._notes: list[str] = []
        self.is_refused = False  # by the disk, since the last change that could be made
        self.generation = 0  # goes up when a damaged file was replaced
        self.db = self._open()

    def transaction(self) -> Transaction:
        """Return ``with``-able: all of it, or none."""
        return Transaction(self.db)

    def guard(self, work: Callable[[], T], damaged: D) -> T | D:
        """Return what `work` returns, or `damaged` after replacing a damaged file.

        Raises
        ------
        StateError
            If the disk is full or refuses.
        """
        try:
            return work()
        except sqlite3.DatabaseError as error:
            if _code(error) not in _DAMAGED:
                text = (
                    f"{self._name} {self.path}: {error}; "
                    "free space or mend the disk, the edge tries again"
                )
                if not self.is_refused:  # said once, until it can be written again
                    self._notes.append(text)
                self.is_refused = True
                raise StateError(text) from None
            self.db.close()
            self.db = self._replaced(str(error))
            return damaged

    def note(self, text: str) -> None:
        """Keep a line for the person at the machine."""
        self._notes.append(text)

    def take_notes(self) -> list[str]:
        """Return what the person at the machine should know, once."""
        notes, self._notes = self._notes, []
        return notes

    def close(self) -> None:
        """Close the file; another process may open it."""
        self.db.close()

    def _open(self) -> sqlite3.Connection:
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._make_private()
        except OSError as error:
            raise StateError(
                f"cannot write {self.path}: {error.strerror}; check [edge] state_dir"
            ) from None
        try:
            return self._connect()
        except sqlite3.DatabaseError as error:
            if _code(error) in _TAKEN:
                raise StateError(
                    f"{self.path} is in use: another edge runs for this agent and source"
                ) from None
            if _code(error) not in _DAMAGED:
                raise StateError(f"{self._name} {self.path}: {error}") from None
            return self._replaced(str(error))

    def _make_private(self) -> None:
        os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))

    def _connect(self) -> sqlite3.Connection:
        # Whoever shares it between threads locks it; SQLite itself does not mind.
        db = sqlite3.connect(self.path, timeout=1.0, isolation_level=None, check_same_thread=False)
        try:
            # Exclusive: the lock ends with the process, however that ends.
            db.execute("PRAGMA locking_mode=EXCLUSIVE")
            db.execute("PRAGMA journal_mode=WAL")
            db.execute(f"PRAGMA synchronous={self._synchronous}")
            db.execute("PRAGMA secure_delete=ON")
            self._migrate(db)
            _check(db)
            self._on_open(db)
        except BaseException:
            db.close()
            raise
        return db

    def _migrate(self, db: sqlite3.Connection) -> None:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        newest = len(self._migrations)
        if version > newest:
            raise StateError(
                f"{self.path} has version {version}, this program reads up to {newest}; "
                "upgrade the program or move the file away"
            )
        with Transaction(db):  # takes the lock now, not with the first window
            for number, migrate in enumerate(self._migrations[version:], start=version + 1):
                migrate(db)
                db.execute(f"PRAGMA user_version = {number}")
        if version < newest:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # nothing of the old layout stays in it

    def _replaced(self, why: str) -> sqlite3.Connection:
        """Move the damaged file away and return a new one's connection."""
        aside = free_name(self.path)
        for tail in ("", "-wal", "-shm"):
            part = self.path.with_name(self.path.name + tail)
            if part.exists():
                part.rename(aside.with_name(aside.name + tail))
        self._make_private()
        self.generation += 1
        self._notes.append(self._on_replaced(aside, why))
        return self._connect()


class Transaction:
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


def script(*statements: str) -> Migration:
    """Return the migration that executes `statements`."""

    def migrate(db: sqlite3.Connection) -> None:
        for statement in statements:
            db.execute(statement)

    return migrate


def _code(error: sqlite3.DatabaseError) -> int:
    """Return SQLite's primary code; its extended codes carry detail in the upper bits."""
    return int(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) or 0) & 0xFF


def _check(db: sqlite3.Connection) -> None:
    """Raise SQLite's own error for a damaged file if SQLite finds anything wrong."""
    # Not quick_check: it takes a row that its index does not find for whole.
    problem = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if problem != "ok":
        damaged = sqlite3.DatabaseError(problem)
        damaged.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise damaged
