"""Points that a step puts out, those of windows made only when somebody looks; pure.

An alert waits for nothing that the store alone wants. What a window's points
are is settled when it was judged; the points themselves, ten objects for each
window, are made from that after the alerts have gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import overload

from analytics.store.points import Point

Make = Callable[[], list[Point]]


class Gathered(Sequence[Point]):
    """Points in order, some of them still to be made.

    Parameters
    ----------
    points : iterable of Point
        The first of them.
    """

    __slots__ = ("_parts",)

    def __init__(self, points: Iterable[Point] = ()) -> None:
        self._parts: list[list[Point] | Make] = [list(points)]

    def append(self, point: Point) -> None:
        """Add one."""
        self._last().append(point)

    def extend(self, points: Iterable[Point]) -> None:
        """Add some."""
        self._last().extend(points)

    def later(self, make: Make) -> None:
        """Add what `make` will return, which is at least one point, whenever it is called."""
        self._parts.append(make)

    def at_hand(self) -> Iterator[Point]:
        """Yield those that need not be made: all but the points of windows."""
        for part in self._parts:
            if isinstance(part, list):
                yield from part

    def make(self) -> None:
        """Make what is still to be made."""
        if len(self._parts) > 1:
            made = [part if isinstance(part, list) else part() for part in self._parts]
            self._parts = [[point for part in made for point in part]]

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
        self.make()
        return self._last()
