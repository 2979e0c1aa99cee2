"""What the last minutes of deviations say together: the evidence of every agent.

Each part's deviation is averaged over time before it is judged: strain lasts,
noise does not. Two averages must agree, of about a minute and of about four:
strain that is worth a supervisor has lasted, and is still there now.
"""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from analytics.scoring.baseline import NEVER_ZERO
from analytics.scoring.choice import put
from analytics.scoring.fusion import SLOPE, log_ratios, sum_down
from analytics.scoring.pace import Pace
from analytics.signals.features import PARTS

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Rows = NDArray[np.intp] | slice

NOW_S, LASTING_S = 60.0, 240.0
"""Time constants of the two averages. [s]"""

NOISE_S = 100.0
"""Calm people's deviations forget themselves about this fast: their noise is no faster. [s]

An average over T of such noise has the share NOISE_S / (NOISE_S + T) of its
variance; the longer average is scaled to the spread of the shorter.
"""

_TIMES_S = np.array([[NOW_S], [LASTING_S]])
_SCALE = np.sqrt((NOISE_S + _TIMES_S) / (NOISE_S + NOW_S))
_SLOPE_SQUARED = SLOPE**2


class Evidence:
    """Running averages of every agent's parts, and how certain they are."""

    ARRAYS: ClassVar = ("deviation", "certainty", "deviation_before", "certainty_before")

    def __init__(self) -> None:
        shape = (2, len(PARTS), 0)
        self.deviation = np.zeros(shape, dtype=np.float32)
        self.certainty = np.zeros(shape, dtype=np.float32)
        # As they were before the last window, for a second source of the same moment.
        self.deviation_before = np.zeros(shape, dtype=np.float32)
        self.certainty_before = np.zeros(shape, dtype=np.float32)

    def gather(self, rows: Rows, pace: Pace, parts: Singles, certainty: Singles) -> Floats:
        """Return the evidence after one window of each agent, and keep it.

        Parameters
        ----------
        rows : ndarray of intp or slice
            n agents.
        pace : Pace
            Of their windows.
        parts, certainty : ndarray of float32, shape (P, n)
            Deviation of each part and how certain it is; both 0 where unknown.

        Returns
        -------
        ndarray of float64, shape (n,)
            What the parts say together, in spreads of what they say about calm
            people; NaN where nothing is known now, or the window is older than
            the last one.
        """
        held = [getattr(self, name)[..., rows] for name in self.ARRAYS]
        moved, now = self._averages(held, pace, parts, certainty)
        for name, array in zip(self.ARRAYS, held, strict=True):
            put(getattr(self, name), rows, array)
        known = certainty > 0
        # What is not measured now counts no more, whatever it said (T6); it is kept, fading.
        still = now * known
        each = _standardised(moved, still) * _SCALE
        said = np.minimum(each[0], each[1])
        told = np.logical_or.reduce(known, axis=0)
        told &= pace.ahead
        return np.where(told, said, np.nan)

    @staticmethod
    def _averages(
        held: list[Singles], pace: Pace, parts: Singles, certainty: Singles
    ) -> tuple[Singles, Singles]:
        """Return the new averages and their certainty; change `held` as far as time runs on."""
        deviation, trust, deviation_before, trust_before = held
        if not pace.even:
            moved, now = (
                np.where(pace.again, before, newest)
                for before, newest in ((deviation_before, deviation), (trust_before, trust))
            )
            old = moved.copy(), now.copy()
        else:  # what is kept is worked on where it lies
            moved, now = deviation, trust
            deviation_before[...], trust_before[...] = deviation, trust
        share = _share_of(float(pace.step_s[0])) if pace.even else _share(pace.step_s)
        gain = certainty - now
        gain *= share
        now += gain
        pull = share * certainty
        pull /= now + NEVER_ZERO
        off = parts - moved
        off *= pull
        moved += off
        if not pace.even:
            for kept, new in zip(held, (moved, now, *old), strict=True):
                np.copyto(kept, new, where=pace.ahead)
        return moved, now


def _share(step_s: Floats) -> Singles:
    """Return the weight of a new value in each average, shape (2, 1, n)."""
    share = 1.0 - np.exp(-step_s / _TIMES_S)
    return np.asarray(share[:, None, :], np.float32)


@lru_cache(maxsize=256)
def _share_of(step_s: float) -> Singles:
    return _share(np.array([step_s]))


_DOUBT = 0.25
"""How fast a doubtful part leaves the yardstick: slower than it leaves the sum.

Doubt then always makes for less evidence.
"""


def _standardised(deviation: Singles, certainty: Singles) -> Floats:
    """Return the sum of the log-likelihood ratios over its spread on calm data, shape (2, n).

    Near the usual a part says about q d z, so as many sure parts as are known
    spread by the root of their summed (q d)^2. More parts are more noise: over
    this, one threshold means one false-alert rate whatever somebody wears.
    """
    total = sum_down(log_ratios(deviation, certainty))
    doubtful = np.sqrt(np.sqrt(certainty))  # to the power of _DOUBT, ten times as fast
    doubtful *= _SLOPE_SQUARED
    square = np.maximum(sum_down(doubtful), NEVER_ZERO)
    total /= np.sqrt(square, out=square)
    return total.astype(np.float64)
