"""Telling edges what is in the journal: coalesced, and again when they ask by resending."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from analytics.journal.journal import Appended
from analytics.journal.streams import StreamKey, Streams
from sensors.messages import StoredMessage

PER_S = 3_000
"""About so many a second: 10,000 agents hear well before the 10 s after which an edge sends
again, and what waits longer is told once for several windows."""

AT_LEAST, AT_MOST = 500, 3_000
"""So many at a time: by time, not by tick, or a server that is slow would tell more slowly, too,
and edges would send again what makes it slower."""


class StoredSink(Protocol):
    """Where `stored` messages go."""

    @property
    def is_connected(self) -> bool:
        """Whether anybody would hear."""

    def publish_stored(self, agent: str, source: str, message: StoredMessage) -> None:
        """Publish one."""


class StoredPublisher:
    """Remembers which runs have news, oldest first."""

    def __init__(self, streams: Streams, sink: StoredSink) -> None:
        self._streams, self._sink = streams, sink
        # dicts keep their order: the run that has waited longest is first
        self._due: dict[StreamKey, None] = {}
        self._asked: dict[StreamKey, None] = {}
        # Per source its newest run and mark: that is what the retained topic holds.
        self._told: dict[tuple[str, str], tuple[str, int]] = {}
        self._before: datetime | None = None

    def touch(self, appended: Appended) -> None:
        """Note what one batch brought; a window that came twice is a question."""
        self._asked |= dict.fromkeys(appended.repeated)
        for key in appended.touched:
            agent, source, run = key
            if self._told.get((agent, source)) != (run, self._streams.high(key)):
                self._due[key] = None

    def repeat_all(self) -> None:
        """Forget what was told: the broker may have lost it."""
        self._due |= {(*where, run): None for where, (run, _) in self._told.items()}
        self._told.clear()

    def forget(self, agent: str) -> None:
        """Say nothing more about the runs of `agent`: they were erased."""
        for waiting in (self._asked, self._due):
            for key in [key for key in waiting if key[0] == agent]:
                del waiting[key]
        for where in [where for where in self._told if where[0] == agent]:
            del self._told[where]

    def publish(self, at: datetime) -> None:
        """Tell as many as the time since the last call allows, those that asked first."""
        since_s = 0.0 if self._before is None else (at - self._before).total_seconds()
        self._before = at
        if not self._sink.is_connected:
            return
        limit = min(max(AT_LEAST, int(PER_S * since_s)), AT_MOST)
        for waiting in (self._asked, self._due):
            for key in _take(waiting, limit):
                self._tell(key, at)
                self._due.pop(key, None)

    def _tell(self, key: StreamKey, at: datetime) -> None:
        high = self._streams.high(key)
        if high < 0:
            return  # Its first window has not come: there is nothing to say.
        agent, source, run = key
        self._told[agent, source] = (run, high)
        self._sink.publish_stored(agent, source, StoredMessage(run=run, seq=high, at=at))


def _take(waiting: dict[StreamKey, None], limit: int) -> Iterable[StreamKey]:
    taken = list(waiting)[:limit]
    for key in taken:
        del waiting[key]
    return taken
