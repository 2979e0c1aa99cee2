"""What runs beside the windows for the agent: their page, a lock watcher, a recorder.

A companion sees only what leaves the machine or comes back from the server,
and speaks to the edge with the same commands as another terminal. The edge
process knows none of them by name; the command line puts them together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Protocol

from sensors.edge.consent.permission import Permission
from sensors.errors import ConfigurationError
from sensors.messages import ContextMessage, MirrorMessage, NoticeMessage, ReadingMessage
from sensors.signals import Channel


class EdgeAccess(Protocol):
    """What a companion may see and ask of the running edge."""

    @property
    def permission(self) -> Permission:
        """What the agent allows, and what stands against it now."""

    @property
    def channels(self) -> tuple[Channel, ...]:
        """What the collectors could measure."""

    def now_at(self) -> datetime:
        """Return the run's own wall time. UTC."""

    def say(self, text: str) -> None:
        """Say one line to the person at the machine."""

    def report(self) -> dict[str, Any]:
        """Return the edge's state for the agent's own eyes."""

    async def obey(self, command: str, words: tuple[str, ...] = ()) -> dict[str, Any]:
        """Do what the agent asks, as from another terminal; return the report.

        Raises
        ------
        WellbeingError
            If it cannot be done; the text says why and what to do.
        """


class Companion:
    """Base of all companions; each overrides what it needs."""

    async def run(self, edge: EdgeAccess) -> None:  # noqa: ARG002 - the interface
        """Run until cancelled; returning early is allowed and ends only this companion."""
        await asyncio.Event().wait()

    def take_window(self, message: ReadingMessage) -> None:
        """Take a window that was just committed to the outbox."""

    def take_told(self, message: NoticeMessage | ContextMessage | MirrorMessage) -> None:
        """Take what came for the agent, in the order of arrival."""

    def take_said(self, command: str, words: tuple[str, ...]) -> None:
        """Take what the agent asked for or answered, here or in a terminal, once it arrived."""

    async def answer(self, command: str, words: tuple[str, ...]) -> dict[str, Any] | None:  # noqa: ARG002 - the interface
        """Return more for the report of a command that only this companion knows, else ``None``."""
        return None

    async def forget(self) -> None:
        """Erase what it keeps about the agent, at their wish."""


def said_beside(companions: Iterable[Companion], command: str, words: tuple[str, ...]) -> None:
    """Tell every companion what the agent asked for or answered."""
    for companion in companions:
        companion.take_said(command, words)


async def answer_beside(
    companions: Iterable[Companion], command: str, words: tuple[str, ...]
) -> dict[str, Any]:
    """Return the answer of the companion that knows `command`.

    Raises
    ------
    ConfigurationError
        If none does.
    """
    for companion in companions:
        found = await companion.answer(command, words)
        if found is not None:
            return found
    raise ConfigurationError(f"unknown command {command!r}, or what it needs is not on")


async def run_beside(companions: Iterable[Companion], edge: EdgeAccess) -> None:
    """Run every companion; one that cannot go on says so and stops nobody else."""

    async def one(companion: Companion) -> None:
        try:
            await companion.run(edge)
        except OSError as error:
            edge.say(f"{type(companion).__name__.lower()}: {error}; the edge goes on without it")

    await asyncio.gather(*(one(companion) for companion in companions))
    await asyncio.Event().wait()  # they are never the reason for the edge to end
