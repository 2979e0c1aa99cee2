"""Recordings: CSV with the header ``t_s,signal,value``, read and written.

Seconds from the start, a name from the catalogue, a number; rows sorted by
time; optional ``label`` rows mark the start of a stretch. ``.csv.gz`` works
too, and further columns are ignored. Every error names file, line and remedy.
"""

from __future__ import annotations

import csv
import gzip
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sensors.errors import RecordingError
from sensors.messages import WINDOW_S, Absence, ReadingMessage
from sensors.recording_rows import ENDINGS, read_rows, window_of
from sensors.reduction import (
    WINDOW,
    Content,
    Gathered,
    grid_shift_ms,
    reduce_channel,
    window_end_until,
)
from sensors.signals import HEADER, LABEL, SIGNALS, Channel, Reduction, readable_names

UNLABELLED = -1
_LABELS = (1, 0, UNLABELLED)


@dataclass(frozen=True, slots=True)
class Series:
    """The values of one signal, oldest first.

    Parameters
    ----------
    t_s : ndarray of float, shape (n,)
        Seconds from the start of the recording, not decreasing. [s]
    values : ndarray of float, shape (n,)
        In the catalogue's unit and range.
    skipped_t_s : ndarray of float, shape (m,)
        Times of the values that lay outside the catalogue's range. [s]
    repeated : int
        How many rows said again what an earlier one had said, and were dropped.
    """

    t_s: NDArray[np.float64]
    values: NDArray[np.float64]
    skipped_t_s: NDArray[np.float64]
    repeated: int = 0


@dataclass(frozen=True, slots=True)
class LabelTrack:
    """What the labels say: each holds from its start to the next one.

    Parameters
    ----------
    start_s : ndarray of float, shape (n,)
        Starts of the stretches. [s]
    labels : ndarray of int8, shape (n,)
        1 strained, 0 not, -1 not labelled.
    end_s : float
        End of the last stretch: the recording's duration. [s]
    """

    start_s: NDArray[np.float64]
    labels: NDArray[np.int8]
    end_s: float

    def at(self, t_s: ArrayLike) -> NDArray[np.int8]:
        """Return the label at each time; -1 before the first one. A start belongs to its stretch."""
        found = np.searchsorted(self.start_s, np.asarray(t_s, dtype=np.float64), side="right") - 1
        padded = np.concatenate([np.array([UNLABELLED], dtype=np.int8), self.labels])
        return cast("NDArray[np.int8]", padded[found + 1])

    def stretches(self) -> list[tuple[float, float, int]]:
        """Return ``(start_s, end_s, label)`` of each stretch; equal neighbours are one."""
        joined: list[tuple[float, float, int]] = []
        ends = [*self.start_s[1:].tolist(), self.end_s][: len(self.start_s)]
        for start_s, end_s, label in zip(
            self.start_s.tolist(), ends, self.labels.tolist(), strict=True
        ):
            if joined and joined[-1][2] == label:
                joined[-1] = (joined[-1][0], end_s, label)
            else:
                joined.append((start_s, end_s, label))
        return joined


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording in memory.

    Parameters
    ----------
    name : str
        File name without its endings.
    duration_s : float
        Time of the last row. [s]
    series : mapping
        Signal name to its values; only signals that occur.
    labels : LabelTrack
        Empty when there are no label rows.
    """

    name: str
    duration_s: float
    series: Mapping[str, Series]
    labels: LabelTrack

    @property
    def skipped(self) -> dict[str, int]:
        """How many values of each signal lay outside its range and were skipped."""
        counts = {name: len(one.skipped_t_s) for name, one in self.series.items()}
        return {name: count for name, count in counts.items() if count}

    @property
    def repeated(self) -> dict[str, int]:
        """How many rows of each signal were dropped, since every one was written more than once."""
        return {name: one.repeated for name, one in self.series.items() if one.repeated}

    @property
    def channels(self) -> frozenset[Channel]:
        """The channels this recording has values of."""
        return frozenset(SIGNALS[name].channel for name in self.series)


def read_recording(path: str | Path) -> Recording:
    """Return the recording in the file at `path`.

    Raises
    ------
    RecordingError
        If the file cannot be read, its header is another one, a row is not
        three columns of time, known signal and finite number, times go back,
        a label is none of 1, 0, -1, or a signal has no value in range (which
        is a wrong unit), or hardly any window of more than a day holds a row
        (which is a wrong unit of time, or a stray row). Single values out of
        range are skipped and counted, and so are the repeats of a signal
        whose every row stands there twice (or more often): it was written
        twice. Of signals that are counted, an equal row is a second event.
    """
    path = Path(path)
    rows = read_rows(path)
    times, names, values, lines = rows.t_s, rows.names, rows.values, rows.lines
    duration_s = float(times[-1])
    series: dict[str, Series] = {}
    labels = LabelTrack(np.empty(0), np.empty(0, dtype=np.int8), duration_s)
    known = frozenset(readable_names())
    for name in dict.fromkeys(names.tolist()):  # in order of appearance
        here = np.flatnonzero(names == name)
        if name == LABEL:
            labels = _label_track(path, times[here], values[here], lines[here], duration_s)
        elif name in known:
            series[name] = _series(path, name, times[here], values[here], lines[here])
        else:
            raise RecordingError(
                f"{path}, line {lines[here[0]]}: unknown signal {name!r}; "
                f"known: {', '.join((LABEL, *readable_names()))}"
            )
    if not series:
        raise RecordingError(f"{path} holds labels only; it needs rows of at least one signal")
    return Recording(_stem(path), duration_s, series, labels)


def _stem(path: Path) -> str:
    ending = path.name.lower()
    length = next((len(known) for known in ENDINGS if ending.endswith(known)), 0)
    return path.name[: len(path.name) - length]


def _series(
    path: Path,
    name: str,
    times: NDArray[np.float64],
    values: NDArray[np.float64],
    lines: NDArray[np.intp],
) -> Series:
    signal = SIGNALS[name]
    rows = times.size
    if signal.reduction is not Reduction.SUM:
        times, values = _once(times, values)
    good = (values >= signal.low) & (values <= signal.high)
    if not good.any():
        raise RecordingError(
            f"{path}, line {lines[0]}: no value of {name} lies between {signal.low:g} and "
            f"{signal.high:g} {signal.unit}, the first is {values[0]:g}; convert the unit"
        )
    return Series(times[good], values[good], times[~good], rows - times.size)


def _once(
    times: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the rows as often as they were written once, in the same order.

    Values that come in bursts are stamped with one time, and some of them are
    equal: these are measured, and stay. Only where every row stands there k
    times, or a multiple of it, was the recording written k times.
    """
    order = np.lexsort((values, times))
    anew = (np.diff(times[order]) != 0) | (np.diff(values[order]) != 0)
    first = np.flatnonzero(np.r_[True, anew])
    many = np.diff(np.r_[first, order.size])
    times_written = int(np.gcd.reduce(many))
    place = np.arange(order.size) - np.repeat(first, many)
    kept = np.zeros(times.size, dtype=bool)
    kept[order[place < np.repeat(many // times_written, many)]] = True
    return times[kept], values[kept]


def _label_track(
    path: Path,
    times: NDArray[np.float64],
    values: NDArray[np.float64],
    lines: NDArray[np.intp],
    duration_s: float,
) -> LabelTrack:
    bad = np.flatnonzero(~np.isin(values, _LABELS))
    if bad.size:
        raise RecordingError(
            f"{path}, line {lines[bad[0]]}: label is {values[bad[0]]:g}; "
            "expected 1 (strained), 0 (not) or -1 (not labelled)"
        )
    return LabelTrack(times, values.astype(np.int8), duration_s)


def windows(
    recording: Recording, *, site: str, agent: str, source: str, run: str, start_at: datetime
) -> Iterator[ReadingMessage]:
    """Yield the messages that an edge would send for `recording`, oldest first.

    The recording's zero is moved back to the agent's own grid, at most 5 s
    before `start_at` (UTC), so that window ``seq`` holds the rows with
    ``5 seq < t_s <= 5 (seq + 1)`` and ends at recording time ``5 (seq + 1)``;
    rows at 0 belong to the first. A last window that the recording does not
    fill is not sent, as an edge that stops does not send it either.
    """
    zero_at = window_end_until(start_at, grid_shift_ms(site, agent))
    count = int(recording.duration_s // WINDOW_S)
    gathered = _gather(recording, count)
    for seq in range(count):
        end_s = WINDOW_S * (seq + 1)
        content = Content({}, {})
        for channel in sorted(recording.channels, key=list(Channel).index):
            found = reduce_channel(channel, gathered[seq].get(channel), end_s)
            if isinstance(found, Absence):
                content.absent[channel] = found
            else:
                content.sections[channel] = found
        yield content.message(
            source=source, run=run, seq=seq, window_end_at=zero_at + WINDOW * (seq + 1)
        )


def _gather(recording: Recording, count: int) -> list[dict[Channel, Gathered]]:
    """Return what arrived in each of `count` windows."""
    gathered: list[dict[Channel, Gathered]] = [{} for _ in range(count)]
    for name, series in recording.series.items():
        signal = SIGNALS[name]
        skipped = np.full(series.skipped_t_s.size, math.nan)
        for t_s, values in ((series.t_s, series.values), (series.skipped_t_s, skipped)):
            rows = list(zip(t_s.tolist(), values.tolist(), strict=True))
            for seq, first, after in _runs(window_of(t_s)):
                if seq < count:
                    into = gathered[seq].setdefault(signal.channel, Gathered())
                    into.add_all(signal, rows[first:after])
    return gathered


def _runs(seqs: NDArray[np.intp]) -> Iterator[tuple[int, int, int]]:
    """Yield each window that rows fall into, its first row and the one after its last."""
    starts = np.flatnonzero(np.diff(seqs, prepend=-1))
    ends = np.append(starts, seqs.size)[1:]
    yield from zip(seqs[starts].tolist(), starts.tolist(), ends.tolist(), strict=True)


def write_recording(path: str | Path, rows: Iterable[tuple[float, str, float]]) -> int:
    """Write ``(t_s, signal, value)`` rows, sorted by time, and return how many.

    Raises
    ------
    RecordingError
        If a row could not be read back: unknown signal, time going back, or
        not a finite number.
    """
    path = Path(path)
    known = {*readable_names(), LABEL}
    count, newest_s = 0, 0.0
    opener = gzip.open if path.name.endswith(".gz") else open
    with opener(path, "wt", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        for t_s, name, value in rows:
            if name not in known or not math.isfinite(value) or not newest_s <= t_s < math.inf:
                raise RecordingError(
                    f"{path}, row {count + 1}: {t_s!r},{name},{value!r} cannot be recorded; "
                    "expected rising times, a known signal and a finite number"
                )
            newest_s = t_s
            writer.writerow((f"{t_s:.10g}", name, f"{value:.10g}"))
            count += 1
    return count
