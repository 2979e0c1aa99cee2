"""D6: the scoring step of a whole floor: feature vectors per second per core.

Baseline, score and sequential test of every agent. The peer scores the same
vectors the way streaming libraries do, one feature of one agent at a time:
river where it is installed, else the same sums in plain Python.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import sys
import time
from typing import Any

import numpy as np

from analytics.scoring.detector import Detector
from analytics.scoring.episodes import Episodes, threshold_for
from analytics.signals.features import FEATURE_INDEX, FEATURES
from analytics.signals.windows import FeatureBatch

IDS = ("D6",)


def batches(n_agents: int, n_steps: int) -> list[FeatureBatch]:
    """Return the floor's windows, every feature known and about as restless as in calm people."""
    rng = np.random.default_rng(6)
    spread = np.array([feature.scale for feature in FEATURES])
    spread[FEATURE_INDEX["log_eda"]] = 0.05  # smooth: what jumps is a loose electrode
    made = []
    for k in range(n_steps):
        values = 50.0 + spread * rng.normal(size=(n_agents, len(FEATURES)))
        made.append(
            FeatureBatch(
                at_s=np.full(n_agents, 5.0 * (k + 1)),
                values=values,
                quality=np.ones_like(values),
                moving=np.zeros(n_agents, dtype=bool),
            )
        )
    return made


def ours(floor: list[FeatureBatch]) -> float:
    """Return vectors per second through detector and episodes: the median step, in CPU time."""
    n = len(floor[0].at_s)
    rows = np.arange(n, dtype=np.intp)
    detector, episodes = Detector(), Episodes()
    detector.ensure(n)
    episodes.ensure(n)
    learn, threshold, times = np.ones(n, dtype=bool), threshold_for(20), []
    for batch in floor:
        start = time.process_time()
        scores = detector.step(rows, batch, learn=learn)
        episodes.step(rows, batch.at_s, scores.evidence, threshold, ~scores.learning)
        times.append(time.process_time() - start)
    return n / float(np.median(times))


def river_scorer() -> Any:
    """Return river's own scaler and Gaussian scorer, one pair per feature, or ``None``."""
    try:
        preprocessing = importlib.import_module("river.preprocessing")
        proba = importlib.import_module("river.proba")
    except ImportError:
        return None
    scaler, gaussian = preprocessing.StandardScaler(), proba.Gaussian()

    def score(vector: dict[str, float]) -> float:
        scaled = scaler.transform_one(vector)
        total = sum(scaled.values())
        found = abs(2 * gaussian.cdf(total) - 1) if gaussian.n_samples > 1 else 0.0
        scaler.learn_one(vector)
        gaussian.update(total)
        return float(found)

    return score


def plain_scorer() -> Any:
    """Return an exponential mean and spread per feature in plain Python."""
    mean: dict[str, float] = {}
    spread: dict[str, float] = {}

    def score(vector: dict[str, float]) -> float:
        total = 0.0
        for name, x in vector.items():
            off = x - mean.get(name, x)
            scale = max(spread.get(name, 1.0), 1.0)
            total += 2.0 * math.tanh(off / scale / 2.0)
            mean[name] = mean.get(name, x) + 0.01 * off
            spread[name] = spread.get(name, 1.0) + 0.01 * (abs(off) - spread.get(name, 1.0))
        return total

    return score


def peer(floor: list[FeatureBatch], n_vectors: int) -> tuple[str, float]:
    """Return the peer's name and its vectors per second."""
    score = river_scorer()
    name = "river StandardScaler + Gaussian"
    if score is None:
        score, name = plain_scorer(), "plain Python, one value at a time"
    names = [feature.name for feature in FEATURES]
    vectors = [dict(zip(names, row, strict=True)) for row in floor[0].values[:n_vectors].tolist()]
    start = time.process_time()
    for vector in vectors:
        score(vector)
    return name, len(vectors) / (time.process_time() - start)


def main() -> int:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    n = 10_000
    floor = batches(n, 15 if quick else 80)
    value = ours(floor)
    name, other = peer(floor, 2_000 if quick else 10_000)
    line = {
        "id": "D6",
        "value": round(value),
        "unit": "vectors/s/core",
        "peer": {"name": name, "value": round(other)},
        "ratio": round(value / other, 1),
        "n": n * len(floor),
        "d": len(FEATURES),
    }
    print(json.dumps(line))
    return 0


if __name__ == "__main__":
    sys.exit(main())
