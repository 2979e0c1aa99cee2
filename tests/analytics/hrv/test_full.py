"""All figures in one call: the same as one by one, and silent where a window is too short."""

from __future__ import annotations

import math
import sys
from dataclasses import fields, is_dataclass
from pathlib import Path

import numpy as np
import pytest

from analytics import hrv
from analytics.hrv import full

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "benchmarks"))
import _hrv_series as series


def windows(seconds=300.0, n_windows=7):
    rng = np.random.default_rng(9)
    rows = [series.synthetic(series.HEARTS["calm"], seconds, rng) for _ in range(n_windows)]
    rows = [series.spoil(rr, "missed", k % 3, rng) for k, rr in enumerate(rows)]
    packed = np.full((n_windows, max(map(len, rows))), np.nan)
    for row, rr in enumerate(rows):
        packed[row, : len(rr)] = rr
    return packed


def flat(figures):
    found = []
    for field in fields(figures):
        value = getattr(figures, field.name)
        found += flat(value) if is_dataclass(value) else [value]
    return found


def test_the_set_is_what_its_parts_say():
    rr = windows()
    found, fixed = hrv.full_set(rr), hrv.correct(rr)
    time = hrv.time_domain(fixed.rr_ms, fixed.measured, fixed.follows)
    assert np.array_equal(found.time.rmssd_ms, time.rmssd_ms)
    assert np.array_equal(found.n_beats, fixed.measured.sum(axis=1))
    assert found.artefacts.tolist() == [0, 1, 2, 0, 1, 2, 0]
    even = hrv.welch(fixed.rr_ms, fixed.beat_s, fixed.measured)
    assert found.welch.hf_ms2 == pytest.approx(even.power(hrv.HF_HZ))
    assert found.welch.total_ms2 == pytest.approx(even.variance)
    assert found.lomb_scargle.total_ms2 == pytest.approx(
        [fixed.rr_ms[k][fixed.measured[k]].var() for k in range(7)]
    )
    assert found.welch.lf_hf == pytest.approx(found.welch.lf_ms2 / found.welch.hf_ms2)
    assert found.quality == pytest.approx(1 - 2 * found.artefacts / (found.n_beats + 2), abs=0.003)


def test_pieces_of_the_batch_change_nothing(monkeypatch):
    rr = windows()
    whole = flat(hrv.full_set(rr))
    monkeypatch.setattr(full, "_ROWS", 3)
    for one, other in zip(whole, flat(hrv.full_set(rr)), strict=True):
        assert other == pytest.approx(one, rel=1e-9, nan_ok=True)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        pytest.param(30, (False, False, False), id="30 s"),
        pytest.param(60, (False, False, True), id="one minute"),
        pytest.param(120, (False, True, True), id="two minutes"),
        pytest.param(300, (True, True, True), id="five minutes"),
    ],
)
def test_a_band_is_told_only_of_windows_long_enough(seconds, told):
    powers = hrv.full_set(windows(seconds)).lomb_scargle
    for band, expected in zip((powers.vlf_ms2, powers.lf_ms2, powers.hf_ms2), told, strict=True):
        assert np.isfinite(band).all() == expected
        assert np.isnan(band).all() == (not expected)


def test_quality_falls_with_what_is_not_there():
    rr = windows(60.0, 1)
    at = np.nancumsum(rr, axis=1) / 1000
    at[0, 30:] += 15.0
    assert hrv.full_set(rr, beat_s=at).quality[0] == pytest.approx(60 / 75, abs=0.02)
    assert hrv.full_set(rr, window_s=120.0).quality[0] == pytest.approx(0.5, abs=0.02)
    half = np.arange(rr.shape[1])[None] < rr.shape[1] // 2
    assert hrv.full_set(rr, half, window_s=60.0).quality[0] == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    "rr",
    [
        pytest.param(np.empty((0, 5)), id="no window"),
        pytest.param(np.empty((2, 0)), id="no column"),
        pytest.param(np.full((2, 6), math.nan), id="nothing known"),
        pytest.param(np.full((2, 1), 800.0), id="one beat"),
    ],
)
def test_windows_without_beats_are_unknown(rr):
    found = hrv.full_set(rr)
    assert len(found.quality) == len(rr)
    assert np.isnan(found.time.rmssd_ms).all()
    assert np.isnan(found.sample_entropy).all()
    assert np.isnan(found.welch.total_ms2).all()
    assert ((found.quality == 0) | (found.n_beats > 0)).all()
