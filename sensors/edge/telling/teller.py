"""Says to the agent what is due, in their language and at the right moment: the shell of `telling`.

It runs beside every edge, also one without any sensor. What it keeps on disk
is when the agent was interrupted, so that a restart does not begin to count
anew.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sensors import codec
from sensors.aside import InOrder
from sensors.edge.companion import Companion, EdgeAccess
from sensors.edge.consent.permission import Reason
from sensors.edge.telling.reminder import BreakReminder
from sensors.edge.telling.telling import Telling
from sensors.messages import ContextMessage, MirrorMessage, NoticeMessage
from sensors.replacing import remedy, replace_durably

LOOK_S = 1.0
"""How often it looks whether something is due. [s]"""

_LAST_WITHIN_S = 1.0  # the end waits for the disk
_MOST_WAITING = 100  # a disk that hangs; the agent is interrupted a few times a shift

_AWAY = frozenset({Reason.LOCKED, Reason.ON_BREAK, Reason.OFF_SHIFT})


@dataclass(frozen=True, slots=True)
class _Kept:
    """The file's layout, version 1."""

    file_version: int = 1
    told_at: list[datetime] = field(default_factory=list)


class Teller(Companion):
    """One agent's notices and break reminder.

    Parameters
    ----------
    path : Path
        Where it keeps when the agent was interrupted.
    break_reminder_min : float
        Work without a break after which one is due; 0 never reminds. [min]
    is_private : bool
        Nothing leaves this machine.
    """

    def __init__(self, path: Path, break_reminder_min: float, *, is_private: bool = False) -> None:
        self._path = path
        self._telling = Telling(_load(path), is_private=is_private)
        self._reminder = BreakReminder(break_reminder_min)
        self._disk = InOrder("told", _MOST_WAITING)
        self._edge: EdgeAccess | None = None

    @property
    def asked(self) -> str | None:
        """The alert that the agent was asked about last."""
        return self._telling.asked

    @property
    def on_page(self) -> int:
        """How much was not said aloud and stands on the page only."""
        return self._telling.on_page

    async def run(self, edge: EdgeAccess) -> None:
        """Look every second, until cancelled."""
        self._edge = edge
        try:
            await self._look(edge)
        finally:
            with suppress(TimeoutError):  # a disk that hangs
                await self._disk.within(_LAST_WITHIN_S, lambda: None)

    async def _look(self, edge: EdgeAccess) -> None:
        while True:
            is_away = bool(edge.permission.reasons & _AWAY)
            worked = self._reminder.step(edge.now_at(), is_away=is_away)
            if worked is not None or self._reminder.is_rested:
                self._telling.remind(worked)
            self._say()
            await asyncio.sleep(LOOK_S)

    def take_told(self, message: NoticeMessage | ContextMessage | MirrorMessage) -> None:
        """Take what came; what is due by it is said at once."""
        if isinstance(message, ContextMessage):
            self._telling.context(message.state)
        elif isinstance(message, NoticeMessage):
            self._telling.take(message)
        self._say()

    def _say(self) -> None:
        edge = self._edge
        if edge is None:
            return
        before = list(self._telling.told_at)
        # Whoever lets nothing be measured is never interrupted by anything but the reminder.
        keep_free = 1 if edge.permission.channels else 0
        for line in self._telling.due(edge.now_at(), keep_free=keep_free):
            edge.say(line)
        if self._telling.told_at != before:
            told_at = list(self._telling.told_at)
            self._disk.do(lambda: self._keep(told_at, edge))

    def _keep(self, told_at: list[datetime], edge: EdgeAccess) -> None:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_durably(self._path, codec.dump_json(_Kept(told_at=told_at)))
        except OSError as error:
            edge.say(f"cannot write {self._path}: {error.strerror}; {remedy(error)}")


def _load(path: Path) -> list[datetime]:
    """Return what was kept; a file that cannot be read counts as none, and is written anew."""
    try:
        told_at = codec.convert(codec.load_json(path.read_bytes()), _Kept).told_at
    except (OSError, ValueError, RecursionError):
        return []
    return [] if any(at.tzinfo is None for at in told_at) else told_at
