"""How far each agent's window is from the one before it: what ageing and evidence go by."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensors.messages import WINDOW_S

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(slots=True)
class Pace:
    """Steps in time of n agents; shapes (n,), or (1,) where it is the same for everybody.

    Nearly always every agent's window is the next one of the grid. What follows
    from the step, exponentials above all, is then computed once and not n times.

    Parameters
    ----------
    ahead : ndarray of bool
        Not older than the agent's newest.
    again : ndarray of bool
        Of the same moment as the newest.
    elapsed_s : ndarray of float32
        Since the newest; 0 for an agent's first window and for a late one. [s]
    step_s : ndarray of float64
        Since the newest of another moment, at least 0; a window's length for an
        agent's first. [s]
    even : bool
        Everybody's window is the next one, after the same time: shapes are (1,).
    """

    ahead: Mask
    again: Mask
    elapsed_s: Singles
    step_s: Floats
    even: bool = False

    @classmethod
    def of(cls, at_s: Floats, last_s: Floats, before_s: Floats) -> Pace:
        """Return the pace of windows that end at `at_s`.

        Parameters
        ----------
        at_s, last_s, before_s : ndarray of float64, shape (n,)
            End of this window, of the newest and of the newest of another
            moment than that; -inf where there was none. [s]
        """
        since = at_s - last_s
        if len(since) and since[0] > 0 and (since == since[0]).all():
            return _even(float(since[0]))
        step_s = np.where(since == 0, at_s - before_s, since)
        elapsed = np.maximum(since, 0.0)
        return cls(
            ahead=since >= 0,
            again=since == 0,
            elapsed_s=np.where(np.isfinite(elapsed), elapsed, 0.0).astype(np.float32),
            step_s=np.where(np.isfinite(step_s), np.maximum(step_s, 0.0), WINDOW_S),
        )


def _even(since_s: float) -> Pace:
    first = math.isinf(since_s)
    return Pace(
        ahead=_YES,
        again=_NO,
        elapsed_s=np.array([0.0 if first else since_s], np.float32),
        step_s=np.array([WINDOW_S if first else since_s]),
        even=True,
    )


_YES, _NO = np.ones(1, bool), np.zeros(1, bool)
