"""What only the file does: its versions, its readers, its retention, its crashes."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest

from analytics.store import embedded
from analytics.store.base import Query
from analytics.store.embedded import EmbeddedStore
from analytics.store.points import Measurement, Point, epoch_ns
from sensors.errors import StateError, StoreError
from tests.rig import wait_until

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SCORES = Query(measurement=Measurement.SCORE, site="north")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.sqlite"


@pytest.fixture
def store(path):
    opened = EmbeddedStore(path)
    yield opened
    opened.close()


def point(measurement=Measurement.SCORE, agent="k1", at=NOW, **fields):
    return Point(measurement, {"site": "north", "agent": agent}, fields or {"a": 1.0}, epoch_ns(at))


def test_only_its_owner_can_read_it(store, path):
    store.write([point()])
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_a_file_that_is_not_there_cannot_be_looked_at(path):
    with pytest.raises(StoreError, match=r"no store at .*store\.sqlite yet"):
        EmbeddedStore(path, read_only=True)
    assert not path.exists()


def test_an_empty_file_cannot_be_looked_at(path):
    path.touch()
    with pytest.raises(StoreError, match="is empty; start `wellbeing detect`"):
        EmbeddedStore(path, read_only=True)


@pytest.mark.parametrize("read_only", [True, False])
def test_a_file_of_a_newer_version_is_left_alone(path, read_only):
    EmbeddedStore(path).close()
    with sqlite3.connect(path) as raw:
        raw.execute(f"PRAGMA user_version = {embedded.VERSION + 1}")
    raw.close()
    with pytest.raises(StateError, match="newer version"):
        EmbeddedStore(path, read_only=read_only)


@pytest.mark.parametrize("read_only", [True, False])
def test_a_file_that_is_something_else_is_said(path, read_only):
    path.write_bytes(b"this is not a database" * 100)
    with pytest.raises(StoreError, match=r"cannot open the store .*store\.sqlite"):
        EmbeddedStore(path, read_only=read_only)


def test_a_folder_in_its_place_is_said(path):
    path.mkdir()
    with pytest.raises(StoreError, match="cannot open the store"):
        EmbeddedStore(path)


def test_a_reader_cannot_write_and_says_so(store, path):
    store.write([point()])
    reader = EmbeddedStore(path, read_only=True)
    with pytest.raises(StoreError, match="readonly"):
        reader.write([point()])
    assert reader.count(SCORES) == 1
    reader.close()


def test_a_closed_store_says_so(path):
    store = EmbeddedStore(path)
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.read(SCORES)


def test_a_failed_write_leaves_nothing_and_the_next_one_works(store, path):
    other = sqlite3.connect(path, isolation_level=None)
    # Another program has removed a table from under us.
    other.execute("ALTER TABLE beat RENAME TO lost")
    with pytest.raises(StoreError, match="no such table: beat"):
        store.write([point(agent="new"), point(Measurement.BEAT, agent="new")])
    assert store.count(SCORES) == 0
    other.execute("ALTER TABLE lost RENAME TO beat")
    other.close()
    assert store.write([point(agent="new"), point(Measurement.BEAT, agent="new")]).written == 2
    assert [r.tags["agent"] for r in store.read(SCORES)] == ["new"]


def test_two_writers_do_not_mix_up_whose_points_are_whose(store, path):
    other = EmbeddedStore(path)
    for n in range(20):
        store.write([point(agent=f"a{n}", a=float(n), **{f"x{n}": 1})])
        other.write([point(agent=f"b{n}", a=float(-n), **{f"y{n}": 1})])
        other.write([point(agent=f"a{n}", b=float(n))])
    rows = {r.tags["agent"]: r.fields for r in store.read(SCORES)}
    assert rows == {f"a{n}": {"a": float(n), f"x{n}": 1, "b": float(n)} for n in range(20)} | {
        f"b{n}": {"a": float(-n), f"y{n}": 1} for n in range(20)
    }
    assert other.erase("north", "a3") == 1
    store.write([point(agent="a3", a=0.5)])
    assert [
        r.fields
        for r in other.read(Query(measurement=Measurement.SCORE, site="north", agents=("a3",)))
    ] == [{"a": 0.5}]
    other.close()


def test_threads_share_one_store(store):
    def write(agent):
        for n in range(30):
            store.write([point(agent=agent, at=NOW + timedelta(seconds=n))])
            store.read(SCORES)

    threads = [threading.Thread(target=write, args=(f"k{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.count(SCORES) == 120


def test_retention_takes_what_is_older_and_nothing_else(path):
    store = EmbeddedStore(path, raw_days=30, derived_days=90)
    for measurement in Measurement:
        for days in (0, 29, 31, 89, 91):
            store.write([point(measurement, at=NOW - timedelta(days=days))])
    # Raw: 31, 89 and 91 days; derived: 91 days.
    assert store.expire(NOW) == 2 * 3 + (len(Measurement) - 2) * 1
    kept = {m: store.count(Query(measurement=m, site="north")) for m in Measurement}
    assert kept == {m: 2 if m in {Measurement.READING, Measurement.BEAT} else 4 for m in kept}
    assert store.expire(NOW) == 0
    assert store.expire(NOW + timedelta(days=365)) == sum(kept.values())
    store.close()


def test_retention_goes_in_short_transactions(path, monkeypatch):
    """Who has been away for a month must not hold the file for minutes at the first hour."""
    monkeypatch.setattr(embedded, "EXPIRE_AT_ONCE", 7)
    store = EmbeddedStore(path)
    old = NOW - timedelta(days=100)
    store.write([point(agent=f"k{n % 3}", at=old + timedelta(seconds=n)) for n in range(50)])
    store.write([point(at=NOW)])
    changes = []
    store._connection.set_trace_callback(
        lambda said: changes.append(store._connection.total_changes) if said == "COMMIT" else None
    )
    assert store.expire(NOW) == 50
    store._connection.set_trace_callback(None)
    assert len(changes) > 7
    assert store.count(SCORES) == 1
    store.close()


def test_a_month_of_days_each_as_long_keeps_the_file_as_big(path):
    """Time travel (T18): what goes makes room for what comes, and nothing old is left."""
    store = EmbeddedStore(path, raw_days=3, derived_days=3)
    sizes = []
    for day in range(30):
        begin = NOW + timedelta(days=day)
        for agent in ("k1", "k2", "k3"):
            store.write([
                point(Measurement.READING, agent, begin + timedelta(minutes=n), a=1.0, note="x" * 90)
                for n in range(300)
            ])  # fmt: skip
        store.expire(begin + timedelta(days=1))
        store._truncate_log()
        sizes.append(path.stat().st_size)
        rows = store.read(Query(measurement=Measurement.READING, site="north"))
        assert rows[0].time_ns >= epoch_ns(begin + timedelta(days=-2))
    assert max(sizes[10:]) <= 1.1 * max(sizes[:10]), "the file has stopped growing"
    store.close()


def test_a_file_gives_back_what_a_long_absence_left_free(path):
    store = EmbeddedStore(path)
    store.write([
        point(agent=f"k{n % 9}", at=NOW - timedelta(days=100, seconds=n), note="x" * 200)
        for n in range(9_000)
    ])  # fmt: skip
    store._truncate_log()
    before = path.stat().st_size
    assert store.expire(NOW) == 9_000
    store._truncate_log()
    assert path.stat().st_size < before / 4
    store.close()


def test_a_file_from_before_there_were_summaries_is_migrated(path):
    EmbeddedStore(path).close()
    with sqlite3.connect(path) as raw:
        raw.execute("DROP TABLE summary")
        raw.execute("PRAGMA user_version = 1")
    raw.close()
    reader = EmbeddedStore(path, read_only=True)
    assert reader.read(Query(measurement=Measurement.SUMMARY, site="north")) == []
    reader.close()
    store = EmbeddedStore(path)
    store.write([point(Measurement.SUMMARY, windows=12)])
    assert store.count(Query(measurement=Measurement.SUMMARY, site="north")) == 1
    store.close()


@pytest.mark.parametrize("read_only", [True, False])
def test_a_damaged_file_says_what_to_do(path, read_only):
    store = EmbeddedStore(path)
    store.write([point(agent=f"k{n}", note="x" * 200) for n in range(2_000)])
    store.close()
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    path.write_bytes(bytes(data))

    def look():
        store = EmbeddedStore(path, read_only=read_only)
        try:
            store.read(SCORES)
        finally:
            store.close()

    with pytest.raises(StoreError, match=r"(malformed|not a database).*; move it away, or restore"):
        look()


def test_readers_see_whole_batches_while_one_writes_and_forgets(store, path):
    """Of every batch a reader sees all or nothing, and never waits for the writer."""
    stop, wrong, seen = threading.Event(), [], []

    def read():
        reader = EmbeddedStore(path, read_only=True)
        while not stop.is_set():
            count = reader.count(SCORES)
            seen.append(count)
            if count % 10:
                wrong.append(count)
        reader.close()

    readers = [threading.Thread(target=read) for _ in range(3)]
    for one in readers:
        one.start()
    for batch in range(60):
        age = timedelta(days=100 if batch % 2 else 0)
        store.write([point(at=NOW - age + timedelta(seconds=batch * 10 + n)) for n in range(10)])
        if batch % 20 == 19:
            store.expire(NOW)
    wait_until(lambda: len(seen) > 20, what="readers read")
    stop.set()
    for one in readers:
        one.join()
    assert not wrong
    assert store.count(SCORES) == 300


def test_what_was_erased_is_in_no_file_any_more(store, path):
    secret = "pseudonym-4711"
    points = [
        point(agent=secret, at=NOW + timedelta(seconds=n), note=f"free words {secret}")
        for n in range(500)
    ]
    store.write(points)
    assert any(secret.encode() in f.read_bytes() for f in path.parent.iterdir())
    assert store.erase("north", secret) == 500
    for file in path.parent.iterdir():
        assert secret.encode() not in file.read_bytes(), file


def test_more_fields_than_a_table_can_have_are_refused(store, monkeypatch):
    monkeypatch.setattr(embedded, "MAX_FIELDS", 5)
    report = store.write([point(**{f"f{n}": 1 for n in range(5)}), point(f9=1), point(f1=2)])
    assert report.written == 2
    assert [why for _, why in report.refused] == ["score would have more than 5 fields"]


def test_a_killed_writer_leaves_whole_batches(path):
    with subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        for _ in range(5):
            told = int(writer.stdout.readline())
        os.kill(writer.pid, signal.SIGKILL)
    reader = EmbeddedStore(path, read_only=True)
    kept = reader.count(SCORES)
    assert kept >= told
    assert kept % 100 == 0
    reader.close()


_WRITER = """
import sys
from pathlib import Path
from analytics.store.embedded import EmbeddedStore
from analytics.store.points import Measurement, Point
store = EmbeddedStore(Path(sys.argv[1]))
n = 0
while True:
    store.write([
        Point(Measurement.SCORE, {"site": "north", "agent": "k1"}, {"a": 1.0}, n + i)
        for i in range(100)
    ])
    n += 100
    print(n, flush=True)
"""


def test_newest_and_stretch_are_found_without_reading_the_rest(store, path):
    """The plan of the two queries that a screen waits for (TARGETS W3)."""
    store.write([point(a=1.0)])
    raw = sqlite3.connect(path)
    known = {"a": (0, "float")}
    for query in (
        Query(measurement=Measurement.SCORE, site="north", latest=True),
        Query(measurement=Measurement.SCORE, site="north", agents=("k1",), start_at=NOW),
    ):
        statement, values = embedded.embedded_sql.select(
            query, embedded.embedded_sql.columns(known, ())
        )
        plan = [row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
        on_points = [line for line in plan if line.startswith(("SEARCH m", "SEARCH k", "SCAN"))]
        assert all("PRIMARY KEY (series=?" in line for line in on_points if "m" in line[:8]), plan
        assert not any(line.startswith(("SCAN m", "SCAN k")) for line in plan), plan
    raw.close()
