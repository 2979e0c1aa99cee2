"""The state file gives back what it no longer needs, also one of an older version."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from analytics.clock import now_utc
from analytics.state import state_file
from analytics.state.state_file import FILE_NAME, give_back, let_shrink, open_beside, open_state
from analytics.store.embedded import EmbeddedStore
from analytics.writing import tail as spool_tail
from analytics.writing.spool import SpoolWriter
from tests.rig.waiting import wait_until

MB = 1 << 20


def outage(db: sqlite3.Connection, size: int) -> None:
    """Let `size` bytes wait in the spool, as after hours without a store."""
    with state_file.transaction(db):
        db.executemany(
            "INSERT INTO spool (points, payload) VALUES (1, zeroblob(?))", [(MB,)] * (size // MB)
        )


def on_disk(db: sqlite3.Connection, folder: Path) -> int:
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return (folder / FILE_NAME).stat().st_size


def test_what_an_outage_left_goes_back_to_the_system_while_it_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_tail, "GIVE_BACK_EVERY_S", 0.0)
    db = open_state(tmp_path)
    outage(db, 40 * MB)
    assert on_disk(db, tmp_path) > 40 * MB
    writer = SpoolWriter(tmp_path, lambda: EmbeddedStore(tmp_path / "store.sqlite"), now_utc)
    writer.start()

    def has_shrunk() -> bool:
        for held in ("refused_points", "spool_confirmed"):  # where it is kept for a while
            db.execute(f"DELETE FROM {held}")
        writer.notify()
        return on_disk(db, tmp_path) < 20 * MB

    wait_until(has_shrunk, what="the file to shrink")
    writer.stop()
    with state_file.transaction(db):
        db.execute("INSERT INTO notes VALUES ('still', 'works')")
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()


def test_each_time_so_many_pages_and_a_usual_share_stays(tmp_path: Path) -> None:
    with closing(open_state(tmp_path)) as db, closing(open_beside(tmp_path)) as beside:
        path = tmp_path / FILE_NAME
        outage(db, 40 * MB)
        assert give_back(beside, path, 500) == 0, "nothing is free"
        db.execute("DELETE FROM spool")
        before = db.execute("PRAGMA freelist_count").fetchone()[0]
        assert give_back(beside, path, 500) == 500
        assert db.execute("PRAGMA freelist_count").fetchone()[0] == before - 500
        while give_back(beside, path, 5_000):
            pass
        assert 15 * MB < on_disk(db, tmp_path) < 18 * MB


def test_a_file_of_an_older_version_learns_it_at_a_start(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    with closing(open_state(tmp_path)) as db:
        db.execute("PRAGMA journal_mode = DELETE")
        db.execute("PRAGMA auto_vacuum = NONE")
        db.execute("VACUUM")
    with closing(open_state(tmp_path)) as db:
        assert db.execute("PRAGMA auto_vacuum").fetchone() == (0,)
        outage(db, 40 * MB)
        assert not let_shrink(db, path, most=20 * MB), "too much to be written anew at a start"
        db.execute("DELETE FROM spool")
        assert give_back(db, path, 5_000) == 0
        assert let_shrink(db, path, most=20 * MB)
        assert on_disk(db, tmp_path) < MB
        assert db.execute("PRAGMA auto_vacuum").fetchone() == (2,)


def test_a_start_does_not_fail_because_somebody_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_file, "_BUSY_S", 0.1)
    path = tmp_path / FILE_NAME
    with closing(open_state(tmp_path)) as db:
        db.execute("PRAGMA journal_mode = DELETE")
        db.execute("PRAGMA auto_vacuum = NONE")
        db.execute("VACUUM")
    with closing(open_state(tmp_path)) as db, closing(open_beside(tmp_path)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert not let_shrink(db, path)
        other.execute("ROLLBACK")
        assert let_shrink(db, path)


def test_the_embedded_store_gives_back_as_many_pages_as_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One step of the statement is one page: it was a transaction for each."""
    store = EmbeddedStore(tmp_path / "store.sqlite")
    db = store._connection
    db.execute("CREATE TABLE filled (held BLOB)")
    db.executemany("INSERT INTO filled VALUES (zeroblob(?))", [(MB,)] * 12)
    db.execute("DROP TABLE filled")
    turns: list[str] = []
    transaction = store._transaction
    monkeypatch.setattr(
        store, "_transaction", lambda begin: (turns.append(begin), transaction(begin))[1]
    )
    store._give_back()
    assert len(turns) < 10
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    assert (tmp_path / "store.sqlite").stat().st_size < 2 * MB
    store.close()
