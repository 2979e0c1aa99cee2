"""Our figures are neurokit2's on the same intervals, where both define them alike."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "benchmarks"))
import hrv_agreement as agreement

FROZEN = json.loads((Path(__file__).parent / "neurokit2.json").read_text(encoding="utf-8"))
WINDOWS = {window["series"]: window for window in FROZEN["windows"]}
LARGEST = 1e-9  # relative: the target of benchmark H2, which compares many more windows


def intervals(name):
    return np.array(WINDOWS[name]["rr_ticks"]) * 1000 / FROZEN["ticks_per_s"]


@pytest.mark.parametrize("name", list(WINDOWS))
@pytest.mark.parametrize("figure", [name for name in agreement.FIGURES if name != "Welch"])
def test_a_figure_is_that_of_neurokit2(name, figure):
    theirs = WINDOWS[name]["figures"][figure]
    assert agreement.ours(intervals(name))[figure] == pytest.approx(theirs, rel=LARGEST)


@pytest.mark.parametrize("name", list(WINDOWS))
def test_a_spectrum_is_that_of_neurokit2(name):
    theirs = WINDOWS[name]["welch"]
    mine = agreement.ours(intervals(name))["Welch"]
    grid = np.linspace(0.0, agreement.RATE_HZ / 2, len(mine))
    at = np.rint(np.array(theirs["frequency_hz"]) / grid[1]).astype(int)
    assert len(at) > 50
    assert grid[at] == pytest.approx(theirs["frequency_hz"])
    density = np.array(theirs["density_ms2_per_hz"])
    assert mine[at] == pytest.approx(density, rel=0, abs=LARGEST * density.max())
