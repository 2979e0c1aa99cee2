"""H2: the heart's figures against neurokit2 on the same intervals, where both define them alike.

Largest relative difference over made-up and, where there are any, real windows.
pNN50: neurokit2 divides by the number of intervals, as the Task Force did, we
by that of differences; compared is the count over the number of intervals.
Welch: our estimate with neurokit2's taper, segment, padding and no scaling, on
the same evenly sampled series.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from _hrv_series import FloatArray, clean_series  # noqa: E402

from analytics.hrv import sample_entropy, time_domain, welch_density  # noqa: E402

FIGURES = ("RMSSD", "SDNN", "SDSD", "SD1", "SD2", "pNN50", "SampEn", "Welch")
IDS = (
    "H2.RMSSD", "H2.SDNN", "H2.SDSD", "H2.SD1", "H2.SD2", "H2.pNN50", "H2.SampEn", "H2.Welch",
)  # fmt: skip
TARGET = 1e-9
RATE_HZ, _SEGMENT = 4.0, 480


def ours(rr_ms: FloatArray) -> dict[str, Any]:
    """Return our figures of one window."""
    time = time_domain(rr_ms[None])
    return {
        "RMSSD": time.rmssd_ms[0],
        "SDNN": time.sdnn_ms[0],
        "SDSD": time.sdsd_ms[0],
        "SD1": time.sd1_ms[0],
        "SD2": time.sd2_ms[0],
        "pNN50": 100 * time.nn50[0] / time.n_beats[0],
        "SampEn": sample_entropy(rr_ms[None])[0],
        "Welch": welch_density(_even(rr_ms)[None], RATE_HZ, _SEGMENT, n_fft=2 * _SEGMENT)[0],
    }


def neurokit(nk: Any, rr_ms: FloatArray) -> dict[str, Any]:
    """Return neurokit2's figures of one window."""
    intervals = {"RRI": rr_ms, "RRI_Time": np.cumsum(rr_ms) / 1000}
    found = nk.hrv_time(intervals).iloc[0]
    # hrv_nonlinear computes thirty other figures beside these two
    poincare = importlib.import_module("neurokit2.hrv.hrv_nonlinear")._hrv_nonlinear_poincare  # noqa: SLF001
    shape = poincare(rr_ms, out={})
    entropy = nk.entropy_sample(rr_ms, delay=1, dimension=2, tolerance=0.2 * rr_ms.std(ddof=1))[0]
    psd = nk.signal_psd(
        _even(rr_ms), sampling_rate=RATE_HZ, method="welch", normalize=False,
        window=_SEGMENT / RATE_HZ, min_frequency=0, max_frequency=np.inf,
    )  # fmt: skip
    return {
        **{name: found[f"HRV_{name}"] for name in ("RMSSD", "SDNN", "SDSD", "pNN50")},
        "SD1": shape["SD1"],
        "SD2": shape["SD2"],
        "SampEn": entropy,
        "Welch": psd,
    }


def _even(rr_ms: FloatArray) -> FloatArray:
    """Return intervals on an even grid, around their mean: the same for both."""
    at_s = np.cumsum(rr_ms) / 1000
    even: FloatArray = np.interp(np.arange(at_s[0], at_s[-1], 1 / RATE_HZ), at_s, rr_ms)
    return even - even.mean()


def difference(name: str, mine: Any, theirs: Any) -> float:
    """Return the largest relative difference; 0 where both are not finite."""
    if name == "Welch":
        # neurokit2 drops the frequencies below its lowest
        grid = np.arange(_SEGMENT + 1) * RATE_HZ / (2 * _SEGMENT)
        mine = mine[np.searchsorted(grid, theirs["Frequency"].to_numpy() - 1e-9)]
        theirs = theirs["Power"].to_numpy()
    mine, theirs = np.atleast_1d(mine), np.atleast_1d(theirs)
    if not (np.isfinite(mine).all() and np.isfinite(theirs).all()):
        return 0.0 if (np.isfinite(mine) == np.isfinite(theirs)).all() else float("inf")
    size = np.abs(theirs).max()
    return float(np.abs(mine - theirs).max() / size) if size else float(np.abs(mine).max())


def main() -> int:
    """Print one JSON object per figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    hours = 1 / 12 if parser.parse_args().quick else 0.5
    series = clean_series(hours)
    windows = [window for pieces in series.values() for window in pieces]
    try:
        nk = importlib.import_module("neurokit2")
    except ImportError:
        print("neurokit2 is not installed; pip install 'agent-wellbeing[peers]'", file=sys.stderr)
        return 1
    worst = dict.fromkeys(FIGURES, 0.0)
    for window in windows:
        mine, theirs = ours(window), neurokit(nk, window)
        for name in FIGURES:
            worst[name] = max(worst[name], difference(name, mine[name], theirs[name]))
    for name in FIGURES:
        line = {
            "id": f"H2.{name}",
            "value": worst[name],
            "unit": "largest relative difference",
            "peer": {"name": f"neurokit2 {nk.__version__}", "value": 0.0},
            "target": TARGET,
            "n": len(windows),
            "series": len(series),
        }
        print(json.dumps(line))
    return 0


if __name__ == "__main__":
    sys.exit(main())
