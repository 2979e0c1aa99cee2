"""H3: time-domain windows of 350 beats per second per core, beside plain NumPy."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from analytics.hrv import time_domain

IDS = ("H3",)
BEATS = 350


def plain_numpy(rr_ms: NDArray[np.float64]) -> None:
    """Compute the same four figures the way one writes them down."""
    step = np.diff(rr_ms, axis=1)
    rr_ms.mean(axis=1)
    rr_ms.std(axis=1, ddof=1)
    np.sqrt((step**2).mean(axis=1))
    (np.abs(step) > 50).mean(axis=1)


def one_by_one(rr_ms: NDArray[np.float64]) -> None:
    """Do so for one window at a time, as libraries for single recordings do."""
    for row in rr_ms:
        plain_numpy(row[None, :])


def neurokit(rr_ms: NDArray[np.float64]) -> None:
    """Use neurokit2, where it is installed."""
    hrv_time = importlib.import_module("neurokit2").hrv_time
    for row in rr_ms:
        hrv_time(np.concatenate([[0], np.cumsum(row)]).astype(int), sampling_rate=1000)


def per_second(work: Callable[[NDArray[np.float64]], object], rr_ms: NDArray[np.float64]) -> float:
    """Return windows per second: the best of five, in CPU time."""
    best = float("inf")
    for _ in range(5):
        start = time.process_time()
        work(rr_ms)
        best = min(best, time.process_time() - start)
    return len(rr_ms) / best


def main() -> int:
    """Print one JSON object per peer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    n = 4_000 if parser.parse_args().quick else 40_000
    rng = np.random.default_rng(1)
    rr_ms = rng.normal(800, 50, (n, BEATS))
    peers: list[tuple[str, Callable[[NDArray[np.float64]], object], int]] = [
        ("plain NumPy, whole batch", plain_numpy, n),
        ("plain NumPy, one window at a time", one_by_one, 500),
    ]
    try:
        importlib.import_module("neurokit2")
        peers.append(("neurokit2", neurokit, 20))
    except ImportError:
        pass
    for name, work, size in peers:
        ours, theirs = per_second(time_domain, rr_ms), per_second(work, rr_ms[:size])
        line = {
            "id": "H3",
            "value": round(ours),
            "unit": "windows/s/core",
            "peer": {"name": name, "value": round(theirs)},
            "ratio": round(ours / theirs, 2),
            "n": n,
        }
        print(json.dumps(line))
    return 0


if __name__ == "__main__":
    sys.exit(main())
