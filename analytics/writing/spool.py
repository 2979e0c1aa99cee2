"""From the spool on disk into the store, on a thread of its own.

The store may be slow or away for hours: nobody waits for it, the spool grows
on disk up to its bound, and the same batch told twice leaves one point each.
Once it is back, what is new goes first and what waited follows
(`analytics.writing.lanes`). A batch leaves the spool only when the store has
confirmed it, in the transaction that also keeps what was refused of it.

A confirmation is no proof: a server may keep points in memory for a while and
go down with them. So what it confirmed in the last minute is told again after
it could not be reached, and after a start of ours.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime
from pathlib import Path

from analytics.state.clock_witness import ClockWitness, steady_s
from analytics.store.base import Store, WriteReport
from analytics.store.embedded import EmbeddedStore
from analytics.writing.erasures import Erasures
from analytics.writing.lanes import Held, Lanes, next_size, patience_s, pause_s
from analytics.writing.refusals import sift
from analytics.writing.report import StoreReport, StoreState
from analytics.writing.set_aside import bundle
from analytics.writing.tail import Batch, SpoolTail
from sensors.errors import StoreBusyError, StoreRefusedError, StoreUnreachableError, WellbeingError

POINTS_AT_ONCE = 10_000
OLDER_AT_ONCE = 10_000
"""Of what waits, at most: fewer where the store is slow, since what is new waits for them."""

SPOOL_BYTES = 4 << 30
BOUND_EVERY_S = 10.0
DOUBT_EVERY_S = 60.0
"""How often the clock is looked at again that nobody confirms. [s]"""

EXPIRE_EVERY_S = 3600.0
FORGET_EVERY_S = 10.0

SIFT_S = 5.0
"""So long a refused batch is halved; what is refused after that is set aside undivided. [s]"""

_LOOK_AGAIN_S = 1.0
_FAREWELL_S = 3.0
_ALL = 2**62
_TOLD_AGAIN = 4  # as if it had failed so often: some eight seconds

_log = logging.getLogger("wellbeing.detect")


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
    max_bytes : int
        So much may wait; beyond it the oldest goes, and is counted. [byte]
    trust_clock : bool
        Whether `clock` is believed against the newest window.
    """

    def __init__(
        self,
        directory: Path,
        open_store: Callable[[], Store],
        clock: Callable[[], datetime],
        max_bytes: int = SPOOL_BYTES,
        *,
        trust_clock: bool = False,
    ) -> None:
        self._directory, self._open_store, self._clock = directory, open_store, clock
        self._max_bytes = max_bytes
        self._witness = ClockWitness(is_trusted=trust_clock)
        now_s = time.monotonic()
        self._expire_due_s = self._bound_due_s = self._forget_due_s = now_s
        self._replay_due_s = self._again_due_s = 0.0
        self._older_at_once = OLDER_AT_ONCE
        self._farewell_s: float | None = None
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="spool-writer", daemon=True)
        self._lanes = Lanes()
        self._taken = 0
        self._again: tuple[int, int] | None = None
        self._again_refused: Held | None = None
        self._erasures = Erasures()
        self._report = StoreReport()
        self.failure: WellbeingError | None = None

    def start(self) -> None:
        """Begin draining."""
        self._thread.start()

    def notify(self) -> None:
        """Say that there may be something new."""
        self._wake.set()

    def erase(self, site: str, agent: str, before: datetime | None = None) -> Future[int]:
        """Erase the points of `agent` from the store, between two writes.

        What was read from the spool before this call is in the store by then.
        The answer is what the store's own ``erase`` returns or raises.
        """
        answer = self._erasures.ask(site, agent, before)
        self._wake.set()
        if self._is_ended:
            self._erasures.refuse()
        return answer

    def stop(self) -> None:
        """Write what can be written quickly, then end; the rest stays in the spool."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def state(self) -> StoreState:
        """How the store is."""
        return self._report.state

    @property
    def written_id(self) -> int:
        """The batch up to which the store has everything."""
        return self._lanes.written_id

    @property
    def live_id(self) -> int:
        """The batch up to which everything is written or waits its turn behind what is new."""
        return self._lanes.live_after

    @property
    def _is_ended(self) -> bool:
        return self._thread.ident is not None and not self._thread.is_alive()

    def _run(self) -> None:
        try:
            tail = SpoolTail(self._directory)
            try:
                self._drain(tail)
            finally:
                tail.close()
        except WellbeingError as error:
            self.failure = error  # told by the service, which ends with it
        finally:
            self._erasures.refuse()

    def _drain(self, tail: SpoolTail) -> None:
        store: Store | None = None
        failures = 0
        # Of an earlier run; who looks at a screen wants what comes now.
        self._doubt(tail)
        try:
            while not self._is_over(tail):
                try:
                    self._bound(tail)
                    store = store or self._open_store()
                    self._round(store, tail)
                    self._forget(store, tail)
                    failures = 0
                except Exception as error:  # noqa: BLE001 - a bug ends neither thread nor silence
                    self._report.failed(error)
                    self._erasures.refuse(error)
                    if isinstance(error, StoreUnreachableError):
                        self._doubt(tail)
                        # Who answers next may be of another version.
                        if store is not None:
                            store.close()
                            store = None
                    self._lanes.fall_behind(tail.newest())
                    if self._stopping.wait(_patience_s(failures, error)):
                        return
                    failures += 1
        finally:
            if store is not None:
                store.close()

    def _is_over(self, tail: SpoolTail) -> bool:
        """Return whether to end: asked to, and nothing left or no time left."""
        if not self._stopping.is_set():
            return False
        if self._farewell_s is None:
            self._farewell_s = time.monotonic() + _FAREWELL_S
        newest = tail.newest()
        self._lanes.fall_behind(newest)
        nothing_left = self.written_id == newest
        return nothing_left or time.monotonic() > self._farewell_s

    def _round(self, store: Store, tail: SpoolTail) -> None:
        """Write what is new, then some of what waits; sleep if there is nothing to do."""
        self._report.lanes(self._is_behind, self._lanes.held_points)
        self._erasures.do(store)
        wrote = self._write_live(store, tail)
        if self._is_behind and self._is_due():
            self._write_older(store, tail)
            wrote = True
        if not wrote and not self._stopping.is_set():
            pause = _LOOK_AGAIN_S
            if self._is_behind:
                pause = max(0.0, min(pause, self._replay_due_s - time.monotonic()))
            self._wake.wait(pause)
            self._wake.clear()

    @property
    def _is_behind(self) -> bool:
        return self._lanes.is_behind or self._again is not None

    def _is_due(self) -> bool:
        return self._stopping.is_set() or time.monotonic() >= self._replay_due_s

    def _write_live(self, store: Store, tail: SpoolTail) -> bool:
        batch = tail.read(self._lanes.live_after, _ALL, self._clock(), POINTS_AT_ONCE)
        if batch.last == batch.after:
            return False
        self._settle(tail, batch, self._written(store, batch))
        self._lanes.wrote_live(batch.last)
        return True

    def _write_older(self, store: Store, tail: SpoolTail) -> None:
        """Write a batch of what may be lost, else of what waits; then leave some time to others."""
        started_s = time.monotonic()
        held = self._lanes.due_held(started_s, self._taken)
        if self._again is not None and started_s >= self._again_due_s:
            self._tell_again(store, tail, *self._again)
        elif held is not None:
            self._write_held(store, tail, held)
        elif self._lanes.may_go_on:
            self._write_waiting(store, tail)
        else:
            next_s = self._again_due_s if self._again is not None else float("inf")
            self._replay_due_s = min(next_s, self._lanes.next_due_s())
            return
        now_s = time.monotonic()
        took_s = now_s - started_s
        self._replay_due_s = now_s + pause_s(took_s)
        self._older_at_once = next_size(self._older_at_once, took_s, OLDER_AT_ONCE)

    def _doubt(self, tail: SpoolTail) -> None:
        """Tell again what was confirmed until now, and let all else that is there wait."""
        newest = tail.newest()
        self._lanes.fall_behind(newest)
        self._again, self._again_due_s, self._again_refused = (0, newest), 0.0, None

    def _tell_again(self, store: Store, tail: SpoolTail, after: int, until: int) -> None:
        """Write what was confirmed lately; it has been counted, and what is refused set aside."""
        batch = tail.read(after, until, self._clock(), self._older_at_once, confirmed=True)
        held, now_s = self._again_refused, time.monotonic()
        hopeless = held is not None and self._lanes.is_hopeless(held, now_s, self._taken)
        try:
            report = self._written(store, batch, sifted=hopeless)
        except StoreRefusedError as error:
            # It took them once. All else goes on meanwhile.
            held = held or Held(after, batch.last, len(batch.points), now_s, now_s, self._taken, 0)
            held.tries += 1
            self._again_refused = held
            self._again_due_s = time.monotonic() + _patience_s(_TOLD_AGAIN, error)
        else:
            if hopeless:
                tail.set_aside(bundle(report.refused, self._clock()))
            self._again = (batch.last, until) if batch.last > after else None
            self._again_refused = None

    def _write_waiting(self, store: Store, tail: SpoolTail) -> None:
        after, until = self._lanes.waiting()
        batch = tail.read(after, until, self._clock(), self._older_at_once)
        if batch.last == after:
            # No row is left of the span: they were dropped at the bound, or erased.
            batch.last = until
        try:
            report = self._written(store, batch)
        except StoreRefusedError as error:
            now_s = time.monotonic()
            held = self._lanes.hold(batch.last, len(batch.points), now_s, self._taken)
            self._refused_again(held, error)
        else:
            self._settle(tail, batch, report)
            self._lanes.wrote_waiting(batch.last)

    def _write_held(self, store: Store, tail: SpoolTail, held: Held) -> None:
        """Try once more what was refused as a whole; after a while in parts."""
        batch = tail.read(held.after, held.last, self._clock(), _ALL)
        started_s = time.monotonic()
        try:
            hopeless = self._lanes.is_hopeless(held, started_s, self._taken)
            report = self._written(store, batch, sifted=hopeless)
        except StoreRefusedError as error:
            held.tries += 1
            self._refused_again(held, error)
        else:
            batch.last = held.last
            self._settle(tail, batch, report)
            self._lanes.release(held)

    def _refused_again(self, held: Held, error: StoreRefusedError) -> None:
        held.due_s = time.monotonic() + _patience_s(held.tries, error)
        self._report.held(error)

    def _bound(self, tail: SpoolTail) -> None:
        """Drop what is too much: the oldest, of which nothing was confirmed."""
        if time.monotonic() < self._bound_due_s:
            return
        self._bound_due_s = time.monotonic() + BOUND_EVERY_S
        dropped = tail.bound(self._max_bytes)
        if dropped:
            _log.warning("the spool is full: dropped the %d oldest points", dropped)

    def _forget(self, store: Store, tail: SpoolTail) -> None:
        """Delete what has been kept for long enough: here often, in the store once an hour."""
        now_s = time.monotonic()
        # Not while it is still to be told again: an outage may have been longer than it is kept.
        if now_s >= self._forget_due_s and self._again is None:
            self._forget_due_s = now_s + FORGET_EVERY_S
            tail.forget_confirmed(self._clock())
        tail.give_back(now_s)
        overdue_s = now_s - self._expire_due_s
        # What waits may be old too: it goes with the rest, unless that takes very long.
        if overdue_s < 0 or (self._is_behind and overdue_s < EXPIRE_EVERY_S):
            return
        now = self._clock()
        if self._doubts(store, now):
            self._expire_due_s = now_s + DOUBT_EVERY_S
            return
        self._expire_due_s = now_s + EXPIRE_EVERY_S
        expired = store.expire(now)
        if expired:
            _log.info("%d points were older than their retention and are gone", expired)

    def _doubts(self, store: Store, now: datetime) -> bool:
        """Return whether nothing may be deleted by age: then the clock is wrong, or nobody there."""
        # A server keeps its own retention by its own clock.
        newest = store.newest_window(now) if isinstance(store, EmbeddedStore) else None
        doubt = self._witness.doubt(now, newest, steady_s())
        self._report.doubted(doubt)
        return bool(doubt)

    @staticmethod
    def _written(store: Store, batch: Batch, *, sifted: bool = False) -> WriteReport:
        if sifted:
            until_s = time.monotonic() + SIFT_S
            return sift(store.write, batch.points, lambda: time.monotonic() < until_s)
        return store.write(batch.points) if batch.points else WriteReport(written=0)

    def _settle(self, tail: SpoolTail, batch: Batch, report: WriteReport) -> None:
        """Take out of the spool what was written; keep what was refused of it."""
        now = self._clock()
        refused = [*bundle(report.refused, now), *batch.unreadable]
        tail.settle(batch.after + 1, batch.last, now, refused)
        if report.written:
            self._taken += 1
        self._report.wrote(report, batch.unreadable)


def _patience_s(failures: int, error: Exception) -> float:
    asked_s = error.retry_after_s if isinstance(error, StoreBusyError) else None
    return patience_s(failures, asked_s, random.random())  # noqa: S311 - only spreads retries
