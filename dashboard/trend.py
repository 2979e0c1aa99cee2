"""The floor over time: how many of a team differed from their own usual; pure.

Only ever of teams, never of a person, whose longer history is their own (TRUST
T12), and never of fewer people than the smallest group, also not by
subtraction (T16): whatever is drawn is made of :mod:`analytics.store.groups`'
cells. Whose cell it is follows from who was in the team *then*, so that a
stretch says the same whenever it is looked at, whoever has joined since.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from itertools import groupby

from analytics.store.groups import GRID, Blocks, Cell, GroupFigure, figures, stretch_of
from analytics.store.points import epoch_ns
from analytics.store.sampling import interval_for

WIDTH = 96
"""Columns that can be told apart on a phone. [columns]"""

PART = timedelta(days=1)
"""What is asked for at once: one question takes as long for a month as for a day."""

SETTLED = timedelta(seconds=90)
"""How long after its end the last minute of a stretch is summed up, at most."""

DIFFERENT, AS_USUAL = "share_different", "share_as_usual"
"""The fields of a summary that it is made of; what is left of 1 is unknown."""

Members = Callable[[datetime], Mapping[str, Iterable[str]]]
"""Time to the teams that are shown and who was in each then."""


class Span(StrEnum):
    """How far back."""

    SHIFT = "shift"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


LENGTH: dict[Span, timedelta] = {
    Span.SHIFT: timedelta(hours=8),
    Span.DAY: timedelta(days=1),
    Span.WEEK: timedelta(days=7),
    Span.MONTH: timedelta(days=28),
}

IN_WORDS: dict[Span, timedelta] = {
    Span.SHIFT: timedelta(hours=1),
    Span.DAY: timedelta(hours=3),
    Span.WEEK: timedelta(days=1),
    Span.MONTH: timedelta(days=1),
}
"""Stretches of the table that says the same in words: few enough to be read out."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a picture shows: whole stretches of `every` on the clocks of `zone`."""

    span: Span
    start_at: datetime
    end_at: datetime
    every: timedelta
    zone: tzinfo

    def begins(self, every: timedelta) -> list[int]:
        """Return the begin of each stretch of `every`, oldest first, in ns."""
        quarters = range(epoch_ns(self.start_at), epoch_ns(self.end_at), _GRID_NS)
        return sorted({stretch_of(at_ns, every, self.zone) for at_ns in quarters})


@dataclass(frozen=True, slots=True)
class Part:
    """One question: the groups of a stretch in which nobody changed teams."""

    start_at: datetime
    end_at: datetime
    blocks: Blocks


@dataclass(frozen=True, slots=True)
class Column:
    """One stretch of one team: shares of its people from 0 to 1, ``None`` where nothing is told.

    `different` of them were outside their own usual; of `unknown` nothing was
    known; the rest was as usual.
    """

    begin_at: datetime
    different: float | None
    unknown: float | None


def plan(span: Span, now: datetime, zone: tzinfo) -> Plan:
    """Return what a picture of `span` shows at `now`, as finely as it can be told apart."""
    grid_s = GRID.total_seconds()
    end_at = datetime.fromtimestamp((now - SETTLED).timestamp() // grid_s * grid_s, UTC)
    every = max(GRID, interval_for(end_at - LENGTH[span], end_at, WIDTH))
    start_ns = stretch_of(epoch_ns(end_at - LENGTH[span]), every, zone)
    return Plan(span, _time_of(start_ns), end_at, every, zone)


def parts(shown: Plan, members: Members, smallest: int) -> list[Part]:
    """Return the questions that `shown` takes, newest first: that is what is looked at first.

    Parameters
    ----------
    shown : Plan
    members : callable
    smallest : int
        The fewest people a figure may be about.
    """
    quarters = [shown.start_at + at * GRID for at in range((shown.end_at - shown.start_at) // GRID)]
    found = []
    for (_, teams), group in groupby(quarters, key=lambda at: (_day(at), _frozen(members(at)))):
        inside = list(group)
        blocks = Blocks(dict(teams), smallest)
        found.append(Part(inside[0], inside[-1] + GRID, blocks))
    return found[::-1]


def _frozen(teams: Mapping[str, Iterable[str]]) -> tuple[tuple[str, frozenset[str]], ...]:
    return tuple((team, frozenset(agents)) for team, agents in teams.items())


def _day(at: datetime) -> int:
    return int(at.timestamp() // PART.total_seconds())


def columns(
    shown: Plan,
    team: str,
    different: Sequence[Cell],
    as_usual: Sequence[Cell],
    every: timedelta | None = None,
) -> list[Column]:
    """Return every stretch of `team`, oldest first.

    Parameters
    ----------
    shown : Plan
    team : str
    different, as_usual : sequence of Cell
        Of `DIFFERENT` and `AS_USUAL`.
    every : timedelta or None
        Length of a stretch; ``None`` for that of the picture.
    """
    step = every or shown.every
    told, usual = (
        {f.begin_ns: f for f in figures(found, [team], step, shown.zone)}
        for found in (different, as_usual)
    )
    return [_column(ns, told.get(ns), usual.get(ns)) for ns in shown.begins(step)]


def _column(begin_ns: int, told: GroupFigure | None, usual: GroupFigure | None) -> Column:
    begin_at = _time_of(begin_ns)
    if told is None or usual is None:
        return Column(begin_at, None, None)
    # Rounding in the store must not make it less than nothing.
    return Column(begin_at, told.mean, max(0.0, 1.0 - told.mean - usual.mean))


def most(found: Sequence[Column]) -> Column | None:
    """Return the newest of the columns in which most differed; ``None`` if nobody ever did."""
    known = [column for column in found if column.different]
    return max(known, key=lambda column: (column.different or 0.0, column.begin_at), default=None)


def _time_of(time_ns: int) -> datetime:
    return datetime.fromtimestamp(time_ns // 1_000_000_000, UTC)


_GRID_NS = GRID // timedelta(microseconds=1) * 1_000
