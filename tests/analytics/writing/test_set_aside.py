"""What the store refused is kept with its reason, bounded, and told again on demand."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import wellbeing
from analytics.journal.steps import Commit, Step, StepLog
from analytics.state.state_file import FILE_NAME, open_state, transaction
from analytics.store.base import Query, WriteReport
from analytics.store.embedded import EmbeddedStore
from analytics.store.points import Measurement, Point
from analytics.writing import set_aside
from analytics.writing.set_aside import bundle
from analytics.writing.spool import SpoolWriter
from sensors.errors import StoreUnreachableError
from tests.rig import wait_until

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)


@pytest.fixture
def log(tmp_path: Path):
    db = open_state(tmp_path)
    yield StepLog(db, tmp_path / FILE_NAME)
    db.close()


def point(n: int, value: object = 1.0) -> Point:
    return Point(Measurement.SCORE, {"site": "lab", "agent": "k1"}, {"evidence": value}, n)


def listed(log: StepLog) -> list[set_aside.SetAsidePoints]:
    return set_aside.listed(log._db, log._path)


def counter(log: StepLog, name: str) -> int:
    row = log._db.execute("SELECT value FROM counters WHERE name = ?", (name,)).fetchone()
    return row[0] if row else 0


def put(log: StepLog, refused: Sequence[set_aside.RefusedPoints]) -> None:
    with transaction(log._db):
        set_aside.keep(log._db, refused)


def drain(log: StepLog, directory: Path, until: Callable[[], bool] = lambda: True) -> SpoolWriter:
    """Write the whole spool."""
    file = directory / "store.sqlite"
    writer = SpoolWriter(
        directory, lambda: EmbeddedStore(file), lambda: datetime(1970, 1, 1, tzinfo=UTC)
    )
    newest = log._db.execute("SELECT max(id) FROM spool").fetchone()[0]
    writer.start()
    wait_until(lambda: writer.written_id >= newest)
    wait_until(until)
    writer.stop()
    return writer


def test_a_refused_point_is_kept_and_can_be_told_again(log: StepLog, tmp_path: Path) -> None:
    log.commit(Commit(steps=[Step(1, 1, 1, NOW)], points=[point(1), point(2, "text"), point(3)]))
    drain(log, tmp_path)
    assert log.spool_size() == (0, 0)
    (kept,) = listed(log)
    assert (kept.points, kept.measurements) == (1, {"score": 1})
    assert "evidence" in kept.reason
    assert counter(log, "points_set_aside") == 1
    # Somebody mends the cause: here, the store is made anew. (Later than points are told again.)
    log._db.execute("DELETE FROM spool_confirmed")
    (tmp_path / "store.sqlite").unlink()
    assert set_aside.replay(log._db, log._path) == 1
    assert listed(log) == []
    drain(log, tmp_path)
    store = EmbeddedStore(tmp_path / "store.sqlite", read_only=True)
    (row,) = store.read(Query(measurement=Measurement.SCORE, site="lab"))
    store.close()
    assert (row.time_ns, row.fields) == (2, {"evidence": "text"})


def test_bundles_are_by_reason_and_can_be_dropped_one_by_one(log: StepLog) -> None:
    refused = [(point(n), "odd" if n % 2 else "even") for n in range(7)]
    put(log, bundle(refused, NOW))
    assert [(one.reason, one.points) for one in listed(log)] == [("even", 4), ("odd", 3)]
    first, second = (one.id for one in listed(log))
    assert set_aside.drop(log._db, log._path, [second]) == 3
    assert set_aside.replay(log._db, log._path, [second]) == 0
    assert set_aside.replay(log._db, log._path, [first]) == 4
    assert log.spool_size()[0] == 4


def test_what_is_kept_is_bounded_and_what_goes_is_counted(
    log: StepLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(set_aside, "KEPT_POINTS", 10)
    for round_ in range(5):
        put(log, bundle([(point(n), f"why {round_}") for n in range(4)], NOW))
    assert [one.reason for one in listed(log)] == ["why 3", "why 4"]
    assert counter(log, "points_set_aside") == 20
    assert counter(log, "points_set_aside_dropped") == 12


def test_a_batch_that_nobody_can_read_is_listed_too(log: StepLog, tmp_path: Path) -> None:
    log._db.execute("INSERT INTO spool (points, payload) VALUES (1, x'00')")
    log.commit(Commit(steps=[Step(1, 1, 1, NOW)], points=[point(3)]))
    writer = drain(log, tmp_path)
    assert (writer.state.written, writer.state.refused) == (1, 1)
    (kept,) = listed(log)
    assert "spool batch 1 cannot be read" in kept.reason
    assert kept.measurements == {}


def test_what_was_confirmed_lately_is_told_again_after_a_start(
    log: StepLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole machine went down, and the store with what it had in memory."""
    log.commit(Commit(steps=[Step(1, 1, 1, NOW)], points=[point(1), point(2)]))
    writer = drain(log, tmp_path)
    assert log.spool_size() == (0, 0)
    (tmp_path / "store.sqlite").unlink()
    log.commit(Commit(steps=[Step(2, 2, 2, NOW)], points=[point(3)]))
    writer = drain(log, tmp_path)
    assert times(tmp_path) == [1, 2, 3]
    assert writer.state.written == 1
    # Later it is gone from our disk: older than it is kept.
    monkeypatch.setattr("analytics.writing.tail.CONFIRMED_KEPT", timedelta(seconds=-1))
    monkeypatch.setattr("analytics.writing.spool.FORGET_EVERY_S", 0.0)
    log.commit(Commit(steps=[Step(3, 3, 3, NOW)], points=[point(4)]))
    count = "SELECT count(*) FROM spool_confirmed"
    drain(log, tmp_path, lambda: log._db.execute(count).fetchone() == (0,))


def times(directory: Path) -> list[int]:
    store = EmbeddedStore(directory / "store.sqlite", read_only=True)
    found = [row.time_ns for row in store.read(Query(measurement=Measurement.SCORE, site="lab"))]
    store.close()
    return found


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = wellbeing.main(["store", "set-aside", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_an_operator_lists_replays_and_drops(
    log: StepLog,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WELLBEING_SERVER_STATE_DIR", str(tmp_path))
    assert run(capsys, "list") == (0, "nothing was refused\n", "")
    refused = [(point(n), "wrong type" if n else "too old") for n in range(3)]
    put(log, bundle(refused, NOW))
    code, out, _ = run(capsys, "list")
    assert code == 0
    assert [line.split("  ")[-1] for line in out.splitlines()] == [
        "1 score: too old",
        "2 score: wrong type",
    ]
    told = [json.loads(line) for line in run(capsys, "list", "--json")[1].splitlines()]
    assert [(one["points"], one["reason"]) for one in told] == [(1, "too old"), (2, "wrong type")]
    code, _, err = run(capsys, "replay")
    assert (code, "or --all" in err) == (2, True)
    assert run(capsys, "drop", str(told[0]["id"]))[1] == "1 points are deleted\n"
    assert run(capsys, "replay", "--all")[1] == "2 points wait for the store again\n"
    assert listed(log) == []
    assert log.spool_size()[0] == 2


def test_where_no_server_has_run_nothing_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WELLBEING_SERVER_STATE_DIR", str(tmp_path / "nowhere"))
    code, out, err = run(capsys, "replay", "--all")
    assert (code, out) == (7, "")
    assert "has `wellbeing detect` run with this state_dir?" in err
    assert not (tmp_path / "nowhere").exists()


def test_what_is_confirmed_meanwhile_is_not_told_again(log: StepLog, tmp_path: Path) -> None:
    """Else a busy server would tell everything twice for ever."""
    told: list[int] = []

    class Counting(EmbeddedStore):
        def write(self, points: Sequence[Point]) -> WriteReport:
            told.extend(point.time_ns for point in points)
            return super().write(points)

    file = tmp_path / "store.sqlite"
    writer = SpoolWriter(tmp_path, lambda: Counting(file), lambda: datetime(1970, 1, 1, tzinfo=UTC))
    writer.start()
    for n in range(1, 40):
        log.commit(Commit(steps=[Step(n, n, n, NOW)], points=[point(n)]))
        writer.notify()
        wait_until(lambda n=n: writer.written_id >= n)
    wait_until(lambda: not writer.state.catching_up)
    writer.stop()
    assert told == list(range(1, 40))


def test_what_was_confirmed_just_before_an_outage_is_told_again_however_long_it_lasts(
    log: StepLog, tmp_path: Path
) -> None:
    """It is forgotten after a minute, but not while it may still be needed."""
    told: list[int] = []
    now = [datetime(1970, 1, 1, tzinfo=UTC)]

    class Forgetful(EmbeddedStore):
        def write(self, points: Sequence[Point]) -> WriteReport:
            if [point.time_ns for point in points] == [2] and 2 not in told:
                told.append(2)
                now[0] += timedelta(hours=1)
                raise StoreUnreachableError("gone in between")
            told.extend(point.time_ns for point in points)
            return super().write(points)

    file = tmp_path / "store.sqlite"
    writer = SpoolWriter(tmp_path, lambda: Forgetful(file), lambda: now[0])
    log.commit(Commit(steps=[Step(1, 1, 1, NOW)], points=[point(1)]))
    writer.start()
    wait_until(lambda: writer.written_id == 1)
    log.commit(Commit(steps=[Step(2, 2, 2, NOW)], points=[point(2)]))
    writer.notify()
    wait_until(lambda: told.count(2) == 2, what="the store answers again")
    wait_until(lambda: told.count(1) == 2, what="the first point is told again")
    wait_until(lambda: not writer.state.catching_up)
    writer.stop()
