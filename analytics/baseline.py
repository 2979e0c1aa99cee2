"""Every agent's own reference: a robust running mean and spread per feature.

State lies in arrays, features by agents, so that learning is a handful of
array operations for the whole floor. A value counts for the time it covers; a
gap counts for nothing. Young references lean on the shipped spread; old ones
forget exponentially over the feature's own horizon, so that a change that
lasts is followed (TRUST A5).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.features import FEATURES
from sensors.messages import WINDOW_S

Rows = NDArray[np.intp] | slice
Singles = NDArray[np.float32]
Mask = NDArray[np.bool_]

PRIOR_S = 600.0
"""How much of the agent's own time the shipped spread is worth. [s]

Ten minutes of a slowly varying signal hold only a few independent values, too
few to trust a spread.
"""

WINSOR = 4.0
"""Deviations are cut at this many spreads before they teach anything.

Huber 1964, Ann. Math. Stat. 35:73: bounded influence. Wide, because a real change
(skin conductance of some people rises tenfold) must be followed within minutes.
"""

ABS_TO_SD = 1.2533
"""Standard deviation over mean absolute deviation of a normal variable: sqrt(pi / 2)."""

LONGEST_STEP_S = 2 * WINDOW_S
"""The time one value can stand for; beyond it is a gap, in which nothing is known. [s]"""


def column(name: str) -> Singles:
    """Return one number of every feature, shape (d, 1)."""
    return np.array([[getattr(feature, name)] for feature in FEATURES], dtype=np.float32)


_HORIZON = column("horizon_s")
_PRIOR = column("scale")
_FLOOR = column("floor")
_LEAST = np.float32(1e-6)


@dataclass(slots=True)
class Reference:
    """What is usual for some agents now: arrays of shape (d, n).

    Parameters
    ----------
    mean : ndarray of float32
        Means nothing where `seconds` is 0. [unit of the feature]
    scale : ndarray of float32
        Spread, never below the feature's floor. [unit of the feature]
    seconds : ndarray of float32
        Effective observation, growing towards the horizon. [s]
    """

    mean: Singles
    scale: Singles
    seconds: Singles


class Baseline:
    """References of all agents and features."""

    def __init__(self, n_rows: int = 0) -> None:
        d = len(FEATURES)
        self.mean = np.zeros((d, n_rows), dtype=np.float32)
        self.spread = np.zeros((d, n_rows), dtype=np.float32)  # mean absolute deviation
        self.seconds = np.zeros((d, n_rows), dtype=np.float32)

    def reference(self, rows: Rows) -> Reference:
        """Return what is usual for the agents of `rows` before they are learnt from."""
        seconds = self.seconds[:, rows]
        scale = self.spread[:, rows] * (ABS_TO_SD * seconds)
        scale += PRIOR_S * _PRIOR
        scale /= seconds + PRIOR_S
        np.maximum(scale, _FLOOR, out=scale)
        return Reference(mean=self.mean[:, rows], scale=scale, seconds=seconds)

    def learn(self, rows: Rows, values: Singles, step_s: Singles, reference: Reference) -> None:
        """Take one value of each feature in.

        Parameters
        ----------
        rows : ndarray of intp or slice
            Unique.
        values : ndarray of float32, shape (d, n)
            Finite; what is unknown stands with a time of 0.
        step_s : ndarray of float32, shape (d, n)
            Time each value stands for; 0 teaches nothing. [s]
        reference : Reference
            Of the same rows, from :meth:`reference`.
        """
        step = np.minimum(step_s, LONGEST_STEP_S)
        # A step is a hundredth of a horizon at most: the exponential is a straight line.
        seconds = reference.seconds * (1.0 - step / _HORIZON)
        seconds += step
        share = step / np.maximum(seconds, _LEAST)
        mean = reference.mean
        first = (reference.seconds <= 0) & (step > 0)
        if first.any():
            mean = np.where(first, values, mean)
        limit = WINSOR * reference.scale
        off = values - mean
        np.clip(off, -limit, limit, out=off)
        self.mean[:, rows] = mean + share * off
        np.abs(off, out=off)
        spread = self.spread[:, rows]
        off -= spread
        off *= share
        self.spread[:, rows] = spread + off
        self.seconds[:, rows] = seconds
