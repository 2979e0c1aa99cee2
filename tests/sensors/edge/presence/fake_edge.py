"""What a companion sees of an edge, without one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sensors.edge.consent.permission import Event, Lockers, Permission
from sensors.errors import StateError
from sensors.signals import Channel


class FakeEdge:
    """Obeys, and keeps what it was told and said."""

    def __init__(self, *allowed: Channel) -> None:
        self.permission = Permission().consenting(allowed, self.now_at())
        self.channels: tuple[Channel, ...] = tuple(Channel)
        self.obeyed: list[str] = []
        self.lines: list[str] = []
        self.disk_is_full = False
        self._lockers = Lockers()

    def now_at(self) -> datetime:
        return datetime.now(UTC)

    def say(self, text: str) -> None:
        self.lines.append(text)

    def report(self) -> dict[str, Any]:
        return {}

    async def obey(self, command: str, words: tuple[str, ...] = ()) -> dict[str, Any]:
        self.obeyed.append(command)
        self.permission = self.permission.after(self._lockers.after(Event(command), words))
        if self.disk_is_full:
            raise StateError("cannot write consent.json: no space; free space")
        return {}
