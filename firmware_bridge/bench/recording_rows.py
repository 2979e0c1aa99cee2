"""Rows of a recording, put in order: beats are known seconds after they were; pure."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator

from sensors.collector import Reading

HELD_S = 10.0
"""Rows wait this long, since a file is sorted by time. [s] Beats from a pulse wave come 3-4 s
late, as do those of headsets that buffer."""

Row = tuple[float, str, float]


class InOrder:
    """Sorts what was measured by its time.

    Attributes
    ----------
    left_out : int
        Values that came more than :data:`HELD_S` late.
    """

    def __init__(self) -> None:
        self.left_out = 0
        self._held: list[Row] = []
        self._newest_s = 0.0

    def take(self, readings: Iterable[Reading], now_s: float) -> Iterator[Row]:
        """Take readings and yield the rows that are old enough at `now_s`, in seconds."""
        for reading in readings:
            at_s = round(reading.at_monotonic_s, 4)
            if at_s >= self._newest_s:
                heapq.heappush(self._held, (at_s, reading.signal, reading.value))
            elif at_s >= 0.0:  # what lies before the start is not missing
                self.left_out += 1
        yield from self._until(now_s - HELD_S)

    def rest(self) -> Iterator[Row]:
        """Yield what is still held."""
        yield from self._until(float("inf"))

    def _until(self, end_s: float) -> Iterator[Row]:
        while self._held and self._held[0][0] <= end_s:
            row = heapq.heappop(self._held)
            self._newest_s = row[0]
            yield row
