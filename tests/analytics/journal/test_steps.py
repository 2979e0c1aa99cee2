"""Steps, spool and snapshot: all or nothing, and equal to the last bit afterwards."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.events import Publication
from analytics.journal.steps import Commit, Snapshot, Step, StepLog
from analytics.state.packing import LinePacker, pack, unpack
from analytics.state.state_file import FILE_NAME, open_state
from analytics.store.base import Eraser, Query, Store, WriteReport
from analytics.store.embedded import EmbeddedStore
from analytics.store.points import Measurement, Point, epoch_ns
from analytics.writing.errands import Errands
from analytics.writing.spool import SpoolWriter
from analytics.writing.tail import SpoolTail
from sensors import topics
from sensors.errors import ConfigurationError, StateError, StoreError, StoreUnreachableError
from sensors.messages import NoticeKind, NoticeMessage
from tests.rig import wait_until

NOW = datetime(2026, 11, 21, 10, 0, 0, 1, tzinfo=UTC)


def opened(directory: Path) -> StepLog:
    return StepLog(open_state(directory), directory / FILE_NAME)


def in_1970() -> datetime:
    """The day on which `point` happens, so that nothing is older than its retention."""
    return datetime(1970, 1, 1, tzinfo=UTC)


def step(number: int, *, minutes: float = 0.0) -> Step:
    return Step(number, number * 10, number, NOW + timedelta(minutes=minutes))


def point(n: int, value: float = 1.0) -> Point:
    return Point(Measurement.SCORE, {"site": "lab", "agent": "k1"}, {"evidence": value}, n)


fields = st.dictionaries(
    st.text("abc_", min_size=1, max_size=4),
    st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(2**63), 2**63 - 1)
    | st.booleans()
    | st.text(max_size=5),
    max_size=4,
)


@pytest.mark.parametrize("packed", [pack, LinePacker().pack])
@given(told=st.lists(fields, max_size=5))
def test_points_survive_the_spool_to_the_last_bit(
    packed: Callable[[list[Point]], list[tuple[int, bytes]]],
    told: list[dict[str, float | int | bool | str]],
) -> None:
    points = [Point(Measurement.BEAT, {"site": "lab"}, f, n) for n, f in enumerate(told)]
    found = [p for _, payload in packed(points) for p in unpack(payload)]
    found.sort(key=lambda point: point.time_ns)
    assert found == points
    for ours, theirs in zip(found, points, strict=True):
        kinds = [type(v) for v in theirs.fields.values()]
        assert [type(v) for v in ours.fields.values()] == kinds


@pytest.mark.parametrize("packed", [pack, LinePacker().pack])
def test_a_number_that_json_cannot_say_is_unknown_and_takes_nothing_with_it(
    packed: Callable[[list[Point]], list[tuple[int, bytes]]],
) -> None:
    bad = Point(Measurement.SCORE, {"site": "lab"}, {"evidence": math.nan, "seq": 3}, 1)
    [(count, payload)] = packed([bad, point(2)])
    assert count == 2
    assert unpack(payload) == [Point(Measurement.SCORE, {"site": "lab"}, {"seq": 3}, 1), point(2)]


def test_a_commit_is_there_after_a_restart(tmp_path: Path) -> None:
    log = opened(tmp_path)
    notice = NoticeMessage(id="notice01", at=NOW, kind=NoticeKind.TAKEN)
    topic, alert = topics.notice("lab", "k1"), topics.alert("lab", "alert001")
    sent = log.commit(
        Commit(
            steps=[step(1), step(2)],
            points=[point(1), point(2)],
            publications=[Publication(topic, notice), Publication(alert, None)],
        )
    )
    assert [(p.topic, p.payload == b"") for p in sent] == [(topic, False), (alert, True)]
    log._db.close()
    again = opened(tmp_path)
    assert again.steps_after(0) == [step(1), step(2)]
    assert again.steps_after(1) == [step(2)]
    assert again.pending() == sent
    assert again.spool_size()[0] == 2
    again.commit(Commit(confirmed=[sent[0].id]))
    assert again.pending() == sent[1:]
    again._db.close()


def test_a_commit_that_fails_leaves_nothing(tmp_path: Path) -> None:
    log = opened(tmp_path)
    log.commit(Commit(steps=[step(1)]))
    with pytest.raises(StateError):
        log.commit(Commit(steps=[step(2), step(1)], points=[point(1)], counts={"x": 1}))
    assert log.steps_after(0) == [step(1)]
    assert log.spool_size() == (0, 0)
    log._db.close()


def test_the_snapshot_is_what_was_saved_or_an_error(tmp_path: Path) -> None:
    log = opened(tmp_path)
    assert log.snapshot() is None
    log.save_snapshot(Snapshot(step(1), b"old"))
    log.save_snapshot(Snapshot(step(2), b"state" * 1000))
    log._db.close()
    again = opened(tmp_path)
    assert again.snapshot() == Snapshot(step(2), b"state" * 1000)
    again._db.execute("UPDATE snapshot_part SET data = ?", (b"stAte" * 1000,))
    with pytest.raises(StateError, match="the snapshot of step 2 is damaged"):
        again.snapshot()
    again._db.close()


def test_steps_are_forgotten_once_a_snapshot_covers_them(tmp_path: Path) -> None:
    log = opened(tmp_path)
    log.commit(Commit(steps=[step(n, minutes=n) for n in range(1, 6)]))
    hour = timedelta(hours=1)
    log.prune(NOW + 24 * hour, hour)
    assert len(log.steps_after(0)) == 5
    log.save_snapshot(Snapshot(step(4), b"state"))
    log.prune(NOW + hour + timedelta(minutes=2.5), hour)
    assert [s.number for s in log.steps_after(0)] == [3, 4, 5]
    log.prune(NOW + 24 * hour, hour)
    assert [s.number for s in log.steps_after(0)] == [4, 5]
    log._db.close()


def test_a_full_spool_drops_the_oldest_and_counts(tmp_path: Path) -> None:
    log = opened(tmp_path)
    for n in range(10):
        log.commit(Commit(steps=[step(n + 1)], points=[point(n)] * 3))
    points, size = log.spool_size()
    assert points == 30
    tail = SpoolTail(tmp_path)
    assert tail.bound(size) == 0
    dropped = tail.bound(size // 2)
    tail.close()
    points, kept_size = log.spool_size()
    assert points == 30 - dropped > 0
    assert kept_size <= size // 2
    kept = [row[0] for row in log._db.execute("SELECT id FROM spool ORDER BY id")]
    assert kept == list(range(11 - len(kept), 11))
    assert log._db.execute("SELECT value FROM counters").fetchall() == [(dropped,)]
    log._db.close()


class Flaky:
    """A real store that is away as long as the test says."""

    def __init__(self, path: Path, error: Exception | None = None) -> None:
        self.path, self.away, self.tried, self.opened = path, True, 0, 0
        self.error = error or StoreError("no database at 127.0.0.1:1")

    def open(self) -> Store:
        self.opened += 1
        return _FlakyStore(self, EmbeddedStore(self.path))


class _FlakyStore:
    def __init__(self, flaky: Flaky, store: EmbeddedStore) -> None:
        self._flaky, self._store = flaky, store

    def write(self, points: Sequence[Point]) -> WriteReport:
        self._flaky.tried += 1
        if self._flaky.away:
            # Half done, as a connection that breaks leaves it.
            self._store.write(points[: len(points) // 2])
            raise self._flaky.error
        return self._store.write(points)

    def __getattr__(self, name: str) -> Callable[..., object]:
        return getattr(self._store, name)


def times(path: Path) -> list[int]:
    store = EmbeddedStore(path, read_only=True)
    found = [row.time_ns for row in store.read(Query(measurement=Measurement.SCORE, site="lab"))]
    store.close()
    return found


def test_a_store_that_is_away_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    log = opened(tmp_path)
    for n in range(20):
        log.commit(Commit(steps=[step(n + 1)], points=[point(10 * n + i) for i in range(10)]))
    flaky = Flaky(tmp_path / "store.sqlite")
    writer = SpoolWriter(tmp_path, flaky.open, in_1970)
    writer.start()
    wait_until(lambda: flaky.tried > 1, what="tried again")
    assert "no database at" in writer.state.trouble
    assert writer.written_id == 0
    flaky.away = False
    wait_until(lambda: writer.written_id == 20)
    assert writer.state.trouble == ""
    assert writer.state.written == 200
    log.commit(Commit(steps=[step(21)], points=[point(1000)]))
    writer.notify()
    wait_until(lambda: writer.written_id == 21)
    writer.stop()
    assert times(tmp_path / "store.sqlite") == [*range(200), 1000]
    log._db.close()


def test_what_the_store_refuses_is_counted_and_does_not_stand_in_the_way(tmp_path: Path) -> None:
    log = opened(tmp_path)
    log.commit(Commit(steps=[step(1)]))
    log._db.execute("INSERT INTO spool (points, payload) VALUES (1, x'00')")
    log.commit(Commit(steps=[step(2)], points=[Point(Measurement.SCORE, {"site": "lab"}, {}, 2)]))
    log.commit(Commit(steps=[step(3)], points=[point(3)]))
    writer = SpoolWriter(tmp_path, lambda: EmbeddedStore(tmp_path / "store.sqlite"), in_1970)
    writer.start()
    wait_until(lambda: writer.written_id == 3)
    writer.stop()
    assert writer.state.refused == 2
    assert writer.state.last_refusal
    assert times(tmp_path / "store.sqlite") == [3]
    log._db.close()


def test_no_line_of_the_log_quotes_what_was_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = opened(tmp_path)
    whose = Point(Measurement.SCORE, {"site": "lab", "agent": "k1\\"}, {"evidence": 1.0}, 1)
    log.commit(Commit(steps=[step(1)], points=[whose]))
    writer = SpoolWriter(tmp_path, lambda: EmbeddedStore(tmp_path / "store.sqlite"), in_1970)
    writer.start()
    wait_until(lambda: writer.written_id == 1)
    writer.stop()
    assert (
        writer.state.last_refusal
        == "score: tag agent … is empty, not printable or ends in a backslash"
    )
    assert "the store refused 1 points (score)" in caplog.text
    assert "k1" not in caplog.text
    log._db.close()


def test_what_only_a_person_can_mend_ends_the_writer(tmp_path: Path) -> None:
    log = opened(tmp_path)

    def opening() -> Store:
        raise ConfigurationError("[store] wrong")

    writer = SpoolWriter(tmp_path, opening, in_1970)
    writer.start()
    wait_until(lambda: writer.failure is not None)
    assert str(writer.failure) == "[store] wrong"
    writer.stop()
    log._db.close()


def test_a_bug_while_writing_is_told_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A thread that ended in silence would fill the disk while everything else looks well."""
    log = opened(tmp_path)
    log.commit(Commit(steps=[step(1)], points=[point(1)]))
    flaky = Flaky(tmp_path / "store.sqlite", KeyError("what was measured"))
    writer = SpoolWriter(tmp_path, flaky.open, in_1970)
    writer.start()
    wait_until(lambda: flaky.tried > 1, what="tried again")
    assert "bug of this program" in writer.state.trouble
    assert "KeyError" in caplog.text
    assert "measured" not in writer.state.trouble
    flaky.away = False
    wait_until(lambda: writer.written_id == 1)
    writer.stop()
    assert writer.failure is None
    assert times(tmp_path / "store.sqlite") == [1]
    log._db.close()


def test_a_server_that_was_away_may_be_another_when_it_is_back(tmp_path: Path) -> None:
    log = opened(tmp_path)
    log.commit(Commit(steps=[step(1)], points=[point(1)]))
    flaky = Flaky(tmp_path / "store.sqlite", StoreUnreachableError("no database"))
    writer = SpoolWriter(tmp_path, flaky.open, in_1970)
    writer.start()
    wait_until(lambda: flaky.opened > 1, what="opened anew")
    flaky.away = False
    wait_until(lambda: writer.written_id == 1)
    writer.stop()
    assert times(tmp_path / "store.sqlite") == [1]
    log._db.close()


@pytest.mark.parametrize("error", [StoreError("may not delete"), RuntimeError("a bug")])
def test_an_erasure_the_store_will_not_do_keeps_no_point_from_it(
    tmp_path: Path, error: Exception
) -> None:
    log = opened(tmp_path)
    may, tried = threading.Event(), []

    class Unwilling(EmbeddedStore):
        def erase(self, site: str, agent: str, before: datetime | None = None) -> int:
            tried.append(agent)
            if not may.is_set():
                raise error
            return super().erase(site, agent, before)

    done: list[int] = []

    def erase(store: Eraser) -> None:
        done.append(store.erase("lab", "k1"))

    log.commit(Commit(steps=[step(1)], points=[point(1)]))
    writer = SpoolWriter(tmp_path, lambda: Unwilling(tmp_path / "store.sqlite"), in_1970)
    errands = Errands(writer.erase)
    errands.ask(erase)
    writer.start()
    wait_until(lambda: writer.written_id == 1)
    errands.start()
    wait_until(lambda: len(tried) > 1, what="tried again")
    assert writer.state.trouble == ""
    may.set()
    wait_until(lambda: done)
    writer.stop()
    errands.stop()
    assert done == [1]
    log._db.close()


def test_what_is_older_than_its_retention_goes_by_the_servers_clock(tmp_path: Path) -> None:
    day_ns = 86_400 * 10**9
    now_ns = epoch_ns(NOW)
    log = opened(tmp_path)
    kept, old = point(now_ns - 89 * day_ns), point(now_ns - 91 * day_ns)
    fresh = point(now_ns - 5_000_000_000)  # which says that the clock is right
    log.commit(Commit(steps=[step(1)], points=[old, kept, fresh]))
    path = tmp_path / "store.sqlite"
    writer = SpoolWriter(tmp_path, lambda: EmbeddedStore(path), lambda: NOW)
    writer.start()
    wait_until(lambda: writer.written_id == 1)
    writer.stop()
    assert times(path) == [kept.time_ns, fresh.time_ns]
    log._db.close()
