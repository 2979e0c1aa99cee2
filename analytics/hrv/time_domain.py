"""Heart-rate variability in the time domain, over many windows at once.

Pure functions of arrays. A window is one row; beats run along the second
axis, oldest first; what is not there is masked, never zero. Differences are
taken only between beats that really followed one another, so a gap never
inflates RMSSD.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytics.hrv.arrays import Floats, Mask, as_rows, divide
from sensors.errors import InsufficientDataError

PNN50_MS = 50.0
"""Differences above this count for pNN50. [ms] (Task Force 1996)"""

_CHUNK_ELEMENTS = 16_384
"""Beats worked on at a time: the temporaries then stay in a core's cache."""

_CANCELLATION = 1e-6
"""Relative variance below which the one-pass formula has lost too many digits."""


@dataclass(slots=True)
class TimeDomain:
    """Time-domain figures, one per window; NaN where there are too few beats.

    Parameters
    ----------
    n_beats, n_differences : ndarray of int, shape (n_windows,)
        Beats that were used, and pairs of successive ones.
    mean_rr_ms, sdnn_ms, rmssd_ms : ndarray of float, shape (n_windows,)
        Mean, standard deviation (n - 1) and root mean square of successive
        differences of the normal-to-normal intervals. [ms]
    pnn50 : ndarray of float, shape (n_windows,)
        Share of successive differences above 50 ms. 0 to 1.
    """

    n_beats: NDArray[np.intp]
    n_differences: NDArray[np.intp]
    mean_rr_ms: Floats
    sdnn_ms: Floats
    rmssd_ms: Floats
    pnn50: Floats

    @property
    def heart_rate_bpm(self) -> Floats:
        """Mean rate, 60,000 over the mean interval, per minute."""
        return 60_000.0 / self.mean_rr_ms


def time_domain(
    rr_ms: ArrayLike, normal: Mask | None = None, follows: Mask | None = None
) -> TimeDomain:
    """Return mean, SDNN, RMSSD and pNN50 of every window.

    Parameters
    ----------
    rr_ms : array_like of float, shape (n_windows, n_beats)
        RR intervals, oldest first. [ms]
    normal : ndarray of bool, shape (n_windows, n_beats), optional
        Intervals to use, from :func:`normal_beats`. Without it all are used,
        and the windows must hold no NaN and no gap.
    follows : ndarray of bool, shape (n_windows, n_beats), optional
        Beats that follow the one before, from :func:`successive`. Without it
        neighbours that are both normal count as successive.

    Returns
    -------
    TimeDomain
        NaN for means of no beat, deviations of fewer than two beats and
        RMSSD and pNN50 of fewer than two differences.

    Notes
    -----
    Compare only windows of the same length: SDNN grows with it. [1]_

    References
    ----------
    .. [1] Task Force of the ESC and NASPE, "Heart rate variability: standards
       of measurement, physiological interpretation, and clinical use",
       Circulation, vol. 93, no. 5, pp. 1043-1065, 1996.

    Examples
    --------
    >>> round(float(time_domain([[800.0, 810.0, 790.0, 800.0]]).rmssd_ms[0]), 2)
    14.14
    """
    rr = as_rows(rr_ms)
    if normal is None:
        return _all_normal(rr)
    pairs = np.zeros(rr.shape, dtype=bool)
    pairs[:, 1:] = normal[:, 1:] & normal[:, :-1]
    if follows is not None:
        pairs &= follows
    n_beats = normal.sum(axis=1)
    n_differences = pairs.sum(axis=1)
    used = np.where(normal, rr, 0.0)
    mean = divide(used.sum(axis=1), n_beats)
    centred = np.where(normal, rr - mean[:, None], 0.0)
    squares = np.einsum("ij,ij->i", centred, centred)
    steps = np.where(pairs[:, 1:], used[:, 1:] - used[:, :-1], 0.0)
    step_squares = np.einsum("ij,ij->i", steps, steps)
    large = (np.abs(steps) > PNN50_MS).sum(axis=1)
    return _figures(n_beats, n_differences, mean, squares, step_squares, large)


def rmssd(rr_ms: ArrayLike) -> float:
    """Return the root mean square of successive RR-interval differences.

    Parameters
    ----------
    rr_ms : array_like of float, shape (n_beats,)
        RR intervals of one gap-free stretch, oldest first, with ectopic
        beats and sensor artefacts already removed. [ms]

    Returns
    -------
    float
        RMSSD of the stretch. [ms] Zero means identical intervals, which in
        practice is a stuck sensor rather than a calm agent.

    Raises
    ------
    InsufficientDataError
        If there are fewer than three intervals (two differences).
    ValueError
        If `rr_ms` is not one-dimensional, or any interval is not a finite
        number above zero.

    Examples
    --------
    >>> round(rmssd([800.0, 810.0, 790.0, 800.0]), 2)
    14.14
    """
    return float(_one(rr_ms, 3).rmssd_ms[0])


def sdnn(rr_ms: ArrayLike) -> float:
    """Return the standard deviation (n - 1) of the intervals of one stretch [ms].

    Parameters and errors as for :func:`rmssd`, from two intervals on.
    """
    return float(_one(rr_ms, 2).sdnn_ms[0])


def pnn50(rr_ms: ArrayLike) -> float:
    """Return the share (0 to 1) of successive differences above 50 ms.

    Parameters and errors as for :func:`rmssd`.
    """
    return float(_one(rr_ms, 3).pnn50[0])


def _one(rr_ms: ArrayLike, fewest: int) -> TimeDomain:
    rr = np.asarray(rr_ms, dtype=np.float64)
    if rr.ndim != 1:
        raise ValueError(f"rr_ms has {rr.ndim} dimensions; expected one")
    if not (np.isfinite(rr) & (rr > 0)).all():
        raise ValueError("every interval of rr_ms must be a finite number above zero")
    if len(rr) < fewest:
        raise InsufficientDataError(f"{len(rr)} intervals; at least {fewest} are needed")
    return _all_normal(rr[None, :])


def _all_normal(rr: Floats) -> TimeDomain:
    """Return the figures of gap-free windows, in cache-sized pieces."""
    n_windows, n = rr.shape
    sums = np.empty((4, n_windows))
    rows = max(1, _CHUNK_ELEMENTS // max(n, 1))
    steps = np.empty((rows, max(n - 1, 0)))
    large = np.zeros((rows, -(-max(n - 1, 1) // 8) * 8), dtype=bool)
    ones = np.ones(n)
    for start in range(0, n_windows, rows):
        part = rr[start : start + rows]
        out = sums[:, start : start + rows]
        k = len(part)
        np.matmul(part, ones, out=out[0])
        np.einsum("ij,ij->i", part, part, out=out[1])
        step = np.subtract(part[:, 1:], part[:, :-1], out=steps[:k])
        np.einsum("ij,ij->i", step, step, out=out[2])
        np.abs(step, out=step)
        np.greater(step, PNN50_MS, out=large[:k, : n - 1] if n > 1 else large[:k, :0])
        # Eight flags are one word: counting bits is far faster than adding bytes.
        out[3] = np.bitwise_count(large[:k].view(np.uint64)).sum(axis=1, dtype=np.int64)
    beats = np.full(n_windows, n, dtype=np.intp)
    mean = divide(sums[0], beats)
    squares = sums[1] - mean * sums[0]
    poor = np.flatnonzero(~(squares > _CANCELLATION * sums[1]))
    if poor.size:
        squares[poor] = ((rr[poor] - mean[poor, None]) ** 2).sum(axis=1)
    return _figures(beats, np.maximum(beats - 1, 0), mean, squares, sums[2], sums[3])


def _figures(  # noqa: PLR0917 - sums in the order of the fields
    n_beats: NDArray[np.intp],
    n_differences: NDArray[np.intp],
    mean: Floats,
    squares: Floats,
    step_squares: Floats,
    large: ArrayLike,
) -> TimeDomain:
    enough = np.where(n_differences >= 2, n_differences, 0)
    return TimeDomain(
        n_beats=n_beats,
        n_differences=n_differences,
        mean_rr_ms=mean,
        sdnn_ms=np.sqrt(divide(squares, np.maximum(n_beats - 1, 0))),
        rmssd_ms=np.sqrt(divide(step_squares, enough)),
        pnn50=divide(np.asarray(large, dtype=np.float64), enough),
    )
