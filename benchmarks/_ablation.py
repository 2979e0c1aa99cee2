"""Whether the parts that an alert names are those that it rests on: by leaving each out.

At every alert of a simulated floor the window that raised it is scored again
by the same detector in the same state, once without each part's features. A
part counts for as much as the evidence of the last minute falls when it is
left out.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.alerts.common_cause import contributions
from analytics.scoring.detector import Detector, ScoreBatch
from analytics.scoring.episodes import Episodes, threshold_for
from analytics.scoring.measured import good
from analytics.signals.features import FEATURES, PARTS, UNKNOWN_LEVEL
from analytics.signals.windows import FeatureBatch
from analytics.simulation import Scenario, simulate

Floats = NDArray[np.float64]

SCENARIO = Scenario(
    episodes_per_shift=12.0,
    strength=1.0,
    ramp_s=(60.0, 300.0),
    hold_s=(300.0, 600.0),
    first_s=1500.0,
)
"""Clear and frequent episodes: alerts to be explained, not to be found."""

_TEAM = 10
_SAME = 1e-6  # scores are sums of single-precision numbers


@dataclass(frozen=True, slots=True)
class Explained:
    """One alert: what it named, and what leaving each part out takes from its evidence.

    Parameters
    ----------
    named : tuple of str
        Parts, largest first.
    falls : dict of str to float
        By how much the evidence falls without the part; infinite if none is left,
        absent for a part that is unknown.
    """

    named: tuple[str, ...]
    falls: dict[str, float]

    @property
    def right(self) -> bool:
        """Whether no part that goes unnamed counts for more than one that is named."""
        others = [fall for part, fall in self.falls.items() if part not in self.named]
        return all(self.falls[part] >= max(others, default=-np.inf) - _SAME for part in self.named)

    @property
    def in_order(self) -> bool:
        """Whether those named stand in the order of what they count for."""
        falls = [self.falls[part] for part in self.named]
        return all(a >= b - _SAME for a, b in itertools.pairwise(falls))

    @property
    def harmless(self) -> int:
        """How many are named without which the evidence would not be lower."""
        return sum(self.falls[part] <= _SAME for part in self.named)


def said(detector: Detector, rows: NDArray[np.intp], scores: ScoreBatch) -> Floats:
    """Return what each known part adds to the evidence of the last minute, shape (n, P)."""
    return np.where(scores.part_level == UNKNOWN_LEVEL, np.nan, detector.lasting(rows))


def falls(before: dict[str, NDArray[np.generic]], row: int, window: FeatureBatch) -> Floats:
    """Return by how much the evidence of the last minute falls without each part, shape (P,).

    NaN where the part is unknown anyway, infinite where nothing would be left.
    """
    n = len(PARTS) + 1
    detector = Detector.from_arrays(
        {
            name: array if name == "site" else np.repeat(array[..., [row]], n, axis=-1)
            for name, array in before.items()
        }
    )
    batch, rows = window.take(np.zeros(n, np.intp)), np.arange(n)
    values, quality = batch.values.copy(), batch.quality.copy()
    for p, part in enumerate(PARTS):
        of_part = [feature.part is part for feature in FEATURES]
        values[p, of_part], quality[p, of_part] = np.nan, 0.0
    batch.values, batch.quality = values, quality
    each = said(detector, rows, detector.step(rows, batch, learn=np.zeros(n, bool)))
    known = np.isfinite(each)
    total = np.where(known.any(axis=1), np.where(known, each, 0.0).sum(axis=1), -np.inf)
    return np.where(known[-1], total[-1] - total[:-1], np.nan)


def explain(contribution: Floats, drops: Floats) -> Explained:
    """Return one alert's explanation, of shape (P,) both, beside the truth."""
    return Explained(
        named=tuple(part.part for part in contributions(contribution[None])),
        falls={p.value: float(f) for p, f in zip(PARTS, drops, strict=True) if not np.isnan(f)},
    )


def explanations(n_agents: int, hours: float, seed: int) -> list[Explained]:
    """Return the explanation of every alert of a simulated floor."""
    floor = simulate(n_agents, hours, seed, SCENARIO)
    detector, episodes = Detector(), Episodes()
    detector.ensure(n_agents)
    episodes.ensure(n_agents)
    rows, threshold, found = np.arange(n_agents), threshold_for(_TEAM), []
    for k in range(len(floor.t_s)):
        batch = floor.moment(k)
        before = detector.to_arrays()
        learn = ~episodes.active(rows) & good(batch)
        scores = detector.step(rows, batch, learn=learn)
        now = episodes.step(rows, batch.at_s, scores.evidence, threshold, ~scores.learning)
        for row in np.flatnonzero(now.began).tolist():
            drops = falls(before, row, batch.take(np.array([row])))
            found.append(explain(said(detector, rows, scores)[row], drops))
    return found
