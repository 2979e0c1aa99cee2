"""The trial's broker: right credentials only, and only one's own topics (T20)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from analytics.one_machine.embedded_broker import (
    DASHBOARD,
    SERVER,
    EmbeddedBroker,
    allows,
    start_broker,
)
from sensors import topics
from sensors.config import BrokerSettings
from sensors.errors import BrokerError
from sensors.mqtt import Connection, Inbound


@pytest.fixture
async def broker() -> AsyncIterator[EmbeddedBroker]:
    running = await start_broker("here")
    yield running
    await running.stop()


def _settings(broker: EmbeddedBroker, username: str, password: str | None = None) -> BrokerSettings:
    secret = broker.password(username) if password is None else password
    return BrokerSettings(port=broker.port, username=username, password=secret)


async def test_a_wrong_password_is_refused(broker: EmbeddedBroker) -> None:
    connection = Connection(_settings(broker, "k7", "guess"), client_id="k7")
    connection.start()
    try:
        with pytest.raises(BrokerError):
            await asyncio.to_thread(connection.wait_connected, 1.5)
    finally:
        await asyncio.to_thread(connection.stop)


async def test_an_agent_reaches_the_server_but_nobody_elses_topics(broker: EmbeddedBroker) -> None:
    heard: list[Inbound] = []
    arrived = threading.Event()

    def hear(inbound: Inbound) -> None:
        heard.append(inbound)
        if inbound.payload == b"own":
            arrived.set()

    server = Connection(
        _settings(broker, SERVER),
        client_id="server",
        subscriptions=topics.server_subscriptions("here"),
        on_message=hear,
        persistent=True,
    )
    agent = Connection(_settings(broker, "k7"), client_id="k7")
    for connection in (server, agent):
        connection.start()
        await asyncio.to_thread(connection.wait_connected, 60)
    try:
        agent.publish(topics.reading("here", "k8"), b"not mine")
        agent.publish(topics.decision("here"), b"not mine")
        agent.publish(topics.reading("here", "k7"), b"own")
        assert await asyncio.to_thread(arrived.wait, 60)
    finally:
        for connection in (server, agent):
            await asyncio.to_thread(connection.stop)
    assert [inbound.payload for inbound in heard] == [b"own"]


async def test_a_persistent_session_keeps_what_came_while_the_server_was_away(
    broker: EmbeddedBroker,
) -> None:
    def server(heard: list[bytes], arrived: threading.Event) -> Connection:
        return Connection(
            _settings(broker, SERVER),
            client_id="server",
            subscriptions=topics.server_subscriptions("here"),
            on_message=lambda inbound: (heard.append(inbound.payload), arrived.set())[0],
            persistent=True,
        )

    first = server([], threading.Event())
    first.start()
    await asyncio.to_thread(first.wait_connected, 60)
    await asyncio.to_thread(first.stop)
    agent = Connection(_settings(broker, "k7"), client_id="k7")
    agent.start()
    await asyncio.to_thread(agent.wait_connected, 60)
    await asyncio.to_thread(
        lambda: agent.publish_and_wait(
            topics.reading("here", "k7"), b"kept", retain=False, timeout_s=60
        )
    )
    heard: list[bytes] = []
    arrived = threading.Event()
    second = server(heard, arrived)
    second.start()
    try:
        assert await asyncio.to_thread(arrived.wait, 60)
    finally:
        for connection in (second, agent):
            await asyncio.to_thread(connection.stop)
    assert heard == [b"kept"]


@pytest.mark.parametrize(
    ("username", "topic", "write", "allowed"),
    [
        ("k7", "wellbeing/v1/here/agent/k7/reading", True, True),
        ("k7", "wellbeing/v1/here/agent/k8/reading", True, False),
        ("k7", "wellbeing/v1/there/agent/k7/reading", True, False),
        ("k7", "wellbeing/v1/here/agent/#", False, False),
        ("k7", "wellbeing/v1/here/server/k7/notice", False, True),
        ("k7", "wellbeing/v1/here/server/k7/notice", True, False),
        ("k7", "wellbeing/v1/here/context/k7", False, True),
        ("k7", "wellbeing/v1/here/context/k77", False, False),
        ("k7", "wellbeing/v1/here/alert/+", False, False),
        ("k7", "#", False, False),
        (DASHBOARD, "wellbeing/v1/here/alert/+", False, True),
        (DASHBOARD, "wellbeing/v1/here/decision", True, True),
        (DASHBOARD, "wellbeing/v1/here/agent/k7/reading", False, False),
        (SERVER, "wellbeing/v1/here/alert/abc", True, True),
        (SERVER, "wellbeing/v1/there/alert/abc", True, False),
    ],
)
def test_rules(username: str, topic: str, write: bool, allowed: bool) -> None:
    assert allows("here", username, topic, write=write) is allowed


def test_a_mirror_is_read_by_its_agent_alone() -> None:
    """TRUST T10, T12: the figures behind a state are nobody else's, also not a supervisor's."""
    mirror = topics.mirror("here", "k7")
    for name in ("k7", SERVER):
        assert allows("here", name, mirror, write=False), name
    for name in (DASHBOARD, "k8", "k", "k77", "telephony"):
        assert not allows("here", name, mirror, write=False), name
    assert [
        n for n in ("k7", "k8", DASHBOARD, SERVER) if allows("here", n, mirror, write=True)
    ] == [SERVER]
