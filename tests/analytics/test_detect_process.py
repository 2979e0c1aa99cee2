"""The real `wellbeing detect` on a real Mosquitto, disturbed; every window counted."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import pytest

from sensors.signals import Channel
from tests.analytics.server_rig import DetectProcess, StandInEdge, assert_exactly_once, detect
from tests.rig import Mosquitto, wait_until

pytestmark = pytest.mark.needs("mosquitto")


def test_a_server_that_was_never_there_misses_nothing(tmp_path: Path, mosquitto: Mosquitto) -> None:
    """Before its very first subscription a broker confirms and drops: the edge must hold on."""
    edge = StandInEdge(mosquitto.port, "k1", "run00001")
    edge.consent(Channel.HEART, Channel.KEYBOARD)
    edge.send(50)
    assert len(edge.held) == 50
    with detect(tmp_path, mosquitto.port) as server:
        edge.wait_released()
        assert server.stop() == 0
    edge.close()
    assert_exactly_once(server.state, server.store, [edge])


def test_killed_at_random_moments(tmp_path: Path, mosquitto: Mosquitto) -> None:
    """`kill -9` again and again while windows flow: nothing lost, nothing twice, equal state."""
    edges = [
        StandInEdge(mosquitto.port, agent, f"run0000{agent[1]}") for agent in ("k1", "k2", "k3")
    ]
    for edge in edges:
        edge.consent(Channel.HEART, Channel.KEYBOARD)
    flowing = threading.Event()

    def flow() -> None:
        while not flowing.wait(0.01):
            for edge in edges:
                edge.send(1)

    sender = threading.Thread(target=flow, daemon=True)
    sender.start()
    dice = random.Random(7)
    server = DetectProcess(tmp_path, mosquitto.port)
    try:
        for kill in range(6):
            before = sum(edge.stored for edge in edges)
            server.start()
            wait_until(lambda b=before: sum(e.stored for e in edges) > b, 60, "the server works")
            threading.Event().wait(dice.uniform(0.0, 0.6))
            if kill == 2:
                edges[0].ask_for_help()
            server.kill()
        server.start()
        flowing.set()
        sender.join()
        for edge in edges:
            edge.wait_released()
        assert server.stop() == 0, server.text
    finally:
        flowing.set()
        if server._process is not None and server._process.poll() is None:
            server.kill()
        for edge in edges:
            edge.close()
    assert "repeated" in server.text
    assert_exactly_once(server.state, server.store, edges)


def test_broker_killed_with_messages_queued(tmp_path: Path, mosquitto: Mosquitto) -> None:
    edge = StandInEdge(mosquitto.port, "k1", "run00001")
    edge.consent(Channel.HEART, Channel.KEYBOARD)
    with detect(tmp_path, mosquitto.port) as server:
        edge.send(20)
        edge.wait_released()
        server.kill()  # now the broker queues for the session
        edge.send(200)
        mosquitto.kill()
        server.start()
        wait_until(lambda: "no MQTT broker at" in server.text, what="the server says what is wrong")
        mosquitto.start()
        edge.send(20)
        edge.wait_released()
        assert server.stop() == 0
    edge.close()
    assert "the broker answers again" in server.text
    assert_exactly_once(server.state, server.store, [edge])
