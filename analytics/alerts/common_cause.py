"""Common cause: when many of a team differ together, the cause is the work.

One team alert then stands for many personal ones (DESIGN, Scoring 5).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.scoring.fusion import band, is_usual
from analytics.signals.features import PARTS
from sensors.messages import Contribution

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

TOGETHER_S = 300.0
"""Episodes that begin within so long of each other may share a cause. [s]

An outage is felt by everyone within a few calls. (this project)
"""

LEAST_AGENTS = 3
"""Two people may have had a bad call each; below three nobody speaks of the work."""

LEAST_SHARE = 0.4
"""Share of the judged agents from which the work is the simpler explanation."""

LEAST_GATHERING = 2
"""One person alone is never the beginning of a common cause."""

TOP = 3
"""Contributions that an alert names."""

LEAST_NAMED = 0.2
"""Share of the evidence from which a part is named that lies within its usual range.

Averaged over a minute, somewhat above the usual in one part can weigh more than
far above in another. The largest of five is never smaller. (this project)
"""


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


def needed(judged: int) -> int:
    """Return how many of `judged` agents must differ together."""
    return max(LEAST_AGENTS, int(np.ceil(LEAST_SHARE * judged)))


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


def contributions(contribution: Floats) -> tuple[Contribution, ...]:
    """Return the parts that the evidence rests on, largest first, with their direction.

    The three largest; but from the first on that lies within the usual range
    and adds little (`LEAST_NAMED`), none: it would explain nothing, and what
    adds more is never left out before it.

    Parameters
    ----------
    contribution : ndarray of float64, shape (n, P)
        What each part adds to the evidence of one agent, or of all who differ
        together; NaN unknown.
    """
    known = np.isfinite(contribution)
    total = np.where(known, contribution, 0.0).sum(axis=0)
    mean = total / np.maximum(known.sum(axis=0), 1)  # of those in whom it is known
    level, order = band(mean), np.argsort(-total, kind="stable")[:TOP]
    small = total < LEAST_NAMED * np.maximum(total, 0.0).sum()
    worth = (total > 0) & ~(is_usual(mean) & small)  # what speaks against it explains nothing
    named = order[np.logical_and.accumulate(worth[order])]
    return tuple(Contribution(part=PARTS[i].value, level=int(level[i])) for i in named)
