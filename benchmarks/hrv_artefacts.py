"""H5: error of RMSSD with five artefacts in five minutes, beside neurokit2 and no correction.

Per series and kind the median over windows, placements and sizes: missed and
extra beats, early ones with a compensatory pause (ectopic) and without
(reset), single long ones, and what correction adds to clean windows. `value` is
the worst series of a kind; each series follows in `series`, with the mean
number of artefacts counted in a window. Truth is RMSSD before the artefacts
were put in. Made-up hearts of several rates, breathing, irregularity and
drift; the real ones beside the checkout too, where there are any. "vagal" is
made to be hard: single long beats of 10 to 30 %, twice a minute.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from _hrv_series import FloatArray, clean_series, spoil  # noqa: E402

from analytics.hrv import correct, rmssd, time_domain  # noqa: E402

IDS = ("H5.missed", "H5.extra", "H5.ectopic", "H5.reset", "H5.long", "H5.clean")
TARGETS = {
    "missed": 2.0, "extra": 2.0, "ectopic": 5.0, "reset": None, "long": None, "clean": 0.1,
}  # fmt: skip
ARTEFACTS = 5


def ours(windows: Sequence[FloatArray]) -> tuple[FloatArray, float]:
    """Return RMSSD after our correction, all windows at once, and the mean number of artefacts."""
    rows = np.full((len(windows), max(map(len, windows))), np.nan)
    for row, rr in enumerate(windows):
        rows[row, : len(rr)] = rr
    found = correct(rows)
    figures = time_domain(found.rr_ms, found.normal, found.follows)
    return figures.rmssd_ms, float(found.artefacts.mean())


def neurokit(nk: Any, windows: Sequence[FloatArray]) -> FloatArray:
    """Return RMSSD after neurokit2's correction by Lipponen & Tarvainen."""
    found = []
    for rr in windows:
        peaks = np.round(np.concatenate([[0], np.cumsum(rr)])).astype(int)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _, fixed = nk.signal_fixpeaks(peaks, sampling_rate=1000, method="Kubios")
        found.append(rmssd(np.diff(np.unique(fixed)).astype(float)))
    return np.array(found)


def errors(found: FloatArray, truth: FloatArray) -> dict[str, float]:
    """Return median, mean and 95th percentile of the absolute error [%]."""
    size = 100 * np.abs(found / truth - 1)
    return {
        "median": round(float(np.median(size)), 3),
        "mean": round(float(size.mean()), 3),
        "p95": round(float(np.percentile(size, 95)), 2),
    }


def measure(nk: Any, kind: str, windows: list[FloatArray], trials: int) -> dict[str, Any]:
    """Return the errors of one kind in one series."""
    rng = np.random.default_rng(42)
    clean = kind == "clean"
    chosen = windows if clean else [windows[k % len(windows)] for k in range(trials)]
    truth = np.array([rmssd(rr) for rr in chosen])
    spoilt = chosen if clean else [spoil(rr, kind, ARTEFACTS, rng) for rr in chosen]
    row: dict[str, Any] = {"n": len(chosen), "rmssd_ms": round(float(np.median(truth)), 1)}
    corrected, counted = ours(spoilt)
    row["ours"] = errors(corrected, truth) | {"counted": round(counted, 2)}
    row["uncorrected"] = errors(np.array([rmssd(rr) for rr in spoilt]), truth)
    if nk is not None:
        few = slice(0, max(trials // 4, 5))
        row["neurokit2"] = errors(neurokit(nk, spoilt[few]), truth[few])
    return row


def main() -> int:
    """Print one JSON object per kind of artefact."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    hours, trials = (0.5, 20) if parser.parse_args().quick else (4.0, 200)
    try:
        nk = importlib.import_module("neurokit2")
    except ImportError:
        nk = None
        print("neurokit2 is not installed; ours alone", file=sys.stderr)
    series = clean_series(hours)
    for kind, target in TARGETS.items():
        rows = {name: measure(nk, kind, windows, trials) for name, windows in series.items()}
        worst = max(row["ours"]["median"] for row in rows.values())
        line: dict[str, Any] = {"id": f"H5.{kind}", "value": worst, "unit": "% (worst series)"}
        if nk is not None:
            theirs = max(row["neurokit2"]["median"] for row in rows.values())
            line["peer"] = {"name": f"neurokit2 {nk.__version__}", "value": theirs}
            line["ratio"] = round(theirs / worst, 1) if worst else None
        n = sum(row["n"] for row in rows.values())
        print(json.dumps(line | {"target": target, "n": n, "series": rows}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
