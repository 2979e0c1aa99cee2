"""The server's input on disk: append, then confirm, then score.

One batch is one transaction: when `append` returns, everything in it is on
the disk, counted once, and may be confirmed. Nothing else writes these tables.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from analytics.events import Arrival
from analytics.journal.intake import (
    BACKLOG,
    LIVE,
    Accepted,
    Cleared,
    Judged,
    Refused,
    decode,
    parse_topic,
)
from analytics.journal.steps import Step
from analytics.journal.streams import StreamKey, Streams
from analytics.people.consent_book import ConsentBook
from analytics.state.state_file import add_counts, from_us, state_errors, to_us, transaction
from sensors.codec import dump_json, load_json
from sensors.errors import MessageError, Refusal, StateError
from sensors.messages import ConsentMessage, ReadingMessage
from sensors.signals import Channel

KEEP_SET_ASIDE = 2_000
"""How many set-aside messages are kept; the oldest go first, counted."""

_PRUNE_AT_ONCE = 20_000

_ROW = "INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


@dataclass(slots=True)
class Appended:
    """What one batch brought."""

    live: list[Arrival] = field(default_factory=list)
    backlog: int = 0
    touched: set[StreamKey] = field(default_factory=set)
    repeated: set[StreamKey] = field(default_factory=set)
    # Refused for good, nothing of it kept: up to which window of a run the edge may let go.
    erased: dict[StreamKey, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Batch:
    """Rows of one batch on their way into one transaction."""

    at_us: int
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    set_aside: list[tuple[Any, ...]] = field(default_factory=list)
    latest: dict[str, bytes] = field(default_factory=dict)
    consents: list[tuple[Any, ...]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


class Journal:
    """The input of one site's server.

    Parameters
    ----------
    db : sqlite3.Connection
        From `analytics.state.state_file.open_state`.
    path : Path
        Its file, for errors.
    """

    def __init__(self, db: sqlite3.Connection, path: Path) -> None:
        self._db, self._path = db, path
        self.streams = Streams()
        self.consents = ConsentBook()
        self._newest: datetime | None = None
        with state_errors(path):
            self.streams.load(db)
            self._latest: dict[str, bytes] = dict(db.execute("SELECT topic, digest FROM latest"))
            self.position = _newest_position(db, self.streams.checkpointed_position)
            for agent, at_us, version, channels in db.execute("SELECT * FROM consent"):
                self.consents.record(agent, _consent(at_us, version, channels))

    def append(self, batch: Iterable[Judged], at: datetime) -> Appended:
        """Put `batch` on the disk in one transaction; duplicates are counted, not kept.

        Raises
        ------
        StateError
            If it could not be written; then nothing of it is there.
        """
        found, rows = Appended(), _Batch(to_us(at))
        with state_errors(self._path):
            for judged in batch:
                match judged:
                    case Accepted(message=ReadingMessage()):
                        self._take_reading(judged, found, rows, at)
                    case Accepted():
                        self._take_other(judged, found, rows, at)
                    case Refused():
                        self._take_refused(judged, found, rows)
                    case Cleared():
                        rows.counts["cleared"] += 1
            self._write(rows)
        return found

    def _take_reading(self, judged: Accepted, found: Appended, rows: _Batch, at: datetime) -> None:
        message, agent = judged.message, judged.agent
        assert isinstance(message, ReadingMessage)  # noqa: S101 - narrows for mypy
        assert agent is not None  # noqa: S101
        key = (agent, message.source, message.run)
        late = judged.lane == BACKLOG
        new = self.streams.add(
            key, message.seq, message.oldest_seq, rows.at_us, late=late, refused=False
        )
        found.touched.add(key)
        if not new:
            found.repeated.add(key)
            rows.counts["duplicates"] += 1
            return
        self._see(message.window_end_at, at)
        self.position += 1
        window = (agent, message.source, message.run, message.seq, message.oldest_seq, None)
        rows.rows.append(
            (self.position, rows.at_us, judged.lane, judged.topic, judged.payload, *window)
        )
        rows.counts["readings"] += 1
        if late:
            rows.counts["late"] += 1
            found.backlog += 1
        else:
            found.live.append(Arrival(self.position, at, agent, message))

    def _take_other(self, judged: Accepted, found: Appended, rows: _Batch, at: datetime) -> None:
        if judged.digest is not None:
            if self._latest.get(judged.topic) == judged.digest:
                rows.counts["duplicates"] += 1
                return
            self._latest[judged.topic] = rows.latest[judged.topic] = judged.digest
        elif self._known(judged.key, rows):
            rows.counts["duplicates"] += 1
            return
        self.position += 1
        sender, unnumbered = (judged.topic, judged.payload, judged.agent), (None,) * 4
        rows.rows.append((self.position, rows.at_us, LIVE, *sender, *unnumbered, judged.key))
        rows.counts["messages"] += 1
        if isinstance(judged.message, ConsentMessage):
            consent = judged.message
            channels = dump_json(consent.channels).decode()
            rows.consents.append((judged.agent, to_us(consent.at), consent.version, channels))
        found.live.append(Arrival(self.position, at, judged.agent, judged.message))

    def _known(self, key: str | None, rows: _Batch) -> bool:
        if any(row[-1] == key for row in rows.rows):
            return True
        query = "SELECT 1 FROM journal WHERE key = ?"
        return self._db.execute(query, (key,)).fetchone() is not None

    def _take_refused(self, judged: Refused, found: Appended, rows: _Batch) -> None:
        window = judged.window
        if judged.refusal is Refusal.ERASED:
            # Counted, and nothing else: not even that it came is kept of who was erased.
            rows.counts[f"refused.{judged.refusal.value}"] += 1
            if window is not None and judged.agent is not None:
                run = (judged.agent, window.source, window.run)
                found.erased[run] = max(found.erased.get(run, -1), window.seq)
            return
        if window is not None and judged.agent is not None:
            key = (judged.agent, window.source, window.run)
            new = self.streams.add(key, window.seq, 0, rows.at_us, late=False, refused=True)
            found.touched.add(key)
            if not new:
                found.repeated.add(key)
                rows.counts["duplicates"] += 1
                return
            self.position += 1
            numbered = (*key, window.seq, 0, None)
            rows.rows.append((self.position, rows.at_us, None, judged.topic, None, *numbered))
        rows.counts[f"refused.{judged.refusal.value}"] += 1
        rows.set_aside.append(
            (rows.at_us, judged.topic, judged.payload, judged.refusal.value, judged.detail)
        )

    def _write(self, batch: _Batch) -> None:
        db = self._db
        with transaction(db):
            db.executemany(_ROW, batch.rows)
            if batch.set_aside:
                db.executemany(
                    "INSERT INTO set_aside (received_us, topic, payload, refusal, detail)"
                    " VALUES (?, ?, ?, ?, ?)",
                    batch.set_aside,
                )
            if batch.latest:
                db.executemany("INSERT OR REPLACE INTO latest VALUES (?, ?)", batch.latest.items())
            if batch.consents:
                db.executemany("INSERT OR REPLACE INTO consent VALUES (?, ?, ?, ?)", batch.consents)
            add_counts(db, batch.counts)

    def waiting_live(self, after: int) -> list[Arrival]:
        """Return what is on the disk for the live lane after position `after`."""
        return list(self.arrivals(LIVE, after, self.position))

    def waiting_backlog(self, after: int, limit: int) -> list[Arrival]:
        """Return the oldest `limit` windows of the backlog after position `after`."""
        return list(self.arrivals(BACKLOG, after, self.position, limit))

    def arrivals(self, lane: int, after: int, up_to: int, limit: int = -1) -> Iterator[Arrival]:
        """Yield what one lane holds in ``(after, up_to]``, decoded again, in order."""
        which = "lane = 1" if lane == BACKLOG else "lane = 0"  # a literal: the partial index
        with state_errors(self._path):
            rows = self._db.execute(
                "SELECT position, received_us, topic, payload FROM journal"  # noqa: S608
                f" WHERE position > ? AND position <= ? AND {which} ORDER BY position LIMIT ?",
                (after, up_to, limit),
            ).fetchall()
        for position, received_us, topic, payload in rows:
            try:
                agent, message = decode(topic, payload)
            except MessageError as error:
                # Accepted once, so another version of this program wrote it.
                raise StateError(
                    f"{self._path}: journal position {position} cannot be read ({error});"
                    " start the version that wrote it once, so that it is scored"
                ) from error
            yield Arrival(position, from_us(received_us), agent, message)

    def between(self, before: Step, step: Step) -> list[Arrival]:
        """Return what `step` takes when `before` was the last: both lanes, in order."""
        arrivals = [
            *self.arrivals(LIVE, before.live, step.live),
            *self.arrivals(BACKLOG, before.backlog, step.backlog),
        ]
        arrivals.sort(key=lambda arrival: arrival.position)
        return arrivals

    def set_aside(self, faults: Mapping[int, str]) -> None:
        """Set aside what our own program failed on; no later step takes it.

        The window stays received, for `stored` and for recognising a duplicate.

        Parameters
        ----------
        faults : mapping of int to str
            What was raised, by position.
        """
        with state_errors(self._path), transaction(self._db):
            self._db.executemany(
                "INSERT INTO set_aside (received_us, topic, payload, refusal, detail)"
                " SELECT received_us, topic, payload, ?, ? FROM journal"
                " WHERE position = ? AND lane < 2",
                [(Refusal.FAULT.value, detail, at) for at, detail in faults.items()],
            )
            self._db.executemany(
                "UPDATE journal SET lane = lane + 2 WHERE position = ? AND lane < 2",
                [(at,) for at in faults],
            )
            add_counts(self._db, {f"refused.{Refusal.FAULT.value}": len(faults)})

    def backlog_size(self, after: int) -> int:
        """Return how many windows of the backlog wait after position `after`."""
        with state_errors(self._path):
            row = self._db.execute(
                "SELECT count(*) FROM journal WHERE lane = 1 AND position > ?", (after,)
            ).fetchone()
        return int(row[0])

    def forget(self, agent: str) -> None:
        """Forget in memory what is known of `agent`; the caller erases the rows."""
        self.streams.forget(agent)
        self.consents.forget(agent)
        gone = [t for t in self._latest if parse_topic(t).agent == agent]
        for topic in gone:
            del self._latest[topic]

    def checkpoint(self, at: datetime) -> None:
        """Write the account of every run, so that a start need not read all of the journal."""
        with state_errors(self._path):
            self.streams.checkpoint(self._db, self.position, at)

    def _see(self, window_end_at: datetime, at: datetime) -> None:
        """Remember the newest window; what is from the future is of a machine whose clock is wrong."""
        if window_end_at <= at and (self._newest is None or window_end_at > self._newest):
            self._newest = window_end_at

    def newest_window(self) -> datetime | None:
        """Return when the newest window ended, by its own clock; before the first, when any came."""
        if self._newest is not None:
            return self._newest
        with state_errors(self._path):
            row = self._db.execute(
                "SELECT received_us FROM journal ORDER BY position DESC LIMIT 1"
            ).fetchone()
        return None if row is None else from_us(row[0])

    def prune(self, safe_position: int, at: datetime, keep: timedelta, keep_rows: int) -> None:
        """Forget what is scored, in a snapshot, and older than `keep` or beyond `keep_rows`.

        Parameters
        ----------
        safe_position : int
            Up to here everything is in the newest snapshot.
        """
        safe = min(safe_position, self.streams.checkpointed_position)
        with state_errors(self._path), transaction(self._db):
            self._db.execute(
                "DELETE FROM journal WHERE position IN (SELECT position FROM journal"
                " WHERE position <= ? AND (received_us < ? OR position <= ?)"
                " ORDER BY position LIMIT ?)",
                (safe, to_us(at - keep), self.position - keep_rows, _PRUNE_AT_ONCE),
            )
            dropped = self._db.execute(
                "DELETE FROM set_aside WHERE id <="
                " (SELECT max(id) FROM set_aside) - ? OR received_us < ?",
                (KEEP_SET_ASIDE, to_us(at - keep)),
            ).rowcount
            add_counts(self._db, {"set_aside_dropped": dropped})


def _newest_position(db: sqlite3.Connection, checkpointed: int) -> int:
    """Return the last position ever given out, also when its row is pruned."""
    row = db.execute(
        "SELECT max(coalesce((SELECT max(position) FROM journal), 0),"
        " coalesce((SELECT max(max(live), max(backlog)) FROM steps), 0),"
        " coalesce((SELECT max(max(live), max(backlog)) FROM snapshot), 0))"
    ).fetchone()
    return max(int(row[0]), checkpointed)


def _consent(at_us: int, version: str, channels: str) -> ConsentMessage:
    known: Sequence[str] = load_json(channels)
    return ConsentMessage(
        version=version, at=from_us(at_us), channels=tuple(Channel(name) for name in known)
    )
