"""A plain scorer for the contracts: two signed deviations, added. No detector of ours.

Heart rate against its own hour and log skin conductance against its own ten
minutes, each over a fixed spread and squashed; what the recordings' own page
gives as the reference to beat.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from scipy.special import ndtr

from analytics.scoring.detector import ScoreBatch
from analytics.signals.features import FEATURE_INDEX, PARTS, UNKNOWN_LEVEL, Part
from analytics.signals.windows import FeatureBatch
from tests.contracts.scorer.protocol import Floats, Mask, Rows, State

_COLUMNS = [FEATURE_INDEX["heart_rate_bpm"], FEATURE_INDEX["log_eda"]]
_PARTS = [PARTS.index(Part.HEART), PARTS.index(Part.SKIN)]
_SPREAD = np.array([[4.0], [0.2]])
_HORIZON_S = np.array([[3600.0], [600.0]])
_SQUASH = 2.0
_LEVELS = (0.8, 1.6)
_KNOWN_S = 60.0
_LEARNT_S = 300.0
_EVIDENCE_S = 20.0


class TwoSignals:
    """Mean of each signal, time it rests on, evidence; one column per agent.

    Another source may tell more of the newest moment: each signal is learnt
    from once per moment, and the evidence of a moment told again is made anew.
    """

    largest = 1e4  # nothing a body does comes near it

    def __init__(self) -> None:
        self.mean = np.zeros((2, 0))
        self.seconds = np.zeros((2, 0))
        self.taught_s = np.zeros((2, 0))
        self.evidence = np.zeros(0)
        self.before = np.zeros(0)  # the evidence of earlier moments than the newest
        self.at_s = np.zeros(0)

    def ensure(self, n_rows: int) -> None:
        added = max(0, n_rows - len(self.at_s))
        self.mean = np.pad(self.mean, ((0, 0), (0, added)))
        self.seconds = np.pad(self.seconds, ((0, 0), (0, added)))
        self.taught_s = np.pad(self.taught_s, ((0, 0), (0, added)), constant_values=-np.inf)
        self.evidence = np.pad(self.evidence, (0, added))
        self.before = np.pad(self.before, (0, added))
        self.at_s = np.pad(self.at_s, (0, added), constant_values=-np.inf)

    def to_arrays(self) -> State:
        return {name: array.copy() for name, array in vars(self).items()}

    @classmethod
    def from_arrays(cls, arrays: State) -> Self:
        made = cls()
        for name, array in arrays.items():
            setattr(made, name, array.copy())
        return made

    def step(self, rows: Rows, batch: FeatureBatch, *, learn: Mask) -> ScoreBatch:
        found = _unknown(len(rows))
        values, quality = batch.values[:, _COLUMNS].T, batch.quality[:, _COLUMNS].T
        given = np.abs(values) < self.largest  # false of NaN
        off = np.clip((values - self.mean[:, rows]) / _SPREAD, -_SQUASH, _SQUASH)
        usable = given & (self.seconds[:, rows] >= _KNOWN_S) & (quality > 0)
        total = self._fuse(np.where(usable, off, 0.0)) / np.sqrt(np.maximum(usable.sum(axis=0), 1))
        some = usable.any(axis=0)
        found.learning[:] = ~(usable & (self.seconds[:, rows] >= _LEARNT_S)).any(axis=0)
        found.score[some] = np.log1p(np.exp(total[some]))
        found.strain_index[some] = 100.0 * ndtr(total[some])
        found.quality[some] = np.where(usable, quality, 0.0).max(axis=0)[some]
        in_order = self._in_order(batch.at_s, self.at_s[rows])
        new = batch.at_s > self.at_s[rows]
        before = np.where(new, self.evidence[rows], self.before[rows])
        after = before + 5.0 / _EVIDENCE_S * (total - before)
        self.evidence[rows] = np.where(in_order & some, after, self.evidence[rows])
        self.before[rows] = before
        found.evidence[some] = np.maximum(self.evidence[rows], 0.0)[some]
        level = np.sum([off >= line for line in _LEVELS], axis=0)
        level -= np.sum([off <= -line for line in _LEVELS], axis=0)
        found.part_level[:, _PARTS] = np.where(usable, level, UNKNOWN_LEVEL).T
        found.part_contribution[:, _PARTS] = np.where(usable, off, np.nan).T
        self.at_s[rows] = np.where(in_order, batch.at_s, self.at_s[rows])
        untaught = batch.at_s > self.taught_s[:, rows]
        self._learn(rows, batch.at_s, values, given & learn & in_order & untaught)
        return found

    def _in_order(self, at_s: Floats, newest_s: Floats) -> Mask:
        return at_s >= newest_s

    def _fuse(self, off: Floats) -> Floats:
        return off[0] + off[1]

    def _learn(self, rows: Rows, at_s: Floats, values: Floats, teach: Mask) -> None:
        self.taught_s[:, rows] = np.where(teach, at_s, self.taught_s[:, rows])
        seconds = np.minimum(self.seconds[:, rows] + np.where(teach, 5.0, 0.0), _HORIZON_S)
        share = np.where(teach, 5.0 / np.maximum(seconds, 5.0), 0.0)
        taken = np.where(teach, values, self.mean[:, rows])
        self.mean[:, rows] += share * (taken - self.mean[:, rows])
        self.seconds[:, rows] = seconds


def _unknown(n: int) -> ScoreBatch:
    """Return a result in which nothing is known."""
    return ScoreBatch(
        score=np.full(n, np.nan),
        strain_index=np.full(n, np.nan),
        evidence=np.full(n, np.nan),
        learning=np.ones(n, dtype=bool),
        quality=np.zeros(n),
        part_level=np.full((n, len(PARTS)), UNKNOWN_LEVEL, dtype=np.int8),
        part_contribution=np.full((n, len(PARTS)), np.nan),
    )
