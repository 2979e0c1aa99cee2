"""The interface every store has; one contract suite runs against each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from analytics.store.points import FieldValue, Measurement, Point
from sensors.errors import ConfigurationError


class Aggregate(StrEnum):
    """What becomes of the values of one stretch of time."""

    MEAN = "mean"
    MIN = "min"
    MAX = "max"
    SUM = "sum"
    COUNT = "count"

    def column(self, field: str) -> str:
        """Return the name that this figure of `field` has in a row."""
        return f"{self}_{field}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What to read: typed, so that no caller ever writes a query language.

    Parameters
    ----------
    measurement : Measurement
        What to read.
    site : str
        Site whose points are wanted.
    fields : tuple of str
        Fields wanted; empty means all.
    agents : tuple of str
        Agents wanted; empty means all.
    start_at, end_at : datetime or None
        Half-open range ``[start_at, end_at)`` in UTC; ``None`` is unbounded.
    latest : bool
        Only the newest point of each agent (and source).
    limit : int or None
        At most so many of the newest points over all.
    aggregates : tuple of Aggregate
        One row of figures for each agent (and source) instead of its points:
        field ``mean_hr_bpm`` of a row is the mean of `hr_bpm`. Wants `fields`.
        Never across agents: for groups see :mod:`analytics.store.groups`.
    every : timedelta or None
        With `aggregates`, a row for each such stretch that has a value. They
        lie on a grid from 1970 on and are stamped with their begin; wants
        `start_at` and `end_at`. ``None`` makes one row, stamped `start_at`.

    Raises
    ------
    ConfigurationError
        If these do not go together.
    """

    measurement: Measurement
    site: str
    fields: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    start_at: datetime | None = None
    end_at: datetime | None = None
    latest: bool = False
    limit: int | None = None
    aggregates: tuple[Aggregate, ...] = ()
    every: timedelta | None = None

    def __post_init__(self) -> None:
        if self.aggregates and (not self.fields or self.latest or self.limit is not None):
            raise ConfigurationError("aggregates want fields, and neither latest nor limit")
        if self.every is None:
            return
        if not self.aggregates or self.start_at is None or self.end_at is None:
            raise ConfigurationError("every wants aggregates, start_at and end_at")
        if self.every < timedelta(milliseconds=1):
            raise ConfigurationError(f"every is {self.every}; expected a millisecond or more")

    def refuse_words(self, kinds: Mapping[str, str]) -> None:
        """Raise :class:`ConfigurationError` if a figure of words or of yes and no is asked for.

        Parameters
        ----------
        kinds : mapping
            Field to its kind in the store: float, integer, boolean or string.
        """
        for name in self.fields:
            for aggregate in self.aggregates:
                if aggregate is not Aggregate.COUNT and kinds.get(name) in {"string", "boolean"}:
                    raise ConfigurationError(
                        f"{aggregate} of {name}: it holds no number; ask for its count"
                    )


@dataclass(frozen=True, slots=True)
class Row:
    """One point as read back; fields that the point does not have are missing."""

    time_ns: int
    tags: dict[str, str]
    fields: dict[str, FieldValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteReport:
    """What became of a batch: refused points are named with the store's reason."""

    written: int
    refused: list[tuple[Point, str]] = field(default_factory=list)


class Eraser(Protocol):
    """What deletes an agent's points: a store, or who asks its writer."""

    def erase(self, site: str, agent: str, before: datetime | None = None) -> int:
        """Delete the points of `agent`; return how many there were; see :meth:`Store.erase`."""


class Store(Protocol):
    """Where points go and come from.

    Writing the same point twice leaves one. Every method raises
    :class:`~sensors.errors.StoreError` when the store cannot be reached, with
    nothing half done that a retry would not put right.
    """

    def write(self, points: Sequence[Point]) -> WriteReport:
        """Write `points`; refused ones are reported, the rest is written."""

    def read(self, query: Query) -> list[Row]:
        """Return matching rows, oldest first.

        Raises
        ------
        ConfigurationError
            If an aggregate of words is asked for.
        """

    def count(self, query: Query) -> int:
        """Return how many points match (`latest` and `limit` do not apply)."""

    def erase(self, site: str, agent: str, before: datetime | None = None) -> int:
        """Delete the points of `agent`; return how many there were.

        Parameters
        ----------
        site, agent : str
        before : datetime or None
            Only those of earlier times: what follows is of somebody who
            consented anew. ``None``: every point, and what names the series.

        Raises
        ------
        CannotEraseError
            If this kind of database cannot delete points at all.
        """

    def expire(self, now: datetime) -> int:
        """Delete what is older than its retention at `now`; return how many points.

        A server that keeps its own retention deletes nothing here.
        """

    def prepare(self) -> list[str]:
        """Make what is missing to write; return what was done or an administrator must do."""

    def check(self) -> str:
        """Return one line that says what this is and that it answers."""

    def close(self) -> None:
        """Release connections and files."""
