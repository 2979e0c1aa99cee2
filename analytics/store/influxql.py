"""InfluxQL built from typed queries, and its answers read back; pure.

Nothing from outside reaches a statement except through :func:`name`,
:func:`text` or :func:`literal`, which quote it.

References
----------
.. [1] InfluxData, "Influx Query Language (InfluxQL) specification", InfluxDB
   v1.8 documentation: "Quoting", "Letters and digits", "Strings".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from analytics.store.admission import TAGS
from analytics.store.base import Aggregate, Query, Row
from analytics.store.points import Database, Measurement, epoch_ns

Answers = list[dict[str, Any]]
"""The parts of the answer to one statement, as decoded from JSON."""

_FEW = 32
"""Up to so many agents are compared one by one, which any server can look up."""

_GROUPED = 'GROUP BY "site", "agent", "source"'


def name(identifier: str) -> str:
    """Return `identifier` in double quotes."""
    return f'"{_quoted(identifier, chr(34))}"'


def text(value: str) -> str:
    """Return `value` in single quotes."""
    return f"'{_quoted(value, chr(39))}'"


def _quoted(value: str, quote: str) -> str:
    return value.replace("\\", "\\\\").replace(quote, f"\\{quote}").replace("\n", "\\n")


def source(database: str, measurement: Measurement) -> str:
    """Return the fully qualified measurement: database, retention policy, name.

    Its name alone if `database` is empty: 3.x is told the database beside the statement.
    """
    if not database:
        return name(measurement)
    return f"{name(database)}.{name(measurement.database)}.{name(measurement)}"


def _agents(agents: Sequence[str]) -> str:
    """Return the condition on the agent.

    1.x tries every alternative on every series: a thousand agents took 1.6 s,
    by one regular expression 0.08 s.
    """
    if len(agents) <= _FEW:
        return "(" + " OR ".join(f'"agent" = {text(a)}' for a in agents) + ")"
    return f'"agent" =~ /^({"|".join(map(literal, agents))})$/'


def literal(value: str) -> str:
    """Return a regular expression that matches `value` only: letters, digits, code points."""
    return "".join(c if c.isascii() and c.isalnum() else f"\\x{{{ord(c):x}}}" for c in value)


def _where(query: Query) -> str:
    conditions = [f'"site" = {text(query.site)}']
    if query.agents:
        conditions.append(_agents(query.agents))
    return " AND ".join([*conditions, *_times(query)])


def _times(query: Query) -> list[str]:
    conditions = []
    if query.start_at is not None:
        conditions.append(f"time >= {epoch_ns(query.start_at)}")
    if query.end_at is not None:
        conditions.append(f"time < {epoch_ns(query.end_at)}")
    return conditions


def _wanted(query: Query) -> str:
    return ", ".join(f"{name(f)}::field" for f in query.fields) if query.fields else "*::field"


def select(database: str, query: Query) -> str:
    """Return the statement that reads what matches `query`.

    The newest of each series is asked for by group; the newest of all without
    groups, with the tags as columns, so that the server cuts and not we.
    """
    origin = f"FROM {source(database, query.measurement)} WHERE {_where(query)}"
    if query.aggregates:
        return f"SELECT {_figures(query)} {origin} {_GROUPED}{_stretches(query.every)}"
    if query.latest:
        return f"SELECT {_wanted(query)} {origin} {_GROUPED} ORDER BY time DESC LIMIT 1"
    if query.limit is not None:
        tags = ", ".join(f"{name(tag)}::tag" for tag in TAGS)
        return f"SELECT {_wanted(query)}, {tags} {origin} ORDER BY time DESC LIMIT {query.limit:d}"
    return f"SELECT {_wanted(query)} {origin} {_GROUPED}"


def _figures(query: Query) -> str:
    return ", ".join(
        f"{aggregate}({name(field)}::field) AS {name(aggregate.column(field))}"
        for field in dict.fromkeys(query.fields)
        for aggregate in dict.fromkeys(query.aggregates)
    )


def _stretches(every: timedelta | None) -> str:
    """Return the grid in time; stretches without a value are left out."""
    if every is None:
        return ""
    return f", time({every // timedelta(microseconds=1):d}u) fill(none)"


def figure_kinds(query: Query, kinds: Mapping[str, str]) -> dict[str, str]:
    """Return the types of the columns of figures from those of the fields."""
    own = {Aggregate.MEAN: "float", Aggregate.COUNT: "integer"}
    return {
        aggregate.column(field): own.get(aggregate, kinds.get(field, "float"))
        for field in query.fields
        for aggregate in query.aggregates
    }


def figure_rows(query: Query, rows: Sequence[Row]) -> list[Row]:
    """Return rows of figures as every store gives them: none that counts nothing.

    Without a grid a server stamps them in its own way.
    """
    counts = [
        Aggregate.COUNT.column(f) for f in query.fields if Aggregate.COUNT in query.aggregates
    ]
    start_ns = 0 if query.start_at is None else epoch_ns(query.start_at)
    found = []
    for row in rows:
        fields = {n: v for n, v in row.fields.items() if v != 0 or n not in counts}
        if fields:
            found.append(Row(row.time_ns if query.every else start_ns, row.tags, fields))
    return found


def count(database: str, query: Query, field: str) -> str:
    """Return the statement that counts the matching points that have `field`."""
    origin = f"FROM {source(database, query.measurement)} WHERE {_where(query)}"
    return f"SELECT count({name(field)}::field) {origin}"


def site_values(database: str, query: Query) -> str:
    """Return the statement that lists the sites that have points in the time of `query`."""
    scope = f" ON {name(database)}" if database else ""
    statement = (
        f'SHOW TAG VALUES{scope} FROM {source(database, query.measurement)} WITH KEY = "site"'
    )
    conditions = _times(query)
    if not database and query.start_at is None:
        # Told no begin, 3.x looks at the last day only.
        conditions.append("time >= 0")
    return f"{statement} WHERE {' AND '.join(conditions)}" if conditions else statement


def newest_by_site(database: str, measurement: Measurement, field: str) -> str:
    """Return the statement whose answers have one series for each site that has `field`."""
    origin = f"FROM {source(database, measurement)}"
    return f'SELECT last({name(field)}::field) {origin} GROUP BY "site"'


def tag_values(answers: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the values of the tags that the answers are grouped by."""
    return {value for series in series_of(answers) for value in series.get("tags", {}).values()}


def second_column(answers: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the second column of the answers, such as the values of a tag."""
    return {row[1] for series in series_of(answers) for row in series["values"]}


def oldest(database: str, query: Query) -> str:
    """Return the statement that reads the oldest point that matches `query`."""
    origin = f"FROM {source(database, query.measurement)} WHERE {_where(query)}"
    return f"SELECT *::field {origin} ORDER BY time ASC LIMIT 1"


def field_keys(database: str, measurement: Measurement) -> str:
    """Return the statement that lists the fields of `measurement` with their types."""
    on = f"ON {name(database)} " if database else ""
    return f"SHOW FIELD KEYS {on}FROM {source(database, measurement)}"


def delete_before(measurement: Measurement, site: str, agent: str, before: datetime) -> str:
    """Return the statement that deletes the points of one agent until `before` (1.x)."""
    where = f'"site" = {text(site)} AND "agent" = {text(agent)} AND time < {epoch_ns(before)}'
    return f"DELETE FROM {name(measurement)} WHERE {where}"  # noqa: S608 - quoted by `text`


def drop_series(measurement: Measurement, site: str, agent: str) -> str:
    """Return the statement that deletes the points and the series of one agent (1.x)."""
    where = f'"site" = {text(site)} AND "agent" = {text(agent)}'
    return f"DROP SERIES FROM {name(measurement)} WHERE {where}"


def series_of(answers: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield every series of the (possibly chunked) answers to one statement."""
    for answer in answers:
        for result in answer.get("results", ()):
            yield from (s for s in result.get("series", ()) if "values" in s)


def error_in(answers: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the server's words if one of the answers is an error."""
    for answer in answers:
        for result in (answer, *answer.get("results", ())):
            if "error" in result:
                return str(result["error"])
    return None


def kinds_of(answers: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the type of each field from the answers to :func:`field_keys`."""
    kinds: dict[str, str] = {}
    for series in series_of(answers):
        for field, kind in series["values"]:
            # Shards may disagree; as a float either can be read.
            kinds[field] = "float" if kinds.get(field, kind) != kind else kind
    return kinds


def kinds_by_field(answers: Sequence[Mapping[str, Any]]) -> dict[str, set[str]]:
    """Return every type that each field has anywhere (answers to :func:`field_keys`)."""
    kinds: dict[str, set[str]] = {}
    for series in series_of(answers):
        for name, kind in series["values"]:
            kinds.setdefault(name, set()).add(kind)
    return kinds


def rows_of(answers: Sequence[Mapping[str, Any]], kinds: Mapping[str, str]) -> list[Row]:
    """Return the rows in the answers to :func:`select`, in the answers' order.

    JSON writes the float 5.0 as 5, so `kinds` says which fields are floats.
    """
    rows = []
    for series in series_of(answers):
        names = series["columns"]
        tags = {k: v for k, v in series.get("tags", {}).items() if v}
        floats = [name for name in names if kinds.get(name) == "float"]
        tag_names = [name for name in names if name in TAGS]
        for values in series["values"]:
            found = {n: v for n, v in zip(names, values, strict=True) if v is not None}
            time_ns = found.pop("time")
            for column in floats:
                value = found.get(column)
                if type(value) is int:
                    found[column] = float(value)
            own = {n: found.pop(n) for n in tag_names if n in found}
            rows.append(Row(time_ns, tags | own, found))
    return rows


def in_order(rows: list[Row], limit: int | None) -> list[Row]:
    """Return the newest `limit` of `rows` (all if ``None``), oldest first."""
    rows.sort(key=lambda r: (r.time_ns, r.tags.get("agent", ""), r.tags.get("source", "")))
    return rows if limit is None else rows[max(0, len(rows) - limit) :]


def columns_of(answers: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the names of the fields that occur in the answers to :func:`select`."""
    return {c for series in series_of(answers) for c in series["columns"][1:]} - set(TAGS)


def select_any(database: str, query: Query) -> str:
    """Return the statement that yields one row for each matching point, for counting."""
    origin = f"FROM {source(database, query.measurement)} WHERE {_where(query)}"
    return f"SELECT {_wanted(query)} {origin} {_GROUPED}"


def show_policies(database: str) -> str:
    """Return the statement that lists the retention policies (1.x)."""
    return f"SHOW RETENTION POLICIES ON {name(database)}"


def names_of(answers: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the first column of the answers, such as the names of the databases."""
    return {row[0] for series in series_of(answers) for row in series["values"]}


def policies_of(answers: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return name and duration of each retention policy (1.x)."""
    return {row[0]: row[1] for series in series_of(answers) for row in series["values"]}


def policy_statements(
    database: str, days: Mapping[Database, int], existing: Mapping[str, str] | None
) -> list[str]:
    """Return the statements that give `database` its retention policies (1.x).

    Parameters
    ----------
    days : mapping
        How long each is to be kept. [d]
    existing : mapping or None
        Policies there are, with their durations as the server writes them
        (``720h0m0s``); ``None`` if there is no such database.
    """
    statements = []
    if existing is None:
        # Created with a policy, so that none without an end comes into being.
        first = f"WITH DURATION {days[Database.RAW]:d}d REPLICATION 1 NAME {name(Database.RAW)}"
        statements.append(f"CREATE DATABASE {name(database)} {first}")
        existing = {Database.RAW: f"{days[Database.RAW] * 24}h0m0s"}
    for policy, kept in days.items():
        found = existing.get(policy)
        target = f"{name(policy)} ON {name(database)} DURATION {kept:d}d"
        if found is None:
            statements.append(f"CREATE RETENTION POLICY {target} REPLICATION 1")
        elif found != f"{kept * 24}h0m0s":
            statements.append(f"ALTER RETENTION POLICY {target}")
    return statements
