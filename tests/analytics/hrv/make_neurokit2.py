"""Write what neurokit2 says of four made-up hearts, for the tests to compare with.

neurokit2 is no dependency of the tests: its figures are frozen in
``neurokit2.json`` beside this file. Run it from the repository's root where
neurokit2 is installed (``pip install 'agent-wellbeing[peers]'``), after changing what
benchmark H2 compares: ``python tests/analytics/hrv/make_neurokit2.py``.
"""

from __future__ import annotations

import importlib
import json
import platform
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import _hrv_series as series  # noqa: E402
import hrv_agreement as agreement  # noqa: E402

HERE = Path(__file__).parent / "neurokit2.json"
HEARTS = ("stiff", "calm", "breathing", "vagal")
SECONDS = 300.0
SEED = 20
TICKS_PER_S = 1024  # the unit of Bluetooth headsets: exact, and short to write
EVERY = 8  # of the frequencies of Welch's estimate: enough to see a difference


def frozen(nk: object, name: str, rng: np.random.Generator) -> dict[str, object]:
    """Return one heart's intervals and neurokit2's figures of them."""
    rr_ms = series.synthetic(series.HEARTS[name], SECONDS, rng)
    ticks = np.rint(rr_ms * TICKS_PER_S / 1000).astype(int)
    figures = agreement.neurokit(nk, ticks * 1000 / TICKS_PER_S)
    psd = figures.pop("Welch").iloc[::EVERY]
    return {
        "series": name,
        "rr_ticks": ticks.tolist(),
        "figures": {figure: float(value) for figure, value in figures.items()},
        "welch": {
            "frequency_hz": psd["Frequency"].tolist(),
            "density_ms2_per_hz": psd["Power"].tolist(),
        },
    }


def main() -> None:
    """Write the figures of every heart, with the versions that made them."""
    nk = importlib.import_module("neurokit2")
    rng = np.random.default_rng(SEED)
    made = {
        "made_by": "tests/analytics/hrv/make_neurokit2.py",
        "neurokit2": nk.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "ticks_per_s": TICKS_PER_S,
        "windows": [frozen(nk, name, rng) for name in HEARTS],
    }
    HERE.write_text(json.dumps(made, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
