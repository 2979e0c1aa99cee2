"""A stand-in for the server: hears every window, answers `stored` and the time."""

import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from sensors import codec, topics
from sensors.config import BrokerSettings
from sensors.messages import (
    WINDOW_S,
    ConsentMessage,
    ReadingMessage,
    StatusMessage,
    StoredMessage,
    TimeMessage,
)
from sensors.mqtt import Connection, Inbound
from sensors.topics import DELIVERY, TopicKind


class StandIn:
    """Subscribes like the server; `heard` counts each (agent, run, seq)."""

    def __init__(
        self,
        port: int,
        site: str = "main",
        *,
        stores: bool = True,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._now = now
        self.stores = stores
        self.heard: Counter[tuple[str, str, int]] = Counter()
        self.windows: list[ReadingMessage] = []  # each once
        self.every: list[ReadingMessage] = []  # repetitions too
        self.payloads: list[tuple[str, bytes]] = []
        self.others: list[Any] = []
        self._site = site
        self._done: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()
        self.port = port

    def start(self) -> Self:
        self.connection = Connection(
            BrokerSettings(port=self.port),
            client_id=f"stand-in-{self._site}",
            subscriptions=topics.server_subscriptions(self._site),
            on_message=self._take,
            persistent=True,
            manual_ack=True,
        )
        self.connection.start()
        self.connection.wait_connected(60)
        return self

    def stop(self) -> None:
        self.connection.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _take(self, inbound: Inbound) -> None:
        topic = topics.parse(inbound.topic)
        assert topic.agent is not None
        with self._lock:
            self.payloads.append((inbound.topic, inbound.payload))
            message = codec.decode(inbound.payload, DELIVERY[topic.kind].message)
            if isinstance(message, ReadingMessage):
                self._window(topic.agent, message)
            elif topic.kind is TopicKind.TIME:
                assert isinstance(message, TimeMessage)
                echo = TimeMessage(
                    id=message.id, edge_sent_at=message.edge_sent_at, server_at=self._now()
                )
                where = topics.time_echo(self._site, topic.agent)
                self.connection.publish(where, codec.encode(echo), qos=0)
            else:
                self.others.append(message)
        self.connection.acknowledge(inbound)

    def _window(self, agent: str, message: ReadingMessage) -> None:
        key = (agent, message.run, message.seq)
        self.heard[key] += 1
        self.every.append(message)
        if self.heard[key] == 1:
            self.windows.append(message)
        if not self.stores:
            return
        run = (agent, message.run)
        done = max(self._done.get(run, -1), message.oldest_seq - 1)
        while (agent, message.run, done + 1) in self.heard:
            done += 1
        self._done[run] = done
        if done >= 0:
            stored = StoredMessage(run=message.run, seq=done, at=datetime.now(UTC))
            where = topics.stored(self._site, agent, message.source)
            self.connection.publish(where, codec.encode(stored), retain=True)

    def since(self, at: datetime) -> list[ReadingMessage]:
        """The windows that began after `at`; what was on its way before does not count."""
        begun = at + timedelta(seconds=WINDOW_S)
        return [window for window in list(self.windows) if window.window_end_at >= begun]

    @property
    def runs(self) -> dict[str, list[int]]:
        """The numbers heard of each run, sorted, each once."""
        with self._lock:
            runs: dict[str, list[int]] = {}
            for _, run, seq in sorted(self.heard):
                runs.setdefault(run, []).append(seq)
            return runs

    @property
    def statuses(self) -> list[StatusMessage]:
        return [m for m in list(self.others) if isinstance(m, StatusMessage)]

    @property
    def consents(self) -> list[ConsentMessage]:
        return [m for m in list(self.others) if isinstance(m, ConsentMessage)]


def after(server: StandIn, count: int):
    """Return whether `count` more windows than now have arrived."""
    wanted = len(server.windows) + count
    return lambda: len(server.windows) >= wanted
