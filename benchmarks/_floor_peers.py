"""Scores of others on a simulated floor, causal, one agent against their own past.

Each is what its users would write for this job: no context, no quality, no
protection of the baseline; heart and skin are left out where movement is known. All are given the same features, the same rule for
when an alert begins, and their best threshold on this very floor.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from analytics.signals.features import FEATURE_INDEX, FEATURES, Part
from analytics.simulation import SimulatedFloor
from sensors.messages import WINDOW_S

Floats = NDArray[np.float64]

USED = [i for i, f in enumerate(FEATURES) if f.weight > 0]
"""What we score ourselves; the peers get no others."""

SIGN = np.array([FEATURES[i].sign for i in USED], float)

DISTURBED = np.array([FEATURES[i].part in {Part.HEART, Part.SKIN} for i in USED])

HISTORY_H = 1.0
"""Horizon of the exponential baselines. [h]"""

REFIT_S = 1800.0
"""ECOD is fitted to an agent's whole past this often. [s]"""


def _values(floor: SimulatedFloor) -> Floats:
    """Return the used features, (agents, windows, features); unknown while moving."""
    values = floor.values[:, :, USED].astype(np.float64)
    values[floor.moving[:, :, None] & DISTURBED] = np.nan
    return values


def _exponential(x: Floats, seconds: float) -> tuple[Floats, Floats]:
    """Return running mean and spread of what was known before each window, along axis 1."""
    keep = float(np.exp(-WINDOW_S / seconds))
    known = np.isfinite(x)
    filled = np.where(known, x, 0.0)

    def past(y: Floats) -> Floats:
        gone = np.zeros_like(y)
        gone[:, 1:] = lfilter([1.0], [1.0, -keep], y, axis=1)[:, :-1]
        return gone

    weight = np.maximum(past(known.astype(float)), 1e-12)
    mean = past(filled) / weight
    spread = np.sqrt(np.maximum(past(filled**2) / weight - mean**2, 0.0))
    unknown = weight < 60.0 / WINDOW_S  # not a minute of it yet
    return np.where(unknown, np.nan, mean), np.where(unknown, np.nan, spread)


def _deviations(floor: SimulatedFloor, most: float) -> Floats:
    x = _values(floor)
    mean, spread = _exponential(x, HISTORY_H * 3600.0)
    floors = np.array([FEATURES[i].floor for i in USED])
    return np.clip((x - mean) / np.maximum(spread, floors), -most, most)


def heart_rate_z(floor: SimulatedFloor) -> Floats:
    """Return how many spreads the heart rate lies above its last hour."""
    z = _deviations(floor, 10.0)
    rate, device = (
        z[:, :, USED.index(FEATURE_INDEX[n])] for n in ("heart_rate_bpm", "device_rate_bpm")
    )
    return np.nan_to_num(np.where(np.isfinite(rate), rate, device))


def cusum(floor: SimulatedFloor) -> Floats:
    """Return a one-sided CUSUM of the mean signed deviation (Page 1954, allowance 0.25).

    It forgets over half an hour, or it would stand for hours.
    """
    z = _deviations(floor, 4.0) * SIGN
    known = np.isfinite(z)
    towards = np.where(known, z, 0.0).sum(axis=2) / np.maximum(known.sum(axis=2), 1)
    out = np.empty(towards.shape)
    level = np.zeros(len(towards))
    keep = np.exp(-WINDOW_S / 1800.0)
    for k in range(towards.shape[1]):
        level = np.maximum(keep * level + towards[:, k] - 0.25, 0.0)
        out[:, k] = level
    return out


def ecod(floor: SimulatedFloor) -> Floats:
    """Return ECOD's outlier score (Li et al. 2022): summed log tail probabilities."""
    x = _values(floor)
    n, windows, d = x.shape
    out = np.zeros((n, windows))
    step = round(REFIT_S / WINDOW_S)
    for start in range(step, windows, step):
        here = slice(start, min(start + step, windows))
        left = np.zeros((n, here.stop - start, d))
        right = np.zeros_like(left)
        skew = np.zeros((n, d))
        for i in range(n):
            for j in range(d):
                past = x[i, :start, j]
                past = np.sort(past[np.isfinite(past)])
                now = x[i, here, j]
                if len(past) < 60:
                    continue
                m = len(past) + 1
                below = np.searchsorted(past, now, side="right") + 1
                above = len(past) - np.searchsorted(past, now, side="left") + 1
                known = np.isfinite(now)
                left[i, :, j] = np.where(known, -np.log(np.minimum(below, m) / m), 0.0)
                right[i, :, j] = np.where(known, -np.log(np.minimum(above, m) / m), 0.0)
                skew[i, j] = np.mean((past - past.mean()) ** 3)
        auto = np.where(skew[:, None, :] < 0, left, right)
        sums = [side.sum(axis=2) for side in (left, right, auto)]
        out[:, here] = np.max(sums, axis=0)
    return out


def gaussian(floor: SimulatedFloor) -> Floats:
    """Return the mean over features of river's GaussianScorer, its sums written for arrays."""
    from scipy.special import ndtr  # noqa: PLC0415

    x = _values(floor)
    known = np.isfinite(x)
    count = _before(known.astype(float))
    total, squares = _before(np.where(known, x, 0.0)), _before(np.where(known, x, 0.0) ** 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / count
        sd = np.sqrt(np.maximum(squares - count * mean**2, 1e-12) / (count - 1))
        score = 2 * np.abs(ndtr((x - mean) / sd) - 0.5)
    score = np.where(known & (count >= 100), score, 0.0)  # its grace period
    return np.asarray(score.sum(axis=2) / np.maximum(known.sum(axis=2), 1))


def _before(x: Floats) -> Floats:
    return np.cumsum(x, axis=1) - x


def gaussian_is_rivers(floor: SimulatedFloor) -> bool | None:
    """Return whether :func:`gaussian` equals river on one agent; ``None`` without river."""
    try:
        anomaly = importlib.import_module("river.anomaly")
    except ImportError:
        return None
    windows = slice(0, 720)
    x = _values(floor)[0, windows]
    scorers = [anomaly.GaussianScorer() for _ in USED]
    found = []
    for row in x:
        scores = []
        for scorer, value in zip(scorers, row.tolist(), strict=True):
            if np.isfinite(value):
                scores.append(scorer.score_one(None, value))
                scorer.learn_one(None, value)
        found.append(float(np.sum(scores)) / max(len(scores), 1))
    return bool(np.allclose(found, gaussian(floor)[0, windows], atol=1e-6))


PEERS: dict[str, Callable[[SimulatedFloor], Floats]] = {
    "directional CUSUM": cusum,
    "heart-rate z": heart_rate_z,
    "ECOD, own past": ecod,
    "river GaussianScorer, per feature": gaussian,
}
