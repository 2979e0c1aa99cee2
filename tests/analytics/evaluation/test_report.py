"""Every figure of the report, from traces and alerts made by hand and counted by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from analytics.evaluation import evaluate
from analytics.evaluation.evaluate import Judgement
from analytics.evaluation.intervals import rate_ci, share_ci
from analytics.evaluation.report import SWEPT, report
from analytics.evaluation.text import recordings_text, skipped_text
from analytics.scoring.detector import DETECTOR_VERSION
from analytics.scoring.episodes import threshold_for
from tests.analytics.evaluation.made import made

TEAM = 7
SKIPPED = {"out_of_range": {"eda_us": 3}, "repeated": {"hr_bpm": 2}}

# From 300 s to 3600 s 661 windows count; a stretch of 300 s and its tail take 73 of them.
CALM_WINDOWS = {"a": 661 - 2 * 73, "b": 661 - 73, "calm": 661, "strained": 0, "e": 661 - 73}
HOURS = {name: windows * 5 / 3600 for name, windows in CALM_WINDOWS.items()}
STRETCHES = {"a": 2, "b": 1, "calm": 0, "strained": 1, "e": 1}
ALERTS = {
    "a": [950.0, 1100.0, 1500.0, 2600.0],  # found once, by two alerts; two false
    "b": [1340.0, 2000.0],  # found in the tail; one false
    "calm": [200.0, 400.0],  # before anything counts; false
    "strained": [700.0],
    "e": [],
}
FOUND = {"a": 1, "b": 1, "calm": 0, "strained": 1, "e": 0}
FALSE = {"a": 2, "b": 1, "calm": 1, "strained": 0, "e": 0}
DELAYS = {"a": [50.0], "b": [340.0], "calm": [], "strained": [100.0], "e": []}
AUC = {"a": 1.0, "b": 0.6, "calm": None, "strained": None, "e": 0.5}
# Matching begins after the window of a stretch's start: 12 of 59 windows score, not of 60.
MATCHED = AUC | {"b": 0.5 + 0.5 * 12 / 59}
COVERED = {"a": 541 / 661, "b": 1.0, "calm": 1.0, "strained": 1.0, "e": 1.0}
RATE = 4 / sum(HOURS.values())
CURVE_AT = 5  # the only other threshold at which anything is told


@pytest.fixture
def traces():
    return [
        replace(made([(900, 1200), (1900, 2200)], end_s=3600, name="a"), skipped=SKIPPED),
        made([(1000, 1300)], end_s=3600, name="b"),
        made([], end_s=3600, name="calm"),
        made([(600, 900)], end_s=3600, unlabelled=[(0, 600), (900, 3601)], name="strained"),
        made([(1000, 1300)], end_s=3600, name="e"),
    ]


def scores(one):
    """Return a score of known AUC; that of `a` is missing for the last ten minutes."""
    score = np.zeros(len(one.t_s))
    if one.name == "a":
        score[one.label == 1] = 1.0
        score[one.t_s > 3000] = np.nan
    if one.name == "b":
        score[(one.t_s > 1000) & (one.t_s <= 1060)] = 1.0  # a fifth of the stretch
    return score


@pytest.fixture
def found(traces, monkeypatch):
    def judge(given, thresholds, _progress=None):
        assert thresholds == (threshold_for(TEAM), *SWEPT)
        alerts = {k: {} for k in range(len(thresholds))} | {0: ALERTS, CURVE_AT: {"a": [950.0]}}
        return [
            [
                Judgement(scores(one), np.array(alerts[k].get(one.name, []), float))
                for k in range(len(thresholds))
            ]
            for one in given
        ]

    monkeypatch.setattr(evaluate, "judge", judge)
    return report(traces, TEAM)


def every_drawing(parts, wholes):
    """Return the interval over all ways to draw so many people, none left to chance."""
    ratios = [
        sum(parts[i] for i in drawn) / below
        for drawn in product(range(len(parts)), repeat=len(parts))
        if (below := sum(wholes[i] for i in drawn)) > 0
    ]
    return list(np.percentile(ratios, [2.5, 97.5]))


def of_pairs(one, score):
    strained, calm = (score[one.counted & (one.label == kind)] for kind in (1, 0))
    return np.mean((strained[:, None] > calm) + 0.5 * (strained[:, None] == calm))


def test_every_overall_figure(found, traces):
    clocks = [of_pairs(one, one.t_s) for one in traces if AUC[one.name] is not None]
    expected = {
        "recordings": 5,
        "auc_mean": 0.7,
        "auc_median": 0.6,
        # Of three people, all drawings are one person with 1/27: more than 2.5 %.
        "auc_ci95": [0.5, 1.0],
        "auc_time_matched_mean": pytest.approx((1.0 + MATCHED["b"] + 0.5) / 3, abs=1e-4),
        "auc_time_matched_ci95": [0.5, 1.0],
        "clock_auc_mean": pytest.approx(np.mean(clocks), abs=1e-4),
        "clock_auc_time_matched_mean": 0.5,
        "coverage": pytest.approx(np.mean(list(COVERED.values())), abs=1e-4),
        "found_fraction": 0.6,
        "false_alerts_per_hour": pytest.approx(RATE, abs=1e-4),
        "median_delay_s": 100.0,
        "chance_found_fraction": pytest.approx(1 - math.exp(-RATE * 360 / 3600), abs=1e-4),
        "found_fraction_ci95": pytest.approx(
            every_drawing([*FOUND.values()], [*STRETCHES.values()]), abs=0.02
        ),
        "false_alerts_per_hour_ci95": pytest.approx(
            every_drawing([*FALSE.values()], [*HOURS.values()]), abs=0.1
        ),
        "right_of_alerts": 0.5,
        "team_size": TEAM,
        "threshold": pytest.approx(threshold_for(TEAM), abs=1e-4),
        "detector_version": DETECTOR_VERSION,
        "warnings": [],
    }
    overall = dict(found["overall"])
    overall.pop("operating_curve")
    assert overall == expected


def test_every_figure_of_each_recording(found):
    assert found["per_recording"] == [
        {
            "name": name,
            "duration_s": 3600.0,
            "auc": AUC[name],
            "auc_time_matched": MATCHED[name] and pytest.approx(MATCHED[name], abs=1e-4),
            "coverage": pytest.approx(COVERED[name], abs=1e-4),
            "stretches": STRETCHES[name],
            "found": FOUND[name],
            "false_alerts": FALSE[name],
            "calm_hours": pytest.approx(HOURS[name], abs=1e-4),
            "delays_s": DELAYS[name],
            "alerts_s": ALERTS[name],
            "skipped": SKIPPED if name == "a" else {},
        }
        for name in ALERTS
    ]


def test_the_curve_has_the_figures_of_its_own_alerts(found):
    curve = found["overall"]["operating_curve"]
    assert [point["threshold"] for point in curve] == list(SWEPT)
    silent = {"found_fraction": 0.0, "false_alerts_per_hour": 0.0, "chance_found_fraction": 0.0}
    for k, point in enumerate(curve, start=1):
        told = {"found_fraction": 0.2, "median_delay_s": 50.0} if k == CURVE_AT else {}
        assert point == {
            "threshold": point["threshold"],
            "median_delay_s": None,
            **silent,
            **told,
        }


def test_the_curve_sweeps_from_an_eighth_to_more_than_twice_of_production():
    assert len(SWEPT) == 40
    assert list(SWEPT) == sorted(set(SWEPT))
    assert SWEPT[0] == pytest.approx(0.12 * threshold_for(20), rel=0.01)
    assert SWEPT[-1] == pytest.approx(2.5 * threshold_for(20), rel=0.01)


def test_the_lines_say_the_same(found):
    found["overall"]["auc_time_matched_ci95"] = [0.41, 0.92]  # so as to be told from the AUC's
    lines = list(recordings_text(found))
    assert lines[0].split() == [
        "recording", "AUC", "matched", "coverage", "found", "false", "calm", "h",
    ]  # fmt: skip
    assert lines[1].split() == ["a", "1.00", "1.00", "0.82", "1/2", "2", "0.72"]
    assert lines[3].split() == ["calm", "unknown", "unknown", "1.00", "0/0", "1", "0.92"]
    assert lines[6] == (
        "AUC 0.70 (95 % over people 0.50 to 1.00), time-matched 0.70 (0.41 to 0.92); 5 recordings"
    )
    clock = found["overall"]["clock_auc_mean"]
    assert lines[7].startswith(f"Elapsed time alone: AUC {clock:.2f}, time-matched 0.50;")
    low, high = found["overall"]["false_alerts_per_hour_ci95"]
    assert "found 0.60 (" in lines[8]
    assert f"at 1.22 false alerts per hour ({low:.2f} to {high:.2f}; at random 0.12" in lines[8]
    assert "median delay 100 s; right of all alerts: 0.50" in lines[8]
    assert skipped_text(found["per_recording"]) == (
        "skipped in 1 of 5 recordings: 2 repeated rows of hr_bpm, 3 values of eda_us out of range"
    )
    assert skipped_text([{"skipped": {}}]) is None


def test_what_was_not_measured_is_not_called_calm(traces, monkeypatch):
    nothing = [[Judgement(np.full(len(one.t_s), np.nan), np.empty(0))] * 41 for one in traces[:1]]
    monkeypatch.setattr(evaluate, "judge", lambda *_: nothing)
    found = report(traces[:1], TEAM)
    assert found["overall"]["coverage"] == 0.0
    assert found["overall"]["false_alerts_per_hour"] == 0.0  # hours are what they were
    [warning] = found["overall"]["warnings"]
    assert "coverage is below 0.5 in 1 of 1 recordings (a)" in warning
    assert list(recordings_text(found))[-1] == f"WARNING: {warning}"


def test_one_person_has_no_interval(traces, monkeypatch):
    one = [[Judgement(scores(traces[0]), np.array(ALERTS["a"]))] * 41]
    monkeypatch.setattr(evaluate, "judge", lambda *_: one)
    found = report(traces[:1], TEAM)
    unknown = [value for name, value in found["overall"].items() if name.endswith("_ci95")]
    assert unknown == [[None, None]] * 4
    assert found["overall"]["auc_mean"] == 1.0
    assert any("AUC 1.00 (95 % over people unknown)" in line for line in recordings_text(found))


def test_without_calm_or_without_strained_time_what_needs_it_is_unknown(traces, monkeypatch):
    for at, unknown in (
        (2, {"found_fraction", "chance_found_fraction", "median_delay_s"}),
        (3, {"false_alerts_per_hour", "chance_found_fraction"}),
    ):
        alerts = np.array(ALERTS[traces[at].name])
        judged = [[Judgement(scores(traces[at]), alerts)] * 41]
        monkeypatch.setattr(evaluate, "judge", lambda *_, judged=judged: judged)
        overall = report([traces[at]], TEAM)["overall"]
        counted = {"found_fraction", "false_alerts_per_hour", "chance_found_fraction"}
        assert {name for name in counted | {"median_delay_s"} if overall[name] is None} == unknown
        assert overall["auc_mean"] is None
        assert overall["auc_median"] is None


def test_the_bootstrap_is_as_wide_as_the_error_of_a_mean():
    # 400 people, half at 0 and half at 1: the mean is known within 1.96 * 0.5 / 20.
    low, high = evaluate.bootstrap_ci([0.0, 1.0] * 200)
    assert high - low == pytest.approx(2 * 1.96 * 0.5 / 20, rel=0.08)
    assert (low + high) / 2 == pytest.approx(0.5, abs=0.01)


def test_people_who_are_all_alike_still_leave_doubt():
    # 3.69 is where a Poisson count is 0 once in forty; 0.025 ** (1 / 10) likewise of ten people.
    assert rate_ci([0] * 10, [2.0] * 10) == pytest.approx((0.0, 3.69 / 20), abs=1e-3)
    assert share_ci([0] * 10, [3] * 10) == pytest.approx((0.0, 1 - 0.025**0.1))
    assert share_ci([3] * 10, [3] * 10) == pytest.approx((0.025**0.1, 1.0))
    assert rate_ci([1, 0], [2.0, 2.0]) == evaluate.bootstrap_ratio_ci([1, 0], [2.0, 2.0])
    assert share_ci([1, 0], [2, 2]) == evaluate.bootstrap_ratio_ci([1, 0], [2, 2])
    for interval in (rate_ci, share_ci, evaluate.bootstrap_ratio_ci):
        assert np.isnan(interval([1, 0], [2, 0])).all()
