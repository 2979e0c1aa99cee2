"""From beats to an evenly sampled series: natural cubic splines, many windows at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from analytics.hrv.arrays import Counts, Floats, Mask


@dataclass(slots=True)
class Even:
    """Evenly sampled windows, NaN behind the end of each.

    Parameters
    ----------
    values : ndarray of float, shape (n_windows, n_samples)
        Intervals as a function of time, from the first beat used on. [ms]
    count : ndarray of int, shape (n_windows,)
        Samples of each window; 0 where there are too few beats.
    longest_hole_s : ndarray of float, shape (n_windows,)
        Longest time between two beats that were used. [s]
    """

    values: Floats
    count: Counts
    longest_hole_s: Floats


_FEWEST = 4  # beats under a cubic
_ROUNDING = 1e-9  # of a sample: a beat that falls on one


def resample(rr_ms: Floats, beat_s: Floats, used: Mask, rate_hz: float) -> Even:
    """Return the intervals of every window on an even grid.

    A cubic spline, because a straight line between beats takes a quarter of
    the amplitude from breathing at 0.3 Hz at 60 beats a minute.

    Parameters
    ----------
    rr_ms, beat_s : ndarray of float, shape (n_windows, n_beats)
        Intervals [ms] and when they end [s]. A window whose times do not
        rise gives no samples.
    used : ndarray of bool, shape (n_windows, n_beats)
        Beats that the curve goes through.
    rate_hz : float
        [Hz]

    Returns
    -------
    Even
    """
    n_windows = len(rr_ms)
    n = used.sum(axis=1)
    width = max(int(n.max(initial=0)), 1)
    at, y = np.zeros((n_windows, width)), np.zeros((n_windows, width))
    row, column = np.nonzero(used)
    place = np.arange(len(row)) - np.repeat(np.cumsum(n) - n, n)
    first = np.where(n > 0, beat_s[np.arange(n_windows), used.argmax(axis=1)], 0.0)
    at[row, place] = beat_s[row, column] - first[row]
    y[row, place] = rr_ms[row, column]
    there = np.arange(width) < n[:, None]
    gap = np.where(there[:, 1:], np.diff(at, axis=1), 1.0)  # 1: padding, solved and not used
    last = at[np.arange(n_windows), np.maximum(n - 1, 0)]
    rises = (gap > 0).all(axis=1)
    gap = np.where(gap > 0, gap, 1.0)
    count = np.where(
        (n >= _FEWEST) & rises, np.floor(last * rate_hz + _ROUNDING).astype(np.intp) + 1, 0
    )
    bend = _second_derivatives(gap, y, n)
    return Even(
        _evaluate(at, y, bend, n, count, rate_hz),
        count,
        np.where(there[:, 1:], gap, 0.0).max(axis=1, initial=0.0),
    )


def _second_derivatives(gap: Floats, y: Floats, n: Counts) -> Floats:
    """Solve the tridiagonal system of natural splines, one beat of all windows at a time."""
    bend = np.zeros(y.shape)
    width = y.shape[1]
    if width < 3:
        return bend
    inner = np.arange(1, width - 1) < n[:, None] - 1
    slope = np.diff(y, axis=1) / gap
    right = np.where(inner, 6.0 * np.diff(slope, axis=1), 0.0)
    below = np.where(inner, gap[:, :-1], 0.0)
    above = np.where(inner, gap[:, 1:], 0.0)
    diagonal = np.where(inner, 2.0 * (gap[:, :-1] + gap[:, 1:]), 1.0)
    # Beats first, so that each step of the recursion reads one line of memory.
    system = [np.ascontiguousarray(a.T) for a in (below, above, diagonal, right)]
    if len(y) == 1:  # one window: plain numbers are ten times as fast as arrays of one
        solved = _eliminated(*(a.ravel().tolist() for a in system))
    else:
        solved = _eliminated(*system)
    bend[:, 1:-1] = np.asarray(solved).T
    return bend


def _eliminated(below: Any, above: Any, diagonal: Any, right: Any) -> Any:
    """Return the solution of a tridiagonal system, whose entries may be arrays; uses it up."""
    for k in range(1, len(right)):
        share = below[k] / diagonal[k - 1]
        diagonal[k] -= share * above[k - 1]
        right[k] -= share * right[k - 1]
    right[-1] /= diagonal[-1]
    for k in range(len(right) - 2, -1, -1):
        right[k] = (right[k] - above[k] * right[k + 1]) / diagonal[k]
    return right


def _evaluate(  # noqa: PLR0917 - knots, values, curvature and how many there are
    at: Floats, y: Floats, bend: Floats, n: Counts, count: Counts, rate_hz: float
) -> Floats:
    """Return the samples of every window: each piece's cubic, repeated over its samples."""
    values = np.full((len(at), int(count.max(initial=0))), np.nan)
    pieces = np.where(count > 0, n - 1, 0)
    row, k = np.nonzero(np.arange(at.shape[1]) < pieces[:, None])
    start, end = at[row, k], at[row, k + 1]
    first = _sample_at(start, rate_hz)
    samples = np.where(k == pieces[row] - 1, count[row], _sample_at(end, rate_hz)) - first
    gap = end - start
    now, then = bend[row, k], bend[row, k + 1]
    slope = (y[row, k + 1] - y[row, k]) / gap - gap * (2.0 * now + then) / 6.0
    there = np.arange(values.shape[1]) < count[:, None]
    number = np.broadcast_to(np.arange(values.shape[1]), values.shape)[there]
    since = number / rate_hz - np.repeat(start, samples)
    found = np.repeat((then - now) / (6.0 * gap), samples)
    for term in (0.5 * now, slope, y[row, k]):
        found *= since
        found += np.repeat(term, samples)
    values[there] = found
    return values


def _sample_at(at_s: Floats, rate_hz: float) -> Counts:
    """Return the number of the first sample at or after each time."""
    return np.ceil(at_s * rate_hz - _ROUNDING).astype(np.intp)
