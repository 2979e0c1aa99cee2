"""Every row of ``server.sqlite`` that is about one agent: counted, or deleted.

Within the caller's transaction. What is deleted is overwritten as far as the
connection's ``secure_delete`` says.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from analytics.journal.intake import parse_topic
from analytics.state.packing import UNREADABLE, without, words_of
from analytics.store.points import epoch_ns
from sensors.errors import MessageError

PLACES: dict[str, str] = {
    "journal": "messages received",
    "set_aside": "messages refused and set aside",
    "sequences": "runs: which windows came",
    "latest": "fingerprints of retained messages",
    "consent": "consents",
    "spool": "points on their way into the store",
    "spool_confirmed": "points that the store confirmed in the last minute",
    "refused_points": "points that the store refused",
    "publications": "messages on their way to the broker",
}
"""The tables that hold something about a person, and what."""


_PACKED = ("spool", "spool_confirmed", "refused_points")


class Purge:
    """One agent's rows.

    Parameters
    ----------
    db : sqlite3.Connection
    agent : str
    alert_ids : iterable of str
        Of every alert about the agent that is known.
    """

    def __init__(self, db: sqlite3.Connection, agent: str, alert_ids: Iterable[str] = ()) -> None:
        self._db, self._agent = db, agent
        self._ids = frozenset(alert_ids)
        self._marks = tuple(f'"{word}"'.encode() for word in (agent, *sorted(self._ids)))

    def sources(self) -> list[str]:
        """Return the agent's sources, as far as their runs and topics are known."""
        query = "SELECT DISTINCT source FROM sequences WHERE agent = ?"
        found = {str(row[0]) for row in self._db.execute(query, (self._agent,))}
        topics = (parse_topic(topic) for topic in self._topics())
        return sorted(found | {t.source for t in topics if t.source is not None})

    def count(self) -> dict[str, int]:
        """Return how many rows (in the spool: points) of the agent each table holds."""
        counts = {name: len(list(ids)) for name, ids in self._by_id()}
        for name in ("sequences", "consent"):
            query = f"SELECT count(*) FROM {name} WHERE agent = ?"  # noqa: S608 - a literal
            counts[name] = self._db.execute(query, (self._agent,)).fetchone()[0]
        counts["latest"] = len(self._topics())
        for name in _PACKED:
            counts[name] = sum(found[3] for found in self._packed(name))
        return {name: counts[name] for name in PLACES}

    def delete(self) -> dict[str, int]:
        """Delete every row of the agent; return how many went, by table."""
        counts = dict.fromkeys(PLACES, 0)
        for name, ids in self._by_id():
            key = "position" if name == "journal" else "id"
            rows = [(found,) for found in ids]
            self._db.executemany(f"DELETE FROM {name} WHERE {key} = ?", rows)  # noqa: S608
            counts[name] = len(rows)
        for name in ("sequences", "consent"):
            query = f"DELETE FROM {name} WHERE agent = ?"  # noqa: S608 - a literal
            counts[name] = self._db.execute(query, (self._agent,)).rowcount
        topics = [(topic,) for topic in self._topics()]
        self._db.executemany("DELETE FROM latest WHERE topic = ?", topics)
        counts["latest"] = len(topics)
        for name in _PACKED:
            counts[name] = self._delete_packed(name)
        return counts

    def delete_points(self, before: datetime | None) -> int:
        """Delete what waits for the store, or was refused by it; return how many points.

        Parameters
        ----------
        before : datetime or None
            Only what is older: whoever consented anew goes on from there.
        """
        before_ns = epoch_ns(before) if before is not None else None
        return sum(self._delete_packed(name, before_ns) for name in _PACKED)

    def _delete_packed(self, table: str, before_ns: int | None = None) -> int:
        count = 0
        for batch, kept, payload, gone in self._packed(table, before_ns):
            self._rewrite(table, batch, kept, payload)
            count += gone
        return count

    def unsent(self) -> int:
        """Return how many messages from, to or about the agent wait for the broker."""
        rows = self._db.execute("SELECT topic, payload FROM publications")
        return sum(self._is_theirs(topic, payload) for topic, payload in rows)

    def messages(self, table: str) -> Iterator[tuple[str, bytes | None, str]]:
        """Yield the agent's messages in ``journal`` or ``set_aside``: topic, payload, why refused."""
        why, order = ("''", "position") if table == "journal" else ("refusal", "id")
        rows = self._db.execute(
            f"SELECT topic, payload, {why} FROM {table} ORDER BY {order}"  # noqa: S608 - literals
        )
        return (row for row in rows if self._is_theirs(row[0], row[1]))

    def _by_id(self) -> Iterator[tuple[str, list[int]]]:
        """Yield the numbered tables with the numbers of the agent's rows."""
        journal = "SELECT position, topic, payload FROM journal WHERE agent = ? OR agent IS NULL"
        found = self._db.execute(journal, (self._agent,))
        yield "journal", [n for n, topic, payload in found if self._is_theirs(topic, payload)]
        for name in ("set_aside", "publications"):
            rows = self._db.execute(f"SELECT id, topic, payload FROM {name}")  # noqa: S608
            yield name, [n for n, topic, payload in rows if self._is_theirs(topic, payload)]

    def _is_theirs(self, topic: str, payload: bytes | None) -> bool:
        """Return whether a message came from the agent, went to them, or names them."""
        try:
            parsed = parse_topic(topic)
        except MessageError:
            return f"/{self._agent}/" in f"{topic}/" or self._names(payload)
        if parsed.agent is not None:
            return parsed.agent == self._agent
        return parsed.alert_id in self._ids or self._names(payload)

    def _names(self, payload: bytes | None) -> bool:
        return payload is not None and any(mark in payload for mark in self._marks)

    def _topics(self) -> list[str]:
        topics = (str(row[0]) for row in self._db.execute("SELECT topic FROM latest"))
        return [topic for topic in topics if parse_topic(topic).agent == self._agent]

    def _packed(
        self, table: str, before_ns: int | None = None
    ) -> Iterator[tuple[int, int, bytes, int]]:
        """Yield each batch with points of the agent: how many stay, packed, and how many do not.

        One batch at a time, which may be rewritten: a spool of hours fits no memory.
        """

        def is_meant(point: Any) -> bool:
            return self._is_about(point) and (before_ns is None or point["time_ns"] < before_ns)

        words = words_of(self._agent, self._ids)
        ids = f"SELECT id FROM {table} ORDER BY id"  # noqa: S608 - a literal
        one = f"SELECT payload FROM {table} WHERE id = ?"  # noqa: S608 - a literal
        for (number,) in self._db.execute(ids).fetchall():
            (payload,) = self._db.execute(one, (number,)).fetchone()
            try:
                found = without(payload, words, is_meant)
            except UNREADABLE:
                continue  # nobody can say whose it was, here or anywhere
            if found is not None and found[2]:
                yield number, *found

    def _is_about(self, point: Any) -> bool:
        """Return whether a point, as plain JSON, is about the agent."""
        return (
            point["tags"].get("agent") == self._agent
            or point["fields"].get("alert_id") in self._ids
        )

    def _rewrite(self, table: str, batch: int, count: int, payload: bytes) -> None:
        """Put what stays in the batch's place."""
        if not count:
            self._db.execute(f"DELETE FROM {table} WHERE id = ?", (batch,))  # noqa: S608
            return
        self._db.execute(
            f"UPDATE {table} SET points = ?, payload = ? WHERE id = ?",  # noqa: S608
            (count, payload, batch),
        )
