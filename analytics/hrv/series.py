"""Rows of beats without holes, and what stands around each beat: what the artefact rules read."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytics.hrv.arrays import Counts, Floats, Mask, as_rows, refuse_seconds, row_median
from analytics.hrv.beats import FOLLOWS_WITHIN_MS, LONGEST_INTERVAL_MS

_REACH = 5  # neighbours on either side whose median says what is usual
_FEWEST_NEIGHBOURS = 3


@dataclass(slots=True)
class Series:
    """Beats without holes; `joined` says that one follows the one before."""

    rr: Floats
    at_s: Floats
    joined: Mask
    measured: Mask

    def take(self, rows: NDArray[np.intp]) -> Series:
        """Return a copy of some windows."""
        return Series(self.rr[rows], self.at_s[rows], self.joined[rows], self.measured[rows])

    def put(self, rows: NDArray[np.intp], part: Series) -> Series:
        """Return the windows with `part` instead of `rows`, as wide as the longest needs.

        Most windows hold nothing to join or divide: moving all would be most of the work.
        """
        others = np.isfinite(self.rr)
        others[rows] = False
        longest = int(others.sum(axis=1).max(initial=1))
        width = max(longest, part.rr.shape[1])
        return Series(
            _replaced(self.rr, rows, part.rr, width),
            _replaced(self.at_s, rows, part.at_s, width),
            _replaced(self.joined, rows, part.joined, width),
            _replaced(self.measured, rows, part.measured, width),
        )


def _replaced(values: Any, rows: NDArray[np.intp], part: Any, width: int) -> Any:
    """Return `values` with `part` instead of `rows`; NaN or false where neither reaches."""
    made = np.full((len(values), width), _blank(values), dtype=values.dtype)
    kept = min(width, values.shape[1])
    made[:, :kept] = values[:, :kept]
    made[rows, : part.shape[1]] = part
    made[rows, part.shape[1] :] = _blank(values)
    return made


def _blank(values: Any) -> float | bool:
    return math.nan if values.dtype.kind == "f" else False


def without_holes(rr: Floats, present: Mask | None, beat_s: ArrayLike | None) -> Series:
    """Return windows with what is missing taken out and remembered as a gap.

    Raises
    ------
    ValueError
        If the shapes differ, or the intervals are in seconds.
    """
    with np.errstate(invalid="ignore"):
        there = (rr > 0) & (rr <= LONGEST_INTERVAL_MS)
    if present is not None:
        if present.shape != rr.shape:
            raise ValueError(f"present has shape {present.shape}, rr_ms {rr.shape}; expected one")
        there &= present
    refuse_seconds(rr, there)
    if beat_s is None:
        # The length of a hole is not known; an interval of the usual length stands in.
        at_s = np.cumsum(np.where(there, rr, row_median(rr, there)[:, None]), axis=1) / 1000.0
    else:
        at_s = as_rows(beat_s)
        if at_s.shape != rr.shape:
            raise ValueError(f"beat_s has shape {at_s.shape}, rr_ms {rr.shape}; expected one")
    joined = np.zeros(rr.shape, dtype=bool)
    with np.errstate(invalid="ignore"):
        off_ms = np.abs((at_s[:, 1:] - at_s[:, :-1]) * 1000.0 - rr[:, 1:])
        joined[:, 1:] = there[:, 1:] & there[:, :-1] & (off_ms <= FOLLOWS_WITHIN_MS)
    return repeat(Series(rr, at_s, joined, there), there.astype(np.intp))


def repeat(series: Series, copies: Counts) -> Series:
    """Return the series with every interval taken 0, 1 or more times, moved up to the left."""
    source = np.flatnonzero(copies)
    times = copies.ravel()[source]
    total = copies.sum(axis=1)
    shape = len(total), int(total.max(initial=1))
    place = np.flatnonzero(np.arange(shape[1]) < total[:, None])
    many = np.flatnonzero(times > 1)
    index = np.repeat(source, times) if many.size else source
    rr, at_s = series.rr.ravel()[index], series.at_s.ravel()[index]
    joined, measured = series.joined.ravel()[index], series.measured.ravel()[index]
    if many.size:  # few are: only they are touched
        copied = times[many]
        first = (np.cumsum(times) - times)[many]
        # Which of its copies each is: 0 for the first, which follows what all of it followed.
        part = np.arange(copied.sum()) - np.repeat(np.cumsum(copied) - copied, copied)
        copied, at = np.repeat(copied, copied), np.repeat(first, copied) + part
        rr[at] /= copied
        at_s[at] -= (copied - 1 - part) * rr[at] / 1000.0
        joined[at] |= part > 0
        measured[at] = False
    return Series(*(_placed(v, place, shape) for v in (rr, at_s, joined, measured)))


def _placed(values: Any, place: NDArray[np.intp], shape: tuple[int, int]) -> Any:
    """Return `values` row after row where `place` says; NaN or false elsewhere."""
    made = np.full(shape, _blank(values), dtype=values.dtype)
    made.ravel()[place] = values
    return made


@dataclass(slots=True)
class Places:
    """Candidates, and what stands around each: NaN where nothing joins."""

    row: NDArray[np.intp]
    column: NDArray[np.intp]
    here: Floats
    earlier: Floats  # the one before the one before
    before: Floats
    after: Floats
    later: Floats
    usual: Floats  # median of the neighbours


def places(series: Series, candidate: Mask, wide: int) -> Places:
    """Gather what stands around candidates that are `wide` intervals long."""
    row, column = np.nonzero(candidate)
    rr, joined = series.rr, series.joined
    last = rr.shape[1] - 1
    around = np.concatenate([np.arange(-_REACH, 0), np.arange(wide, wide + _REACH)])
    at = column[:, None] + around
    neighbours = rr[row[:, None], np.clip(at, 0, last)]
    known = np.isfinite(neighbours) & (at >= 0) & (at <= last)
    usual = row_median(neighbours, known)
    usual[known.sum(axis=1) < _FEWEST_NEIGHBOURS] = np.nan
    one, two = np.minimum(column + 1, last), np.minimum(column + 2, last)
    back, far_back = np.maximum(column - 1, 0), np.maximum(column - 2, 0)
    follows = joined[row, one] & (one > column)
    follows_on = follows & joined[row, two] & (two > one)
    led, led_on = joined[row, column], joined[row, column] & joined[row, back]
    return Places(
        row=row,
        column=column,
        here=rr[row, column],
        earlier=np.where(led_on, rr[row, far_back], np.nan),
        before=np.where(led, rr[row, back], np.nan),
        after=np.where(follows, rr[row, one], np.nan),
        later=np.where(follows_on, rr[row, two], np.nan),
        usual=usual,
    )


def beside(series: Series) -> tuple[Floats, Floats]:
    """Return the interval before and after each; NaN at the ends."""
    before, after = np.full_like(series.rr, np.nan), np.full_like(series.rr, np.nan)
    before[:, 1:] = series.rr[:, :-1]
    after[:, :-1] = series.rr[:, 1:]
    return before, after
