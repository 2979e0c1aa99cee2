"""One SQLite file of the edge: for its owner only, locked while open, never in the way.

Write-ahead log, exclusive lock for as long as it is open, deleted content
overwritten, a version that migrates forward. A damaged file is moved aside and
a new one begun; a disk that refuses is an error that loses nothing.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Concatenate, Literal, ParamSpec, Protocol, TypeVar

from sensors.edge.sealing.keyhold import free_name
from sensors.errors import StateError

T = TypeVar("T")
D = TypeVar("D")
P = ParamSpec("P")

Migration = Callable[[sqlite3.Connection], None]
"""Brings a file forward by one version, inside the transaction it is given."""

_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_TAKEN = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


class Locked(Protocol):
    """What only one thread may use at a time."""

    lock: threading.RLock


L = TypeVar("L", bound=Locked)


def alone(method: Callable[Concatenate[L, P], T]) -> Callable[Concatenate[L, P], T]:
    """Return `method` so that it waits until no other thread is in one of its object's."""

    @wraps(method)
    def waiting(self: L, /, *given: P.args, **named: P.kwargs) -> T:
        with self.lock:
            return method(self, *given, **named)

    return waiting


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
        returns what to tell the person at the machine. If it raises OSError,
        the old file is put back and tried again with the next change.
    aside_kept_s : float
        How long a damaged file that was moved aside is kept. [s]

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
        aside_kept_s: float,
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
        self._is_shut = False  # damaged, and the disk let nothing be put in its place yet
        self.remove_aside(aside_kept_s)
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
        if self._is_shut:
            self.db = self._open()
            self._is_shut = False
        try:
            return work()
        except sqlite3.DatabaseError as error:
            if _code(error) not in _DAMAGED:
                raise self._refused(str(error)) from None
            self.db.close()
            self._is_shut = True
            self.db = self._replaced(str(error))
            self._is_shut = False
            return damaged

    def remove_aside(self, kept_s: float) -> None:
        """Remove damaged files that were moved aside and last changed `kept_s` ago. [s]."""
        for path in sorted(self.path.parent.glob(f"{self.path.name}.damaged-*")):
            try:
                if path.stat().st_mtime <= time.time() - kept_s:
                    path.unlink()
            except OSError as error:
                self._notes.append(f"cannot remove {path}: {error.strerror}")

    def _refused(self, why: str) -> StateError:
        """Return the error for a disk that refuses; noted once, until it can be written again."""
        text = f"{self._name} {self.path}: {why}; free space or mend the disk, the edge tries again"
        if not self.is_refused:
            self._notes.append(text)
        self.is_refused = True
        return StateError(text)

    def note(self, text: str) -> None:
        """Keep a line for the person at the machine."""
        self._notes.append(text)

    def take_notes(self) -> list[str]:
        """Return what the person at the machine should know, once."""
        notes = []
        while self._notes:  # in place: another thread may be adding one
            notes.append(self._notes.pop(0))
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
                    f"{self.path} is in use: another edge runs for this agent and source; "
                    "it goes on, and a second one here needs a --source of its own"
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
        why = " ".join(why.split())  # SQLite's check speaks in several lines
        aside = free_name(self.path)
        self._move(self.path, aside)
        try:
            told = self._on_replaced(aside, why)
            self._make_private()
            db = self._connect()
        except (OSError, sqlite3.Error) as error:  # not lost: tried again when there is room
            self._move(aside, self.path)
            raise self._refused(f"damaged ({why}), and cannot be replaced: {error}") from None
        self.generation += 1
        self._notes.append(told)
        return db

    def _move(self, there: Path, to: Path) -> None:
        for tail in ("", "-wal", "-shm"):
            part = there.with_name(there.name + tail)
            target = to.with_name(to.name + tail)
            if part.exists():
                part.replace(target)
            else:
                target.unlink(missing_ok=True)


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
