"""Sample entropy and Baevsky index against loops."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics import hrv

sys.path.insert(0, str(Path(__file__).parent))
import naive

_RR = st.lists(st.integers(600, 700).map(float), min_size=4, max_size=35)


@given(_RR, st.data())
@settings(deadline=None)
def test_sample_entropy_agrees_with_loops_also_with_gaps(intervals, data):
    n = len(intervals)
    good = data.draw(st.lists(st.booleans(), min_size=n, max_size=n))
    follows = data.draw(st.lists(st.booleans(), min_size=n, max_size=n))
    joined = [k > 0 and good[k] and good[k - 1] and follows[k] for k in range(n)]
    used = [x for x, ok in zip(intervals, good, strict=True) if ok]
    found = hrv.sample_entropy([intervals], np.array([good]), np.array([follows]))
    if len(used) < 2:
        assert math.isnan(found[0])
        return
    # the tolerance is that of the used intervals, wherever the others lie
    flat = [x if ok else used[0] for x, ok in zip(intervals, good, strict=True)]
    r = 0.2 * float(np.std(used, ddof=1))
    begins = [k for k in range(n - 2) if joined[k + 1] and joined[k + 2]]
    near = [
        (i, j)
        for i in begins
        for j in begins
        if i != j and all(abs(flat[i + m] - flat[j + m]) <= r for m in (0, 1))
    ]
    longer = sum(abs(flat[i + 2] - flat[j + 2]) <= r for i, j in near)
    expected = -math.log(longer / len(near)) if near and longer else math.nan
    assert found[0] == pytest.approx(expected, rel=1e-12, abs=1e-12, nan_ok=True)


def test_sample_entropy_of_whole_windows():
    rng = np.random.default_rng(2)
    rr = rng.normal(800, 50, (4, 90))
    rr[1] = 800 + 50 * np.sin(np.arange(90))
    expected = [naive.sample_entropy(row.tolist(), [True] * 90) for row in rr]
    assert hrv.sample_entropy(rr) == pytest.approx(expected, rel=1e-12)
    assert expected[1] < min(expected[0], expected[2], expected[3])
    padded = np.concatenate([rr, np.full((4, 9), np.nan)], axis=1)
    assert np.array_equal(hrv.sample_entropy(padded, np.isfinite(padded)), hrv.sample_entropy(rr))
    assert hrv.sample_entropy(np.full((1, 50), 800.0))[0] == 0.0


@given(st.lists(st.floats(300, 2000), min_size=2, max_size=40))
@settings(deadline=None)
def test_baevsky_index_agrees_with_counting(intervals):
    expected = naive.baevsky_index(intervals)
    assert hrv.baevsky_index([intervals])[0] == pytest.approx(expected, rel=1e-9, nan_ok=True)


def test_bins_of_the_baevsky_index_begin_at_multiples_of_fifty():
    # 40 of 60 in [800, 850), although 30 of them lie nearer to 800 than to 825
    rr = [801.0] * 30 + [849.0] * 10 + [799.0] * 20
    assert hrv.baevsky_index([rr])[0] == pytest.approx(100 * 40 / 60 / (2 * 0.825 * 0.05))
    # other windows in the batch move no bin
    wide = np.array([rr, [300.0] * 30 + [1999.0] * 30])
    assert hrv.baevsky_index(wide)[0] == hrv.baevsky_index([rr])[0]


@pytest.mark.parametrize("width", [0, 1, 2])
def test_too_little_is_unknown(width):
    rr = np.full((2, width), 800.0)
    assert np.isnan(hrv.sample_entropy(rr)).all()
    assert np.isnan(hrv.baevsky_index(rr)).all()
    none = np.zeros((2, 30), dtype=bool)
    assert np.isnan(hrv.sample_entropy(np.full((2, 30), np.nan), none)).all()
    assert np.isnan(hrv.baevsky_index(np.full((2, 30), np.nan), none)).all()
