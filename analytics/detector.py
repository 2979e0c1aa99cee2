"""The strain score of every agent, and the evidence that builds up from it.

Each feature's signed deviation from the agent's own reference is squashed and
weighted by quality; features become parts, parts become one number whose
spread on calm data does not depend on which parts are known. Missing is not
calm: a missing part changes the certainty, not the score.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from analytics.baseline import LONGEST_STEP_S, Baseline, Reference, column
from analytics.features import FEATURE_INDEX, FEATURES, PARTS, UNKNOWN_LEVEL, Part
from analytics.windows import FeatureBatch
from sensors.messages import WINDOW_S

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Mask = NDArray[np.bool_]
Rows = NDArray[np.intp]

DETECTOR_VERSION = "1"
"""Changes whenever the same readings would give another score."""

SQUASH = 2.0
"""No single feature counts for more than this many spreads: robust to one bad channel."""

KNOWN_S = 60.0
"""A feature is scored once its reference has seen this much. [s]"""

LEARNING_S = 300.0
"""Until some part's reference has seen this much, the agent's baseline is learning. [s]"""

EVIDENCE_S = 20.0
"""Time constant with which the score becomes evidence. [s]"""

MOVEMENT = 0.5
"""Share of its weight a channel keeps that movement disturbs (TRUST A3)."""

GUESS = 0.4
"""Share of its weight a device's own rate keeps between the beats that it does find.

A device that finds beats at times and none now fills the gap with a guess; one
that never delivers beats is taken at its word.
"""

LEVELS = (0.8, 1.6)
"""A part is above (below) usual from the first, far above from the second. [spreads]"""

_CHUNK = 2048
"""Agents worked on at a time: the temporaries then stay in a core's cache."""

_SIGN = column("sign")
_WEIGHT = column("weight")
_DISTURBED = np.array([[f.part in {Part.HEART, Part.SKIN}] for f in FEATURES])
_BEAT_RATE = FEATURE_INDEX["heart_rate_bpm"]
_DEVICE_RATE = FEATURE_INDEX["device_rate_bpm"]  # stands in for the other, never beside it
_OF_PART = tuple(np.array([i for i, f in enumerate(FEATURES) if f.part is p]) for p in PARTS)
_SCORED = tuple(np.array([i for i in of if FEATURES[i].weight > 0]) for of in _OF_PART)
_LEAD_SIGN = np.array(
    [[FEATURES[max(of, key=lambda i: FEATURES[i].weight)].sign] for of in _SCORED], dtype=np.int8
)


@dataclass(slots=True)
class ScoreBatch:
    """Scores of n agents, one entry per row; NaN is unknown.

    Parameters
    ----------
    score : ndarray of float64, shape (n,)
        Distance from the agent's own usual in the direction of strain, >= 0.
    strain_index : ndarray of float64, shape (n,)
        0 to 100: the share of calm windows that would score lower, if calm
        scores spread normally.
    evidence : ndarray of float64, shape (n,)
        >= 0; what is compared with the threshold.
    learning : ndarray of bool, shape (n,)
        No part has a reference to speak of yet.
    quality : ndarray of float64, shape (n,)
        0 to 1.
    part_level : ndarray of int8, shape (n, P)
        -2 to 2: below or above the agent's usual; `UNKNOWN_LEVEL`.
    part_contribution : ndarray of float64, shape (n, P)
        Signed towards strain. [spreads]
    """

    score: Floats
    strain_index: Floats
    evidence: Floats
    learning: Mask
    quality: Floats
    part_level: NDArray[np.int8]
    part_contribution: Floats


class Detector:
    """Baseline, score and evidence of every agent."""

    def __init__(self) -> None:
        self._n = 0
        self._baseline = Baseline()
        self._evidence = np.zeros(0, dtype=np.float32)
        self._last_s = np.zeros(0, dtype=np.float64)
        # As they were before the last window, for a second source of the same moment.
        self._evidence_before = np.zeros(0, dtype=np.float32)
        self._before_s = np.zeros(0, dtype=np.float64)
        self._taught = np.zeros((len(FEATURES), 0), dtype=bool)

    def ensure(self, n_rows: int) -> None:
        """Make room for agents 0 to n_rows - 1; never shrinks."""
        have = len(self._last_s)
        if n_rows > have:
            room = max(n_rows, have + have // 4)
            for name, array in self._all().items():
                new = np.full((*array.shape[:-1], room), _blank_of(name), dtype=array.dtype)
                new[..., :have] = array
                self._set(name, new)
        self._n = max(self._n, n_rows)

    def forget_time(self, rows: Rows) -> None:
        """Begin again with the evidence of `rows`, whose clock was set back; keep baselines."""
        for name, array in self._all().items():
            if name not in _BASELINE:
                array[..., rows] = _blank_of(name)

    def usual(self, rows: Rows) -> tuple[Floats, Floats, Floats]:
        """Return every agent's usual range of every feature.

        It is the band in which a feature, known alone, keeps its part at level
        0 (*as usual*): the agent's own mean and `LEVELS[0]` spreads to either
        side. Seldom leaving it is not the point of it (of calm values spread
        normally, 58 % lie within); it is where the words *above* and *below*
        begin.

        Returns
        -------
        low, high : ndarray of float64, shape (n, d)
            Mean nothing where `hours` is 0. [unit of the feature]
        hours : ndarray of float64, shape (n, d)
            Effective observation, at most the feature's horizon. [h]
        """
        reference = self._baseline.reference(rows)
        mean, half = reference.mean.T.astype(np.float64), LEVELS[0] * reference.scale.T
        return mean - half, mean + half, reference.seconds.T.astype(np.float64) / 3600.0

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return a copy of the whole state."""
        return {name: array[..., : self._n].copy() for name, array in self._all().items()}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]]) -> Detector:
        """Return a detector in the state of :meth:`to_arrays`, bit for bit."""
        made = cls()
        for name in made._all():
            made._set(name, arrays[name].copy())
        made._n = len(made._last_s)
        return made

    def _all(self) -> dict[str, NDArray[np.generic]]:
        base = self._baseline
        return {
            "mean": base.mean,
            "spread": base.spread,
            "seconds": base.seconds,
            "evidence": self._evidence,
            "last_s": self._last_s,
            "evidence_before": self._evidence_before,
            "before_s": self._before_s,
            "taught": self._taught,
        }

    def _set(self, name: str, array: NDArray[np.generic]) -> None:
        if name in _BASELINE:
            setattr(self._baseline, name, array)
        else:
            setattr(self, f"_{name}", array)

    def step(self, rows: Rows, batch: FeatureBatch, *, learn: Mask) -> ScoreBatch:
        """Score one window of each agent, then learn from it where `learn` says so.

        Parameters
        ----------
        rows : ndarray of intp, shape (n,)
            Unique.
        batch : FeatureBatch
            Of the same rows; not changed.
        learn : ndarray of bool, shape (n,)
            False for windows that are firing, poor or late.

        Returns
        -------
        ScoreBatch
        """
        n = len(rows)
        out = _blank(n)
        for start in range(0, n, _CHUNK):
            here = slice(start, start + _CHUNK)
            self._step(_span(rows[here]), batch, learn[here], here, out)
        return out

    def _step(
        self, rows: Rows | slice, batch: FeatureBatch, learn: Mask, here: slice, out: ScoreBatch
    ) -> None:
        values = np.ascontiguousarray(batch.values[here].T, dtype=np.float32)
        quality = np.ascontiguousarray(batch.quality[here].T, dtype=np.float32)
        at_s = batch.at_s[here]
        reference = self._baseline.reference(rows)
        known = np.isfinite(values)
        np.copyto(values, 0.0, where=~known)  # from here on NaN cannot spread
        squashed = _deviations(values, reference)
        weight = _weights(quality, reference, batch.moving[here], known)
        parts, certainty = _parts(squashed, weight)
        total = _fuse(parts, certainty)
        settled = (reference.seconds >= LEARNING_S - WINDOW_S) & (weight > 0)
        out.learning[here] = ~np.logical_or.reduce(settled, axis=0)
        out.score[here] = _softplus(total)
        out.strain_index[here] = 100.0 * ndtr(total)
        out.quality[here] = _quality(quality, weight)
        out.part_level[here] = _levels(parts)
        out.part_contribution[here] = parts.T
        out.evidence[here] = self._gather(rows, at_s, total)
        self._learn(rows, at_s, values, known, learn, reference)

    def _gather(self, rows: Rows | slice, at_s: Floats, total: Floats) -> Floats:
        """Return the evidence after this window, and keep it."""
        last_s = self._last_s[rows]
        again = at_s == last_s
        start = np.where(again, self._evidence_before[rows], self._evidence[rows])
        start_s = np.where(again, self._before_s[rows], last_s)
        ahead = at_s >= last_s
        step_s = np.clip(at_s - start_s, 0.0, 2 * EVIDENCE_S)
        step_s = np.where(np.isfinite(start), step_s, WINDOW_S)
        share = 1.0 - np.exp(-step_s / EVIDENCE_S)
        begin = np.where(np.isfinite(start), start, 0.0)
        moved = np.where(np.isfinite(total), begin + share * (total - begin), start)
        found = np.where(ahead, moved, self._evidence[rows]).astype(np.float32)
        self._evidence_before[rows] = np.where(ahead, start, self._evidence_before[rows])
        self._before_s[rows] = np.where(ahead, start_s, self._before_s[rows])
        self._evidence[rows] = found
        known = np.isfinite(total) & ahead
        return np.where(known, np.maximum(found, 0.0), np.nan).astype(np.float64)

    def _learn(  # noqa: PLR0917 - what came in, then what is known
        self,
        rows: Rows | slice,
        at_s: Floats,
        values: Singles,
        known: Mask,
        learn: Mask,
        reference: Reference,
    ) -> None:
        """Teach the baseline, once per feature and moment however many sources there are."""
        last_s, before_s = self._last_s[rows], self._before_s[rows]
        ahead, again = at_s >= last_s, at_s == last_s
        step_s = np.where(np.isfinite(before_s), at_s - before_s, WINDOW_S)
        step_s = np.where(ahead & learn, np.clip(step_s, 0.0, LONGEST_STEP_S), 0.0)
        steps: Singles = np.multiply(known, step_s, dtype=np.float32)
        taught = steps > 0
        if again.any():
            before = self._taught[:, rows] & again
            np.copyto(steps, 0.0, where=before)
            taught |= before
        self._baseline.learn(rows, values, steps, reference)
        self._taught[:, rows] = np.where(ahead, taught, self._taught[:, rows])
        self._last_s[rows] = np.maximum(last_s, at_s)


_BASELINE = frozenset({"mean", "spread", "seconds"})


def _blank_of(name: str) -> float:
    """Return what an array of the state holds before anything is known."""
    return -np.inf if name.endswith("_s") else np.nan if "evidence" in name else 0.0


def _span(rows: Rows) -> Rows | slice:
    """Return neighbouring rows as a slice, which is read and written much faster."""
    n = len(rows)
    if n and rows[-1] - rows[0] == n - 1 and (rows[1:] - rows[:-1] == 1).all():
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows


def _blank(n: int) -> ScoreBatch:
    """Return a batch whose every entry is still to be filled in."""
    return ScoreBatch(
        score=np.empty(n),
        strain_index=np.empty(n),
        evidence=np.empty(n),
        learning=np.empty(n, dtype=bool),
        quality=np.empty(n),
        part_level=np.empty((n, len(PARTS)), dtype=np.int8),
        part_contribution=np.empty((n, len(PARTS))),
    )


def _deviations(values: Singles, reference: Reference) -> Singles:
    """Return how many spreads each value lies towards strain, squashed."""
    off = values - reference.mean
    off *= _SIGN
    off /= reference.scale
    return np.clip(off, -SQUASH, SQUASH, out=off)


def _sum(rows: Singles) -> Singles:
    """Return the sum down the columns, in the same order however many there are.

    NumPy's own sum goes another way for one column than for many, and an agent
    scored alone must get, bit for bit, the score of one scored among others.
    """
    total: Singles = rows[0].copy()
    for row in rows[1:]:
        total += row
    return total


def _softplus(total: Floats) -> Floats:
    """Return a smooth max(0, total): never negative, and order is kept below usual too."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.logaddexp(0.0, total))


def _weights(quality: Singles, reference: Reference, moving: Mask, known: Mask) -> Singles:
    """Return how much each feature counts: its share, quality, age and calm of body."""
    weight = quality * _WEIGHT
    weight *= known & (reference.seconds >= KNOWN_S - WINDOW_S)
    if moving.any():
        weight *= np.where(moving & _DISTURBED, np.float32(MOVEMENT), np.float32(1.0))
    guessed = np.where(reference.seconds[_BEAT_RATE] > 0, np.float32(GUESS), np.float32(1.0))
    weight[_DEVICE_RATE] *= guessed * (weight[_BEAT_RATE] <= 0)
    return weight


def _parts(squashed: Singles, weight: Singles) -> tuple[Singles, Singles]:
    """Return each part's deviation and certainty, both (P, n); NaN and 0 where unknown."""
    n = squashed.shape[1]
    parts = np.full((len(PARTS), n), np.nan, dtype=np.float32)
    certainty = np.zeros((len(PARTS), n), dtype=np.float32)
    for p, features in enumerate(_SCORED):
        w = weight[features]
        total = _sum(w)
        spread = np.sqrt(_sum(w * w))
        some = total > 0
        added = _sum(w * squashed[features])
        parts[p] = np.where(some, added / np.where(some, spread, 1.0), np.nan)
        certainty[p] = np.where(some, np.max(w, axis=0) / _WEIGHT[features].max(), 0.0)
    return parts, certainty


def _fuse(parts: Singles, certainty: Singles) -> Floats:
    """Return the sum of the parts over the spread of as many sure ones; NaN of none.

    A part that is missing takes nothing away. One that is known but doubtful
    (poor, moving, the device's own guess) adds less and still counts as known,
    so that doubt makes for less evidence and never for more.
    """
    total = _sum(np.where(certainty > 0, certainty * parts, 0.0))
    known = _sum((certainty > 0).astype(np.float32))
    return np.where(known > 0, total / np.sqrt(np.maximum(known, 1)), np.nan).astype(np.float64)


def _quality(quality: Singles, weight: Singles) -> Singles:
    """Return the mean quality of what was scored."""
    total = _sum(weight)
    some = total > 0
    return np.where(some, _sum(weight * quality) / np.where(some, total, 1.0), 0.0)


def _levels(parts: Singles) -> NDArray[np.int8]:
    """Return -2 to 2 per part in the direction of its leading feature, (n, P)."""
    size = np.zeros(parts.shape, dtype=np.int8)
    for level in LEVELS:
        size += (np.abs(parts) >= level).astype(np.int8)
    signed = np.sign(np.nan_to_num(parts)).astype(np.int8) * size * _LEAD_SIGN
    return np.where(np.isfinite(parts), signed, UNKNOWN_LEVEL).astype(np.int8).T
