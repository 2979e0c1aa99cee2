"""From the spool on disk into the store, on a thread of its own.

The store may be slow or away for hours: nobody waits for it, the spool grows
on disk up to its bound, and the same batch told twice leaves one point each.
Once it is back, what is new goes first and what waited follows
(`analytics.spool_lanes`). A batch leaves the spool only when the store has
confirmed it, in the transaction that also keeps what was refused of it.

A confirmation is no proof: a server may keep points in memory for a while and
go down with them. So what it confirmed in the last minute is told again after
it could not be reached, and after a start of ours.
"""

from __future__ import annotations

import logging
import random
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from analytics.packing import UNREADABLE, unpack
from analytics.set_aside import RefusedPoints, bundle
from analytics.spool_lanes import Lanes, patience_s, pause_s
from analytics.state_file import FILE_NAME, open_for_reading, state_errors
from analytics.store.base import Store
from analytics.store.points import Point
from sensors.errors import StoreBusyError, StoreError, StoreUnreachableError, WellbeingError

POINTS_AT_ONCE = 10_000
OLDER_AT_ONCE = 4_000
"""Of what waits: so long does what is new wait for it at most."""

SETTLED_WITHIN_S = 3.0
"""What was confirmed is noted with the next commit, at most a second later: what may be lost is
told again only after that, so that the last batch before a server went down is among it. [s]"""

EXPIRE_EVERY_S = 3600.0
_LOOK_AGAIN_S = 1.0
_FAREWELL_S = 3.0

_log = logging.getLogger("wellbeing.detect")


@dataclass(frozen=True, slots=True)
class StoreState:
    """How the store is, for status; counts since the start.

    `catching_up` says that batches of an earlier time are still being written.
    """

    written: int = 0
    refused: int = 0
    last_refusal: str = ""
    trouble: str = ""
    catching_up: bool = False


@dataclass(frozen=True, slots=True)
class Settled:
    """What the store has, for the next commit: ranges of batches, and what it refused of them."""

    at: datetime
    written: list[tuple[int, int]]
    refused: list[RefusedPoints]


class SpoolWriter:
    """Drains the spool of `directory` into the store.

    Parameters
    ----------
    directory : Path
        Where ``server.sqlite`` is.
    open_store : callable
        Opens the store; called on the writer's thread, again after it could not be reached.
    clock : callable
        The server's time, UTC: what is older than its retention goes (TRUST T18).
    """

    def __init__(
        self, directory: Path, open_store: Callable[[], Store], clock: Callable[[], datetime]
    ) -> None:
        self._directory, self._open_store, self._clock = directory, open_store, clock
        self._expire_due_s = time.monotonic()
        self._replay_due_s = 0.0
        self._farewell_s: float | None = None
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="spool-writer", daemon=True)
        self._db: sqlite3.Connection | None = None
        self._lanes = Lanes()
        self._again: tuple[int, int] | None = None
        self._again_due_s = 0.0
        self._written: deque[tuple[int, int]] = deque()
        self._refused: deque[RefusedPoints] = deque()
        self._errands: deque[Callable[[Store], None]] = deque()
        self._errand_due_s, self._errand_failures = 0.0, 0
        self.state = StoreState()
        self.failure: WellbeingError | None = None

    def start(self) -> None:
        """Begin draining."""
        self._thread.start()

    def notify(self) -> None:
        """Say that there may be something new."""
        self._wake.set()

    def ask(self, errand: Callable[[Store], None]) -> None:
        """Have `errand` done with the store, on the writer's thread, between two writes.

        What was read from the spool before this call is in the store by then.
        One that raises is done again later; writing goes on meanwhile.
        """
        self._errands.append(errand)
        self._wake.set()

    def stop(self) -> None:
        """Write what can be written quickly, then end; the rest stays in the spool."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def written_id(self) -> int:
        """The batch up to which the store has everything."""
        return self._lanes.written_id

    @property
    def live_id(self) -> int:
        """The batch up to which everything is written or waits its turn behind what is new."""
        return self._lanes.live_after

    def take_settled(self) -> Settled:
        """Return, once, what has been written and refused since the last call."""
        # Ranges first: what was refused of a batch is noted before the batch is.
        written = [self._written.popleft() for _ in range(len(self._written))]
        refused = [self._refused.popleft() for _ in range(len(self._refused))]
        return Settled(self._clock(), written, refused)

    def _run(self) -> None:
        store: Store | None = None
        failures = 0
        try:
            self._db = open_for_reading(self._directory)
            # Of an earlier run; who looks at a screen wants what comes now.
            self._doubt(0.0)
            while not self._is_over():
                try:
                    store = store or self._open_store()
                    self._round(store)
                    self._expire(store)
                    failures = 0
                except Exception as error:  # noqa: BLE001 - a bug ends neither thread nor silence
                    self._note_trouble(error)
                    if isinstance(error, StoreUnreachableError):
                        self._doubt(SETTLED_WITHIN_S)
                        # Who answers next may be of another version.
                        if store is not None:
                            store.close()
                            store = None
                    self._lanes.fall_behind(self._newest())
                    if self._stopping.wait(_patience_s(failures, error)):
                        return
                    failures += 1
        except WellbeingError as error:
            self.failure = error  # told by the service, which ends with it
        finally:
            if store is not None:
                store.close()
            if self._db is not None:
                self._db.close()

    def _is_over(self) -> bool:
        """Return whether to end: asked to, and nothing left or no time left."""
        if not self._stopping.is_set():
            return False
        if self._farewell_s is None:
            self._farewell_s = time.monotonic() + _FAREWELL_S
        newest = self._newest()
        self._lanes.fall_behind(newest)
        nothing_left = self.written_id == newest
        return nothing_left or time.monotonic() > self._farewell_s

    def _round(self, store: Store) -> None:
        """Write what is new, then some of what waits; sleep if there is nothing to do."""
        self._note_lanes()
        self._run_errands(store)
        wrote = self._write_live(store)
        if self._is_behind and self._is_due():
            self._write_older(store)
            wrote = True
        if not wrote and not self._stopping.is_set():
            pause = _LOOK_AGAIN_S
            if self._is_behind:
                pause = max(0.0, min(pause, self._replay_due_s - time.monotonic()))
            self._wake.wait(pause)
            self._wake.clear()

    def _run_errands(self, store: Store) -> None:
        """Do what was asked for; what the store will not do must not keep points from it."""
        while self._errands and time.monotonic() >= self._errand_due_s:
            try:
                self._errands[0](store)
            except StoreUnreachableError:
                raise
            except Exception as error:  # noqa: BLE001 - told, and tried again
                if not self._errand_failures:
                    _log.warning("an erasure waits for the store: %s", _said(error))
                wait_s = _patience_s(self._errand_failures, error)
                self._errand_due_s = time.monotonic() + wait_s
                self._errand_failures += 1
                return
            self._errands.popleft()
            self._errand_failures = 0

    @property
    def _is_behind(self) -> bool:
        return self._lanes.is_behind or self._again is not None

    def _is_due(self) -> bool:
        return self._stopping.is_set() or time.monotonic() >= self._replay_due_s

    def _write_live(self, store: Store) -> bool:
        last_id, points, unreadable = self._between(self._lanes.live_after, None)
        if last_id == self._lanes.live_after:
            return False
        self._write(store, points, unreadable)
        self._written.append(self._lanes.wrote_live(last_id))
        return True

    def _write_older(self, store: Store) -> None:
        """Write a batch of what may be lost, else of what waits; then leave some time to others."""
        started_s = time.monotonic()
        if self._again is not None and started_s >= self._again_due_s:
            self._tell_again(store, *self._again)
        elif self._lanes.is_behind:
            self._write_waiting(store)
        else:
            self._replay_due_s = self._again_due_s
            return
        now_s = time.monotonic()
        self._replay_due_s = now_s + pause_s(now_s - started_s)

    def _doubt(self, settled_in_s: float) -> None:
        """Tell again what was confirmed until now, and let all else that is there wait."""
        newest = self._newest()
        self._lanes.fall_behind(newest)
        self._again = (0, newest)
        self._again_due_s = time.monotonic() + settled_in_s

    def _tell_again(self, store: Store, after: int, until: int) -> None:
        """Write what was confirmed lately; it has been counted, and what is refused set aside."""
        last_id, points, _ = self._between(after, until, table="spool_confirmed")
        if points:
            store.write(points)
        self._again = (last_id, until) if last_id > after else None

    def _write_waiting(self, store: Store) -> None:
        after, until = self._lanes.waiting()
        last_id, points, unreadable = self._between(after, until)
        # No row is left of the span: they were dropped at the bound, or erased.
        last_id = until if last_id == after else last_id
        self._write(store, points, unreadable)
        self._written.append(self._lanes.wrote_waiting(last_id))

    def _expire(self, store: Store) -> None:
        """Once an hour, delete what has been kept for long enough."""
        overdue_s = time.monotonic() - self._expire_due_s
        # What waits may be old too: it goes with the rest, unless that takes very long.
        if overdue_s < 0 or (self._is_behind and overdue_s < EXPIRE_EVERY_S):
            return
        self._expire_due_s = time.monotonic() + EXPIRE_EVERY_S
        expired = store.expire(self._clock())
        if expired:
            _log.info("%d points were older than their retention and are gone", expired)

    def _newest(self) -> int:
        assert self._db is not None  # noqa: S101 - opened before the loop
        with state_errors(self._directory / FILE_NAME):
            # Not of the table: the newest may have been deleted, its number is not used again.
            row = self._db.execute(
                "SELECT seq FROM sqlite_sequence WHERE name = 'spool'"
            ).fetchone()
        return int(row[0]) if row else 0

    def _between(
        self, after: int, until: int | None, table: str = "spool"
    ) -> tuple[int, list[Point], list[RefusedPoints]]:
        """Return the next points and the batch up to which they are, and batches nobody can read."""
        assert self._db is not None  # noqa: S101 - opened before the loop
        points: list[Point] = []
        unreadable: list[RefusedPoints] = []
        last_id = after
        with state_errors(self._directory / FILE_NAME):
            rows = self._db.execute(
                f"SELECT id, payload FROM {table} WHERE id > ? AND id <= ?"  # noqa: S608 - ours
                " ORDER BY id",
                (after, 2**62 if until is None else until),
            )
            for batch_id, payload in rows:
                last_id = batch_id
                try:
                    points.extend(unpack(payload))
                except UNREADABLE as error:
                    # One bad batch must not stand in the way of all that follow.
                    reason = f"spool batch {batch_id} cannot be read: {error}"
                    unreadable.append(RefusedPoints(self._clock(), reason, 1, payload))
                if len(points) >= (POINTS_AT_ONCE if until is None else OLDER_AT_ONCE):
                    break
            rows.close()
        return last_id, points, unreadable

    def _write(self, store: Store, points: list[Point], unreadable: list[RefusedPoints]) -> None:
        written = 0
        if points:
            report = store.write(points)
            written = report.written
            if report.refused:
                point, reason = report.refused[0]
                what = point.measurement.value
                self._refuse(len(report.refused), what, f"{what}: {reason}")
                self._refused.extend(bundle(report.refused, self._clock()))
        for one in unreadable:
            self._refuse(one.points, "unreadable", one.reason)
        self._refused.extend(unreadable)
        if self.state.trouble:
            _log.info("the store answers again")
        self.state = replace(self.state, written=self.state.written + written, trouble="")

    def _refuse(self, count: int, what: str, reason: str) -> None:
        if not self.state.refused:
            # Not why: a server quotes what it refuses, and no line is about a person (TRUST T5).
            _log.warning(
                "the store refused %d points (%s); why, tells `wellbeing store set-aside list`",
                count,
                what,
            )
        self.state = replace(self.state, refused=self.state.refused + count, last_refusal=reason)

    def _note_trouble(self, error: Exception) -> None:
        if isinstance(error, WellbeingError) and not isinstance(error, StoreError):
            raise error
        trouble = _said(error)
        if not self.state.trouble:
            # Of a bug the places, too: its own words may quote what was measured.
            why = None if isinstance(error, StoreError) else error
            _log.warning("%s; results wait in the spool, retrying", trouble, exc_info=why)
        self.state = replace(self.state, trouble=trouble)

    def _note_lanes(self) -> None:
        if self.state.catching_up != self._is_behind:
            self.state = replace(self.state, catching_up=self._is_behind)


def _said(error: Exception) -> str:
    """Return what to say of `error`: a bug's own words may hold what was measured."""
    if isinstance(error, WellbeingError):
        return str(error)
    return f"a bug of this program, please report it: {type(error).__name__} while writing"


def _patience_s(failures: int, error: Exception) -> float:
    asked_s = error.retry_after_s if isinstance(error, StoreBusyError) else None
    return patience_s(failures, asked_s, random.random())  # noqa: S311 - only spreads retries
