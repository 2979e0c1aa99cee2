"""The microphone collector through PortAudio and ALSA, on a virtual microphone of PulseAudio."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sensors.collector import Collector
from sensors.errors import ConfigurationError, MissingExtraError
from sensors.signals import Channel
from sensors.voice import collector
from sensors.voice.microphone import MicrophoneCollector, create
from sensors.voice.wavfile import WavCollector
from tests.rig import wait_until
from tests.sensors.voice.synthesis import RATE, voice

REPOSITORY = Path(__file__).parents[3]
PATIENCE_S = 90
HAS_SOUND_CARD = any(Path("/proc/asound").glob("card*"))

# PortAudio looks for devices once, when it is imported: so each run is a process.
RUN = """
import asyncio, json, sys, time
from contextlib import aclosing
from sensors.collector import Link
from sensors.errors import DeviceError
from sensors.voice.collector import create

class Clock:
    def monotonic_s(self):
        return time.monotonic()

async def main():
    collector = create(json.loads(sys.argv[1]))
    windows = {}
    async with aclosing(collector.readings(Clock())) as found:
        async for item in found:
            if isinstance(item, Link):
                print(json.dumps(["link", item.channel, item.state]), flush=True)
                continue
            windows.setdefault(item.at_monotonic_s, {})[item.signal] = item.value
            if len(windows) > 2:
                break
    print(json.dumps(["windows", list(windows.values())[:2], collector.overrun]), flush=True)

try:
    asyncio.run(main())
except DeviceError as error:
    print(json.dumps(["error", str(error)]), flush=True)
"""


def run(environ: dict[str, str], options: dict | None = None) -> list[list]:
    done = subprocess.run(
        [sys.executable, "-c", RUN, json.dumps(options or {})],
        cwd=REPOSITORY,
        env=environ,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    assert "Traceback" not in done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def sound_server(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Run PulseAudio with a sink whose monitor is the microphone; yield the environment for it."""
    socket, asound = tmp_path / "pulse.sock", tmp_path / "asound.conf"
    asound.write_text(
        "</usr/share/alsa/alsa.conf>\npcm.!default { type pulse }\nctl.!default { type pulse }\n"
    )
    environ = os.environ | {
        "HOME": str(tmp_path),
        "XDG_RUNTIME_DIR": str(tmp_path),
        "PULSE_SERVER": f"unix:{socket}",
        "PULSE_SOURCE": "desk.monitor",
        "ALSA_CONFIG_PATH": str(asound),
    }
    server = subprocess.Popen(
        ["pulseaudio", "--daemonize=no", "--exit-idle-time=-1", "--disable-shm=yes", "-n",
         "--log-target=stderr",
         f"--load=module-native-protocol-unix socket={socket} auth-anonymous=1",
         f"--load=module-null-sink sink_name=desk rate={RATE} channels=1"],
        env={k: v for k, v in environ.items() if not k.startswith("PULSE_")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_until(socket.exists)
        yield environ
    finally:
        server.terminate()
        server.wait(10)


@pytest.mark.needs("pulseaudio", "paplay")
def test_a_voice_at_the_microphone(sound_server, tmp_path):
    path = tmp_path / "voice.wav"
    soundfile.write(path, np.tile(voice(180, jitter=0.01).samples, 8), RATE)
    speaker = subprocess.Popen(["paplay", "--device=desk", str(path)], env=sound_server)
    try:
        link, (_, windows, overrun) = run(sound_server)
    finally:
        speaker.terminate()
        speaker.wait(10)
    assert link == ["link", "voice", "ok"]
    assert len(windows) == 2
    # The second window lies wholly within what was played.
    assert windows[1]["f0_hz"] == pytest.approx(180, rel=0.01)
    assert windows[1]["speech_ratio"] > 0.8
    assert windows[1]["jitter_local"] == pytest.approx(0.01, abs=0.006)
    assert overrun >= 0


@pytest.mark.skipif(HAS_SOUND_CARD, reason="this machine has a sound card, so it has an input")
def test_no_microphone_is_one_clear_line(tmp_path):
    asound = tmp_path / "asound.conf"
    asound.write_text("</usr/share/alsa/alsa.conf>\n")
    nothing = {
        "ALSA_CONFIG_PATH": str(asound),
        "PULSE_SERVER": "unix:/nonexistent",
        "HOME": str(tmp_path),
    }
    ((kind, words),) = run(os.environ | nothing)
    assert kind == "error"
    assert words.startswith("no microphone can be opened: ")
    assert "\n" not in words


@pytest.mark.needs("pulseaudio")
def test_an_input_nobody_has_is_one_clear_line(sound_server):
    ((kind, words),) = run(sound_server, {"device": "Golden Headset"})
    assert kind == "error"
    assert "Golden Headset" in words
    assert "set [voice] device" in words


async def test_a_machine_without_sounddevice_names_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'agent-wellbeing\[voice\]'"):
        await anext(create({}).readings(None))


def test_a_named_file_is_taken_instead_of_the_microphone():
    assert isinstance(collector.create({"path": "a.wav"}), WavCollector)
    assert isinstance(collector.create({"device": "USB"}), MicrophoneCollector)


def test_create_checks_its_options():
    assert isinstance(create({}), Collector)
    assert create({}).channels == {Channel.VOICE}
    with pytest.raises(ConfigurationError, match=r"\[voice\] channel is 99; expected 0 to 63"):
        create({"channel": 99})
    with pytest.raises(ConfigurationError, match=r"unknown key 'devise'; did you mean 'device'"):
        create({"devise": "x"})
