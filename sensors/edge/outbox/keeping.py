"""Closed windows into the outbox, one after the other, beside the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from sensors.edge.outbox.outbox import Key, Outbox
from sensors.errors import StateError
from sensors.messages import ReadingMessage
from sensors.spoken import say

_MOST_CLOSED = 720
"""Windows that may wait for the disk: an hour. Further ones are lost, and counted."""

_LAST_WITHIN_S = 5.0
"""How long the end waits until the disk has what was closed. [s]"""


class Sender(Protocol):
    """Who sends what is kept."""

    def kept(self, keys: Sequence[Key], dropped: Sequence[Key] = ()) -> None:
        """Note windows that the outbox has just taken, and what it dropped for them."""


class Keeper:
    """Numbers windows and has the disk keep them; while it takes its time the next ones wait.

    Parameters
    ----------
    outbox : Outbox
    sender : Sender
        Told what was kept.
    now_at : callable
        Returns the run's own wall time. UTC.
    tell : callable
        Takes one line for the person at the machine.
    kept : callable
        Takes each window once it is kept.
    refused : callable
        Called when the disk begins to refuse.

    Attributes
    ----------
    kept : int
        How many windows of this run were kept: the number of the next one.
    lost : int
        How many found no place to wait, in this run.
    """

    def __init__(
        self,
        outbox: Outbox,
        sender: Sender,
        now_at: Callable[[], datetime],
        tell: Callable[[str], None],
        *,
        kept: Callable[[ReadingMessage], None],
        refused: Callable[[], None],
    ) -> None:
        self.kept = 0
        self._outbox = outbox
        self._sender = sender
        self._now_at = now_at
        self._tell = tell
        self._on_kept = kept
        self._on_refused = refused
        self._closed: asyncio.Queue[ReadingMessage] = asyncio.Queue(_MOST_CLOSED)
        self._is_busy = False
        self.lost = 0
        self._era = 0  # goes up when everything is to be forgotten

    @property
    def waiting(self) -> int:
        """How many closed windows are not kept yet."""
        return self._closed.qsize() + self._is_busy

    @property
    def next_seq(self) -> int:
        """The number of the next window, if all that wait can be kept."""
        return self.kept + self.waiting

    def take(self, message: ReadingMessage) -> None:
        """Take a closed window; never waits: the shift's end and the agent's word are not to."""
        try:
            self._closed.put_nowait(message)
        except asyncio.QueueFull:
            if not self.lost:
                self._tell(say("the disk has kept nothing for an hour; what is measured is lost"))
            self.lost += 1
            self._outbox.give_up(1)

    def forget(self) -> None:
        """Keep none of those that wait or are on their way to the disk, at the agent's wish."""
        self._era += 1
        while not self._closed.empty():
            self._closed.get_nowait()
            self._closed.task_done()

    async def run(self) -> None:
        """Keep one after the other until cancelled."""
        while True:
            message = await self._closed.get()
            self._is_busy = True
            # Its number now: one before it may have been refused.
            await self._keep(replace(message, seq=self.kept))
            self._is_busy = False
            self._closed.task_done()

    async def finish(self) -> None:
        """Return once all that was closed is kept, while `run` still runs, or it takes too long."""
        try:
            async with asyncio.timeout(_LAST_WITHIN_S):
                await self._closed.join()
        except TimeoutError:
            self._tell(say("the disk does not answer: {n} windows are lost", n=self.waiting))

    async def _keep(self, message: ReadingMessage) -> None:
        was_refused, era = self._outbox.is_refused, self._era
        try:
            # Not on the loop: a disk may take seconds until it says that it has it.
            dropped = await asyncio.to_thread(self._put, message, era)
        except StateError:
            # Not kept, so the number is free again: seq stays without gaps.
            self._say_notes()
            if not was_refused:
                self._on_refused()
            return
        if dropped is None:
            return
        self.kept += 1
        if era != self._era:
            return  # the outbox was emptied since
        if dropped:
            self._tell(say("the outbox is full: {n} of the oldest windows dropped", n=len(dropped)))
        self._sender.kept([Key(message.run, message.seq)], dropped)
        self._on_kept(message)
        self._say_notes()

    def _put(self, message: ReadingMessage, era: int) -> list[Key] | None:
        """Have the outbox keep `message`, unless all was forgotten since `era`: then ``None``."""
        with self._outbox.lock:  # whoever forgets empties the outbox after us, or we see it here
            if era != self._era:
                return None
            return self._outbox.put([message], self._now_at())

    def _say_notes(self) -> None:
        for note in self._outbox.take_notes():
            self._tell(note)
