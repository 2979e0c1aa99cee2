"""How far a person's parts stray together when nothing is the matter.

Parts that stray together, as in a warm room or after a meal, are fewer
witnesses than they are parts. How far they do is learnt for each person: of
what any two parts would say together were they one, the share that they do.
It is learnt while all of them together lie below the usual, where no strain
is: noise has two sides, and parts agree on the one as they do on the other.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analytics.scoring.baseline import LONGEST_STEP_S, NEVER_ZERO
from analytics.scoring.fusion import SLOPE, sum_down
from analytics.scoring.pace import Pace

Singles = NDArray[np.float32]

TOGETHER_PRIOR_S = 500.0
"""So much time in which parts stray one by one stands against what is seen of a person. [s]"""

TOGETHER_HORIZON_S = 8 * 3600.0
"""Over so much own time it is learnt. [s] About two shifts."""

TOGETHER_COUNTS = 2.0
"""What is found counts this many times.

Log ratios rise faster the higher a part lies: what all parts share tells more
upwards than it does near the usual.
"""

TOGETHER_SURE = 3.0
"""A correlation r counts for the share 3 r of itself, at most 1: hours do not tell a small one from none."""

_SLOPE_SQUARED = SLOPE**2
_EVERY_PAIR = np.float32(SLOPE.sum() ** 2 - _SLOPE_SQUARED.sum())
_NO_PAIRS = np.float32(1e-3)
"""One part alone tells nothing of this, and its rounding must not."""


def shares(certainty: Singles) -> tuple[Singles, Singles, Singles]:
    """Return how far what each part says strays, and the sums of that over parts and pairs.

    Near the usual a part says about q d z, of unit z. A doubtful part leaves
    this more slowly (c to the power of 1/8) than it leaves what is said: doubt
    then always makes for less evidence.

    Parameters
    ----------
    certainty : ndarray of float32, shape (..., P, n)

    Returns
    -------
    share : ndarray of float32, shape (..., P, n)
    alone, pairs : ndarray of float32, shape (..., n)
        Sum of the squares of the shares; of the products of any two, both ways round.
    """
    square = np.sqrt(np.sqrt(certainty))
    square *= _SLOPE_SQUARED
    alone = sum_down(square)
    share = np.sqrt(square, out=square)
    pairs = sum_down(share)
    pairs *= pairs
    pairs -= alone
    np.maximum(pairs, np.float32(0.0), out=pairs)
    return share, alone, pairs


def counted(together: Singles, together_of: Singles) -> Singles:
    """Return for how much of one part any two of an agent's count, 0 to 1, shape (n,).

    Parameters
    ----------
    together, together_of : ndarray of float32, shape (n,)
        Kept by :func:`learn`; their ratio is the correlation of any two parts.
    """
    found = together / (together_of + np.float32(TOGETHER_PRIOR_S) * _EVERY_PAIR)
    np.maximum(found, np.float32(0.0), out=found)
    sure = np.minimum(found * np.float32(TOGETHER_SURE), np.float32(1.0))
    found *= np.float32(TOGETHER_COUNTS)
    np.minimum(found, np.float32(1.0), out=found)
    found *= sure
    return found


def learn(  # noqa: PLR0917 - what is kept, and then what was seen
    together: Singles,
    together_of: Singles,
    pace: Pace,
    spreads: Singles,
    share: Singles,
    pairs: Singles,
) -> None:
    """Learn, in place, from one window of n agents.

    Parameters
    ----------
    together, together_of : ndarray of float32, shape (n,)
        Time times what pairs of parts said together, and would say were they one.
    pace : Pace
    spreads : ndarray of float32, shape (P, n)
        The longer average, in spreads of its own; used up.
    share, pairs : ndarray of float32, shapes (P, n) and (n,)
        From :func:`shares`.
    """
    spreads *= share
    said = sum_down(spreads)
    spreads *= spreads
    squares = sum_down(spreads)
    step_s = np.minimum(pace.step_s, LONGEST_STEP_S).astype(np.float32) * (said < 0)
    step_s *= pairs > _NO_PAIRS
    fade = step_s * np.float32(-1.0 / TOGETHER_HORIZON_S)
    fade += np.float32(1.0)
    together *= fade
    together_of *= fade
    said *= said
    said -= squares
    said *= step_s
    together += said
    # Were they one, each pair would say what its two parts did, in their mean.
    share *= share
    squares *= pairs
    squares /= sum_down(share) + NEVER_ZERO
    squares *= step_s
    together_of += squares
