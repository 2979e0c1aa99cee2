"""Whether two stores hold the same values, whatever order they give them in; pure.

Each point becomes a number, by a hash of its time, tags and fields; the points
of one hour add up. A point that is missing, doubled or changed changes the sum
of its hour, the order of points does not, and no store has to be asked for more
than a stretch of it at a time.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

from analytics.store.base import Row
from analytics.store.points import Measurement

HOUR_NS = 3_600_000_000_000
_BYTES = 16
_WHOLE = 1 << 8 * _BYTES


def number_of(measurement: Measurement, row: Row) -> int:
    """Return the number that stands for a point: other types, other values, another number.

    Parameters
    ----------
    measurement : Measurement
    row : Row
        As read back; floats are told to the last digit.
    """
    said = (measurement.value, row.time_ns, sorted(row.tags.items()), sorted(row.fields.items()))
    return int.from_bytes(blake2b(repr(said).encode(), digest_size=_BYTES).digest())


class Hours:
    """The sum of each hour of one measurement, and how many points it is of."""

    def __init__(self) -> None:
        self.sums: dict[int, int] = {}
        self.counts: dict[int, int] = {}

    def add(self, measurement: Measurement, rows: Iterable[Row]) -> None:
        """Add points; each once, in any order."""
        for row in rows:
            hour = row.time_ns // HOUR_NS
            self.sums[hour] = (self.sums.get(hour, 0) + number_of(measurement, row)) % _WHOLE
            self.counts[hour] = self.counts.get(hour, 0) + 1

    def differ(self, other: Hours) -> list[int]:
        """Return the hours (since 1970) in which `other` does not hold the same."""
        every = sorted(self.sums.keys() | other.sums.keys())
        return [hour for hour in every if self.sums.get(hour) != other.sums.get(hour)]

    @property
    def checksum(self) -> int:
        """Of all hours together; may be added up over measurements."""
        return sum(self.sums.values()) % _WHOLE


def shown(checksums: Iterable[int]) -> str:
    """Return checksums of several measurements as one word."""
    return f"{sum(checksums) % _WHOLE:0{2 * _BYTES}x}"[:_BYTES]
