"""The server's end of the broker: a bounded queue in, publications out.

The network thread only puts messages into a queue, answers the clock, and
notes what was confirmed; everything else happens on the service's thread.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime

from analytics.clock import now_utc
from analytics.journal.intake import parse_topic
from analytics.journal.steps import Pending
from sensors import codec, topics
from sensors.config import BrokerSettings
from sensors.errors import BrokerError, MessageError
from sensors.messages import StoredMessage, TimeMessage
from sensors.mqtt import Connection, Inbound
from sensors.topics import DELIVERY, TopicKind

QUEUE_SIZE = 20_000
"""More than this waiting, and the broker is made to wait: it has a disk."""

BATCH_SIZE = 500
LINGER_S = 0.01
"""How long a batch waits for company. [s]"""

NETWORK_LINGER_S = 0.005
"""So long its messages wait before that, to be fetched together. [s] With both, a broker that
allows 20 messages in flight (Mosquitto's default) still passes 1,000 a second. An edge that asks
for the time takes half of it for its clock's offset, within the error that it states."""

_FULL_LOOK_S = 0.01
# How paho words a broker's answer, as opposed to the system's about an address.
_CREDENTIAL_WORDS = ("Not authorized", "Bad user name", "subscription refused")


class Subscriber:
    """Receives everything of one site and publishes for the server.

    Parameters
    ----------
    settings : BrokerSettings
    site : str
    clock : callable
        Returns the server's time, UTC.
    """

    def __init__(
        self, settings: BrokerSettings, site: str, clock: Callable[[], datetime] = now_utc
    ) -> None:
        self._site, self._clock = site, clock
        self._where = f"{settings.host}:{settings.port}"
        self._queue: queue.SimpleQueue[Inbound] = queue.SimpleQueue()
        self._closed = threading.Event()
        self._confirmed: deque[int] = deque()  # packet numbers, in the order confirmed
        self._in_flight: dict[int, int] = {}
        self._retained_alerts: deque[str] = deque()
        self._is_short = False  # of room: something was not taken, and waits in the file
        self.connections = 0
        self._connection = Connection(
            settings,
            client_id=f"wellbeing-server-{site}",
            # Its own alerts, too: one that the broker kept and we closed must be cleared.
            subscriptions=topics.server_subscriptions(site) + topics.dashboard_subscriptions(site),
            on_message=self._received,
            on_change=self._changed,
            on_published=self._published,
            persistent=True,
            manual_ack=True,
            linger_s=NETWORK_LINGER_S,
        )

    @property
    def is_connected(self) -> bool:
        """Whether messages can come and go."""
        return self._connection.is_connected

    @property
    def trouble(self) -> str:
        """Why there is no broker, in one line that says what to check; empty if there is."""
        if self._connection.is_connected:
            return ""
        why = self._connection.refusal
        if why.startswith(_CREDENTIAL_WORDS):
            return (
                f"the MQTT broker at {self._where} refuses us ({why});"
                " check [broker] username and password"
            )
        reason = f" ({why})" if why else ""
        return f"no MQTT broker at {self._where}{reason}; check [broker] host and port"

    def start(self) -> None:
        """Begin connecting; retries for ever."""
        self._connection.start()

    def stop(self) -> None:
        """Disconnect; the broker keeps the session and what comes meanwhile."""
        self._closed.set()
        self._connection.stop()

    def collect(self, timeout_s: float) -> list[Inbound]:
        """Return up to `BATCH_SIZE` messages, waiting at most `timeout_s` for the first."""
        try:
            batch = [
                self._queue.get(timeout=timeout_s) if timeout_s > 0 else self._queue.get_nowait()
            ]
        except queue.Empty:
            return []
        if timeout_s > 0 and self._queue.qsize() < BATCH_SIZE - 1:
            time.sleep(LINGER_S)  # woken once for all that come meanwhile, not for each
        with suppress(queue.Empty):
            while len(batch) < BATCH_SIZE:
                batch.append(self._queue.get_nowait())
        return batch

    def acknowledge(self, batch: Sequence[Inbound]) -> None:
        """Confirm to the broker what is on the disk."""
        self._connection.acknowledge(*batch)

    def publish(self, pending: Pending) -> None:
        """Send one publication; its id appears in `take_confirmed` once the broker has it.

        With too much unconfirmed it is not sent: see `take_room`.
        """
        delivery = DELIVERY[parse_topic(pending.topic).kind]
        packet = self._hand_over(
            pending.topic, pending.payload, qos=delivery.qos, retain=delivery.retained
        )
        if packet is not None:
            self._in_flight[packet] = pending.id

    def take_room(self) -> bool:
        """Return, once, whether what was not sent for want of room can be sent now."""
        if not (self._is_short and self._connection.has_room):
            return False
        self._is_short = False
        return True

    def _hand_over(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> int | None:
        if not self._is_short:  # nothing overtakes what waits
            try:
                return self._connection.publish(topic, payload, qos=qos, retain=retain)
            except BrokerError:
                self._is_short = True
        return None

    def unconfirmed(self) -> set[int]:
        """Return ids of publications sent and not confirmed: they are sent again by themselves."""
        return set(self._in_flight.values())

    def publish_stored(self, agent: str, source: str, message: StoredMessage) -> None:
        """Say up to which window everything of a run is in the journal."""
        self._hand_over(
            topics.stored(self._site, agent, source), codec.encode(message), qos=1, retain=True
        )

    def publish_once(self, topic: str, payload: bytes) -> None:
        """Send what nobody keeps: at most once, not retained, not confirmed."""
        self._connection.publish(topic, payload, qos=0)

    def take_confirmed(self) -> list[int]:
        """Return ids of publications confirmed since the last call."""
        # Matched here, on the thread that publishes: a confirmation may be faster than `publish`.
        packets = [self._confirmed.popleft() for _ in range(len(self._confirmed))]
        found = (self._in_flight.pop(packet, None) for packet in packets)
        return [pending_id for pending_id in found if pending_id is not None]

    def take_retained_alerts(self) -> list[str]:
        """Return ids of alerts that the broker still kept when we (re)connected."""
        return [self._retained_alerts.popleft() for _ in range(len(self._retained_alerts))]

    def _received(self, inbound: Inbound) -> None:
        try:
            topic = parse_topic(inbound.topic)
        except MessageError:
            self._enqueue(inbound)
            return
        if topic.kind is TopicKind.ALERT:
            if inbound.retained and inbound.payload and topic.alert_id is not None:
                self._retained_alerts.append(topic.alert_id)
            self._connection.acknowledge(inbound)
        elif topic.kind is TopicKind.TIME and self._answer_clock(topic, inbound):
            self._connection.acknowledge(inbound)
        else:
            self._enqueue(inbound)

    def _answer_clock(self, topic: topics.Topic, inbound: Inbound) -> bool:
        """Answer at once, on this thread: waiting in the queue would be taken for distance."""
        try:
            asked = codec.decode(inbound.payload, TimeMessage)
        except MessageError:
            return False
        echo = TimeMessage(id=asked.id, edge_sent_at=asked.edge_sent_at, server_at=self._clock())
        where = topics.time_echo(self._site, topic.agent or "")
        self._connection.publish(where, codec.encode(echo), qos=0)
        return True

    def _enqueue(self, inbound: Inbound) -> None:
        while self._queue.qsize() >= QUEUE_SIZE:
            if self._closed.wait(_FULL_LOOK_S):
                return
        self._queue.put(inbound)

    def _changed(self, connected: bool) -> None:
        if connected:
            self.connections += 1

    def _published(self, packet: int) -> None:
        self._confirmed.append(packet)
