"""Common cause: when many of a team differ together, the cause is the work.

One team alert then stands for many personal ones (DESIGN, Scoring 5).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from analytics.scoring.episodes import NULL_CURVE
from analytics.scoring.leanings import LINE

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

TOGETHER_S = 300.0
"""Episodes that begin within so long of each other may share a cause. [s]

An outage is felt by everyone within a few calls. (this project)
"""

LEAST_AGENTS = 3
"""Two people may have had a bad call each; below three nobody speaks of the work."""

LEAST_SHARE = 0.2
"""Fewer than one in five of the judged agents are no common cause, however unlikely by chance.

Five of fifty who sit at one table may well share something; it is hardly the work. (this project)
"""

CALM_TOGETHER = 2.0
"""By chance all of a team may for a while lean this many times as often as they usually do.

Calm agents are not quite independent: a meeting ends, lunch is over, the room
is warm. How many are needed is sized on that. (this project)
"""

FALSE_PER_TEAM_HOUR = 0.01
"""Team alerts by chance while that is so. [1/h]

Else at most an eighth, of three people who come half as often: once in five
months of shifts. A personal alert may be false once in two hours of a team.
(this project)
"""

LEAST_GATHERING = 2
"""One person alone is never the beginning of a common cause."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Which agents of a team differ together.

    Parameters
    ----------
    affected : ndarray of bool, shape (n,)
    started_s : float
        When the first of them began. [s since the epoch]
    judged : int
        Agents of the team who could be judged.
    """

    affected: Mask
    started_s: float
    judged: int


@cache
def needed(judged: int) -> int:
    """Return how many of `judged` agents must differ together, whom chance would not bring together.

    Calm agents come above the line like a Poisson process: one begins, and
    others follow within `TOGETHER_S`. It makes too much of chance: they must
    still stand there.
    """
    per_hour = CALM_TOGETHER * dict(NULL_CURVE)[LINE] * judged
    many = max(LEAST_AGENTS, math.ceil(LEAST_SHARE * judged))
    while per_hour * _at_least(many - 1, per_hour * TOGETHER_S / 3600.0) > FALSE_PER_TEAM_HOUR:
        many += 1
    return many


def _at_least(count: int, mean: float) -> float:
    """Return the chance that a Poisson variable is `count` or more."""
    just, fewer = math.exp(-mean), 0.0
    for k in range(count):
        fewer += just
        just *= mean / (k + 1)
    return 1.0 - fewer


def find(active: Mask, pending: Mask, started_s: Floats, judged: Mask) -> Cause | None:
    """Return the common cause of one team's agents, if there is one now.

    Parameters
    ----------
    active, pending : ndarray of bool, shape (n,)
        Episode stands; or is above threshold and not yet long enough.
    started_s : ndarray of float64, shape (n,)
        When each went above threshold. [s since the epoch]
    judged : ndarray of bool, shape (n,)
        Who can be judged now.

    Notes
    -----
    At least half of them must have lasted long enough to be episodes: a blip
    that everybody's sensors share for one window is no cause.
    """
    above = (active | pending) & judged & np.isfinite(started_s)
    total, need = int(judged.sum()), needed(int(judged.sum()))
    if int(above.sum()) < need:
        return None
    starts = np.sort(started_s[above])
    # The fullest five minutes; the earliest of equals.
    counts = np.searchsorted(starts, starts + TOGETHER_S, side="right") - np.arange(len(starts))
    first = int(np.argmax(counts))
    if counts[first] < need:
        return None
    start = float(starts[first])
    affected = above & (started_s >= start) & (started_s <= start + TOGETHER_S)
    if 2 * int((affected & active).sum()) < need:
        return None
    return Cause(affected, start, total)


def gathers(above: Mask, started_s: Floats, judged: Mask) -> bool:
    """Return whether half of what makes a cause, and two at least, began lately together.

    Parameters
    ----------
    above : ndarray of bool, shape (n,)
        Above threshold, whether or not for long enough.
    started_s : ndarray of float64, shape (n,)
        When each went above threshold. [s since the epoch]
    judged : ndarray of bool, shape (n,)
        Who can be judged now.
    """
    starts = started_s[above & judged & np.isfinite(started_s)]
    if len(starts) < LEAST_GATHERING:
        return False
    together = int((starts >= starts.max() - TOGETHER_S).sum())
    return together >= max(LEAST_GATHERING, needed(int(judged.sum())) / 2)


def persists(active: Mask, pending: Mask, judged: Mask) -> bool:
    """Return whether a cause that was found still holds: half of what raised it suffices."""
    above = int(((active | pending) & judged).sum())
    return 2 * above >= needed(int(judged.sum()))
