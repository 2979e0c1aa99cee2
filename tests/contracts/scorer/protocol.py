"""What every scorer offers, and the floor that the contracts put before it.

To run the contracts on a scorer of your own, add its class to `SCORERS` in
``test_scorer_contracts.py``: nothing here knows how a scorer works.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from analytics.scoring.detector import ScoreBatch
from analytics.signals.features import FEATURES, Part
from analytics.signals.windows import CONTEXTS, FeatureBatch
from sensors.messages import ContextState
from sensors.signals import Channel

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Rows = NDArray[np.intp]
State = dict[str, NDArray[np.generic]]


class Scorer(Protocol):
    """What scores a floor: made with no arguments, one row per agent."""

    def ensure(self, n_rows: int) -> None:
        """Make room for agents 0 to n_rows - 1."""

    def step(self, rows: Rows, batch: FeatureBatch, *, learn: Mask) -> ScoreBatch:
        """Score one window of each agent, then learn from it where `learn` says so."""

    def to_arrays(self) -> State:
        """Return a copy of the whole state, one row per agent along the last axis."""

    @classmethod
    def from_arrays(cls, arrays: State) -> Self:
        """Return a scorer in that state."""


S = TypeVar("S", bound=Scorer)

START_S = 1_000_000.0
STEP_S = 5.0
LEARNT_S = 420.0  # seven calm minutes: every scorer has left *learning* by then

D = len(FEATURES)
SPREAD: Floats = np.array([feature.scale for feature in FEATURES])
SIGN: Floats = np.array([float(feature.sign) for feature in FEATURES])
SCORED: NDArray[np.intp] = np.flatnonzero([feature.weight > 0 for feature in FEATURES])

_IN_CALL = CONTEXTS.index(ContextState.ON_CALL)
_USUAL = {
    "heart_rate_bpm": 70.0,
    "device_rate_bpm": 70.0,
    "log_rmssd": 3.4,
    "log_sdnn": 3.7,
    "log_eda": 1.0,
    "skin_temp_c": 33.0,
    "dwell_ms": 100.0,
    "flight_ms": 130.0,
    "loudness_db": -30.0,
}
CENTRE: Floats = np.array([_USUAL.get(f.name, 4.0 * f.scale) for f in FEATURES])
"""Where the features of a calm agent lie: plausible, and otherwise of no importance."""


def features_of(*parts: Part) -> Mask:
    """Return which features belong to `parts`, shape (d,)."""
    return np.array([feature.part in parts for feature in FEATURES])


class Calm:
    """Calm agents, window by window; the same seed gives the same windows."""

    def __init__(self, n: int, seed: int = 0) -> None:
        self._rng = np.random.default_rng([n, seed])
        self.n = n
        self._source = np.zeros((n, len(Channel)), np.int64)

    def values(self) -> Floats:
        """Return one window's features, shape (n, d)."""
        return CENTRE + 0.1 * SPREAD * self._rng.normal(size=(self.n, D))

    def mixed(self, at_s: float) -> tuple[FeatureBatch, Mask]:
        """Return one window of a real floor: gaps, poor quality, movement, calls, other devices."""
        values = self.values()
        values[self._rng.uniform(size=values.shape) < 0.15] = np.nan
        made = window(at_s, values, quality=self._rng.uniform(0.3, 1.0, values.shape))
        made.moving[:] = self._rng.uniform(size=self.n) < 0.2
        made.context[:] = _IN_CALL * (self._rng.uniform(size=self.n) < 0.3)
        self._source += self._rng.uniform(size=self._source.shape) < 0.005
        made.source[:] = self._source
        return made, self._rng.uniform(size=self.n) < 0.8


def window(
    at_s: float | Floats, values: Floats, *, quality: float | Floats = 1.0, moving: bool = False
) -> FeatureBatch:
    """Return one window of each of n agents."""
    n = len(values)
    return FeatureBatch(
        at_s=np.broadcast_to(np.asarray(at_s, dtype=np.float64), n).copy(),
        values=values.copy(),
        quality=np.where(np.isfinite(values), quality, 0.0),
        moving=np.full(n, moving),
    )


def everyone(n: int) -> Rows:
    """Return the rows of n agents."""
    return np.arange(n, dtype=np.intp)


def yes(n: int) -> Mask:
    """Return *learn* for n agents."""
    return np.ones(n, dtype=bool)


def no(n: int) -> Mask:
    """Return *do not learn* for n agents."""
    return np.zeros(n, dtype=bool)


def tell(scorer: Scorer, batch: FeatureBatch, learn: Mask, rows: Rows | None = None) -> ScoreBatch:
    """Return what `scorer` says of a batch; it gets a copy, so that no other sees it changed."""
    n = len(batch.at_s)
    chosen = everyone(n) if rows is None else rows.copy()
    return scorer.step(chosen, batch.take(everyone(n)), learn=learn.copy())


def settled(make: type[S], n: int) -> tuple[S, S, float, Calm]:
    """Return two scorers that know the same n calm agents, the time, and how they go on."""
    calm, at_s = Calm(n), START_S
    pair = make(), make()
    for scorer in pair:
        scorer.ensure(n)
    while at_s < START_S + LEARNT_S:
        at_s += STEP_S
        batch = window(at_s, calm.values())
        for scorer in pair:
            tell(scorer, batch, yes(n))
    return *pair, at_s, calm


def same(one: ScoreBatch, other: ScoreBatch, index: Rows | None = None) -> bool:
    """Return whether two results are equal bit for bit, of `other` at `index`."""
    pick = everyone(len(one.score)) if index is None else index
    return all(
        np.array_equal(getattr(one, f.name), getattr(other, f.name)[pick], equal_nan=True)
        if getattr(one, f.name).dtype.kind == "f"
        else np.array_equal(getattr(one, f.name), getattr(other, f.name)[pick])
        for f in fields(ScoreBatch)
    )


def same_score(one: ScoreBatch, other: ScoreBatch) -> bool:
    """Return whether two results agree in all that the evidence of the past leaves alone."""
    return all(
        np.allclose(getattr(one, name), getattr(other, name), rtol=1e-6, equal_nan=True)
        for name in ("score", "strain_index", "quality", "part_contribution")
    ) and bool((one.learning == other.learning).all())


def near(one: Floats, other: Floats) -> bool:
    """Return whether two answers differ by no more than what one window teaches."""
    return np.allclose(one, other, rtol=0.0, atol=0.1, equal_nan=True)


def bytes_of(scorer: Scorer) -> dict[str, bytes]:
    """Return the whole state as bytes."""
    return {name: array.tobytes() for name, array in scorer.to_arrays().items()}
