"""Artefacts: each kind by example, against beat-by-beat code, and what must never change."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics import hrv

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "benchmarks"))
sys.path.insert(0, str(Path(__file__).parent))
import _hrv_series as series
import naive

KINDS = ("missed", "extra", "ectopic", "irregular", "long")


def hearts(seconds=120.0, seed=1):
    rng = np.random.default_rng(seed)
    return [series.synthetic(heart, seconds, rng) for heart in series.HEARTS.values()]


def pack(rows):
    packed = np.full((len(rows), max(map(len, rows))), np.nan)
    for row, values in enumerate(rows):
        packed[row, : len(values)] = values
    return packed


def rmssd(found):
    return hrv.time_domain(found.rr_ms, found.normal, found.follows).rmssd_ms


def counts(found, row=0):
    return {kind: int(getattr(found, kind)[row]) for kind in KINDS if getattr(found, kind)[row]}


CALM = [800.0 + 15 * math.sin(k) for k in range(30)]


def with_(*changes):
    rr = list(CALM)
    for at, values in sorted(changes, reverse=True):
        rr[at : at + len(values)] = values
    return rr


@pytest.mark.parametrize(
    ("rr", "expected"),
    [
        pytest.param(CALM, {}, id="clean"),
        pytest.param([*CALM[:9], CALM[9] + CALM[10], *CALM[11:]], {"missed": 1}, id="missed"),
        pytest.param([*CALM[:9], sum(CALM[9:12]), *CALM[12:]], {"missed": 2}, id="two missed"),
        pytest.param([*CALM[:9], 300.0, CALM[9] - 300, *CALM[10:]], {"extra": 1}, id="extra"),
        pytest.param([250.0, CALM[0] - 250, *CALM[1:]], {"extra": 1}, id="extra at the start"),
        pytest.param([*CALM[:-1], 500.0, CALM[-1] - 500], {"extra": 1}, id="extra at the end"),
        pytest.param(
            [*CALM[:9], 250.0, 300.0, CALM[9] - 550, *CALM[10:]],
            {"extra": 2},
            id="two extra in one",
        ),
        pytest.param(with_((12, [600.0, 1000.0])), {"ectopic": 1}, id="early with a pause"),
        pytest.param(with_((12, [1000.0, 600.0])), {"ectopic": 1}, id="late"),
        pytest.param(with_((12, [600.0])), {"irregular": 1}, id="early without a pause"),
        pytest.param(with_((12, [600.0, 940.0])), {"ectopic": 1}, id="early, incomplete pause"),
        pytest.param(with_((12, [8000.0])), {"irregular": 1}, id="a pause in finding"),
        pytest.param(with_((12, [1000.0])), {"long": 1}, id="a long beat in a steady heart"),
        pytest.param(with_((12, [1000.0, 1000.0])), {}, id="a slower stretch"),
        pytest.param(with_((12, [770.0, 830.0])), {}, id="small displacements are left alone"),
        pytest.param([500.0] * 30, {}, id="fast"),
    ],
)
def test_each_kind_is_told_apart(rr, expected):
    assert counts(hrv.correct([rr])) == expected


def share_found(name, early, rng):
    """Return the share of beats found that come early by `early` of an interval."""
    rows = [series.synthetic(series.HEARTS[name], 120, rng) for _ in range(15)]
    places = [range(15, len(rr) - 10, 20) for rr in rows]
    for rr, row in zip(rows, places, strict=True):
        for k in row:
            shift = early * rr[k]
            rr[k], rr[k + 1] = rr[k] - shift, rr[k + 1] + shift
    return hrv.correct(pack(rows)).ectopic.sum() / sum(map(len, places))


def test_what_counts_as_early_follows_how_lively_the_heart_is():
    rng = np.random.default_rng(3)
    assert share_found("stiff", 0.1, rng) == 1
    assert share_found("vagal", 0.1, rng) <= 0.1
    assert share_found("vagal", 0.3, rng) >= 0.9


def test_two_equal_readings_of_the_same_beats_are_one_artefact():
    rr = [800.0] * 12 + [560.0, 1040.0, 560.0] + [800.0] * 12
    assert counts(hrv.correct([rr])) == {"ectopic": 1, "irregular": 1}


def test_an_extra_beat_is_undone_exactly_and_a_missed_one_keeps_the_clock():
    extra = hrv.correct([[*CALM[:9], 300.0, CALM[9] - 300, *CALM[10:]]])
    assert extra.rr_ms[0] == pytest.approx(CALM, abs=1e-9)
    assert extra.measured.all()
    assert extra.beat_s[0] == pytest.approx(np.cumsum(CALM) / 1000, abs=1e-9)
    missed = hrv.correct([[*CALM[:9], CALM[9] + CALM[10], *CALM[11:]]])
    assert missed.rr_ms[0].sum() == pytest.approx(sum(CALM))
    assert np.flatnonzero(~missed.measured[0]).tolist() == [9, 10]
    assert np.flatnonzero(~missed.follows[0]).tolist() == [0, 9, 10, 11]
    moved = hrv.correct([with_((12, [600.0, 1000.0]))])
    assert moved.rr_ms[0, 12:14] == pytest.approx([800.0, 800.0], abs=15)
    assert moved.rr_ms[0, 12:14].sum() == pytest.approx(1600.0)
    assert np.flatnonzero(~moved.measured[0]).tolist() == [12, 13]


@given(st.data())
@settings(deadline=None, max_examples=60)
def test_the_rules_agree_with_beat_by_beat_code(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 10_000)))
    heart = data.draw(st.sampled_from(list(series.HEARTS.values())))
    rr = series.synthetic(heart, data.draw(st.sampled_from([5.0, 40.0, 90.0])), rng)
    if len(rr) > 60:
        kind = data.draw(st.sampled_from(["missed", "extra", "ectopic", "reset"]))
        rr = series.spoil(rr, kind, data.draw(st.integers(0, 4)), rng)
    for k in data.draw(st.lists(st.integers(0, max(len(rr) - 1, 0)), max_size=4)):
        if len(rr):
            rr[k] *= data.draw(st.sampled_from([0.1, 0.5, 0.7, 1.15, 1.3, 1.5, 1.8, 2.2, 3.1, 9.0]))
    gaps = data.draw(st.sets(st.integers(1, max(len(rr) - 1, 1)), max_size=2))
    at = np.cumsum(rr) / 1000 + np.array([5.0 * sum(g <= k for g in gaps) for k in range(len(rr))])
    found = hrv.correct(rr[None], beat_s=at[None])
    expected, measured, normal, follows, kinds = naive.correct(rr.tolist(), gaps)
    n = len(expected)
    assert found.rr_ms[0, :n] == pytest.approx(expected, rel=1e-9)
    assert found.measured[0, :n].tolist() == measured
    assert found.normal[0, :n].tolist() == normal
    assert found.follows[0, :n].tolist() == follows
    assert np.isnan(found.rr_ms[0, n:]).all()
    assert counts(found) == {kind: number for kind, number in kinds.items() if number}


@given(st.permutations(range(9)), st.integers(0, 5), st.integers(0, 3))
@settings(deadline=None, max_examples=20)
def test_rows_know_nothing_of_each_other_nor_of_padding(order, behind, before):
    rng = np.random.default_rng(5)
    rows = [
        series.spoil(rr, kind, 3, rng)
        for rr, kind in zip(hearts(60), ("missed", "extra", "ectopic") * 3, strict=True)
    ]
    together = hrv.correct(pack(rows))
    wide = np.full((9, before + pack(rows).shape[1] + behind), np.nan)
    wide[:, before : before + pack(rows).shape[1]] = pack(rows)[list(order)]
    shuffled = hrv.correct(wide)
    for place, row in enumerate(order):
        alone = hrv.correct(rows[row][None])
        n = alone.rr_ms.shape[1]
        for found, at in ((together, row), (shuffled, place)):
            assert np.array_equal(found.rr_ms[at, :n], alone.rr_ms[0], equal_nan=True)
            assert np.array_equal(found.measured[at, :n], alone.measured[0])
            assert np.array_equal(found.normal[at, :n], alone.normal[0])
            assert not found.measured[at, n:].any()
            assert counts(found, at) == counts(alone)


def test_inputs_are_left_alone_whatever_their_type_and_layout():
    rng = np.random.default_rng(6)
    rr = pack([series.spoil(x, "ectopic", 3, rng) for x in hearts(60)])
    present, at = np.isfinite(rr), np.nancumsum(rr, axis=1) / 1000
    before = rr.copy(), present.copy(), at.copy()
    found = hrv.correct(rr, present, at)
    for now, then in zip((rr, present, at), before, strict=True):
        assert np.array_equal(now, then, equal_nan=now.dtype != bool)
    turned = hrv.correct(np.asfortranarray(rr), np.asfortranarray(present), at[:, ::1])
    assert np.array_equal(turned.rr_ms, found.rr_ms, equal_nan=True)
    single = hrv.correct(rr.astype(np.float32), present, at)
    assert np.array_equal(single.measured, found.measured)
    assert rmssd(single) == pytest.approx(rmssd(found), rel=1e-4)


def test_nothing_is_joined_or_compared_across_a_gap():
    rr = [*CALM[:10], 300.0, 500.0, *CALM[10:]]
    at = np.cumsum(rr) / 1000
    at[11:] += 20.0  # beats were lost between the two short intervals
    found = hrv.correct([rr], beat_s=at[None])
    assert found.extra[0] == 0
    assert not found.follows[0, 11]
    hole = hrv.correct([[*CALM[:10], math.nan, *CALM[10:]]])
    assert hole.rr_ms[0].tolist() == CALM
    assert np.flatnonzero(~hole.follows[0]).tolist() == [0, 10]
    masked = hrv.correct([CALM], present=np.array([[k != 10 for k in range(30)]]))
    assert masked.rr_ms.shape == (1, 29)
    assert not masked.follows[0, 10]


@pytest.mark.parametrize(
    "rr",
    [
        pytest.param(np.empty((2, 0)), id="no column"),
        pytest.param(np.empty((0, 4)), id="no row"),
        pytest.param(np.full((2, 5), np.nan), id="nothing known"),
        pytest.param([[math.inf, 0.0, -800.0]], id="nothing believable"),
        pytest.param([[5000.0] * 9], id="out of range"),
    ],
)
def test_windows_without_beats_measure_nothing(rr):
    found = hrv.correct(rr)
    assert not found.measured.any()
    assert not found.follows.any()
    assert np.isnan(rmssd(found)).all()


def test_a_single_beat_and_wrong_shapes():
    assert hrv.correct([[800.0]]).measured.tolist() == [[True]]
    with pytest.raises(ValueError, match="dimensions"):
        hrv.correct([800.0])
    with pytest.raises(ValueError, match="present"):
        hrv.correct([[800.0]], present=np.ones((1, 2), dtype=bool))
    with pytest.raises(ValueError, match="beat_s"):
        hrv.correct([[800.0]], beat_s=[[1.0, 2.0]])


def errors(windows, kind, rng):
    """Return the errors of RMSSD with five artefacts, corrected and not [%]."""
    truth = np.array([hrv.rmssd(w) for w in windows])
    spoilt = [series.spoil(w, kind, 5, rng) if kind else w for w in windows]
    found = rmssd(hrv.correct(pack(spoilt)))
    raw = np.array([hrv.rmssd(w) for w in spoilt])
    return 100 * np.abs(found / truth - 1), 100 * np.abs(raw / truth - 1)


def test_the_target_holds_on_every_series_also_unseen_ones(record_property):
    rng = np.random.default_rng(12)
    all_series = series.clean_series(1.0, seed=77)
    real = [name for name in all_series if not name.startswith("synthetic")]
    record_property("recordings_of_normal_intervals", len(real))
    for name, windows in all_series.items():
        many = windows * math.ceil(12 / len(windows))
        for kind, most in (("missed", 2.0), ("extra", 2.0), ("ectopic", 5.0), (None, 0.1)):
            found, raw = errors(many, kind, rng)
            assert np.median(found) <= most, (name, kind)
            assert kind is None or np.median(raw) > 10, (name, kind)


def test_annotated_early_beats_are_found_and_normal_ones_left_alone(record_property):
    recorded = {name: x for name, x in series.recorded().items() if x[1] is not None}
    record_property("recordings_with_annotated_beats", len(recorded))
    for rr, normal in recorded.values():
        pieces = np.array_split(np.arange(len(rr)), len(rr) // 300)
        found = hrv.correct(pack([rr[piece] for piece in pieces]))
        # Nothing is put in or taken out here, so that columns are beats.
        assert not found.missed.any()
        assert not found.extra.any()
        kept = np.concatenate([found.measured[k, : len(p)] for k, p in enumerate(pieces)])
        early = np.flatnonzero(~normal)
        assert (~kept[early]).mean() >= 0.9
        far = np.array([np.abs(early - k).min() > 1 for k in range(len(rr))])
        assert (~kept[far]).mean() <= 0.002
