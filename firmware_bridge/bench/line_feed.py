"""A board that prints comma-separated lines, as the bench sees it; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from firmware_bridge.bench.board_feed import derived
from firmware_bridge.bench.watching import Health, Heard, Taken
from firmware_bridge.printed.csv_lines import SKIP, CsvLines, range_of, unit_of
from firmware_bridge.printed.raw_lines import RawLines

_LONGEST_PAUSE_S = 1.0  # between two reads, over which what came together is spread


class LineFeed:
    """One board that prints lines.

    Parameters
    ----------
    columns : tuple of str
        As checked by :func:`~firmware_bridge.printed.csv_lines.check_columns`.
    rate_hz : float or None
        Lines per second, where it is known; else it is found. [1/s]
    """

    def __init__(self, columns: tuple[str, ...], rate_hz: float | None = None) -> None:
        self._lines = CsvLines(columns)
        self._raw = RawLines(columns, rate_hz)
        self._columns = [column for column in columns if column != SKIP]
        self._refused = 0
        self._heard_s: float | None = None
        self._is_announced = False

    def opened(self) -> None:
        """Take that the port was opened again: a line that was cut off is none."""
        self._lines.reopened()
        self._raw.reopened()

    def due(self, now_s: float) -> bytes:  # noqa: ARG002 - one shape for all feeds
        """Return nothing: such a board is not asked."""
        return b""

    def feed(self, data: bytes, now_s: float) -> Heard:
        """Return what `data`, which arrived at `now_s`, says."""
        samples = self._lines.feed(data)
        refused = self._lines.counts.unreadable + self._lines.counts.too_long
        readings = self._raw.take(samples, now_s, refused - self._refused)
        self._refused = refused
        made = [derived(r) for r in readings if r.signal not in self._columns]
        taken = [*self._announced(), *self._printed(samples, now_s), *made]
        if data:
            self._heard_s = now_s
        return Heard(tuple(taken), tuple(readings))

    def _announced(self) -> list[Taken]:
        """Return a row for each column, once, before its first value."""
        if self._is_announced:
            return []
        self._is_announced = True
        nothing = np.empty(0)
        return [
            Taken(name, unit_of(name), nothing, nothing.reshape(0, 1)) for name in self._columns
        ]

    def _printed(self, samples: Sequence[dict[str, float]], now_s: float) -> list[Taken]:
        """Return the columns of lines that came together, spread over the time since the last."""
        if not samples:
            return []
        pause_s = _LONGEST_PAUSE_S if self._heard_s is None else now_s - self._heard_s
        span_s = min(pause_s, _LONGEST_PAUSE_S)
        at_s = now_s - span_s * np.arange(len(samples) - 1, -1, -1) / len(samples)
        taken = []
        for name in self._columns:
            values = np.array([[sample.get(name, np.nan)] for sample in samples])
            there = np.isfinite(values[:, 0])
            taken.append(Taken(name, unit_of(name), at_s[there], values[there]))
        return taken

    def trouble(self, name: str) -> str:
        """Return why there are no values from the port called `name`; empty once there are."""
        counts = self._lines.counts
        if counts.read:
            return self._raw.trouble and f"{name} prints {self._raw.trouble}"
        if counts.out_of_range and not counts.unreadable:
            ranges = ", ".join(map(range_of, self._columns))
            return f"{name} prints numbers, but none within {ranges}; check units and columns"
        if counts.unreadable:
            number = len(self._lines.columns)
            return (
                f"{name} prints lines like {counts.last_unreadable}; "
                f"--csv names {number} column{'s' if number > 1 else ''}"
            )
        if self._heard_s is not None:
            return f"{name} sends bytes but no whole lines; check --baud"
        return f"{name} says nothing; is the board running, and wired to this port?"

    def health(self) -> Health:
        """Return what became of the lines."""
        counts = asdict(self._lines.counts)
        example = counts.pop("last_unreadable")
        rate_hz = self._raw.rate_hz
        rated = "" if rate_hz is None else f", {rate_hz:.1f} lines per s"
        return Health(board=f"prints lines{rated}", counts=counts, example=example)
