"""Rows of beats without holes, and what stands around each beat: what the artefact rules read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytics.hrv.arrays import Counts, Floats, Mask, as_rows, row_median
from analytics.hrv.beats import FOLLOWS_WITHIN_MS

_REACH = 5  # neighbours on either side whose median says what is usual
_FEWEST_NEIGHBOURS = 3


@dataclass(slots=True)
class Series:
    """Beats without holes; `joined` says that one follows the one before."""

    rr: Floats
    at_s: Floats
    joined: Mask
    measured: Mask


def without_holes(rr: Floats, present: Mask | None, beat_s: ArrayLike | None) -> Series:
    """Return windows with what is missing taken out and remembered as a gap.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    with np.errstate(invalid="ignore"):
        there = np.isfinite(rr) & (rr > 0)
    if present is not None:
        if present.shape != rr.shape:
            raise ValueError(f"present has shape {present.shape}, rr_ms {rr.shape}; expected one")
        there &= present
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
    n_windows = len(series.rr)
    times = copies.ravel()[np.flatnonzero(copies)]
    source = np.repeat(np.flatnonzero(copies), times)
    times = np.repeat(times, times)
    total = copies.sum(axis=1)
    number = np.arange(len(source)) - np.repeat(np.cumsum(total) - total, total)
    row = np.repeat(np.arange(n_windows), total)
    first = np.ones(len(source), dtype=bool)
    first[1:] = source[1:] != source[:-1]
    part = np.arange(len(source)) - np.maximum.accumulate(
        np.where(first, np.arange(len(source)), 0)
    )
    width = int(total.max(initial=1))
    made = Series(
        np.full((n_windows, width), np.nan),
        np.full((n_windows, width), np.nan),
        np.zeros((n_windows, width), dtype=bool),
        np.zeros((n_windows, width), dtype=bool),
    )
    share = series.rr.ravel()[source] / times
    made.rr[row, number] = share
    made.at_s[row, number] = series.at_s.ravel()[source] - (times - 1 - part) * share / 1000.0
    made.joined[row, number] = np.where(first, series.joined.ravel()[source], True)
    made.measured[row, number] = series.measured.ravel()[source] & (times == 1)
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
    rr = np.pad(series.rr, ((0, 0), (_REACH, _REACH + 2)), constant_values=np.nan)
    joined = np.pad(series.joined, ((0, 0), (_REACH, _REACH + 2)))
    at = column + _REACH
    around = np.concatenate([np.arange(-_REACH, 0), np.arange(wide, wide + _REACH)])
    neighbours = rr[row[:, None], at[:, None] + around]
    known = np.isfinite(neighbours)
    usual = row_median(neighbours, known)
    usual[known.sum(axis=1) < _FEWEST_NEIGHBOURS] = np.nan
    after = np.where(joined[row, at + 1], rr[row, at + 1], np.nan)
    later = np.where(joined[row, at + 1] & joined[row, at + 2], rr[row, at + 2], np.nan)
    before = np.where(joined[row, at], rr[row, at - 1], np.nan)
    earlier = np.where(joined[row, at] & joined[row, at - 1], rr[row, at - 2], np.nan)
    return Places(row, column, rr[row, at], earlier, before, after, later, usual)


def beside(series: Series) -> tuple[Floats, Floats]:
    """Return the interval before and after each; NaN at the ends."""
    before, after = np.full_like(series.rr, np.nan), np.full_like(series.rr, np.nan)
    before[:, 1:] = series.rr[:, :-1]
    after[:, :-1] = series.rr[:, 1:]
    return before, after
