"""The connection to a broker, against a real Mosquitto."""

import socket
import threading

import pytest

from sensors.config import BrokerSettings
from sensors.errors import BrokerError, ConfigurationError
from sensors.mqtt import Connection, Will
from tests.rig import free_port, wait_until

TOPIC = "wellbeing/v1/hq/agent/k7/reading"


class Listener:
    """A connection that keeps what it hears and says what happens to it."""

    def __init__(self, port, client_id="server", **options):
        self.heard, self.changes, self.confirmed = [], [], []
        self.connection = Connection(
            BrokerSettings(port=port, **options.pop("settings", {})),
            client_id=client_id,
            subscriptions=options.pop("subscriptions", (TOPIC,)),
            on_message=self.heard.append,
            on_change=self.changes.append,
            on_published=self.confirmed.append,
            **options,
        )

    @property
    def payloads(self):
        return [inbound.payload for inbound in self.heard]

    def __enter__(self):
        self.connection.start()
        self.connection.wait_connected(60)
        return self

    def __exit__(self, *_):
        self.connection.stop()


def _send(port, *payloads, retain=False):
    with Listener(port, "sender", subscriptions=()) as sender:
        for payload in payloads:
            sender.connection.publish_and_wait(TOPIC, payload, retain=retain, timeout_s=60)


def test_what_is_not_acknowledged_comes_again(mosquitto):
    with Listener(mosquitto.port, persistent=True, manual_ack=True) as server:
        _send(mosquitto.port, b"1", b"2", b"3")
        wait_until(lambda: len(server.heard) == 3)
        server.connection.acknowledge(server.heard[0])
    with Listener(mosquitto.port, persistent=True, manual_ack=True) as server:
        wait_until(lambda: len(server.heard) == 2)
        assert server.payloads == [b"2", b"3"]


def test_an_acknowledgement_never_crosses_to_another_connection(mosquitto):
    """Packet ids start anew: confirming an old one would confirm somebody else's message."""
    with Listener(mosquitto.port, persistent=True, manual_ack=True) as server:
        _send(mosquitto.port, b"1")
        (old,) = wait_until(lambda: list(server.heard))
        mosquitto.restart()
        wait_until(lambda: len(server.heard) == 2)
        server.connection.acknowledge(old)  # of a connection that is gone: does nothing
    with Listener(mosquitto.port, persistent=True, manual_ack=True) as server:
        wait_until(lambda: server.heard)
        assert server.payloads == [b"1"]
        server.connection.acknowledge(server.heard[0])
    with Listener(mosquitto.port, persistent=True, manual_ack=True) as server:
        _send(mosquitto.port, b"end")
        wait_until(lambda: server.heard)
        assert server.payloads == [b"end"]


def test_a_persistent_session_keeps_what_came_while_away(mosquitto):
    with Listener(mosquitto.port, persistent=True):
        pass
    _send(mosquitto.port, *(str(n).encode() for n in range(1_200)))
    with Listener(mosquitto.port, persistent=True) as server:
        wait_until(lambda: len(server.heard) >= 1_200)
        assert server.payloads == [str(n).encode() for n in range(1_200)]


def test_a_plain_session_hears_only_what_comes_now(mosquitto):
    with Listener(mosquitto.port):
        pass
    _send(mosquitto.port, b"missed")
    with Listener(mosquitto.port) as server:
        _send(mosquitto.port, b"now")
        wait_until(lambda: server.heard)
        assert server.payloads == [b"now"]


def test_it_comes_back_and_subscribes_anew(mosquitto):
    with Listener(mosquitto.port) as server:
        mosquitto.kill()
        wait_until(lambda: server.changes == [True, False])
        assert not server.connection.is_connected
        mosquitto.start()
        server.connection.wait_connected(60)
        _send(mosquitto.port, b"after")
        wait_until(lambda: server.heard)
        assert server.changes == [True, False, True]


def test_the_will_speaks_for_a_client_that_vanishes(mosquitto):
    will = Will("wellbeing/v1/hq/agent/k7/status/pc", b"offline")
    with Listener(mosquitto.port, "watch", subscriptions=(will.topic,)) as watch:
        edge = Listener(mosquitto.port, "edge", subscriptions=(), will=will)
        with edge:
            edge.connection._client.socket()._sock.shutdown(2)
            wait_until(lambda: watch.heard)
    assert watch.payloads == [b"offline"]
    with Listener(mosquitto.port, "later", subscriptions=(will.topic,)) as later:
        wait_until(lambda: later.heard)
        assert later.heard[0].retained


def test_a_polite_farewell_sends_no_will(mosquitto):
    will = Will("wellbeing/v1/hq/agent/k7/status/pc", b"offline")
    with Listener(mosquitto.port, "edge", subscriptions=(), will=will):
        pass
    with Listener(mosquitto.port, "watch", subscriptions=(will.topic, TOPIC)) as watch:
        _send(mosquitto.port, b"end")
        wait_until(lambda: watch.heard)
        assert watch.payloads == [b"end"]


def test_a_farewell_in_a_flood_is_heard_and_so_is_what_was_sent_before(mosquitto):
    """Closed while the broker writes to us, it looks at nothing that it has not read by then."""
    last, floods = "wellbeing/v1/hq/agent/k7/reply", threading.Event()

    def flood():
        while not floods.wait(0.002):
            for _ in range(200):
                source.connection.publish(TOPIC, b"x" * 2_000, qos=0)

    will = Will("wellbeing/v1/hq/agent/k7/status/pc", b"offline")
    with (
        Listener(mosquitto.port, "watch", subscriptions=(will.topic, last)) as watch,
        Listener(mosquitto.port, "source", subscriptions=()) as source,
    ):
        flooding = threading.Thread(target=flood)
        flooding.start()
        try:
            for number in range(8):
                with Listener(mosquitto.port, f"edge-{number}", will=will) as edge:
                    wait_until(lambda heard=edge.heard: len(heard) > 50)
                    for _ in range(20):
                        edge.connection.publish(last, b"last")
        finally:
            floods.set()
            flooding.join()
        source.connection.publish_and_wait(last, b"end", retain=False, timeout_s=60)
        wait_until(lambda: b"end" in watch.payloads)
        assert watch.payloads == [b"last"] * 160 + [b"end"]


def test_a_farewell_while_it_connects_is_polite_too_and_leaves_nothing_open(mosquitto, monkeypatch):
    will = Will("wellbeing/v1/hq/agent/k7/status/pc", b"offline")
    connects, goes_on, connect = threading.Event(), threading.Event(), socket.create_connection

    def slowly(*arguments, **options):
        connects.set()
        goes_on.wait(60)
        return connect(*arguments, **options)

    with Listener(mosquitto.port, "watch", subscriptions=(will.topic, TOPIC)) as watch:
        monkeypatch.setattr(socket, "create_connection", slowly)
        edge = Listener(mosquitto.port, "edge", subscriptions=(), will=will)
        edge.connection.start()
        assert connects.wait(60)
        leaves = threading.Thread(target=edge.connection.stop)
        leaves.start()
        client = edge.connection._client
        wait_until(lambda: client._thread_terminate)
        goes_on.set()
        leaves.join(60)
        assert (client.socket(), client._sockpairR, client._sockpairW) == (None, None, None)
        assert edge.connection.refusal == ""
        _send(mosquitto.port, b"end")
        wait_until(lambda: watch.heard)
        assert watch.payloads == [b"end"]


def test_publishing_tells_when_the_broker_confirmed(mosquitto):
    with Listener(mosquitto.port) as both:
        number = both.connection.publish(TOPIC, b"x")
        wait_until(lambda: both.confirmed)
        assert both.confirmed == [number]


def test_refused_credentials_are_named_without_the_password(mosquitto_factory):
    broker = mosquitto_factory(passwords={"k7": "right"})
    settings = {"username": "k7", "password": "hunter2"}
    listener = Listener(broker.port, settings=settings)
    listener.connection.start()
    try:
        wait_until(lambda: listener.connection.refusal)
        with pytest.raises(BrokerError) as caught:
            listener.connection.wait_connected(0.1)
    finally:
        listener.connection.stop()
    assert "Not authorized" in str(caught.value)
    assert f"127.0.0.1:{broker.port}" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(BrokerSettings(**settings))
    with Listener(broker.port, settings={"username": "k7", "password": "right"}) as accepted:
        assert accepted.connection.refusal == ""


def test_no_broker_is_one_line_that_says_where_and_why():
    port = free_port()
    listener = Listener(port)
    listener.connection.start()
    try:
        wait_until(lambda: listener.connection.refusal)
        with pytest.raises(BrokerError, match=f"no MQTT broker at 127.0.0.1:{port} .*refused"):
            listener.connection.wait_connected(0.1)
    finally:
        listener.connection.stop()


def test_publishing_without_a_broker_says_so():
    listener = Listener(free_port())
    listener.connection.start()
    try:
        with pytest.raises(BrokerError):
            listener.connection.publish_and_wait(TOPIC, b"x", retain=False, timeout_s=0.2)
    finally:
        listener.connection.stop()


def test_a_frozen_broker_does_not_confirm(mosquitto):
    with Listener(mosquitto.port, subscriptions=()) as sender:
        mosquitto.pause()
        try:
            with pytest.raises(BrokerError, match=r"did not confirm within 0\.5 s"):
                sender.connection.publish_and_wait(TOPIC, b"x", retain=False, timeout_s=0.5)
        finally:
            mosquitto.resume()


def test_a_missing_certificate_authority_names_the_key(tmp_path):
    settings = BrokerSettings(tls=True, ca_file=str(tmp_path / "none.crt"))
    with pytest.raises(ConfigurationError, match=r"\[broker\] ca_file is .*none.crt"):
        Connection(settings, client_id="x")


def test_a_bug_in_who_is_called_back_is_told_and_the_message_comes_again(mosquitto, monkeypatch):
    """Else nobody would read from what counts as connected."""
    told, tries = [], []
    monkeypatch.setattr(threading, "excepthook", told.append)

    def fails_once(inbound):
        tries.append(inbound)
        if len(tries) == 2:
            raise ValueError("a bug")

    with Listener(mosquitto.port, persistent=True, manual_ack=True) as server:
        monkeypatch.setattr(server.connection, "_on_message", fails_once)
        _send(mosquitto.port, b"1", b"2", b"3")
        wait_until(lambda: server.changes == [True, False, True])
        wait_until(lambda: [one.payload for one in tries][-3:] == [b"1", b"2", b"3"])
        assert [one.exc_type for one in told] == [ValueError]
        server.connection.acknowledge(*tries)
        server.connection.publish_and_wait(f"{TOPIC}/seen", b"", retain=False, timeout_s=60)
    with Listener(mosquitto.port, persistent=True, manual_ack=True) as server:
        _send(mosquitto.port, b"end")
        wait_until(lambda: server.heard)
        assert server.payloads == [b"end"]


def test_stopping_leaves_no_thread(mosquitto):
    before = set(threading.enumerate())
    with Listener(mosquitto.port):
        own = set(threading.enumerate()) - before
        assert own
    wait_until(lambda: not own & set(threading.enumerate()))


def test_what_was_given_up_does_not_arrive_on_a_later_connection(mosquitto):
    """A call for help that its sender was told had failed must not come hours later."""
    with Listener(mosquitto.port) as listener:
        connection = listener.connection
        mosquitto.kill()
        wait_until(lambda: listener.changes[-1] is False)
        with pytest.raises(BrokerError, match="not delivered"):
            connection.publish_and_wait(TOPIC, b"without", retain=False, timeout_s=5)
        mosquitto.start()
        wait_until(lambda: listener.changes[-1] is True)
        mosquitto.pause()  # the connection stands, and nobody answers
        with pytest.raises(BrokerError, match="did not confirm"):
            connection.publish_and_wait(TOPIC, b"frozen", retain=False, timeout_s=0.2)
        mosquitto.kill()
        wait_until(lambda: listener.changes[-1] is False)
        mosquitto.start()
        wait_until(lambda: listener.changes[-1] is True)
        connection.publish_and_wait(TOPIC, b"end", retain=False, timeout_s=60)
        wait_until(lambda: listener.payloads)
        assert listener.payloads == [b"end"]


def test_many_at_once_come_whole_in_order_and_none_twice(mosquitto):
    """Most of them pass paho by, in both directions."""
    payloads = [str(n).encode() * (n % 400 + 1) for n in range(1_500)]
    with (
        Listener(mosquitto.port, persistent=True, manual_ack=True, linger_s=0.005) as server,
        Listener(mosquitto.port, "watch") as watch,
        Listener(mosquitto.port, "sender", subscriptions=()) as sender,
    ):
        numbers = [sender.connection.publish(TOPIC, payload) for payload in payloads]
        sender.connection.publish(TOPIC, b"x" * 300_000)
        wait_until(lambda: len(server.heard) == len(watch.heard) == len(payloads) + 1)
        wait_until(lambda: len(sender.confirmed) == len(payloads) + 1)
        assert sender.confirmed[:-1] == numbers
        assert server.payloads == watch.payloads == [*payloads, b"x" * 300_000]
        server.connection.acknowledge(*server.heard)
        # Mosquitto looks at nothing that stands before a farewell and was not looked at by then.
        server.connection.publish_and_wait(f"{TOPIC}/seen", b"", retain=False, timeout_s=60)
    with Listener(mosquitto.port, persistent=True, manual_ack=True) as server:
        _send(mosquitto.port, b"end")
        wait_until(lambda: server.heard)
        assert server.payloads == [b"end"]


def test_who_hands_over_many_wakes_the_network_thread_once(mosquitto, monkeypatch):
    with Listener(mosquitto.port, subscriptions=()) as sender:
        client = sender.connection._client
        bell = client._sockpairW
        assert bell is client._sockpairR
        rung, goes_on, loop_write = [], threading.Event(), client.loop_write

        def held():
            goes_on.wait(60)
            return loop_write()

        class Outer:
            def send(self, data):
                rung.append(data)
                return outer.send(data)

            def close(self):
                outer.close()

        outer, bell._outer = bell._outer, Outer()
        monkeypatch.setattr(client, "loop_write", held)
        sender.connection.publish(TOPIC, b"first")  # the thread is held from here on
        wait_until(lambda: not bell._has_rung)
        for n in range(100):
            sender.connection.publish(TOPIC, str(n).encode())
        goes_on.set()
        wait_until(lambda: len(sender.confirmed) == 101)
        assert len(rung) == 2
