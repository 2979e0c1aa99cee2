"""H4: time per five-minute window for the full set, artefact correction included.

Time domain, Welch, Lomb-Scargle, sample entropy and Baevsky index. Ours in
batches, as a floor is scored, and one window at a time; neurokit2 one at a
time, which is all it does: correction, hrv_time, hrv_frequency (Welch),
SD1/SD2 and sample entropy. It has no Lomb-Scargle without astropy and no
Baevsky index; these are ours for nothing.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from _hrv_series import HEARTS, FloatArray, spoil, synthetic  # noqa: E402

from analytics.hrv import full_set  # noqa: E402

IDS = ("H4", "H4.single")


def windows(n: int) -> list[FloatArray]:
    """Return five-minute windows of all hearts, three in four with artefacts."""
    rng = np.random.default_rng(1)
    hearts = list(HEARTS.values())
    kinds = ("missed", "extra", "ectopic")
    made = [synthetic(hearts[k % len(hearts)], 300.0, rng) for k in range(n)]
    return [spoil(rr, kinds[k % 3], 3, rng) if k % 4 else rr for k, rr in enumerate(made)]


def packed(rows: list[FloatArray]) -> FloatArray:
    """Return windows as rows, padded with NaN."""
    found = np.full((len(rows), max(map(len, rows))), np.nan)
    for row, rr in enumerate(rows):
        found[row, : len(rr)] = rr
    return found


def neurokit(nk: Any, rr_ms: FloatArray) -> None:
    """Do what neurokit2 offers of the set."""
    peaks = np.concatenate([[0], np.cumsum(rr_ms)]).astype(int)
    _, peaks = nk.signal_fixpeaks(peaks, sampling_rate=1000, iterative=True, method="Kubios")
    nk.hrv_time(peaks, sampling_rate=1000)
    nk.hrv_frequency(peaks, sampling_rate=1000, psd_method="welch")
    rr = np.diff(peaks).astype(float)
    # hrv_nonlinear computes thirty other figures beside these two
    poincare = importlib.import_module("neurokit2.hrv.hrv_nonlinear")._hrv_nonlinear_poincare  # noqa: SLF001
    poincare(rr, out={})
    nk.entropy_sample(rr, delay=1, dimension=2, tolerance=0.2 * rr.std(ddof=1))


def milliseconds(work: Callable[[], object], n: int, repeats: int) -> float:
    """Return the best CPU time per window [ms]."""
    best = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return 1000 * best / n


def main() -> int:
    """Print one JSON object for batches, one for single windows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    n, few = (128, 4) if quick else (512, 20)
    rows = windows(n)
    batch = packed(rows)
    ours = {
        "H4": milliseconds(lambda: full_set(batch), n, 3),
        "H4.single": milliseconds(lambda: [full_set(rr[None]) for rr in rows[:few]], few, 3),
    }
    peer = None
    try:
        nk = importlib.import_module("neurokit2")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            neurokit(nk, rows[0])  # its imports and caches
            spent = milliseconds(lambda: [neurokit(nk, rr) for rr in rows[:few]], few, 2)
        peer = {"name": f"neurokit2 {nk.__version__}", "value": round(spent, 2)}
    except ImportError:
        print("neurokit2 is not installed; ours alone", file=sys.stderr)
    for name, value in ours.items():
        line: dict[str, Any] = {"id": name, "value": round(value, 3), "unit": "ms/window"}
        if peer is not None:
            line |= {"peer": peer, "ratio": round(peer["value"] / value, 1)}
        print(json.dumps(line | {"target": 1.0, "n": n if name == "H4" else few}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
