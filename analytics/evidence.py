"""What the last minutes of deviations say together: the evidence of every agent.

Each part's deviation is averaged over time before it is judged: strain lasts,
noise does not. Two averages must agree, of about a minute and of about four:
strain that is worth a supervisor has lasted, and is still there now.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from analytics.features import PARTS
from analytics.fusion import SLOPE, log_ratios, sum_down
from sensors.messages import WINDOW_S

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
_SCALE = np.sqrt((NOISE_S + _TIMES_S[:, 0]) / (NOISE_S + NOW_S))


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

    def gather(
        self,
        rows: Rows,
        at_s: Floats,
        last_s: Floats,
        before_s: Floats,
        found: tuple[Singles, Singles],
    ) -> Floats:
        """Return the evidence after one window of each agent, and keep it.

        Parameters
        ----------
        rows : ndarray of intp or slice
            n agents.
        at_s, last_s, before_s : ndarray of float64, shape (n,)
            End of this window, of the last one and of the one before that; -inf
            where there was none. [s]
        found : (ndarray, ndarray) of float32, shape (P, n)
            Deviation and certainty of each part.

        Returns
        -------
        ndarray of float64, shape (n,)
            What the parts say together, in spreads of what they say about calm
            people; NaN where nothing is known now, or the window is older than
            the last one.
        """
        parts, certainty = found
        again, ahead = at_s == last_s, at_s >= last_s
        deviation = np.where(again, self.deviation_before[..., rows], self.deviation[..., rows])
        trust = np.where(again, self.certainty_before[..., rows], self.certainty[..., rows])
        step_s = at_s - np.where(again, before_s, last_s)
        step_s = np.where(np.isfinite(step_s), np.maximum(step_s, 0.0), WINDOW_S)
        share = (1.0 - np.exp(-step_s / _TIMES_S)).astype(np.float32)[:, None, :]
        now = trust + share * (certainty - trust)
        known = certainty > 0
        pull = np.where(known, share * certainty / np.where(now > 0, now, 1.0), np.float32(0.0))
        moved = deviation + pull * (np.where(known, parts, np.float32(0.0)) - deviation)
        for name, new, old in (("deviation", moved, deviation), ("certainty", now, trust)):
            kept, kept_before = getattr(self, name), getattr(self, f"{name}_before")
            kept_before[..., rows] = np.where(ahead, old, kept_before[..., rows])
            kept[..., rows] = np.where(ahead, new, kept[..., rows])
        # What is not measured now counts no more, whatever it said (T6); it is kept, fading.
        still = np.where(known, now, np.float32(0.0))
        each = [
            scale * _standardised(z, c) for scale, z, c in zip(_SCALE, moved, still, strict=True)
        ]
        return np.where(known.any(axis=0) & ahead, np.minimum(*each), np.nan)


_DOUBT = 0.25
"""How fast a doubtful part leaves the yardstick: slower than it leaves the sum.

Doubt then always makes for less evidence.
"""


def _standardised(deviation: Singles, certainty: Singles) -> Floats:
    """Return the sum of the log-likelihood ratios over its spread on calm data, shape (n,).

    Near the usual a part says about q d z, so as many sure parts as are known
    spread by the root of their summed (q d)^2. More parts are more noise: over
    this, one threshold means one false-alert rate whatever somebody wears.
    """
    total = sum_down(log_ratios(deviation, certainty))
    square = sum_down(SLOPE**2 * certainty**_DOUBT)
    spread = np.sqrt(np.where(square > 0, square, np.float32(1.0)))
    return (total / spread).astype(np.float64)
