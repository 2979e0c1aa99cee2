"""Levels without what is over at once, against the slow way."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

from sensors.voice import lasting as module
from sensors.voice.lasting import lasting


@pytest.mark.parametrize("frames", [1, 2, 5])
@pytest.mark.parametrize("size", [1, 4, 5, 40])
def test_the_largest_of_the_smallest_is_that_of_the_slow_way(frames, size):
    levels = np.random.default_rng(size).standard_normal(size)
    n = min(frames, size)
    spans = [range(begin, begin + n) for begin in range(size - n + 1)]
    slow = [max(min(levels[s]) for s in map(list, spans) if at in s) for at in range(size)]
    assert lasting(levels, frames).tolist() == slow


def test_a_plateau_stays_and_a_peak_goes():
    levels = np.full(50, -60.0)
    levels[10:14] = 0.0
    levels[30:36] = -20.0
    found = lasting(levels, 6)
    assert found[:30].max() == -60.0
    assert (found[30:36] == -20.0).all()
    assert levels.max() == 0.0


def test_the_examples_in_the_documentation_are_true():
    assert doctest.testmod(module).attempted > 0
    assert doctest.testmod(module).failed == 0
