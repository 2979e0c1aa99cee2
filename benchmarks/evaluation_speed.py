"""D5: evaluation from feature arrays in memory, in agent-shifts per second per core.

An agent-shift is 8 h: 5,760 windows. Ours runs baseline, score, sequential
test and episodes with all features, of 512 agents at a time and of 2,048: a
step costs some 250 calls of NumPy however many there are. The peer scores 12
features of one agent with one streaming Gaussian each, river's where it is
installed.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from analytics.evaluation.run import run
from analytics.scoring.episodes import threshold_for
from analytics.signals.features import FEATURES
from analytics.simulation import SCENARIOS, SimulatedFloor, simulate

IDS = ("D5", "D5.wide")

SHIFT_WINDOWS = 5_760
PEER_FEATURES = 12


def ours(floor: SimulatedFloor) -> float:
    """Return agent-shifts per second of CPU time."""
    start = time.process_time()
    for _ in run(floor, [threshold_for(20)]):
        pass
    spent = time.process_time() - start
    return floor.n_agents * len(floor.t_s) / SHIFT_WINDOWS / spent


class PlainGaussian:
    """A running Gaussian in plain Python (Welford 1962), scored as river scores it."""

    def __init__(self) -> None:
        self._n, self._mean, self._m2 = 0, 0.0, 0.0

    def score_one(self, _: None, y: float) -> float:
        """Return the share of the Gaussian that lies nearer to its mean than `y`."""
        if self._n < 100:
            return 0.0
        sd = math.sqrt(self._m2 / (self._n - 1)) or 1e-12
        return abs(math.erf((y - self._mean) / sd / math.sqrt(2.0)))

    def learn_one(self, _: None, y: float) -> None:
        """Take `y` in."""
        self._n += 1
        off = y - self._mean
        self._mean += off / self._n
        self._m2 += off * (y - self._mean)


def scorer() -> tuple[str, Callable[[], Any]]:
    """Return the peer's name, and how one is made."""
    try:
        anomaly = importlib.import_module("river.anomaly")
    except ImportError:
        return f"running Gaussian x{PEER_FEATURES}, plain Python", PlainGaussian
    return f"river GaussianScorer x{PEER_FEATURES}", anomaly.GaussianScorer


def peer(floor: SimulatedFloor, windows: int) -> tuple[str, float]:
    """Return the peer's name and its agent-shifts per second of CPU time."""
    name, make = scorer()
    scorers = [make() for _ in range(PEER_FEATURES)]
    values = np.nan_to_num(floor.values[0, :windows, :PEER_FEATURES]).tolist()
    start = time.process_time()
    for row in values:
        for one, value in zip(scorers, row, strict=True):
            one.score_one(None, value)
            one.learn_one(None, value)
    return name, len(values) / SHIFT_WINDOWS / (time.process_time() - start)


def main() -> int:
    """Print one JSON object per number of agents."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    for figure, n_agents, hours in (("D5", 512, 8.0), ("D5.wide", 2_048, 2.0)):
        floor = simulate(n_agents, hours / 8.0 if quick else hours, 5, SCENARIOS["hard"])
        value = ours(floor)
        name, other = peer(floor, len(floor.t_s))
        line = {
            "id": figure,
            "value": round(value, 1),
            "unit": "agent-shifts/s/core",
            "peer": {"name": name, "value": round(other, 2)},
            "ratio": round(value / other, 1),
            "n": floor.n_agents,
            "d": len(FEATURES),
            "peer_d": PEER_FEATURES,
            "windows": len(floor.t_s),
        }
        print(json.dumps(line), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
