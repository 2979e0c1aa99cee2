"""Finding and correcting beats that were missed, made up, early, late or out of line.

Five kinds are told apart by how many normal intervals the disturbed stretch
amounts to, which is what the classes of Lipponen & Tarvainen [1]_ come to:

- *extra*: two short intervals that together are one. Joined: nothing is lost.
- *missed*: one long interval that is two or three. Divided.
- *ectopic*: a short and a long one that together are two (or the reverse): one
  beat out of its place between neighbours that are in theirs. Put back.
- *irregular*: one short interval that none of these explains, or one longer
  than three: a gap.
- *long*: one interval below 1.5 that is longer than its neighbours by more than
  the heart does itself; see :mod:`analytics.hrv.single_long`.

A joined interval is as good as a measured one. Divided, moved and irregular
ones are estimates: they keep the series and its clock whole, but
:attr:`Corrected.measured` is false and no difference is taken from them,
because an interpolated beat makes RMSSD too small. A long one was measured, its
time did pass; variability is taken from :attr:`Corrected.normal`, without those
far out of line.

References
----------
.. [1] J. A. Lipponen, M. P. Tarvainen, "A robust algorithm for heart rate
   variability time series artefact correction using novel beat
   classification", J. Med. Eng. Technol., vol. 43, no. 3, pp. 173-181, 2019.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from analytics.hrv.arrays import Counts, Floats, Mask, as_rows, row_median
from analytics.hrv.beats import HIGHEST_RR_MS, LOWEST_RR_MS
from analytics.hrv.corrected import Corrected
from analytics.hrv.series import Places, Series, beside, places, repeat, without_holes
from analytics.hrv.single_long import single_long

ONE_OR_TWO = math.sqrt(2.0)
"""Below this many usual intervals a sum counts as one, above as two.

The middle between one and two where errors are ratios.
"""

SHORT = 0.7
"""An interval below this share of its neighbours' median may be half of one.

The shorter half of a divided interval is at most 0.5; breathing takes even
young hearts at rest seldom below 0.75 within ten beats.
"""

MISSED = 1.5
"""An interval from this many usual ones on holds a missed beat.

Two intervals are at least 1.6 even at the fast side of deep breathing. Single
long beats of resting hearts, a vagal burst, reach 1.4; so this stands nearer
to two than to one.
"""

MOST_MISSED = 2
"""More beats missed in a row than this are a gap: nothing is put in."""

STEP_SIGMA, PLACE_SIGMA = 1.7, 3.5
"""What hearts do by themselves: displacements up to the lesser of 1.7 robust deviations of
the window's successive differences and 3.5 of the distances of its beats from their place.

Evidence as defined in :func:`_displaced`. In made-up hearts without artefacts (white,
1/f, breathing at several ratios to the rate) the largest in an hour and a half
was 0.7 to 1.7 of the one and 2.1 to 3.6 of the other. Deep breathing makes the
first too large, breathing of two or three beats the second; never both.
"""

CERTAIN = 2.0
"""Above this many times that, no heart did it by itself."""

SMALLEST_SHIFT = 0.05
"""Displacements below this share of the usual interval are left alone.

They do little harm, and coarse clocks make such.
"""

LARGEST_EARLY, LARGEST_LATE, LARGEST_DEPTH = 0.13, 0.16, 0.15
"""Above these shares of the usual interval even a lively heart at rest does not do it by
itself: a beat early with a pause after it, a beat late, a single short interval.

Early beats are called so from about 20 % on (Malik et al. 1989). In 65 minutes of
two resting adults the most was 0.09, 0.12 and 0.12. Late has more room, because
a single long beat, a vagal burst, is natural.
"""

DEPTH_SIGMA = 1.5
"""A single short interval may be deeper by this factor than an early pair: it is one step
less to agree with."""

_UNEVEN = 0.45  # of the difference of a pair: so far it may be from two usual intervals
_DOUBT = 0.3  # of a usual interval: two readings of a long interval that fit this alike
_MOST_PASSES = 3  # extra beats within one interval that are joined


def correct(
    rr_ms: ArrayLike, present: Mask | None = None, beat_s: ArrayLike | None = None
) -> Corrected:
    """Find artefacts in every window and correct them.

    What is usual is judged within a window, so windows should be one to ten
    minutes; cut a longer recording.

    Parameters
    ----------
    rr_ms : array_like of float, shape (n_windows, n_beats)
        RR intervals as measured, oldest first. NaN, not above zero and above
        a minute count as missing. [ms]
    present : ndarray of bool, shape (n_windows, n_beats), optional
        False for padding and beats not to be used.
    beat_s : array_like of float, shape (n_windows, n_beats), optional
        Time of the beat that ends each interval. Where the times disagree with
        an interval by more than 150 ms there is a gap. Without them only
        missing intervals are gaps. [s]

    Returns
    -------
    Corrected

    Raises
    ------
    ValueError
        If the arrays are not two-dimensional and of one shape, or most
        intervals are below 3 ms: they are seconds.

    Examples
    --------
    >>> rr = [[800, 810, 805, 300, 500, 790, 800, 1610, 810, 795, 800]]
    >>> found = correct(rr)
    >>> [int(n[0]) for n in (found.extra, found.missed, found.ectopic)]
    [1, 1, 0]
    >>> found.rr_ms[0].tolist()[2:9]
    [805.0, 800.0, 790.0, 800.0, 805.0, 805.0, 810.0]
    """
    return _corrected(without_holes(as_rows(rr_ms), present, beat_s))


def _corrected(series: Series) -> Corrected:
    """Return the windows with every kind of artefact dealt with in turn; changes `series`."""
    series, extra = _without_halves(series)
    series, missed, irregular = _divided(series)
    natural = natural_shift(series)
    ectopic = _put_back(series, natural)
    irregular += _set_aside(series, natural)
    with np.errstate(invalid="ignore"):
        series.measured &= (series.rr >= LOWEST_RR_MS) & (series.rr <= HIGHEST_RR_MS)
    doubtful, left_out = single_long(series, natural)
    follows = np.zeros_like(series.joined)
    follows[:, 1:] = series.joined[:, 1:] & series.measured[:, 1:] & series.measured[:, :-1]
    return Corrected(
        rr_ms=series.rr,
        beat_s=series.at_s,
        measured=series.measured,
        normal=series.measured & ~left_out,
        doubtful=doubtful,
        follows=follows,
        missed=missed,
        extra=extra,
        ectopic=ectopic,
        irregular=irregular,
    )


def _without_halves(series: Series) -> tuple[Series, Counts]:
    """Return the series with extra beats joined, and how many per window."""
    extra = np.zeros(len(series.rr), dtype=np.intp)
    some, part = np.arange(len(series.rr)), series
    for _ in range(_MOST_PASSES):
        joins = _halves(part)
        hit = np.flatnonzero(joins.any(axis=1))
        if not hit.size:
            break
        some = some[hit]
        extra[some] += joins[hit].sum(axis=1)
        part = _join(part.take(hit), joins[hit])
        series = series.put(some, part)
    return series, extra


def _halves(series: Series) -> Mask:
    """Return intervals that, together with the one after, are really one."""
    with np.errstate(invalid="ignore"):
        candidate = series.rr < 0.8 * np.fmax(*beside(series))
        # What is usual lies between the least and the most: this only saves work.
        candidate &= series.rr < SHORT * np.fmax.reduce(series.rr, axis=1, keepdims=True)
    p = places(series, candidate, 1)
    before = np.where(np.isfinite(p.before), p.before, np.inf)
    after = np.where(np.isfinite(p.after), p.after, np.inf)
    # Joining with the shorter neighbour leaves the evener series.
    shorter, longer = np.minimum(before, after), np.maximum(before, after)
    with np.errstate(invalid="ignore"):
        found = (p.here < SHORT * p.usual) & (p.here + shorter < ONE_OR_TWO * p.usual)
        # An early beat instead: it and the pause are two.
        joined = np.abs(p.here + shorter - p.usual)
        one = joined + np.abs(longer - p.usual)
        early = np.abs(p.here + longer - 2 * p.usual)
        # At an edge, where only one neighbour is known: it alone may fit better.
        found &= np.where(np.isinf(longer), joined <= np.abs(shorter - p.usual), one <= early)
    joins = np.zeros(series.rr.shape, dtype=bool)
    joins[p.row[found], (p.column - (before < after))[found]] = True
    joins[:, 1:] &= ~joins[:, :-1]
    return joins


def _join(series: Series, joins: Mask) -> Series:
    """Return the series with each marked interval added to the one after."""
    row, column = np.nonzero(joins)
    rr, joined = series.rr.copy(), series.joined.copy()
    rr[row, column + 1] += rr[row, column]
    joined[row, column + 1] = joined[row, column]
    copies = (np.isfinite(rr) & ~joins).astype(np.intp)
    return repeat(Series(rr, series.at_s, joined, series.measured), copies)


def _divided(series: Series) -> tuple[Series, Counts, Counts]:
    """Return the series with long intervals divided; missed and irregular ones per window."""
    copies, missed, irregular = _long(series)
    some = np.flatnonzero((copies > 1).any(axis=1))
    if some.size:
        series = series.put(some, repeat(series.take(some), copies[some]))
    return series, missed, irregular


def _long(series: Series) -> tuple[Counts, Counts, Counts]:
    """Return how many intervals each really is, and missed and irregular ones per window.

    Marks what is too long to be divided as not measured.
    """
    with np.errstate(invalid="ignore"):
        candidate = series.rr > 1.3 * np.fmin(*beside(series))
        # As above; a little below MISSED, for the rounding of the ratio.
        candidate &= series.rr > 1.49 * np.fmin.reduce(series.rr, axis=1, keepdims=True)
    p = places(series, candidate, 1)
    usual = np.fmax(p.usual, 0.5 * (p.before + p.after))
    with np.errstate(invalid="ignore"):
        ratio = p.here / usual
        found = (ratio >= MISSED) & ~_pause(p, p.before, p.earlier, p.after)
        found &= ~_pause(p, p.after, p.later, p.before)
    times = np.rint(ratio[found])
    divides = times <= 1 + MOST_MISSED
    row, column = p.row[found], p.column[found]
    copies = np.isfinite(series.rr).astype(np.intp)
    copies[row[divides], column[divides]] = times[divides].astype(np.intp)
    series.measured[row[~divides], column[~divides]] = False
    n_windows = len(series.rr)
    missed = np.bincount(row[divides], weights=times[divides] - 1, minlength=n_windows)
    irregular = np.bincount(row[~divides], minlength=n_windows)
    return copies, missed.astype(np.intp), irregular


def _pause(p: Places, beside: Floats, beyond: Floats, opposite: Floats) -> Mask:
    """Return whether short `beside` and long together fit two intervals better than one and two."""
    usual = 0.5 * (beyond + opposite)
    usual = np.where(np.isfinite(usual), usual, p.usual)
    moved = np.abs(beside + p.here - 2 * usual)
    return moved < np.abs(beside - usual) + np.abs(p.here - 2 * usual) - _DOUBT * usual


def natural_shift(series: Series) -> Floats:
    """Return the largest displacement that the heart of each window makes by itself [ms]."""
    rr, good = series.rr, series.measured
    joined = series.joined[:, 1:] & good[:, 1:] & good[:, :-1]
    step = _deviation(rr[:, 1:] - rr[:, :-1], joined)
    four = joined[:, 2:] & joined[:, 1:-1] & joined[:, :-2]
    place = _deviation(_out_of_place(rr[:, :-3], rr[:, 1:-2], rr[:, 2:-1], rr[:, 3:]), four)
    return np.minimum(STEP_SIGMA * step, PLACE_SIGMA * place)


def _deviation(values: Floats, known: Mask) -> Floats:
    """Return the robust deviation from zero of each row; 0 of none."""
    return np.nan_to_num(1.4826 * row_median(np.abs(values), known))  # 1 for a Gaussian's


def _out_of_place(before: Floats, here: Floats, after: Floats, later: Floats) -> Floats:
    """Return how late the beat between `here` and `after` is [ms]; below zero: early.

    Against a cubic through the two beats on either side.
    """
    return (3.0 * (here - after) + later - before) / 6.0


def _put_back(series: Series, natural: Floats) -> Counts:
    """Move displaced beats to where they belong; return how many per window.

    Early: short, then long (or the reverse). The evidence is the mean of

    - how far the beat lies from where a cubic through the two beats on
      either side puts it, and
    - the smallest of the three steps into, within and out of the pair, which
      a single long or short beat, that hearts do make, leaves near zero;

    and the two must together be about two: the one at least a third as far
    below the usual as the other is above.
    """
    pair = np.zeros(series.rr.shape, dtype=bool)
    with np.errstate(invalid="ignore"):
        apart = np.abs(series.rr[:, 1:] - series.rr[:, :-1])
        usual = row_median(series.rr, np.isfinite(series.rr))
        # Evidence is seldom more than half the difference; this only saves work.
        least = 1.2 * limit(natural, LARGEST_EARLY, usual)[:, None]
        pair[:, :-1] = series.joined[:, 1:] & (apart > least)
    p = places(series, pair, 2)
    shift, evidence = _displaced(p)
    largest = np.where(shift < 0, LARGEST_EARLY, LARGEST_LATE)
    least = limit(natural[p.row], largest, p.usual)
    with np.errstate(invalid="ignore"):
        strength = np.where(evidence > least, evidence, 0.0)
    held = np.zeros((len(series.rr), series.rr.shape[1] + 2))
    held[p.row, p.column + 1] = strength
    # Two that share an interval are one artefact: the stronger.
    best = (
        (strength > 0)
        & (strength > held[p.row, p.column])
        & (strength >= held[p.row, p.column + 2])
    )
    row, column, shift = p.row[best], p.column[best], shift[best]
    series.rr[row, column] -= shift
    series.rr[row, column + 1] += shift
    series.at_s[row, column] -= shift / 1000.0
    series.measured[row, column] = False
    series.measured[row, column + 1] = False
    return np.bincount(row, minlength=len(series.rr))


def limit(natural: Floats, largest: Floats | float, usual: Floats) -> Floats:
    """Return from what evidence on it is an artefact [ms]."""
    return np.clip(CERTAIN * natural, SMALLEST_SHIFT * usual, np.maximum(largest * usual, natural))


def _displaced(p: Places) -> tuple[Floats, Floats]:
    """Return displacement (below zero: early) and evidence of the beats within pairs [ms]."""
    before = np.where(np.isfinite(p.before), p.before, p.usual)
    later = np.where(np.isfinite(p.later), p.later, p.usual)
    shift = _out_of_place(before, p.here, p.after, later)
    apart = np.abs(p.after - p.here)
    way = np.sign(p.after - p.here)
    steps = np.minimum(way * (before - p.here), way * (p.after - later))
    steps = np.minimum(steps, 0.5 * apart)
    both = p.here + p.after
    off = np.minimum(np.abs(both - 2 * p.usual), np.abs(both - before - later))
    two = off < _UNEVEN * apart
    return shift, np.where((steps > 0) & two, 0.5 * (steps - way * shift), 0.0)


def _set_aside(series: Series, natural: Floats) -> Counts:
    """Mark single short intervals that nothing explains; return how many per window."""
    with np.errstate(invalid="ignore"):
        before, after = beside(series)
        candidate = series.measured & (series.rr < 0.95 * np.fmin(before, after))
        # The limit is never below what is natural; this only saves work.
        least = series.rr + DEPTH_SIGMA * natural[:, None]
        candidate &= ~(series.joined & (before <= least))
        candidate[:, :-1] &= ~(series.joined[:, 1:] & (after <= least)[:, :-1])
    p = places(series, candidate, 1)
    nearest = np.fmin(np.fmin(p.before, p.after), p.usual)
    least = limit(DEPTH_SIGMA * natural[p.row], LARGEST_DEPTH, p.usual)
    with np.errstate(invalid="ignore"):
        found = nearest - p.here > least
    row, column = p.row[found], p.column[found]
    around = np.stack([p.before[found], p.after[found], p.usual[found]])
    series.rr[row, column] = np.nanmedian(around, axis=0) if row.size else 0.0
    series.measured[row, column] = False
    return np.bincount(row, minlength=len(series.rr))
