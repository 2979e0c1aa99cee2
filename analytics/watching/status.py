"""What the server is doing, read from its state file while it runs or after it died."""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from analytics.state.state_file import FILE_NAME, from_us, open_for_reading, state_errors
from analytics.watching.figures import Buckets, Figures
from sensors import codec

NEWEST_SET_ASIDE = 5


@dataclass(frozen=True, slots=True)
class Counts:
    """What the state file counts: since it was made, and rows of the journal, about."""

    counters: dict[str, int]
    journal_rows: int


def read_counts(db: sqlite3.Connection, path: Path) -> Counts:
    """Return the counts of an open state file; cheap enough for every second."""
    with state_errors(path):
        counters = dict(db.execute("SELECT name, value FROM counters"))
        # Two look-ups; to count half a million rows takes a hundred times as long.
        (rows,) = db.execute(
            "SELECT coalesce((SELECT max(position) FROM journal)"
            " - (SELECT min(position) FROM journal) + 1, 0)"
        ).fetchone()
    return Counts(counters, int(rows))


def note(figures: Figures, *, stopped: bool) -> str:
    """Return what the service leaves in the state file once a second, for :func:`read_status`."""
    step_s, lag_s = figures.counted.step_s, figures.counted.lag_s
    snapshot, store = figures.counted.snapshot, figures.store
    return codec.dump_json(
        {
            "at": figures.at.isoformat(),
            "pid": os.getpid(),
            "broker": "stopped" if stopped else figures.broker_trouble or "connected",
            "live_waiting": figures.live_waiting,
            "backlog_waiting": figures.backlog_waiting,
            "missing": figures.missing,
            "spooled_points": figures.spooled_points,
            "spooled_bytes": figures.spooled_bytes,
            "behind_s": round(figures.behind_s, 1),
            "store": store,
            "alerts": {".".join(key): count for key, count in figures.alerts.items()},
            "steps": figures.counted.steps,
            "scored": figures.counted.scored,
            "step_ms": _mean_ms(step_s),
            "lag_ms": _mean_ms(lag_s),
            "snapshot": {
                "held_up_s": round(snapshot.held_up_s, 3),
                "took_s": round(snapshot.took_s, 3),
                "bytes": snapshot.size,
            },
        }
    ).decode()


def _mean_ms(found: Buckets) -> float | None:
    """Return the mean; unknown while nothing was counted. [ms]."""
    count = sum(found.counts)
    return round(1000.0 * found.total / count, 2) if count else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStatus:
    """One run of one source: what came, what is missing."""

    agent: str
    source: str
    run: str
    stored_seq: int
    received: int
    duplicates: int
    refused: int
    late: int
    gaps: list[tuple[int, int]]
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """One refused message; its payload stays in the file."""

    received_at: datetime
    topic: str
    refusal: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStatus:
    """Everything `wellbeing status` tells.

    Parameters
    ----------
    service : dict
        What the service last said about itself, at most a second old while it
        runs; empty if it never did.
    counters : dict
        Counts since the file was made.
    lag_s : float or None
        From the last step to now. [s]
    spool_points, spool_batches : int
        Waiting for the store right now.
    """

    service: dict[str, Any]
    counters: dict[str, int]
    lag_s: float | None
    journal_rows: int
    spool_points: int
    spool_batches: int
    set_aside_kept: int
    set_aside: list[SetAside] = field(default_factory=list)
    runs: list[RunStatus] = field(default_factory=list)


def read_status(directory: Path, now: datetime) -> ServerStatus:
    """Return the status of the server whose state is in `directory`.

    Raises
    ------
    StateError
        If there is no such file or it cannot be read.
    """
    db = open_for_reading(directory)
    try:
        with state_errors(directory / FILE_NAME):
            note = db.execute("SELECT value FROM notes WHERE name = 'status'").fetchone()
            service: dict[str, Any] = codec.load_json(note[0]) if note else {}
            counters = dict(db.execute("SELECT name, value FROM counters ORDER BY name"))
            rows, spool, kept = (
                db.execute(query).fetchone()
                for query in (
                    "SELECT count(*) FROM journal",
                    "SELECT coalesce(sum(points), 0), count(*) FROM spool",
                    "SELECT count(*) FROM set_aside",
                )
            )
            aside = db.execute(
                "SELECT received_us, topic, refusal, detail FROM set_aside"
                " ORDER BY id DESC LIMIT ?",
                (NEWEST_SET_ASIDE,),
            ).fetchall()
            runs = db.execute(
                "SELECT agent, source, run, high, received, duplicates, refused, late, gaps,"
                " updated_us FROM sequences ORDER BY agent, source, updated_us"
            ).fetchall()
    finally:
        db.close()
    at = service.get("at")
    return ServerStatus(
        service=service,
        counters=counters,
        lag_s=(now - datetime.fromisoformat(at)).total_seconds() if at else None,
        journal_rows=rows[0],
        spool_points=spool[0],
        spool_batches=spool[1],
        set_aside_kept=kept[0],
        set_aside=[
            SetAside(received_at=from_us(us), topic=topic, refusal=refusal, detail=detail)
            for us, topic, refusal, detail in aside
        ],
        runs=[_run(*row) for row in runs],
    )


def _run(  # noqa: PLR0917 - the columns of one row
    agent: str,
    source: str,
    run: str,
    high: int,
    received: int,
    duplicates: int,
    refused: int,
    late: int,
    gaps: str,
    updated_us: int,
) -> RunStatus:
    return RunStatus(
        agent=agent,
        source=source,
        run=run,
        stored_seq=high,
        received=received,
        duplicates=duplicates,
        refused=refused,
        late=late,
        gaps=[(first, last) for first, last in codec.load_json(gaps)],
        updated_at=from_us(updated_us),
    )
