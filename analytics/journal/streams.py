"""Per agent, source and run: what came, what came twice, what never will.

Kept in memory; the file holds a checkpoint, and the journal what came since.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from analytics.journal.sequences import SequenceSet
from analytics.state.state_file import to_us, transaction
from sensors import codec

StreamKey = tuple[str, str, str]
"""Agent, source, run."""

FORGET_AFTER = timedelta(days=7)
"""An outbox holds a window for at most 72 h (TRUST T18); then no duplicate can come."""

_POSITION = "sequences_position"


@dataclass(slots=True)
class Stream:
    """One run's account. `late` and `refused` windows are received, too."""

    seen: SequenceSet = field(default_factory=SequenceSet)
    received: int = 0
    duplicates: int = 0
    refused: int = 0
    late: int = 0
    updated_us: int = 0


class Streams:
    """Every run the server knows."""

    def __init__(self) -> None:
        self._all: dict[StreamKey, Stream] = {}
        self._dirty: set[StreamKey] = set()
        self.missing = 0
        self.checkpointed_position = 0

    def forget(self, agent: str) -> None:
        """Forget every run of `agent`: they were erased."""
        for key in [key for key in self._all if key[0] == agent]:
            self.missing -= self._all.pop(key).seen.missing
            self._dirty.discard(key)

    def add(
        self, key: StreamKey, seq: int, oldest_seq: int, at_us: int, *, late: bool, refused: bool
    ) -> bool:
        """Account for one window; return whether it is new."""
        stream = self._all.get(key)
        if stream is None:
            stream = self._all[key] = Stream()
        seen = stream.seen
        before = seen.missing if seen.gaps or oldest_seq > seen.high else 0
        new = seen.add(seq, oldest_seq)
        if seen.gaps or before:
            self.missing += seen.missing - before
        stream.updated_us = at_us
        if new:
            stream.received += 1
            stream.late += late
            stream.refused += refused
        else:
            stream.duplicates += 1
        self._dirty.add(key)
        return new

    def high(self, key: StreamKey) -> int:
        """Return the highest number up to which all is accounted for; -1 if nothing is."""
        stream = self._all.get(key)
        return stream.seen.high if stream is not None else -1

    def load(self, db: sqlite3.Connection) -> None:
        """Read the checkpoint and add what the journal took in since."""
        row = db.execute("SELECT value FROM notes WHERE name = ?", (_POSITION,)).fetchone()
        self.checkpointed_position = int(row[0]) if row else 0
        for agent, source, run, high, beyond, gaps, *counts in db.execute(
            "SELECT agent, source, run, high, beyond, gaps, received, duplicates, refused, late,"
            " updated_us FROM sequences"
        ):
            seen = SequenceSet(high, _ranges(beyond), _ranges(gaps))
            self._all[agent, source, run] = Stream(seen, *counts)
            self.missing += seen.missing
        for agent, source, run, seq, oldest_seq, at_us, lane in db.execute(
            "SELECT agent, source, run, seq, oldest_seq, received_us, lane FROM journal"
            " WHERE position > ? AND run IS NOT NULL ORDER BY position",
            (self.checkpointed_position,),
        ):
            key = (agent, source, run)
            self.add(key, seq, oldest_seq, at_us, late=lane in {1, 3}, refused=lane is None)

    def checkpoint(self, db: sqlite3.Connection, position: int, at: datetime) -> None:
        """Write what changed; `position` is the newest one in the journal."""
        old = to_us(at - FORGET_AFTER)
        forgotten = [key for key, stream in self._all.items() if stream.updated_us < old]
        rows = [(*key, *_columns(self._all[key])) for key in self._dirty]
        with transaction(db):
            db.executemany(
                "INSERT OR REPLACE INTO sequences VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows
            )
            db.executemany(
                "DELETE FROM sequences WHERE agent = ? AND source = ? AND run = ?", forgotten
            )
            db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (_POSITION, str(position)))
        for key in forgotten:
            self.missing -= self._all.pop(key).seen.missing
        self._dirty.clear()
        self.checkpointed_position = position


def _columns(stream: Stream) -> tuple[object, ...]:
    return (
        stream.seen.high,
        codec.dump_json(stream.seen.beyond).decode(),
        codec.dump_json(stream.seen.gaps).decode(),
        stream.received,
        stream.duplicates,
        stream.refused,
        stream.late,
        stream.updated_us,
    )


def _ranges(text: str) -> list[tuple[int, int]]:
    return [(first, last) for first, last in codec.load_json(text)]
