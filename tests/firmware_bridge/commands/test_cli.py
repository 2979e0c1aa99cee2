"""`firmware-bridge` as an integrator types it."""

import builtins
import json
import os
import signal
import stat
import subprocess
import sys

import pytest

from firmware_bridge.cli import main
from firmware_bridge.ports.serial_port import PortInfo
from sensors.recording import read_recording
from tests.firmware_bridge.board import BUFFER
from tests.rig import wait_until

LINE = b"3.5,33.25\n"
CSV = ["--csv", "eda_us,skin_temp_c"]


def run(capsys, *arguments):
    code = main([str(a) for a in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_ports_as_text_and_as_json(capsys, monkeypatch):
    code, out, _ = run(capsys, "ports", "--json")
    assert code == 0
    assert isinstance(json.loads(out), list)
    found = [PortInfo("/dev/ttyACM0", "Uno", "2341:0043", "75"), PortInfo("/dev/ttyS0")]
    monkeypatch.setattr("firmware_bridge.commands.ports.ports", lambda: found)
    assert run(capsys, "ports")[1] == "/dev/ttyACM0  Uno  usb:2341:0043:75\n/dev/ttyS0\n"
    assert json.loads(run(capsys, "ports", "--json")[1])[1]["port"] == "/dev/ttyS0"
    monkeypatch.setattr("firmware_bridge.commands.ports.ports", list)
    assert "no serial port found" in run(capsys, "ports")[1]


def test_monitor_shows_values_and_counts(board, capsys):
    board.keep_sending(b"booting\n" + LINE)
    where = ["monitor", "--port", board.port, *CSV, "--seconds", "2", "--every", "0.2"]
    code, out, err = run(capsys, *where, "--json")
    reports = [json.loads(line) for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert len(reports) >= 2
    values = {signal["name"]: signal["value"] for signal in reports[-1]["signals"]}
    assert values == {"eda_us": [3.5], "skin_temp_c": [33.25]}
    counts = reports[-1]["health"]["counts"]
    assert counts["unreadable"] > 0
    assert abs(counts["read"] - counts["unreadable"]) <= 1
    code, out, _ = run(capsys, *where)
    assert "eda_us 3.500 uS at " in out
    assert "skin_temp_c 33.25 degC at " in out


def test_what_a_device_calls_itself_moves_no_cursor(capsys, monkeypatch):
    found = [PortInfo("/dev/ttyACM0", "U\x1b[2Jno", "2341:0043", "7\x1b5")]
    monkeypatch.setattr("firmware_bridge.commands.ports.ports", lambda: found)
    assert "\x1b" not in run(capsys, "ports")[1]


def test_monitor_of_an_unplugged_board_ends_in_one_line(board, capsys):
    board.keep_sending(50 * LINE, unplug_after=2 * BUFFER)
    code, out, err = run(capsys, "monitor", "--port", board.port, *CSV, "--every", "0.1")
    assert code == 3
    assert err == f"firmware-bridge: {board.port} is gone; plug the board in again\n"
    assert "eda_us 3.500 uS" in out


def test_record_writes_what_replay_reads(board, capsys, tmp_path):
    board.keep_sending(LINE)
    to = tmp_path / "session.csv.gz"
    record = ["record", "--port", board.port, *CSV, "--seconds", "2", "--to", to]
    code, out, _ = run(capsys, *record, "--json")
    said = json.loads(out)
    recording = read_recording(to)
    assert code == 0
    assert (
        said["values"]
        == 2 * said["counts"]["read"]
        == sum(len(s.values) for s in recording.series.values())
    )
    assert set(recording.series["eda_us"].values.tolist()) == {3.5}
    assert 0 < recording.duration_s <= 60
    assert stat.S_IMODE(to.stat().st_mode) == 0o600, "it holds a person's heart"
    code, _, err = run(capsys, *record)
    assert (code, "exists; choose another name" in err) == (2, True)


def test_record_keeps_what_came_before_the_board_was_unplugged(board, capsys, tmp_path):
    board.keep_sending(50 * LINE, unplug_after=2 * BUFFER)
    to = tmp_path / "session.csv"
    code, out, err = run(capsys, "record", "--port", board.port, *CSV, "--to", to)
    assert code == 3
    assert err.endswith(f"firmware-bridge: {board.port} is gone; plug the board in again\n")
    assert f"{to}: " in out
    assert len(read_recording(to).series["eda_us"].values) > 0


def test_ctrl_c_ends_a_recording_and_keeps_it(board, tmp_path):
    board.keep_sending(50 * LINE)
    to = tmp_path / "session.csv"
    command = [sys.executable, "-m", "firmware_bridge", "record", "--port", board.port, *CSV]
    with subprocess.Popen(
        [*command, "--to", str(to), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert "Ctrl-C ends it" in process.stderr.readline()
        wait_until(to.exists)
        before = board.sent
        wait_until(lambda: board.sent > before + 2 * BUFFER, what="lines that it has read")
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert json.loads(out)["values"] == 2 * len(read_recording(to).series["eda_us"].values)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(["monitor", "--port", "/dev/nothing", *CSV], 3, "is not there", id="port"),
        pytest.param(["monitor", "--port", "p", "--csv", "eda"], 2, "--csv has 'eda'", id="column"),
        pytest.param(["monitor", "--csv", "eda_us"], 2, "--port", id="no port"),
        pytest.param(["record", "--port", "p", *CSV], 2, "--to", id="no file"),
        pytest.param(
            ["monitor", "--port", "p", "--baud", "99999999999"], 2, "--baud", id="impossible speed"
        ),
        pytest.param(
            ["record", "--port", "p", "--to", "one.csv", "--raw", "./one.csv"],
            2,
            "--to and --raw are both one.csv",
            id="one file for two",
        ),
        pytest.param(
            ["run", "--port", "p", "--agent", "k7", "--rate", "64"],
            2,
            "--rate goes with --csv",
            id="a rate of nothing",
        ),
        pytest.param(
            ["run", "--port", "p", "--agent", "k7", *CSV, "--rate", "3"],
            2,
            "--rate is 3",
            id="an impossible rate",
        ),
        pytest.param(["nonsense"], 2, "nonsense", id="command"),
    ],
)
def test_a_mistake_is_told_without_a_traceback(capsys, arguments, code, words):
    found, _, err = run(capsys, *arguments)
    assert found == code
    assert words in err
    assert "Traceback" not in err


def test_a_place_that_cannot_be_written(board, capsys, tmp_path):
    to = tmp_path / "no" / "folder.csv"
    code, _, err = run(capsys, "record", "--port", board.port, *CSV, "--to", to)
    assert code == 2
    assert err == f"firmware-bridge: --to is {to}; there is no folder {to.parent}\n"


def test_without_the_driver_help_answers_and_the_remedy_is_named(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "serial.tools.list_ports", None)
    assert run(capsys, "--help")[0] == 0
    code, _, err = run(capsys, "ports")
    assert code == 4
    assert err == (
        "firmware-bridge: pyserial is not installed; run: pip install 'agent-wellbeing[serial]'\n"
    )


def test_ctrl_c_while_it_still_loads_is_no_error(monkeypatch):
    def interrupt(name, *_):
        if name.startswith("firmware_bridge.commands.verbs"):
            raise KeyboardInterrupt
        return found(name, *_)

    monkeypatch.delitem(sys.modules, "firmware_bridge.commands.verbs", raising=False)
    found = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", interrupt)
    assert main(["--help"]) == 130
