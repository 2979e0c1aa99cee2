"""95 % intervals over people of counts, also where nothing or everything was counted.

The bootstrap draws people again; where all of them are alike, every drawing
is the same and it would tell an interval of no width. There the exact bounds
of a count take its place.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analytics.evaluation.evaluate import bootstrap_ratio_ci

_SIDE = 0.025  # probability beyond either end of a 95 % interval


def rate_ci(counts: Sequence[float], hours: Sequence[float]) -> tuple[float, float]:
    """Return the interval of how often an hour something happened.

    Where it never happened: from 0 to the rate at which a Poisson count would
    be 0 in one of forty such measurements (Garwood 1936, Biometrika 28:437).

    Parameters
    ----------
    counts, hours : sequence of float
        One of each per person; NaN comes back for fewer than two people.
    """
    low, high = bootstrap_ratio_ci(counts, hours)
    if high == 0:
        return 0.0, float(-np.log(_SIDE) / np.sum(hours))
    return low, high


def share_ci(parts: Sequence[float], wholes: Sequence[float]) -> tuple[float, float]:
    """Return the interval of the share that `parts` are of `wholes`.

    Where it is none or all: the exact bound of Clopper and Pearson (1934,
    Biometrika 26:404) for as many trials as there are people, since what one
    person does twice is not two trials.

    Parameters
    ----------
    parts, wholes : sequence of float
        One of each per person; NaN comes back for fewer than two people.
    """
    low, high = bootstrap_ratio_ci(parts, wholes)
    people = sum(1 for whole in wholes if whole)
    if np.isnan(high):
        return low, high
    bound = _SIDE ** (1 / people)
    if high == 0:
        return 0.0, 1.0 - bound
    if low == 1:
        return bound, 1.0
    return low, high
