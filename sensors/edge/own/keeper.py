"""Feeds the agent's own record, beside the event loop."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from sensors.aside import InOrder
from sensors.edge.companion import Companion, EdgeAccess
from sensors.edge.own.record import OwnRecord
from sensors.errors import StateError
from sensors.messages import ContextMessage, MirrorMessage, NoticeMessage, ReadingMessage

_MOST_WAITING = 720
"""Windows and notices that may wait for the disk: an hour. Further ones are not in the record."""

_LAST_WITHIN_S = 2.0
"""How long the end waits for the disk; the record is a view, the outbox holds the promise. [s]"""

_ERASED_WITHIN_S = 8.0
"""Whoever asked waits 10 s for the answer. [s]"""


class OwnKeeper(Companion):
    """Feeds the agent's own record with what leaves the machine and what comes back.

    Beside the event loop: a disk that hangs is no reason to go on measuring.

    Parameters
    ----------
    record : OwnRecord
        Closed when the edge ends.
    """

    def __init__(self, record: OwnRecord) -> None:
        self.record = record
        self._disk = InOrder("own record", _MOST_WAITING)
        self._tell: Callable[[str], None] = lambda _line: None
        self._is_missing = False

    async def run(self, edge: EdgeAccess) -> None:
        """Remove what is too old, then wait; on the way out write what is still in memory."""
        self._tell = edge.say
        now = edge.now_at()
        self._later(lambda: self.record.prune(now))
        try:
            await super().run(edge)
        finally:
            with contextlib.suppress(TimeoutError):
                await self._disk.within(_LAST_WITHIN_S, lambda: self._try(self.record.close))

    def take_window(self, message: ReadingMessage) -> None:
        """Keep a window's values."""
        self._later(lambda: self.record.add_window(message))

    def take_told(self, message: NoticeMessage | ContextMessage | MirrorMessage) -> None:
        """Keep notices and the newest mirror."""
        if isinstance(message, NoticeMessage):
            self._later(lambda: self.record.add_notice(message))
        elif isinstance(message, MirrorMessage):
            self._later(lambda: self.record.add_mirror(message))

    async def forget(self) -> None:
        """Erase the record, and with it what waits to be written.

        Raises
        ------
        StateError
            If the disk refuses, or does not answer.
        """
        try:
            await self._disk.within(_ERASED_WITHIN_S, self.record.forget)
        except TimeoutError:
            raise StateError(
                "your own record is not erased yet: the disk does not answer"
            ) from None

    def _later(self, work: Callable[[], None]) -> None:
        taken = self._disk.do(lambda: self._try(work)) is not None
        if not taken and not self._is_missing:
            self._tell("the disk does not answer; your own record misses what comes now")
        self._is_missing = not taken

    def _try(self, work: Callable[[], None]) -> None:
        """Do it; a disk that refuses is said once and ends nothing."""
        with contextlib.suppress(StateError):  # the record has noted it
            work()
        for note in self.record.take_notes():
            self._tell(note)
