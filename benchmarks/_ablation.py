"""Whether the parts that an alert names are those that it rests on: by leaving each out.

At every alert of a simulated floor the window that raised it is scored again,
by detectors that were in the same state before it: one for each part, which
is not shown that part's features. A part counts for as much as the evidence
that the threshold is held against, as any detector says it, falls without it;
nothing of what the alert itself went by is asked.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.scoring.detector import Detector
from analytics.scoring.episodes import Episodes, threshold_for
from analytics.scoring.explanation import contributions
from analytics.scoring.measured import good
from analytics.signals.features import FEATURES, PARTS
from analytics.signals.windows import FeatureBatch
from analytics.simulation import Scenario, simulate
from sensors.messages import Contribution

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
        By how much the evidence falls without the part: to 0 if nothing is left
        that is known; absent for a part that is unknown.
    """

    named: tuple[str, ...]
    falls: dict[str, float]

    @property
    def right(self) -> bool:
        """Whether the evidence needs every part that is named, and none unnamed more than it."""
        others = [fall for part, fall in self.falls.items() if part not in self.named]
        least = max(others, default=-np.inf) - _SAME
        return not self.harmless and all(self.falls[part] >= least for part in self.named)

    @property
    def in_order(self) -> bool:
        """Whether those named stand in the order of what they count for."""
        falls = [self.falls[part] for part in self.named]
        return all(a >= b - _SAME for a, b in itertools.pairwise(falls))

    @property
    def harmless(self) -> int:
        """How many are named without which the evidence would not be lower."""
        return sum(self.falls[part] <= _SAME for part in self.named)


def falls(before: dict[str, NDArray[np.generic]], row: int, window: FeatureBatch) -> Floats:
    """Return by how much the evidence falls without each part, shape (P,); NaN where unknown."""
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
    scores = detector.step(rows, batch, learn=np.zeros(n, bool))
    found = np.nan_to_num(scores.evidence)
    known = np.isfinite(scores.part_contribution[-1])
    return np.where(known, found[-1] - found[:-1], np.nan)


def explain(named: tuple[Contribution, ...], drops: Floats) -> Explained:
    """Return what one alert names beside the truth, the latter of shape (P,)."""
    return Explained(
        named=tuple(part.part for part in named),
        falls={p.value: float(f) for p, f in zip(PARTS, drops, strict=True) if not np.isnan(f)},
    )


def explanations(
    n_agents: int, hours: float, seed: int, scenario: Scenario = SCENARIO
) -> list[Explained]:
    """Return the explanation of every alert of a simulated floor."""
    floor = simulate(n_agents, hours, seed, scenario)
    detector, episodes = Detector(), Episodes()
    detector.ensure(n_agents)
    episodes.ensure(n_agents)
    rows, threshold, found = np.arange(n_agents), threshold_for(_TEAM), []
    for k in range(len(floor.t_s)):
        batch = floor.moment(k)
        before = detector.to_arrays()
        learn = ~episodes.firing(rows) & good(batch)
        scores = detector.step(rows, batch, learn=learn)
        now = episodes.step(rows, batch.at_s, scores.evidence, threshold, ~scores.learning)
        for row in np.flatnonzero(now.began).tolist():
            named = contributions(*detector.rests_on(rows[[row]], scores.part_level[[row]]))
            drops = falls(before, row, batch.take(np.array([row])))
            found.append(explain(named, drops))
    return found
