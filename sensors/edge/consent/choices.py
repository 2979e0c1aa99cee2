"""The agent's choices: obeyed at once, written down as soon as the disk takes them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import reduce

from sensors.aside import InOrder
from sensors.edge.consent.file import Change, ConsentFile
from sensors.edge.consent.permission import Permission
from sensors.errors import StateError
from sensors.spoken import say

_LOOK_WITHIN_S = 1.0
"""How long a look for what was said to another edge holds anything up. [s]"""

_WRITTEN_WITHIN_S = 3.0
"""After this the agent is told that the disk does not answer; it is written when it does. [s]
With the look before it less than the 5 s within which the next word, of one key, holds (T6)."""

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
        self._kept = self.permission  # what the file is to say; the disk's thread has it
        self._file = file
        self._obey = obey
        self._tell = tell
        self._disk = InOrder("consent", _MOST_WAITING)
        self._changes: deque[Change] = deque()  # obeyed, and not written down yet
        self._refused: list[Change] = []  # what the disk did not take; the disk's thread has it
        self._heeded = self._written = 0  # how many changes were, in all
        self._saying = asyncio.Lock()
        self._look: asyncio.Task[None] | None = None
        self._look_until_s = 0.0

    def hold(self, permission: Permission) -> None:
        """Make `permission` hold from this moment on, in this edge."""
        consent_changed = permission.given != self.permission.given
        self.permission = permission
        self._obey(consent_changed)

    def change(self, change: Change) -> None:
        """Obey first, then write it down, before anything runs."""
        self.hold(change(self.permission))
        self._kept = self.permission
        self._kept = self._file.change(change)
        self._catch_up()

    def let_lapse(self, now: datetime) -> None:
        """End now what was allowed under earlier words; the agent is asked again."""
        if self.permission.lapsing(now) != self.permission:
            try:
                self.change(lambda allowed: allowed.lapsing(now))
            except StateError as error:  # it holds all the same, and is written at the next start
                self._tell(str(error))

    async def heed(self, change: Change) -> None:
        """Obey, in the order in which it was said; write it down when the disk takes it.

        Raises
        ------
        StateError
            If the disk refuses, or does not answer for seconds. It holds all the same.
        """
        async with self._saying:
            await self.follow()
            self.hold(change(self.permission))
            self._heeded += 1
            self._changes.append(change)
        try:
            await self._disk.within(_WRITTEN_WITHIN_S, self._write)
        except TimeoutError:
            raise _not_written_yet() from None
        finally:
            self._catch_up()

    async def follow(self) -> None:
        """Take over what the agent said to another of their edges here, if the disk says it soon."""
        now_s = asyncio.get_running_loop().time()
        if self._look is None or self._look.done():
            self._look = asyncio.create_task(self._follow())
            self._look_until_s = now_s + _LOOK_WITHIN_S
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._look_until_s):
                await asyncio.shield(self._look)

    async def end(self) -> None:
        """Look no more."""
        if self._look is not None:
            self._look.cancel()
            await asyncio.wait({self._look})

    async def written(self) -> None:
        """Return once all that was obeyed is written down, or the disk takes too long."""
        if self._written != self._heeded:
            with suppress(TimeoutError):
                await self._disk.within(_WRITTEN_WITHIN_S, lambda: None)

    async def _follow(self) -> None:
        self._catch_up()
        heeded = self._heeded
        looked = self._disk.do(self._news) if heeded == self._written else None
        if looked is None:
            return  # what the file says now is older than what was said to this one
        try:
            kept = await asyncio.wrap_future(looked)
        except StateError as error:  # what was said to this one holds
            self._tell(str(error))
            return
        if kept is not None and heeded == self._heeded:  # else what is written then has both
            self._take_over(kept)

    def _catch_up(self) -> None:
        """Let hold what was written down: what was said here and to another edge."""
        if self._written == self._heeded:
            self._take_over(self._kept)

    def _take_over(self, kept: Permission) -> None:
        following = self.permission.following(kept)
        if following != self.permission:
            self.hold(following)

    # On the disk's thread.

    def _news(self) -> Permission | None:
        kept = self._file.news()
        if kept is not None:
            self._kept = kept
            if self._refused:
                # Which word was the later one nobody knows: what either forbids stays forbidden.
                self._kept = self._with_refused(kept).narrowed_to(kept)
                self._refused = [self._kept.narrowed_to]
        if self._refused:
            with suppress(StateError):  # it was said when the disk refused first
                self._put()
        return None if kept is None else self._kept

    def _write(self) -> None:
        """Write down all that was obeyed until now.

        As changes of what the file says, not as what held here: a disk that was slow
        for this edge may have taken from another one meanwhile that the agent withdrew.
        """
        with suppress(StateError):  # `_put` raises it, too
            self._news()
        taken = 0
        while self._changes:
            self._refused.append(self._changes.popleft())
            taken += 1
        try:
            self._put()
        except StateError:
            self._kept = self._with_refused(self._kept)  # it holds all the same
            raise
        finally:
            self._written += taken

    def _put(self) -> None:
        self._kept = self._file.change(self._with_refused)
        self._refused.clear()

    def _with_refused(self, kept: Permission) -> Permission:
        return reduce(lambda allowed, change: change(allowed), self._refused, kept)


def _not_written_yet() -> StateError:
    return StateError(
        say(
            "done, and not written down yet: the disk does not answer; until it does, say it"
            " again after a restart"
        )
    )
