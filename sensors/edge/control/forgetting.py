"""Erasing what one agent's edges keep on this machine, at the agent's own wish (TRUST T11).

What goes: windows on their way, the own record, what the page and the notices
remember, and damaged files that were moved aside. What stays: the choices
(consent), the claim of a headset, the key, and recordings that the agent made
(``--record FILE``), which only the agent knows.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Protocol

from sensors.edge.companion import Companion
from sensors.errors import StateError
from sensors.spoken import say

_KEPT_FILES = ("outbox-*.sqlite", "own-*.sqlite")
_SMALL_FILES = ("page.json*", "told.json*")  # a killed edge may leave one half written
_COPIES = "rescue-*"
_BESIDE = ("", "-wal", "-shm", "-journal", ".damaged-*")


class Forgets(Protocol):
    """What windows pass through: the keeper's queue, the outbox, the publisher's plan."""

    def forget(self) -> object:
        """Keep nothing any more."""


async def forget(
    outbox: Forgets,
    beside: Iterable[Forgets],
    companions: Iterable[Companion],
    also: Callable[[], Awaitable[None]] | None = None,
) -> str:
    """Erase what a running edge keeps; return what is said.

    Parameters
    ----------
    outbox : Forgets
        Emptied on a thread: it may wait for the disk.
    beside : iterable of Forgets
        What takes windows to it and from it.
    companions : iterable of Companion
    also : callable or None
        In private mode, where all of it is on this machine, the rest of it.

    Raises
    ------
    StateError, BrokerError
        If the disk or the server of this machine refuses; what could be
        erased is erased.
    """
    for part in beside:  # first: what ends while the outbox is being emptied is new
        part.forget()
    await asyncio.to_thread(outbox.forget)
    for companion in companions:
        await companion.forget()
    if also is not None:
        await also()
        return say(
            "Erased on this machine: everything about you but your settings and recordings you"
            " made. Nothing is measured until you allow it again."
        )
    return forgotten()


def forget_folder(folder: Path) -> dict[str, object]:
    """Erase what edges that do not run left in `folder`; return the report.

    Raises
    ------
    StateError
        If a file cannot be removed.
    """
    kept = (f"{name}{side}" for name in _KEPT_FILES for side in _BESIDE)
    patterns = (*kept, *_SMALL_FILES, _COPIES)
    for path in {path for pattern in patterns for path in folder.glob(pattern)}:
        try:
            # What was left by an edge that was killed while it mended an outbox is a folder.
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        except OSError as error:
            raise StateError(
                f"cannot remove {path} ({error.strerror}); remove it by hand"
            ) from None
    return {
        "running": False,
        "site": folder.parent.name,
        "agent": folder.name,
        "text": forgotten(),
    }


def forgotten() -> str:
    """Return what the agent is told."""
    return say(
        "Erased on this machine: what waited to be sent, your own record, what your page"
        " remembers. Your choices and recordings you made stay. What the server holds is not"
        " touched by it."
    )
