"""The judge is judged: AUC, time-matching and alerts against hand-made cases."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import threading
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.evaluation import evaluate
from analytics.evaluation.evaluate import Trace
from analytics.evaluation.files import names
from analytics.scoring.measured import UNMEASURED_S
from analytics.signals.windows import FeatureBatch
from sensors.errors import RecordingError
from sensors.recording import read_recording
from tests.analytics.evaluation.made import made
from wellbeing import main

RECORDINGS = Path(__file__).parents[2] / "fixtures" / "recordings"
REAL = Path(__file__).resolve().parents[4] / "shared" / "data" / "strain"


@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=12),
    st.lists(st.integers(0, 5), min_size=1, max_size=12),
)
@settings(deadline=None)
def test_auc_is_the_chance_that_the_strained_one_scores_higher(strained, calm):
    pairs = [(a > b) + 0.5 * (a == b) for a in strained for b in calm]
    score = np.array([*strained, *calm], dtype=float)
    kind = np.arange(len(score)) < len(strained)
    assert evaluate.auc(score, kind) == pytest.approx(np.mean(pairs))


def test_auc_of_one_kind_is_unknown():
    assert np.isnan(evaluate.auc(np.ones(3), np.ones(3, dtype=bool)))


def test_elapsed_time_alone_scores_half_when_matched():
    one = made([(900, 1200), (1900, 2200)])
    assert evaluate.auc_time_matched(one, one.t_s) == pytest.approx(0.5)
    perfect = (one.label == 1).astype(float)
    assert evaluate.auc_time_matched(one, perfect) == 1.0
    assert evaluate.auc_of(one, perfect) == 1.0


def test_a_stretch_without_calm_time_on_one_side_weighs_as_much_as_the_others():
    # The first stretch has no calm time before it that counts, the second has both.
    one = made([(300, 900), (2000, 2300)])
    right = ((one.label == 1) & (one.t_s > 1000)).astype(float)  # the first at chance
    assert evaluate.auc_time_matched(one, right) == pytest.approx(np.mean([0.5, 1.0]))


def test_a_missing_score_counts_as_zero_and_unlabelled_time_not_at_all():
    one = made([(900, 1200)], unlabelled=[(1300, 2000)])
    score = np.where(one.label == 1, np.nan, 1.0)
    assert evaluate.auc_of(one, score) == 0.0
    wild = (one.label == 1).astype(float)
    wild[one.label == -1] = 99.0
    assert evaluate.auc_of(one, wild) == 1.0


@pytest.mark.parametrize(
    ("alerts", "found", "false_alerts", "delays"),
    [
        pytest.param([], 0, 0, (), id="none"),
        pytest.param([930.0], 1, 0, (30.0,), id="within"),
        pytest.param([1250.0], 1, 0, (350.0,), id="in the tail"),
        pytest.param([1265.0], 0, 1, (), id="after the tail"),
        pytest.param([895.0, 1000.0], 1, 1, (100.0,), id="before is false, within is found"),
        pytest.param([930.0, 1100.0], 1, 0, (30.0,), id="found once"),
        pytest.param([200.0], 0, 0, (), id="before anything counts"),
    ],
)
def test_what_an_alert_finds_and_disturbs(alerts, found, false_alerts, delays):
    one = made([(900.0, 1200.0)])
    tally = evaluate.tally(one, np.array(alerts))
    assert (tally.found, tally.false_alerts, tally.delays_s) == (found, false_alerts, delays)
    # from 300 s to 3000 s, without the stretch and its tail
    assert tally.calm_hours == pytest.approx((2700 - 360) / 3600, abs=0.01)


def test_alerts_at_random_find_the_known_share():
    strain = made([(600, 954), (1200, 1804), (2100, 2224)])
    assert evaluate.chance_found([strain], 2.0) == pytest.approx(0.20, abs=0.03)
    assert evaluate.chance_found([strain], 6.0) == pytest.approx(0.48, abs=0.04)
    assert evaluate.chance_found([strain], 0.0) == 0.0


def written(path, labels, end_s=1200.0):
    rows = [(t, "hr_bpm", 70.0 + t % 7) for t in np.arange(0.0, end_s, 1.0)]
    rows = sorted([*((t, "label", kind) for t, kind in labels), *rows], key=lambda row: row[0])
    path.write_text("t_s,signal,value\n" + "".join(f"{t},{s},{v}\n" for t, s, v in rows))
    return read_recording(path)


@pytest.mark.parametrize(
    "extra",
    [
        pytest.param([(400.0, 1), (400.0, 0)], id="two labels of the same moment"),
        pytest.param([(1199.0, 1)], id="a label in the last row"),
        pytest.param([(801.0, 1), (804.0, 0)], id="within one window"),
        pytest.param([(100.0, 1), (300.0, 0)], id="over before anything counts"),
    ],
)
def test_a_stretch_without_a_scored_moment_is_none(tmp_path, extra):
    labels = sorted([(0.0, 0), (500.0, 1), (700.0, 0), *extra], key=lambda row: row[0])
    assert evaluate.trace(written(tmp_path / "r.csv", labels)).stretches == [(500.0, 700.0)]


@pytest.mark.parametrize("labels", [[], [(0.0, -1)], [(0.0, 1), (299.0, -1)]])
def test_a_recording_without_a_label_that_counts_says_which_row_to_add(tmp_path, labels):
    recording = written(tmp_path / "r.csv", labels)
    for read in (evaluate.check_labels, evaluate.trace):
        with pytest.raises(RecordingError, match="add a row t_s,label,0"):
            read(recording)


@pytest.mark.parametrize(("kind", "stretches"), [(0, []), (1, [(300.0, 1199.0)])])
def test_one_kind_of_label_is_enough(tmp_path, kind, stretches):
    one = evaluate.trace(written(tmp_path / "r.csv", [(300.0, kind)]))
    assert set(one.label[one.counted].tolist()) == {kind}
    assert one.stretches == stretches
    assert np.isnan(evaluate.auc_of(one, one.t_s))


def test_what_was_skipped_is_counted_with_its_reason(tmp_path):
    path = tmp_path / "r.csv"
    written(path, [(0.0, 0)])
    rows = path.read_text().splitlines()
    path.write_text("\n".join([rows[0], *(row for row in ["0,hr_bpm,0", *rows[1:]] for _ in "ab")]))
    one = evaluate.trace(read_recording(path))
    beats = sum(",hr_bpm," in row for row in rows)
    assert one.skipped == {"out_of_range": {"hr_bpm": 1}, "repeated": {"hr_bpm": beats + 1}}


def test_the_interval_is_the_same_every_time_and_holds_the_mean():
    values = [0.7, 0.8, 0.9, 0.6, 0.75]
    low, high = evaluate.bootstrap_ci(values)
    assert (low, high) == evaluate.bootstrap_ci(values)
    assert low < np.mean(values) < high


def test_one_recording_scores_the_same_alone_and_among_others():
    traces = [evaluate.trace(read_recording(p)) for p in sorted(RECORDINGS.glob("*.csv.gz"))]
    together = evaluate.judge(traces, [1.0, 2.0])
    alone = evaluate.judge(traces[1:2], [1.0])
    assert np.array_equal(together[1][0].score, alone[0][0].score, equal_nan=True)
    assert np.array_equal(together[1][0].alerts_s, alone[0][0].alerts_s)


def test_recordings_read_side_by_side_are_what_each_is_alone():
    recordings = [read_recording(path) for path in sorted(RECORDINGS.glob("*.csv.gz"))]
    shorter = recordings[1]
    recordings[1] = replace(shorter, duration_s=shorter.duration_s - 120.0)
    for together, one in zip(evaluate.traces(recordings), recordings, strict=True):
        alone = evaluate.trace(one)
        assert (together.name, together.stretches) == (alone.name, alone.stretches)
        assert together.label.tobytes() == alone.label.tobytes()
        for f in fields(FeatureBatch):
            assert (
                getattr(together.batch, f.name).tobytes() == getattr(alone.batch, f.name).tobytes()
            )


def test_a_device_that_gives_nothing_is_as_unknown_as_in_the_service():
    recording = read_recording(RECORDINGS / "simulated1.csv.gz")
    silent = {
        name: replace(one, t_s=one.t_s[keep], values=one.values[keep])
        for name, one in recording.series.items()
        for keep in [(one.t_s <= 600) | (one.t_s > 660)]
    }
    one = evaluate.trace(replace(recording, series=silent))
    known = np.isfinite(one.batch.values).any(axis=1)
    unknown_s = one.t_s[~known & (one.t_s > 300)]
    assert unknown_s.tolist() == list(np.arange(600 + UNMEASURED_S + 5, 661, 5))


def test_a_score_depends_on_the_past_only():
    one = evaluate.trace(read_recording(RECORDINGS / "simulated1.csv.gz"))
    whole = evaluate.judge([one], [1.5])[0][0].score
    cut = 150
    batch = one.batch
    head = Trace(
        one.name,
        one.t_s[:cut],
        FeatureBatch(batch.at_s[:cut], batch.values[:cut], batch.quality[:cut], batch.moving[:cut]),
        one.label[:cut],
        one.stretches,
    )
    assert np.array_equal(evaluate.judge([head], [1.5])[0][0].score, whole[:cut], equal_nan=True)


OVERALL = {
    "recordings", "auc_mean", "auc_median", "auc_ci95", "auc_time_matched_mean", "coverage",
    "found_fraction", "false_alerts_per_hour", "median_delay_s", "chance_found_fraction",
    "operating_curve",
}  # fmt: skip


def test_the_command_finds_the_simulated_strain(capsys):
    assert main(["evaluate", str(RECORDINGS), "--team-size", "1", "--json"]) == 0
    text = capsys.readouterr().out
    found = json.loads(text)
    overall = found["overall"]
    assert overall.keys() >= OVERALL
    assert overall["recordings"] == len(found["per_recording"]) == 3
    assert overall["auc_mean"] > 0.9
    assert overall["auc_time_matched_mean"] > 0.9
    assert overall["coverage"] == 1.0
    assert overall["found_fraction"] == 1.0
    assert {"false_alerts_per_hour", "found_fraction", "median_delay_s"} <= overall[
        "operating_curve"
    ][0].keys()
    assert [one["name"] for one in found["per_recording"]] == [f"simulated{k}" for k in (1, 2, 3)]
    assert main(["evaluate", str(RECORDINGS), "--team-size", "1", "--json"]) == 0
    assert capsys.readouterr().out == text


def test_calm_recordings_count_for_false_alerts_only(tmp_path, capsys):
    written(tmp_path / "calm.csv", [(0.0, 0)])
    shutil.copy(RECORDINGS / "simulated1.csv.gz", tmp_path)
    assert main(["evaluate", str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    calm, strained = found["per_recording"]
    assert (calm["auc"], calm["auc_time_matched"], calm["stretches"]) == (None, None, 0)
    assert calm["calm_hours"] == pytest.approx(895 / 3600, abs=0.01)
    assert found["overall"]["auc_mean"] == strained["auc"]
    assert found["left_out"] == []


def test_what_cannot_be_used_is_named_and_the_rest_is_judged(tmp_path, capsys):
    shutil.copy(RECORDINGS / "simulated1.csv.gz", tmp_path / "good.csv.gz")
    written(tmp_path / "unlabelled.csv", [])
    (tmp_path / "bad.csv").write_text("time,name,value\n0,hr_bpm,70\n")
    (tmp_path / "._good.csv").write_text("what a Mac knows about a file")
    assert main(["evaluate", str(tmp_path), "--json"]) == 0
    shown = capsys.readouterr()
    found = json.loads(shown.out)
    assert [one["name"] for one in found["per_recording"]] == ["good"]
    assert [one["name"] for one in found["left_out"]] == ["bad", "unlabelled"]
    lines = shown.err.strip().splitlines()
    assert lines == [f"wellbeing evaluate: left out: {one['reason']}" for one in found["left_out"]]
    assert "bad.csv, line 1: the header is" in lines[0]
    assert "add a row" in lines[1]


def test_if_nothing_can_be_used_each_reason_is_told(tmp_path, capsys):
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("")
    assert main(["evaluate", str(tmp_path), "--json"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    lines = shown.err.strip().splitlines()
    assert "a.csv, line 1: the file is empty" in lines[0]
    assert "b.csv, line 1: the file is empty" in lines[1]
    assert lines[2:] == ["wellbeing evaluate: none of the 2 recordings can be judged; see above"]


def test_skipped_values_are_told_in_one_line(tmp_path, capsys):
    path = tmp_path / "r.csv"
    written(path, [(0.0, 0), (500.0, 1), (700.0, 0)])
    path.write_text(path.read_text() + "1199.0,hr_bpm,0\n")
    assert main(["evaluate", str(path)]) == 0
    assert capsys.readouterr().err == (
        "wellbeing evaluate: skipped in 1 of 1 recordings: 1 values of hr_bpm out of range\n"
    )


def test_the_bar_moves_on_a_terminal_and_only_there(capsys, monkeypatch):
    command = ["evaluate", str(RECORDINGS / "simulated1.csv.gz"), "--json"]
    assert main(command) == 0
    assert capsys.readouterr().err == ""
    pty = pytest.importorskip("pty")
    monkeypatch.setenv("TERM", "xterm")
    ours, theirs = pty.openpty()
    heard = []
    with os.fdopen(theirs, "w", encoding="utf-8") as terminal:
        reader = threading.Thread(target=lambda: heard.extend(_until_closed(ours)))
        reader.start()
        monkeypatch.setattr(sys, "stderr", terminal)
        assert main(command) == 0
    reader.join()
    monkeypatch.undo()
    text = b"".join(heard).decode()
    assert "reading" in text
    assert "scoring" in text
    assert "100%" in text
    json.loads(capsys.readouterr().out)  # nothing of it among the figures


def _until_closed(terminal):
    """Yield what is written to the other end of `terminal`, then close it."""
    with os.fdopen(terminal, "rb", buffering=0) as ours, contextlib.suppress(OSError):
        while data := ours.read(4096):  # Linux says EIO when the last writer is gone
            yield data


def test_a_bigger_team_is_told_less(capsys):
    one = str(RECORDINGS / "simulated1.csv.gz")
    thresholds = []
    for size in ("5", "50"):
        assert main(["evaluate", one, "--json", "--team-size", size]) == 0
        thresholds.append(json.loads(capsys.readouterr().out)["overall"]["threshold"])
    assert thresholds[0] < thresholds[1]


def test_people_get_a_table(capsys):
    assert main(["evaluate", str(RECORDINGS / "simulated1.csv.gz")]) == 0
    shown = capsys.readouterr().out
    assert "simulated1" in shown
    assert "at random" in shown


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("t_s,signal,value\n0,hr_bpm,70\n400,hr_bpm,70\n", "labelled 0", id="no label"),
        pytest.param("time,name,value\n0,hr_bpm,70\n", "header", id="bad header"),
        pytest.param("t_s,signal,value\n0,hr,70\n", "unknown signal", id="unknown signal"),
        pytest.param(
            "t_s,signal,value\n0,label,1\n1,hr_bpm,70\n290,label,-1\n900,hr_bpm,70\n",
            "after the first 300 s",
            id="labels too early",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_judged_ends_in_one_line(tmp_path, capsys, text, words):
    path = tmp_path / "odd.csv"
    path.write_text(text)
    assert main(["evaluate", str(path)]) == 2
    shown = capsys.readouterr().err.strip()
    assert words in shown
    assert "odd" in shown
    assert len(shown.splitlines()) == 1


def test_folders_that_hold_nothing_and_names_of_nothing(tmp_path, capsys):
    assert main(["evaluate", str(tmp_path)]) == 2
    assert "holds no recording" in capsys.readouterr().err
    assert main(["evaluate", str(tmp_path / "none.csv")]) == 2
    assert "there is no file or folder" in capsys.readouterr().err


def test_the_same_file_twice_counts_once(tmp_path, capsys):
    copy = tmp_path / "a.csv.gz"
    shutil.copy(RECORDINGS / "simulated1.csv.gz", copy)
    assert main(["evaluate", str(copy), str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["overall"]["recordings"] == 1


def test_a_recording_is_one_however_its_path_is_spelt(tmp_path, capsys, monkeypatch):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    for folder, number in (("a", 1), ("b", 2)):
        source = RECORDINGS / f"simulated{number}.csv.gz"
        shutil.copy(source, tmp_path / folder / "S14.CSV.GZ")
    shutil.copy(RECORDINGS / "simulated3.csv.gz", tmp_path / "a")
    (tmp_path / "link.csv.gz").symlink_to(tmp_path / "a" / "S14.CSV.GZ")
    monkeypatch.chdir(tmp_path)
    files = ["a", "a/../b", "./b/S14.CSV.GZ", str(tmp_path / "a" / "S14.CSV.GZ"), "link.csv.gz"]
    assert main(["evaluate", *files, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["per_recording"]
    assert [one["name"] for one in rows] == ["a/S14", "simulated3", "b/S14"]


def test_names_are_as_short_as_tells_them_apart():
    files = ["x/a/S1.csv", "x/a/S1.csv.gz", "x/b/S1.csv", "y/b/S1.csv", "y/b/S2.csv", "x/c/S1.csv"]
    paths = [Path(file).resolve() for file in files]
    assert names(paths) == ["a/S1.csv", "a/S1.csv.gz", str(paths[2]), str(paths[3]), "S2", "c/S1"]


def test_real_people_are_told_apart_better_than_by_chance(capsys):
    people = sorted(REAL.glob("*.csv.gz")) if REAL.is_dir() else []
    sys.stdout.write(f"{len(people)} recordings of people found\n")
    if not people:
        people = sorted(RECORDINGS.glob("*.csv.gz"))
    traces = [evaluate.trace(read_recording(path)) for path in people[:4]]
    judged = evaluate.judge(traces, [2.0])
    scores = [evaluate.auc_of(t, j[0].score) for t, j in zip(traces, judged, strict=True)]
    assert np.mean(scores) > 0.65
