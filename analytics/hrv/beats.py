"""Which intervals are believed: the simple rule, for windows that must be cheap."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from analytics.hrv.arrays import Floats, Mask, as_rows, refuse_seconds, row_median

LOWEST_RR_MS = 300.0
HIGHEST_RR_MS = 2000.0
"""Intervals outside 30 to 200 beats a minute are not believed at a desk. [ms]

The range that hrv-analysis takes by default.
"""

LONGEST_INTERVAL_MS = 60_000.0
"""What is longer is no interval, not even one with a gap in it, and is not looked at. [ms]

A minute without a beat: a clock that was set, a fault of a file or of its unit.
"""

LARGEST_JUMP = 0.2
"""Largest relative distance from the local median of an interval that is kept.

The 20 % rule of Malik et al. 1989, Eur. Heart J. 10:1060, taken against the
median of five neighbours instead of the one before, so that one artefact does
not condemn the sound beat after it.
"""

FOLLOWS_WITHIN_MS = 150.0
"""Two beats are successive if their times agree with the interval this well. [ms]

Headsets stamp beats on a coarse clock and deliver them in bursts; a lost beat
leaves at least 300 ms.
"""


def normal_beats(rr_ms: ArrayLike, present: Mask | None = None) -> Mask:
    """Return which intervals are believed: the simple artefact rule.

    An interval is kept if it lies in the physiological range and within 20 %
    of the median of the five intervals around it. Where a neighbour is
    missing or out of range the median of the whole window stands in.

    Parameters
    ----------
    rr_ms : array_like of float, shape (n_windows, n_beats)
        RR intervals, oldest first. NaN counts as missing. [ms]
    present : ndarray of bool, shape (n_windows, n_beats), optional
        False for padding.

    Returns
    -------
    ndarray of bool, shape (n_windows, n_beats)

    Raises
    ------
    ValueError
        If `rr_ms` is not two-dimensional, or most of it is below 3 ms: seconds.

    Examples
    --------
    >>> normal_beats([[800.0, 810.0, 400.0, 790.0, 805.0]]).tolist()
    [[True, True, False, True, True]]
    """
    rr = as_rows(rr_ms)
    believable = (rr >= LOWEST_RR_MS) & (rr <= HIGHEST_RR_MS)
    if present is not None:
        believable &= present
    refuse_seconds(rr, rr > 0)
    if not rr.shape[1]:
        return believable
    middle = row_median(rr, believable)
    filled = np.where(believable, rr, middle[:, None])
    padded = np.concatenate([np.repeat(middle[:, None], 2, 1), filled], axis=1)
    padded = np.concatenate([padded, np.repeat(middle[:, None], 2, 1)], axis=1)
    n = rr.shape[1]
    local = _median_of_five(*(padded[:, k : k + n] for k in range(5)))
    with np.errstate(invalid="ignore"):
        return believable & (np.abs(filled - local) <= LARGEST_JUMP * local)


def successive(rr_ms: ArrayLike, beat_s: ArrayLike, normal: Mask) -> Mask:
    """Return which beats directly follow the one before them.

    Parameters
    ----------
    rr_ms : array_like of float, shape (n_windows, n_beats)
        [ms]
    beat_s : array_like of float, shape (n_windows, n_beats)
        Time of the beat that ends each interval. [s]
    normal : ndarray of bool, shape (n_windows, n_beats)
        From :func:`normal_beats`; both beats of a pair must be normal.

    Returns
    -------
    ndarray of bool, shape (n_windows, n_beats)
        False in the first column.
    """
    rr, at = as_rows(rr_ms), as_rows(beat_s)
    found = np.zeros(rr.shape, dtype=bool)
    with np.errstate(invalid="ignore"):
        off_ms = np.abs((at[:, 1:] - at[:, :-1]) * 1000.0 - rr[:, 1:])
        found[:, 1:] = normal[:, 1:] & normal[:, :-1] & (off_ms <= FOLLOWS_WITHIN_MS)
    return found


def _median_of_five(a: Floats, b: Floats, c: Floats, d: Floats, e: Floats) -> Floats:
    """Return the elementwise median; NaN anywhere gives NaN."""
    # After ordering the pairs, the least and the greatest of four cannot be it.
    low = np.maximum(np.minimum(a, b), np.minimum(c, d))
    high = np.minimum(np.maximum(a, b), np.maximum(c, d))
    return np.maximum(np.minimum(low, high), np.minimum(np.maximum(low, high), e))
