"""Snapshots on the disk, written beside the loop: scoring stops for the copy alone.

The state of 10,000 agents is over 100 MB. The loop copies its arrays; a thread
makes bytes of them and writes those in parts, each a transaction of its own
with a pause behind it, since SQLite has one writer at a time and the journal
must not wait. The row that names a snapshot comes last: without it the parts
are nothing, and the snapshot before still counts.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path

from analytics.journal.steps import Step, place_of
from analytics.state import snapshot_rows
from analytics.state.snapshot import Frozen
from analytics.state.state_file import (
    FILE_NAME,
    open_beside,
    overwriting,
    state_errors,
    transaction,
)
from analytics.watching.figures import SnapshotFigures

PAUSE_SHARE = 1.0
"""So long a pause follows each part, as a share of the time the part took."""

_PAUSE_AT_LEAST_S = 0.002
_FORGET_AT_ONCE = 4
EVERY_S = 30.0

SHARE = 100.0
"""A snapshot of a big floor takes long; it may take 1 % of the time at most."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A snapshot that is on the disk: up to `safe_position` the journal is in it."""

    step: int
    safe_position: int


class Snapshots:
    """Writes one snapshot at a time, on a thread of its own.

    Parameters
    ----------
    directory : Path
        Where ``server.sqlite`` is.
    """

    def __init__(self, directory: Path) -> None:
        self._directory, self._path = directory, directory / FILE_NAME
        self._thread: threading.Thread | None = None
        self._failure: Exception | None = None
        self._finished: Finished | None = None
        self._due_s = time.monotonic() + EVERY_S
        self.figures = SnapshotFigures()

    @property
    def is_due(self) -> bool:
        """Whether it is time for the next."""
        return self._thread is None and time.monotonic() >= self._due_s

    def begin(self, step: Step, frozen: Frozen, safe_position: int, held_up_s: float) -> None:
        """Write the state after `step`; one at a time.

        Parameters
        ----------
        safe_position : int
            Up to here the journal is in `frozen`.
        held_up_s : float
            How long the loop stood still to freeze it. [s]
        """
        if self._thread is not None:
            raise RuntimeError("the snapshot before this one is still being written")
        self._thread = threading.Thread(
            target=self._run,
            args=(step, frozen, safe_position, held_up_s),
            name="snapshot",
            daemon=True,
        )
        self._thread.start()

    def take_finished(self, *, wait: bool = False) -> Finished | None:
        """Return, once, the snapshot that has become complete.

        Raises
        ------
        StateError
            If it could not be written; of a bug, its own error.
        """
        thread = self._thread
        if thread is None or (thread.is_alive() and not wait):
            return None
        thread.join()
        self._thread = None
        if self._failure is not None:
            raise self._failure
        finished, self._finished = self._finished, None
        return finished

    def join(self) -> None:
        """Wait until nothing is being written any more: the file belongs to the next server."""
        if self._thread is not None:
            self._thread.join()

    def _run(self, step: Step, frozen: Frozen, safe_position: int, held_up_s: float) -> None:
        started_s = time.monotonic()
        try:
            with closing(open_beside(self._directory)) as db, state_errors(self._path):
                data = frozen.data()
                if self._write(db, step, data):
                    self._finished = Finished(step.number, safe_position)
        except Exception as error:  # noqa: BLE001 - told by the service, which ends with it
            # A bug, too: without snapshots the journal would grow and a start take ever longer.
            self._failure = error
            return
        took_s = time.monotonic() - started_s + held_up_s
        self._due_s = time.monotonic() + max(EVERY_S, held_up_s * SHARE, took_s)
        self.figures = SnapshotFigures(
            taken_s=time.monotonic(), held_up_s=held_up_s, took_s=took_s, size=len(data)
        )

    def _write(self, db: sqlite3.Connection, step: Step, data: memoryview) -> bool:
        """Return whether it counts now: not if another, as new, was written meanwhile."""
        # Before the file is ours: of 100 MB it takes a tenth of a second.
        writing, told = snapshot_rows.draw(), snapshot_rows.digest(data)
        with overwriting(db):
            # Of a server that was killed while it wrote: perhaps of somebody who was erased since.
            self._forget_others(db)
        for part, some in snapshot_rows.parts_of(data):
            with _paced(), transaction(db):
                snapshot_rows.add_part(db, writing, part, some)
        with _paced(), transaction(db):
            counts = snapshot_rows.newest_step(db) < step.number
            if counts:
                snapshot_rows.name(db, writing, place_of(step), told)
        # If it does not count it was erased from, or taken at the end: nothing of it may be left.
        with nullcontext() if counts else overwriting(db):
            self._forget_others(db)
        return counts

    @staticmethod
    def _forget_others(db: sqlite3.Connection) -> None:
        """Delete the parts that no snapshot names, some at a time."""
        found = 1
        while found:
            with _paced(), transaction(db):
                found = snapshot_rows.forget_others(db, _FORGET_AT_ONCE)


class _paced:  # noqa: N801 - reads as a statement: with paced()
    """Leave the file to others afterwards, for as long as it was used."""

    def __enter__(self) -> None:
        self._started_s = time.monotonic()

    def __exit__(self, *_: object) -> None:
        took_s = time.monotonic() - self._started_s
        time.sleep(max(_PAUSE_AT_LEAST_S, took_s * PAUSE_SHARE))
