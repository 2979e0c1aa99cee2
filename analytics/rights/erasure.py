"""Erasing one agent from a server's state, in one transaction with its tombstone.

The order makes it safe to die at any moment: the tombstone goes into the files
beside state and store first, so that a start finds it and begins again; then
one transaction deletes the rows, replaces the snapshot and records the
tombstone; the store and the broker follow, and are tried until they answer.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from analytics.events import Publication
from analytics.journal.journal import Journal
from analytics.journal.steps import Pending, Snapshot, StepLog
from analytics.people import tombstones
from analytics.people.tombstones import Tombstone, Tombstones
from analytics.pipeline.isolation import Stepper
from analytics.pipeline.service_options import ScoringPipeline
from analytics.rights import agent_state as rights_state
from analytics.rights.agent_state import Forgotten
from analytics.rights.purge import PLACES, Purge
from analytics.rights.receipt import Done, Place, Receipt, out_of_reach
from analytics.state.state_file import from_us, overwriting, state_errors, to_us, transaction
from analytics.store.base import Eraser
from sensors import topics
from sensors.errors import CannotEraseError

STORE, STATE, RETAINED = "store", "pipeline state", "retained topics"
"""Names of places that are not tables."""

LATE_S = 60.0
"""After so long a database is asked once more: a write that it left without an answer, and for
which nobody waits any longer (`[store] timeout_s`), may have been done after the erasure. [s]"""

COMPACT_BYTES = 64 << 20
"""A file up to so big is written anew in about a second, while everything waits. [byte]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerParts:
    """What an erasure works on; all of it belongs to whoever holds the state's lock.

    Parameters
    ----------
    site : str
    db : sqlite3.Connection
    path : Path
        Its file.
    files : tuple of Path
        Where tombstones are kept besides: beside the state, beside the store.
    """

    site: str
    db: sqlite3.Connection
    path: Path
    files: tuple[Path, ...]
    journal: Journal
    steps: StepLog
    stepper: Stepper
    pipeline: ScoringPipeline


def stone_for(parts: ServerParts, agent: str, receipt_id: str, now: datetime) -> Tombstone:
    """Return the tombstone for an erasure at `now`, newer than any before it.

    A server's clock may have been set back since: the older erasure would count
    for the newer one, and consents given between the two come back.
    """
    at, newest = now, parts.journal.consents.newest_at(agent)
    with state_errors(parts.path):
        known = Tombstones(load(parts.db)).of(agent)
    if known is not None and known.at >= now:
        at = known.at + timedelta(microseconds=1)
    return Tombstone(
        id=receipt_id,
        agent=agent,
        at=at,
        consent_after=max(at, newest) if newest is not None else at,
    )


def load(db: sqlite3.Connection) -> list[Tombstone]:
    """Return the tombstones in the state file."""
    rows = db.execute("SELECT agent, id, at_us, consent_after_us FROM tombstone ORDER BY agent")
    return [
        Tombstone(id=id_, agent=agent, at=from_us(at), consent_after=from_us(after))
        for agent, id_, at, after in rows.fetchall()
    ]


def keep(db: sqlite3.Connection, stones: Iterable[Tombstone]) -> None:
    """Put `stones` into the state file, within the caller's transaction."""
    db.executemany(
        "INSERT OR REPLACE INTO tombstone (agent, id, at_us, consent_after_us) VALUES (?, ?, ?, ?)",
        [(s.agent, s.id, to_us(s.at), to_us(s.consent_after)) for s in stones],
    )


def erase(parts: ServerParts, stone: Tombstone, by: str) -> tuple[Receipt, list[Pending]]:
    """Erase `stone.agent` from the state; return the receipt so far and what to publish.

    The store and the broker are the caller's business: they may be away.

    Raises
    ------
    StateError
        If the state cannot be read or written; then it is as before.
    """
    for path in parts.files:
        tombstones.merge_into(path, [stone])
    data, found = rights_state.forget(parts.pipeline.snapshot(), stone.agent)
    with state_errors(parts.path), overwriting(parts.db), transaction(parts.db):
        purge = Purge(parts.db, stone.agent, found.alert_ids)
        clears = clears_of(parts.site, stone.agent, purge.sources(), found.shown)
        counts = purge.delete()
        keep(parts.db, [stone])
        parts.steps.put_snapshot(Snapshot(parts.stepper.done, data))
        pending = [parts.steps.keep(one) for one in clears]
    parts.pipeline.restore(data)
    parts.stepper.saved()
    parts.journal.forget(stone.agent)
    receipt = first_receipt(parts.site, stone, by, counts, found, len(clears))
    return receipt.with_place(compact(parts.db, parts.path)), pending


def first_receipt(  # noqa: PLR0917 - what was done, where
    site: str, stone: Tombstone, by: str, counts: dict[str, int], found: Forgotten, clears: int
) -> Receipt:
    """Return the receipt while store and broker have not been asked yet."""
    places = [
        *_erased(counts),
        Place(
            name=STATE,
            done=Done.ERASED,
            count=found.rows + found.entries,
            note="baseline, features, alerts, links, silences",
        ),
        Place(name=STORE, done=Done.WAITING, note="not asked yet"),
        Place(name=RETAINED, done=Done.WAITING, count=clears, note="not confirmed yet"),
    ]
    return Receipt(
        id=stone.id,
        site=site,
        agent=stone.agent,
        at=stone.at,
        by=by,
        places=(*places, *out_of_reach()),
    )


def sweep(parts: ServerParts, agent: str, before: datetime | None) -> None:
    """Delete what was on its way while the erasure began: refused by the store meanwhile.

    The store may have answered hours later: nothing goes that is not older than `before`.
    """
    with state_errors(parts.path), overwriting(parts.db), transaction(parts.db):
        Purge(parts.db, agent).delete_points(before)


def _erased(counts: dict[str, int]) -> list[Place]:
    return [
        Place(name=name, done=Done.ERASED, count=counts[name], note=what)
        for name, what in PLACES.items()
    ]


def clears_of(
    site: str, agent: str, sources: Sequence[str], shown: Iterable[str]
) -> list[Publication]:
    """Return what clears every retained topic of the agent's."""
    where = [
        topics.consent(site, agent),
        topics.context(site, agent),
        *(topics.status(site, agent, source) for source in sources),
        *(topics.stored(site, agent, source) for source in sources),
        *(topics.alert(site, identity) for identity in sorted(shown)),
    ]
    return [Publication(topic, None) for topic in where]


def compact(db: sqlite3.Connection, path: Path, most: int = COMPACT_BYTES) -> Place:
    """Write the file anew, so that nothing deleted earlier lies in unused pages of it."""
    name = f"unused pages of {path.name}"
    with state_errors(path):
        if path.stat().st_size > most:
            return Place(
                name=name,
                done=Done.ELSEWHERE,
                note="what retention deleted before may lie there until they are used again;"
                " erasing while the server is stopped writes the file anew",
            )
        db.execute("VACUUM")
        (is_read, *_) = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if is_read:
        return Place(
            name=name,
            done=Done.ELSEWHERE,
            note="written anew beside the old ones, since another program reads the file; they go"
            " some time after it has ended",
        )
    return Place(name=name, done=Done.ERASED, note="written anew")


def erase_from_store(store: Eraser, site: str, agent: str, before: datetime | None = None) -> Place:
    """Erase the agent's points from `store`; return what became of it.

    Raises
    ------
    StoreError
        If it does not answer: to be tried again.
    """
    try:
        count = store.erase(site, agent, before)
    except CannotEraseError as error:
        return Place(name=STORE, done=Done.FAILED, note=str(error))
    return Place(
        name=STORE,
        done=Done.ERASED,
        count=count,
        note="readings, beats, features, scores, summaries, transitions, decisions, replies; once"
        f" more after {LATE_S:g} s or at a restart, for a write that was still on its way",
    )


def erase_again(store: Eraser, site: str, stones: Tombstones, journal: Journal) -> dict[str, int]:
    """Erase what a restored store has brought back; return how many points, by agent.

    Raises
    ------
    StoreError
        If it does not answer: to be tried again.
    """
    found = {}
    for stone in stones:
        anew = stones.consented_at(stone.agent, journal.consents)
        place = erase_from_store(store, site, stone.agent, anew)
        if place.done is Done.FAILED:
            break  # its receipt said so
        if place.count:
            found[stone.agent] = place.count
    return found
