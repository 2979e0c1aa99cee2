"""Points that follow their step, so that nobody who is alerted waits for them: none is ever lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from analytics.alerts import points_out
from analytics.events import Arrival, Outputs
from analytics.journal.intake import Accepted
from analytics.journal.journal import Journal
from analytics.journal.steps import Commit, Snapshot, Step, StepLog
from analytics.people.teams import load_teams
from analytics.pipeline.isolation import Stepper
from analytics.pipeline.pipeline import Pipeline
from analytics.state.packing import unpack
from analytics.state.state_file import FILE_NAME, open_state
from analytics.store.points import Measurement, Point
from sensors import codec, topics
from sensors.messages import Message, ReadingMessage, RequestKind, RequestMessage
from tests.analytics.server_rig import SITE, reading, write_teams

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


class Server:
    """Journal, log and stepper over one directory, as the service drives them."""

    def __init__(self, directory: Path) -> None:
        self.db = open_state(directory)
        path = directory / FILE_NAME
        self.journal = Journal(self.db, path)
        self.log = StepLog(self.db, path, as_lines=True)
        self.pipeline = Pipeline(SITE, load_teams(write_teams(directory)))
        self.stepper = Stepper(self.pipeline, self.journal, self.log)
        self.stepper.recover()

    def receive(self, agent: str, *messages: Message) -> None:
        batch = []
        for message in messages:
            key = None
            where = topics.reading(SITE, agent)
            if isinstance(message, RequestMessage):
                where, key = topics.request(SITE, agent), message.id
            payload = codec.encode(message)
            batch.append(Accepted(where, payload, agent, message, key=key))  # type: ignore[arg-type]
        self.journal.append(batch, NOW)

    def step(self) -> Outputs:
        """Do a step and commit what is to be told; its points are owed."""
        done, everything = self.stepper.done, self.journal.position
        now = NOW + timedelta(seconds=4 * (done.number + 1))
        reached = Step(done.number + 1, everything, everything, now)
        outputs = self.stepper.step(self.journal.between(done, reached), reached)
        told = outputs.publications
        steps = self.stepper.unrecorded
        self.log.commit(Commit(steps=steps, publications=told, owes_points=bool(told)))
        self.stepper.unrecorded.clear()
        return outputs

    def spooled(self) -> list[Point]:
        rows = self.db.execute("SELECT payload FROM spool ORDER BY id").fetchall()
        return sorted((p for (payload,) in rows for p in unpack(payload)), key=_place)


def _place(point: Point) -> tuple[object, ...]:
    return point.measurement, point.tags["agent"], point.time_ns


def windows(*seqs: int, source: str = "pc") -> list[ReadingMessage]:
    ends = {n: NOW + timedelta(seconds=5 * n) for n in seqs}
    return [reading(n, source=source, window_end_at=end) for n, end in ends.items()]


def help_me(number: int = 1) -> RequestMessage:
    return RequestMessage(id=f"request{number}", at=NOW, kind=RequestKind.HELP_NOW)


Serve = Callable[[], Server]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    opened: list[Server] = []

    def start() -> Server:
        for server in opened:
            server.db.close()
        opened.append(Server(tmp_path))
        return opened[-1]

    yield start
    opened[-1].db.close()


@pytest.mark.parametrize("snapshot", [False, True], ids=["no snapshot", "snapshot"])
def test_who_died_between_alert_and_points_makes_them_at_the_next_start(
    serve: Serve, *, snapshot: bool
) -> None:
    server = serve()
    server.receive("k1", *windows(0, 1))
    quiet = server.step()
    assert not quiet.publications
    server.log.pay(quiet.points)
    if snapshot:
        server.log.save_snapshot(Snapshot(server.stepper.done, server.pipeline.snapshot()))
    before = server.spooled()
    server.receive("k1", *windows(2), help_me())
    outputs = server.step()
    assert outputs.publications
    assert server.log.owed_by() == server.stepper.done.number
    expected = sorted([*before, *outputs.points], key=_place)
    assert server.spooled() == before != expected
    reached = server.pipeline.snapshot()

    for _ in range(2):  # the second start owes nothing any more
        server = serve()
        assert server.spooled() == expected
        assert server.log.owed_by() is None
        assert server.pipeline.snapshot() == reached
    assert [p.topic for p in server.log.pending()] == [p.topic for p in outputs.publications]


def test_points_of_windows_are_made_only_when_somebody_looks(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    make = points_out.window_time_ns
    monkeypatch.setattr(points_out, "window_time_ns", lambda m: (made.append(m), make(m))[1])
    server = serve()
    server.receive("k1", *windows(0, 1), help_me())
    outputs = server.step()
    assert outputs.points
    kinds = {point.measurement for point in outputs.points.at_hand()}
    assert (made, kinds) == ([], {Measurement.DECISION, Measurement.TRANSITION})
    server.stepper.pay(outputs)
    assert len(made) == 2
    assert server.spooled() == sorted(outputs.points, key=_place)


def test_a_bug_met_in_making_them_costs_that_window_alone(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = points_out.window_time_ns

    def broken(message: ReadingMessage) -> int:
        if (message.source, message.seq) == ("desk", 1):
            raise KeyError(message.source)
        return make(message)

    monkeypatch.setattr(points_out, "window_time_ns", broken)
    server = serve()
    server.receive("k1", *windows(0, 1))
    server.receive("k2", *windows(0, 1, 2, source="desk"))
    server.receive("k1", help_me())
    outputs = server.step()
    assert outputs.publications
    server.stepper.pay(outputs)
    told = [
        (p.tags["agent"], p.fields["seq"])
        for p in server.spooled()
        if p.measurement is Measurement.READING
    ]
    assert sorted(told) == [("k1", 0), ("k1", 1), ("k2", 0), ("k2", 2)]
    [(detail,)] = server.db.execute("SELECT detail FROM set_aside").fetchall()
    assert detail.startswith("KeyError in test_points_owed.py line ")
    assert server.log.owed_by() is None
    server.receive("k2", *windows(3, source="desk"), help_me(2))
    server.stepper.pay(server.step())
    assert ("k2", 3) in {
        (p.tags["agent"], p.fields["seq"]) for p in server.spooled() if "seq" in p.fields
    }


def test_the_next_such_bug_repeats_no_more_than_the_steps_since_the_one_before(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An edge may send such a window every five seconds, and a snapshot covers 30 s of a floor."""
    make = points_out.window_time_ns

    def broken(message: ReadingMessage) -> int:
        if message.source == "desk":
            raise KeyError(message.source)
        return make(message)

    monkeypatch.setattr(points_out, "window_time_ns", broken)
    server, stepped = serve(), []
    step = server.pipeline.step

    def counted(arrivals: Sequence[Arrival], now: datetime) -> Outputs:
        stepped.append(now)
        return step(arrivals, now)

    monkeypatch.setattr(server.pipeline, "step", counted)
    for seq in range(40):
        server.receive("k1", *windows(seq))
        server.log.pay(server.step().points)
    took = []
    for number, asking in enumerate(("k2", "k3")):
        server.receive("k2", *windows(number, source="desk"))
        server.receive(asking, help_me(number))
        outputs = server.step()
        stepped.clear()
        assert outputs.publications
        assert not server.stepper.pay(outputs)
        took.append(len(stepped))
    assert took[0] > 40 > 20 > took[1]
    reached = server.pipeline.snapshot()
    assert serve().pipeline.snapshot() == reached


def test_a_call_for_help_outlives_its_own_point_that_cannot_be_packed(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The agent was told that it arrived; no bug in its record may take it back."""
    make = points_out.request

    def broken(site: str, agent: str, message: RequestMessage, effect: str) -> Point:
        point = make(site, agent, message, effect)
        return replace(point, fields={**point.fields, "effect": object()})  # type: ignore[dict-item]

    monkeypatch.setattr(points_out, "request", broken)
    server = serve()
    server.receive("k1", *windows(0))
    server.receive("k2", help_me())
    outputs = server.step()
    told = [p.topic for p in outputs.publications]
    assert [topic for topic in told if "/alert/" in topic]
    assert server.stepper.pay(outputs), "the alert is cleared"
    assert server.db.execute("SELECT count(*) FROM set_aside").fetchone() == (0,)
    found = {(p.measurement, p.tags["agent"]) for p in server.spooled()}
    assert (Measurement.READING, "k1") in found
    assert "what was told stands" in caplog.text
    reached = server.pipeline.snapshot()
    again = serve()  # at the next start likewise
    assert again.pipeline.snapshot() == reached
    assert again.db.execute("SELECT count(*) FROM set_aside").fetchone() == (0,)
