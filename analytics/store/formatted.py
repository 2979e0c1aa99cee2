"""Points that are written as lines already, so that nobody formats them twice; pure.

Formatted once, where they are packed for the spool; from there to the server
they are text, which is only read back to tell which point a refusal means.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import overload

from analytics.store.line_protocol import Encoder
from analytics.store.line_reading import point_of
from analytics.store.points import Database, Measurement, Point


@dataclass(frozen=True, slots=True)
class Group:
    """Which points go together into a request.

    Parameters
    ----------
    database : Database
    anew : bool
        Whether they may be told anew with other values, as a summary is while
        its minute fills. Every other point is told again only as it was: their
        order is no matter.
    """

    database: Database
    anew: bool


GROUPS = (
    Group(Database.RAW, anew=False),
    Group(Database.DERIVED, anew=False),
    Group(Database.DERIVED, anew=True),
)
_GROUP_OF = {m: Group(m.database, m is Measurement.SUMMARY) for m in Measurement}


def grouped(points: Iterable[Point]) -> list[tuple[Group, list[Point]]]:
    """Return the groups that occur in `points`, each with its own, in their order."""
    found: dict[Group, list[Point]] = {group: [] for group in GROUPS}
    of_measurement = {m: found[group] for m, group in _GROUP_OF.items()}
    for point in points:
        of_measurement[point.measurement].append(point)
    return [(group, mine) for group, mine in found.items() if mine]


@dataclass(frozen=True, slots=True)
class Section:
    """Lines of one group.

    Parameters
    ----------
    group : Group
    count : int
        How many.
    text : bytes
        One point a line, without the last line's end; no line end inside a point.
    """

    group: Group
    count: int
    text: bytes

    def lines(self) -> list[bytes]:
        """Return each line."""
        return self.text.split(b"\n")


@dataclass(frozen=True)
class Formatted(Sequence[Point]):
    """Points, most of them as lines; read back when somebody looks at one.

    Parameters
    ----------
    sections : sequence of Section
    others : sequence of Point
        Those that no line of their own can be written of: they are refused,
        or hold a line end.
    """

    sections: Sequence[Section]
    others: Sequence[Point]

    def __len__(self) -> int:
        """Return how many points there are."""
        return sum(section.count for section in self.sections) + len(self.others)

    @overload
    def __getitem__(self, index: int) -> Point: ...
    @overload
    def __getitem__(self, index: slice) -> list[Point]: ...
    def __getitem__(self, index: int | slice) -> Point | list[Point]:
        """Return one of the points, or some."""
        return self._points[index]

    def __iter__(self) -> Iterator[Point]:
        """Yield each point."""
        return iter(self._points)

    @cached_property
    def _points(self) -> list[Point]:
        read = [point_of(line) for section in self.sections for line in section.lines()]
        return [*read, *self.others]

    def requests(self, most: int) -> Iterator[Section]:
        """Yield all lines of a group after each other, in sections of about `most` at most."""
        for group in GROUPS:
            together, count = list[Section](), 0
            for section in self.sections:
                if section.group != group:
                    continue
                if together and count + section.count > most:
                    yield _one(together, count)
                    together, count = [], 0
                together.append(section)
                count += section.count
            if together:
                yield _one(together, count)


def _one(sections: Sequence[Section], count: int) -> Section:
    if len(sections) == 1:
        return sections[0]
    text = b"\n".join([section.text for section in sections])
    return Section(sections[0].group, count, text)


def formatted(points: Sequence[Point], encoder: Encoder) -> Formatted:
    """Return `points` as lines."""
    sections: list[Section] = []
    others: list[Point] = []
    for group, mine in grouped(points):
        lines, accepted, refused = encoder.lines(mine)
        others += [point for point, _ in refused]
        text = b"\n".join(lines)
        if text.count(b"\n") >= len(lines) > 0:
            others += [p for p, line in zip(accepted, lines, strict=True) if b"\n" in line]
            lines = [line for line in lines if b"\n" not in line]
            text = b"\n".join(lines)
        if lines:
            sections.append(Section(group, len(lines), text))
    return Formatted(sections, others)


def joined(parts: Sequence[Formatted]) -> Formatted:
    """Return the points of all `parts`, in their order."""
    sections = [section for part in parts for section in part.sections]
    return Formatted(sections, [point for part in parts for point in part.others])
