"""Traces made by hand: their labels are known, their features are never looked at."""

from __future__ import annotations

import numpy as np

from analytics.evaluation.evaluate import Trace
from analytics.signals.windows import FeatureBatch


def made(stretches, *, end_s=3000.0, unlabelled=(), name="made"):
    """Return a trace that is calm but for `stretches`, and `unlabelled` where that says so."""
    t_s = np.arange(5.0, end_s + 1, 5.0)
    label = np.zeros(len(t_s), dtype=np.int8)
    for start, end in stretches:
        label[(t_s >= start) & (t_s < end)] = 1
    for start, end in unlabelled:
        label[(t_s >= start) & (t_s < end)] = -1
    empty = FeatureBatch(t_s, np.empty((len(t_s), 0)), np.empty((len(t_s), 0)), t_s < 0)
    return Trace(name, t_s, empty, label, list(stretches))
