"""How far values usually stray at this site: what a new agent's baseline begins with.

Pure functions of arrays. The shipped spreads come from the literature; a site
has its own headsets, chairs and work. Once enough of its agents are known for
long enough, the middle one of them is the better guess for whoever is new.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Singles = NDArray[np.float32]

SEASONED_S = 3600.0
"""An agent counts once their own spread rests on this much observation. [s]"""

LEAST_AGENTS = 5
"""With fewer seasoned agents the shipped spread stands: no guess rests on one or two people."""

SHIPPED_WORTH = 5.0
"""How many agents the shipped spread counts for. [agents]"""


def spread(own: Singles, seen_s: Singles, shipped: Singles) -> Singles:
    """Return each feature's usual spread at this site.

    Parameters
    ----------
    own : ndarray of float32, shape (s, n)
        Every agent's own spread, as a standard deviation. [unit of the feature]
    seen_s : ndarray of float32, shape (s, n)
        Observation it rests on. [s]
    shipped : ndarray of float32, shape (s, 1)
        Spread before any agent is known. [unit of the feature]

    Returns
    -------
    ndarray of float32, shape (s, 1)
        The median of the seasoned agents, shrunk towards `shipped`, which counts
        for `SHIPPED_WORTH` of them; `shipped` where fewer than `LEAST_AGENTS` are.
    """
    found: Singles = shipped.copy()
    for row, (values, seasoned) in enumerate(zip(own, seen_s >= SEASONED_S, strict=True)):
        count = int(seasoned.sum())
        if count >= LEAST_AGENTS:
            middle = float(np.median(values[seasoned]))
            total = SHIPPED_WORTH * float(shipped[row, 0]) + count * middle
            found[row] = total / (SHIPPED_WORTH + count)
    return found
