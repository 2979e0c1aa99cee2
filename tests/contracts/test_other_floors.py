"""Short version of a benchmark: strain is found on a floor that is not our simulation's."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from analytics.scoring.episodes import threshold_for
from analytics.signals.features import FEATURE_INDEX
from analytics.simulation import SimulatedFloor

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def floors(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("_other_floors")


def test_hands_and_voice_are_heard_on_a_floor_of_others_making(floors: ModuleType) -> None:
    whole = importlib.import_module("simulated_floor")
    floor = floors.make(floors.KINDS["minute"], 24, 5)
    (one,) = whole.ours(floor, [threshold_for(10)])
    assert one.whole.episodes >= 15
    assert one.whole.found >= 0.55 * one.whole.episodes
    assert one.whole.false_per_shift <= 0.25


def test_the_same_arguments_give_the_same_floor(floors: ModuleType) -> None:
    one, other, third = (floors.make(floors.KINDS["slow"], 3, seed, 1.0) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.values, other.values)
    assert not np.array_equal(one.values, third.values, equal_nan=True)
    assert np.isfinite(one.values).any()


def test_a_calm_floor_strains_nobody_and_is_unlike_ours_as_it_says(floors: ModuleType) -> None:
    signs = {"heart_rate_bpm": 1.0, "dwell_ms": -1.0}
    columns = [FEATURE_INDEX[name] for name in signs]

    def correlation(floor: SimulatedFloor) -> float:
        values = floor.values[:, :, columns] * np.array([*signs.values()])
        each = [
            np.corrcoef(one[np.isfinite(one).all(axis=1)].T)[0, 1]
            for one in values
            if np.isfinite(one).all(axis=1).sum() > 500
        ]
        return float(np.mean(each))

    alone, both = (
        floors.make(floors.CALM_KINDS[name], 40, 3, 2.0, strained=False)
        for name in ("minute", "both")
    )
    assert not alone.episodes
    assert alone.moving.any()
    assert not both.moving.any()
    assert abs(correlation(alone)) < 0.05
    assert correlation(both) > 0.08
