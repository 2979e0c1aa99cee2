"""`firmware-bridge inspect` and `provision`: what a board says when it is asked, and takes."""

import json

import pytest

from firmware_bridge.cli import main
from firmware_bridge.protocol.messages import Get
from firmware_bridge.simulation.board import Board


def run(capsys, *arguments):
    code = main([str(a) for a in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_inspect_says_everything_a_board_says_about_itself(headset, capsys):
    code, out, err = run(capsys, "inspect", "--port", headset.port, "--seconds", "20")
    assert (code, err) == (0, "")
    for words in (
        f"{headset.port}: Agent Wellbeing Simulated headset\n",
        "firmware     1.0\n",
        "none yet; give one with provision",
        "1000000 ticks per s, times known to ",
        "contact      skin electrodes on the skin",
        "battery      80 %\n",
        "stream 0     ppg [1], 100 per s (setting: 100 per s), i32, raw x 0.0001\n",
        "stream 3     acc_g [g], 50 per s (setting: 50 per s), i16 x 3, ",
        " 0 lost, 0 refused",
    ):
        assert words in out
    code, out, _ = run(capsys, "inspect", "--port", headset.port, "--seconds", "0", "--json")
    said = json.loads(out)
    assert (code, said["model"], said["tick_hz"]) == (0, "Simulated headset", 1_000_000)
    assert said["streams"][1] == {
        "stream": 1,
        "signal": "eda_us",
        "unit": "uS",
        "width": 1,
        "encoding": "f32",
        "rate_hz": 8.0,
        "scale": 1.0,
        "offset": 0.0,
        "rate_setting": "8 per s",
    }


def test_provision_writes_reads_back_and_says_what_is_in_force(headset, capsys):
    where = ["provision", "--port", headset.port]
    code, out, _ = run(capsys, *where)
    assert code == 0
    assert out.splitlines()[0] == "device id: none"
    wanted = ["--device-id", "h12", "--rate", "ppg=64", "--rate", "1=3"]
    code, out, _ = run(capsys, *where, *wanted, "--show")
    assert code == 0
    assert out.count("nothing was written") == 3
    assert headset.board.kept.device_id == ""
    code, out, err = run(capsys, *where, *wanted)
    assert (code, err) == (0, "")
    first, second, third = out.splitlines()
    assert first == "device id: h12, before none; kept without power"
    in_force_hz = headset.board.kept.rates_mhz["ppg"] / 1000
    assert second.startswith(f"rate of ppg: {in_force_hz:g} per s")
    assert "before 100 per s; kept without power" in second
    assert third.startswith("rate of eda_us: ")
    assert headset.board.kept.device_id == "h12"
    code, out, _ = run(capsys, *where, "--device-id", "", "--json")
    (said,) = json.loads(out)
    assert said == {
        "name": "device id",
        "before": "h12",
        "wanted": "none",
        "in_force": "none",
        "status": "kept without power",
        "is_done": True,
    }


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--device-id", "Kim Lee"], "device-id is 'Kim Lee'"),
        (["--device-id", "x" * 33], "never a person's name"),
        (["--rate", "ppg"], "--rate is 'ppg'; expected STREAM=HZ"),
        (["--rate", "ppg=nan"], "--rate is 'ppg=nan'; expected STREAM=HZ"),
        (["--rate", "ppg=300"], "with 0.001 to 200"),
        (["--rate", "pulse=64"], "the board has: 0 (ppg), 1 (eda_us)"),
    ],
)
def test_provision_refuses_what_no_board_may_be_given(headset, capsys, arguments, words):
    code, _, err = run(capsys, "provision", "--port", headset.port, *arguments)
    assert code == 2
    assert words in err
    assert err.count("\n") == 1
    assert headset.board.kept.device_id == ""


def test_provision_believes_only_what_is_read_back(plugged, capsys):
    board = plugged("forgets_settings")
    code, out, err = run(capsys, "provision", "--port", board.port, "--device-id", "h12")
    assert code == 3
    assert "it was kept without power, and reads back otherwise" in out
    assert err == (
        f"firmware-bridge: {board.port} has not taken device id; see hardware.md, SET and GET\n"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param([], "device id: the board did not answer", id="asked"),
        pytest.param(["--device-id", "h12", "--show"], "; nothing was written", id="shown"),
        pytest.param(["--device-id", "h12"], "; nothing was written", id="written"),
    ],
)
def test_a_board_that_answers_nothing_is_asked_once_and_is_no_success(
    plugged, capsys, monkeypatch, arguments, words
):
    """Such as one whose receive line is not wired."""
    asked = []
    answer = Board._answer
    monkeypatch.setattr(Board, "_answer", lambda self, f: asked.append(f.type) or answer(self, f))
    monkeypatch.setattr("firmware_bridge.bench.conversation.ANSWERED_WITHIN_S", 0.2)
    board = plugged("no_setting_answer", "no_time_answer")
    code, out, err = run(capsys, "provision", "--port", board.port, *arguments)
    assert code == 3
    assert words in out
    assert "is its receive line (RX) wired" in err
    assert asked.count(Get.TYPE) == 3, "three times for one setting, and not for each"


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        (["no_time_answer"], "the board answers nothing; is its receive line (RX) wired"),
        ([], "the board answers when it is asked for its clock, but not for its settings"),
    ],
)
def test_inspect_says_what_a_board_does_not_answer(plugged, capsys, monkeypatch, faults, words):
    monkeypatch.setattr("firmware_bridge.bench.conversation.ANSWERED_WITHIN_S", 0.2)
    board = plugged("no_setting_answer", *faults)
    code, out, _ = run(capsys, "inspect", "--port", board.port, "--seconds", "0")
    assert code == 0
    assert f"settings     {words}" in out
    assert out.count("setting: not told") == 4
