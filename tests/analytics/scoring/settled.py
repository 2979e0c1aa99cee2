"""A detector that has seen calm agents for a while, and what to feed it."""

from __future__ import annotations

import numpy as np

from analytics.scoring.detector import Detector
from analytics.signals.features import FEATURES
from analytics.signals.windows import FeatureBatch

D = len(FEATURES)
_LEVEL = {
    "heart_rate_bpm": 70.0, "device_rate_bpm": 70.0, "log_eda": 1.0, "dwell_ms": 100.0,
    "correction_ratio": 0.05, "pointer_speed_px_s": 400.0, "f0_st": 12.0, "loudness_db": -30.0,
    "speech_rate_hz": 4.0,
}  # fmt: skip
CENTRE = np.array([_LEVEL.get(feature.name, 1.0) for feature in FEATURES])
SPREAD = np.array([feature.floor for feature in FEATURES])


def batch(at_s, values, *, quality=1.0, moving=False):
    values = np.atleast_2d(np.asarray(values, dtype=float))
    n = len(values)
    return FeatureBatch(
        at_s=np.full(n, float(at_s)),
        values=values,
        quality=np.where(np.isfinite(values), quality, 0.0),
        moving=np.full(n, moving),
    )


def calm(rng, n=1):
    return CENTRE + 0.3 * SPREAD * rng.normal(size=(n, D))


def rows(n):
    return np.arange(n, dtype=np.intp)


def settled(n=1, minutes=30, seed=0, keep=None):
    """Return a detector that has seen `n` calm agents for a while, and the time."""
    rng = np.random.default_rng(seed)
    detector = Detector()
    detector.ensure(n)
    at_s = 1000.0
    for _ in range(minutes * 12):
        at_s += 5
        values = calm(rng, n)
        if keep is not None:
            values[:, ~keep] = np.nan
        last = detector.step(rows(n), batch(at_s, values), learn=np.ones(n, bool))
    return detector, at_s, last


def strained(size=3.0):
    sign = np.array([feature.sign for feature in FEATURES])
    return CENTRE + size * sign * SPREAD
