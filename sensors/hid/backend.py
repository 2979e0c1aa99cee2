"""What a source of keyboard and pointer events is: events in, finished readings out.

Whatever stands behind it, the identity of a key is dropped and positions are
used up before a reading waits here: what waits holds names of signals,
numbers and times (TRUST T2).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable

from sensors.collector import Clock, Reading
from sensors.signals import Channel

_MAX_WAITING = 4096
"""Readings that may wait: 20 s of the fastest pointer and nobody fetching."""


class Waiting:
    """Readings that wait to be fetched; the oldest go when nobody does, and are counted."""

    def __init__(self) -> None:
        self._lost = 0
        self._readings: deque[Reading] = deque(maxlen=_MAX_WAITING)

    def put(self, readings: Iterable[Reading]) -> None:
        """Add `readings`; may be called from another thread than :meth:`take`."""
        for reading in readings:
            self._lost += len(self._readings) == _MAX_WAITING
            self._readings.append(reading)

    def take(self) -> Iterable[Reading]:
        """Yield and forget what waits."""
        while self._readings:
            yield self._readings.popleft()

    def take_lost(self) -> int:
        """Return how many readings went since this was last asked."""
        lost, self._lost = self._lost, 0
        return lost


class Backend(ABC):
    """One way to see events of some channels.

    Parameters
    ----------
    channels : frozenset of Channel
        Keyboard, pointer or both; of the other one nothing is read (TRUST T6).
    clock : Clock
        Dates the events.
    waiting : Waiting
        Takes the readings.
    """

    def __init__(self, channels: frozenset[Channel], clock: Clock, waiting: Waiting) -> None:
        self.channels = channels
        self.clock = clock
        self.waiting = waiting

    @abstractmethod
    async def start(self) -> None:
        """Return once events are seen.

        Raises
        ------
        DeviceError
            If they cannot be; one line with the remedy.
        """

    @abstractmethod
    def settle(self, now_s: float) -> frozenset[Channel]:
        """Put what became known because nothing happened; return the channels that are seen.

        Raises
        ------
        DeviceError
            If nothing is seen any more.
        """

    @abstractmethod
    async def stop(self) -> None:
        """Stop capture; nothing is put any more when this returns."""
