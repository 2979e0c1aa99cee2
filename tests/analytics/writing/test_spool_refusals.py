"""A batch refused in words nobody knows: what of it is set aside, and when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.journal.steps import Commit, Step, StepLog
from analytics.state.state_file import FILE_NAME, open_state
from analytics.store.base import Query, Store, WriteReport
from analytics.store.embedded import EmbeddedStore
from analytics.store.points import Measurement, Point
from analytics.writing import lanes as spool_lanes
from analytics.writing import set_aside
from analytics.writing.refusals import sift
from analytics.writing.spool import SpoolWriter
from sensors.errors import StoreBusyError, StoreError, StoreRefusedError, StoreUnreachableError
from tests.rig import wait_until

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)


def in_1970() -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC)


def point(n: int) -> Point:
    return Point(Measurement.SCORE, {"site": "lab", "agent": "k1"}, {"evidence": 1.0}, n)


@given(st.sets(st.integers(0, 40)), st.integers(0, 40))
def test_only_what_the_store_will_not_have_is_refused(bad: set[int], count: int) -> None:
    taken: list[int] = []

    def write(points: Sequence[Point]) -> WriteReport:
        if bad & {one.time_ns for one in points}:
            raise StoreRefusedError("a dog ate it")
        taken.extend(one.time_ns for one in points)
        return WriteReport(written=len(points))

    report = sift(write, [point(n) for n in range(count)])
    assert sorted(taken) == [n for n in range(count) if n not in bad]
    assert report.written == len(taken)
    assert sorted(one.time_ns for one, _ in report.refused) == sorted(bad & set(range(count)))
    assert all(why.startswith("a dog ate it; mend it") for _, why in report.refused)


def test_without_time_the_rest_of_a_part_goes_with_it() -> None:
    tries = iter([True, True, False, False])

    def write(points: Sequence[Point]) -> WriteReport:
        if any(one.time_ns == 0 for one in points):
            raise StoreRefusedError("no")
        return WriteReport(written=len(points))

    report = sift(write, [point(n) for n in range(8)], lambda: next(tries))
    assert (report.written, len(report.refused)) == (6, 2)


def test_an_outage_in_the_middle_is_nobodys_refusal() -> None:
    def write(points: Sequence[Point]) -> WriteReport:
        raise StoreRefusedError("no") if len(points) > 4 else StoreUnreachableError("gone")

    with pytest.raises(StoreUnreachableError):
        sift(write, [point(n) for n in range(8)])


class Choosy:
    """A real store that refuses every batch with one of some points in it, as a whole."""

    def __init__(self, path: Path, bad: set[int], error: StoreError | None = None) -> None:
        self.path, self.bad = path, bad
        self.error = error or StoreRefusedError("the store: a dog ate it")
        self.tried = 0

    def open(self) -> Store:
        choosy = self

        class Opened(EmbeddedStore):
            def write(self, points: Sequence[Point]) -> WriteReport:
                if choosy.bad & {one.time_ns for one in points}:
                    choosy.tried += 1
                    raise choosy.error
                return super().write(points)

        return Opened(self.path)

    def times(self) -> list[int]:
        try:
            store = EmbeddedStore(self.path, read_only=True)
        except StoreError:
            return []  # not made yet
        found = [
            row.time_ns for row in store.read(Query(measurement=Measurement.SCORE, site="lab"))
        ]
        store.close()
        return found


@pytest.fixture
def log(tmp_path: Path):
    db = open_state(tmp_path)
    yield StepLog(db, tmp_path / FILE_NAME)
    db.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_lanes, "HELD_FOR_S", 0.1)
    monkeypatch.setattr(spool_lanes, "BACK_OFF_MAX_S", 0.5)


def commit(log: StepLog, first: int, last: int) -> None:
    for n in range(first, last):
        log.commit(
            Commit(steps=[Step(n, n, n, NOW)], points=[point(10 * n + i) for i in range(10)])
        )


def test_what_waits_behind_a_refused_batch_is_not_held_up(
    log: StepLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("analytics.writing.spool.OLDER_AT_ONCE", 10)  # a batch at once
    commit(log, 0, 20)
    choosy = Choosy(tmp_path / "store.sqlite", {55, 56, 123})
    writer = SpoolWriter(tmp_path, choosy.open, in_1970)
    writer.start()
    wait_until(lambda: len(choosy.times()) >= 180, what="all that is not beside a bad one")
    wait_until(lambda: writer.state.refused == 3, what="the bad ones are found")
    wait_until(lambda: not writer.state.catching_up)
    writer.stop()
    assert choosy.times() == [n for n in range(200) if n not in choosy.bad]
    assert log.spool_size() == (0, 0)
    kept = set_aside.listed(log._db, log._path)
    assert sum(one.points for one in kept) == 3
    assert {one.reason for one in kept} == {
        "the store: a dog ate it; mend it, then: wellbeing store set-aside replay"
    }
    assert "dog" not in caplog.text, "a server's words may be about a person"
    # Mended, and told again by hand.
    choosy.bad = set()
    assert set_aside.replay(log._db, log._path) == 3
    again = SpoolWriter(tmp_path, choosy.open, in_1970)
    again.start()
    wait_until(lambda: choosy.times() == list(range(200)))
    again.stop()


def test_a_cause_mended_in_time_sets_nothing_aside(
    log: StepLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_lanes, "HELD_FOR_S", 3600.0)
    monkeypatch.setattr("analytics.writing.spool.OLDER_AT_ONCE", 10)
    commit(log, 0, 5)
    choosy = Choosy(tmp_path / "store.sqlite", {7})
    writer = SpoolWriter(tmp_path, choosy.open, in_1970)
    writer.start()
    wait_until(lambda: choosy.tried > spool_lanes.HELD_TRIES)
    assert (writer.state.held, writer.state.trouble) == (10, "")
    choosy.bad = set()
    wait_until(lambda: choosy.times() == list(range(50)))
    wait_until(lambda: not writer.state.catching_up)
    writer.stop()
    assert (writer.state.refused, writer.state.held) == (0, 0)
    assert set_aside.listed(log._db, log._path) == []


def test_what_a_store_took_once_and_will_not_take_again_is_not_told_for_ever(
    log: StepLog, tmp_path: Path
) -> None:
    """Nothing confirmed is forgotten meanwhile: the state would grow until the disk is full."""
    commit(log, 0, 3)
    choosy = Choosy(tmp_path / "store.sqlite", set())
    writer = SpoolWriter(tmp_path, choosy.open, in_1970)
    writer.start()
    wait_until(lambda: writer.written_id == 3)
    writer.stop()
    choosy.bad = {7}
    again = SpoolWriter(tmp_path, choosy.open, in_1970)
    again.start()
    wait_until(lambda: choosy.tried > spool_lanes.HELD_TRIES, 60.0)
    assert set_aside.listed(log._db, log._path) == [], "it takes nothing else either"
    commit(log, 3, 4)
    wait_until(lambda: bool(set_aside.listed(log._db, log._path)), 60.0)
    wait_until(lambda: not again.state.catching_up, 60.0)
    again.stop()
    assert [one.points for one in set_aside.listed(log._db, log._path)] == [1]
    assert choosy.times() == list(range(40))


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(StoreError("answered 500: a dog ate it"), id="plain"),
        pytest.param(StoreBusyError("answered 429"), id="busy"),
        pytest.param(StoreUnreachableError("is it running?"), id="away"),
        pytest.param(StoreRefusedError("a dog ate it"), id="refuses-everything"),
    ],
)
def test_a_store_that_takes_nothing_is_waited_out(
    log: StepLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: StoreError
) -> None:
    monkeypatch.setattr("analytics.writing.spool.OLDER_AT_ONCE", 10)
    commit(log, 0, 30)
    choosy = Choosy(tmp_path / "store.sqlite", set(range(300)), error)
    writer = SpoolWriter(tmp_path, choosy.open, in_1970)
    writer.start()
    wait_until(lambda: choosy.tried > 2 * spool_lanes.HELD_TRIES, 60.0)
    assert writer.state.refused == 0
    assert writer.state.trouble or writer.state.held
    choosy.bad = set()
    wait_until(lambda: choosy.times() == list(range(300)), 60.0)
    writer.stop()
    assert set_aside.listed(log._db, log._path) == []


def test_what_is_dropped_at_the_bound_was_never_written(
    log: StepLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written and dropped come to what was made: nothing is counted as both."""
    monkeypatch.setattr("analytics.writing.spool.OLDER_AT_ONCE", 10)
    monkeypatch.setattr("analytics.writing.spool.BOUND_EVERY_S", 0.0)
    commit(log, 0, 100)
    _, size = log.spool_size()
    choosy = Choosy(tmp_path / "store.sqlite", set())
    writer = SpoolWriter(tmp_path, choosy.open, in_1970, max_bytes=size // 2)
    writer.start()
    wait_until(lambda: writer.written_id == 100)
    writer.stop()
    (dropped,) = log._db.execute(
        "SELECT value FROM counters WHERE name = 'spool_dropped'"
    ).fetchone()
    assert 0 < dropped < 1_000
    assert choosy.times() == list(range(dropped, 1_000))
    assert writer.state.written == 1_000 - dropped
