"""The agent's own record on this machine: what their page shows of the last day and month.

Encrypted like the outbox and kept for 31 days. A window only adds to a sum in
memory; once a minute the minute's means go to disk and into their hour. Ending
politely writes the running minute too; a power cut costs at most that minute
of a view, never a window (those are the outbox's).
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

from sensors import codec
from sensors.edge.own.means import HOUR_S, Sums, added, minute_of, values_of
from sensors.edge.sealing.cipher import Cipher, SealError
from sensors.edge.sealing.sqlite_file import SqliteFile, script
from sensors.messages import Message, MirrorMessage, NoticeMessage, ReadingMessage

M = TypeVar("M", bound=Message)

Span = Literal["day", "month"]
KEPT_S: dict[Span, int] = {"day": 24 * HOUR_S, "month": 31 * 24 * HOUR_S}
"""How far back each span reaches, and what is older is removed. [s]"""

MAX_NOTICES = 2000
"""More than two an hour for a month of shifts; the oldest go first."""

_MIGRATIONS = (
    script(
        "CREATE TABLE minute (at INTEGER PRIMARY KEY, sealed BLOB NOT NULL)",
        "CREATE TABLE hour (at INTEGER PRIMARY KEY, sealed BLOB NOT NULL)",
        "CREATE TABLE notice (id TEXT PRIMARY KEY, at REAL NOT NULL, sealed BLOB NOT NULL)",
        "CREATE TABLE newest (name TEXT PRIMARY KEY, sealed BLOB NOT NULL)",
    ),
)
_TABLES = ("minute", "hour", "notice", "newest")
_TABLE_OF: dict[Span, str] = {"day": "minute", "month": "hour"}
_MOST_ROWS: dict[Span, int] = {"day": 1500, "month": 800}  # a span of each, and a little


class OwnRecord:
    """What the agent can see of themselves, in one encrypted SQLite file. Thread-safe.

    What was sealed with a key that is not here is left out and said once; a
    damaged file is moved aside and a new one begun.

    Parameters
    ----------
    path : Path
        ``own-{source}.sqlite`` in the agent's folder.
    cipher : Cipher

    Raises
    ------
    StateError
        If another edge has it open, a newer version wrote it, or the disk refuses.
    """

    def __init__(self, path: Path, cipher: Cipher) -> None:
        self._cipher = cipher
        self._lock = threading.RLock()
        self._minute_s: int | None = None
        self._sums: Sums = {}
        self._newest: dict[str, Message] = {}
        self._histories: dict[Span, list[tuple[int, Sums]]] = {}
        self._era = 0
        self._has_said_unread = False
        self._is_closed = False
        self._file = SqliteFile(
            path,
            "own record",
            _MIGRATIONS,
            synchronous="NORMAL",  # a view, not a promise: no fsync for it
            on_open=lambda _db: None,
            on_replaced=self._replaced,
            aside_kept_s=KEPT_S["month"],
        )

    def add_window(self, message: ReadingMessage) -> None:
        """Take a window: a sum in memory, and once a minute a write.

        Raises
        ------
        StateError
            If the disk refuses; the minute stays in memory until it does not.
        """
        with self._lock:
            minute_s = minute_of(message)
            if self._minute_s is not None and minute_s != self._minute_s:
                self._flush()
            self._minute_s = minute_s
            self._newest["window"] = message
            ones = {name: (value, 1) for name, value in values_of(message).items()}
            self._sums = added(self._sums, ones)

    def add_notice(self, notice: NoticeMessage) -> None:
        """Keep a notice; one that is here already stays as it is."""
        row = (notice.id, notice.at.timestamp(), self._sealed(notice, f"notice/{notice.id}"))
        with self._lock:
            self._write(lambda db: db.execute("INSERT OR IGNORE INTO notice VALUES (?, ?, ?)", row))

    def add_mirror(self, mirror: MirrorMessage) -> None:
        """Keep the newest mirror; it goes to disk with the running minute."""
        with self._lock:
            held = self._newest.get("mirror")
            if not isinstance(held, MirrorMessage) or held.at <= mirror.at:
                self._newest["mirror"] = mirror

    def last_window(self) -> ReadingMessage | None:
        """Return the last window, whole, also of an earlier run."""
        return self._last("window", ReadingMessage)

    def mirror(self) -> MirrorMessage | None:
        """Return the newest mirror, also of an earlier run."""
        return self._last("mirror", MirrorMessage)

    def notices(self, limit: int = 200) -> list[NoticeMessage]:
        """Return the notices, newest first, at most `limit`."""
        query = "SELECT id, sealed FROM notice ORDER BY at DESC, id LIMIT ?"
        with self._lock:
            rows = self._rows(query, limit)
        found = (self._opened(s, f"notice/{i}", NoticeMessage) for i, s in rows)
        return [notice for notice in found if notice is not None]

    def history(self, signal: str, span: Span, now: datetime) -> list[tuple[datetime, float]]:
        """Return the means of `signal`, oldest first; gaps are simply missing.

        Parameters
        ----------
        signal : str
            Name from the catalogue.
        span : {"day", "month"}
            The last 24 hours by minute, or the last 31 days by hour.
        now : datetime
            UTC.

        Returns
        -------
        list of (datetime, float)
            Start of each minute or hour, UTC, and the mean in it. [signal's unit]
        """
        until_s = now.timestamp()
        since_s = until_s - KEPT_S[span]
        return [
            (datetime.fromtimestamp(at, UTC), sums[signal][0] / sums[signal][1])
            for at, sums in self._buckets(span)
            if since_s <= at <= until_s and signal in sums
        ]

    def forget(self) -> None:
        """Remove everything, at the agent's wish; its place on disk is overwritten."""
        with self._lock:
            self._minute_s, self._sums = None, {}
            self._newest.clear()
            self._changed()
            self._file.remove_aside(0.0)
            self._write(lambda db: [db.execute(f"DELETE FROM {table}") for table in _TABLES])  # noqa: S608
            self._file.guard(
                lambda: self._file.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall(), None
            )

    def prune(self, now: datetime) -> None:
        """Remove what is older than its span at `now` (UTC), also when nothing new comes.

        Raises
        ------
        StateError
            If the disk refuses.
        """
        with self._lock:
            self._write(lambda db: _prune(db, now.timestamp()))
            self._changed()

    def take_notes(self) -> list[str]:
        """Return what the person at the machine should know, once."""
        with self._lock:
            return self._file.take_notes()

    def close(self) -> None:
        """Write the running minute and close the file."""
        with self._lock:
            if self._is_closed:
                return
            try:
                self._flush()
            finally:
                self._is_closed = True
                self._file.close()

    def _flush(self) -> None:
        """Write the running minute, its hour and the newest messages; remove what is too old."""
        minute_s, sums = self._minute_s, self._sums
        newest = [
            (name, self._sealed(message, f"newest/{name}"))
            for name, message in self._newest.items()
        ]

        def write(db: sqlite3.Connection) -> None:
            db.executemany("INSERT OR REPLACE INTO newest VALUES (?, ?)", newest)
            if minute_s is not None:
                self._merge(db, "minute", minute_s, sums)
                self._merge(db, "hour", minute_s - minute_s % HOUR_S, sums)
                _prune(db, minute_s)

        self._write(write)
        self._changed()
        self._minute_s, self._sums = None, {}

    def _merge(self, db: sqlite3.Connection, table: str, at: int, sums: Sums) -> None:
        """Add `sums` to the row of `at`; it may be there from before a restart."""
        about = f"{table}/{at}"
        found = db.execute(f"SELECT sealed FROM {table} WHERE at = ?", (at,)).fetchone()  # noqa: S608
        both = added(self._sums_in(found[0], about), sums) if found else sums
        sealed = self._cipher.seal(codec.dump_json(both), about.encode())
        db.execute(f"INSERT OR REPLACE INTO {table} VALUES (?, ?)", (at, sealed))  # noqa: S608

    def _buckets(self, span: Span) -> list[tuple[int, Sums]]:
        """Return every bucket of `span`, opened once for all signals until the next minute."""
        table = _TABLE_OF[span]
        with self._lock:
            known, era = self._histories.get(span), self._era
            if known is not None:
                return known
            rows = self._rows(f"SELECT at, sealed FROM {table} ORDER BY at")  # noqa: S608
        # Not under the lock: a month takes a third of a second, and windows do not wait.
        buckets = [(at, self._sums_in(sealed, f"{table}/{at}")) for at, sealed in rows]
        with self._lock:
            if era == self._era:
                self._histories[span] = buckets
        return buckets

    def _changed(self) -> None:
        """Note that what was opened for `history` is no longer what is kept."""
        self._histories.clear()
        self._era += 1

    def _sums_in(self, sealed: bytes, about: str) -> Sums:
        data = self._unsealed(sealed, about)
        return codec.convert(codec.load_json(data), Sums) if data else {}

    def _last(self, name: str, kind: type[M]) -> M | None:
        with self._lock:
            held = self._newest.get(name)
            if isinstance(held, kind):
                return held
            rows = self._rows("SELECT sealed FROM newest WHERE name = ?", name)
        return self._opened(rows[0][0], f"newest/{name}", kind) if rows else None

    def _opened(self, sealed: bytes, about: str, kind: type[M]) -> M | None:
        data = self._unsealed(sealed, about)
        return codec.decode(data, kind) if data else None

    def _sealed(self, message: Message, about: str) -> bytes:
        return self._cipher.seal(codec.encode(message), about.encode())

    def _unsealed(self, sealed: bytes, about: str) -> bytes | None:
        try:
            return self._cipher.open(sealed, about.encode())
        except SealError as error:
            if not self._has_said_unread:
                self._has_said_unread = True
                self._file.note(f"part of your own record is not shown: {error}")
            return None

    def _rows(self, query: str, *given: object) -> list[Any]:
        if self._is_closed:
            return []
        return self._file.guard(lambda: self._file.db.execute(query, given).fetchall(), [])

    def _write(self, work: Callable[[sqlite3.Connection], object]) -> None:
        if self._is_closed:
            return

        def transact() -> bool:
            with self._file.transaction():
                work(self._file.db)
            return True

        if not self._file.guard(transact, damaged=False):  # damaged: there is a new file
            self._file.guard(transact, damaged=False)
        self._file.is_refused = False

    def _replaced(self, aside: Path, why: str) -> str:
        self._changed()
        return f"your own record was damaged ({why}); moved to {aside}, begun anew"


def _prune(db: sqlite3.Connection, now_s: float) -> None:
    """Remove what is too old, and of too much what is farthest from now: misdated rows."""
    for span, table in _TABLE_OF.items():
        db.execute(f"DELETE FROM {table} WHERE at < ?", (now_s - KEPT_S[span],))  # noqa: S608
        db.execute(
            f"DELETE FROM {table} WHERE at IN (SELECT at FROM {table}"  # noqa: S608
            " ORDER BY abs(at - ?) LIMIT -1 OFFSET ?)",
            (now_s, _MOST_ROWS[span]),
        )
    db.execute("DELETE FROM notice WHERE at < ?", (now_s - KEPT_S["month"],))
    db.execute(
        "DELETE FROM notice WHERE id IN (SELECT id FROM notice ORDER BY at DESC LIMIT -1 OFFSET ?)",
        (MAX_NOTICES,),
    )
