"""Which parts an alert names: those that its evidence would fall most without.

Two quantities of each part are kept apart. What it *adds* to the evidence is
how far that falls when the part is left out (`Evidence.rests_on`); by it parts
are chosen and ordered. What it *says* by itself, a log-likelihood ratio,
chooses the word.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analytics.scoring.fusion import band, is_usual
from analytics.signals.features import PARTS
from sensors.messages import Contribution

Values = NDArray[np.floating]

TOP = 3
"""Parts that an alert names."""

LEAST_NAMED = 0.2
"""Share of what all parts add from which a part is named that lies within its usual range.

Somewhat above the usual in one part can add more than far above in another.
The largest of five is never smaller. (this project)
"""


def contributions(adds: Values, says: Values) -> tuple[Contribution, ...]:
    """Return the parts that the evidence rests on, largest first, with their direction.

    The three without which it falls most. From the first on that it does not
    need, or that lies within the usual range and adds little (`LEAST_NAMED`),
    none: it would explain nothing, and what adds more is never left out before
    it. Where parts say the same and each could be spared, the first is named.

    Parameters
    ----------
    adds, says : ndarray of float, shape (n, P)
        Of one agent, or of all who differ together: what each part adds to the
        evidence [spreads], and its log-likelihood ratio; NaN unknown.
    """
    known = np.isfinite(adds)
    mean = np.where(known, says, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    # What does not speak for strain explains none, whoever of several needs it.
    total = np.where(mean > 0, np.where(known, adds, 0.0).sum(axis=0), -np.inf)
    level, order = band(mean), np.argsort(-total, kind="stable")[:TOP]
    small = total < LEAST_NAMED * np.maximum(total, 0.0).sum()
    worth = (total > 0) & ~(is_usual(mean) & small)
    named = order[np.logical_and.accumulate(worth[order])]
    if not named.size:
        named = order[:1][mean[order[:1]] > 0]
    return tuple(Contribution(part=PARTS[i].value, level=int(level[i])) for i in named)
