"""What a watched board is doing, in one line; pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from firmware_bridge.csv_lines import SKIP, CsvLines
from sensors.signals import SIGNALS


@dataclass(frozen=True, slots=True)
class Report:
    """One look at the board.

    Parameters
    ----------
    elapsed_s : float
        Since watching began. [s]
    values : dict
        Newest value of each signal, in the catalogue's unit; ``None`` before the first.
    rate_hz : dict
        Values of each signal per second since the last look. [1/s]
    read, unreadable, too_long, out_of_range, last_unreadable
        As in :class:`~firmware_bridge.csv_lines.Counts`, since watching began.
    """

    elapsed_s: float
    values: dict[str, float | None]
    rate_hz: dict[str, float]
    read: int
    unreadable: int
    too_long: int
    out_of_range: int
    last_unreadable: str

    def line(self) -> str:
        """Return it as one line of text, without colour."""
        parts = [f"{self.elapsed_s:7.1f} s"]
        for name, value in self.values.items():
            shown = "nothing yet" if value is None else f"{value:g} {SIGNALS[name].unit}"
            parts.append(f"{name} {shown} ({self.rate_hz[name]:.1f}/s)")
        bad = {
            f"unreadable, such as {self.last_unreadable}:": self.unreadable,
            "too long": self.too_long,
            "out of range": self.out_of_range,
        }
        parts += [f"{words} {count}" for words, count in bad.items() if count]
        return "  ".join(parts)


@dataclass(slots=True)
class Monitor:
    """Follows one board.

    Parameters
    ----------
    lines : CsvLines
        Its decoder.
    start_s : float
        When watching began, on the caller's clock. [s]
    """

    lines: CsvLines
    start_s: float
    _newest: dict[str, float] = field(default_factory=dict)
    _fresh: dict[str, int] = field(default_factory=dict)
    _last_s: float | None = None
    is_shown: bool = False
    """Whether everything that was taken has been reported."""

    def take(self, data: bytes) -> None:
        """Take bytes that arrived."""
        self.is_shown = self.is_shown and not data
        for sample in self.lines.feed(data):
            self._newest |= sample
            for name in sample:
                self._fresh[name] = self._fresh.get(name, 0) + 1

    def report(self, now_s: float) -> Report:
        """Return what there is to see at `now_s`, and begin the next stretch."""
        names = [column for column in self.lines.columns if column != SKIP]
        since_s = now_s - (self.start_s if self._last_s is None else self._last_s)
        rates = {n: self._fresh.get(n, 0) / since_s if since_s > 0 else 0.0 for n in names}
        self._fresh.clear()
        self._last_s = now_s
        self.is_shown = True
        counts = self.lines.counts
        return Report(
            elapsed_s=round(now_s - self.start_s, 3),
            values={n: self._newest.get(n) for n in names},
            rate_hz={n: round(rate, 3) for n, rate in rates.items()},
            read=counts.read,
            unreadable=counts.unreadable,
            too_long=counts.too_long,
            out_of_range=counts.out_of_range,
            last_unreadable=counts.last_unreadable,
        )
