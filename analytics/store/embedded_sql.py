"""The SQL of the embedded store, built from typed queries; pure.

Every name that is put into a statement is one of our own (a measurement, a
numbered column); whatever comes from outside is a bound value.
"""
# ruff: noqa: S608 - see above; what is put in is never from outside

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from analytics.store.base import Aggregate, Query
from analytics.store.points import Measurement, epoch_ns

SCHEMA = """
CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    measurement TEXT NOT NULL,
    site TEXT NOT NULL,
    agent TEXT NOT NULL,
    source TEXT NOT NULL,
    UNIQUE (measurement, site, agent, source)
) STRICT;
CREATE TABLE field (
    measurement TEXT NOT NULL,
    name TEXT NOT NULL,
    number INTEGER NOT NULL,
    kind TEXT NOT NULL,
    PRIMARY KEY (measurement, name)
) STRICT, WITHOUT ROWID;
"""

Fields = dict[str, tuple[int, str]]
"""Name of a field to the number of its column and its kind."""


def create(measurement: Measurement) -> str:
    """Return the statement that makes the table of `measurement`, as yet without fields."""
    return (
        f"CREATE TABLE IF NOT EXISTS {measurement} (series INTEGER NOT NULL, time_ns INTEGER NOT NULL,"
        " PRIMARY KEY (series, time_ns)) WITHOUT ROWID"
    )


def erase(measurement: Measurement) -> str:
    """Return the statement that deletes the points of one measurement, site and agent to a time."""
    return (
        f"DELETE FROM {measurement} WHERE series IN"
        " (SELECT id FROM series WHERE measurement = ? AND site = ? AND agent = ?)"
        " AND time_ns < ?"
    )


def expire(measurement: Measurement) -> str:
    """Return the statement that deletes some of what is older than a time of one measurement."""
    # Naming the series lets SQLite walk down to each one's oldest instead of searching.
    return (
        f"DELETE FROM {measurement} WHERE (series, time_ns) IN"
        f" (SELECT m.series, m.time_ns FROM series s CROSS JOIN {measurement} m"
        " ON m.series = s.id AND m.time_ns < ? WHERE s.measurement = ? LIMIT ?)"
    )


def oldest(measurement: Measurement) -> str:
    """Return the statement that finds the oldest time of one measurement and site."""
    # The first of each series, found by walking down one tree, not by reading all.
    return (
        f"SELECT min((SELECT min(m.time_ns) FROM {measurement} m WHERE m.series = s.id))"
        " FROM series s WHERE s.measurement = ? AND s.site = ?"
    )


def newest(measurement: Measurement) -> str:
    """Return the statement that finds the newest time of one measurement up to a time."""
    return (
        f"SELECT max((SELECT max(m.time_ns) FROM {measurement} m"
        " WHERE m.series = s.id AND m.time_ns <= ?)) FROM series s WHERE s.measurement = ?"
    )


def upsert(measurement: Measurement, columns: Sequence[str]) -> str:
    """Return the statement that adds a point or, as InfluxDB does, merges into it."""
    marks = ", ".join("?" * (2 + len(columns)))
    updates = ", ".join(f"{c} = excluded.{c}" for c in columns)
    return (
        f"INSERT INTO {measurement} (series, time_ns, {', '.join(columns)}) VALUES ({marks})"
        f" ON CONFLICT (series, time_ns) DO UPDATE SET {updates}"
    )


Column = tuple[str, str, str]
"""Name of a field, its column, its kind."""


def columns(known: Fields, wanted: Sequence[str]) -> list[Column]:
    """Return the columns of the wanted fields that exist; all of them if none are named."""
    names = [name for name in wanted if name in known] if wanted else list(known)
    return [(name, f"f{known[name][0]}", known[name][1]) for name in dict.fromkeys(names)]


def _source(query: Query) -> str:
    # CROSS JOIN fixes the order: find the series, then walk each one's stretch.
    return f"series s CROSS JOIN {query.measurement} m ON m.series = s.id"


def _stretch(alias: str, query: Query, columns: Sequence[Column]) -> tuple[list[str], list[Any]]:
    """Return the conditions on time and on having one of the wanted fields."""
    conditions, values = [], []
    for at, comparison in ((query.start_at, ">="), (query.end_at, "<")):
        if at is not None:
            conditions.append(f"{alias}.time_ns {comparison} ?")
            values.append(epoch_ns(at))
    if query.fields:
        present = " OR ".join(f"{alias}.{column} IS NOT NULL" for _, column, _ in columns)
        conditions.append(f"({present})")
    return conditions, values


def _where(query: Query, columns: Sequence[Column]) -> tuple[str, list[Any]]:
    conditions = ["s.measurement = ?", "s.site = ?"]
    values: list[Any] = [query.measurement.value, query.site]
    if query.agents:
        conditions.append("s.agent IN (SELECT value FROM json_each(?))")
        values.append(json.dumps(query.agents))
    more, more_values = _stretch("m", query, columns)
    return " AND ".join(conditions + more), values + more_values


def select(query: Query, columns: Sequence[Column]) -> tuple[str, list[Any]]:
    """Return the statement that reads what matches, and its values."""
    where, values = _where(query, columns)
    per_series = 1 if query.latest else query.limit
    if per_series is not None:
        # Only the newest few of each series can be among the newest of all.
        inner, inner_values = _stretch("k", query, columns)
        newest = " AND ".join(["k.series = s.id", *inner])
        where += (
            f" AND m.time_ns IN (SELECT k.time_ns FROM {query.measurement} k WHERE {newest}"
            " ORDER BY k.time_ns DESC LIMIT ?)"
        )
        values += [*inner_values, per_series]
    names = ", ".join(f"m.{column}" for _, column, _ in columns)
    order = "m.time_ns, s.agent, s.source"
    tail = ""
    if query.limit is not None:
        order = "m.time_ns DESC, s.agent DESC, s.source DESC"
        tail = " LIMIT ?"
        values.append(query.limit)
    statement = (
        f"SELECT s.site, s.agent, s.source, m.time_ns, {names} FROM {_source(query)}"
        f" WHERE {where} ORDER BY {order}{tail}"
    )
    return statement, values


_FUNCTIONS = {
    Aggregate.MEAN: "avg({})",
    Aggregate.MIN: "min({})",
    Aggregate.MAX: "max({})",
    Aggregate.SUM: "sum({})",
    Aggregate.COUNT: "nullif(count({}), 0)",
}


def figures(query: Query, columns: Sequence[Column]) -> list[Column]:
    """Return the figures asked for as columns: name, expression, kind (a number's)."""
    return [
        (aggregate.column(name), _FUNCTIONS[aggregate].format(f"m.{column}"), "float")
        for name, column, _ in columns
        for aggregate in dict.fromkeys(query.aggregates)
    ]


def select_figures(
    query: Query, columns: Sequence[Column], figures: Sequence[Column]
) -> tuple[str, list[Any]]:
    """Return the statement that reads `figures` of what matches, and its values."""
    where, values = _where(query, columns)
    if query.every is None:
        begin = "?"
        before: list[Any] = [0 if query.start_at is None else epoch_ns(query.start_at)]
    else:
        # Twice the remainder: SQLite's is negative before 1970.
        begin = "m.time_ns - ((m.time_ns % ?) + ?) % ?"
        before = [query.every // timedelta(microseconds=1) * 1_000] * 3
    names = ", ".join(expression for _, expression, _ in figures)
    statement = (
        f"SELECT s.site, s.agent, s.source, {begin} AS begin_ns, {names} FROM {_source(query)}"
        f" WHERE {where} GROUP BY s.id, begin_ns ORDER BY begin_ns, s.agent, s.source"
    )
    return statement, before + values


def count(query: Query, columns: Sequence[Column]) -> tuple[str, list[Any]]:
    """Return the statement that counts what matches, and its values."""
    where, values = _where(query, columns)
    return f"SELECT count(*) FROM {_source(query)} WHERE {where}", values
