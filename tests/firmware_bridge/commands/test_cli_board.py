"""`firmware-bridge` with a board that speaks the protocol, on a real pseudo-terminal."""

import json
import re

import numpy as np
import pytest

from firmware_bridge.cli import main
from firmware_bridge.ports.capture import Capture, CaptureWriter, Chunk, Made
from firmware_bridge.ports.serial_port import PortInfo
from firmware_bridge.simulation.board import Board, BoardSettings
from firmware_bridge.simulation.faults import ScriptedFault
from sensors.heart_rate.ppg_synthetic import PulseScene, synthetic_pulse
from sensors.recording import read_recording
from tests.firmware_bridge.driving import driven
from tests.firmware_bridge.speaking import SpeakingBoard


def run(capsys, *arguments):
    code = main([str(a) for a in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_scan_tells_boards_lines_and_silence_apart(
    headset, board, plugged, capsys, tmp_path, monkeypatch
):
    board.keep_sending(b"3.42,33.1\r\n")
    silent = plugged("silence")
    nothing = tmp_path / "tty"
    asked = [headset.port, board.port, silent.port, nothing]
    where = [word for port in asked for word in ("--port", port)]
    named = "Agent Wellbeing Simulated headset, firmware 1.0, no device id yet"
    code, out, err = run(capsys, "scan", *where, "--no-bluetooth", "--seconds", "3")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        f"serial {headset.port}: {named}: ppg, eda_us, skin_temp_c, acc_g",
        f"serial {board.port}: prints lines like '3.42,33.1'; try: --csv with 2 columns",
        f"serial {silent.port}: silent; is it running, and wired to this port?",
        f"serial {nothing}: is not there; run: firmware-bridge ports",
    ]
    listed = [PortInfo(headset.port, "Clip", "2341:0043", "75")]
    monkeypatch.setattr("firmware_bridge.commands.scan.ports", lambda: listed)
    out = run(capsys, "scan", "--no-bluetooth")[1]
    assert out.startswith(f"serial {headset.port} (Clip  usb:2341:0043:75): Agent Wellbeing")
    code, out, _ = run(capsys, "scan", "--no-bluetooth", "--json")
    (said,) = json.loads(out)["serial"]
    assert (said["kind"], said["signals"][0]) == ("board", "ppg")


def test_ports_asks_only_when_told_to(headset, capsys, monkeypatch):
    found = [PortInfo(headset.port, "Clip", "2341:0043", "75")]
    monkeypatch.setattr("firmware_bridge.commands.ports.ports", lambda: found)
    assert run(capsys, "ports")[1] == f"{headset.port}  Clip  usb:2341:0043:75\n"
    out = run(capsys, "ports", "--probe")[1]
    assert out.startswith(f"{headset.port}  Clip  usb:2341:0043:75: Agent Wellbeing Simulated")
    (said,) = json.loads(run(capsys, "ports", "--probe", "--json")[1])
    assert (said["lasting"], said["recognised"]["model"]) == (
        "usb:2341:0043:75",
        "Simulated headset",
    )


def test_monitor_shows_rates_contact_and_clock(headset):
    with driven("monitor", "--port", headset.port, "--every", "0.3", "--json") as one:
        # A busy machine delivers in bursts, and the clock is still being found then.
        one.until(lambda this: any(map(has_all, this.jsons())), "the right rate and a clock")
        last = next(look for look in one.jsons() if has_all(look))
        assert one.end() == 0
    by_name = {signal["name"]: signal for signal in last["signals"]}
    assert by_name["ppg"]["nominal_hz"] == 100.0
    assert len(by_name["acc_g"]["value"]) == 3
    assert last["health"]["board"] == "Agent Wellbeing Simulated headset, firmware 1.0"
    assert last["health"]["contact"] == {"pulse sensor": True, "skin electrodes": True}
    assert last["health"]["clock"]["latency_ms"] >= 0
    assert "\x1b" not in one.text


def has_all(look):
    by_name = {signal["name"]: signal for signal in look["signals"]}
    return (
        look["health"]["clock"]
        and all(by_name.get(name, {}).get("measured_hz") for name in ("ppg", "acc_g", "eda_us"))
        and 90 < by_name["ppg"]["measured_hz"] < 110
        and len(look["health"]["contact"]) == 2
    )


def test_losses_are_counted_by_their_reason(tmp_path, capsys):
    raw = tmp_path / "raw.bin"
    simulated(raw, 20, "crc")
    _, out, _ = run(capsys, "replay", raw, "--json")
    counts = json.loads(out.splitlines()[-1])["health"]["counts"]
    assert counts["crc"] > 0
    assert counts["refused"] == counts["crc"] + counts["content"] + counts["stale"]
    assert abs(counts["lost"] - counts["crc"]) <= 1  # whether the last one is missed is not known


def test_a_board_that_only_prints_is_told_how_to_be_read(board, capsys):
    board.keep_sending(b"3.42,33.1\r\n")
    code, _, err = run(capsys, "monitor", "--port", board.port, "--seconds", "0.5")
    assert code == 3
    assert err == (
        f"firmware-bridge: {board.port} does not speak the protocol; it prints lines like "
        "'3.42,33.1'; try: --csv with a name for each column\n"
    )


def test_one_that_says_nothing(plugged, capsys, monkeypatch):
    monkeypatch.setattr("firmware_bridge.bench.conversation.INTRODUCED_WITHIN_S", 1.0)
    board = plugged("silence")
    for verb in (["monitor", "--seconds", "0.5"], ["inspect"]):
        code, _, err = run(capsys, *verb, "--port", board.port)
        assert code == 3
        assert f"{board.port} says nothing; is the board running" in err


def test_monitor_stays_while_the_board_is_away(tmp_path):
    """A board that is flashed anew vanishes and comes back."""
    name = tmp_path / "tty"
    first, second = SpeakingBoard(), SpeakingBoard()
    name.symlink_to(first.port)

    def replug():
        first.unplug()
        name.unlink()
        name.symlink_to(second.port)

    gone = f"log {name} is gone; plug the board in again; waiting for it"
    try:
        with driven("monitor", "--port", name, "--stay", "--every", "0.2") as one:
            one.until(lambda this: "of 100 per s" in this.text)
            replug()
            one.until(lambda this: "frames" in this.text.partition(gone)[2])
            before = frames(one.text)
            one.until(lambda this: frames(this.text) > before + 10, "frames of the second board")
            assert one.end() == 0
    finally:
        first.unplug()
        second.unplug()


def frames(text):
    return int(re.findall(r"frames (\d+)", text)[-1])


def simulated(path, seconds, *faults, **settings):
    """Write a capture of the simulated headset, in no time; return what it holds."""
    board = Board(BoardSettings(**settings), [ScriptedFault(name) for name in faults])
    with CaptureWriter(path, Made("simulated", 115_200)) as writer:
        for step in range(seconds * 10):
            data = board.step(step / 10)
            writer.write(Chunk(step * 100_000_000, from_board=True, data=data))
    return board


def test_beats_of_a_raw_pulse_are_there_within_the_first_half_minute(tmp_path, capsys):
    raw, to = tmp_path / "raw.bin", tmp_path / "session.csv"
    board = simulated(raw, 60)
    code, out, err = run(capsys, "replay", raw, "--to", to, "--every", "15", "--json")
    assert (code, "values" in err) == (0, True)
    looks = [json.loads(line) for line in out.splitlines()]
    assert [round(look["elapsed_s"]) for look in looks] == [15, 30, 45, 60]
    assert any(signal["name"] == "rr_ms" for signal in looks[0]["signals"])
    recording = read_recording(to)
    assert {"rr_ms", "eda_us", "skin_temp_c", "acc_rms_g", "contact"} <= recording.series.keys()
    rr_ms = recording.series["rr_ms"]
    true_s = board.wearer.beats(0.0, 60.0)
    assert len(rr_ms.values) > 0.7 * len(true_s)
    assert 400 < rr_ms.values.mean() < 1200


def test_a_board_that_only_prints_its_raw_pulse_shows_beats(tmp_path, capsys):
    """Before any protocol is implemented, from two numbers per line at a rate nobody told."""
    raw, to = tmp_path / "raw.bin", tmp_path / "session.csv"
    pulse = synthetic_pulse(PulseScene(rate_hz=50.0, duration_s=90.0, hr_bpm=66.0), seed=3)
    lines = [
        f"{512 + 90 * x:.0f},{1 + g:.3f}\r\n"
        for x, g in zip(pulse.samples, pulse.movement_g, strict=True)
    ]
    with CaptureWriter(raw, Made("breadboard", 115_200, "ppg,acc")) as writer:
        for step in range(0, len(lines), 5):
            data = "".join(lines[step : step + 5]).encode()
            writer.write(Chunk((step + 5) * 20_000_000, from_board=True, data=data))
    code, out, _ = run(capsys, "replay", raw, "--to", to, "--every", "30", "--json")
    assert code == 0
    first = json.loads(out.splitlines()[0])
    assert {"ppg", "acc_g", "rr_ms", "acc_rms_g"} == {s["name"] for s in first["signals"]}
    assert first["health"]["board"].startswith("prints lines, 50.")
    rr_ms = read_recording(to).series["rr_ms"].values
    assert len(rr_ms) > 60
    assert abs(60_000.0 / np.median(rr_ms) - 66.0) < 3.0
    code, _, err = run(capsys, "replay", raw, "--csv", "eda_us,pulse")
    assert (code, "--csv has 'pulse'" in err) == (2, True)


def test_a_recording_replays_to_exactly_what_was_decoded_live(headset, tmp_path, capsys):
    raw, to, again = tmp_path / "raw.bin", tmp_path / "live.csv", tmp_path / "again.csv.gz"
    where = ["--port", headset.port, "--seconds", "3"]
    code, out, err = run(capsys, "record", *where, "--to", to, "--raw", raw, "--json")
    assert (code, err) == (0, f"recording to {to} and {raw}; Ctrl-C ends it\n")
    said = json.loads(out)
    assert said["raw_bytes"] == sum(len(chunk.data) for chunk in Capture(raw).chunks())
    assert said["counts"]["lost"] == 0
    assert raw.stat().st_mode & 0o077 == 0  # it may hold a person's pulse
    code, out, _ = run(capsys, "replay", raw, "--to", again)
    assert code == 0
    assert "eda_us" in out
    live, replayed = read_recording(to), read_recording(again)
    assert live.series.keys() == replayed.series.keys()
    for name, series in live.series.items():
        assert series.t_s.tolist() == replayed.series[name].t_s.tolist()
        assert series.values.tolist() == replayed.series[name].values.tolist()


def test_bytes_alone_can_be_recorded_and_nothing_is_overwritten(headset, tmp_path, capsys):
    raw = tmp_path / "raw.bin"
    record = ["record", "--port", headset.port, "--seconds", "1", "--raw", raw]
    code, out, _ = run(capsys, *record)
    assert (code, out.startswith(f"{raw}: ")) == (0, True)
    code, _, err = run(capsys, *record)
    assert (code, err) == (
        2,
        f"firmware-bridge: --raw is {raw}, which exists; choose another name\n",
    )
    code, _, err = run(capsys, "record", "--port", headset.port)
    assert (code, "needs --to NAME.csv, --raw NAME.bin" in err) == (2, True)
    code, _, err = run(capsys, "record", "--port", headset.port, "--to", tmp_path / "x.txt")
    assert (code, "expected NAME.csv" in err) == (2, True)


@pytest.mark.parametrize("kind", ["terminal", "tcp"])
def test_a_capture_is_served_as_the_board_it_came_from(tmp_path, capsys, kind):
    raw, again = tmp_path / "raw.bin", tmp_path / "again.bin"
    simulated(raw, 20)
    sent = b"".join(chunk.data for chunk in Capture(raw).chunks())
    where = ["--link", str(tmp_path / "tty")] if kind == "terminal" else ["--tcp", "127.0.0.1:0"]
    with driven("replay", raw, *where, "--speed", "max", "--json") as serving:
        serving.until(lambda one: one.jsons(), "the port")
        port = serving.jsons()[0]["port"]
        with driven("record", "--port", port, "--raw", again, "--json") as recording:
            recording.until(lambda _: again.exists() and came(again).endswith(sent[-64:]))
            assert recording.end() == 0
        assert recording.jsons()[-1]["counts"]["frames"] > 10
        serving.until(lambda one: len(one.jsons()) == 4, "that it was closed")
        assert serving.end() == 0
    events = serving.jsons()[1:]
    assert [one["event"] for one in events] == ["opened", "sent", "closed"]
    assert events[1]["sent"] == len(sent)
    # A busy host may set its terminal up late, and drop what came before.
    assert sent.endswith(came(again)) if kind == "terminal" else came(again) == sent


def came(path):
    """Return every byte that a capture, perhaps one that is still written, holds of the board."""
    if not path.stat().st_size:
        return b""
    return b"".join(chunk.data for chunk in Capture(path).chunks() if chunk.from_board)


def test_a_capture_that_was_cut_off_is_read_as_far_as_it_is_whole(tmp_path, capsys):
    raw = tmp_path / "raw.bin"
    simulated(raw, 5)
    raw.write_bytes(raw.read_bytes()[:-3])
    code, out, err = run(capsys, "replay", raw, "--every", "1")
    assert (code, err) == (0, f"{raw} ends within a record; what is whole was read\n")
    assert len(out.splitlines()) >= 4
    code, _, err = run(capsys, "replay", raw, "--csv", "eda_us")
    assert (code, "prints lines like " in err) == (3, True), "and not in silence"
    code, _, err = run(capsys, "replay", __file__)
    assert (code, "is no capture; expected a file of" in err) == (2, True)
