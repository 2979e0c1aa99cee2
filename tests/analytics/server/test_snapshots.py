"""Snapshots beside the loop: complete or nothing, never older than what is there, never in the way."""

from __future__ import annotations

import sqlite3
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from analytics.journal.steps import Snapshot, Step, StepLog
from analytics.server import snapshots
from analytics.server.snapshots import Snapshots
from analytics.state import snapshot, snapshot_rows
from analytics.state.state_file import FILE_NAME, MIGRATIONS, open_state
from sensors.errors import StateError

NOW = datetime(2026, 11, 21, 10, 0, 0, tzinfo=UTC)


def step(number: int) -> Step:
    return Step(number, number * 10, number, NOW)


def frozen(value: float, size: int = 400_000) -> snapshot.Frozen:
    """A state of several parts."""
    return snapshot.freeze({"a": np.full(size, value), "b": np.arange(7)}, {"value": value})


def log_of(directory: Path) -> StepLog:
    return StepLog(open_state(directory), directory / FILE_NAME)


def parts(log: StepLog) -> int:
    return int(log._db.execute("SELECT count(*) FROM snapshot_part").fetchone()[0])


def test_what_was_frozen_is_what_is_read(tmp_path: Path) -> None:
    log, writer = log_of(tmp_path), Snapshots(tmp_path)
    for number in (1, 2):
        writer.begin(step(number), frozen(number), 7, 0.0)
        finished = writer.take_finished(wait=True)
        assert finished == snapshots.Finished(number, 7)
        assert writer.take_finished() is None
        found = log.snapshot()
        assert found == Snapshot(step(number), bytes(frozen(number).data()))
        arrays, values = snapshot.unpack(found.data)
        assert values == {"value": number}
        assert arrays["a"].tolist() == [float(number)] * 400_000
        assert parts(log) == 4, "of the one before nothing is left"
    assert writer.figures.size == len(found.data)
    assert not writer.is_due


def test_a_crash_between_the_parts_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, writer = log_of(tmp_path), Snapshots(tmp_path)
    log.save_snapshot(Snapshot(step(1), b"before"))
    add_part = snapshot_rows.add_part

    def full(db: sqlite3.Connection, writing: int, part: int, data: memoryview) -> None:
        if part == 2:
            raise sqlite3.OperationalError("database or disk is full")
        add_part(db, writing, part, data)

    monkeypatch.setattr(snapshot_rows, "add_part", full)
    writer.begin(step(2), frozen(2.7), 0, 0.0)
    with pytest.raises(StateError, match="disk is full"):
        writer.take_finished(wait=True)
    assert log.snapshot() == Snapshot(step(1), b"before")
    assert parts(log) == 3
    monkeypatch.undo()
    again = Snapshots(tmp_path)
    again.begin(step(3), frozen(3.0, size=10), 0, 0.0)
    again.take_finished(wait=True)
    assert parts(log) == 1, "what the crash left behind is gone"
    log._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    left = np.full(100, 2.7).tobytes() in (tmp_path / FILE_NAME).read_bytes()
    assert not left, "somebody in it may have been erased since"


def test_a_bug_while_writing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log_of(tmp_path)
    writer = Snapshots(tmp_path)

    def broken(data: object) -> bytes:
        raise MemoryError

    monkeypatch.setattr(snapshot_rows, "digest", broken)
    writer.begin(step(1), frozen(1.0), 0, 0.0)
    with pytest.raises(MemoryError):
        writer.take_finished(wait=True)


def test_one_that_was_overtaken_counts_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An erasure replaces the snapshot at once; what was on its way must not come back."""
    log, writer = log_of(tmp_path), Snapshots(tmp_path)
    erased = Snapshot(step(5), b"without them")
    add_part = snapshot_rows.add_part

    def overtaken(db: sqlite3.Connection, writing: int, part: int, data: memoryview) -> None:
        if part == 1:
            db.execute("DELETE FROM snapshot_part")
            snapshot_rows.replace(db, (5, 50, 5, 0), b"")
        add_part(db, writing, part, data)

    monkeypatch.setattr(snapshot_rows, "add_part", overtaken)
    writer.begin(step(5), frozen(5.0), 0, 0.0)
    assert writer.take_finished(wait=True) is None
    monkeypatch.undo()
    assert log.snapshot() is not None
    assert log.snapshot() != Snapshot(step(5), bytes(frozen(5.0).data()))
    log.save_snapshot(erased)
    assert log.snapshot() == erased
    assert parts(log) == 1


def test_others_can_write_between_the_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So long that two writes fit in also where the disk is slow.
    monkeypatch.setattr(snapshots, "_PAUSE_AT_LEAST_S", 0.2)
    log, writer = log_of(tmp_path), Snapshots(tmp_path)
    writer.begin(step(1), frozen(1.0, 1_000_000), 0, 0.0)
    writes = 0
    while (finished := writer.take_finished()) is None:
        log._db.execute("BEGIN IMMEDIATE")
        log._db.execute("INSERT OR REPLACE INTO notes VALUES ('n', ?)", (str(writes),))
        log._db.execute("COMMIT")
        writes += 1
        time.sleep(0.002)
    assert finished.step == 1
    assert writes > 1


def test_only_one_at_a_time(tmp_path: Path) -> None:
    log_of(tmp_path)
    writer = Snapshots(tmp_path)
    writer.begin(step(1), frozen(1.0), 0, 0.0)
    with pytest.raises(RuntimeError, match="still being written"):
        writer.begin(step(2), frozen(2.0), 0, 0.0)
    assert writer.take_finished(wait=True) is not None


def test_the_snapshot_of_an_older_file_is_read(tmp_path: Path) -> None:
    old = sqlite3.connect(tmp_path / FILE_NAME)
    version = next(n for n, script in enumerate(MIGRATIONS) if "snapshot_part" in script)
    for script in MIGRATIONS[:version]:
        old.executescript(script)
    told = snapshot_rows.digest(b"state")
    old.execute("INSERT INTO snapshot VALUES (1, 10, 1, 0, ?, ?)", (told, b"state"))
    old.execute(f"PRAGMA user_version = {version}")
    old.commit()
    old.close()
    found = log_of(tmp_path).snapshot()
    assert found is not None
    assert (found.step.number, found.data) == (1, b"state")
