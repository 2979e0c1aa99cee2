"""From the spool on disk into the store, on a thread of its own.

The store may be slow or away for hours: nobody waits for it, the spool grows
on disk up to its bound, and the same batch told twice leaves one point each.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from analytics.state_file import FILE_NAME, open_for_reading, state_errors
from analytics.steps import unpack
from analytics.store.base import Store
from analytics.store.points import Point
from sensors.errors import StoreError, WellbeingError

POINTS_AT_ONCE = 10_000
BACK_OFF_MIN_S = 0.5
BACK_OFF_MAX_S = 30.0
EXPIRE_EVERY_S = 3600.0
_LOOK_AGAIN_S = 1.0
_FAREWELL_S = 3.0

_log = logging.getLogger("wellbeing.detect")


@dataclass(frozen=True, slots=True)
class StoreState:
    """How the store is, for status."""

    written: int = 0
    refused: int = 0
    last_refusal: str = ""
    trouble: str = ""


class SpoolWriter:
    """Drains the spool of `directory` into the store.

    Parameters
    ----------
    directory : Path
        Where ``server.sqlite`` is.
    open_store : callable
        Opens the store; called on the writer's thread, again after a failure.
    clock : callable
        The server's time, UTC: what is older than its retention goes (TRUST T18).
    """

    def __init__(
        self, directory: Path, open_store: Callable[[], Store], clock: Callable[[], datetime]
    ) -> None:
        self._directory, self._open_store, self._clock = directory, open_store, clock
        self._expire_due_s = 0.0
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="spool-writer", daemon=True)
        self._db: sqlite3.Connection | None = None
        self.state = StoreState()
        self.written_id = 0
        self.failure: WellbeingError | None = None

    def start(self) -> None:
        """Begin draining."""
        self._thread.start()

    def notify(self) -> None:
        """Say that there may be something new."""
        self._wake.set()

    def stop(self) -> None:
        """Write what can be written quickly, then end; the rest stays in the spool."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        store: Store | None = None
        back_off_s = BACK_OFF_MIN_S
        try:
            self._db = open_for_reading(self._directory)
            while True:
                try:
                    store = store or self._open_store()
                    idle = self._drain(store)
                    self._expire(store)
                    back_off_s = BACK_OFF_MIN_S
                except StoreError as error:
                    self._note_trouble(str(error))
                    if self._stopping.wait(back_off_s):
                        return
                    back_off_s = min(BACK_OFF_MAX_S, back_off_s * 2)
                    continue
                if idle and self._stopping.is_set():
                    return
        except WellbeingError as error:
            self.failure = error  # told by the service, which ends with it
        finally:
            if store is not None:
                store.close()
            if self._db is not None:
                self._db.close()

    def _drain(self, store: Store) -> bool:
        """Write everything there is; return whether the spool is empty (or time is up)."""
        farewell_at: float | None = None
        while True:
            if self._stopping.is_set():
                farewell_at = farewell_at or time.monotonic() + _FAREWELL_S
                if time.monotonic() > farewell_at:
                    return True
            last_id, points = self._next()
            if last_id == self.written_id:
                if not self._stopping.is_set():
                    self._wake.wait(_LOOK_AGAIN_S)
                    self._wake.clear()
                return True
            self._write(store, points)
            self.written_id = last_id

    def _expire(self, store: Store) -> None:
        """Once an hour, delete what has been kept for long enough."""
        if time.monotonic() < self._expire_due_s:
            return
        self._expire_due_s = time.monotonic() + EXPIRE_EVERY_S
        expired = store.expire(self._clock())
        if expired:
            _log.info("%d points were older than their retention and are gone", expired)

    def _next(self) -> tuple[int, list[Point]]:
        """Return the next points and the id up to which they are."""
        assert self._db is not None  # noqa: S101 - opened before the loop
        points: list[Point] = []
        last_id = self.written_id
        with state_errors(self._directory / FILE_NAME):
            rows = self._db.execute(
                "SELECT id, payload FROM spool WHERE id > ? ORDER BY id", (last_id,)
            )
            for batch_id, payload in rows:
                last_id = batch_id
                points.extend(self._readable(batch_id, payload))
                if len(points) >= POINTS_AT_ONCE:
                    break
            rows.close()
        return last_id, points

    def _readable(self, batch_id: int, payload: bytes) -> list[Point]:
        try:
            return unpack(payload)
        except (ValueError, TypeError, KeyError, AttributeError, zlib.error) as error:
            # One bad batch must not stand in the way of all that follow.
            self._refuse(1, f"spool batch {batch_id} cannot be read: {error}")
            return []

    def _write(self, store: Store, points: list[Point]) -> None:
        report = store.write(points)
        if report.refused:
            point, reason = report.refused[0]
            self._refuse(len(report.refused), f"{point.measurement.value}: {reason}")
        if self.state.trouble:
            _log.info("the store answers again")
        state = self.state
        self.state = StoreState(state.written + report.written, state.refused, state.last_refusal)

    def _refuse(self, count: int, reason: str) -> None:
        state = self.state
        if not state.refused:
            _log.warning(
                "the store refused %d points (%s); `wellbeing status` counts", count, reason
            )
        self.state = StoreState(state.written, state.refused + count, reason, state.trouble)

    def _note_trouble(self, trouble: str) -> None:
        state = self.state
        if not state.trouble:
            _log.warning("%s; results wait in the spool, retrying", trouble)
        self.state = StoreState(state.written, state.refused, state.last_refusal, trouble)
