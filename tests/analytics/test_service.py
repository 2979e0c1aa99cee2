"""The service on a real Mosquitto, in this process: what goes over the wire, and when."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from analytics import snapshot_rows
from analytics.intake import Accepted
from analytics.journal import Journal
from analytics.pipeline import Pipeline
from analytics.service import Service
from analytics.service_options import ServiceOptions
from analytics.spool import SpoolWriter
from analytics.state_file import FILE_NAME, open_for_reading, open_state
from analytics.status import ServerStatus, read_status
from analytics.status_lines import as_lines
from analytics.steps import Step
from analytics.store.base import Query, Store
from analytics.store.embedded import EmbeddedStore
from analytics.store.points import Measurement
from analytics.subscriber import Subscriber, now_utc
from analytics.teams import Teams, load_teams
from sensors import codec, topics
from sensors.config import BrokerSettings
from sensors.errors import StateError, StoreError
from sensors.messages import AlertMessage, AlertState, StoredMessage, TimeMessage
from sensors.mqtt import Connection, Inbound
from sensors.signals import Channel
from tests.analytics.server_rig import (
    SITE,
    Poisoned,
    StandInEdge,
    assert_exactly_once,
    reading,
    write_teams,
)
from tests.rig import Mosquitto, wait_until

pytestmark = pytest.mark.needs("mosquitto")

Serve = Callable[..., AbstractContextManager[Service]]


@pytest.fixture
def serve(tmp_path: Path, mosquitto: Mosquitto) -> Serve:
    """Run a service in a thread for as long as the block lasts."""
    teams = load_teams(write_teams(tmp_path))

    def embedded() -> Store:
        return EmbeddedStore(tmp_path / "store.sqlite")

    @contextmanager
    def run(
        open_store: Callable[[], Store] = embedded,
        make: Callable[[str, Teams], Pipeline] = Pipeline,
        clock: Callable[[], datetime] = now_utc,
    ) -> Iterator[Service]:
        service = Service(
            ServiceOptions(site=SITE, directory=tmp_path / "state"),
            Subscriber(BrokerSettings(port=mosquitto.port), SITE),
            teams,
            make(SITE, teams),
            writer=SpoolWriter(tmp_path / "state", open_store, clock),
            clock=clock,
        )
        stop = threading.Event()
        failed: list[BaseException] = []

        def target() -> None:
            try:
                service.run(stop)
            except BaseException as error:  # noqa: BLE001 - told by the test's own thread
                failed.append(error)

        thread = threading.Thread(target=target)
        thread.start()
        try:
            # before its first subscription a broker drops what nobody resends
            wait_until(lambda: service._subscriber.is_connected or failed)
            yield service
        finally:
            stop.set()
            thread.join()
        assert not failed, failed

    return run


class Listener:
    """Keeps what a topic filter brings."""

    def __init__(self, port: int, *filters: str) -> None:
        self.heard: list[Inbound] = []
        self.connection = Connection(
            BrokerSettings(port=port),
            client_id="listener",
            subscriptions=filters,
            on_message=self.heard.append,
        )
        self.connection.start()
        self.connection.wait_connected(10)

    def of(self, topic: str) -> list[bytes]:
        return [one.payload for one in self.heard if one.topic == topic]


@pytest.fixture
def listener(mosquitto: Mosquitto) -> Iterator[Listener]:
    found = Listener(mosquitto.port, f"wellbeing/v1/{SITE}/#")
    yield found
    found.connection.stop()


def status(directory: Path) -> ServerStatus:
    return read_status(directory / "state", datetime.now(UTC))


def test_garbage_of_every_kind_is_set_aside_and_the_rest_goes_on(
    tmp_path: Path, mosquitto: Mosquitto, serve: Serve
) -> None:
    edge = StandInEdge(mosquitto.port, "k1", "run00001")
    where = topics.reading(SITE, "k1")
    # retained garbage would come back on every connection
    edge.publish_raw(topics.consent(SITE, "k1"), b"{garbage", retain=True)
    edge.publish_raw(topics.status(SITE, "k1", "pc"), b"\xff\x00", retain=True)
    with serve():
        edge.consent(Channel.HEART, Channel.KEYBOARD)
        edge.send(3)
        good = codec.encode(reading(3))
        edge.publish_raw(where, b"no json")
        edge.publish_raw(where, good.replace(b'"schema":1', b'"schema":7'))  # number 3
        edge.publish_raw(
            where, codec.encode(reading(4)).replace(b'"dwell_ms":95', b'"dwell_ms":-1')
        )
        edge.publish_raw(topics.reading(SITE, "k99"), good)
        edge.publish_raw(f"wellbeing/v1/{SITE}/agent/k1/nonsense", b"x")
        edge.publish_raw(where, b"y" * 100_000)
        edge._next = 5
        edge.send(1)
        # refused windows whose number can be told count as accounted for
        wait_until(lambda: edge.stored == 5)
    edge.sent -= {3, 4}
    found = status(tmp_path)
    refused = {k: v for k, v in found.counters.items() if k.startswith("refused.")}
    assert refused == {
        "refused.malformed": 3,
        "refused.out_of_range": 1,
        "refused.schema_version": 1,
        "refused.too_large": 1,
        "refused.unknown_agent": 1,
        "refused.unknown_topic": 1,
    }
    assert found.set_aside_kept == 8
    assert found.counters["readings"] == 4
    [mine] = [run for run in found.runs if run.agent == "k1"]
    assert (mine.received, mine.refused, mine.stored_seq, mine.gaps) == (6, 2, 5, [])
    text = "\n".join(as_lines(found))
    assert "1 unknown_agent" in text
    assert "4 windows" in text
    edge.close()


def test_a_channel_without_consent_is_refused_and_not_kept(
    tmp_path: Path, mosquitto: Mosquitto, serve: Serve
) -> None:
    edge = StandInEdge(mosquitto.port, "k1", "run00001")
    edge.consent(Channel.HEART)
    with serve():
        edge.send(2)  # heart and keyboard
        edge.wait_released()
    found = status(tmp_path)
    assert found.counters["refused.not_consented"] == 2
    assert "readings" not in found.counters
    db = open_for_reading(tmp_path / "state")
    assert db.execute("SELECT payload FROM set_aside").fetchall() == [(None,), (None,)]
    assert db.execute(
        "SELECT count(*) FROM journal WHERE payload LIKE '%key_presses%'"
    ).fetchone() == (0,)
    db.close()
    edge.close()


def test_the_clock_is_answered_and_nonsense_about_it_set_aside(
    tmp_path: Path, mosquitto: Mosquitto, serve: Serve, listener: Listener
) -> None:
    with serve():
        asked = TimeMessage(id="time0001", edge_sent_at=datetime.now(UTC))
        where = topics.time(SITE, "k1")
        listener.connection.publish(where, codec.encode(asked), qos=0)
        listener.connection.publish(where, b"what time is it", qos=0)
        [payload] = wait_until(lambda: listener.of(topics.time_echo(SITE, "k1")))
        echo = codec.decode(payload, TimeMessage)
        assert (echo.id, echo.edge_sent_at) == ("time0001", asked.edge_sent_at)
        assert echo.server_at is not None
        assert abs(echo.server_at - asked.edge_sent_at) < timedelta(minutes=1)
        wait_until(lambda: status(tmp_path).set_aside_kept == 1)


def test_late_windows_are_kept_scored_and_counted(
    tmp_path: Path, mosquitto: Mosquitto, serve: Serve
) -> None:
    edge = StandInEdge(mosquitto.port, "k1", "run00001")
    edge.consent(Channel.HEART, Channel.KEYBOARD)
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    for seq in range(300):
        end = hour_ago + timedelta(seconds=5 * seq)
        payload = codec.encode(reading(seq, window_end_at=end))
        edge.sent.add(seq)
        edge.held[seq] = payload
        edge.publish_raw(topics.reading(SITE, "k1"), payload)
    edge._next = 300
    with serve():
        edge.send(5)
        edge.wait_released()
    edge.close()
    assert status(tmp_path).counters["late"] == 300
    assert_exactly_once(tmp_path / "state", tmp_path / "store.sqlite", [edge])


def test_gaps_are_known_by_run_and_number(
    tmp_path: Path, mosquitto: Mosquitto, serve: Serve
) -> None:
    edge = StandInEdge(mosquitto.port, "k1", "run00001")
    with serve():
        where = topics.reading(SITE, "k1")
        for seq, oldest in [(0, 0), (1, 0), (5, 5), (8, 5)]:
            edge.publish_raw(where, codec.encode(reading(seq, oldest_seq=oldest)))
        wait_until(lambda: edge.stored == 5)
    [run] = status(tmp_path).runs
    assert (run.stored_seq, run.gaps, run.received) == (5, [(2, 4)], 4)
    assert any("windows 2 to 4" in line for line in as_lines(status(tmp_path)))
    edge.close()


def test_stored_is_retained_and_said_again_when_asked(
    mosquitto: Mosquitto, serve: Serve, listener: Listener
) -> None:
    edge = StandInEdge(mosquitto.port, "k1", "run00001")
    with serve():
        edge.send(3)
        edge.wait_released()
        where = topics.stored(SITE, "k1", "pc")
        told = len(listener.of(where))
        edge.publish_raw(topics.reading(SITE, "k1"), codec.encode(reading(1)))
        wait_until(lambda: len(listener.of(where)) > told)
    late = Listener(mosquitto.port, topics.stored(SITE, "k1", "pc"))
    [kept] = wait_until(lambda: late.heard)
    assert kept.retained
    assert codec.decode(kept.payload, StoredMessage).seq == 2
    late.connection.stop()
    edge.close()


def test_an_alert_is_retained_and_what_a_broker_kept_too_long_is_cleared(
    mosquitto: Mosquitto, serve: Serve, listener: Listener
) -> None:
    edge = StandInEdge(mosquitto.port, "k1", "run00001")
    forgotten = AlertMessage(
        alert_id="forgotten1",
        kind="personal",  # type: ignore[arg-type]
        state=AlertState.FIRING,
        team="billing",
        started_at=datetime.now(UTC),
        agent="k1",
    )
    where = topics.alert(SITE, "forgotten1")
    listener.connection.publish(where, codec.encode(forgotten), retain=True)
    wait_until(lambda: listener.of(where))
    with serve() as service:
        edge.ask_for_help()
        alert, *_ = wait_until(
            lambda: [a for a in listener.heard if "/alert/" in a.topic and a.topic != where]
        )
        assert codec.decode(alert.payload, AlertMessage).agent == "k1"
        wait_until(lambda: listener.of(where)[-1] == b"", what="the forgotten alert is cleared")
        assert len(service._pipeline.open_alerts()) == 1
    with serve() as service:  # after a restart it stands again, though a broker lost it
        listener.connection.publish(alert.topic, b"", retain=True)
        wait_until(lambda: listener.of(alert.topic)[-1] == b"" or len(listener.of(alert.topic)) > 2)
        mosquitto.stop()
        mosquitto.start()
        wait_until(lambda: listener.of(alert.topic)[-1] != b"", what="the alert is said again")
    edge.close()


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


def test_a_month_later_nothing_of_it_is_kept(
    tmp_path: Path, mosquitto: Mosquitto, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Time travel (T18): input and what was set aside after a day, readings after a month."""
    monkeypatch.setattr("analytics.service.MAINTAIN_EVERY_S", 0.2)
    monkeypatch.setattr("analytics.snapshots.EVERY_S", 0.2)
    edge = StandInEdge(mosquitto.port, "k1", "run00001")
    edge.consent(Channel.HEART, Channel.KEYBOARD)

    def kept() -> dict[str, int]:
        found = status(tmp_path)
        store = EmbeddedStore(tmp_path / "store.sqlite", read_only=True)
        counts = {
            m.value: store.count(Query(measurement=m, site=SITE))
            for m in (Measurement.READING, Measurement.BEAT, Measurement.SCORE)
        }
        store.close()
        return {"journal": found.journal_rows, "set_aside": found.set_aside_kept, **counts}

    with serve():
        edge.send(3)
        edge.wait_released()
        edge.publish_raw(topics.reading(SITE, "k1"), b"no json")
        wait_until(lambda: status(tmp_path).set_aside_kept == 1)
    edge.close()
    assert all(kept().values()), kept()
    with serve(clock=lambda: now_utc() + timedelta(hours=25)):
        wait_until(lambda: kept()["journal"] == kept()["set_aside"] == 0, what="a day later")
        assert kept()["reading"] == 3
    with serve(clock=lambda: now_utc() + timedelta(days=31)):
        wait_until(lambda: kept()["reading"] == kept()["beat"] == 0, what="a month later")
        assert kept()["score"] == 3, "what was made of it stays for 90 days"


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
