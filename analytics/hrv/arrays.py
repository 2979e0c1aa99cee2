"""What the other files of this package share: rows of beats and their medians."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytics.memory import keep_memory

keep_memory()

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Counts = NDArray[np.intp]


_LINE_BYTES = 64


def aligned(n: int) -> Floats:
    """Return room for `n` numbers that begins with a line of the cache.

    Work that is written elsewhere splits every store over two lines, which takes
    up to three times as long.
    """
    room = np.empty(n * 8 + _LINE_BYTES, np.uint8)
    begin = -room.ctypes.data % _LINE_BYTES
    return room[begin : begin + n * 8].view(np.float64)


def as_rows(values: ArrayLike) -> Floats:
    """Return `values` as float64, shape (n_windows, n_beats).

    Raises
    ------
    ValueError
        If they are not two-dimensional.
    """
    rows = np.asarray(values, dtype=np.float64)
    if rows.ndim != 2:
        raise ValueError(f"expected an array (n_windows, n_beats), got {rows.ndim} dimensions")
    return rows


LEAST_MEDIAN_MS = 3.0
"""Intervals whose median lies below are seconds: 3 s is longer than any pause of a
living heart, 3 ms shorter than any interval. [ms]"""


IN_SECONDS = (
    f"intervals of rr_ms are mostly below {LEAST_MEDIAN_MS:g} ms, as if they were in seconds; "
    "expected milliseconds: multiply them by 1000"
)


def refuse_seconds(rr_ms: Floats, there: Mask) -> None:
    """Refuse intervals that are given in seconds, of those that are `there`; none pass.

    Raises
    ------
    ValueError
        If most of them are below 3.
    """
    with np.errstate(invalid="ignore"):
        small = there & (rr_ms < LEAST_MEDIAN_MS)
    if 2 * np.count_nonzero(small) > np.count_nonzero(there):
        raise ValueError(IN_SECONDS)


def row_median(rr: Floats, present: Mask) -> Floats:
    """Return the median of the present intervals of each row; NaN of none."""
    if not rr.shape[1]:
        return np.full(len(rr), np.nan)
    ordered = np.sort(np.where(present, rr, np.inf), axis=1)
    n = present.sum(axis=1)
    rows = np.arange(len(rr))
    low = ordered[rows, np.maximum(n - 1, 0) // 2]
    high = ordered[rows, np.minimum(n // 2, rr.shape[1] - 1)]
    with np.errstate(invalid="ignore"):
        return np.where(n > 0, 0.5 * (low + high), np.nan)


def divide(total: Floats, count: NDArray[np.intp]) -> Floats:
    """Return total over count; NaN where the count is zero."""
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
