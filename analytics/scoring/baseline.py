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
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from analytics.scoring import site_prior
from analytics.scoring.choice import Rows, put
from analytics.signals.features import FEATURES
from sensors.messages import WINDOW_S

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
NEVER_ZERO = np.float32(1e-30)
"""Put to a divisor that may be 0; lost in any other."""
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

    def apart(self, values: Singles) -> Apart:
        """Return how far `values` lie from what is usual."""
        off = values - self.mean
        return Apart(off, off / self.scale)


@dataclass(slots=True)
class Apart:
    """How far values lie from what is usual, above 0 where they are higher; shape (s, n).

    Parameters
    ----------
    off : ndarray of float32
        [unit of the feature]
    spreads : ndarray of float32
        The same in spreads.
    """

    off: Singles
    spreads: Singles


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
        """Let what is known of the levels of `rows` grow old by `elapsed_s`, shape (n,) or (1,)."""
        keep = _kept_after(float(elapsed_s[0])) if len(elapsed_s) == 1 else _kept(elapsed_s)
        seconds = self.seconds[:, rows]
        seconds *= keep
        put(self.seconds, rows, seconds)

    def reopen(self, rows: Rows, which: Mask | None = None) -> None:
        """Learn the level of `rows` anew; keep how far values stray from it.

        Parameters
        ----------
        rows : ndarray of intp or slice
        which : ndarray of bool, shape (s, n) or (s, 1), optional
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
        scale = np.float32(ABS_TO_SD) * spread_s
        scale *= self.spread[:, rows]
        scale += PRIOR_S * self.site
        scale /= spread_s + np.float32(PRIOR_S)
        np.maximum(scale, _FLOOR, out=scale)
        young = np.maximum(seconds, np.float32(WINDOW_S))
        np.divide(np.float32(WANDERS_S), young, out=young)
        young += np.float32(1.0)
        scale *= np.sqrt(young, out=young)
        mean = self.mean[:, rows]
        if in_call is not None and np.count_nonzero(in_call):
            mean = mean + self.call[:, rows] * in_call
        return Reference(mean=mean, scale=scale, seconds=seconds)

    def learn(
        self,
        rows: Rows,
        apart: Apart,
        step_s: Singles,
        reference: Reference,
        in_call: Mask | None = None,
    ) -> None:
        """Take one value of each feature in.

        Parameters
        ----------
        rows : ndarray of intp or slice
            Unique.
        apart : Apart
            Of the values, from `reference`; finite, what is unknown stands with a
            time of 0. Used up: not to be read afterwards.
        step_s : ndarray of float32, shape (s, n)
            Time each value stands for, at most `LONGEST_STEP_S`; 0 teaches nothing. [s]
        reference : Reference
            Of the same rows and context, from :meth:`reference`, after :meth:`age`.
        in_call : ndarray of bool, shape (n,), optional
        """
        first = (reference.seconds <= 0) & (step_s > 0)
        off, counted = apart.off, step_s
        wild = np.abs(apart.spreads) > WINSOR
        if np.count_nonzero(first):
            wild &= ~first
            counted = np.where(first, np.float32(0.0), step_s)
        _cut(off, reference.scale, wild)
        if in_call is not None:
            self._learn_call(rows, off, counted, in_call)
        seconds, mean = self.seconds[:, rows], self.mean[:, rows]
        seconds += step_s
        share = step_s / (seconds + NEVER_ZERO)
        share *= off
        mean += share
        put(self.seconds, rows, seconds)
        put(self.mean, rows, mean)
        self._learn_spread(rows, np.abs(off, out=off), counted)

    def _learn_spread(self, rows: Rows, off: Singles, step: Singles) -> None:
        """Take in how far values were off; a level is no deviation from itself."""
        spread, spread_s = self.spread[:, rows], self.spread_s[:, rows]
        fade = step / _SPREAD_HORIZON
        np.subtract(np.float32(1.0), fade, out=fade)
        spread_s *= fade
        spread_s += step
        off -= spread
        off *= step / (spread_s + NEVER_ZERO)
        spread += off
        put(self.spread, rows, spread)
        put(self.spread_s, rows, spread_s)

    def _learn_call(self, rows: Rows, off: Singles, step: Singles, in_call: Mask) -> None:
        """Move the effect of a call by what level and effect did not explain.

        What a call adds beyond its effect lifts the level too, so that between
        calls values lie too low: both sides tell, each about half. No effect is
        taken as seen for `CALL_PRIOR_S` before the first call.
        """
        seen = self.call_s[:, rows]
        if not (np.count_nonzero(in_call) or seen.max(initial=0.0)):
            return
        during = step * in_call
        fade = during / _SPREAD_HORIZON
        np.subtract(np.float32(1.0), fade, out=fade)
        seen *= fade
        seen += during
        gain = step / (seen + np.float32(CALL_PRIOR_S))
        gain *= np.where(in_call, np.float32(2.0), np.float32(-2.0))
        gain *= seen > 0
        gain *= off
        call = self.call[:, rows]
        call += gain
        put(self.call, rows, call)
        put(self.call_s, rows, seen)


def _kept(elapsed_s: Singles) -> Singles:
    """Return the share of what was known of each level that is left, shape (s, n)."""
    keep = 1.0 - elapsed_s / _HORIZON
    long = elapsed_s > LONGEST_STEP_S
    if long.any():
        keep[:, long] = np.exp(-elapsed_s[long] / _HORIZON)
    return keep


@lru_cache(maxsize=256)
def _kept_after(elapsed_s: float) -> Singles:
    return _kept(np.array([elapsed_s], np.float32))


def _cut(off: Singles, scale: Singles, wild: Mask) -> None:
    """Cut the few that are `wild` at `WINSOR` spreads."""
    index = np.flatnonzero(wild)
    if index.size:
        flat = off.reshape(-1)
        flat[index] = np.copysign(np.float32(WINSOR) * scale.reshape(-1)[index], flat[index])
