"""How the outbox lies in its file: the tables, and what each payload is sealed for."""

from __future__ import annotations

from sensors.edge.sealing.sqlite_file import script

VERSION_1 = script(
    """
    CREATE TABLE window (
        id INTEGER PRIMARY KEY,
        run TEXT NOT NULL,
        seq INTEGER NOT NULL,
        kept_at REAL NOT NULL,
        payload BLOB NOT NULL,
        UNIQUE (run, seq)
    )
    """,
    "CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL)",
    "INSERT INTO counter VALUES ('dropped', 0)",
)


def about(run: str, seq: int) -> bytes:
    """Return what a payload is sealed for, so that rows cannot change places."""
    return f"window/{run}/{seq}".encode()
