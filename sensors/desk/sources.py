"""What can tell of the desk: three small contracts, and the one that polls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

Told = Callable[[str, bool], None]
"""Takes the name of a source and whether the screen is locked."""


class LockSource(Protocol):
    """One way to learn of the screen lock."""

    name: str

    async def watch(self, told: Told) -> None:
        """Tell how it stands, then of every change, until cancelled.

        Raises
        ------
        DeviceError
            If there is no such source here, or it went away.
        MissingExtraError
            If its library is not installed.
        """


class IdleSource(Protocol):
    """One way to learn how long keyboard and mouse have not been used.

    `doubt` says when its answers mean nothing; empty when they always do.
    """

    name: str
    doubt: str

    async def idle_s(self) -> float:
        """Return for how many seconds.

        Raises
        ------
        DeviceError
            If that cannot be learned here.
        MissingExtraError
            If its library is not installed.
        """

    async def close(self) -> None:
        """Let go of whatever it holds."""


class HotkeySource(Protocol):
    """One way to learn that the combination was pressed."""

    async def watch(self, pressed: Callable[[], None]) -> None:
        """Call `pressed` in this event loop at every press, until cancelled.

        Raises
        ------
        ConfigurationError
            If the combination cannot be had; another is to be chosen.
        DeviceError
            If there is no keyboard to be asked, or it went away.
        MissingExtraError
            If its library is not installed.
        """


class PolledLock:
    """A system that must be asked again and again.

    Parameters
    ----------
    name : str
        Of the source.
    is_locked : callable
        Asks; raises DeviceError where there is no answer.
    every_s : float
        How often. [s] Far below the 5 s within which capture must have ended.
    """

    def __init__(self, name: str, is_locked: Callable[[], bool], every_s: float = 1.0) -> None:
        self.name = name
        self._is_locked = is_locked
        self._every_s = every_s

    async def watch(self, told: Told) -> None:
        """See :class:`LockSource`."""
        before: bool | None = None
        while True:
            locked = self._is_locked()
            if locked != before:
                before = locked
                told(self.name, locked)
            await asyncio.sleep(self._every_s)


class PolledIdle:
    """A system that answers at once how long nothing was used.

    Parameters
    ----------
    name : str
        Of the source.
    ask : callable
        Returns the idle time [s]; raises DeviceError where there is no answer.
    """

    def __init__(self, name: str, ask: Callable[[], float]) -> None:
        self.name = name
        self.doubt = ""
        self._ask = ask

    async def idle_s(self) -> float:
        """See :class:`IdleSource`."""
        return self._ask()

    async def close(self) -> None:
        """Do nothing: it holds nothing."""
