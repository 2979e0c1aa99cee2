"""The interface every store has; one contract suite runs against each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from analytics.store.points import FieldValue, Measurement, Point


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
    """

    measurement: Measurement
    site: str
    fields: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    start_at: datetime | None = None
    end_at: datetime | None = None
    latest: bool = False
    limit: int | None = None


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


class Store(Protocol):
    """Where points go and come from.

    Writing the same point twice leaves one. Every method raises
    :class:`~sensors.errors.StoreError` when the store cannot be reached, with
    nothing half done that a retry would not put right.
    """

    def write(self, points: Sequence[Point]) -> WriteReport:
        """Write `points`; refused ones are reported, the rest is written."""

    def read(self, query: Query) -> list[Row]:
        """Return matching rows, oldest first."""

    def count(self, query: Query) -> int:
        """Return how many points match (`latest` and `limit` do not apply)."""

    def erase(self, site: str, agent: str) -> int:
        """Delete every point of `agent`; return how many there were."""

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
