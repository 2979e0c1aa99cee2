"""Everything from one store into another, and the count and checksum that prove it.

A copy goes through one measurement and site after the other, in stretches of
time that hold a bounded number of points. After each stretch it notes how far
it is; whoever gives the same command again goes on there, and what was told
twice stays one point. At the end both sides are counted, per measurement, agent
and day, and then read: each hour of a measurement has a checksum of every value
in it (:mod:`analytics.copying.proof`).

Whole days are copied that the destination's retention still keeps. Of somebody
who was erased nothing from before the erasure is copied (TRUST T11).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from analytics.copying.inventory import ends_ns, sites
from analytics.copying.proof import HOUR_NS, Hours
from analytics.people.tombstones import Tombstones
from analytics.store.base import Aggregate, Query, Row, Store
from analytics.store.points import KEY, Database, Measurement, Point, epoch_ns

POINTS_AT_ONCE = 20_000
"""About so many points are in memory at a time."""

FIRST_STRETCH = timedelta(minutes=1)
SHORTEST = timedelta(seconds=1)
LONGEST = timedelta(days=1)
DAY = timedelta(days=1)
COUNT_DAYS = 7
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Part:
    """One measurement of one site, and the time of it that is copied."""

    measurement: Measurement
    site: str
    start_at: datetime
    end_at: datetime

    @property
    def name(self) -> str:
        """How progress and differences name it."""
        return f"{self.measurement}/{self.site}"

    def query(self, start_at: datetime, end_at: datetime, *fields: str) -> Query:
        """Return the query for a stretch of it."""
        return Query(
            measurement=self.measurement,
            site=self.site,
            fields=fields,
            start_at=start_at,
            end_at=end_at,
        )


@dataclass(slots=True)
class Progress:
    """How far a copy is; what a copy that was interrupted goes on from.

    Parameters
    ----------
    until : datetime
        Points up to here are copied, however long it takes.
    done : dict of str to datetime
        Part to the time up to which it is written.
    """

    until: datetime
    done: dict[str, datetime] = field(default_factory=dict)
    written: int = 0
    refused: int = 0
    last_refusal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Where the two sides do not hold the same number of points, or not the same values.

    `day` is an hour, and `agent` empty, where their checksums differ.
    """

    measurement: str
    site: str
    agent: str
    day: str
    there: int
    here: int
    is_values: bool = False


@dataclass(frozen=True, slots=True)
class Proof:
    """The count of both sides."""

    points: int
    differences: list[Difference]


@dataclass(frozen=True, slots=True)
class ValueProof:
    """The values of both sides: in how many hours they were compared, and the source's checksum."""

    hours: int
    checksum: int
    differences: list[Difference]


class Copy:
    """One copy on its way.

    Parameters
    ----------
    source, destination : Store
    days : mapping of Database to int
        How long the destination keeps each database. [d]
    now : datetime
        UTC.
    stones : Tombstones
        Who was erased, and when.
    without : collection of str
        Agents who are left out altogether.
    """

    def __init__(
        self,
        source: Store,
        destination: Store,
        days: Mapping[Database, int],
        now: datetime,
        *,
        stones: Tombstones | None = None,
        without: Collection[str] = (),
    ) -> None:
        self._source, self._destination = source, destination
        self._days, self._now = days, now
        self._without = frozenset(without)
        self._erased_ns = {s.agent: epoch_ns(s.at) for s in stones or ()}

    def parts(self, progress: Progress) -> list[Part]:
        """Return what there is to copy."""
        found = []
        for measurement in Measurement:
            kept_from = _next_day(self._now - self._days[measurement.database] * DAY)
            for site in sites(self._source, measurement):
                ends = ends_ns(self._source, measurement, site)
                if ends is None:
                    continue
                start_at = max(kept_from, _day_of(ends[0]))
                # A point from a clock that was ahead is copied, too; one that comes now is not.
                end_at = max(progress.until, _at(ends[1]) + timedelta(milliseconds=1))
                if start_at < end_at:
                    found.append(Part(measurement, site, start_at, end_at))
        return found

    def run(self, part: Part, progress: Progress, tell: Callable[[datetime], None]) -> None:
        """Copy `part` from where `progress` says on.

        Parameters
        ----------
        tell : callable
            Called after every stretch with the time reached.
        """
        # What was copied days ago may end before what is kept now begins.
        at = max(part.start_at, progress.done.get(part.name, part.start_at))
        stretch = FIRST_STRETCH
        while at < part.end_at:
            end_at, stretch = self._stretch(part, at, stretch)
            rows = self._source.read(part.query(at, end_at))
            points = [_point(part.measurement, row) for row in rows if self._wanted(row)]
            if points:
                report = self._destination.write(points)
                progress.written += report.written
                progress.refused += len(report.refused)
                if report.refused:
                    progress.last_refusal = report.refused[0][1]
            progress.done[part.name] = at = end_at
            tell(at)

    def _stretch(self, part: Part, at: datetime, stretch: timedelta) -> tuple[datetime, timedelta]:
        """Return the end of the next stretch, and how long to try the one after."""
        while True:
            end_at = min(at + stretch, part.end_at)
            count = self._source.count(part.query(at, end_at, KEY[part.measurement]))
            if count <= POINTS_AT_ONCE or stretch <= SHORTEST:
                longer = stretch * 2 if count * 2 <= POINTS_AT_ONCE else stretch
                return end_at, min(longer, LONGEST)
            share = 0.8 * POINTS_AT_ONCE / count
            stretch = max(SHORTEST, timedelta(seconds=math.floor(stretch / SHORTEST * share)))

    def _wanted(self, row: Row) -> bool:
        agent = row.tags.get("agent", "")
        return agent not in self._without and row.time_ns > self._erased_ns.get(agent, -1)

    def prove(self, part: Part, tell: Callable[[datetime], None]) -> Proof:
        """Count `part` on both sides."""
        points, differences = 0, []
        at = part.start_at
        while at < part.end_at:
            end_at = min(at + COUNT_DAYS * DAY, part.end_at)
            there = self._counted(self._source, part, at, end_at)
            here = self._counted(self._destination, part, at, end_at)
            points += sum(there.values())
            for agent, day in sorted(there.keys() | here.keys()):
                counts = there.get((agent, day), 0), here.get((agent, day), 0)
                if counts[0] != counts[1]:
                    differences.append(_difference(part, agent, day, *counts))
            at = end_at
            tell(at)
        return Proof(points, differences)

    def prove_values(self, part: Part, tell: Callable[[datetime], None]) -> ValueProof:
        """Read `part` on both sides and compare the checksum of each hour."""
        there, here = Hours(), Hours()
        at, stretch = part.start_at, FIRST_STRETCH
        while at < part.end_at:
            end_at, stretch = self._stretch(part, at, stretch)
            for hours, store in ((there, self._source), (here, self._destination)):
                rows = store.read(part.query(at, end_at))
                hours.add(part.measurement, (row for row in rows if self._wanted(row)))
            at = end_at
            tell(at)
        differences = [
            Difference(
                measurement=part.measurement.value,
                site=part.site,
                agent="",
                day=_at(hour * HOUR_NS).isoformat(timespec="minutes"),
                there=there.counts.get(hour, 0),
                here=here.counts.get(hour, 0),
                is_values=True,
            )
            for hour in there.differ(here)
        ]
        return ValueProof(len(there.sums), there.checksum, differences)

    def _counted(
        self, store: Store, part: Part, start_at: datetime, end_at: datetime
    ) -> dict[tuple[str, int], int]:
        """Return how many points there are by agent and day, of whom everything is copied."""
        name = KEY[part.measurement]
        rows = store.read(
            Query(
                measurement=part.measurement,
                site=part.site,
                fields=(name,),
                start_at=start_at,
                end_at=end_at,
                aggregates=(Aggregate.COUNT,),
                every=DAY,
            )
        )
        found: dict[tuple[str, int], int] = {}
        for row in rows:
            agent = row.tags.get("agent", "")
            erased_ns = self._erased_ns.get(agent, -1)
            if agent in self._without or row.time_ns <= erased_ns:
                continue  # the day of an erasure is copied in part: there is nothing to compare
            key = (agent, row.time_ns)
            count = row.fields[Aggregate.COUNT.column(name)]
            found[key] = found.get(key, 0) + int(count)
        return found


def told(differences: list[Difference]) -> Iterator[str]:
    """Yield the first differences as lines."""
    for one in differences[:_SHOWN]:
        if one.is_values:
            yield (
                f"{one.measurement} of {one.site}, hour from {one.day}: not the same values in"
                f" {one.there} points there, {one.here} here"
            )
            continue
        who = one.agent or "no agent"
        yield (
            f"{one.measurement} of {one.site}, {who}, {one.day}:"
            f" {one.there} points there, {one.here} here"
        )
    if len(differences) > _SHOWN:
        yield f"and {len(differences) - _SHOWN} more"


def _difference(part: Part, agent: str, day_ns: int, there: int, here: int) -> Difference:
    return Difference(
        measurement=part.measurement.value,
        site=part.site,
        agent=agent,
        day=_at(day_ns).date().isoformat(),
        there=there,
        here=here,
    )


def _point(measurement: Measurement, row: Row) -> Point:
    return Point(measurement, row.tags, row.fields, row.time_ns)


def _at(time_ns: int) -> datetime:
    return _EPOCH + timedelta(microseconds=time_ns // 1_000)


def _day_of(time_ns: int) -> datetime:
    return _EPOCH + (_at(time_ns) - _EPOCH) // DAY * DAY


def _next_day(at: datetime) -> datetime:
    return _EPOCH - (_EPOCH - at) // DAY * DAY
