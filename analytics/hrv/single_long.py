"""Single long beats: which of them lie beyond what the heart of a window does by itself.

A heart at rest throws in single long beats, and the livelier it breathes the
longer: in two resting adults up to 41 % above all their neighbours, where a
quarter of all beats lie 9 % and more from what is usual. A steady heart does
not. So how long a beat may be is taken from how far the beats of its own
window lie from what is usual around them, which is the second threshold of
Lipponen & Tarvainen [1]_; theirs holds for 91 beats, ours for a window.

Such a beat counts as measured: its time did pass, and a rate may rest on it.
From :data:`LONG_DOUBTED` on it is counted as an artefact, from
:data:`LONG_LEFT_OUT` on no variability is taken from it.

References
----------
.. [1] J. A. Lipponen, M. P. Tarvainen, "A robust algorithm for heart rate
   variability time series artefact correction using novel beat
   classification", J. Med. Eng. Technol., vol. 43, no. 3, pp. 173-181, 2019.
"""

from __future__ import annotations

import math

import numpy as np

from analytics.hrv.arrays import Floats, Mask
from analytics.hrv.series import Series, beside, places

LONG_DOUBTED = 4.0
"""From how many upper quartiles of the window's distances from what is usual on a single
long beat is an artefact.

Made-up hearts without such beats showed 2.9 at most, two resting adults 3.0
and, once in 4,300 beats, 4.7.
"""

LONG_LEFT_OUT = 5.0
"""From how many of these quartiles, and how many natural displacements, on it is left out.

Of both together the same adults showed 4.7 at most, and a heart made to have
single long beats twice a minute 4.6: all keep theirs.
"""

LEAST_SHIFTS = 1.5
"""Natural displacements below which a beat is not looked at.

What is counted lies below in one case of 400; most clean windows then cost nothing.
"""

SMALLEST_EXCESS = 0.05
"""Below this share of the usual interval a long beat is left alone, as small shifts are."""


def single_long(series: Series, natural: Floats) -> tuple[Mask, Mask]:
    """Return which measured intervals are single long beats, and which are left out.

    Parameters
    ----------
    series : Series
        After all other kinds of artefact.
    natural : ndarray of float, shape (n_windows,)
        The largest displacement that each heart makes by itself. [ms]

    Returns
    -------
    doubtful, left_out : ndarray of bool, shape (n_windows, n_beats)
        The second are among the first.
    """
    doubtful, left_out = np.zeros((2, *series.rr.shape), dtype=bool)
    highest = np.fmax(*beside(series))
    with np.errstate(invalid="ignore"):
        least = np.fmax(SMALLEST_EXCESS * highest, LEAST_SHIFTS * natural[:, None])
        candidate = series.rr - highest > least
    candidate &= series.measured
    some = np.flatnonzero(candidate.any(axis=1))
    if not some.size:
        return doubtful, left_out
    part = series.take(some)
    p = places(part, part.measured, 1)
    distance = np.full(part.rr.shape, np.nan)
    distance[p.row, p.column] = np.abs(p.here - p.usual)
    far = _upper_quartile(distance)
    excess = p.here - np.fmax(np.fmax(p.before, p.after), p.usual)
    at = candidate[some][p.row, p.column]
    with np.errstate(invalid="ignore"):
        at &= (excess > SMALLEST_EXCESS * p.usual) & (excess > LONG_DOUBTED * far[p.row])
        out = at & (excess > LONG_LEFT_OUT * np.fmax(far, natural[some])[p.row])
    doubtful[some[p.row[at]], p.column[at]] = True
    left_out[some[p.row[out]], p.column[out]] = True
    return doubtful, left_out


def _upper_quartile(values: Floats) -> Floats:
    """Return of each row the least value that three quarters do not exceed; NaN of none."""
    n = np.isfinite(values).sum(axis=1)
    ordered = np.sort(values, axis=1)  # NaN last
    place = np.ceil(0.75 * n).astype(np.intp) - 1
    found: Floats = np.where(n > 0, ordered[np.arange(len(values)), place], math.nan)
    return found
