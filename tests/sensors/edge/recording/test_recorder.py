"""What ``wellbeing edge --record`` writes is what was measured, and can be replayed."""

import asyncio
import gzip
import json
import resource
import signal
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sensors.config import BrokerSettings
from sensors.edge.companion import Companion
from sensors.edge.recording.recorder import Recorder
from sensors.edge.running.process import EdgeProcess
from sensors.edge.settings import EdgeSettings
from sensors.errors import ConfigurationError
from sensors.messages import Absence, Heart, Keyboard, ReadingMessage
from sensors.recording import read_recording, windows, write_recording
from sensors.signals import Channel
from tests.rig.process import free_port
from tests.rig.waiting import wait_until, wait_until_async
from tests.sensors.edge.conftest import FastTime

ROOT = Path(__file__).parents[4]
START_AT = datetime(2026, 3, 1, 8, tzinfo=UTC)
NAMES = {"site": "main", "agent": "k7", "source": "pc", "run": "testrun1", "start_at": START_AT}


class Listener(Companion):
    """Keeps the windows that the recorder saw."""

    def __init__(self) -> None:
        self.windows: list[ReadingMessage] = []

    def take_window(self, message: ReadingMessage) -> None:
        self.windows.append(message)


class Said:
    """As much of an edge as a recorder speaks to."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def contents(messages: list[ReadingMessage]) -> list[tuple[object, ...]]:
    return [(m.heart, m.keyboard, m.pointer, m.voice, m.modules) for m in messages]


def source_messages(tmp_path: Path) -> list[ReadingMessage]:
    rows = []
    for k in range(1, 121):
        rows += [(k / 2, "hr_bpm", 60.0 + k % 7), (k / 2, "eda_us", 1 + k / 100)]
        rows += [(k / 2, "acc_rms_g", 0.01)]
        if k % 2:
            rows += [(k / 2, "key_presses", 1.0), (k / 2, "dwell_ms", 90.0 + k % 5)]
        rows += [(k / 2 + 0.123, "rr_ms", 800.25 + k)]
    path = tmp_path / "source.csv"
    write_recording(path, [*sorted(rows), (61.0, "hr_bpm", 60.0)])
    return list(windows(read_recording(path), **NAMES))


@pytest.mark.parametrize("name", ["own.csv", "own.csv.gz"])
def test_what_is_written_reads_back_as_the_same_windows(tmp_path, name):
    messages = source_messages(tmp_path)
    recorder = Recorder(tmp_path / name)
    for message in messages:
        recorder.write(message)
    recorder.close()
    recorder.close()  # again, as at the end of everything
    again = list(windows(read_recording(tmp_path / name), **NAMES))
    # The spread within a window cannot be told by one value of it.
    assert [m.heart for m in again] == [m.heart for m in messages]
    assert [m.modules for m in again] == [m.modules for m in messages]
    assert [m.keyboard.key_presses for m in again] == [m.keyboard.key_presses for m in messages]
    assert [m.keyboard.dwell_ms for m in again] == [m.keyboard.dwell_ms for m in messages]
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def window(seq: int, **parts: object) -> ReadingMessage:
    end_at = START_AT + timedelta(seconds=5 * (seq + 1))
    return ReadingMessage(source="pc", run="testrun1", seq=seq, window_end_at=end_at, **parts)


def test_late_beats_are_sorted_in_and_too_late_ones_counted(tmp_path):
    recorder = Recorder(tmp_path / "own.csv")
    said = Said()
    recorder._edge = said
    for seq in range(4):
        recorder.write(window(seq, keyboard=Keyboard(quality=1.0, key_presses=float(seq))))
    late = Heart(quality=1.0, rr_ms=(801.0, 802.0), beat_offset_ms=(-19_000.0, -7_500.0))
    recorder.write(window(4, heart=late))
    recorder.close()
    series = read_recording(tmp_path / "own.csv").series["rr_ms"]
    assert series.values.tolist() == [802.0]
    assert series.t_s.tolist() == [17.5]
    assert said.lines == ["1 beats came too late to be recorded"]


def test_a_recording_ends_after_what_the_reader_takes_and_says_so_once(tmp_path):
    recorder = Recorder(tmp_path / "own.csv")
    said = Said()
    recorder._edge = said
    heart = Heart(quality=1.0, hr_bpm=70.0)
    day = 86_400 // 5
    for seq in (0, 30 * day, 31 * day, 32 * day):
        recorder.write(window(seq, heart=heart))
    recorder.close()
    rows = (tmp_path / "own.csv").read_text().splitlines()[1:]
    assert [float(row.partition(",")[0]) for row in rows] == [5.0, 30 * 86_400 + 5]
    assert len(said.lines) == 1
    assert "holds 31 days and ends here" in said.lines[0]


def test_what_was_withheld_leaves_no_row(tmp_path):
    recorder = Recorder(tmp_path / "own.csv")
    heart = Heart(quality=1.0, hr_bpm=70.0)
    recorder.write(window(0, heart=heart))
    recorder.write(window(1, absent={Channel.HEART: Absence.WITHHELD}))
    recorder.write(window(2, heart=heart))
    recorder.close()
    assert (tmp_path / "own.csv").read_text().splitlines() == [
        "t_s,signal,value",
        "5,hr_bpm,70",
        "15,hr_bpm,70",
    ]


@pytest.mark.parametrize("name", ["own.csv", "own.csv.gz"])
def test_a_full_disk_is_said_once_and_leaves_a_file_that_can_be_read(tmp_path, name):
    recorder = Recorder(tmp_path / name)
    said = Said()
    recorder._edge = said
    heart = Heart(quality=1.0, hr_bpm=70.0)
    for seq in range(30):
        recorder.write(window(seq, heart=heart))
    size = (tmp_path / name).stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 5, before[1]))  # the disk ends in a line
    try:
        for seq in range(30, 60):
            recorder.write(window(seq, heart=heart))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert len(said.lines) == 1
    assert "measuring goes on" in said.lines[0]
    assert read_recording(tmp_path / name).duration_s > 60
    for seq in range(60, 90):
        recorder.write(window(seq, heart=heart))
    recorder.close()
    assert len(said.lines) == 2
    assert "again" in said.lines[1]
    assert read_recording(tmp_path / name).duration_s == 450.0


def test_nothing_is_overwritten_and_other_files_are_refused(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("mine")
    with pytest.raises(ConfigurationError, match=r"own\.csv exists; nothing is overwritten"):
        Recorder(path)
    assert path.read_text() == "mine"
    with pytest.raises(ConfigurationError, match=r"expected FILE\.csv"):
        Recorder(tmp_path / "own.txt")
    with pytest.raises(ConfigurationError, match="cannot make"):
        Recorder(tmp_path / "none" / "own.csv")


async def test_an_edge_records_what_it_keeps_and_ends_the_file(tmp_path):
    recorder, listener = Recorder(tmp_path / "own.csv"), Listener()
    settings = EdgeSettings(
        agent="k7", source="pc", state_dir=str(tmp_path / "state"), collectors=("simulated",)
    )
    lines: list[str] = []
    process = EdgeProcess(
        settings,
        BrokerSettings(port=free_port()),
        lines.append,
        FastTime(),
        companions=[recorder, listener],
    )
    process.consent([Channel.HEART])
    task = asyncio.create_task(process.run())
    await wait_until_async(lambda: len(listener.windows) >= 6)
    process.stop()
    await task
    kept = [m for m in listener.windows if m.heart is not None]
    assert kept
    found = read_recording(tmp_path / "own.csv")
    assert set(found.channels) == {Channel.HEART}
    zero_at = listener.windows[0].window_end_at - timedelta(seconds=5)
    ends = [(m.window_end_at - zero_at).total_seconds() for m in kept if m.heart.hr_bpm is not None]
    rates = [m.heart.hr_bpm for m in kept if m.heart.hr_bpm is not None]
    assert found.series["hr_bpm"].t_s.tolist() == ends
    assert found.series["hr_bpm"].values.tolist() == pytest.approx(rates, rel=1e-9)
    assert any("recording to" in line for line in lines)


def test_ctrl_c_ends_the_recording_properly(tmp_path):
    """The command itself: it flushes what it held, and never writes over a file."""
    path = tmp_path / "own.csv.gz"
    command = [sys.executable, "-m", "wellbeing", "edge", "--agent", "k7", "--collector"]
    command += ["simulated", "--consent", "heart", "--broker", f"127.0.0.1:{free_port()}"]
    command += ["--state-dir", str(tmp_path / "state"), "--record", str(path)]
    log = tmp_path / "edge.log"
    with log.open("wb") as file:
        edge = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stderr=file)
    try:
        wait_until(lambda: "recording to" in log.read_text(), what="it records")
        wait_until(lambda: kept_windows(tmp_path / "state") >= 2, what="two windows")
    finally:
        edge.send_signal(signal.SIGINT)
        assert edge.wait(60) == 0, log.read_text()
    assert "Traceback" not in log.read_text()
    assert gzip.decompress(path.read_bytes()).startswith(b"t_s,signal,value\n")
    assert "hr_bpm" in read_recording(path).series
    again = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert again.returncode == 2
    assert "nothing is overwritten" in again.stderr
    assert again.stderr.count("\n") == 1


def kept_windows(state: Path) -> int:
    command = [sys.executable, "-m", "wellbeing", "edge", "--agent", "k7"]
    command += ["--state-dir", str(state), "status", "--json"]
    asked = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    return int(json.loads(asked.stdout)[0]["windows"]) if asked.returncode == 0 else 0
