"""Every agent's own reference: the level of today, and how far values stray from it.

Two clocks. The *level* is a robust running mean over the feature's horizon
(minutes to an hour); what is known of it ages whether or not new values come,
so a shift begins by learning its own level and what lasts all day is nobody's
alert (TRUST A5). The *spread* around the level, and how much a call moves it,
are learnt over days and carry over.

State lies in arrays, features by agents, so that learning is a handful of
array operations for the whole floor. A value counts for the time it covers; a
gap counts for nothing. Only features that are scored have a reference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from analytics import site_prior
from analytics.features import FEATURES
from sensors.messages import WINDOW_S

Rows = NDArray[np.intp] | slice
Singles = NDArray[np.float32]
Mask = NDArray[np.bool_]

SCORED: NDArray[np.intp] = np.flatnonzero([feature.weight > 0 for feature in FEATURES])
"""Columns of the features that are scored; the reference holds these, in this order."""

PRIOR_S = 600.0
"""How much of the agent's own time the site's spread is worth. [s]

Ten minutes of a slowly varying signal hold only a few independent values, too
few to trust a spread.
"""

SPREAD_HORIZON_S = 8 * 3600.0
"""Over so much observation spread and the effect of a call are learnt. [s] About a shift."""

WANDERS_S = 600.0
"""A calm person's level wanders with about this time constant. [s]

Seconds of observation over it are independent looks at the level: k of them
leave its mean uncertain by a k-th of the variance, which widens what is usual
while a level is young.
"""

CALL_PRIOR_S = 1800.0
"""So much time in calls without any effect stands against what is seen of it. [s]"""

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
    """Return one number of every scored feature, shape (s, 1)."""
    return np.array([[getattr(FEATURES[i], name)] for i in SCORED], dtype=np.float32)


_HORIZON = column("horizon_s")
_PRIOR = column("scale")
_FLOOR = column("floor")
_LEAST = np.float32(1e-6)
_SPREAD_HORIZON = np.float32(SPREAD_HORIZON_S)


@dataclass(slots=True)
class Reference:
    """What is usual for some agents now: arrays of shape (s, n).

    Parameters
    ----------
    mean : ndarray of float32
        In the context of the moment; means nothing where `seconds` is 0. [unit of the feature]
    scale : ndarray of float32
        Spread around it, never below the feature's floor, wider while the
        level is young. [unit of the feature]
    seconds : ndarray of float32
        Effective observation of the level, at most its horizon. [s]
    """

    mean: Singles
    scale: Singles
    seconds: Singles


class Baseline:
    """References of all agents and scored features."""

    ARRAYS: ClassVar = ("mean", "spread", "seconds", "spread_s", "call", "call_s")

    def __init__(self, n_rows: int = 0) -> None:
        shape = (len(SCORED), n_rows)
        self.mean = np.zeros(shape, dtype=np.float32)
        self.seconds = np.zeros(shape, dtype=np.float32)
        self.spread = np.zeros(shape, dtype=np.float32)  # mean absolute deviation
        self.spread_s = np.zeros(shape, dtype=np.float32)
        self.call = np.zeros(shape, dtype=np.float32)  # how much higher a value is in a call
        self.call_s = np.zeros(shape, dtype=np.float32)
        self.site = _PRIOR.copy()  # how far values usually stray here, before one's own is known

    def follow_site(self, n: int) -> None:
        """Take the site's usual spread anew from the first `n` agents."""
        own = self.spread[:, :n] * np.float32(ABS_TO_SD)
        self.site = site_prior.spread(own, self.spread_s[:, :n], _PRIOR)

    def age(self, rows: Rows, elapsed_s: Singles) -> None:
        """Let what is known of the levels of `rows` grow old by `elapsed_s`, shape (n,)."""
        keep = 1.0 - elapsed_s / _HORIZON
        long = elapsed_s > LONGEST_STEP_S
        if long.any():
            keep[:, long] = np.exp(-elapsed_s[long] / _HORIZON)
        self.seconds[:, rows] *= keep

    def reopen(self, rows: Rows, which: Mask | None = None) -> None:
        """Learn the level of `rows` anew; keep how far values stray from it.

        Parameters
        ----------
        rows : ndarray of intp or slice
        which : ndarray of bool, shape (s, n), optional
            Features that are meant; all by default.
        """
        self.seconds[:, rows] = 0.0 if which is None else np.where(which, 0, self.seconds[:, rows])

    def reference(self, rows: Rows, in_call: Mask | None = None) -> Reference:
        """Return what is usual for the agents of `rows` before they are learnt from.

        Parameters
        ----------
        rows : ndarray of intp or slice
        in_call : ndarray of bool, shape (n,), optional
            Who is in a call; nobody by default.
        """
        seconds, spread_s = self.seconds[:, rows], self.spread_s[:, rows]
        scale = self.spread[:, rows] * (ABS_TO_SD * spread_s)
        scale += PRIOR_S * self.site
        scale /= spread_s + PRIOR_S
        np.maximum(scale, _FLOOR, out=scale)
        scale *= np.sqrt(1.0 + WANDERS_S / np.maximum(seconds, WINDOW_S))
        mean = self.mean[:, rows]
        if in_call is not None and in_call.any():
            mean = mean + np.where(in_call, self.call[:, rows], np.float32(0.0))
        return Reference(mean=mean, scale=scale, seconds=seconds)

    def learn(
        self,
        rows: Rows,
        values: Singles,
        step_s: Singles,
        reference: Reference,
        in_call: Mask | None = None,
    ) -> None:
        """Take one value of each feature in.

        Parameters
        ----------
        rows : ndarray of intp or slice
            Unique.
        values : ndarray of float32, shape (s, n)
            Finite; what is unknown stands with a time of 0.
        step_s : ndarray of float32, shape (s, n)
            Time each value stands for; 0 teaches nothing. [s]
        reference : Reference
            Of the same rows and context, from :meth:`reference`, after :meth:`age`.
        in_call : ndarray of bool, shape (n,), optional
        """
        step = np.minimum(step_s, LONGEST_STEP_S)
        seconds = reference.seconds + step
        share = step / np.maximum(seconds, _LEAST)
        first = (reference.seconds <= 0) & (step > 0)
        off = values - reference.mean
        limit = WINSOR * reference.scale
        np.clip(off, -limit, limit, out=off)
        if first.any():
            np.copyto(off, values - reference.mean, where=first)
        if in_call is not None:
            self._learn_call(rows, off, np.where(first, np.float32(0.0), step), in_call)
        self.mean[:, rows] += share * off
        self.seconds[:, rows] = seconds
        if first.any():
            step = np.where(first, np.float32(0.0), step)  # a level is no deviation from itself
        np.abs(off, out=off)
        spread_s = self.spread_s[:, rows]
        spread_s *= 1.0 - step / _SPREAD_HORIZON
        spread_s += step
        spread = self.spread[:, rows]
        off -= spread
        off *= step / np.maximum(spread_s, _LEAST)
        self.spread[:, rows] = spread + off
        self.spread_s[:, rows] = spread_s

    def _learn_call(self, rows: Rows, off: Singles, step: Singles, in_call: Mask) -> None:
        """Move the effect of a call by what level and effect did not explain.

        What a call adds beyond its effect lifts the level too, so that between
        calls values lie too low: both sides tell, each about half. No effect is
        taken as seen for `CALL_PRIOR_S` before the first call.
        """
        seen = self.call_s[:, rows]
        if not (in_call.any() or seen.any()):
            return
        seen = np.where(in_call, seen * (1.0 - step / _SPREAD_HORIZON) + step, seen)
        side = np.where(in_call, np.float32(2.0), np.float32(-2.0)) * (seen > 0)
        self.call[:, rows] += side * step / (seen + np.float32(CALL_PRIOR_S)) * off
        self.call_s[:, rows] = seen
