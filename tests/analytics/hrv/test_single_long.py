"""Single long beats: counted where the heart does not make such, left out where they are far off."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest

from analytics import hrv

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "benchmarks"))
import _hrv_series as series


def heart(name, longer=1.0, at=200, seed=2):
    """Return five minutes of a made-up heart in which one interval is `longer` than its fellows."""
    rr = series.synthetic(series.HEARTS[name], 300.0, np.random.default_rng(seed))
    rr[at] = longer * rr[at - 5 : at + 6].max()
    return rr


def found_in(rr):
    found = hrv.correct(rr[None])
    assert found.measured.all()
    return int(found.long[0]), int((~found.normal[0]).sum())


@pytest.mark.parametrize(
    ("name", "longer", "counted", "left_out"),
    [
        pytest.param("stiff", 1.03, 0, 0, id="steady: next to nothing"),
        pytest.param("stiff", 1.12, 1, 1, id="steady: far out of line"),
        pytest.param("calm", 1.06, 0, 0, id="calm: its own"),
        pytest.param("calm", 1.12, 1, 0, id="calm: counted"),
        pytest.param("calm", 1.30, 1, 1, id="calm: far out of line"),
        pytest.param("breathing", 1.20, 0, 0, id="lively: its own"),
        pytest.param("breathing", 1.38, 1, 0, id="lively: counted"),
    ],
)
def test_how_long_a_beat_may_be_follows_how_lively_the_heart_is(name, longer, counted, left_out):
    assert found_in(heart(name, longer)) == (counted, left_out)


def test_a_long_beat_lowers_quality_and_no_variability_is_taken_from_it():
    clean, spoilt = heart("calm"), heart("calm", 1.4)
    before, after = (hrv.full_set(rr[None]) for rr in (clean, spoilt))
    assert (before.artefacts[0], before.quality[0]) == (0, 1.0)
    assert after.artefacts[0] == 1
    assert after.quality[0] == pytest.approx(1 - spoilt[200] / spoilt.sum())
    assert after.n_beats[0] == before.n_beats[0] - 1
    assert hrv.rmssd(spoilt) > 1.25 * hrv.rmssd(clean)
    for figure in ("rmssd_ms", "sdnn_ms", "sd1_ms", "sd2_ms"):
        expected = getattr(before.time, figure)[0]
        assert getattr(after.time, figure)[0] == pytest.approx(expected, rel=0.02)
    assert after.baevsky_index == pytest.approx(before.baevsky_index, rel=0.02)
    assert after.welch.hf_ms2 == pytest.approx(before.welch.hf_ms2, rel=0.1)


def test_a_heart_that_makes_them_all_the_time_keeps_them_and_counts_them():
    rr = heart("vagal")
    found = hrv.full_set(rr[None])
    assert found.artefacts[0] >= 1
    assert 0.95 < found.quality[0] < 1.0
    assert found.n_beats[0] == len(rr)
    assert found.time.rmssd_ms[0] == pytest.approx(hrv.rmssd(rr))


def test_a_rate_rests_on_them_all_the_same():
    found = hrv.correct(heart("stiff", 1.4)[None])
    assert found.measured[0, 200]
    assert not found.normal[0, 200]
    assert found.follows[0, 200]


@pytest.mark.parametrize("at", [0, -1])
def test_at_an_edge_one_neighbour_and_what_is_usual_must_do(at):
    rr = 800.0 + 10 * np.sin(np.arange(60.0))
    rr[at] = 1000.0
    assert found_in(rr) == (1, 1)


def test_a_window_too_short_to_know_what_is_usual_leaves_them():
    assert found_in(np.array([800.0, 810.0, 1000.0])) == (0, 0)


@pytest.mark.parametrize("absurd", [60_001.0, 1e12, 1e300, math.inf])
def test_what_cannot_be_an_interval_is_none(absurd):
    rr = heart("calm")
    spoilt = np.insert(rr, 150, absurd)
    found, expected = hrv.full_set(spoilt[None]), hrv.full_set(np.insert(rr, 150, np.nan)[None])
    assert found.quality == expected.quality
    assert found.quality[0] > 0.99
    assert found.time.rmssd_ms == expected.time.rmssd_ms
    assert found.lomb_scargle.hf_ms2 == expected.lomb_scargle.hf_ms2
    at = np.cumsum(np.minimum(spoilt, 60_000.0)) / 1000.0
    assert np.isfinite(hrv.lomb_scargle(spoilt[None], at[None]).density).all()
    with pytest.raises(ValueError, match="up to 60000"):
        hrv.rmssd(spoilt)


@pytest.mark.parametrize(
    "function",
    [
        hrv.full_set,
        hrv.correct,
        hrv.time_domain,
        hrv.normal_beats,
        lambda rr: hrv.welch(rr, np.cumsum(rr, axis=1)),
        lambda rr: hrv.lomb_scargle(rr, np.cumsum(rr, axis=1)),
        lambda rr: hrv.rmssd(rr[0]),
        lambda rr: hrv.sdnn(rr[0]),
    ],
)
def test_seconds_are_refused_and_the_remedy_named(function):
    rr = heart("calm")[None]
    function(rr)
    with pytest.raises(
        ValueError, match=r"in seconds; expected milliseconds: multiply them by 1000"
    ):
        function(rr / 1000.0)


def test_some_beats_of_nothing_do_not_make_a_window_one_of_seconds():
    rr = heart("calm")
    rr[::3] = 1.0
    assert not hrv.correct(rr[None]).measured.all()
    assert hrv.correct(np.array([[math.nan, 0.0, -1.0]])).measured.any() == np.False_
