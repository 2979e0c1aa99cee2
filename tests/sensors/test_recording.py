import gzip
import math
import os
import random
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensors.errors import RecordingError
from sensors.messages import Absence
from sensors.recording import LabelTrack, read_recording, windows, write_recording
from sensors.recording_rows import window_of
from sensors.reduction import Gathered, grid_shift_ms
from sensors.signals import SIGNALS, Channel

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def written(tmp_path: Path, text: str, name: str = "r.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def messages(path: Path, **changes):
    given_ = {"site": "main", "agent": "k7", "source": "rec", "run": "a" * 8, "start_at": START}
    return list(windows(read_recording(path), **{**given_, **changes}))


def test_reads_series_and_labels(tmp_path):
    path = written(
        tmp_path,
        "t_s,signal,value,note\n0,label,0,x\n0.5,hr_bpm,70,\n1,eda_us,0\n1.5,eda_us,0.4\n60,label,1\n90,hr_bpm,80\n",
        "S02.csv",
    )
    recording = read_recording(path)
    assert recording.name == "S02"
    assert recording.duration_s == 90
    assert recording.series["hr_bpm"].values.tolist() == [70, 80]
    assert recording.series["hr_bpm"].t_s.tolist() == [0.5, 90]
    assert recording.skipped == {"eda_us": 1}
    assert recording.channels == {Channel.HEART, Channel.MODULES}
    assert recording.labels.stretches() == [(0, 60, 0), (60, 90, 1)]
    assert recording.labels.at([0, 59.9, 60, 89]).tolist() == [0, 0, 1, 1]


def test_reads_gzip_a_byte_order_mark_and_quotes(tmp_path):
    path = tmp_path / "r.csv.gz"
    path.write_bytes(gzip.compress('\ufefft_s,signal,value\r\n"0","hr_bpm","70"\r\n\r\n'.encode()))
    recording = read_recording(path)
    assert recording.name == "r"
    assert recording.series["hr_bpm"].values.tolist() == [70]


def test_time_before_the_first_label_is_unlabelled(tmp_path):
    labels = LabelTrack(np.array([10.0]), np.array([1], dtype=np.int8), 20.0)
    assert labels.at([5.0, 10.0]).tolist() == [-1, 1]
    empty = read_recording(written(tmp_path, "t_s,signal,value\n0,hr_bpm,70\n")).labels
    assert empty.at([0.0]).tolist() == [-1]
    assert empty.stretches() == []


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        pytest.param("time,signal,value\n", 1, "expected t_s,signal,value", id="header"),
        pytest.param("", 1, "the file is empty", id="empty"),
        pytest.param(
            "t_s;signal;value\n0,5;hr_bpm;70\n", 1, "separated by a semicolon", id="semicolons"
        ),
        pytest.param("t_s\tsignal\tvalue\n0\thr_bpm\t70\n", 1, "separated by a tab", id="tabs"),
        pytest.param(
            't_s,signal,value\n0,hr_bpm,"70,5"\n', 2, "decimal point '.'", id="decimal comma"
        ),
        pytest.param("t_s,signal,value\n0,hr_bpm,7_0\n", 2, "'7_0'; expected", id="underscore"),
        pytest.param("t_s,signal,value\n1_0,hr_bpm,70\n", 2, "t_s is '1_0'", id="1_0 s"),
        pytest.param(
            "t_s,signal,value\n0,hr_bpm,70\n5,hr_bpm,70\n2678000,hr_bpm,80\n",
            4,
            "jumps by 2677995 to 2678000",
            id="a stray late row",
        ),
        pytest.param("t_s,signal,value\n90000,hr_bpm,70\n", 2, "stray row", id="one late row"),
        pytest.param(
            "t_s,signal,value\n" + "".join(f"{250 * k},eda_us,1\n" for k in range(400)),
            3,
            "expected seconds, not ms",
            id="ms",
        ),
        pytest.param("t_s,signal,value\n0,hr_bmp,70\n", 2, "known: label, hr_bpm", id="signal"),
        pytest.param("t_s,signal,value\n0,dwell_iqr_ms,7\n", 2, "known: label", id="derived"),
        pytest.param(
            "t_s,signal,value\n1,hr_bpm,70\n0.5,hr_bpm,70\n", 3, "sort the rows", id="unsorted"
        ),
        pytest.param("t_s,signal,value\n-1,hr_bpm,70\n", 2, "0 or more", id="negative"),
        pytest.param("t_s,signal,value\n0,hr_bpm,NaN\n", 2, "leave the row out", id="nan"),
        pytest.param("t_s,signal,value\n0,hr_bpm,inf\n", 2, "leave the row out", id="inf"),
        pytest.param("t_s,signal,value\nnan,hr_bpm,70\n", 2, "leave the row out", id="nan time"),
        pytest.param("t_s,signal,value\n0,hr_bpm,seventy\n", 2, "expected a number", id="word"),
        pytest.param("t_s,signal,value\n0,hr_bpm\n", 2, "2 columns", id="columns"),
        pytest.param(
            "t_s,signal,value\n0,rr_ms,0.8\n1,rr_ms,0.9\n", 2, "convert the unit", id="unit"
        ),
        pytest.param("t_s,signal,value\n0,label,2\n0,hr_bpm,70\n", 2, "expected 1", id="label"),
    ],
)
def test_errors_name_file_line_and_remedy(tmp_path, text, line, said):
    path = written(tmp_path, text)
    with pytest.raises(RecordingError) as caught:
        read_recording(path)
    assert f"{path}, line {line}: " in str(caught.value)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        pytest.param(lambda path: None, "cannot read", id="missing"),
        pytest.param(lambda path: path.mkdir(), "cannot read", id="folder"),
        pytest.param(lambda path: path.write_bytes(b"\xff\xfe\x00"), "not text", id="binary"),
        pytest.param(lambda path: path.write_text("t_s,signal,value\n"), "no rows", id="no rows"),
        pytest.param(
            lambda path: path.write_text("t_s,signal,value\n0,label,1\n"),
            "labels only",
            id="labels",
        ),
    ],
)
def test_unreadable_files_say_so_in_one_line(tmp_path, make, said):
    path = tmp_path / "r.csv"
    make(path)
    with pytest.raises(RecordingError, match=said):
        read_recording(path)


@pytest.mark.skipif(os.name != "posix", reason="pipes with names, as POSIX has them")
def test_a_pipe_that_nobody_fills_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "r.csv")
    with pytest.raises(RecordingError, match="no file on a disk"):
        read_recording(tmp_path / "r.csv")


def test_a_broken_gzip_says_so(tmp_path):
    path = tmp_path / "r.csv.gz"
    whole = gzip.compress(b"t_s,signal,value\n" + b"0,hr_bpm,70\n" * 999)
    for data in (b"no gzip", whole[:-20], whole[:10] + b"\x00\x00" + whole[12:]):
        path.write_bytes(data)
        with pytest.raises(RecordingError, match="cannot read"):
            read_recording(path)


@pytest.mark.parametrize("name", ["S14.CSV", "S14.Csv.GZ"])
def test_capitals_in_the_ending_are_the_same_ending(tmp_path, name):
    text = b"t_s,signal,value\n0,hr_bpm,70\n"
    (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith("GZ") else text)
    recording = read_recording(tmp_path / name)
    assert recording.name == "S14"
    assert recording.series["hr_bpm"].values.tolist() == [70]


def test_a_recording_that_was_written_twice_is_read_once(tmp_path):
    rows = [
        "0,hr_bpm,70",
        "0,hr_bpm,71",
        "0,hr_bpm,71",
        "0.5,eda_us,0",
        "1,eda_us,2",
        "3,rr_ms,800",
        "4,hr_bpm,70",
    ]
    once = read_recording(written(tmp_path, "\n".join(["t_s,signal,value", *rows])))
    # Every row twice, one of them not beside its twin.
    doubled = [rows[0], rows[1], rows[0], rows[1], *(row for row in rows[2:] for _ in "ab")]
    twice = read_recording(written(tmp_path, "\n".join(["t_s,signal,value", *doubled])))
    assert once.repeated == {}
    assert twice.repeated == {"hr_bpm": 4, "eda_us": 2, "rr_ms": 1}
    assert twice.skipped == once.skipped == {"eda_us": 1}
    for name, series in once.series.items():
        assert twice.series[name].t_s.tolist() == series.t_s.tolist()
        assert twice.series[name].values.tolist() == series.values.tolist()


def test_equal_values_of_one_burst_are_all_measured(tmp_path):
    rows = ["1,eda_us,3.5", "1,eda_us,3.5", "1,eda_us,3.6", "2,eda_us,3.5", "2,eda_us,3.5"]
    recording = read_recording(written(tmp_path, "\n".join(["t_s,signal,value", *rows])))
    assert recording.repeated == {}
    assert recording.series["eda_us"].values.tolist() == [3.5, 3.5, 3.6, 3.5, 3.5]


def test_two_clicks_of_the_same_moment_are_two(tmp_path):
    path = written(tmp_path, "t_s,signal,value\n3,pointer_clicks,1\n3,pointer_clicks,1\n")
    recording = read_recording(path)
    assert recording.repeated == {}
    assert recording.series["pointer_clicks"].values.tolist() == [1, 1]


def test_a_week_with_its_nights_and_a_weekend_is_a_recording(tmp_path):
    hours = [9 + 24 * day + hour for day in (0, 1, 2, 3, 7) for hour in range(8)]
    rows = [f"{3600 * hour + 5 * k},hr_bpm,70" for hour in hours for k in range(720)]
    path = written(tmp_path, "\n".join(["t_s,signal,value", *rows]))
    assert read_recording(path).duration_s == 3600 * hours[-1] + 3595


def test_what_is_written_is_read_back(tmp_path):
    rows = [(0.0, "label", 0.0), (0.25, "hr_bpm", 71.5), (0.25, "eda_us", 0.622764)]
    for name in ("r.csv", "r.csv.gz"):
        assert write_recording(tmp_path / name, rows) == 3
        recording = read_recording(tmp_path / name)
        assert recording.series["eda_us"].values.tolist() == [0.622764]
        assert recording.series["hr_bpm"].t_s.tolist() == [0.25]


@pytest.mark.parametrize(
    "row", [(0.0, "nonsense", 1.0), (-1.0, "hr_bpm", 70.0), (0.0, "hr_bpm", math.nan)]
)
def test_nothing_unreadable_is_written(tmp_path, row):
    with pytest.raises(RecordingError, match="cannot be recorded"):
        write_recording(tmp_path / "r.csv", [row])


@given(st.floats(0, 100_000, allow_nan=False))
def test_each_row_belongs_to_the_window_that_ends_at_or_after_it(t_s):
    seq = window_of(np.array([t_s]))[0]
    assert 5 * seq < t_s <= 5 * (seq + 1) or (seq == 0 and t_s == 0)


@given(
    st.lists(st.tuples(st.floats(0, 5), st.floats(-100, 500) | st.just(math.nan))),
    st.sampled_from(["hr_bpm", "presence", "eda_us"]),
)
def test_many_values_at_once_are_what_they_are_one_by_one(samples, name):
    at_once, one_by_one = Gathered(), Gathered()
    at_once.add_all(SIGNALS[name], samples)
    for at_s, value in samples:
        one_by_one.add(SIGNALS[name], value, at_s)
    assert at_once == one_by_one


def test_windows_follow_the_agents_grid_and_hold_what_arrived(tmp_path):
    path = written(
        tmp_path,
        "t_s,signal,value\n0,hr_bpm,60\n2,hr_bpm,70\n4.9,rr_ms,800\n5,hr_bpm,80\n"
        "5.7,rr_ms,810\n6,eda_us,1\n7,eda_us,0\n8,eda_us,3\n15,hr_bpm,90\n",
    )
    first, second, third = messages(path)
    assert [m.seq for m in (first, second, third)] == [0, 1, 2]
    shift_ms = grid_shift_ms("main", "k7")
    for message in (first, second, third):
        assert round(message.window_end_at.timestamp() * 1000) % 5000 == shift_ms
    assert 0 <= (START - first.window_end_at).total_seconds() + 5 < 5
    assert first.heart is not None
    assert first.heart.hr_bpm == 70
    assert first.heart.rr_ms == (800,)
    assert first.heart.beat_offset_ms == (-100,)
    assert first.absent == {Channel.MODULES: Absence.POOR}
    assert second.heart is not None
    assert second.heart.hr_bpm is None
    assert second.heart.beat_offset_ms == (-4300,)
    assert second.modules is not None
    assert second.modules.values == {"eda_us": 2.0}
    assert second.modules.quality == pytest.approx(2 / 3, abs=1e-3)  # one of three refused
    assert third.heart is not None
    assert third.heart.hr_bpm == 90


def test_windows_equal_a_plain_reduction_with_numpy(tmp_path):
    source = random.Random(5)
    names = ("hr_bpm", "rr_ms", "skin_temp_c", "acc_rms_g", "dwell_ms", "pointer_clicks")
    rows = sorted(
        (
            round(source.uniform(0, 300), 3),
            name,
            round(
                source.uniform(1, 3) * (300 if name == "rr_ms" else 20 if name == "hr_bpm" else 1),
                3,
            ),
        )
        for name in names
        for _ in range(1500)
    )
    write_recording(tmp_path / "r.csv", rows)
    for message in messages(tmp_path / "r.csv"):
        inside = {
            name: [
                v for t, n, v in rows if n == name and 5 * message.seq < t <= 5 * (message.seq + 1)
            ]
            for name in names
        }
        assert message.heart is not None
        assert message.modules is not None
        assert message.keyboard is not None
        assert message.pointer is not None
        assert message.heart.hr_bpm == pytest.approx(np.mean(inside["hr_bpm"]))
        assert list(message.heart.rr_ms) == inside["rr_ms"]
        assert message.modules.values["skin_temp_c"] == pytest.approx(
            np.median(inside["skin_temp_c"])
        )
        assert message.modules.values["acc_rms_g"] == pytest.approx(np.mean(inside["acc_rms_g"]))
        spread = np.subtract(*np.percentile(inside["dwell_ms"], [75, 25]))
        assert message.keyboard.dwell_iqr_ms == pytest.approx(spread)
        assert message.pointer.pointer_clicks == pytest.approx(sum(inside["pointer_clicks"]))


def real_recordings() -> list[Path]:
    folder = Path(__file__).parents[3] / "shared" / "data" / "strain"
    return sorted(folder.glob("*.csv.gz"))


def test_recordings_of_people_where_they_are_at_hand(record_property):
    found = real_recordings()
    record_property("recordings", len(found))
    print(f"{len(found)} recordings of people found")  # noqa: T201 - the count must be seen
    for path in found:
        recording = read_recording(path)
        assert recording.duration_s > 2400
        assert {0, 1} <= set(recording.labels.labels.tolist()) <= {0, 1, -1}
        sent = messages(path)
        assert all(m.heart or m.absent.get(Channel.HEART) for m in sent)
        assert len(sent) == int(recording.duration_s // 5)


def test_every_readable_signal_can_be_recorded(tmp_path):
    rows = [(1.0, s.name, s.high) for s in SIGNALS.values() if s.reduces is None]
    write_recording(tmp_path / "r.csv", rows)
    assert len(read_recording(tmp_path / "r.csv").series) == len(rows)
