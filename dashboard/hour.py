"""One person's last hour in bands and gaps, minute by minute: pure, nothing measured (TRUST T12)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from analytics.signals.features import PARTS, UNKNOWN_LEVEL, Part
from analytics.store.base import Row
from dashboard.records import row_time

BANDS_MINUTES = 60
MINUTE_BEGUN = timedelta(seconds=15)

LEVEL_FIELDS: tuple[str, ...] = tuple(f"level_{part}" for part in PARTS)
BAND_FIELDS = (*LEVEL_FIELDS, "quality")


@dataclass(frozen=True, slots=True)
class Cell:
    """One minute of one part: a band from -2 to 2, or ``None`` for unknown."""

    level: int | None


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive minutes in the same band."""

    start_at: datetime
    end_at: datetime
    level: int | None


@dataclass(frozen=True, slots=True)
class Bands:
    """One person's last hour.

    `cells` has for each part one cell per minute, oldest first; `quality` one
    value from 0 to 1 per minute, ``None`` where nothing arrived.
    """

    start_at: datetime
    cells: dict[Part, tuple[Cell, ...]]
    quality: tuple[float | None, ...]

    def runs(self, part: Part) -> list[Run]:
        """Return the same hour as stretches, for words instead of a picture."""
        found: list[Run] = []
        minute = 0
        for level, group in groupby(self.cells[part], key=lambda cell: cell.level):
            length = len(list(group))
            begin = self.start_at + timedelta(minutes=minute)
            found.append(Run(begin, begin + timedelta(minutes=length), level))
            minute += length
        return found

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all arrived in the hour."""
        return all(value is None for value in self.quality)


def begin(now: datetime) -> datetime:
    """Return when the hour that is shown at `now` begins, on a whole minute."""
    # A minute that has only just begun is not shown: it would look like a gap.
    last = (now - MINUTE_BEGUN).replace(second=0, microsecond=0)
    return last - timedelta(minutes=BANDS_MINUTES - 1)


def bands(rows: Sequence[Row], start_at: datetime) -> Bands:
    """Return the hour from `start_at` on; `rows` are one person's scores with `BAND_FIELDS`."""
    minutes: list[list[Row]] = [[] for _ in range(BANDS_MINUTES)]
    for row in rows:
        minute = int((row_time(row) - start_at).total_seconds() // 60)
        if 0 <= minute < BANDS_MINUTES:
            minutes[minute].append(row)
    return Bands(
        start_at,
        {part: tuple(Cell(_band(rows, part)) for rows in minutes) for part in PARTS},
        tuple(_quality(rows) for rows in minutes),
    )


def _band(rows: Sequence[Row], part: Part) -> int | None:
    """Return the middle band of one minute; unknown when most of it is."""
    levels = sorted(
        int(value)
        for row in rows
        if (value := row.fields.get(f"level_{part}")) is not None and value != UNKNOWN_LEVEL
    )
    return levels[len(levels) // 2] if levels and 2 * len(levels) >= len(rows) else None


def _quality(rows: Sequence[Row]) -> float | None:
    values = [float(value) for row in rows if (value := row.fields.get("quality")) is not None]
    return sum(values) / len(values) if values else None
