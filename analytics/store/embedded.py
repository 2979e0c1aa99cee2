"""The store as one SQLite file, for one machine with no server installed.

One table per measurement with one row per point and one column per field,
clustered by series (site, agent, source) and time, so that the newest point
of every agent and a stretch of one agent are each a short walk in one tree.
Columns are added when a field is first seen; their names are numbers, since
SQLite would take ``Level`` and ``level`` for the same one. Write-ahead
logging lets other processes read while one writes.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from analytics.store import embedded_sql
from analytics.store.admission import KINDS, admit, conflict
from analytics.store.base import Query, Row, WriteReport
from analytics.store.embedded_rows import explain, fields_of, rows_of
from analytics.store.points import Database, FieldValue, Measurement, Point, epoch_ns
from sensors.errors import StateError, StoreError, WellbeingError

VERSION = 2
"""``user_version`` of the file; an older file is migrated forward when opened."""

BUSY_TIMEOUT_S = 10.0
"""How long to wait for another process that is writing. [s]"""

MAX_FIELDS = 1_000
"""Fields of one measurement; SQLite allows a table 2,000 columns."""

_OF_WINDOWS = (Measurement.READING, Measurement.FEATURE, Measurement.SCORE)
_NO_END_NS = 2**63 - 1  # later than any point can be

EXPIRE_AT_ONCE = 20_000
"""Points that one transaction of :meth:`EmbeddedStore.expire` deletes: its log stays small."""

FREE_SHARE = 0.25
"""Free pages beyond this share of the file go back to the system; the rest is used again."""

CACHE_BYTES = 64 << 20
LOG_BYTES = 64 << 20
_FREE_AT_ONCE = 1_000
_INCREMENTAL = 2  # as SQLite numbers it

_Series = tuple[str, str, str, str]


class EmbeddedStore:
    """Points in one SQLite file; see :class:`analytics.store.base.Store`.

    Parameters
    ----------
    path : Path
        The file; it and its folder are made when missing, for the owner only.
    read_only : bool
        Open an existing file that another process may be writing.
    raw_days, derived_days : int
        How long :meth:`expire` keeps the points of each database. [d]
    """

    def __init__(
        self,
        path: Path,
        *,
        read_only: bool = False,
        raw_days: int = 30,
        derived_days: int = 90,
    ) -> None:
        self._path = path
        self._days = {Database.RAW: raw_days, Database.DERIVED: derived_days}
        self._lock = threading.Lock()
        self._series: dict[_Series, int] = {}
        self._data_version = -1
        self._connection = self._open(read_only=read_only)

    def _open(self, *, read_only: bool) -> sqlite3.Connection:
        if read_only and not self._path.is_file():
            raise StoreError(f"no store at {self._path} yet; start `wellbeing detect` first")
        try:
            if not read_only:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                # Made before SQLite does, so that it was never readable by others.
                self._path.touch(mode=0o600)
            connection = sqlite3.connect(
                f"{self._path.absolute().as_uri()}?mode={'ro' if read_only else 'rw'}",
                uri=True,
                timeout=BUSY_TIMEOUT_S,
                isolation_level=None,
                check_same_thread=False,
            )
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"cannot open the store {self._path}: {error}") from None
        try:
            self._prepare(connection, read_only=read_only)
        except sqlite3.Error as error:
            connection.close()
            raise StoreError(f"cannot open the store {self._path}: {explain(error)}") from None
        except WellbeingError:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection, *, read_only: bool) -> None:
        if not read_only:
            # Only a file without tables takes it; an older one grows no further, but stays as big.
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
            # Every series is written at its own end: their pages must fit, or all are read again.
            connection.execute(f"PRAGMA cache_size = -{CACHE_BYTES // 1024}")
            # A lost last second after a power cut is told again by the journal.
            connection.execute("PRAGMA synchronous = NORMAL")
            # What is erased is overwritten, not only unlinked (TRUST T11).
            connection.execute("PRAGMA secure_delete = ON")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise StateError(
                f"{self._path} was written by a newer version ({version}; this one knows "
                f"{VERSION}); upgrade with pip install -U agent-wellbeing"
            )
        if version == 0 and read_only:
            raise StoreError(f"the store {self._path} is empty; start `wellbeing detect` first")
        if version < VERSION and not read_only:
            self._migrate(connection)

    @staticmethod
    def _migrate(connection: sqlite3.Connection) -> None:
        """Make what is missing: everything, or in a file of version 1 the summaries."""
        connection.execute("BEGIN IMMEDIATE")
        # Another process may have been first while we waited.
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            for statement in embedded_sql.SCHEMA.split(";\n"):
                connection.execute(statement)
        for measurement in Measurement:
            connection.execute(embedded_sql.create(measurement))
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        """One transaction under the lock; it is undone when anything fails."""
        with self._lock:
            connection = self._connection
            try:
                connection.execute(begin)
                try:
                    yield connection
                    connection.execute("COMMIT")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    # May hold numbers that were just undone.
                    self._series.clear()
                    raise
            except sqlite3.Error as error:
                raise StoreError(f"the store {self._path} failed: {explain(error)}") from None

    def write(self, points: Sequence[Point]) -> WriteReport:
        """Write `points`; refused ones are reported, the rest is written."""
        refused: list[tuple[Point, str]] = []
        admitted: list[tuple[Point, dict[str, FieldValue]]] = []
        for point in points:
            try:
                admitted.append((point, admit(point)))
            except ValueError as reason:
                refused.append((point, str(reason)))
        if admitted:
            with self._transaction("BEGIN IMMEDIATE") as connection:
                self._write(connection, admitted, refused)
        return WriteReport(written=len(points) - len(refused), refused=refused)

    def _write(
        self,
        connection: sqlite3.Connection,
        admitted: list[tuple[Point, dict[str, FieldValue]]],
        refused: list[tuple[Point, str]],
    ) -> None:
        self._forget_if_changed(connection)
        known = {m: fields_of(connection, m) for m in {p.measurement for p, _ in admitted}}
        batches: dict[tuple[Measurement, tuple[str, ...]], list[tuple[Any, ...]]] = defaultdict(
            list
        )
        for point, fields in admitted:
            measurement = point.measurement
            reason = self._add_fields(connection, measurement, known[measurement], fields)
            if reason is not None:
                refused.append((point, reason))
                continue
            tags = point.tags
            series = self._series_id(
                connection,
                (measurement, tags["site"], tags.get("agent", ""), tags.get("source", "")),
            )
            row = (series, point.time_ns, *fields.values())
            batches[measurement, tuple(fields)].append(row)
        for (measurement, names), rows in batches.items():
            numbered = [f"f{known[measurement][name][0]}" for name in names]
            connection.executemany(embedded_sql.upsert(measurement, numbered), rows)

    def _forget_if_changed(self, connection: sqlite3.Connection) -> None:
        """Drop the series numbers we remember if another process wrote."""
        (data_version,) = connection.execute("PRAGMA data_version").fetchone()
        if data_version != self._data_version:
            self._series.clear()
            self._data_version = data_version

    @staticmethod
    def _add_fields(
        connection: sqlite3.Connection,
        measurement: Measurement,
        known: embedded_sql.Fields,
        fields: dict[str, FieldValue],
    ) -> str | None:
        """Make a column for each new field; return why the point is refused, or ``None``."""
        new = []
        for name, value in fields.items():
            kind = KINDS[type(value)]
            found = known.get(name)
            if found is None:
                new.append((name, kind))
            elif found[1] != kind:
                return conflict(name, kind, found[1])
        if len(known) + len(new) > MAX_FIELDS:
            return f"{measurement} would have more than {MAX_FIELDS} fields"
        for name, kind in new:
            number = len(known)
            connection.execute(f"ALTER TABLE {measurement} ADD COLUMN f{number}")
            connection.execute(
                "INSERT INTO field VALUES (?, ?, ?, ?)", (measurement.value, name, number, kind)
            )
            known[name] = (number, kind)
        return None

    def _series_id(self, connection: sqlite3.Connection, series: _Series) -> int:
        found = self._series.get(series)
        if found is None:
            connection.execute(
                "INSERT OR IGNORE INTO series (measurement, site, agent, source)"
                " VALUES (?, ?, ?, ?)",
                series,
            )
            (found,) = connection.execute(
                "SELECT id FROM series WHERE measurement = ? AND site = ? AND agent = ?"
                " AND source = ?",
                series,
            ).fetchone()
            self._series[series] = found
        return int(found)

    def read(self, query: Query) -> list[Row]:
        """Return matching rows, oldest first."""
        with self._transaction("BEGIN") as connection:
            wanted = embedded_sql.columns(fields_of(connection, query.measurement), query.fields)
            if not wanted:
                return []
            if query.aggregates:
                query.refuse_words({name: kind for name, _, kind in wanted})
                figures = embedded_sql.figures(query, wanted)
                statement = embedded_sql.select_figures(query, wanted, figures)
                return rows_of(connection.execute(*statement).fetchall(), figures)
            found = connection.execute(*embedded_sql.select(query, wanted)).fetchall()
        if query.limit is not None:
            found.reverse()
        return rows_of(found, wanted)

    def count(self, query: Query) -> int:
        """Return how many points match (`latest` and `limit` do not apply)."""
        with self._transaction("BEGIN") as connection:
            wanted = embedded_sql.columns(fields_of(connection, query.measurement), query.fields)
            if not wanted:
                return 0
            (found,) = connection.execute(*embedded_sql.count(query, wanted)).fetchone()
        return int(found)

    def sites(self, measurement: Measurement) -> list[str]:
        """Return the sites of which there ever were points."""
        with self._transaction("BEGIN") as connection:
            found = connection.execute(
                "SELECT DISTINCT site FROM series WHERE measurement = ? ORDER BY site",
                (measurement.value,),
            ).fetchall()
        return [site for (site,) in found]

    def oldest_ns(self, measurement: Measurement, site: str) -> int:
        """Return the time of the oldest point of a site that has some. [ns]."""
        with self._transaction("BEGIN") as connection:
            (found,) = connection.execute(
                embedded_sql.oldest(measurement), (measurement.value, site)
            ).fetchone()
        return int(found)

    def erase(self, site: str, agent: str, before: datetime | None = None) -> int:
        """Delete the points of `agent` (until `before`); return how many there were."""
        erased = 0
        until_ns = _NO_END_NS if before is None else epoch_ns(before)
        with self._transaction("BEGIN IMMEDIATE") as connection:
            for measurement in Measurement:
                erased += connection.execute(
                    embedded_sql.erase(measurement), (measurement.value, site, agent, until_ns)
                ).rowcount
            if before is None:
                connection.execute("DELETE FROM series WHERE site = ? AND agent = ?", (site, agent))
                self._series.clear()
        self._truncate_log()
        return erased

    def newest_window(self, until: datetime) -> datetime | None:
        """Return the newest time up to `until` that an agent's machine stamped, if there is one."""
        with self._transaction("BEGIN") as connection:
            found = [
                connection.execute(embedded_sql.newest(m), (epoch_ns(until), m.value)).fetchone()[0]
                for m in _OF_WINDOWS
            ]
        newest = max((int(ns) for ns in found if ns is not None), default=None)
        return None if newest is None else datetime.fromtimestamp(newest / 1e9, UTC)

    def expire(self, now: datetime) -> int:
        """Delete what is older than its retention at `now`; return how many points."""
        expired = 0
        for measurement in Measurement:
            oldest = epoch_ns(now - timedelta(days=self._days[measurement.database]))
            gone = EXPIRE_AT_ONCE
            while gone == EXPIRE_AT_ONCE:
                with self._transaction("BEGIN IMMEDIATE") as connection:
                    gone = connection.execute(
                        embedded_sql.expire(measurement),
                        (oldest, measurement.value, EXPIRE_AT_ONCE),
                    ).rowcount
                expired += gone
        if expired:
            self._give_back()
        return expired

    def _give_back(self) -> None:
        """Return free pages to the system, some at a time, until a usual share is left."""
        while True:
            with self._transaction("BEGIN") as connection:
                pages, free, mode = (
                    int(connection.execute(f"PRAGMA {name}").fetchone()[0])
                    for name in ("page_count", "freelist_count", "auto_vacuum")
                )
            too_many = free - int(FREE_SHARE * pages)
            if mode != _INCREMENTAL or too_many <= 0:
                return
            with self._lock:
                try:
                    # As a script: `execute` takes one step of it, which is one page.
                    self._connection.executescript(
                        f"PRAGMA incremental_vacuum({min(too_many, _FREE_AT_ONCE)})"
                    )
                except sqlite3.Error as error:
                    raise StoreError(f"the store {self._path} failed: {explain(error)}") from None

    def _truncate_log(self) -> None:
        """Overwrite the write-ahead log too, where no reader still needs it."""
        with self._lock:
            try:
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except sqlite3.Error as error:
                raise StoreError(f"the store {self._path} failed: {explain(error)}") from None

    def prepare(self) -> list[str]:
        """Do nothing: the file is made when it is opened for writing."""
        return []

    def check(self) -> str:
        """Return one line that says what this is and that it answers."""
        with self._transaction("BEGIN") as connection:
            (agents,) = connection.execute(
                "SELECT count(DISTINCT site || '/' || agent) FROM series WHERE agent != ''"
            ).fetchone()
        size = self._path.stat().st_size / 1e6
        return f"embedded store {self._path}: {agents} agents, {size:.1f} MB, answers"

    def close(self) -> None:
        """Release connections and files."""
        with self._lock:
            self._connection.close()
