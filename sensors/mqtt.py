"""One connection to an MQTT 3.1.1 broker.

Shared by edge, server and dashboard. It reconnects by itself with a growing
delay, subscribes anew on every connection, and never acknowledges a message
on a connection other than the one it came on.
"""

from __future__ import annotations

import ssl
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sensors.config import BrokerSettings
from sensors.errors import BrokerError, ConfigurationError
from sensors.wire import refusals, tls
from sensors.wire.client import MOST_UNCONFIRMED, Client, Message, PahoClient, Reason
from sensors.wire.gulps import Gulps
from sensors.wire.packets import Published, confirmations

KEEPALIVE_S = 20
RECONNECT_MIN_S = 1
RECONNECT_MAX_S = 30
# With a limit paho looks through all that is unconfirmed at each confirmation.
_UNLIMITED = 0

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class Inbound:
    """A message from the broker; hand it back to `acknowledge` when it is safe."""

    topic: str
    payload: bytes
    retained: bool
    qos: int
    packet_id: int
    connection: int


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes, retained, when this client vanishes."""

    topic: str
    payload: bytes


class Connection:
    """A client of one broker.

    Callbacks run on paho's network thread and must return quickly.

    Parameters
    ----------
    settings : BrokerSettings
    client_id : str
        With ``persistent=True`` the broker keeps the session under this name.
    subscriptions : tuple of str
        Topics subscribed to with QoS 1 on every connection.
    on_message : callable
        Called with each `Inbound`.
    on_change : callable or None
        Called with ``True`` once connected *and* subscribed, ``False`` when lost.
    on_published : callable or None
        Called with the packet id that `publish` returned once the broker
        confirmed it. A broker may confirm and lose: this only paces.
    persistent : bool
        Keep the session (and what was queued for it) across connections.
    manual_ack : bool
        Confirm nothing to the broker until `acknowledge` is called.
    linger_s : float
        How long the network thread waits once something came, to be woken once
        for all that comes meanwhile and not for each. [s]
    """

    def __init__(
        self,
        settings: BrokerSettings,
        *,
        client_id: str,
        subscriptions: tuple[str, ...] = (),
        on_message: Callable[[Inbound], None] | None = None,
        on_change: Callable[[bool], None] | None = None,
        on_published: Callable[[int], None] | None = None,
        will: Will | None = None,
        persistent: bool = False,
        manual_ack: bool = False,
        linger_s: float = 0.0,
    ) -> None:
        self._settings = settings
        self._subscriptions = subscriptions
        self._on_message = on_message
        self._on_change = on_change
        self._on_published = on_published
        self._manual_ack = manual_ack
        self._generation = 0
        self._sock: Gulps | None = None  # of this generation
        self._connected = threading.Event()
        self._refused = ""
        self._is_answered = False  # the attempt that is being made, by the broker
        # Before paho's client, which opens sockets: what fails here leaves none behind.
        verified = tls.context(settings) if settings.tls else None
        self._client = Client(client_id, clean_session=not persistent, manual_ack=manual_ack)
        self._client.linger_s = linger_s
        self._configure(will, verified)

    def _configure(self, will: Will | None, verified: ssl.SSLContext | None) -> None:
        client, settings = self._client, self._settings
        if settings.username:
            client.username_pw_set(settings.username, settings.password or None)
        if verified is not None:
            client.tls_set_context(verified)
        if will is not None:
            client.will_set(will.topic, will.payload, qos=1, retain=True)
        client.max_inflight_messages_set(_UNLIMITED)
        client.reconnect_delay_set(RECONNECT_MIN_S, RECONNECT_MAX_S)
        client.on_connect = self._connected_now
        client.on_connect_fail = self._failed_now
        client.on_subscribe = self._subscribed_now
        client.on_disconnect = self._disconnected_now
        client.on_message = self._message_now
        client.on_gulped = self._gulped_now
        if self._on_published is not None:
            client.on_publish = self._published_now

    @property
    def is_connected(self) -> bool:
        """Whether the connection stands and the subscriptions are confirmed."""
        return self._connected.is_set()

    @property
    def has_room(self) -> bool:
        """Whether many more messages can be published before any is confirmed."""
        return self._client.unconfirmed <= MOST_UNCONFIRMED // 2

    @property
    def where(self) -> str:
        """The broker's address, as a person writes it."""
        return f"{self._settings.host}:{self._settings.port}"

    @property
    def refusal(self) -> str:
        """Why the last attempt failed, in the broker's or the system's words; else empty."""
        return self._refused

    def start(self) -> None:
        """Begin connecting in the background; returns at once, retries for ever."""
        self._client.connect_async(self._settings.host, self._settings.port, KEEPALIVE_S)
        self._client.loop_start()

    def wait_connected(self, timeout_s: float) -> None:
        """Return once connected.

        Raises
        ------
        BrokerError
            If that takes longer than `timeout_s`; names address and remedy.
        """
        if not self._connected.wait(timeout_s):
            why = self._refused or "nothing answers there"
            raise BrokerError(
                f"no MQTT broker at {self.where} ({why}); check [broker] host and port"
            )

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> int:
        """Hand `payload` to the network thread; return its packet id.

        Raises
        ------
        BrokerError
            If the broker has left so many unconfirmed that it is not taken.
        """
        return self._client.publish(topic, payload, qos=qos, retain=retain).mid

    def publish_and_wait(
        self, topic: str, payload: bytes, *, retain: bool, timeout_s: float
    ) -> None:
        """Publish with QoS 1 and return once the broker confirmed.

        What was given up is not sent on a later connection: a call for help
        that its sender was told had failed must not arrive hours later.

        Raises
        ------
        BrokerError
            If there is no connection, it did not confirm within `timeout_s`, or
            has left too many unconfirmed to be given more.
        """
        if not self._client.is_connected():
            why = self._refused or "there is no connection"
            raise BrokerError(f"not delivered to the broker: {why}")
        info = self._client.publish(topic, payload, qos=1, retain=retain)
        try:
            info.wait_for_publish(timeout_s)
            is_delivered = info.is_published()
        except (RuntimeError, ValueError) as error:
            self._give_up(info.mid)
            raise BrokerError(f"not delivered to the broker: {error}") from None
        if not is_delivered:
            self._give_up(info.mid)
            raise BrokerError(f"the broker did not confirm within {timeout_s:g} s")

    def _give_up(self, packet_id: int) -> None:
        """Take an unconfirmed message out of what paho sends anew on the next connection."""
        client = self._client
        with client._out_message_mutex:  # noqa: SLF001 - paho has no public way
            client._out_messages.pop(packet_id, None)  # noqa: SLF001

    def acknowledge(self, *some: Inbound) -> None:
        """Confirm `some` to the broker, but for those whose connection is gone: they come again."""
        sock = self._sock  # before the generation, which is counted up first: never a newer one's
        generation = self._generation
        if sock is not None:
            here = [one.packet_id for one in some if one.qos and one.connection == generation]
            sock.post(confirmations(here))
            self._client.wake()

    def stop(self) -> None:
        """Disconnect politely (the will is not sent) and end the network thread."""
        self._client.leave()

    def _connected_now(
        self, client: PahoClient, _userdata: Any, _flags: Any, reason: Reason, _props: Any
    ) -> None:
        self._is_answered = True
        if reason.is_failure:
            is_sign_in = reason.getName() in refusals.SIGN_IN
            self._refused = f"{reason}{refusals.CHECK_SIGN_IN if is_sign_in else ''}"
            return
        self._refused = ""
        self._generation += 1
        self._sock = self._client.gulps()
        if self._subscriptions:
            client.subscribe([(topic, 1) for topic in self._subscriptions])
        else:
            self._announce(connected=True)

    def _failed_now(self, _client: PahoClient, _userdata: Any) -> None:
        # paho calls this while it handles the error, and does not pass it on.
        self._refused = refusals.words(sys.exception(), tls=self._settings.tls)

    def _subscribed_now(
        self, _client: PahoClient, _userdata: Any, _mid: int, codes: list[Reason], _props: Any
    ) -> None:
        refused = [str(code) for code in codes if code.is_failure]
        if refused:
            self._refused = f"subscription refused: {refused[0]}"
            return
        self._announce(connected=True)

    def _disconnected_now(
        self, _client: PahoClient, _userdata: Any, _flags: Any, _reason: Reason, _props: Any
    ) -> None:
        if not self._is_answered and not self._client.is_leaving:
            self._refused = f"it hung up without an answer; {refusals.CHECK_TLS}"
        self._is_answered = False
        self._announce(connected=False)

    def _announce(self, *, connected: bool) -> None:
        if connected:
            self._connected.set()
        else:
            self._connected.clear()
        if self._on_change is not None:
            self._on_change(connected)

    def _message_now(self, _client: PahoClient, _userdata: Any, message: Message) -> None:
        found = message.topic, bytes(message.payload), message.retain, message.qos, message.mid
        self._hand_on(Inbound(*found, self._generation))

    def _gulped_now(self, message: Published) -> None:
        inbound = Inbound(*message, self._generation)
        self._hand_on(inbound)
        if not self._manual_ack:
            self.acknowledge(inbound)

    def _hand_on(self, inbound: Inbound) -> None:
        if self._on_message is not None:
            self._on_message(inbound)

    def _published_now(
        self, _client: PahoClient, _userdata: Any, mid: int, _reason: Reason, _props: Any
    ) -> None:
        if self._on_published is not None:
            self._on_published(mid)


def require_tls(broker: BrokerSettings) -> None:
    """Refuse a broker off this machine without encryption (TRUST T20).

    Raises
    ------
    ConfigurationError
        If `broker` is not on the loopback address and `tls` is off.
    """
    if broker.host not in LOOPBACK and not broker.tls:
        raise ConfigurationError(
            f"[broker] host is {broker.host!r} and tls is false;"
            " off this machine set tls = true (and ca_file for a private authority)"
        )
