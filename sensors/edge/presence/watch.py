"""Companions of the edge: stop measuring while nobody is at the desk, and at one key combination."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator, Sequence

from sensors.desk.away import Desk
from sensors.desk.combination import Combination
from sensors.desk.sources import HotkeySource, IdleSource, LockSource
from sensors.edge.companion import Companion, EdgeAccess
from sensors.edge.consent.permission import IDLE, SCREEN, Reason
from sensors.errors import DeviceError, MissingExtraError, WellbeingError
from sensors.messages import ContextMessage, ContextState, MirrorMessage, NoticeMessage
from sensors.signals import Channel
from sensors.spoken import say

RETRY_S = 30.0
LOOK_S = 5.0
LOOK_AWAY_S = 1.0
"""How often to look at the idle time; more often while away, so that coming back is quick. [s]"""

_HANDS = frozenset({Channel.KEYBOARD, Channel.POINTER})


class DeskWatch(Companion):
    """Obeys the screen lock, and takes a long idle time for one (TRUST T8).

    Parameters
    ----------
    locks : sequence of LockSource
    idle : IdleSource or None
    idle_limit_s : float
        How long nobody may touch keyboard or mouse; 0 switches it off. [s]
        It is looked at only when the agent allows keyboard or mouse to be
        measured.
    monotonic_s : callable
        The clock.
    """

    def __init__(
        self,
        locks: Sequence[LockSource],
        idle: IdleSource | None,
        idle_limit_s: float,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._locks = tuple(locks)
        self._idle = idle if idle_limit_s else None
        self._desk = Desk(idle_limit_s or float("inf"))
        self._monotonic_s = monotonic_s
        self._on_call = False
        self._changed: asyncio.Queue[Desk] = asyncio.Queue()
        self._seeing: set[str] = set()
        self._failing: dict[str, str] = {}
        self._said: set[str] = set()

    async def run(self, edge: EdgeAccess) -> None:
        """See :class:`Companion`."""
        work = [self._watch_lock(lock, edge) for lock in self._locks]
        if self._idle is not None:
            work.append(self._watch_idle(self._idle, edge))
        await asyncio.gather(self._obey(edge), *work)

    def take_told(self, message: NoticeMessage | ContextMessage | MirrorMessage) -> None:
        """Learn whether the agent is on a call: who speaks is there."""
        if isinstance(message, ContextMessage):
            self._on_call = message.state is ContextState.ON_CALL

    def _become(self, desk: Desk) -> None:
        if desk != self._desk:
            self._desk = desk
            self._changed.put_nowait(desk)

    async def _obey(self, edge: EdgeAccess) -> None:
        """Tell the edge, one after the other, what follows from each change."""
        before = self._desk
        while True:
            after = await self._changed.get()
            is_locked = Reason.LOCKED in edge.permission.reasons
            with _told_to(edge):
                if after.locked - before.locked and not (is_locked and before.locked):
                    await edge.obey("lock", (SCREEN,))
                elif before.locked and not after.locked:
                    await edge.obey("unlock", (SCREEN,))
            with _told_to(edge):
                if after.is_idle and not before.is_idle:
                    await edge.obey("lock", (IDLE,))
                    if not is_locked:
                        edge.say(say("nobody at the desk; nothing is measured until you are back"))
                elif before.is_idle and not after.is_idle:
                    await edge.obey("unlock", (IDLE,))
            before = after

    async def _watch_lock(self, source: LockSource, edge: EdgeAccess) -> None:
        def told(name: str, locked: bool) -> None:
            self._seeing.add(source.name)
            self._failing.pop(source.name, None)
            self._become(self._desk.told(name, locked=locked))

        while True:
            try:
                await source.watch(told)
            except (DeviceError, MissingExtraError) as error:
                # What it said last goes on to hold: unknown is not unlocked.
                self._failing[source.name] = str(error)
                self._seeing.discard(source.name)
                self._say_if_blind(edge)
            await asyncio.sleep(RETRY_S)

    def _say_if_blind(self, edge: EdgeAccess) -> None:
        if self._seeing or len(self._failing) < len(self._locks) or not edge.channels:
            return
        why = "; ".join(f"{name}: {words}" for name, words in sorted(self._failing.items()))
        words = say(
            "a locked screen is not noticed here ({why}); "
            "let your screen locker run: wellbeing edge lock, and then: wellbeing edge unlock"
        )
        self._say_once("lock", words.format(why=why), edge)

    async def _watch_idle(self, source: IdleSource, edge: EdgeAccess) -> None:
        try:
            while True:
                now_s = self._monotonic_s()
                # Without the agent's leave to look at their hands, not even at their rest.
                hands = _HANDS & edge.permission.channels & frozenset(edge.channels)
                if hands and edge.permission.reasons <= {Reason.LOCKED, Reason.OFF_CALL}:
                    self._become(await self._looked(source, edge, now_s))
                else:
                    self._become(self._desk.unseen(now_s))
                await asyncio.sleep(LOOK_AWAY_S if self._desk.is_idle else LOOK_S)
        finally:
            with contextlib.suppress(DeviceError):
                await source.close()

    async def _looked(self, source: IdleSource, edge: EdgeAccess, now_s: float) -> Desk:
        try:
            idle_s, why = await source.idle_s(), source.doubt
        except (DeviceError, MissingExtraError) as error:
            idle_s, why = None, str(error)
        if why:
            words = say("how long you are away is not noticed here ({why})").format(why=why)
            self._say_once("idle", words, edge)
        if idle_s is None:
            return self._desk.unseen(now_s)
        return self._desk.looked(now_s, idle_s, on_call=self._on_call)

    def _say_once(self, topic: str, words: str, edge: EdgeAccess) -> None:
        if topic not in self._said:
            self._said.add(topic)
            edge.say(words)


class PauseKey(Companion):
    """Pauses and resumes at one combination of keys, whatever the agent consented to (T7).

    Parameters
    ----------
    combination : Combination
    source : HotkeySource
    """

    def __init__(self, combination: Combination, source: HotkeySource) -> None:
        self._combination = combination
        self._source = source
        self._presses: asyncio.Queue[None] = asyncio.Queue()

    async def run(self, edge: EdgeAccess) -> None:
        """See :class:`Companion`."""
        await asyncio.gather(self._obey(edge), self._watch(edge))

    async def _watch(self, edge: EdgeAccess) -> None:
        said = ""
        while True:
            try:
                await self._source.watch(lambda: self._presses.put_nowait(None))
            except (DeviceError, MissingExtraError) as error:
                words = say(
                    "the hotkey {keys} does not work here: {why}; use: wellbeing edge pause"
                )
                words = words.format(keys=self._combination, why=error)
                if words != said:
                    said = words
                    edge.say(words)
            await asyncio.sleep(RETRY_S)

    async def _obey(self, edge: EdgeAccess) -> None:
        while True:
            await self._presses.get()
            with _told_to(edge):
                if Reason.PAUSED in edge.permission.reasons:
                    await edge.obey("resume")
                    edge.say(say("going on, by {keys}").format(keys=self._combination))
                else:
                    await edge.obey("pause")
                    words = say("paused by {keys}; press it again to go on")
                    edge.say(words.format(keys=self._combination))


@contextlib.contextmanager
def _told_to(edge: EdgeAccess) -> Iterator[None]:
    """Let what the edge could not write down be said, and go on: it has obeyed."""
    try:
        yield
    except WellbeingError as error:
        edge.say(str(error))
