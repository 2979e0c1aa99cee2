"""Points that a step puts out, those of windows told only when somebody asks; pure.

An alert waits for nothing that the store alone wants. What a window's points
are is settled when it was judged; the points themselves, ten objects for each
window, are made from that afterwards, and not at all where lines are wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, overload

from analytics.store.formatted import Formatted, formatted
from analytics.store.line_protocol import Encoder
from analytics.store.points import Point

_AT_ONCE = 1_000
"""Points at hand that become lines together: few enough for one request with others."""


class Later(Protocol):
    """At least one point, told the same whenever it is asked for."""

    def points(self) -> list[Point]:
        """Return the points."""

    def lines(self, encoder: Encoder) -> Iterator[Formatted]:
        """Yield them as lines, some at a time."""


class Gathered(Sequence[Point]):
    """Points in order, some of them still to be made.

    Parameters
    ----------
    points : iterable of Point
        The first of them.

    Attributes
    ----------
    packed : list of (int, bytes) or None
        Rows of the spool that hold them, once somebody has packed them.
    """

    __slots__ = ("_parts", "packed")

    def __init__(self, points: Iterable[Point] = ()) -> None:
        self._parts: list[list[Point] | Later] = [list(points)]
        self.packed: list[tuple[int, bytes]] | None = None

    def append(self, point: Point) -> None:
        """Add one."""
        self._last().append(point)

    def extend(self, points: Iterable[Point]) -> None:
        """Add some."""
        self._last().extend(points)

    def later(self, points: Later) -> None:
        """Add what is told when somebody asks."""
        self._parts.append(points)

    def lines(self, encoder: Encoder) -> Iterator[Formatted]:
        """Yield all of them as lines, some at a time."""
        for part in self._parts:
            if not isinstance(part, list):
                yield from part.lines(encoder)
                continue
            for start in range(0, len(part), _AT_ONCE):
                yield formatted(part[start : start + _AT_ONCE], encoder)

    def at_hand(self) -> Iterator[Point]:
        """Yield those that need not be made: all but the points of windows."""
        for part in self._parts:
            if isinstance(part, list):
                yield from part

    def keep(self, fits: Callable[[Point], bool]) -> None:
        """Leave out those at hand that do not fit."""
        for part in self._parts:
            if isinstance(part, list):
                part[:] = [point for point in part if fits(point)]

    def __bool__(self) -> bool:
        """Return whether there are any, without making them."""
        return any(self._parts)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._all())

    @overload
    def __getitem__(self, index: int) -> Point: ...
    @overload
    def __getitem__(self, index: slice) -> list[Point]: ...
    def __getitem__(self, index: int | slice) -> Point | list[Point]:
        """Return one of them, or some."""
        return self._all()[index]

    def __iter__(self) -> Iterator[Point]:
        """Yield each."""
        return iter(self._all())

    def __eq__(self, other: object) -> bool:
        """Return whether `other` holds the same points in the same order."""
        return isinstance(other, Sequence) and self._all() == list(other)

    __hash__ = None  # type: ignore[assignment]

    def _last(self) -> list[Point]:
        if not isinstance(self._parts[-1], list):
            self._parts.append([])
        last = self._parts[-1]
        assert isinstance(last, list)  # noqa: S101 - narrows for mypy
        return last

    def _all(self) -> list[Point]:
        if len(self._parts) > 1:
            made = [part if isinstance(part, list) else part.points() for part in self._parts]
            self._parts = [[point for part in made for point in part]]
        return self._last()
