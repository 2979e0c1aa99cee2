"""Every figure of every window in one call: correct, then count, with what it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from analytics.hrv.arrays import Counts, Floats, Mask, as_rows, divide
from analytics.hrv.artefacts import correct
from analytics.hrv.corrected import Corrected
from analytics.hrv.frequency import HF_HZ, LF_HZ, VLF_HZ, Spectra, lomb_scargle, welch
from analytics.hrv.nonlinear import baevsky_index, sample_entropy
from analytics.hrv.time_domain import TimeDomain, time_domain

LEAST_VLF_S, LEAST_LF_S, LEAST_HF_S = 270.0, 108.0, 54.0
"""Beats must span this much for a band to be told. [s]

Two minutes for LF and one for HF (Task Force 1996), five for VLF, which is one
wave of its lower edge and means little; less a tenth, because the first and the
last beat of a window lie within it.
"""

_ROWS = 128  # windows worked on at a time: memory stays bounded, temporaries small


@dataclass(slots=True)
class Powers:
    """Power by band, one per window; NaN where a window is too short to tell.

    Parameters
    ----------
    vlf_ms2, lf_ms2, hf_ms2 : ndarray of float, shape (n_windows,)
        0.0033-0.04, 0.04-0.15 and 0.15-0.4 Hz. [ms^2]
    total_ms2 : ndarray of float, shape (n_windows,)
        Integral over all frequencies, which is the variance. [ms^2]
    """

    vlf_ms2: Floats
    lf_ms2: Floats
    hf_ms2: Floats
    total_ms2: Floats

    @property
    def lf_hf(self) -> Floats:
        """Ratio of LF to HF; NaN where HF is nothing."""
        known = self.hf_ms2 > 0
        return np.where(known, self.lf_ms2 / np.where(known, self.hf_ms2, 1.0), np.nan)


@dataclass(slots=True)
class FullSet:
    """The figures of many windows, and how much they rest on.

    Parameters
    ----------
    n_beats : ndarray of int, shape (n_windows,)
        Effective beats: intervals measured or restored exactly, no estimates
        and no long ones far out of line.
    artefacts : ndarray of int, shape (n_windows,)
        Artefacts found.
    quality : ndarray of float, shape (n_windows,)
        Share of the window's time that beats cover which nothing speaks
        against: no estimates and no single long ones. 0 to 1.
    time : TimeDomain
    welch, lomb_scargle : Powers
    sample_entropy, baevsky_index : ndarray of float, shape (n_windows,)
    """

    n_beats: Counts
    artefacts: Counts
    quality: Floats
    time: TimeDomain
    welch: Powers
    lomb_scargle: Powers
    sample_entropy: Floats
    baevsky_index: Floats


def full_set(
    rr_ms: ArrayLike,
    present: Mask | None = None,
    beat_s: ArrayLike | None = None,
    window_s: float | None = None,
) -> FullSet:
    """Correct every window and return all its figures.

    Parameters
    ----------
    rr_ms, present, beat_s
        As for :func:`correct`. Intervals in milliseconds. [ms]
    window_s : float, optional
        Length of the windows, for `quality`; default: from the first beat of
        each to its last. [s]

    Returns
    -------
    FullSet

    Raises
    ------
    ValueError
        If the arrays are not two-dimensional and of one shape, or most
        intervals are below 3 ms: they are seconds.

    Examples
    --------
    >>> figures = full_set([[800.0, 810.0, 790.0, 1600.0, 805.0, 795.0, 800.0, 810.0]])
    >>> int(figures.n_beats[0]), int(figures.artefacts[0]), round(float(figures.quality[0]), 2)
    (7, 1, 0.78)
    """
    rr = as_rows(rr_ms)
    at = None if beat_s is None else as_rows(beat_s)
    there = np.isfinite(rr)
    # Windows of like length together: each piece is as wide as its longest.
    order = np.argsort((there if present is None else there & present).sum(axis=1), kind="stable")
    pieces = [
        _piece(
            rr[rows],
            None if present is None else present[rows],
            None if at is None else at[rows],
            window_s,
        )
        for rows in (order[k : k + _ROWS] for k in range(0, max(len(rr), 1), _ROWS))
    ]
    figures: FullSet = _joined(pieces, np.argsort(order))
    return figures


def _piece(rr: Floats, present: Mask | None, at: Floats | None, window_s: float | None) -> FullSet:
    found = correct(rr, present, at)
    span_s = _span(found)
    sure = found.measured & ~found.doubtful
    covered_s = np.where(sure, found.rr_ms, 0.0).sum(axis=1) / 1000.0
    length_s = span_s if window_s is None else np.full(len(rr), window_s)
    time = time_domain(found.rr_ms, found.normal, found.follows)
    even = welch(found.rr_ms, found.beat_s, found.normal)
    uneven = lomb_scargle(found.rr_ms, found.beat_s, found.normal)
    variance = time.sdnn_ms**2 * divide(np.maximum(time.n_beats - 1.0, 0.0), time.n_beats)
    return FullSet(
        n_beats=time.n_beats,
        artefacts=found.artefacts,
        quality=np.where(
            length_s > 0, np.minimum(covered_s / np.where(length_s > 0, length_s, 1.0), 1.0), 0.0
        ),
        time=time,
        welch=_powers(even, even.variance, span_s),
        lomb_scargle=_powers(uneven, variance, span_s),
        sample_entropy=sample_entropy(found.rr_ms, found.normal, found.follows),
        baevsky_index=baevsky_index(found.rr_ms, found.normal),
    )


def _span(found: Corrected) -> Floats:
    """Return the time from the start of the first interval of each window to its last beat [s]."""
    there = np.isfinite(found.beat_s)
    first = np.where(there, found.beat_s, np.inf).min(axis=1, initial=np.inf)
    last = np.where(there, found.beat_s, -np.inf).max(axis=1, initial=-np.inf)
    lead_s = found.rr_ms[:, 0] / 1000.0 if found.rr_ms.shape[1] else np.zeros(len(first))
    return np.where(there.any(axis=1), last - first + lead_s, 0.0)


def _powers(spectra: Spectra, total: Floats, span_s: Floats) -> Powers:
    def told(band_hz: tuple[float, float], least_s: float) -> Floats:
        return np.where(span_s >= least_s, spectra.power(band_hz), np.nan)

    known = np.isfinite(spectra.density[:, -1])
    return Powers(
        vlf_ms2=told(VLF_HZ, LEAST_VLF_S),
        lf_ms2=told(LF_HZ, LEAST_LF_S),
        hf_ms2=told(HF_HZ, LEAST_HF_S),
        total_ms2=np.where(known, total, np.nan),
    )


def _joined(pieces: Sequence[Any], place: Counts) -> Any:
    """Return pieces of one of the classes above as one, each window back in its place."""
    first = pieces[0]
    if isinstance(first, np.ndarray):
        return np.concatenate(pieces)[place]
    names = [field.name for field in fields(first)]
    return type(first)(**{n: _joined([getattr(p, n) for p in pieces], place) for n in names})
