"""A board on a pseudo-terminal, the edge as a person starts it, a real broker: heart and modules."""

import subprocess
import sys
from pathlib import Path

import pytest

from firmware_bridge.simulation.board import Board, BoardSettings
from tests.firmware_bridge.speaking import SpeakingBoard
from tests.rig import wait_until
from tests.sensors.edge.standin import StandIn

pytestmark = pytest.mark.needs("mosquitto")

ROOT = Path(__file__).parents[2]
SIGNALS = ("ppg", "acc_g", "eda_us", "skin_temp_c")


def test_raw_pulse_and_modules_reach_the_server_and_no_waveform_does(mosquitto, tmp_path):
    speaking = SpeakingBoard(Board(BoardSettings(signals=SIGNALS)))
    command = [sys.executable, "-m", "wellbeing", "edge", "--site", "main", "--agent", "k7"]
    command += ["--broker", f"127.0.0.1:{mosquitto.port}", "--state-dir", str(tmp_path / "state")]
    command += ["--collector", "serial", "--option", f"serial.port={speaking.port}"]
    command += ["--consent", "heart,modules", "--no-page"]
    with StandIn(mosquitto.port) as server, (tmp_path / "edge.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        try:
            message = wait_until(
                lambda: next((m for m in list(server.windows) if whole(m)), None),
                timeout=150,
                what=f"a window with heart and modules; {(tmp_path / 'edge.log').read_text()}",
            )
        finally:
            process.terminate()
            process.wait(60)
            speaking.unplug()
    assert set(message.modules.values) == {"acc_rms_g", "eda_us", "skin_temp_c"}
    assert len(message.heart.rr_ms) == len(message.heart.beat_offset_ms) >= 3
    assert all(500 < rr_ms < 1_500 for rr_ms in message.heart.rr_ms)
    assert all(-60_000 < offset_ms <= 0 for offset_ms in message.heart.beat_offset_ms)
    assert message.heart.quality > 0.5
    assert message.heart.contact == 1.0 or message.heart.contact is None
    sent = b"".join(payload for _, payload in server.payloads)
    assert b"ppg" not in sent
    assert b"acc_g" not in sent
    # A window of 64 samples a second would have 320 numbers; ours has a dozen.
    assert max(payload.count(b",") for _, payload in server.payloads) < 100


def whole(message):
    return (
        message.heart is not None
        and len(message.heart.rr_ms) >= 3
        and message.modules is not None
        and len(message.modules.values) == 3
    )
