"""Sample entropy and Baevsky index of many windows at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytics.hrv.arrays import Floats, Mask, as_rows, divide

Ranks = NDArray[np.uint16]

TEMPLATE = 2
"""Intervals in a template of sample entropy. (Richman & Moorman 2000)"""

TOLERANCE = 0.2
"""How near templates must be, in standard deviations of the window. (ibid.)"""

BAEVSKY_BIN_MS = 50.0
"""Width of a histogram bin of the Baevsky index; bins begin at multiples of it. [ms]"""

_MOST_BINS = 120  # to 6 s; nothing that beats is slower


def sample_entropy(
    rr_ms: ArrayLike, normal: Mask | None = None, follows: Mask | None = None
) -> Floats:
    """Return the sample entropy of every window (m = 2, r = 0.2 SDNN).

    Minus the logarithm of the probability that stretches of two intervals
    that are alike stay alike with the next one. [1]_ Templates that a gap or
    an artefact interrupts are left out.

    Parameters
    ----------
    rr_ms, normal, follows
        As for :func:`time_domain`.

    Returns
    -------
    ndarray of float, shape (n_windows,)
        NaN where no two templates of two, or of three, are alike: the
        entropy is then not known, and not infinite.

    Notes
    -----
    Needs some 200 beats to be steady (ours); windows of less than 100 give
    much noise. Compare only windows of the same length.

    References
    ----------
    .. [1] J. S. Richman, J. R. Moorman, "Physiological time-series analysis
       using approximate entropy and sample entropy", Am. J. Physiol. Heart
       Circ. Physiol., vol. 278, no. 6, pp. H2039-H2049, 2000.
    """
    rr = as_rows(rr_ms)
    if rr.shape[1] <= TEMPLATE:
        return np.full(len(rr), np.nan)
    good = np.ones(rr.shape, dtype=bool) if normal is None else normal
    joined = np.zeros(rr.shape, dtype=bool)
    joined[:, 1:] = good[:, 1:] & good[:, :-1]
    if follows is not None:
        joined &= follows
    count = good.sum(axis=1)
    mean = divide(np.where(good, rr, 0.0).sum(axis=1), count)
    centred = np.where(good, rr - mean[:, None], 0.0)
    spread = np.sqrt(divide(np.vecdot(centred, centred), np.maximum(count - 1, 0)))
    whole = np.zeros(rr.shape, dtype=bool)  # a template and its next interval begin here
    whole[:, :-TEMPLATE] = joined[:, 1:-1] & joined[:, 2:]
    # Behind the last beat of the last template there is nothing to compare.
    ends = np.where(whole.any(axis=1), rr.shape[1] - np.argmax(whole[:, ::-1], axis=1), 0)
    alike = [
        _alike(x[: end + TEMPLATE], begins[: end + TEMPLATE], TOLERANCE * r)
        for x, begins, end, r in zip(centred, whole, ends.tolist(), spread.tolist(), strict=True)
    ]
    pairs, triples = np.array(alike, dtype=np.float64).reshape(-1, 2).T
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((pairs > 0) & (triples > 0), -np.log(triples / pairs), np.nan)


def _alike(x: Floats, whole: Mask, tolerance: float) -> tuple[int, int]:
    """Return how many pairs of templates of two, and of three, are within `tolerance`.

    Values are compared by rank, in two bytes. The pairs of one row lie equally
    far apart, the wheel closed behind the last, so that each pair is there once
    and what follows a pair stands beside it.
    """
    n = len(x)
    if not whole.any():
        return 0, 0
    rank, low, span = _reach(x, tolerance)
    half = n // 2
    near = np.less(_turned(rank, half) - low, span)  # below `low` the difference wraps
    both = _turned(whole, half) & whole
    if n % 2 == 0:
        both[-1, half:] = False  # the last row holds each of its pairs twice
    # The last of a row has the next row's first beside it: no template begins there.
    line, both = near.ravel(), both.ravel()[:-2]
    both &= line[:-2]
    both &= line[1:-1]
    two = int(np.count_nonzero(both))
    both &= line[2:]
    return two, int(np.count_nonzero(both))


def _reach(x: Floats, tolerance: float) -> tuple[Ranks, Ranks, Ranks]:
    """Return the rank of each value, the least within `tolerance` of it, and how many are."""
    n = len(x)
    order = np.argsort(x)
    rising = x[order]
    rank, low, span = np.empty((3, n), dtype=np.uint16)
    rank[order] = np.arange(n, dtype=np.uint16)
    # Asked in rising order: several times as fast as in the order of the beats.
    first = np.searchsorted(rising, rising - tolerance, side="left")
    low[order] = first
    span[order] = np.searchsorted(rising, rising + tolerance, side="right") - first
    return rank, low, span


def _turned(values: NDArray[Any], half: int) -> NDArray[Any]:
    """Return rows of `values` turned on by 1 to `half`, as a view."""
    n, wheel = len(values), np.concatenate([values, values[:half]])
    step = wheel.itemsize
    return np.ndarray((half, n), wheel.dtype, wheel, offset=step, strides=(step, step))


def baevsky_index(rr_ms: ArrayLike, normal: Mask | None = None) -> Floats:
    """Return the Baevsky index of every window [1/s^2].

    ``AMo / (2 Mo MxDMn)``: the share of intervals in the fullest 50 ms bin in
    per cent, over twice that bin's middle times the range of the intervals,
    both in seconds. [1]_ Bins begin at multiples of 50 ms, so that the same
    intervals always give the same figure; of bins equally full the fastest
    counts.

    Parameters
    ----------
    rr_ms : array_like of float, shape (n_windows, n_beats)
        RR intervals. [ms]
    normal : ndarray of bool, shape (n_windows, n_beats), optional
        Intervals to use; artefacts in the range spoil the figure.

    Returns
    -------
    ndarray of float, shape (n_windows,)
        NaN for fewer than two intervals or where all are the same.

    References
    ----------
    .. [1] R. M. Baevsky, A. G. Chernikova, "Heart rate variability analysis:
       physiological foundations and main methods", Cardiometry, no. 10,
       pp. 66-76, 2017.
    """
    rr = as_rows(rr_ms)
    n_windows = len(rr)
    good = np.ones(rr.shape, dtype=bool) if normal is None else normal
    row, column = np.nonzero(good)
    number = np.clip((rr[row, column] // BAEVSKY_BIN_MS).astype(np.intp), 0, _MOST_BINS - 1)
    bins = np.bincount(row * _MOST_BINS + number, minlength=n_windows * _MOST_BINS)
    bins = bins.reshape(n_windows, _MOST_BINS)
    share = 100.0 * divide(bins.max(axis=1).astype(np.float64), good.sum(axis=1))
    mode_s = (bins.argmax(axis=1) + 0.5) * BAEVSKY_BIN_MS / 1000.0
    highest = np.where(good, rr, -np.inf).max(axis=1, initial=-np.inf)
    lowest = np.where(good, rr, np.inf).min(axis=1, initial=np.inf)
    range_s = (highest - lowest) / 1000.0
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(range_s > 0, share / (2.0 * mode_s * range_s), np.nan)
