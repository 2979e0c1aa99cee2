"""What was asked in an agent's name, and what became of it: the table ``rights``.

A request of the agent's own comes over the broker on the agent's own topic; an
administrator's is put here by `wellbeing agent`, which asks the running server
this way because nobody but whoever may read its files can.

=========  =================================================================
state      meaning
=========  =================================================================
asked      the agent asks; an administrator has to carry it out
due        to be carried out by the server, now
waiting    carried out, but a place has not answered yet; tried again
done       the receipt says what was done
=========  =================================================================
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from analytics.rights.receipt import Receipt, from_json
from analytics.state.state_file import from_us, to_us


class State(StrEnum):
    """How far a request is."""

    ASKED = "asked"
    DUE = "due"
    WAITING = "waiting"
    DONE = "done"


class Kind(StrEnum):
    """What is asked for."""

    ERASE = "erase"
    EXPORT = "export"


AGENT, ADMINISTRATOR = "agent", "administrator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request."""

    id: str
    agent: str
    kind: Kind
    by: str
    asked_at: datetime
    state: State
    receipt: Receipt | None = None


def put(db: sqlite3.Connection, request: Request) -> None:
    """Add `request`; one that is known (told twice) stays as it is."""
    row = (
        request.id,
        request.agent,
        request.kind.value,
        request.by,
        to_us(request.asked_at),
        request.state.value,
        request.receipt.to_json() if request.receipt else None,
    )
    db.execute(
        "INSERT OR IGNORE INTO rights (id, agent, kind, by, asked_us, state, receipt)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        row,
    )


def settle(
    db: sqlite3.Connection, request_id: str, state: State, receipt: Receipt | None = None
) -> None:
    """Note how far a request is; without a `receipt` the one it has stays."""
    db.execute(
        "UPDATE rights SET state = ?, receipt = coalesce(?, receipt) WHERE id = ?",
        (state.value, receipt.to_json() if receipt else None, request_id),
    )


def settle_asked(db: sqlite3.Connection, agent: str, kind: Kind) -> None:
    """Note that what `agent` asked for was done on somebody else's request."""
    db.execute(
        "UPDATE rights SET state = 'done' WHERE agent = ? AND kind = ? AND state = 'asked'",
        (agent, kind.value),
    )


def carried_out(db: sqlite3.Connection, request: Request) -> None:
    """Note that `request`, with its receipt, is done but for places that have not answered."""
    put(db, request)
    settle(db, request.id, State.WAITING, request.receipt)
    settle_asked(db, request.agent, request.kind)


def find(
    db: sqlite3.Connection, state: State | None = None, request_id: str | None = None
) -> list[Request]:
    """Return the requests in `state`, or of one id, oldest first."""
    rows = db.execute(
        "SELECT id, agent, kind, by, asked_us, state, receipt FROM rights"
        " WHERE (?1 IS NULL OR state = ?1) AND (?2 IS NULL OR id = ?2) ORDER BY asked_us, id",
        (state, request_id),
    )
    return [
        Request(
            id=id_,
            agent=agent,
            kind=Kind(kind),
            by=by,
            asked_at=from_us(asked_us),
            state=State(found),
            receipt=from_json(receipt) if receipt else None,
        )
        for id_, agent, kind, by, asked_us, found, receipt in rows.fetchall()
    ]
