"""A bug met by one message: that one is set aside, everything else is as if it had not come."""

from __future__ import annotations

import gc
import json
import logging
import sys
import weakref
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.events import Arrival, Outputs
from analytics.journal.intake import BACKLOG, LIVE, Accepted
from analytics.journal.journal import Journal
from analytics.journal.steps import Commit, Snapshot, Step, StepLog
from analytics.people.teams import Teams, load_teams
from analytics.pipeline.isolation import Stepper, sift
from analytics.pipeline.pipeline import Pipeline
from analytics.server_log import JsonFormatter
from analytics.state.state_file import FILE_NAME, open_state
from analytics.store.points import Measurement, Point
from sensors import codec, topics
from sensors.errors import ConfigurationError, Refusal
from tests.analytics.server_rig import SITE, Poisoned, reading, undisturbed, write_teams

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


def arrivals_of(count: int) -> list[Arrival]:
    return [Arrival(n, NOW, "k1", reading(n, window_end_at=NOW)) for n in range(count)]


@given(st.integers(1, 40), st.sets(st.integers(0, 39)))
def test_each_culprit_is_found_and_nobody_else(count: int, poisonous: set[int]) -> None:
    tries = []

    def fails(some: Sequence[Arrival]) -> Exception | None:
        tries.append(some)
        assert [one.position for one in some] == sorted(one.position for one in some)
        return KeyError() if any(one.position in poisonous for one in some) else None

    found = sift(arrivals_of(count), fails)
    there = {one.position for one in arrivals_of(count)}
    assert {one.position for one, _ in found.culprits} == poisonous & there
    assert {one.position for one in found.good} == there - poisonous
    assert len(tries) <= 2 * count


def test_of_several_that_fail_only_together_the_last_is_blamed() -> None:
    found = sift(
        arrivals_of(9),
        lambda some: KeyError() if {2, 7} <= {one.position for one in some} else None,
    )
    assert [one.position for one, _ in found.culprits] == [7]
    assert len(found.good) == 8


def test_without_time_to_split_a_failing_group_goes_undivided() -> None:
    times = iter([True, True, False])
    found = sift(
        arrivals_of(8),
        lambda some: KeyError() if any(one.position == 5 for one in some) else None,
        lambda: next(times),
    )
    assert [one.position for one, _ in found.culprits] == [4, 5]
    assert [one.position for one in found.good] == [0, 1, 2, 3, 6, 7]


class Server:
    """Journal, log and stepper over one directory, as the service drives them."""

    def __init__(self, directory: Path, pipeline: Pipeline) -> None:
        self.db = open_state(directory)
        path = directory / FILE_NAME
        self.journal, self.log = Journal(self.db, path), StepLog(self.db, path)
        self.pipeline = pipeline
        self.stepper = Stepper(pipeline, self.journal, self.log)
        self.repeated = self.stepper.recover()
        self.points: list[Point] = []

    def receive(self, *seqs: int, agent: str = "k1", lane: int = LIVE) -> None:
        batch = []
        for seq in seqs:
            message = reading(seq, window_end_at=NOW + timedelta(seconds=5 * seq))
            payload = codec.encode(message)
            batch.append(Accepted(topics.reading(SITE, agent), payload, agent, message, lane))
        self.journal.append(batch, NOW)

    def step(self, *, record: bool = True) -> None:
        done, everything = self.stepper.done, self.journal.position
        now = NOW + timedelta(seconds=4 * (done.number + 1))
        reached = Step(done.number + 1, everything, everything, now)
        self.points += self.stepper.step(self.journal.between(done, reached), reached).points
        if record:
            self.log.commit(Commit(steps=self.stepper.unrecorded))
            self.stepper.unrecorded.clear()

    def snapshot(self) -> None:
        self.log.save_snapshot(Snapshot(self.stepper.done, self.pipeline.snapshot()))
        self.stepper.saved()

    def aside(self) -> list[tuple[str, str]]:
        return self.db.execute("SELECT refusal, detail FROM set_aside ORDER BY id").fetchall()

    def count(self) -> int:
        row = self.db.execute("SELECT value FROM counters WHERE name = 'refused.fault'").fetchone()
        return int(row[0]) if row else 0


Serve = Callable[..., Server]


@pytest.fixture
def teams(tmp_path: Path) -> Teams:
    return load_teams(write_teams(tmp_path))


@pytest.fixture
def serve(tmp_path: Path, teams: Teams) -> Iterator[Serve]:
    opened: list[Server] = []

    def start(pipeline: Pipeline | None = None, **poison: set[tuple[str, int]]) -> Server:
        for server in opened:
            server.db.close()
        opened.append(Server(tmp_path, pipeline or Poisoned(SITE, teams, **poison)))
        return opened[-1]

    yield start
    opened[-1].db.close()


def told(points: Sequence[Point]) -> list[tuple[str, object]]:
    return [
        (point.tags["agent"], point.fields["seq"])
        for point in points
        if point.measurement is Measurement.READING
    ]


@pytest.mark.parametrize("snapshot", [False, True], ids=["no snapshot", "snapshot"])
def test_the_rest_is_scored_as_if_the_message_had_never_come(
    tmp_path: Path, teams: Teams, serve: Serve, snapshot: bool
) -> None:
    server = serve(alone={("k2", 1)})
    server.receive(0, 1)
    server.step()
    if snapshot:
        server.snapshot()
    for _ in range(3):  # nobody saw these: only the stepper knows that we were listening
        server.step(record=False)
    server.receive(2, 3)
    server.receive(0, 1, 2, agent="k2")
    server.receive(0, agent="k3", lane=BACKLOG)
    server.step()
    server.receive(4)
    server.step()
    everything = [("k1", n) for n in range(5)] + [("k2", 0), ("k2", 2), ("k3", 0)]
    assert sorted(told(server.points)) == everything
    assert server.count() == 1
    [(refusal, detail)] = server.aside()
    assert refusal == Refusal.FAULT
    assert detail.startswith("KeyError in server_rig.py line ")
    reached = server.pipeline.snapshot()
    assert undisturbed(tmp_path, teams, lambda: Pipeline(SITE, teams)) == (reached, server.points)

    again = serve(alone={("k2", 1)})
    assert again.repeated == (5 if snapshot else 6)
    assert again.pipeline.snapshot() == reached
    assert again.count() == 1
    assert again.journal.streams.high(("k2", "pc", "run00001")) == 2  # it was received
    again.receive(1, agent="k2")
    again.step()
    assert again.count() == 1  # a duplicate, known as one


def test_two_that_fail_only_together_cost_one(tmp_path: Path, teams: Teams, serve: Serve) -> None:
    server = serve(together={("k1", 1), ("k2", 1)})
    server.receive(0, 1, 2)
    server.receive(0, 1, 2, agent="k2")
    server.step()
    assert sorted(told(server.points)) == [("k1", 0), ("k1", 1), ("k1", 2), ("k2", 0), ("k2", 2)]
    reached = server.pipeline.snapshot()
    assert undisturbed(tmp_path, teams, lambda: Pipeline(SITE, teams)) == (reached, server.points)
    assert serve(together={("k1", 1), ("k2", 1)}).pipeline.snapshot() == reached


def test_one_after_the_other_is_told_once(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    server = serve(alone={("k1", n) for n in range(1, 9)})
    for seq in range(10):
        server.receive(seq)
        server.receive(seq, agent="k2")
        server.step()
        if seq == 5:
            server.snapshot()
    assert sorted(told(server.points)) == [("k1", 0), ("k1", 9)] + [("k2", n) for n in range(10)]
    assert server.count() == len(server.aside()) == 8
    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info
    assert "a bug of this program" in record.getMessage()


def test_a_recorded_step_that_fails_in_another_version_is_repeated_without_it(
    tmp_path: Path, teams: Teams, serve: Serve
) -> None:
    server = serve()
    for seq in range(4):
        server.receive(seq)
        server.receive(seq, agent="k2", lane=BACKLOG)
        server.step()
    again = serve(alone={("k2", 1)})
    assert (again.repeated, again.count()) == (4, 1)
    reached = again.pipeline.snapshot()
    assert undisturbed(tmp_path, teams, lambda: Pipeline(SITE, teams))[0] == reached
    last = serve(alone={("k2", 1)})
    assert last.pipeline.snapshot() == reached
    assert last.count() == 1
    stream = last.journal.streams._all["k2", "pc", "run00001"]
    assert (stream.received, stream.late, stream.refused) == (4, 4, 0)


def test_a_second_one_soon_after_costs_little(serve: Serve) -> None:
    server = serve(alone={("k1", 30), ("k1", 32)})
    for seq in range(32):
        server.receive(seq)
        server.step()
    before = server.pipeline.stepped
    server.receive(32)
    server.step()
    assert server.count() == 2
    assert server.pipeline.stepped - before < 10  # and not all thirty again


class Broken(Pipeline):
    """Fails whatever it is given; the last error again and again."""

    def __init__(self, site: str, teams: Teams, *errors: Exception) -> None:
        super().__init__(site, teams)
        self._errors = list(errors)

    def step(self, arrivals: Sequence[Arrival], now: datetime) -> Outputs:
        raise self._errors.pop(0) if len(self._errors) > 1 else self._errors[0]


@pytest.mark.parametrize(
    "errors",
    [
        pytest.param((ZeroDivisionError(),), id="the clock alone"),
        pytest.param((ConfigurationError("do this"),), id="the operator must act"),
        pytest.param((MemoryError(),), id="no memory"),
        pytest.param((KeyError(), MemoryError()), id="no memory while searching"),
    ],
)
def test_what_no_message_is_to_blame_for_costs_none(
    teams: Teams, serve: Serve, errors: tuple[Exception, ...]
) -> None:
    server = serve(Broken(SITE, teams, *errors))
    server.receive(0, 1)
    with pytest.raises(type(errors[-1])):
        server.step()
    assert server.count() == 0
    assert len(server.journal.waiting_live(0)) == 2


def test_a_bug_keeps_its_traceback_as_json() -> None:
    try:
        Broken(SITE, Teams({}), KeyError("k")).step([], NOW)
    except KeyError:
        record = logging.LogRecord("x", logging.ERROR, "", 0, "told", (), sys.exc_info())
    line = json.loads(JsonFormatter(SITE).format(record))
    assert line["text"] == "told"
    assert "in step" in line["trace"]


class _MetError(KeyError):
    """An error of which one can ask whether it is still there, with the state it was met on."""


def test_what_was_met_is_not_kept_in_memory(
    serve: Serve, teams: Teams, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state of a big floor is 100 MB, and `wellbeing detect` looks for circles seldom."""
    met: weakref.WeakSet[_MetError] = weakref.WeakSet()
    step = Pipeline.step

    def noted(error: _MetError) -> _MetError:
        met.add(error)
        return error

    def broken(self: Pipeline, arrivals: Sequence[Arrival], now: datetime) -> Outputs:
        if any(one.agent == "k2" for one in arrivals):
            raise noted(_MetError())
        return step(self, arrivals, now)

    monkeypatch.setattr(Pipeline, "step", broken)
    monkeypatch.setattr(logging.getLogger("wellbeing.detect"), "disabled", True)
    server = serve(Pipeline(SITE, teams))
    often = gc.get_threshold()
    gc.set_threshold(1_000_000)  # never while this runs
    try:
        for seq in range(3):
            server.receive(seq)
            server.receive(seq, agent="k2")
            server.step()
    finally:
        gc.set_threshold(*often)
    assert server.count() == 3
    assert not met
