"""What SQLite answers, as rows and as words, for the embedded store."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from analytics.store import embedded_sql
from analytics.store.admission import TAGS
from analytics.store.base import Row
from analytics.store.points import Measurement


def explain(error: sqlite3.Error) -> str:
    """Return what SQLite says, and what to do where somebody can do something."""
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    remedies = {
        sqlite3.SQLITE_FULL: "free some space; nothing is lost meanwhile",
        sqlite3.SQLITE_CORRUPT: _DAMAGED,
        sqlite3.SQLITE_NOTADB: _DAMAGED,
        sqlite3.SQLITE_READONLY: "check its owner and permissions",
        sqlite3.SQLITE_CANTOPEN: "check its folder, owner and permissions",
        sqlite3.SQLITE_BUSY: "another program holds it; close that",
    }
    remedy = remedies.get(code)
    return f"{error}; {remedy}" if remedy else str(error)


_DAMAGED = "move it away, or restore a backup, and start again: what is spooled is written anew"


def fields_of(connection: sqlite3.Connection, measurement: Measurement) -> embedded_sql.Fields:
    """Return the fields of `measurement`: name to column number and kind."""
    rows = connection.execute(
        "SELECT name, number, kind FROM field WHERE measurement = ? ORDER BY number",
        (measurement.value,),
    )
    return {name: (number, kind) for name, number, kind in rows}


def rows_of(found: Sequence[tuple[Any, ...]], columns: Sequence[embedded_sql.Column]) -> list[Row]:
    """Return what a statement of :mod:`analytics.store.embedded_sql` found, as rows."""
    names = [name for name, _, _ in columns]
    booleans = [name for name, _, kind in columns if kind == "boolean"]
    rows = []
    for site, agent, source, time_ns, *values in found:
        fields = {n: v for n, v in zip(names, values, strict=True) if v is not None}
        for name in booleans:
            if name in fields:
                fields[name] = bool(fields[name])
        tags = {k: v for k, v in zip(TAGS, (site, agent, source), strict=True) if v}
        rows.append(Row(time_ns, tags, fields))
    return rows
