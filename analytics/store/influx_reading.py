"""Reading from an InfluxDB server: points, figures and counts by InfluxQL.

InfluxDB 3 Core refuses a query that would open more than so many files (432 if
nothing else is set: about three days of one measurement). Such a query is put
again in pieces of its time, until each is small enough; what comes of them is
the same.

References
----------
.. [1] InfluxData, "InfluxDB 3 Core configuration options": query-file-limit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from analytics.store import influxql
from analytics.store.base import Aggregate, Query, Row
from analytics.store.points import KEY, Database, FieldValue, Measurement, epoch_ns
from sensors.errors import StoreError

SHORTEST = timedelta(minutes=1)
"""No piece is shorter: a file of version 3 holds at least a minute."""

_DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class TooWideError(StoreError):
    """The server refuses a query because it would read too many files."""


class Server(Protocol):
    """What is asked of the store."""

    def run(self, statement: str, policy: str = "") -> influxql.Answers:
        """Return the answers to one InfluxQL statement."""

    def stream(self, statement: str, policy: str) -> Iterator[influxql.Answers]:
        """Yield the answers to one InfluxQL statement as they come."""

    def named(self) -> str:
        """Return how statements name the database; empty if it is told beside them."""

    def is_version(self, major: str) -> bool:
        """Return whether the server is of that major version."""


class Reader:
    """Reads one server.

    Parameters
    ----------
    server : Server
    days : mapping of Database to int
        How long each database is kept. [d]
    """

    def __init__(self, server: Server, days: Mapping[Database, int]) -> None:
        self._server = server
        self._days = days
        self._kinds: dict[Measurement, dict[str, str]] = {}

    def read(self, query: Query) -> list[Row]:
        """Return matching rows, oldest first."""
        try:
            return self._read(query)
        except TooWideError as error:
            if query.aggregates and query.every is None:
                return folded(query, self._in_pieces(foldable(query), error))
            return self._in_pieces(query, error)

    def _in_pieces(self, query: Query, refusal: TooWideError) -> list[Row]:
        earlier, later = self._halves(query, refusal)
        newer = self._read_or_cut(later)
        if query.limit is not None and len(newer) >= query.limit:
            return newer
        return joined(query, self._read_or_cut(earlier), newer)

    def _read_or_cut(self, query: Query) -> list[Row]:
        try:
            return self._read(query)
        except TooWideError as error:
            return self._in_pieces(query, error)

    def _halves(self, query: Query, refusal: TooWideError) -> tuple[Query, Query]:
        cut = halves(query, datetime.now(UTC), self._days[query.measurement.database])
        if cut is None:
            raise refusal
        return cut

    def _read(self, query: Query) -> list[Row]:
        if query.aggregates:
            return self._read_figures(query)
        answers = self.select(query)
        kinds = self._known_kinds(query.measurement, influxql.columns_of(answers))
        return influxql.in_order(influxql.rows_of(answers, kinds), query.limit)

    def _read_figures(self, query: Query) -> list[Row]:
        known = self._known_kinds(query.measurement, query.fields)
        query.refuse_words(known)
        rows = influxql.rows_of(self.select(query), influxql.figure_kinds(query, known))
        return influxql.in_order(influxql.figure_rows(query, rows), None)

    def select(self, query: Query) -> influxql.Answers:
        """Return the answers to `query` as they came."""
        statement = influxql.select(self._server.named(), query)
        return self._server.run(statement, query.measurement.database)

    def _known_kinds(self, measurement: Measurement, columns: Iterable[str]) -> dict[str, str]:
        """Return the fields' types, asking again only when a new field has appeared."""
        kinds = self._kinds.get(measurement, {})
        if not kinds.keys() >= set(columns):
            kinds = influxql.kinds_of(self._field_keys(measurement))
            self._kinds[measurement] = kinds
        return kinds

    def _field_keys(self, measurement: Measurement) -> influxql.Answers:
        statement = influxql.field_keys(self._server.named(), measurement)
        return self._server.run(statement, measurement.database)

    def field_kinds(self, measurement: Measurement) -> dict[str, set[str]]:
        """Return every type that each field of `measurement` has anywhere."""
        return influxql.kinds_by_field(self._field_keys(measurement))

    def count(self, query: Query) -> int:
        """Return how many points match (`latest` and `limit` do not apply).

        The server can count the values of one field, but not points; so with
        any other number of fields they are streamed past and counted here.
        """
        try:
            return self._count(query)
        except TooWideError as error:
            return sum(self.count(half) for half in self._halves(query, error))

    def _count(self, query: Query) -> int:
        name, policy = self._server.named(), query.measurement.database
        if len(query.fields) == 1:
            answers = self._server.run(influxql.count(name, query, query.fields[0]), policy)
            # Nothing to count is a zero, a null or no series, as the version likes.
            return sum(series["values"][0][1] or 0 for series in influxql.series_of(answers))
        return sum(
            len(series["values"])
            for answers in self._server.stream(influxql.select_any(name, query), policy)
            for series in influxql.series_of(answers)
        )

    def sites(self, measurement: Measurement) -> list[str]:
        """Return the sites that have points of `measurement`."""
        return sorted(self._sites(Query(measurement=measurement, site="")))

    def _sites(self, query: Query) -> set[str]:
        name = self._server.named()
        if self._server.is_version("2"):
            # Its SHOW TAG VALUES looks into the default bucket, whatever it is asked.
            statement = influxql.newest_by_site(name, query.measurement, KEY[query.measurement])
            return influxql.tag_values(self._server.run(statement, query.measurement.database))
        statement = influxql.site_values(name, query)
        try:
            answers = self._server.run(statement, query.measurement.database)
        except TooWideError as error:
            earlier, later = self._halves(query, error)
            return self._sites(earlier) | self._sites(later)
        return influxql.second_column(answers)

    def oldest_ns(self, measurement: Measurement, site: str) -> int:
        """Return the time of the oldest point of a site that has some. [ns]."""
        found = self._oldest(Query(measurement=measurement, site=site))
        if found is None:
            raise StoreError(
                f"{measurement} of {site} went away while it was looked for; try again"
            )
        return found

    def _oldest(self, query: Query) -> int | None:
        statement = influxql.oldest(self._server.named(), query)
        try:
            answers = self._server.run(statement, query.measurement.database)
        except TooWideError as error:
            earlier, later = self._halves(query, error)
            found = self._oldest(earlier)
            return self._oldest(later) if found is None else found
        times = [int(series["values"][0][0]) for series in influxql.series_of(answers)]
        return min(times, default=None)


def halves(query: Query, now: datetime, days: int) -> tuple[Query, Query] | None:
    """Return `query` of the earlier and of the later half of its time; None if that is too short.

    Where it has no end or begin, its halves have none either; the cut lies
    between what is still kept and now.

    Parameters
    ----------
    now : datetime
        UTC.
    days : int
        How long points are kept. [d]
    """
    start = query.start_at or now - (days + 1) * _DAY
    end = query.end_at or now + _DAY
    grid = query.every or SHORTEST
    middle = _EPOCH + (start + (end - start) / 2 - _EPOCH) // grid * grid
    if not start < middle < end:
        return None
    return replace(query, end_at=middle), replace(query, start_at=middle)


def joined(query: Query, earlier: Sequence[Row], later: Sequence[Row]) -> list[Row]:
    """Return the rows of `query` from those of its halves."""
    rows = [*earlier, *later]
    if query.latest:
        rows = list({tuple(sorted(row.tags.items())): row for row in rows}.values())
    return influxql.in_order(rows, query.limit)


def foldable(query: Query) -> Query:
    """Return the query whose figures of several pieces can be made into one."""
    wanted = dict.fromkeys(a for a in query.aggregates if a is not Aggregate.MEAN)
    if Aggregate.MEAN in query.aggregates:
        wanted |= dict.fromkeys((Aggregate.SUM, Aggregate.COUNT))
    return replace(query, aggregates=tuple(wanted))


_FOLD = {Aggregate.MIN: min, Aggregate.MAX: max}


def folded(query: Query, rows: Sequence[Row]) -> list[Row]:
    """Return the figures of `query`, one row of each series, from those of its pieces."""
    series: dict[tuple[tuple[str, str], ...], list[Row]] = {}
    for row in rows:
        series.setdefault(tuple(sorted(row.tags.items())), []).append(row)
    start_ns = 0 if query.start_at is None else epoch_ns(query.start_at)
    found = [
        Row(
            start_ns,
            dict(tags),
            {
                aggregate.column(field): value
                for field in query.fields
                for aggregate in query.aggregates
                if (value := _one_figure(aggregate, field, pieces)) is not None
            },
        )
        for tags, pieces in series.items()
    ]
    return influxql.in_order(found, None)


def _one_figure(aggregate: Aggregate, field: str, pieces: Sequence[Row]) -> FieldValue | None:
    if aggregate is Aggregate.MEAN:
        total = _one_figure(Aggregate.SUM, field, pieces)
        count = _one_figure(Aggregate.COUNT, field, pieces)
        return float(total) / float(count) if total is not None and count else None
    column = aggregate.column(field)
    found = [row.fields.get(column) for row in pieces]
    values = [value for value in found if isinstance(value, int | float)]
    fold: Callable[[list[float]], float] = _FOLD.get(aggregate, sum)
    return fold(values) if values else None
