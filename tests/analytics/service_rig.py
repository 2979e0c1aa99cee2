"""What tests of the service listen with and look at."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

from analytics.server.service import Service
from analytics.watching.status import ServerStatus, read_status
from sensors.config import BrokerSettings
from sensors.mqtt import Connection, Inbound

Serve = Callable[..., AbstractContextManager[Service]]


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
        self.connection.wait_connected(60)

    def of(self, topic: str) -> list[bytes]:
        return [one.payload for one in self.heard if one.topic == topic]


def status(directory: Path) -> ServerStatus:
    return read_status(directory / "state", datetime.now(UTC))
