"""The agent's choices: obeyed at once, written down as soon as the disk takes them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from datetime import datetime
from functools import partial

from sensors.aside import InOrder
from sensors.edge.consent.file import ConsentFile
from sensors.edge.consent.permission import Permission
from sensors.errors import StateError
from sensors.spoken import say

_LOOK_WITHIN_S = 1.0
"""How long the agent's word waits for what they said to another edge. [s]"""

_WRITTEN_WITHIN_S = 5.0
"""After this the agent is told that the disk does not answer; it is written when it does. [s]"""

_MOST_WAITING = 1000


class Choices:
    """What is allowed now, and the file that it is kept in.

    Nothing waits for the disk but the answer that something is written down:
    a disk that hangs must not keep a microphone open (T6).

    Parameters
    ----------
    file : ConsentFile
        One for all of a person's edges here.
    obey : callable
        Called after each change, with whether the consent itself changed.
    tell : callable
        Takes one line for the person at the machine.

    Attributes
    ----------
    permission : Permission
        What holds at this moment.

    Raises
    ------
    StateError
        If the file cannot be read.
    """

    def __init__(
        self, file: ConsentFile, obey: Callable[[bool], None], tell: Callable[[str], None]
    ) -> None:
        self.permission = file.load()
        self._file = file
        self._obey = obey
        self._tell = tell
        self._disk = InOrder("consent", _MOST_WAITING)
        self._unwritten = 0  # changes that are obeyed and not written down yet
        self._look: asyncio.Task[None] | None = None

    def hold(self, permission: Permission) -> None:
        """Make `permission` hold from this moment on, in this edge."""
        consent_changed = permission.given != self.permission.given
        self.permission = permission
        self._obey(consent_changed)

    def change(self, permission: Permission) -> None:
        """Obey first, then write it down: a full disk must not keep a microphone open."""
        self.hold(permission)
        self._file.save(permission)

    def let_lapse(self, now: datetime) -> None:
        """End now what was allowed under earlier words; the agent is asked again."""
        lapsed = self.permission.lapsing(now)
        if lapsed != self.permission:
            try:
                self.change(lapsed)
            except StateError as error:  # it holds all the same, and is written at the next start
                self._tell(str(error))

    async def heed(self, permission: Permission) -> None:
        """As `change`; the device is closed while a slow disk writes.

        Raises
        ------
        StateError
            If the disk refuses, or does not answer for seconds. It holds all the same.
        """
        self.hold(permission)
        loop = asyncio.get_running_loop()
        self._unwritten += 1
        written = self._disk.do(partial(self._file.save, permission))
        if written is None:
            self._unwritten -= 1
            raise _not_written_yet()
        written.add_done_callback(partial(self._written, loop))
        try:
            async with asyncio.timeout(_WRITTEN_WITHIN_S):
                await asyncio.shield(asyncio.wrap_future(written))
        except TimeoutError:
            raise _not_written_yet() from None

    async def follow(self) -> None:
        """Take over what the agent said to another of their edges here, if the disk says it soon."""
        if self._look is None or self._look.done():
            self._look = asyncio.create_task(self._follow())
        with suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_WITHIN_S):
                await asyncio.shield(self._look)

    async def end(self) -> None:
        """Look no more."""
        if self._look is not None:
            self._look.cancel()
            await asyncio.wait({self._look})

    async def _follow(self) -> None:
        looked = None if self._unwritten else self._disk.do(self._file.news)
        if looked is None:
            return  # what the file says now is older than what was said to this one
        try:
            kept = await asyncio.wrap_future(looked)
        except StateError as error:  # what was said to this one holds
            self._tell(str(error))
            return
        if kept is not None and not self._unwritten:
            following = self.permission.following(kept)
            if following != self.permission:
                self.hold(following)

    def _written(self, loop: asyncio.AbstractEventLoop, _written: Future[None]) -> None:
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(self._count_written)

    def _count_written(self) -> None:
        self._unwritten -= 1


def _not_written_yet() -> StateError:
    return StateError(
        say(
            "done, and not written down yet: the disk does not answer; until it does, say it"
            " again after a restart"
        )
    )
