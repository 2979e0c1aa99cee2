"""The service goes on: without a store, past a bug, and leaves its file in order when it fails."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from analytics.clock import now_utc
from analytics.events import Arrival, Outputs
from analytics.journal.intake import Accepted
from analytics.journal.journal import Journal
from analytics.journal.steps import Step
from analytics.people.teams import Teams, load_teams
from analytics.pipeline.isolation import Stepper
from analytics.pipeline.pipeline import Pipeline
from analytics.pipeline.service_options import ServiceOptions
from analytics.server.rights_office import is_running
from analytics.server.service import Service
from analytics.server.subscriber import Subscriber
from analytics.state import snapshot_rows
from analytics.state.state_file import FILE_NAME, open_for_reading, open_state
from analytics.store.base import Store
from analytics.store.embedded import EmbeddedStore
from analytics.store.formatted import Formatted
from analytics.store.line_protocol import Encoder
from analytics.store.points import Point
from analytics.watching.status_lines import as_lines
from analytics.writing.spool import SpoolWriter
from sensors import codec, topics
from sensors.config import BrokerSettings
from sensors.errors import StateError, StoreError
from sensors.messages import RequestMessage
from sensors.signals import Channel
from tests.analytics.server_rig import (
    SITE,
    Poisoned,
    StandInEdge,
    assert_exactly_once,
    reading,
    write_teams,
)
from tests.analytics.service_rig import Listener, Serve, status
from tests.rig import Mosquitto, wait_until

pytestmark = pytest.mark.needs("mosquitto")


def test_a_store_that_is_away_is_visible_and_nothing_waits_for_it(
    tmp_path: Path, mosquitto: Mosquitto, serve: Serve
) -> None:
    edge = StandInEdge(mosquitto.port, "k1", "run00001")
    edge.consent(Channel.HEART, Channel.KEYBOARD)
    away = threading.Event()
    away.set()

    def opening() -> Store:
        if away.is_set():
            raise StoreError("no database at 127.0.0.1:1; check [store] url")
        return EmbeddedStore(tmp_path / "store.sqlite")

    with serve(opening):
        edge.send(30)
        edge.wait_released()
        found = wait_until(
            lambda: (s := status(tmp_path)).spool_points and s.service["store"]["trouble"] and s
        )
        assert "no database" in found.service["store"]["trouble"]
    with serve(opening):  # the spool outlives the process
        edge.send(30)
        edge.wait_released()
        away.clear()
        wait_until(lambda: status(tmp_path).spool_points == 0)
    edge.close()
    assert_exactly_once(tmp_path / "state", tmp_path / "store.sqlite", [edge])


def test_a_bug_met_by_one_message_stops_nothing_else(
    tmp_path: Path, mosquitto: Mosquitto, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    edges = [StandInEdge(mosquitto.port, agent, f"run0000{agent[1]}") for agent in ("k1", "k2")]
    for edge in edges:
        edge.consent(Channel.HEART, Channel.KEYBOARD)

    def make(site: str, teams: Teams) -> Pipeline:
        return Poisoned(site, teams, alone={("k1", 3), ("k2", 0)})

    # One was journalled, and never scored: the server ended before.
    message = reading(0, run=edges[1].run)
    where = topics.reading(SITE, "k2")
    journal = Journal(open_state(tmp_path / "state"), tmp_path / "state" / FILE_NAME)
    journal.append([Accepted(where, codec.encode(message), "k2", message)], message.window_end_at)
    journal._db.close()
    edges[1].sent.add(0)
    edges[1]._next = 1
    for _ in range(2):
        with serve(make=make):
            for edge in edges:
                edge.send(10)
                edge.wait_released()
        found = status(tmp_path)
        assert found.counters["refused.fault"] == found.set_aside_kept == 2
    for edge in edges:
        edge.close()
    assert found.counters["readings"] == 41
    assert "refused       2 fault" in as_lines(found)
    assert all(one.detail.startswith("KeyError in ") for one in found.set_aside)
    assert len([r for r in caplog.records if r.levelno >= logging.ERROR]) == 1
    faulty = [("k1", edges[0].run, 3), ("k2", edges[1].run, 0)]
    assert_exactly_once(tmp_path / "state", tmp_path / "store.sqlite", edges, faulty)


def _power_cut(*_: object) -> None:
    raise StateError("a power cut")


def _served_until_it_fails(
    directory: Path, serve: Serve, edge: StandInEdge, make: Callable[[str, Teams], Pipeline]
) -> None:
    with suppress(AssertionError), serve(make=make):
        edge.send(5)
        edge.ask_for_help()
        wait_until(lambda: not is_running(directory / "state"))
    db = open_for_reading(directory / "state")
    (owed,) = db.execute("SELECT value FROM notes WHERE name = 'owed_by_step'").fetchone()
    db.close()
    assert int(owed)


def test_a_power_cut_between_alert_and_points_loses_neither(
    tmp_path: Path, mosquitto: Mosquitto, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    edge = StandInEdge(mosquitto.port, "k1", "run00001")
    edge.consent(Channel.HEART, Channel.KEYBOARD)
    kept = Listener(mosquitto.port, f"wellbeing/v1/{SITE}/alert/+")
    with monkeypatch.context() as during:
        during.setattr(Stepper, "pay", _power_cut)
        _served_until_it_fails(tmp_path, serve, edge, Pipeline)
    with serve():
        edge.send(3)
        edge.wait_released()
    edge.close()
    wait_until(lambda: kept.heard)
    kept.connection.stop()
    assert len({one.topic for one in kept.heard}) == 1
    assert all(one.payload for one in kept.heard)
    assert_exactly_once(tmp_path / "state", tmp_path / "store.sqlite", [edge])


class Untellable(Pipeline):
    """Has a bug that shows only when the points of a step with a request are made."""

    def step(self, arrivals: Sequence[Arrival], now: datetime) -> Outputs:
        outputs = super().step(arrivals, now)
        if any(isinstance(one.message, RequestMessage) for one in arrivals):
            outputs.points.later(_Broken())
        return outputs


class _Broken:
    def points(self) -> list[Point]:
        raise KeyError("the text of an error may hold what was measured")

    def lines(self, encoder: Encoder) -> Iterator[Formatted]:
        raise NotImplementedError


@pytest.mark.parametrize("dies", [False, True], ids=["goes on", "dies in between"])
def test_no_alert_is_left_standing_that_the_server_does_not_know(
    tmp_path: Path,
    mosquitto: Mosquitto,
    serve: Serve,
    monkeypatch: pytest.MonkeyPatch,
    *,
    dies: bool,
) -> None:
    """It was told before the bug was met; the step was then repeated without the message."""
    edge = StandInEdge(mosquitto.port, "k1", "run00001")
    edge.consent(Channel.HEART, Channel.KEYBOARD)
    kept = Listener(mosquitto.port, f"wellbeing/v1/{SITE}/alert/+")
    if dies:
        with monkeypatch.context() as during:
            during.setattr(Stepper, "pay", _power_cut)
            during.setattr(Subscriber, "publish", lambda *_: None)
            _served_until_it_fails(tmp_path, serve, edge, Untellable)
    with serve(make=Untellable):
        edge.send(3)
        if not dies:
            edge.ask_for_help()
        wait_until(lambda: status(tmp_path).counters.get("refused.fault"))
        wait_until(lambda: kept.heard and not kept.heard[-1].payload, what="the alert is cleared")
        edge.wait_released()
    edge.close()
    kept.connection.stop()
    assert kept.heard[0].payload, "it was told"


def test_a_server_that_fails_leaves_nobody_writing_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one may begin at once, and the file is then its own."""
    teams = load_teams(write_teams(tmp_path))
    service = Service(
        ServiceOptions(site=SITE, directory=tmp_path / "state"),
        Subscriber(BrokerSettings(port=1), SITE),
        teams,
        Pipeline(SITE, teams),
        writer=SpoolWriter(
            tmp_path / "state", lambda: EmbeddedStore(tmp_path / "store.sqlite"), now_utc
        ),
    )
    go_on, written = threading.Event(), threading.Event()
    digest = snapshot_rows.digest

    def slow(data: bytes | memoryview) -> bytes:
        go_on.wait(60)
        written.set()
        return digest(data)

    def failing() -> None:
        raise StateError("the disk is full")

    monkeypatch.setattr(snapshot_rows, "digest", slow)
    monkeypatch.setattr(service, "_recover", failing)
    frozen = Pipeline(SITE, teams).freeze()
    service._snapshots.begin(Step(1, 0, 0, datetime.now(UTC)), frozen, 0, 0.0)
    threading.Timer(0.2, go_on.set).start()
    with pytest.raises(StateError, match="disk is full"):
        service.run(threading.Event())
    assert written.is_set()
