"""Numbers of the heart: against a slow, obvious oracle and awkward inputs."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics import hrv
from sensors.errors import InsufficientDataError

_RR = st.lists(st.floats(300, 2000), min_size=3, max_size=40)


def naive(intervals, usable, pairs):
    """Return mean, SDNN, RMSSD, SDSD, pNN50, SD1, SD2 by the textbook, beat after beat."""
    used = [rr for rr, ok in zip(intervals, usable, strict=True) if ok]
    steps = [intervals[i] - intervals[i - 1] for i in range(1, len(intervals)) if pairs[i]]
    sums = [intervals[i] + intervals[i - 1] for i in range(1, len(intervals)) if pairs[i]]
    nan, many = math.nan, len(steps) > 1
    return (
        statistics.fmean(used) if used else nan,
        statistics.stdev(used) if len(used) > 1 else nan,
        math.sqrt(sum(s * s for s in steps) / len(steps)) if many else nan,
        statistics.stdev(steps) if many else nan,
        sum(abs(s) > 50 for s in steps) / len(steps) if many else nan,
        statistics.stdev(s / math.sqrt(2) for s in steps) if many else nan,
        statistics.stdev(s / math.sqrt(2) for s in sums) if many else nan,
    )


def figures(found, row=0):
    return (
        found.mean_rr_ms[row],
        found.sdnn_ms[row],
        found.rmssd_ms[row],
        found.sdsd_ms[row],
        found.pnn50[row],
        found.sd1_ms[row],
        found.sd2_ms[row],
    )


@given(_RR)
@settings(deadline=None)
def test_gap_free_windows_agree_with_the_textbook(intervals):
    expected = naive(intervals, [True] * len(intervals), [True] * len(intervals))
    assert figures(hrv.time_domain([intervals])) == pytest.approx(expected, rel=1e-9, abs=1e-6)


@given(st.data(), _RR)
@settings(deadline=None)
def test_masked_windows_agree_with_the_textbook(data, intervals):
    n = len(intervals)
    normal = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    follows = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    pairs = [False] + [bool(normal[i] and normal[i - 1] and follows[i]) for i in range(1, n)]
    found = hrv.time_domain([intervals], normal[None], follows[None])
    expected = naive(intervals, normal, pairs)
    assert figures(found) == pytest.approx(expected, rel=1e-9, abs=1e-9, nan_ok=True)
    assert found.n_beats[0] == normal.sum()
    assert found.n_differences[0] == sum(pairs)


def test_a_batch_equals_one_by_one_bit_for_bit_and_leaves_its_input_alone():
    rng = np.random.default_rng(3)
    rr = rng.normal(800, 60, (97, 61))
    rr[rng.uniform(size=rr.shape) < 0.1] = np.nan
    before = rr.copy()
    normal = hrv.normal_beats(rr)
    together = hrv.time_domain(rr, normal)
    for row in range(len(rr)):
        one = hrv.normal_beats(rr[row : row + 1])
        assert np.array_equal(one[0], normal[row])
        alone = hrv.time_domain(rr[row : row + 1], one)
        assert np.array_equal(figures(alone), figures(together, row), equal_nan=True)
    assert np.array_equal(rr, before, equal_nan=True)


def test_gap_free_windows_of_any_length_and_layout_are_the_same_one_by_one():
    rng = np.random.default_rng(8)
    for n_windows, n in ((3, 1), (40, 2), (700, 61), (97, 350), (5, 600), (2, 20_000)):
        rr = rng.normal(800, 60, (n_windows, n))
        together = hrv.time_domain(rr)
        turned = hrv.time_domain(np.asfortranarray(rr))
        expected = hrv.time_domain(rr, np.ones(rr.shape, dtype=bool))
        for row in {0, n_windows // 2, n_windows - 1}:
            assert figures(together, row) == pytest.approx(
                figures(expected, row), rel=1e-9, abs=1e-9, nan_ok=True
            )
            assert np.array_equal(figures(turned, row), figures(together, row), equal_nan=True)
        assert np.array_equal(together.nn50, expected.nn50)


def test_single_precision_input_is_computed_in_double():
    rr = (800 + 50 * np.random.default_rng(9).normal(size=(4, 90))).astype(np.float32)
    assert figures(hrv.time_domain(rr)) == figures(hrv.time_domain(rr.astype(np.float64)))


@pytest.mark.parametrize("n", [2, 255, 256, 257, 65_536, 65_537])
def test_large_differences_are_counted_however_many_there_are(n):
    rr = np.where(np.arange(n) % 2, 900.0, 800.0)
    found = hrv.time_domain([rr, np.sort(rr)])
    few = 1.0 / (n - 1) if n > 2 else np.nan
    np.testing.assert_allclose(found.pnn50, [1.0 if n > 2 else np.nan, few])


def test_exactly_fifty_does_not_count_and_nn50_is_a_number_of_differences():
    found = hrv.time_domain([[800.0, 850.0, 900.1, 850.0, 700.0]])
    assert found.pnn50[0] == 0.75
    assert found.nn50[0] == 3


def test_padding_changes_nothing():
    rng = np.random.default_rng(4)
    rr = rng.normal(820, 40, (5, 50))
    padded = np.concatenate([rr, np.full((5, 30), np.nan)], axis=1)
    assert np.array_equal(hrv.normal_beats(padded)[:, :50], hrv.normal_beats(rr))
    short = hrv.time_domain(rr, hrv.normal_beats(rr))
    long = hrv.time_domain(padded, hrv.normal_beats(padded))
    assert long.rmssd_ms == pytest.approx(short.rmssd_ms, rel=1e-12)


@pytest.mark.parametrize(
    ("bad", "at"),
    [
        pytest.param(400.0, 0, id="extra beat at the start"),
        pytest.param(1600.0, 5, id="missed beat"),
        pytest.param(400.0, 9, id="extra beat at the end"),
        pytest.param(5000.0, 5, id="out of range"),
        pytest.param(math.nan, 5, id="unknown"),
    ],
)
def test_one_artefact_is_dropped_and_only_it(bad, at):
    rr = [800.0 + 10 * (k % 3) for k in range(10)]
    rr[at] = bad
    assert hrv.normal_beats([rr])[0].tolist() == [k != at for k in range(10)]


def test_a_difference_is_never_taken_across_a_gap():
    rr = np.array([[800.0, 800.0, 700.0, 700.0]])
    beat_s = np.array([[0.8, 1.6, 30.0, 30.7]])  # beats between 1.6 and 30 s were lost
    normal = np.ones((1, 4), dtype=bool)
    follows = hrv.successive(rr, beat_s, normal)
    assert follows[0].tolist() == [False, True, False, True]
    assert hrv.time_domain(rr, normal, follows).rmssd_ms[0] == 0.0


def test_too_little_is_unknown_and_not_zero():
    found = hrv.time_domain([[800.0, 810.0]])
    assert math.isnan(found.rmssd_ms[0])
    assert math.isnan(found.pnn50[0])
    empty = hrv.time_domain(np.empty((2, 0)), np.empty((2, 0), dtype=bool))
    assert np.isnan(empty.mean_rr_ms).all()
    assert hrv.normal_beats(np.empty((2, 0))).shape == (2, 0)


def test_nearly_identical_intervals_keep_their_digits():
    rr = 800.0 + 1e-4 * np.random.default_rng(1).normal(size=(1, 350))
    assert hrv.time_domain(rr).sdnn_ms[0] == pytest.approx(rr[0].std(ddof=1), rel=1e-6)


def test_single_stretches_and_their_errors():
    assert round(hrv.rmssd([800.0, 810.0, 790.0, 800.0]), 2) == 14.14
    assert hrv.sdnn([800.0, 810.0]) == pytest.approx(7.0710678)
    assert hrv.pnn50([800.0, 900.0, 910.0]) == 0.5
    for function in (hrv.rmssd, hrv.pnn50):
        with pytest.raises(InsufficientDataError, match="2 intervals"):
            function([800.0, 810.0])
    for awkward in ([800.0, math.nan, 800.0], [800.0, 0.0, 800.0], [[800.0] * 3]):
        with pytest.raises(ValueError, match="rr_ms"):
            hrv.rmssd(awkward)
