"""The writer as a process of its own: drained, killed, orphaned and asked, on real stores."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from analytics.journal.steps import Commit, StepLog
from analytics.state.state_file import _BUSY_S, FILE_NAME, open_state
from analytics.store.base import Query
from analytics.store.embedded import EmbeddedStore
from analytics.store.points import Measurement, Point, epoch_ns
from analytics.store.settings import StoreSettings
from analytics.writing import lanes as spool_lanes
from analytics.writing import set_aside, writer_process
from analytics.writing.writer_process import WriterProcess
from sensors.errors import ConfigurationError, StoreError, StoreUnreachableError
from tests.rig import Influxd, free_port, wait_until

PATIENCE_S = 60.0
NOW_NS = epoch_ns(datetime.now(UTC) - timedelta(hours=1))

Start = Callable[[StoreSettings], WriterProcess]


def point(n: int, agent: str = "k1") -> Point:
    tags = {"site": "lab", "agent": agent}
    return Point(Measurement.SCORE, tags, {"evidence": n / 7, "seq": n}, NOW_NS + n)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[StepLog]:
    db = open_state(tmp_path)
    yield StepLog(db, tmp_path / FILE_NAME)
    db.close()


@pytest.fixture
def start(log: StepLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    monkeypatch.setattr(spool_lanes, "BACK_OFF_MAX_S", 0.5)
    made: list[WriterProcess] = []

    def run(settings: StoreSettings) -> WriterProcess:
        made.append(WriterProcess(tmp_path, settings))
        made[-1].start()
        return made[-1]

    yield run
    for writer in made:
        writer.stop()


@pytest.fixture
def embedded(tmp_path: Path) -> StoreSettings:
    return StoreSettings(path=str(tmp_path / "store.sqlite"))


def seqs(settings: StoreSettings) -> list[int]:
    try:
        store = EmbeddedStore(settings.file(), read_only=True)
    except StoreError:
        return []  # not made yet
    rows = store.read(Query(measurement=Measurement.SCORE, site="lab"))
    store.close()
    return [int(row.fields["seq"]) for row in rows]


def is_gone(pid: int) -> bool:
    """Return whether a process is no more, or only waits for its parent to look."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_it_writes_what_is_there_and_what_comes(
    log: StepLog, embedded: StoreSettings, start: Start
) -> None:
    log.commit(Commit(points=[point(n) for n in range(10)]))
    writer = start(embedded)
    wait_until(lambda: writer.state.written == 10, PATIENCE_S)
    log.commit(Commit(points=[point(10)]))
    writer.notify()
    wait_until(lambda: (writer.state.written, writer.written_id) == (11, 2), PATIENCE_S)
    assert seqs(embedded) == list(range(11))
    assert log.spool_size() == (0, 0)
    log.commit(Commit(points=[point(11)]))
    writer.stop()
    assert seqs(embedded) == list(range(12)), "drained before it ends"
    assert writer.pid is None


def test_killed_again_and_again_it_loses_nothing_and_doubles_nothing(
    log: StepLog, embedded: StoreSettings, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    writer = start(embedded)
    made = 0
    for _ in range(3):
        wait_until(lambda: writer.pid is not None, PATIENCE_S)
        for _ in range(20):
            log.commit(Commit(points=[point(made + n) for n in range(50)]))
            made += 50
            writer.notify()
        wait_until(lambda made=made: len(seqs(embedded)) >= made - 900, PATIENCE_S)
        pid = writer.pid
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda pid=pid: writer.pid not in (None, pid), PATIENCE_S)
    wait_until(lambda: log.spool_size() == (0, 0), PATIENCE_S)
    assert seqs(embedded) == list(range(made))
    assert writer.state.restarts == 3
    wait_until(lambda: not writer.state.trouble, PATIENCE_S)
    assert "(exit code -9); results wait in the spool" in caplog.text


@pytest.mark.needs("influxd")
def test_no_secret_of_the_store_stands_where_others_look(
    log: StepLog, tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WELLBEING_STORE_PASSWORD", "s3cretword")
    server = Influxd(tmp_path / "influxd")
    server.start()
    try:
        server.query('CREATE DATABASE "wellbeing"')
        server.query('CREATE RETENTION POLICY "derived" ON "wellbeing" DURATION 90d REPLICATION 1')
        log.commit(Commit(points=[point(n) for n in range(10)]))
        settings = StoreSettings(
            kind="influxdb", url=server.url, username="w", password="s3cretword"
        )
        writer = start(settings)
        wait_until(lambda: writer.state.written == 10, PATIENCE_S)
        assert writer.pid is not None
        process = psutil.Process(writer.pid)
        assert "s3cretword" not in " ".join(process.cmdline())
        assert "s3cretword" not in " ".join(process.environ().values())
        counted = server.query('SELECT count("seq") FROM "wellbeing"."derived"."score"')
        assert counted[0]["values"][0][1] == 10
        # Away and back again: it is told in words, and nobody starts anything again.
        server.stop()
        log.commit(Commit(points=[point(10)]))
        wait_until(lambda: "is it running" in writer.state.trouble, PATIENCE_S)
        with pytest.raises(StoreUnreachableError, match="is it running"):
            writer.erase("lab", "k1").result(PATIENCE_S)
        server.start()
        wait_until(lambda: writer.state.written == 11, PATIENCE_S)
        assert (writer.state.trouble, writer.state.restarts) == ("", 0)
    finally:
        server.stop()


def test_it_erases_after_all_that_was_read_before(
    log: StepLog, embedded: StoreSettings, start: Start
) -> None:
    log.commit(Commit(points=[point(n, f"k{n % 2}") for n in range(10)]))
    writer = start(embedded)
    wait_until(lambda: writer.state.written == 10, PATIENCE_S)
    answers = [writer.erase("lab", "k1"), writer.erase("lab", "nobody")]
    assert [answer.result(PATIENCE_S) for answer in answers] == [5, 0]
    assert seqs(embedded) == [0, 2, 4, 6, 8]
    at = datetime.fromtimestamp((NOW_NS + 5) / 1e9, UTC) + timedelta(microseconds=1)
    assert writer.erase("lab", "k0", at).result(PATIENCE_S) == 5


def test_an_erasure_it_dies_over_is_asked_for_again(
    log: StepLog, embedded: StoreSettings, start: Start
) -> None:
    writer = start(embedded)
    wait_until(lambda: writer.pid is not None, PATIENCE_S)
    assert writer.pid is not None
    os.kill(writer.pid, signal.SIGSTOP)
    asked: list[Future[int]] = [writer.erase("lab", "k1")]
    os.kill(writer.pid, signal.SIGKILL)
    with pytest.raises(StoreUnreachableError):
        asked[0].result(PATIENCE_S)


def test_one_that_hangs_makes_nobody_wait(
    log: StepLog, embedded: StoreSettings, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_process, "END_WITHIN_S", 0.2)
    writer = start(embedded)
    wait_until(lambda: writer.pid is not None, PATIENCE_S)
    assert writer.pid is not None
    os.kill(writer.pid, signal.SIGSTOP)
    for _ in range(10_000):  # more than the pipe holds
        writer.notify()
    with pytest.raises(StoreUnreachableError):
        writer.erase("lab", "k1").result(PATIENCE_S)
    writer.stop()
    assert writer.pid is None


def test_one_that_hangs_is_started_anew_also_while_there_is_nothing_to_tell_it(
    log: StepLog, embedded: StoreSettings, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_process, "HUNG_S", 3.0)
    writer = start(embedded)
    log.commit(Commit(points=[point(1)]))
    wait_until(lambda: writer.state.written == 1, PATIENCE_S)
    hung = writer.pid
    assert hung is not None
    os.kill(hung, signal.SIGSTOP)
    log.commit(Commit(points=[point(2)]))
    asked = writer.erase("lab", "k9")
    wait_until(lambda: is_gone(hung), PATIENCE_S)
    with pytest.raises(StoreUnreachableError):
        asked.result(PATIENCE_S)
    wait_until(lambda: seqs(embedded) == [1, 2], PATIENCE_S)


HANGS_WITH_THE_FILE_LOCKED = """
import sqlite3, sys, time
from analytics.writing.report import StoreState
from analytics.writing.writer_protocol import Told, line, read_begin
begin = read_begin(sys.stdin.buffer.readline())
db = sqlite3.connect(begin.directory + "/server.sqlite", isolation_level=None)
db.execute("BEGIN IMMEDIATE")
sys.stdout.buffer.write(line(Told(state=StoreState(written=1))))
sys.stdout.flush()
time.sleep(600)
"""


def test_one_that_hangs_with_the_file_locked_does_not_end_the_server(
    log: StepLog, embedded: StoreSettings, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_process, "COMMAND", ("-c", HANGS_WITH_THE_FILE_LOCKED))
    assert writer_process.HUNG_S + 2 * writer_process.LOOK_EVERY_S < _BUSY_S
    writer = start(embedded)
    wait_until(lambda: writer.state.written == 1, PATIENCE_S)
    monkeypatch.undo()  # the next one is as it should be
    log.commit(Commit(points=[point(1)]))
    wait_until(lambda: seqs(embedded) == [1], PATIENCE_S)


DIES_OF_A_BUG = """
from analytics.writing.spool import SpoolWriter
from analytics.writing.writer_child import main

def _is_over(self, tail):
    raise LookupError("k1 was measured")

SpoolWriter._is_over = _is_over
main()
"""


def test_one_whose_writing_dies_of_a_bug_is_started_anew(
    log: StepLog,
    embedded: StoreSettings,
    start: Start,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(writer_process, "COMMAND", ("-c", DIES_OF_A_BUG))
    log.commit(Commit(points=[point(1)]))
    writer = start(embedded)
    wait_until(lambda: writer.state.restarts > 0, PATIENCE_S)
    monkeypatch.undo()
    wait_until(lambda: seqs(embedded) == [1], PATIENCE_S)
    assert "LookupError" in caplog.text
    assert "k1 was measured" not in "".join(record.getMessage() for record in caplog.records)


def test_what_lies_where_the_server_was_started_is_no_module_of_it(
    log: StepLog,
    embedded: StoreSettings,
    start: Start,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("analytics", "logging"):
        (tmp_path / "elsewhere" / name).mkdir(parents=True)
        (tmp_path / "elsewhere" / name / "__init__.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path / "elsewhere")
    log.commit(Commit(points=[point(1)]))
    writer = start(embedded)
    wait_until(lambda: writer.state.written == 1 or writer.state.restarts > 0, PATIENCE_S)
    assert writer.state.restarts == 0


def test_what_the_store_refuses_is_set_aside_and_told(
    log: StepLog, embedded: StoreSettings, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    bad = Point(Measurement.SCORE, {"site": "lab", "agent": "k1"}, {"evidence": "x"}, NOW_NS + 99)
    log.commit(Commit(points=[point(1)]))
    writer = start(embedded)
    wait_until(lambda: writer.state.written == 1, PATIENCE_S)
    log.commit(Commit(points=[bad]))
    writer.notify()
    wait_until(lambda: writer.state.refused == 1, PATIENCE_S)
    (kept,) = set_aside.listed(log._db, log._path)
    assert (kept.points, "evidence" in kept.reason) == (1, True)
    assert "the store refused 1 points (score); why, tells" in caplog.text


def test_what_only_a_person_can_mend_ends_it_for_good(log: StepLog, start: Start) -> None:
    writer = start(StoreSettings(kind="influxdb", ca_file="/nowhere"))
    wait_until(lambda: writer.failure is not None, PATIENCE_S)
    assert isinstance(writer.failure, ConfigurationError)
    assert str(writer.failure) == "[store] ca_file is '/nowhere'; no such file"
    wait_until(lambda: writer.pid is None, PATIENCE_S)
    assert writer.state.restarts == 0


def test_a_signal_drains_it_and_it_is_there_again(
    log: StepLog, embedded: StoreSettings, start: Start
) -> None:
    writer = start(embedded)
    log.commit(Commit(points=[point(1)]))
    writer.notify()
    wait_until(lambda: writer.state.written == 1, PATIENCE_S)
    first = writer.pid
    assert first is not None
    os.kill(first, signal.SIGINT)  # as Ctrl-C does to a whole terminal
    os.kill(first, signal.SIGTERM)
    wait_until(lambda: writer.pid not in (None, first), PATIENCE_S)
    assert writer.state.restarts == 1
    log.commit(Commit(points=[point(2)]))
    wait_until(lambda: seqs(embedded) == [1, 2], PATIENCE_S)


PARENT = """
import sys, time
from pathlib import Path
from analytics.store.settings import StoreSettings
from analytics.writing.writer_process import WriterProcess
writer = WriterProcess(Path(sys.argv[1]), StoreSettings(kind="influxdb", url=sys.argv[2]))
writer.start()
while writer.pid is None or not writer.state.trouble:
    time.sleep(0.01)
print(writer.pid, flush=True)
time.sleep(600)
"""


def test_it_ends_with_a_parent_that_was_killed(log: StepLog, tmp_path: Path) -> None:
    log.commit(Commit(points=[point(1)]))
    nobody = f"http://127.0.0.1:{free_port()}"
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path), nobody], stdout=subprocess.PIPE
    )
    try:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert not is_gone(child)
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()
    wait_until(lambda: is_gone(child), PATIENCE_S)


def test_scoring_and_writing_do_not_share_an_interpreter(
    log: StepLog, embedded: StoreSettings, start: Start
) -> None:
    """Whoever computes without a pause keeps nobody from writing."""
    before = threading.active_count()  # what other tests left is not this one's
    writer = start(embedded)
    wait_until(lambda: writer.pid is not None, PATIENCE_S)
    assert writer.pid != os.getpid()
    assert threading.active_count() < before + 6
    log.commit(Commit(points=[point(n) for n in range(1_000)]))
    end = time.monotonic() + PATIENCE_S
    while log.spool_size() != (0, 0):
        sum(range(10_000))
        assert time.monotonic() < end
    assert len(seqs(embedded)) == 1_000
