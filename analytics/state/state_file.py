"""``server.sqlite``: the file that holds the server's input, steps, snapshot and spool.

Opened, migrated forward and guarded here; what the tables mean stands beside
the code that uses them (`analytics.journal.journal`, `analytics.journal.steps`,
`analytics.writing.spool`). Everything SQLite refuses becomes one line that says what
to do.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sensors.errors import StateError

FILE_NAME = "server.sqlite"

FREE_SHARE = 0.25
"""Free pages beyond this share of the file go back to the system; the rest is used again."""

FREE_BYTES = 16 << 20
"""So much may be free in any case: a smaller file breathes by itself. [byte]"""

REWRITTEN_BYTES = 64 << 20
"""A file that holds no more is written anew in about a second. [byte]"""

_INCREMENTAL = 2  # as SQLite numbers it
_BUSY_S = 10.0
# The owner of the file may be busy for long, after an outage: whoever writes beside it waits.
_BESIDE_BUSY_S = 600.0

# One script per version; a file of version n runs those from n on. Times are whole microseconds
# since 1970, UTC. `lane` 0 is live, 1 backlog, NULL a refused reading that only holds its number;
# 2 and 3 are live and backlog of what the pipeline failed on, and no step takes.
MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE journal (
        position INTEGER PRIMARY KEY, received_us INTEGER NOT NULL, lane INTEGER,
        topic TEXT NOT NULL, payload BLOB, agent TEXT,
        source TEXT, run TEXT, seq INTEGER, oldest_seq INTEGER, key TEXT);
    CREATE UNIQUE INDEX journal_window ON journal (agent, run, seq, source) WHERE run IS NOT NULL;
    CREATE UNIQUE INDEX journal_key ON journal (key) WHERE key IS NOT NULL;
    CREATE INDEX journal_backlog ON journal (position) WHERE lane = 1;
    CREATE TABLE sequences (
        agent TEXT NOT NULL, source TEXT NOT NULL, run TEXT NOT NULL, high INTEGER NOT NULL,
        beyond TEXT NOT NULL, gaps TEXT NOT NULL, received INTEGER NOT NULL,
        duplicates INTEGER NOT NULL, refused INTEGER NOT NULL, late INTEGER NOT NULL,
        updated_us INTEGER NOT NULL, PRIMARY KEY (agent, source, run)) WITHOUT ROWID;
    CREATE TABLE latest (topic TEXT PRIMARY KEY, digest BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE consent (
        agent TEXT NOT NULL, at_us INTEGER NOT NULL, version TEXT NOT NULL,
        channels TEXT NOT NULL, PRIMARY KEY (agent, at_us)) WITHOUT ROWID;
    CREATE TABLE set_aside (
        id INTEGER PRIMARY KEY AUTOINCREMENT, received_us INTEGER NOT NULL, topic TEXT NOT NULL,
        payload BLOB, refusal TEXT NOT NULL, detail TEXT NOT NULL);
    CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE steps (
        step INTEGER PRIMARY KEY, live INTEGER NOT NULL, backlog INTEGER NOT NULL,
        now_us INTEGER NOT NULL);
    CREATE TABLE snapshot (
        step INTEGER PRIMARY KEY, live INTEGER NOT NULL, backlog INTEGER NOT NULL,
        now_us INTEGER NOT NULL, digest BLOB NOT NULL, data BLOB NOT NULL);
    CREATE TABLE spool (
        id INTEGER PRIMARY KEY AUTOINCREMENT, points INTEGER NOT NULL, payload BLOB NOT NULL);
    CREATE TABLE publications (
        id INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, payload BLOB);
    CREATE TABLE notes (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    """,
    # Who was erased, and what was asked in the agents' name (`analytics.people.tombstones`,
    # `analytics.rights.requests`).
    """
    CREATE TABLE tombstone (
        agent TEXT PRIMARY KEY, id TEXT NOT NULL, at_us INTEGER NOT NULL,
        consent_after_us INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE rights (
        id TEXT PRIMARY KEY, agent TEXT NOT NULL, kind TEXT NOT NULL, by TEXT NOT NULL,
        asked_us INTEGER NOT NULL, state TEXT NOT NULL, receipt TEXT) WITHOUT ROWID;
    """,
    # Points that the store refused, packed like the spool (`analytics.writing.set_aside`).
    """
    CREATE TABLE refused_points (
        id INTEGER PRIMARY KEY AUTOINCREMENT, at_us INTEGER NOT NULL, points INTEGER NOT NULL,
        reason TEXT NOT NULL, payload BLOB NOT NULL);
    """,
    # A snapshot in parts, written beside the loop (`analytics.state.snapshot_rows`).
    """
    CREATE TABLE snapshot_part (
        writing INTEGER NOT NULL, part INTEGER NOT NULL, data BLOB NOT NULL,
        PRIMARY KEY (writing, part));
    ALTER TABLE snapshot ADD COLUMN writing INTEGER NOT NULL DEFAULT 0;
    INSERT INTO snapshot_part SELECT 0, 0, data FROM snapshot;
    ALTER TABLE snapshot DROP COLUMN data;
    """,
    # Points that the store confirmed in the last minute (`analytics.writing.spool`).
    """
    CREATE TABLE spool_confirmed (
        id INTEGER PRIMARY KEY, at_us INTEGER NOT NULL, points INTEGER NOT NULL,
        payload BLOB NOT NULL);
    CREATE INDEX spool_confirmed_at ON spool_confirmed (at_us);
    """,
    # Rows of the spool are lines from here on, which older versions cannot read
    # (`analytics.state.packing`); the rows there are stay as they are.
    "",
)

VERSION = len(MIGRATIONS)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_us(at: datetime) -> int:
    """Return `at` as whole microseconds since 1970."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def from_us(us: int) -> datetime:
    """Return the UTC time that :func:`to_us` turned into `us`, exactly."""
    return _EPOCH + timedelta(microseconds=us)


@contextmanager
def state_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite says about `path` into one line that names the remedy."""
    try:
        yield
    except sqlite3.Error as error:
        raise StateError(_explain(path, error)) from error


def _explain(path: Path, error: sqlite3.Error) -> str:
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return f"{path}: the disk is full; free some space and start again, nothing is lost"
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return (
            f"{path} is damaged ({error}); move it away or restore a backup and start again:"
            " edges send what they still hold"
        )
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return f"{path} cannot be written ({error}); check its owner and permissions"
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return f"{path} is locked by another program; close it and start again"
    return f"{path}: {error}; check the disk and start again"


def open_state(directory: Path) -> sqlite3.Connection:
    """Open, or create, the state file in `directory` for writing.

    Returns
    -------
    sqlite3.Connection
        In autocommit mode: transactions are begun by name, see `transaction`.

    Raises
    ------
    StateError
        If it cannot be written, is damaged, or is newer than this version.
    """
    path = _claim(directory, FILE_NAME)
    with state_errors(path):
        db = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            _prepare(db, path)
        except BaseException:
            db.close()
            raise
    return db


def _claim(directory: Path, name: str) -> Path:
    """Return the path of a file in `directory` that is there, ours, and nobody else's to read."""
    path = directory / name
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600, exist_ok=True)
    except OSError as error:
        raise StateError(
            f"cannot write to {directory} ({error.strerror}); check [server] state_dir"
        ) from None
    return path


def open_for_reading(directory: Path) -> sqlite3.Connection:
    """Open the state file in `directory` read-only, while the server may be running.

    Raises
    ------
    StateError
        If there is none, or it is damaged or of another version.
    """
    path = directory / FILE_NAME
    if not path.exists():
        raise StateError(
            f"no {FILE_NAME} in {directory}; has `wellbeing detect` run with this state_dir?"
        )
    with state_errors(path):
        db = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=ro",
            uri=True,
            timeout=_BUSY_S,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            version = db.execute("PRAGMA user_version").fetchone()[0]
        except BaseException:
            db.close()
            raise
    if version != VERSION:
        db.close()
        raise StateError(
            f"{path} has version {version}, this program reads {VERSION};"
            " start the server of the same version once"
        )
    return db


def open_beside(directory: Path) -> sqlite3.Connection:
    """Open the state file once more for writing, beside the connection that owns it.

    What it commits may be lost with the last second before a power cut, unless
    the owner commits after it: never more than that, and never out of order.

    Raises
    ------
    StateError
        If it cannot be opened.
    """
    path = directory / FILE_NAME
    with state_errors(path):
        db = sqlite3.connect(path, timeout=_BESIDE_BUSY_S, isolation_level=None)
        db.execute("PRAGMA synchronous = NORMAL")
    return db


def let_shrink(db: sqlite3.Connection, path: Path, most: int = REWRITTEN_BYTES) -> bool:
    """Let a file of an older version give pages back; return whether it can by now.

    It is written anew for that once, if it does not hold more than `most` bytes
    (about a second): to be called by who holds the state's lock, before it serves.
    """
    with state_errors(path):
        mode, pages, free, size = _pages(db)
        if mode == _INCREMENTAL:
            return True
        if (pages - free) * size > most:
            return False
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        try:
            db.execute("VACUUM")
        except sqlite3.OperationalError as error:
            # Somebody reads it, or the disk is nearly full: at another start.
            if error.sqlite_errorcode not in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL}:
                raise
            return False
    return True


def give_back(db: sqlite3.Connection, path: Path, most_pages: int) -> int:
    """Return some free pages to the system, if they are many; how many of them.

    What retention and the spool free is used again, so a usual share stays.
    """
    with state_errors(path):
        mode, pages, free, size = _pages(db)
        too_many = free - max(int(FREE_SHARE * pages), FREE_BYTES // size)
        if mode != _INCREMENTAL or too_many <= 0:
            return 0
        some = min(too_many, most_pages)
        # As a script: `execute` takes one step of it, which is one page.
        db.executescript(f"PRAGMA incremental_vacuum({some})")
    return some


def _pages(db: sqlite3.Connection) -> tuple[int, ...]:
    names = ("auto_vacuum", "page_count", "freelist_count", "page_size")
    return tuple(int(db.execute(f"PRAGMA {name}").fetchone()[0]) for name in names)


def _prepare(db: sqlite3.Connection, path: Path) -> None:
    # Only a file without tables takes it; `let_shrink` is for the others.
    db.execute("PRAGMA auto_vacuum = INCREMENTAL")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA journal_size_limit = 67108864")
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise StateError(
            f"{path} was written by a newer version ({version}, this one knows {VERSION});"
            " install that version again"
        )
    for number in range(version, VERSION):
        with transaction(db):
            for statement in MIGRATIONS[number].split(";"):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {number + 1}")


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Do all of it or nothing; on the disk when it returns."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        # A full disk may have rolled back already; the first error is the one to tell.
        with suppress(sqlite3.Error):
            db.execute("ROLLBACK")
        raise


@contextmanager
def overwriting(db: sqlite3.Connection) -> Iterator[None]:
    """Overwrite what is deleted, not only unlink it (TRUST T11)."""
    (before,) = db.execute("PRAGMA secure_delete").fetchone()
    db.execute("PRAGMA secure_delete = ON").fetchall()
    try:
        yield
    finally:
        db.execute(f"PRAGMA secure_delete = {int(before)}").fetchall()


def add_counts(db: sqlite3.Connection, counts: dict[str, int]) -> None:
    """Add to the counters of that name, within the caller's transaction."""
    db.executemany(
        "INSERT INTO counters VALUES (?, ?) "
        "ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
        [(name, count) for name, count in counts.items() if count],
    )


class StateTakenError(StateError):
    """Another server uses the state directory."""


class StateLock:
    """At most one server per state directory: a lock the system drops when we die.

    Raises
    ------
    StateTakenError
        If another server holds it.
    """

    def __init__(self, directory: Path) -> None:
        path = _claim(directory, "server.lock")
        with state_errors(path):
            self._db = sqlite3.connect(
                path, timeout=0.0, isolation_level=None, check_same_thread=False
            )
            try:
                self._db.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError:
                self._db.close()
                raise StateTakenError(
                    f"another `wellbeing detect` uses {directory}; stop it or give this one"
                    " its own [server] state_dir"
                ) from None

    def release(self) -> None:
        """Let the next server in."""
        self._db.close()
