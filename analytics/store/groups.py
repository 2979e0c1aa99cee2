"""Figures about groups of people, never about fewer than five (TRUST T16).

Pure, and the only way to a figure across people. A figure is made of *cells*:
one block of people, one stretch of a fixed grid, each person with equal
weight. A cell to which fewer than `smallest` people contributed is thrown
away before anything is computed; every figure, of several blocks or of a
longer time, is computed from the cells that are left. So whatever is
subtracted from whatever else, the result is again a sum of whole cells, each
of at least `smallest` people.

That holds while the blocks stay the same: they are disjoint, and :func:`pin`
refuses others once figures of some have been given. It holds while cells stay
the same, too: where they are read again and again, :class:`Told` sees to it.

References
----------
.. [1] D. E. Denning, P. J. Denning and M. D. Schwartz, "The tracker: a threat
   to statistical database security", ACM TODS, vol. 4, no. 1, 1979: why a
   smallest query set alone protects nobody.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from secrets import token_bytes

from analytics.store.base import Aggregate, Query, Row, Store
from analytics.store.points import Measurement, epoch_ns
from sensors.errors import ConfigurationError

SMALLEST = 5
"""The fewest people a figure may be about; may be raised, never lowered (TRUST T16)."""

GRID = timedelta(minutes=15)
"""Length of a cell: the finest time in which figures about groups are given."""

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - a clock on a wall
_HOUR = timedelta(hours=1)
_COUNT = Aggregate.COUNT
_SUM = Aggregate.SUM


@dataclass(frozen=True, slots=True)
class Blocks:
    """A fixed division of people into groups that share nobody.

    Parameters
    ----------
    members : mapping of str to frozenset of str
        Name of each block to its agents.
    smallest : int
        The fewest people a figure may be about, 5 or more.

    Raises
    ------
    ConfigurationError
        If somebody is in two blocks, or `smallest` is below 5.
    """

    members: Mapping[str, frozenset[str]]
    smallest: int = SMALLEST

    def __post_init__(self) -> None:
        if self.smallest < SMALLEST:
            raise ConfigurationError(
                f"the smallest group is {self.smallest}; expected {SMALLEST} or more"
            )
        seen: set[str] = set()
        for name, agents in self.members.items():
            twice = seen & agents
            if twice:
                raise ConfigurationError(
                    f"{len(twice)} of group {name} are in another group, too; "
                    "groups may not overlap, or one person could be found by subtraction"
                )
            seen |= agents

    @property
    def askable(self) -> tuple[str, ...]:
        """Blocks of which figures may be given at all, in their order."""
        return tuple(n for n, agents in self.members.items() if len(agents) >= self.smallest)


@dataclass(frozen=True, slots=True)
class Cell:
    """One block in one stretch of the grid; only ever of enough people."""

    block: str
    begin_ns: int
    people: int
    total: float
    """Sum over the people of each one's mean."""


@dataclass(frozen=True, slots=True)
class GroupFigure:
    """What a group's people had in the mean, each with equal weight in each cell."""

    begin_ns: int
    mean: float
    fewest_people: int
    """Of the cells it is made of; never below the smallest group."""


def pin(recorded: Blocks | None, asked: Blocks) -> Blocks:
    """Return the blocks that figures may be given of, from now on.

    Parameters
    ----------
    recorded : Blocks or None
        Those of which figures were given before about the same time.
    asked : Blocks

    Raises
    ------
    ConfigurationError
        If `asked` divides people otherwise: the difference between two figures
        could be about one person.
    """
    if recorded is None:
        return asked
    if {*recorded.members.values()} != {*asked.members.values()}:
        raise ConfigurationError(
            "figures were given about other groups of the same people; a difference between two "
            "could be about one person: ask for the groups recorded, or for a time after them"
        )
    if asked.smallest < recorded.smallest:
        raise ConfigurationError(
            f"figures were given about groups of {recorded.smallest} or more; "
            f"{asked.smallest} would tell who was left out"
        )
    return asked


class Told:
    """What was told of each cell; it stands while fewer than `smallest` people changed in it.

    A late window, or an erasure, changes one person's part of a cell long after
    it was looked at: from the two figures, theirs could be told. What is kept
    of a person is a mark that says no more than *the same as before*. In
    memory: a restart tells all anew.

    Parameters
    ----------
    smallest : int
        The fewest people that the difference of two figures may be about.
    """

    def __init__(self, smallest: int) -> None:
        self._smallest = smallest
        self._salt = token_bytes(16)
        self._known: dict[tuple[str, str, int], tuple[Cell, array[int]]] = {}

    def settle(self, field: str, cell: Cell, own: Mapping[str, Sequence[float]]) -> Cell | None:
        """Return what may be told of `cell`, to which everybody in `own` contributed."""
        key = (field, cell.block, cell.begin_ns)
        marks = {
            hash((self._salt, agent, round(total, 6), count))
            for agent, (total, count) in own.items()
        }
        known = self._known.get(key)
        if known is not None:
            before = set(known[1])
            if max(len(before - marks), len(marks - before)) < self._smallest:
                return known[0]
        if cell.people < self._smallest:
            self._known.pop(key, None)
            return None
        self._known[key] = (cell, array("q", marks))
        return cell

    def forget(self, before_ns: int) -> None:
        """Forget cells that began before `before_ns`: nobody can look at them any more."""
        self._known = {key: one for key, one in self._known.items() if key[2] >= before_ns}


def cells(blocks: Blocks, rows: Iterable[Row], field: str, told: Told | None = None) -> list[Cell]:
    """Return the cells that may be used, by block, then by time.

    Parameters
    ----------
    blocks : Blocks
    rows : iterable of Row
        Sum and count of `field` of each agent (and source) on the grid.
    field : str
    told : Told or None
        For figures that are asked for again while the store still changes.
    """
    block_of = {a: name for name in blocks.askable for a in blocks.members[name]}
    own: dict[tuple[str, int], dict[str, list[float]]] = defaultdict(dict)
    for row in rows:
        agent = row.tags.get("agent", "")
        count = float(row.fields.get(_COUNT.column(field), 0))
        if agent in block_of and count > 0:
            # Two sources of one person are one person.
            sums = own[block_of[agent], row.time_ns].setdefault(agent, [0.0, 0.0])
            sums[0] += float(row.fields[_SUM.column(field)])
            sums[1] += count
    found = []
    for (block, begin_ns), people in sorted(own.items()):
        total = sum(total / n for total, n in people.values())
        cell = Cell(block, begin_ns, len(people), total)
        shown = cell if told is None else told.settle(field, cell, people)
        if shown is not None and shown.people >= blocks.smallest:
            found.append(shown)
    return found


def figures(
    found: Sequence[Cell], names: Iterable[str], every: timedelta, zone: tzinfo = UTC
) -> list[GroupFigure]:
    """Return the figures of the blocks `names` together, one for each stretch of `every`.

    Stretches without a usable cell are left out.

    Parameters
    ----------
    found : sequence of Cell
    names : iterable of str
    every : timedelta
        A multiple of the grid.
    zone : tzinfo
        On whose clocks a stretch begins: half a day at midnight and at noon.

    Raises
    ------
    ConfigurationError
        If `every` is not a multiple of the grid.
    """
    if every < GRID or every % GRID:
        raise ConfigurationError(f"figures of groups come every {GRID} or a multiple, not {every}")
    wanted = frozenset(names)
    stretches: dict[int, list[Cell]] = defaultdict(list)
    for cell in found:
        if cell.block in wanted:
            stretches[stretch_of(cell.begin_ns, every, zone)].append(cell)
    return [
        GroupFigure(
            begin_ns,
            sum(c.total for c in part) / sum(c.people for c in part),
            min(c.people for c in part),
        )
        for begin_ns, part in sorted(stretches.items())
    ]


def stretch_of(time_ns: int, every: timedelta, zone: tzinfo) -> int:
    """Return when the stretch of `every` begins that `time_ns` lies in, in ns.

    Stretches are counted on the clocks of `zone`, so that a day that a clock
    change falls into has 23 or 25 hours.
    """
    local = datetime.fromtimestamp(time_ns // 1_000_000_000, zone)
    wall = local.replace(tzinfo=None)
    begin = wall - (wall - _EPOCH) % every
    if every <= _HOUR:
        # The hour that comes twice is two of these: whichever `local` lies in.
        return epoch_ns(local.astimezone(UTC) - (wall - begin))
    return epoch_ns(begin.replace(tzinfo=zone).astimezone(UTC))


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupQuery:
    """A question about groups: the mean of one field over people.

    Parameters
    ----------
    measurement : Measurement
    site : str
    field : str
        Numbers only.
    start_at, end_at : datetime
        Range; begins and ends on the grid, so that no cell is asked for in part.
    """

    measurement: Measurement
    site: str
    field: str
    start_at: datetime
    end_at: datetime

    def __post_init__(self) -> None:
        for key in ("start_at", "end_at"):
            at = getattr(self, key)
            if epoch_ns(at) % (GRID // timedelta(microseconds=1) * 1_000):
                raise ConfigurationError(
                    f"{key} of a group's figure is {at.isoformat()}; expected a multiple of {GRID}"
                )


def ask(blocks: Blocks, query: GroupQuery) -> Query | None:
    """Return the question for the store, or ``None`` if every group is too small."""
    agents = sorted({a for name in blocks.askable for a in blocks.members[name]})
    if not agents:  # to the store no agents means all of them
        return None
    return Query(
        measurement=query.measurement,
        site=query.site,
        fields=(query.field,),
        agents=tuple(agents),
        start_at=query.start_at,
        end_at=query.end_at,
        aggregates=(_SUM, _COUNT),
        every=GRID,
    )


def read_cells(
    store: Store, blocks: Blocks, query: GroupQuery, told: Told | None = None
) -> list[Cell]:
    """Return the usable cells of `blocks`; groups that are too small are not even asked for.

    Raises
    ------
    StoreError
        If the store cannot be read.
    ConfigurationError
        If the field holds no numbers.
    """
    asked = ask(blocks, query)
    return [] if asked is None else cells(blocks, store.read(asked), query.field, told)
