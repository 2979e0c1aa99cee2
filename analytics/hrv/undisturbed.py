"""Which windows hold no artefact for certain: most of them, told without correcting any.

What makes a beat an artefact is bounded from both sides by the window's shortest
and longest interval. Where not even the bounds reach, :func:`correct` would
leave every interval as measured, and need not be called by who asks for no more.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from analytics.hrv.arrays import Floats, Mask
from analytics.hrv.artefacts import (
    DEPTH_SIGMA,
    LARGEST_DEPTH,
    LARGEST_EARLY,
    SHORT,
    SMALLEST_SHIFT,
    limit,
    natural_shift,
)
from analytics.hrv.beats import FOLLOWS_WITHIN_MS, HIGHEST_RR_MS, LOWEST_RR_MS
from analytics.hrv.series import Series

Singles = NDArray[np.float32]

_SURELY = 1.0 - 1e-4  # of a limit: far more than rounding to single precision takes


def undisturbed(rr_ms: Floats, present: Mask, beat_s: Floats) -> tuple[Mask, Mask]:
    """Return in which windows :func:`correct` leaves all as measured, and which beats follow.

    Parameters
    ----------
    rr_ms, present, beat_s : ndarray, shape (n_windows, n_beats)
        As for :func:`correct`.

    Returns
    -------
    calm : ndarray of bool, shape (n_windows,)
        The present beats stand without a hole at the end of the window, all
        are believable and none is an artefact, but for single long ones, which
        count as measured. False says nothing.
    follows : ndarray of bool, shape (n_windows, n_beats)
        Present, and directly after another present one without a gap.
    """
    joined = _joined(rr_ms, present, beat_s)
    # Bounds need no more than single precision, and it is half the work.
    rr = np.where(present, rr_ms, 0.0).astype(np.float32)
    low = np.where(present, rr, np.float32(np.inf)).min(axis=1, initial=np.inf)
    high = rr.max(axis=1, initial=0.0)
    # Of NaN among them: neither holds.
    calm = (low >= LOWEST_RR_MS) & (high <= HIGHEST_RR_MS) & (low >= SHORT * high)
    calm &= present[:, -1] & ~(present[:, :-1] & ~present[:, 1:]).any(axis=1)
    rows = np.flatnonzero(calm)
    if rows.size < len(rr):
        rr, low, high = rr[rows], low[rows], high[rows]
    after, span = joined[rows, 1:], (high - low)[:, None]
    step = rr[:, 1:] - rr[:, :-1]
    moved, depth = _displaced(step, after, span), _depth(step, after, present[rows], span)
    some = np.flatnonzero(np.maximum(moved, depth) > _SURELY * SMALLEST_SHIFT * low)
    if some.size:
        at = rows[some]
        natural = natural_shift(
            Series(cast("Floats", rr[some]), beat_s[at], joined[at], present[at])
        )
        out = moved[some] > _SURELY * limit(natural, LARGEST_EARLY, low[some])
        out |= depth[some] > _SURELY * limit(DEPTH_SIGMA * natural, LARGEST_DEPTH, low[some])
        calm[at[out]] = False
    return calm, joined


def _joined(rr_ms: Floats, present: Mask, beat_s: Floats) -> Mask:
    """Return which beats follow the one before, by their times."""
    joined = np.zeros(rr_ms.shape, bool)
    both = present[:, 1:] & present[:, :-1]
    with np.errstate(invalid="ignore"):
        off_ms = (beat_s[:, 1:] - beat_s[:, :-1]) * 1000.0
        off_ms -= rr_ms[:, 1:]
        np.logical_and(both, np.abs(off_ms, out=off_ms) <= FOLLOWS_WITHIN_MS, out=joined[:, 1:])
    return joined


def _displaced(step: Singles, follows: Mask, span: Singles) -> Singles:
    """Return the most that the evidence of a displaced beat can be in each window [ms].

    As :func:`correct` weighs it, in terms of the steps into, within and out of a
    pair; a neighbour that is not known lies as far off as the window allows.
    """
    apart, way = np.abs(step), -np.sign(step)
    into, out = np.empty_like(step), np.empty_like(step)
    into[:, 1:] = np.where(follows[:, :-1], way[:, 1:] * step[:, :-1], span)
    out[:, :-1] = np.where(follows[:, 1:], way[:, :-1] * step[:, 1:], span)
    into[:, :1] = out[:, -1:] = span
    least = np.minimum(into, out)
    into += out
    apart += apart
    into += apart
    into *= np.float32(1.0 / 6.0)
    apart *= np.float32(0.25)
    np.minimum(least, apart, out=least)
    evidence = np.add(least, into, out=into)
    evidence *= follows & (least > 0)
    return np.asarray(0.5 * evidence.max(axis=1, initial=0.0))


def _depth(step: Singles, follows: Mask, present: Mask, span: Singles) -> Singles:
    """Return the most that an interval can lie below its neighbours in each window [ms]."""
    depth = np.empty(present.shape, np.float32)
    depth[:, :1] = span
    depth[:, 1:] = np.where(follows, -step, span)
    np.minimum(depth[:, :-1], np.where(follows, step, span), out=depth[:, :-1])
    depth *= present
    return np.asarray(depth.max(axis=1, initial=0.0))
