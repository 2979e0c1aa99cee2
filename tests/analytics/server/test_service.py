"""The service on a real Mosquitto, in this process: what goes over the wire, and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from analytics.state.state_file import open_for_reading
from analytics.watching.status_lines import as_lines
from sensors import codec, topics
from sensors.messages import AlertMessage, AlertState, StoredMessage, TimeMessage
from sensors.signals import Channel
from tests.analytics.server_rig import (
    SITE,
    StandInEdge,
    assert_exactly_once,
    reading,
)
from tests.analytics.service_rig import Listener, Serve, status
from tests.rig import Mosquitto, wait_until

pytestmark = pytest.mark.needs("mosquitto")


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
        # What is said of the third says nothing of the fourth.
        wait_until(lambda: status(tmp_path).journal_rows == 4)
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
