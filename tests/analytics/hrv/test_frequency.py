"""Spectra: against slow sums, and physically: sines, variances, gaps."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest

from analytics import hrv
from analytics.hrv.resampling import resample

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "benchmarks"))
sys.path.insert(0, str(Path(__file__).parent))
import _hrv_series as series
import naive


def five_minutes(n_windows=3, seed=3):
    rng = np.random.default_rng(seed)
    rr = np.array(
        [series.synthetic(series.HEARTS["calm"], 330, rng)[:300] for _ in range(n_windows)]
    )
    return rr, np.cumsum(rr, axis=1) / 1000


def wave(amplitude, frequency_hz, mean=850.0, seconds=320.0):
    """Return intervals that follow a sine of time, and when they end."""
    rr, at = [], 0.0
    while at < seconds:
        rr.append(mean + amplitude * math.sin(2 * math.pi * frequency_hz * at))
        at += rr[-1] / 1000
    return np.array([rr]), np.cumsum([rr], axis=1) / 1000


def test_welch_agrees_with_slow_sums():
    values = np.random.default_rng(1).normal(size=(2, 100))
    for size in (32, 33):
        expected = [naive.welch_density(row, 4.0, size) for row in values]
        assert hrv.welch_density(values, 4.0, size) == pytest.approx(np.array(expected), rel=1e-9)
    short = hrv.welch_density(values, 4.0, 32, count=[100, 31])
    assert short[0] == pytest.approx(expected_row(values[0]), rel=1e-9)
    assert np.isnan(short[1]).all()


def expected_row(values):
    return np.array(naive.welch_density(values, 4.0, 32))


def test_lomb_scargle_agrees_with_slow_sums():
    rr, at = five_minutes(1)
    used = np.random.default_rng(2).uniform(size=rr.shape) > 0.2
    found = hrv.lomb_scargle(rr, at, used)
    for k in (0, 7, 40, 150, 299):
        expected = naive.lomb_scargle(
            rr[used].tolist(), at[used].tolist(), float(found.frequency_hz[k])
        )
        assert found.density[0, k] == pytest.approx(expected, rel=1e-9)


def test_the_spline_agrees_with_solving_all_equations_at_once():
    rr, at = five_minutes(2)
    rr, at = rr[:, :40], at[:, :40]
    used = np.random.default_rng(4).uniform(size=rr.shape) > 0.1
    found = resample(rr, at, used, 4.0)
    for row in range(2):
        x, y = at[row][used[row]] - at[row][used[row]][0], rr[row][used[row]]
        n, h = len(x), np.diff(x)
        system, right = np.eye(n), np.zeros(n)
        for k in range(1, n - 1):
            system[k, k - 1 : k + 2] = h[k - 1], 2 * (h[k - 1] + h[k]), h[k]
            right[k] = 6 * ((y[k + 1] - y[k]) / h[k] - (y[k] - y[k - 1]) / h[k - 1])
        m = np.linalg.solve(system, right)
        count = int(found.count[row])
        assert count == int(x[-1] * 4) + 1
        for i in range(count):
            k = min(int(np.searchsorted(x, i / 4 + 1e-9, side="right")) - 1, n - 2)
            b = (i / 4 - x[k]) / h[k]
            a = 1 - b
            bend = ((a**3 - a) * m[k] + (b**3 - b) * m[k + 1]) * h[k] ** 2 / 6
            assert found.values[row, i] == pytest.approx(a * y[k] + b * y[k + 1] + bend, rel=1e-9)
        assert np.isnan(found.values[row, count:]).all()


@pytest.mark.parametrize(
    ("frequency_hz", "band"),
    [
        pytest.param(0.02, hrv.VLF_HZ, id="VLF"),
        pytest.param(0.1, hrv.LF_HZ, id="LF"),
        pytest.param(0.25, hrv.HF_HZ, id="HF"),
        pytest.param(0.33, hrv.HF_HZ, id="fast breathing"),
    ],
)
def test_a_sine_of_amplitude_a_is_half_a_squared_in_its_band(frequency_hz, band):
    rr, at = wave(30.0, frequency_hz)
    for method in (hrv.welch, hrv.lomb_scargle):
        power = method(rr, at).power(band)[0]
        # Beats are where the sine is short more often than where it is long: not exact.
        assert power == pytest.approx(450.0, rel=0.1), method.__name__


def test_the_integral_is_the_variance():
    rr, at = five_minutes(6)
    found = hrv.welch(rr, at)
    even = resample(rr, at, np.ones(rr.shape, dtype=bool), 4.0)
    for row in range(6):
        values = even.values[row, : even.count[row]]
        assert found.variance[row] == pytest.approx(values.var(), rel=1e-12)
    half_the_rate = 0.5 * 300 / (at[:, -1] - at[:, 0]).mean()
    wide = hrv.lomb_scargle(rr, at, highest_hz=half_the_rate)
    assert wide.variance == pytest.approx(rr.var(axis=1), rel=0.05)
    # and exactly where beats are evenly spaced and the grid is theirs
    noise = np.random.default_rng(5).normal(800, 50, (2, 300))
    evenly = np.tile(0.8 * np.arange(300), (2, 1))
    exact = hrv.lomb_scargle(noise, evenly, step_hz=1 / 240, highest_hz=0.625)
    assert exact.variance == pytest.approx(noise.var(axis=1), rel=1e-9)


def test_bands_that_meet_add_up():
    rr, at = five_minutes(2)
    for found in (hrv.welch(rr, at), hrv.lomb_scargle(rr, at)):
        parts = [(0.0, 0.0033), hrv.VLF_HZ, hrv.LF_HZ, hrv.HF_HZ, (0.4, math.inf)]
        assert sum(found.power(band) for band in parts) == pytest.approx(found.variance, rel=1e-12)


def test_gaps_are_bridged_only_while_they_are_short():
    rr, at = wave(30.0, 0.1)
    used = np.ones(rr.shape, dtype=bool)
    used[0, 100:103] = False
    bridged = hrv.welch(rr, at, used).power(hrv.LF_HZ)[0]
    assert bridged == pytest.approx(450.0, rel=0.1)
    used[0, 100:140] = False
    assert np.isnan(hrv.welch(rr, at, used).density).all()
    assert hrv.lomb_scargle(rr, at, used).power(hrv.LF_HZ)[0] == pytest.approx(450.0, rel=0.15)


@pytest.mark.parametrize("method", [hrv.welch, hrv.lomb_scargle])
def test_rows_padding_type_and_layout_change_nothing(method):
    rr, at = five_minutes(11)
    found = method(rr, at).density
    before = rr.copy(), at.copy()
    wide_rr, wide_at = (np.pad(x, ((0, 0), (2, 5)), constant_values=np.nan) for x in (rr, at))
    assert method(wide_rr, wide_at).density == pytest.approx(found, rel=1e-9)
    order = np.random.default_rng(1).permutation(11)
    assert method(rr[order], at[order]).density == pytest.approx(found[order], rel=1e-9)
    assert method(rr[4:5], at[4:5]).density[0] == pytest.approx(found[4], rel=1e-9)
    assert method(np.asfortranarray(rr), np.asfortranarray(at)).density == pytest.approx(found)
    assert method(rr, at + 1.7e9).density == pytest.approx(found, rel=1e-3)  # times of day
    single = method(rr.astype(np.float32), at).density
    assert single == pytest.approx(found, rel=1e-2, abs=1e-3)
    assert np.array_equal(rr, before[0])
    assert np.array_equal(at, before[1])


@pytest.mark.parametrize("method", [hrv.welch, hrv.lomb_scargle])
def test_too_little_is_unknown(method):
    for rr in (np.empty((2, 0)), np.full((2, 9), np.nan), np.full((2, 9), 800.0)):
        found = method(rr, np.cumsum(np.nan_to_num(rr), axis=1))
        assert np.isnan(found.density).all()
        assert found.density.shape == (2, len(found.frequency_hz))
    with pytest.raises(ValueError, match="beat_s"):
        method(np.ones((1, 5)), np.ones((1, 6)))


def test_times_that_do_not_rise_give_nothing_rather_than_nonsense():
    rr, at = five_minutes(1)
    at[0, 50] = at[0, 49]
    assert np.isnan(hrv.welch(rr, at).density).all()


def test_a_window_alone_gives_the_same_curve_bit_for_bit():
    rng = np.random.default_rng(21)
    rr = rng.normal(820, 60, (4, 90))
    used = rng.random(rr.shape) > 0.1
    used[1, 40:] = used[2, 5:] = used[3, 3:] = False
    at = np.cumsum(rr, axis=1) / 1000.0
    together = resample(rr, at, used, 4.0)
    for row in range(len(rr)):
        alone = resample(*(a[row : row + 1] for a in (rr, at, used)), 4.0)
        n = int(alone.count[0])
        assert together.count[row] == n
        assert together.values[row, :n].tobytes() == alone.values[0].tobytes()
