"""Scorers that break one promise each: the proof that every contract can fail.

Each is the plain reference scorer with one fault of a kind that people make.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.scoring.detector import ScoreBatch
from analytics.signals.features import FEATURE_INDEX
from analytics.signals.windows import FeatureBatch
from tests.contracts.scorer import contracts
from tests.contracts.scorer.protocol import STEP_S, Floats, Mask, Rows, Scorer, State, no, yes
from tests.contracts.scorer.two_signals import TwoSignals

_HEART = FEATURE_INDEX["heart_rate_bpm"]


class LearnsFirst(TwoSignals):
    def step(self, rows: Rows, batch: FeatureBatch, *, learn: Mask) -> ScoreBatch:
        other = self.from_arrays(self.to_arrays())
        TwoSignals.step(self, rows, batch, learn=learn)
        other.mean = self.mean  # what was learnt from this window judges it
        return TwoSignals.step(other, rows, batch, learn=no(len(rows)))


class FillsInTheCallersGaps(TwoSignals):
    def step(self, rows: Rows, batch: FeatureBatch, *, learn: Mask) -> ScoreBatch:
        found = super().step(rows, batch, learn=learn)
        np.nan_to_num(batch.values, copy=False)
        return found


class MindsTheCompany(TwoSignals):
    def step(self, rows: Rows, batch: FeatureBatch, *, learn: Mask) -> ScoreBatch:
        found = super().step(rows, batch, learn=learn)
        found.score *= 1.0 + 1e-12 * len(rows)
        return found


class NeverReadyWithoutHeart(TwoSignals):
    def step(self, rows: Rows, batch: FeatureBatch, *, learn: Mask) -> ScoreBatch:
        found = super().step(rows, batch, learn=learn)
        found.learning |= np.isnan(batch.values[:, _HEART])
        return found


class SaysZeroForUnknown(TwoSignals):
    def step(self, rows: Rows, batch: FeatureBatch, *, learn: Mask) -> ScoreBatch:
        found = super().step(rows, batch, learn=learn)
        np.nan_to_num(found.score, copy=False)
        return found


class GoesBackInTime(TwoSignals):
    def _in_order(self, at_s: Floats, newest_s: Floats) -> Mask:
        return yes(len(at_s))


class HearsTheFirstOnly(TwoSignals):
    def _in_order(self, at_s: Floats, newest_s: Floats) -> Mask:
        return at_s > newest_s


class RemembersEverything(TwoSignals):
    def __init__(self) -> None:
        super().__init__()
        self.history: list[NDArray[Any]] = []

    def step(self, rows: Rows, batch: FeatureBatch, *, learn: Mask) -> ScoreBatch:
        self.history.append(batch.values)
        return super().step(rows, batch, learn=learn)

    def to_arrays(self) -> State:
        arrays = super().to_arrays()
        del arrays["history"]
        return arrays


class ForgetsItsEvidence(TwoSignals):
    def to_arrays(self) -> State:
        return super().to_arrays() | {"evidence": np.zeros_like(self.evidence)}


class LearnsFromNothing(TwoSignals):
    def _learn(self, rows: Rows, at_s: Floats, values: Floats, teach: Mask) -> None:
        silent_s = at_s - self.taught_s[:, rows]  # for longer than another source takes
        gone = np.isnan(values) & (silent_s > STEP_S) & (silent_s < np.inf)
        super()._learn(rows, at_s, values, teach | (gone & teach.any(axis=0)))


class BelievesAnything(TwoSignals):
    largest = np.inf


class CountsTheSameTwice(TwoSignals):
    """Knows a second source by what it adds: the same once more is a new window."""

    def __init__(self) -> None:
        super().__init__()
        self.told = np.zeros(0)

    def ensure(self, n_rows: int) -> None:
        super().ensure(n_rows)
        self.told = np.pad(self.told, (0, len(self.at_s) - len(self.told)))

    def step(self, rows: Rows, batch: FeatureBatch, *, learn: Mask) -> ScoreBatch:
        told = np.isfinite(batch.values).sum(axis=1)
        same = (batch.at_s == self.at_s[rows]) & (told == self.told[rows])
        self.taught_s[:, rows[same]] = -np.inf
        self.told[rows] = told
        return super().step(rows, batch, learn=learn)


class HasFavourites(TwoSignals):
    def step(self, rows: Rows, batch: FeatureBatch, *, learn: Mask) -> ScoreBatch:
        found = super().step(rows, batch, learn=learn)
        found.score *= 1.0 + 1e-12 * rows
        return found


class LearnsFromEverything(TwoSignals):
    def step(self, rows: Rows, batch: FeatureBatch, *, learn: Mask) -> ScoreBatch:
        return super().step(rows, batch, learn=yes(len(rows)))


class TakesCalmForStrain(TwoSignals):
    def _fuse(self, off: Floats) -> Floats:
        return super()._fuse(np.abs(off))


class StartsOverWithEveryNewcomer(TwoSignals):
    def ensure(self, n_rows: int) -> None:
        if n_rows > len(self.at_s):
            TwoSignals.__init__(self)
        super().ensure(n_rows)


BROKEN: dict[contracts.Contract, type[Scorer]] = {
    contracts.scores_before_it_learns: LearnsFirst,
    contracts.leaves_its_inputs_alone: FillsInTheCallersGaps,
    contracts.a_batch_is_one_by_one: MindsTheCompany,
    contracts.copes_with_any_channels: NeverReadyWithoutHeart,
    contracts.nothing_known_is_learning: SaysZeroForUnknown,
    contracts.channels_come_in_any_order: HearsTheFirstOnly,
    contracts.late_windows_change_nothing: GoesBackInTime,
    contracts.memory_is_bounded: RemembersEverything,
    contracts.survives_a_restart: ForgetsItsEvidence,
    contracts.nan_never_spreads: LearnsFromNothing,
    contracts.nonsense_does_not_poison: BelievesAnything,
    contracts.a_duplicate_teaches_once: CountsTheSameTwice,
    contracts.agents_are_interchangeable: HasFavourites,
    contracts.what_must_not_teach_does_not: LearnsFromEverything,
    contracts.more_strain_never_scores_less: TakesCalmForStrain,
    contracts.newcomers_disturb_nobody: StartsOverWithEveryNewcomer,
}
"""The scorer that each contract must turn away."""
