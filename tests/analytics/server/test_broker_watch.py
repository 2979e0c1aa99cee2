"""What is published while a real broker is away waits on disk, not in memory, and is then said."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from analytics.events import Publication
from analytics.journal.steps import Commit, StepLog
from analytics.journal.streams import Streams
from analytics.pipeline.service_options import ScoringPipeline
from analytics.server.broker_watch import BrokerWatch
from analytics.server.stored import StoredPublisher
from analytics.server.subscriber import Subscriber
from analytics.state.state_file import FILE_NAME, open_state
from sensors import topics
from sensors.config import BrokerSettings
from sensors.messages import StoredMessage
from sensors.mqtt import Connection, Inbound
from tests.rig import Mosquitto, wait_until

pytestmark = pytest.mark.needs("mosquitto")

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)


def said(n: int) -> Publication:
    return Publication(
        topics.stored("lab", f"k{n}", "pc"), StoredMessage(run="run00001", seq=n, at=NOW)
    )


def test_it_waits_in_the_file_and_is_said_once_the_broker_is_back(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    db = open_state(tmp_path)
    log = StepLog(db, tmp_path / FILE_NAME)
    settings = BrokerSettings(port=mosquitto.port)
    subscriber = Subscriber(settings, "lab")
    pipeline = cast("ScoringPipeline", SimpleNamespace(open_alerts=list))
    told = StoredPublisher(cast("Streams", SimpleNamespace()), subscriber)
    watch = BrokerWatch("lab", subscriber, pipeline, log, told)
    heard: list[Inbound] = []
    listener = Connection(
        settings,
        client_id="listener",
        subscriptions=("wellbeing/v1/lab/server/+/stored/+",),
        on_message=heard.append,
    )

    def look() -> bool:
        watch.look()
        log.commit(Commit(confirmed=subscriber.take_confirmed()))
        return not log.pending()

    subscriber.start()
    try:
        watch.send(log.commit(Commit(publications=[said(0)])))
        wait_until(look, what="what was made before the first connection is said")
        mosquitto.stop()
        wait_until(lambda: not subscriber.is_connected)
        for n in range(1, 100):
            watch.send(log.commit(Commit(publications=[said(n)])))
            watch.look()
        assert subscriber.unconfirmed() == set(), "in memory there is nothing"
        assert len(log.pending()) == 99
        mosquitto.start()
        wait_until(look, what="all of it is said and confirmed")
        listener.start()
        wait_until(lambda: len({one.topic for one in heard}) >= 99)
        watch.send(log.commit(Commit(publications=[said(100)])))
        wait_until(look, what="what comes then is said at once")
        assert subscriber.unconfirmed() == set()
    finally:
        listener.stop()
        subscriber.stop()
        db.close()


def test_what_a_slow_broker_leaves_no_room_for_is_said_later(
    tmp_path: Path, mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the same connection: it was dropped, and another's confirmation taken for its own."""
    monkeypatch.setattr("sensors.wire.client.MOST_UNCONFIRMED", 10)
    monkeypatch.setattr("sensors.mqtt.MOST_UNCONFIRMED", 10)
    db = open_state(tmp_path)
    log = StepLog(db, tmp_path / FILE_NAME)
    subscriber = Subscriber(BrokerSettings(port=mosquitto.port), "lab")
    pipeline = cast("ScoringPipeline", SimpleNamespace(open_alerts=list))
    told = StoredPublisher(cast("Streams", SimpleNamespace()), subscriber)
    watch = BrokerWatch("lab", subscriber, pipeline, log, told)
    confirmed = 0

    def look() -> bool:
        nonlocal confirmed
        watch.look()
        found = subscriber.take_confirmed()
        confirmed += len(found)
        log.commit(Commit(confirmed=found))
        return not log.pending()

    subscriber.start()
    try:
        watch.send(log.commit(Commit(publications=[said(0)])))
        wait_until(look)
        mosquitto.pause()
        try:
            for n in range(1, 26):
                watch.send(log.commit(Commit(publications=[said(n)])))
            assert len(subscriber.unconfirmed()) == 10
            assert not look()
            assert len(subscriber.unconfirmed()) == 10
        finally:
            mosquitto.resume()
        wait_until(look, what="all is said")
        assert confirmed == 26
        assert subscriber.connections == 1
    finally:
        subscriber.stop()
        db.close()
