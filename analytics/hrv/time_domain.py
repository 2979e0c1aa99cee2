"""Heart-rate variability in the time domain, over many windows at once.

Pure functions of arrays. A window is one row; beats run along the second
axis, oldest first; what is not there is masked, never zero. Differences are
taken only between beats that really followed one another, so a gap never
inflates RMSSD.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from analytics.hrv.arrays import (
    IN_SECONDS,
    LEAST_MEDIAN_MS,
    Counts,
    Floats,
    Mask,
    aligned,
    as_rows,
    divide,
)
from analytics.hrv.beats import LONGEST_INTERVAL_MS
from sensors.errors import InsufficientDataError

PNN50_MS = 50.0
"""Differences above this count for pNN50. [ms] (Task Force 1996)"""

_CHUNK_ELEMENTS = 32_768
"""Beats worked on at a time: the temporaries then stay in a core's cache."""

_CANCELLATION = 1e-6
"""Relative size below which a difference of sums of squares has lost too many digits."""

_ROOT_TWO = 2.0**0.5


@dataclass(slots=True)
class TimeDomain:
    """Time-domain figures, one per window; NaN where there are too few beats.

    Parameters
    ----------
    n_beats, n_differences : ndarray of int, shape (n_windows,)
        Beats that were used, and pairs of successive ones.
    mean_rr_ms, sdnn_ms : ndarray of float, shape (n_windows,)
        Mean and standard deviation (n - 1) of the normal-to-normal intervals. [ms]
    rmssd_ms, sdsd_ms : ndarray of float, shape (n_windows,)
        Root mean square and standard deviation (n - 1) of their successive
        differences. [ms]
    pnn50 : ndarray of float, shape (n_windows,)
        Share of successive differences above 50 ms. 0 to 1.
    sd1_ms, sd2_ms : ndarray of float, shape (n_windows,)
        Standard deviation (n - 1) across and along the identity line of the
        Poincaré plot, each interval against the one before. [ms]
    """

    n_beats: Counts
    n_differences: Counts
    mean_rr_ms: Floats
    sdnn_ms: Floats
    rmssd_ms: Floats
    sdsd_ms: Floats
    pnn50: Floats
    sd1_ms: Floats
    sd2_ms: Floats

    @property
    def heart_rate_bpm(self) -> Floats:
        """Mean rate, 60,000 over the mean interval, per minute."""
        return 60_000.0 / self.mean_rr_ms

    @property
    def nn50(self) -> Counts:
        """Differences above 50 ms; over `n_beats` it is the Task Force's pNN50."""
        return np.rint(np.nan_to_num(self.pnn50) * self.n_differences).astype(np.intp)


@dataclass(slots=True)
class _Sums:
    """What every figure follows from; sums of one value per window."""

    n_beats: Counts
    n_differences: Counts
    mean: Floats
    squares: Floats  # of distances from the mean
    step_squares: Floats
    step_spread: Floats  # squares of steps from their own mean
    large: Floats
    pair_spread: Floats  # squares of both beats of each pair added, from their mean


def time_domain(
    rr_ms: ArrayLike, normal: Mask | None = None, follows: Mask | None = None
) -> TimeDomain:
    """Return mean, SDNN, RMSSD, SDSD, pNN50, SD1 and SD2 of every window.

    Parameters
    ----------
    rr_ms : array_like of float, shape (n_windows, n_beats)
        RR intervals, oldest first. [ms]
    normal : ndarray of bool, shape (n_windows, n_beats), optional
        Intervals to use, from :func:`normal_beats` or
        :attr:`Corrected.normal`. Without it all are used, and the windows
        must hold no NaN and no gap.
    follows : ndarray of bool, shape (n_windows, n_beats), optional
        Beats that follow the one before, from :func:`successive` or
        :attr:`Corrected.follows`. Without it neighbours that are both normal
        count as successive.

    Returns
    -------
    TimeDomain
        NaN for means of no beat, deviations of fewer than two beats and
        figures of differences for fewer than two of them.

    Raises
    ------
    ValueError
        If `rr_ms` is not two-dimensional, or the mean of every window is below
        3 ms: they are seconds.

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
        return _figures(_all_normal(rr))
    pairs = np.zeros(rr.shape, dtype=bool)
    pairs[:, 1:] = normal[:, 1:] & normal[:, :-1]
    if follows is not None:
        pairs &= follows
    return _figures(_some_normal(rr, normal, pairs))


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
        If `rr_ms` is not one-dimensional, any interval is not a number above
        zero and up to a minute, or their mean is below 3 ms: they are seconds.

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
    if not ((rr > 0) & (rr <= LONGEST_INTERVAL_MS)).all():
        raise ValueError(
            "every interval of rr_ms must be a number of milliseconds above zero "
            f"and up to {LONGEST_INTERVAL_MS:g}"
        )
    if len(rr) < fewest:
        raise InsufficientDataError(f"{len(rr)} intervals; at least {fewest} are needed")
    return _figures(_all_normal(rr[None, :]))


def _some_normal(rr: Floats, normal: Mask, pairs: Mask) -> _Sums:
    """Return the sums of windows with gaps."""
    n_beats = normal.sum(axis=1)
    mean = divide(np.where(normal, rr, 0.0).sum(axis=1), n_beats)
    centred = np.where(normal, rr - mean[:, None], 0.0)
    joined = pairs[:, 1:]
    n_differences = joined.sum(axis=1)
    steps = np.where(joined, centred[:, 1:] - centred[:, :-1], 0.0)
    added = centred[:, 1:] + centred[:, :-1]
    return _Sums(
        n_beats=n_beats,
        n_differences=n_differences,
        mean=mean,
        squares=np.vecdot(centred, centred),
        step_squares=np.vecdot(steps, steps),
        step_spread=_spread(steps, joined, n_differences),
        large=(np.abs(steps) > PNN50_MS).sum(axis=1, dtype=np.float64),
        pair_spread=_spread(added, joined, n_differences),
    )


def _spread(values: Floats, used: Mask, n: Counts) -> Floats:
    """Return the squares of the used values from their mean, added up."""
    mean = np.where(used, values, 0.0).sum(axis=1) / np.maximum(n, 1)
    apart = np.where(used, values - mean[:, None], 0.0)
    return np.asarray(np.vecdot(apart, apart), dtype=np.float64)


def _all_normal(rr: Floats) -> _Sums:
    """Return the sums of gap-free windows, in one pass over cache-sized pieces."""
    n_windows, n = rr.shape
    if n < 2:
        return _some_normal(rr, np.ones(rr.shape, bool), np.zeros(rr.shape, bool))
    totals, squares, step_squares, large, first, last = np.empty((6, n_windows))
    rows = max(1, _CHUNK_ELEMENTS // n)
    ones, room = np.ones(n), aligned(rows * n).reshape(rows, n)
    flags, kind = np.empty((rows, n), bool), np.min_scalar_type(n)
    for start in range(0, n_windows, rows):
        at = slice(start, start + rows)
        part = np.ascontiguousarray(rr[at])
        np.matmul(part, ones, out=totals[at])
        np.vecdot(part, part, out=squares[at])
        first[at], last[at] = part[:, 0], part[:, -1]  # while they are at hand
        # In one line over all rows: strided rows take seven times as long. The
        # step from one window to the next stands last in its row and is cleared.
        line, step = part.ravel(), room[: len(part)]
        np.subtract(line[1:], line[:-1], out=step.ravel()[:-1])
        step[:, -1] = 0.0
        np.multiply(step, step, out=step)
        np.matmul(step, ones, out=step_squares[at])
        is_large = np.greater(step, PNN50_MS**2, out=flags[: len(part)])
        # Counted in the smallest numbers that can hold it: several times as fast.
        large[at] = np.add.reduce(is_large.view(np.uint8), axis=1, dtype=kind)
    n_beats = np.full(n_windows, n, dtype=np.intp)
    mean = totals / n
    raw = squares.copy()
    squares -= mean * totals
    first -= mean
    last -= mean
    # (a + b)^2 = 2 a^2 + 2 b^2 - (a - b)^2, where all but the ends stand in two pairs,
    # and the distances from the mean add up to zero.
    pair_squares = 4.0 * squares - 2.0 * (first**2 + last**2) - step_squares
    sums = _Sums(
        n_beats=n_beats,
        n_differences=n_beats - 1,
        mean=mean,
        squares=squares,
        step_squares=step_squares,
        step_spread=step_squares - (last - first) ** 2 / (n - 1),
        large=large,
        pair_spread=pair_squares - (first + last) ** 2 / (n - 1),
    )
    poor = ~(squares > _CANCELLATION * raw) | ~(sums.step_spread > _CANCELLATION * step_squares)
    poor |= ~(sums.pair_spread > _CANCELLATION * squares)
    _again(sums, rr, np.flatnonzero(poor))
    return sums


def _again(sums: _Sums, rr: Floats, rows: Counts) -> None:
    """Compute rows anew in two passes: one has lost too many digits."""
    if not rows.size:
        return
    every = np.ones((rows.size, rr.shape[1]), dtype=bool)
    better = _some_normal(rr[rows], every, every)
    for name in ("squares", "step_spread", "pair_spread"):
        getattr(sums, name)[rows] = getattr(better, name)


def _figures(sums: _Sums) -> TimeDomain:
    if np.fmax.reduce(sums.mean, initial=np.nan) < LEAST_MEDIAN_MS:
        raise ValueError(IN_SECONDS)
    pairs = np.where(sums.n_differences >= 2, sums.n_differences, 0)
    fewer = np.maximum(pairs - 1, 0)
    sdsd = np.sqrt(divide(sums.step_spread, fewer))
    return TimeDomain(
        n_beats=sums.n_beats,
        n_differences=sums.n_differences,
        mean_rr_ms=sums.mean,
        sdnn_ms=np.sqrt(divide(sums.squares, np.maximum(sums.n_beats - 1, 0))),
        rmssd_ms=np.sqrt(divide(sums.step_squares, pairs)),
        sdsd_ms=sdsd,
        pnn50=divide(sums.large, pairs),
        sd1_ms=sdsd / _ROOT_TWO,
        sd2_ms=np.sqrt(divide(sums.pair_spread, fewer)) / _ROOT_TWO,
    )
