"""From what arrived in one window to what the message says: pure, no clock.

The live edge, the replay of recordings and the offline evaluation all reduce
their readings here, so that a figure means the same wherever it comes from.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sensors.messages import SECTIONS, WINDOW_S, Absence, ReadingMessage, Section
from sensors.signals import SIGNALS, UNSCORED, Channel, Reduction, Signal, of_channel

WINDOW = timedelta(seconds=WINDOW_S)
_WINDOW_MS = round(WINDOW_S * 1000)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

COUNTING = frozenset({Channel.KEYBOARD, Channel.POINTER})
"""Channels in which silence is a measurement: nobody typed, nobody moved the mouse."""


def grid_shift_ms(site: str, agent: str) -> int:
    """Return by how many ms an agent's grid is shifted, so that a floor does not speak at once."""
    return zlib.crc32(f"{site}/{agent}".encode()) % _WINDOW_MS


def window_end_after(at: datetime, shift_ms: int) -> datetime:
    """Return the first window end of the grid that lies strictly after `at` (UTC)."""
    at_ms = (at - _EPOCH) // timedelta(milliseconds=1)
    return _EPOCH + timedelta(milliseconds=at_ms - (at_ms - shift_ms) % _WINDOW_MS + _WINDOW_MS)


def window_end_until(at: datetime, shift_ms: int) -> datetime:
    """Return the last window end of the grid that does not lie after `at` (UTC)."""
    return window_end_after(at, shift_ms) - WINDOW


@dataclass(slots=True)
class Gathered:
    """What arrived of one channel in one window.

    Parameters
    ----------
    samples : dict
        Signal name to ``(at_s, value)`` pairs in order of arrival, all within
        the catalogue's range. [s] on the clock of the window's end
    accepted, rejected : int
        How many values were taken, and how many refused as out of range.
    quality_sum : float
        Sum of the qualities of the accepted values.
    beside, beside_quality_sum : int and float
        How many of them no score rests on, and the sum of their qualities.
    """

    samples: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    accepted: int = 0
    rejected: int = 0
    quality_sum: float = 0.0
    beside: int = 0
    beside_quality_sum: float = 0.0

    def add(self, signal: Signal, value: float, at_s: float, quality: float = 1.0) -> bool:
        """Take one value; return whether it lay within the catalogue's range."""
        if not signal.accepts(value):
            self.rejected += 1
            return False
        self.samples.setdefault(signal.name, []).append((at_s, value))
        self.accepted += 1
        quality = min(1.0, max(0.0, quality)) if quality == quality else 0.0  # noqa: PLR0124 - NaN
        self.quality_sum += quality
        if signal.name in UNSCORED:
            self.beside += 1
            self.beside_quality_sum += quality
        return True

    def add_all(self, signal: Signal, samples: Sequence[tuple[float, float]]) -> None:
        """Take ``(at_s, value)`` pairs of full quality, as `add` would one by one."""
        low, high = signal.low, signal.high
        taken = [sample for sample in samples if low <= sample[1] <= high]
        self.rejected += len(samples) - len(taken)
        if not taken:
            return
        self.samples.setdefault(signal.name, []).extend(taken)
        self.accepted += len(taken)
        self.quality_sum += len(taken)
        if signal.name in UNSCORED:
            self.beside += len(taken)
            self.beside_quality_sum += len(taken)

    @property
    def quality(self) -> float:
        """Mean quality of the values, a refused one counting as 0; 1 when there were none.

        Where anything is scored, what is not does not count: ten reports a second
        of a good radar would make poor skin conductance good.
        """
        count, total = self.accepted + self.rejected, self.quality_sum
        if self.beside < count:
            count, total = count - self.beside, total - self.beside_quality_sum
        return total / count if count else 1.0


def reduce_channel(
    channel: Channel, gathered: Gathered | None, end_s: float
) -> Section | Literal[Absence.POOR]:
    """Return the section of `channel` for the window that ends at `end_s`.

    Parameters
    ----------
    gathered : Gathered or None
        What arrived; ``None`` when nothing did.
    end_s : float
        End of the window on the clock of the samples. [s]

    Returns
    -------
    section or Absence.POOR
        ``POOR`` when the device answers but nothing usable came.
    """
    if gathered is None or not gathered.accepted:
        if channel not in COUNTING or (gathered is not None and gathered.rejected):
            return Absence.POOR
        gathered = Gathered()
    values: dict[str, Any] = {}
    for signal in of_channel(channel):
        value = _reduce(signal, gathered, end_s)
        if value is None:
            continue
        if isinstance(value, float) and not signal.accepts(value):
            # A sum or spread out of range: refused, never clipped. A count
            # that is not known must not read as zero, so the channel is poor.
            gathered.rejected += 1
            if signal.reduction is Reduction.SUM:
                return Absence.POOR
            continue
        values[signal.name] = value
    kind: type[Any] = SECTIONS[channel]
    if channel is Channel.MODULES:
        values = {"values": values}
    section: Section = kind(quality=round(gathered.quality, 4), **values)
    return section


def _reduce(signal: Signal, gathered: Gathered, end_s: float) -> float | tuple[float, ...] | None:
    samples = gathered.samples.get(signal.reduces or signal.name)
    if not samples:
        return None
    if signal.reduction is Reduction.ALL:
        return _beats(signal, samples, end_s)
    return _REDUCE[signal.reduction]([value for _, value in samples])


def _beats(signal: Signal, samples: list[tuple[float, float]], end_s: float) -> tuple[float, ...]:
    """Return every value, or the time of each relative to the window's end, oldest first."""
    offset = SIGNALS["beat_offset_ms"]
    dated = [(round((at_s - end_s) * 1000.0, 3), value) for at_s, value in sorted(samples)]
    kept = [(ms, value) for ms, value in dated if offset.accepts(ms)]
    return tuple(ms if signal is offset else value for ms, value in kept)


def _mean(values: Sequence[float]) -> float:
    # The mean of equal numbers can round past them, and so out of the range.
    return min(max(values), max(min(values), sum(values) / len(values)))


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Return a quantile by linear interpolation, as NumPy's default does."""
    position = share * (len(ordered) - 1)
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def _median(values: Sequence[float]) -> float:
    return _quantile(sorted(values), 0.5)


def _iqr(values: Sequence[float]) -> float | None:
    if len(values) < 2:
        return None  # the spread of one value is unknown, not zero
    ordered = sorted(values)
    return _quantile(ordered, 0.75) - _quantile(ordered, 0.25)


_REDUCE: Mapping[Reduction, Callable[[Sequence[float]], float | None]] = {
    Reduction.MEAN: _mean,
    Reduction.MEDIAN: _median,
    Reduction.IQR: _iqr,
    Reduction.SUM: lambda values: float(sum(values)),
    Reduction.LAST: lambda values: values[-1],
    Reduction.MAX: max,
}


@dataclass(frozen=True, slots=True)
class Content:
    """One window without its envelope: a section or a reason for each channel."""

    sections: dict[Channel, Section]
    absent: dict[Channel, Absence]

    def message(
        self, *, source: str, run: str, seq: int, window_end_at: datetime, utc_offset_min: int = 0
    ) -> ReadingMessage:
        """Return the window as the message that travels."""
        parts: dict[str, Any] = {channel.value: part for channel, part in self.sections.items()}
        return ReadingMessage(
            source=source,
            run=run,
            seq=seq,
            window_end_at=window_end_at,
            utc_offset_min=utc_offset_min,
            absent=dict(self.absent),
            **parts,
        )
