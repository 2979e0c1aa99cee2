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


@dataclass(slots=True)
class Reference:
    """What is usual for some agents now: arrays of shape (d, n).

    Parameters
    ----------
    mean : ndarray of float32
        NaN before the first value. [unit of the feature]
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
        own = ABS_TO_SD * self.spread[:, rows]
        scale = (PRIOR_S * _PRIOR + seconds * own) / (PRIOR_S + seconds)
        mean = np.where(seconds > 0, self.mean[:, rows], np.float32(np.nan))
        return Reference(mean=mean, scale=np.maximum(scale, _FLOOR), seconds=seconds)

    def learn(self, rows: Rows, values: Singles, step_s: Singles, reference: Reference) -> None:
        """Take one value of each feature in.

        Parameters
        ----------
        rows : ndarray of intp or slice
            Unique.
        values : ndarray of float32, shape (d, n)
            NaN teaches nothing.
        step_s : ndarray of float32, shape (d, n) or (1, n)
            Time each value stands for; 0 teaches nothing. [s]
        reference : Reference
            Of the same rows, from :meth:`reference`.
        """
        step = np.where(np.isfinite(values), np.minimum(step_s, LONGEST_STEP_S), 0.0)
        seconds = reference.seconds * np.exp(-step / _HORIZON) + step
        share = step / np.maximum(seconds, 1e-6)
        mean = np.where(np.isfinite(reference.mean), reference.mean, values)
        limit = WINSOR * reference.scale
        off = np.clip(np.where(step > 0, values - mean, 0.0), -limit, limit)
        self.mean[:, rows] = np.where(step > 0, mean + share * off, self.mean[:, rows])
        spread = self.spread[:, rows]
        self.spread[:, rows] = spread + share * (np.abs(off) - spread)
        self.seconds[:, rows] = seconds
