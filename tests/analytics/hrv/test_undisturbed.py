"""What is passed over without correction is what correction would leave as it is."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics import hrv

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "benchmarks"))
import _hrv_series as series

HEARTS = list(series.HEARTS.values())


def windows(rows):
    """Return intervals, presence and times of windows that end together, at the right."""
    width = max(map(len, rows)) + 3
    rr, beat_s = np.full((len(rows), width), np.nan), np.full((len(rows), width), -np.inf)
    for row, values in enumerate(rows):
        rr[row, width - len(values) :] = values
        beat_s[row, width - len(values) :] = 1.8e9 + np.cumsum(values) / 1000.0
    return rr, np.isfinite(rr), beat_s


def made(seed, seconds=100.0, repeats=3):
    rng = np.random.default_rng(seed)
    rows = [series.synthetic(heart, seconds, rng) for heart in HEARTS * repeats]
    for k, kind in enumerate(("missed", "extra", "ectopic")):
        rows[k::7] = [series.spoil(row, kind, 1, rng) for row in rows[k::7]]
    return rng, *windows(rows)


def assert_left_alone(rr, present, beat_s):
    calm, follows = hrv.undisturbed(rr, present, beat_s)
    found = hrv.correct(rr, present, beat_s)
    assert np.array_equal(found.artefacts[calm], found.long[calm])
    for row in np.flatnonzero(calm):
        n = int(present[row].sum())
        here = slice(rr.shape[1] - n, None)
        assert found.measured[row].sum() == n
        assert np.array_equal(found.rr_ms[row, :n], rr[row, here])
        assert np.array_equal(found.follows[row, :n], follows[row, here])
    return calm


@given(seed=st.integers(0, 2**32 - 1), gap=st.sampled_from([0.0, 0.0, 2.0]))
@settings(deadline=None, max_examples=40)
def test_where_it_sees_nothing_correction_finds_nothing(seed, gap):
    rng, rr, present, beat_s = made(seed)
    rr *= 1.0 + rng.uniform(0.0, 0.03) * rng.normal(size=rr.shape)  # livelier than they were
    later = rng.integers(10, rr.shape[1] - 5)
    beat_s[::2, later:] += gap  # beats lost: nothing follows across it
    assert_left_alone(rr, present, beat_s)


@pytest.mark.parametrize("size", np.linspace(0.04, 0.24, 11))
@pytest.mark.parametrize("shape", ["early", "late", "short"])
def test_the_smallest_artefacts_that_are_corrected_are_seen(shape, size):
    rng = np.random.default_rng(3)
    rows = [series.synthetic(heart, 100.0, rng) for heart in HEARTS * 4]
    for row in rows:
        at, off = rng.integers(2, len(row) - 3), size * float(np.median(row))
        row[at] += off if shape == "late" else -off
        if shape != "short":
            row[at + 1] -= off if shape == "late" else -off
    assert_left_alone(*windows(rows))


def test_most_clean_windows_are_passed_over():
    rng = np.random.default_rng(4)
    calm = assert_left_alone(
        *windows([series.synthetic(h, 100.0, rng) for h in HEARTS for _ in range(20)])
    )
    assert calm.mean() > 0.7


@pytest.mark.parametrize("odd", [np.nan, np.inf, 0.0, -800.0, 250.0, 2100.0])
def test_what_is_no_interval_is_never_passed_over(odd):
    rr, present, beat_s = windows([np.full(60, 800.0) + np.arange(60) % 3])
    assert hrv.undisturbed(rr, present, beat_s)[0].all()
    rr[0, -20] = odd
    assert not hrv.undisturbed(rr, present, beat_s)[0].any()


def test_a_hole_or_no_beat_at_the_end_is_left_to_correction():
    rr, present, beat_s = windows([np.full(60, 800.0) + np.arange(60) % 3] * 3)
    present[0, -20] = present[1, -1] = False
    present[2] = False
    assert not hrv.undisturbed(rr, present, beat_s)[0].any()
