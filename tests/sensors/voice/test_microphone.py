"""The microphone through PortAudio and ALSA on a virtual microphone, and drivers that fail."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from contextlib import aclosing
from pathlib import Path
from random import Random

import pytest

from sensors.collector import Collector, Link, Reading
from sensors.edge.collecting import supervise
from sensors.errors import ConfigurationError, DeviceError
from sensors.messages import Absence
from sensors.signals import Channel
from sensors.voice import collector, microphone
from sensors.voice.microphone import MicrophoneCollector, create, environment, known_inputs
from sensors.voice.wavfile import WavCollector
from tests.rig import wait_until_async
from tests.rig.clocks import RealClock
from tests.rig.waiting import PATIENCE_S
from tests.sensors.voice.at_desk import (
    OK,
    REPOSITORY,
    VIRTUAL,
    opened,
    runs,
)
from tests.sensors.voice.sound_desk import (
    fake_driver,
    listeners,
    speaking,
)

pytestmark = pytest.mark.usefixtures("nobody_stays", "patient")

HAS_SOUND_CARD = any(Path("/proc/asound").glob("card*"))


async def pactl(*words: str) -> str:
    command = ["pactl", *words]
    return (await asyncio.to_thread(subprocess.check_output, command, text=True)).strip()


async def nothing_is_heard(readings) -> None:
    async with asyncio.timeout(PATIENCE_S):
        async for item in readings:
            assert not isinstance(item, Reading)


@pytest.mark.needs("pulseaudio", "paplay", "espeak-ng")
async def test_a_sentence_at_the_microphone(desk, tmp_path):
    found = create(VIRTUAL)
    windows: dict[float, dict[str, Reading]] = {}
    with speaking(desk, tmp_path / "said.wav"):
        async with aclosing(found.readings(RealClock())) as readings:
            assert await anext(readings) == OK
            async for item in readings:
                if isinstance(item, Reading):
                    windows.setdefault(item.at_monotonic_s, {})[item.signal] = item
                if len(windows) == 2 and "f0_hz" in list(windows.values())[1]:
                    break
    first, second = windows
    assert second - first == pytest.approx(5.0, abs=0.5)
    voice = windows[second]  # the whole of it was spoken
    assert 60 < voice["f0_hz"].value < 200
    assert voice["speech_ratio"].value > 0.5
    assert voice["f0_hz"].quality > 0.5
    assert found.opened.device == "default"
    assert found.overruns >= 0


@pytest.mark.needs("pulseaudio")
async def test_a_monitor_is_refused_and_the_reason_said(desk, monkeypatch):
    """The far end is never read (T1): neither by name nor by what the sound server routes."""
    for source in ("desk.monitor", None):  # what PULSE_SOURCE says, and what the server says
        if source is None:
            monkeypatch.delenv("PULSE_SOURCE")
        with pytest.raises(DeviceError, match="hears what is played, the far end") as error:
            await anext(create({}).readings(RealClock()))
        assert "desk.monitor" in str(error.value)


@pytest.mark.needs("pulseaudio")
async def test_a_headset_that_is_unplugged_does_not_leave_us_with_the_far_end(desk, monkeypatch):
    """The sound server puts what is played in its place while the input is open (T1)."""
    monkeypatch.delenv("PULSE_SOURCE")
    number = await pactl("load-module", "module-null-source", "source_name=headset")
    await pactl("set-default-source", "headset")
    readings = create({}).readings(RealClock())
    assert await opened(readings)
    await pactl("unload-module", number)
    with pytest.raises(DeviceError, match=r"'desk\.monitor' is an output's monitor"):
        await nothing_is_heard(readings)


@pytest.mark.needs("pulseaudio")
async def test_an_input_nobody_has_names_those_there_are(desk):
    with pytest.raises(DeviceError, match=r"'Golden Headset'.*known: 'pulse', 'default'"):
        await anext(create({"device": "Golden Headset"}).readings(RealClock()))
    assert {i["name"] for i in known_inputs()} == {"pulse", "default"}


@pytest.mark.skipif(HAS_SOUND_CARD, reason="this machine has a sound card, so it has an input")
async def test_no_microphone_is_one_clear_line(tmp_path, monkeypatch):
    asound = tmp_path / "asound.conf"
    asound.write_text("</usr/share/alsa/alsa.conf>\n")
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(asound))
    monkeypatch.setenv("PULSE_SERVER", "unix:/nonexistent")
    with pytest.raises(DeviceError, match="no microphone can be opened: ") as error:
        await anext(create({}).readings(RealClock()))
    assert "\n" not in str(error.value)


@pytest.mark.needs("pulseaudio")
@pytest.mark.parametrize("stopped", [False, True], ids=["lives", "hangs"])
async def test_withdrawing_ends_the_listening_whatever_the_driver_does(desk, stopped):
    readings = create(VIRTUAL).readings(RealClock())
    assert await anext(readings) == OK
    (pid,) = listeners()
    if stopped:
        os.kill(pid, signal.SIGSTOP)
    await readings.aclose()
    assert not runs(pid)
    # T6 leaves 5 s to everything; the edge stops waiting before.
    assert microphone._RELEASE_WITHIN_S < supervise.CLOSE_WITHIN_S - 1.0


@pytest.mark.needs("pulseaudio")
async def test_a_killed_listener_is_said_and_started_again(desk):
    said, links = [], []
    sink = supervise.Sink(lambda _: None, links.append, said.append)
    keeper = supervise.Supervisor("voice", VIRTUAL, RealClock(), sink, Random(1))
    keeper.allow(frozenset({Channel.VOICE}))
    running = asyncio.create_task(keeper.run())
    try:
        await wait_until_async(lambda: links == [OK])
        (pid,) = listeners()
        os.kill(pid, signal.SIGKILL)
        away = Link(Channel.VOICE, Absence.DISCONNECTED)
        await wait_until_async(lambda: links == [OK, away, OK])
        assert "was ended by SIGKILL" in said[0]
        assert "plug the microphone in again" in said[0]
        assert listeners() != [pid]
        keeper.allow(frozenset())
        await wait_until_async(lambda: not listeners())
        await wait_until_async(lambda: len(asyncio.all_tasks()) == 2)  # ours and the keeper's
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_faster_input_is_brought_down_without_folding(monkeypatch, tmp_path):
    """19 kHz would fold to 3 kHz and be louder than the voice at 200 Hz."""
    fake_driver(monkeypatch, tmp_path, "sings", FAKE_RATE="44100", FAKE_HZ="19000")
    found, values = create({}), {}
    async with aclosing(found.readings(RealClock())) as readings:
        async for item in readings:
            if isinstance(item, Reading):
                values[item.signal] = item.value
                if item.signal == "loudness_db":
                    break
    assert found.opened.sample_rate == 44_100
    assert values["f0_hz"] == pytest.approx(200, rel=0.01)
    # 0.01 of full scale is -43 dB, and the A-weighting takes 11 dB at 200 Hz; 0.3 would be -13.
    assert values["loudness_db"] < -50


async def test_the_agents_own_input_by_a_part_of_its_name(monkeypatch, tmp_path):
    fake_driver(monkeypatch, tmp_path, "sings")
    for wanted, device in (("", "Desk Headset"), ("headset", "Desk Headset"), ("web", "Webcam")):
        found = create({"device": wanted})
        async with aclosing(found.readings(RealClock())) as readings:
            await anext(readings)
        assert found.opened.device == device
    with pytest.raises(DeviceError, match="'Monitor of Desk Headset' is an output's monitor"):
        await anext(create({"device": "monitor of"}).readings(RealClock()))
    assert [i["is_monitor"] for i in known_inputs()] == [False, True, False]


async def test_a_listener_leaves_nothing_and_knows_no_secret(monkeypatch, tmp_path):
    """A crash must not write its memory to a file (T1), and a driver needs no password (T5)."""
    fake_driver(monkeypatch, tmp_path, "sings")
    monkeypatch.setenv("WELLBEING_BROKER_PASSWORD", "hush")
    assert not any(name.startswith("WELLBEING_") for name in environment())
    async with aclosing(create({}).readings(RealClock())) as readings:
        await anext(readings)
        limits = await asyncio.to_thread(Path(f"/proc/{listeners()[0]}/limits").read_text)
    core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert core.split()[-3:-1] == ["0", "0"]


def test_the_edge_does_not_load_what_only_the_listener_needs():
    code = "import json, sys, sensors.voice.collector; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert not {"numpy", "sounddevice", "soundfile", "librosa"} & set(json.loads(done.stdout))


def test_windows_are_passed_on_as_regularly_as_they_were_heard():
    beat = microphone.Beat()
    arrived = [0.0, 5.02, 9.98, 15.1, 20.0]
    assert [round(beat.due_s(at), 2) for at in arrived] == [0.3, 5.3, 10.3, 15.3, 20.3]
    # Far behind or ahead, it begins anew; nothing waits longer than that.
    assert beat.due_s(40.0) == pytest.approx(40.3)
    assert beat.due_s(43.0) == pytest.approx(43.3)


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


@pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel of Linux")
def test_no_debugger_reads_the_listeners_memory():
    code = (
        "import ctypes\nfrom sensors.voice.listener import harden\n"
        "harden()\nprint(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))\n"  # PR_GET_DUMPABLE
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "0"
