"""When an edge speaks of itself: to the server its status, to the person whether the line is up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sensors.edge.collecting.clock import TimeSource
from sensors.edge.collecting.window import Assembler, LinkState
from sensors.edge.sending.publisher import Publisher
from sensors.edge.words import line_words
from sensors.signals import Channel

STATUS_EVERY_S = 60.0
_COMES_WITHIN_S = 3.0
_LOOK_S = 1.0


class Heartbeat:
    """Says the status when a device changed, and every minute.

    Parameters
    ----------
    publisher : Publisher
    assembler : Assembler
    times : TimeSource
    say : callable
        Takes one line for the person at the machine.
    is_private : bool
        Nothing leaves this machine: the line is one within it.
    """

    def __init__(
        self,
        publisher: Publisher,
        assembler: Assembler,
        times: TimeSource,
        say: Callable[[str], None],
        *,
        is_private: bool,
    ) -> None:
        self._publisher = publisher
        self._assembler = assembler
        self._times = times
        self._say = say
        self._is_private = is_private
        self._said_links: dict[Channel, LinkState] = {}
        self._was_connected: bool | None = None
        self._refusals: set[str] = set()  # said since the line went

    def say_status(self) -> None:
        """Publish the status of this moment."""
        self._said_links = self._assembler.links
        self._publisher.say_status()

    def say_change(self) -> None:
        """Publish the status if a device's state is another than was said last."""
        if self._assembler.links != self._said_links:
            self.say_status()

    async def run(self) -> None:
        """Look every second, until cancelled."""
        began_s = spoken_s = self._times.monotonic_s()
        while True:
            now_s = self._times.monotonic_s()
            # At first the line is not there yet: that is said only when it does not come.
            self._say_line(is_late=now_s - began_s >= _COMES_WITHIN_S)
            if self._assembler.links != self._said_links or now_s - spoken_s >= STATUS_EVERY_S:
                spoken_s = now_s
                self.say_status()
            await asyncio.sleep(_LOOK_S)

    def _say_line(self, *, is_late: bool) -> None:
        connected, refusal = self._publisher.is_connected, self._publisher.refusal
        if connected:
            self._refusals.clear()
        # A password that is wrong after a broker that was away: each reason is said once.
        is_news = connected != self._was_connected or (
            not connected and refusal and refusal not in self._refusals
        )
        if is_news and (connected or refusal or is_late):
            self._was_connected = connected
            self._refusals.add(refusal)
            where = self._publisher.where
            self._say(line_words(where, refusal, connected=connected, is_private=self._is_private))
