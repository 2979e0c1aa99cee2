"""What paho would do by itself, and must not, or not in that way."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest
from paho.mqtt.client import _ConnectionState

from sensors.errors import BrokerError
from sensors.wire.client import Client
from sensors.wire.gulps import Gulps
from sensors.wire.packets import confirmations

KEEPALIVE_S = 20
MESSAGE = b"\x30\x04\0\x01tx"


@pytest.fixture
def ends() -> Iterator[tuple[Client, socket.socket]]:
    """A connected client that nobody runs, and the broker's end."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    client = Client()
    client._sock, client._state = Gulps(ours), _ConnectionState.MQTT_CS_CONNECTED
    client._keepalive = KEEPALIVE_S
    client._thread = threading.current_thread()  # else paho would write at once
    client.on_gulped = lambda _: None
    yield client, theirs
    client._reset_sockets()
    theirs.close()


def _wait_for_an_answer(client: Client) -> None:
    """Let a ping have gone out so long ago that the broker counts as dead."""
    client._last_msg_out = time.monotonic()
    client._ping_t = client._last_bytes_received = time.monotonic() - 3 * KEEPALIVE_S


@pytest.mark.parametrize(
    "what", [MESSAGE, MESSAGE * 2, MESSAGE[:3]], ids=["one", "some", "a part of one"]
)
def test_a_broker_that_sends_is_not_taken_for_dead(
    ends: tuple[Client, socket.socket], what: bytes
) -> None:
    """The answer to the ping is behind all that it sent before."""
    client, theirs = ends
    _wait_for_an_answer(client)
    theirs.sendall(what)
    assert client.loop_read() == 0
    assert client.loop_misc() == 0
    assert client.socket() is not None


def test_a_broker_lives_while_what_it_sent_is_not_looked_at(
    ends: tuple[Client, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, theirs = ends
    monkeypatch.setattr("sensors.wire.client._READING_S", 0.0)
    theirs.sendall(MESSAGE * 3)
    for _ in range(2):
        _wait_for_an_answer(client)
        assert client.loop_read() == 0
        assert client.loop_misc() == 0
    assert client.gulps().pending() == 0
    assert client.socket() is not None


def test_a_broker_that_says_nothing_is(ends: tuple[Client, socket.socket]) -> None:
    client, _ = ends
    _wait_for_an_answer(client)
    client.loop_read()
    assert client.loop_misc() != 0
    assert client.socket() is None


def test_confirmations_are_a_sign_of_life_too(ends: tuple[Client, socket.socket]) -> None:
    client, theirs = ends
    client._last_bytes_received = time.monotonic()
    client._last_msg_out = time.monotonic() - 3 * KEEPALIVE_S
    client.gulps().post(confirmations([7]))
    client.loop_write()
    client.loop_misc()
    client.loop_write()
    assert theirs.recv(100) == confirmations([7])  # and no ping


def test_no_number_is_given_to_two_messages(ends: tuple[Client, socket.socket]) -> None:
    """Also not to what is never confirmed: paho reports it as sent by its number."""
    client, _ = ends
    client._last_mid = 65_534
    assert [client.publish("t", b"x", qos=1).mid for _ in range(2)] == [65_535, 1]
    client._last_mid = 65_534
    assert client.publish("t", b"x", qos=0).mid == 2
    assert client.publish("t", b"x", qos=1).mid == 3
    assert client.unconfirmed == 3


def test_what_is_not_taken_is_refused_and_not_dropped(
    ends: tuple[Client, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, _ = ends
    monkeypatch.setattr("sensors.wire.client.MOST_UNCONFIRMED", 2)
    first = client.publish("t", b"x", qos=1)
    client.publish("t", b"x", qos=1)
    with pytest.raises(BrokerError, match="not confirmed 2 messages"):
        client.publish("t", b"x", qos=1)
    assert client.publish("t", b"x", qos=0).rc == 0
    client._take(first.mid)
    assert client.publish("t", b"x", qos=1).rc == 0
