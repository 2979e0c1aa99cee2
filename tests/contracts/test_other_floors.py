"""Short version of a benchmark: strain is found on a floor that is not our simulation's."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from analytics.scoring.episodes import threshold_for

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def floors(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("_other_floors")


def test_hands_and_voice_are_heard_on_a_floor_of_others_making(floors: ModuleType) -> None:
    whole = importlib.import_module("simulated_floor")
    floor = floors.make(floors.KINDS["minute"], 24, 5)
    (one,) = whole.ours(floor, [threshold_for(5)])
    assert one.whole.episodes >= 15
    assert one.whole.found >= 0.55 * one.whole.episodes
    assert one.whole.false_per_shift <= 0.25


def test_the_same_arguments_give_the_same_floor(floors: ModuleType) -> None:
    one, other, third = (floors.make(floors.KINDS["slow"], 3, seed, 1.0) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.values, other.values)
    assert not np.array_equal(one.values, third.values, equal_nan=True)
    assert np.isfinite(one.values).any()
