"""Sound files: real speech where it is at hand, synthetic otherwise; errors in one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sensors.collector import Collector, Link, Reading
from sensors.errors import ConfigurationError, DeviceError
from sensors.messages import Absence
from sensors.signals import SIGNALS, Channel
from sensors.voice.features import extract
from sensors.voice.wavfile import create
from tests.rig.clocks import SteppedClock
from tests.sensors.voice.synthesis import RATE, voice

REPOSITORY = Path(__file__).parents[3]
SPEECH = REPOSITORY.parent / "shared" / "data" / "speech"


async def played(options: dict) -> list[Reading | Link]:
    """Return everything up to the end of the file."""
    items = []
    async with aclosing(create(options).readings(SteppedClock())) as found:
        async for item in found:
            items.append(item)
            if item == Link(Channel.VOICE, Absence.DISCONNECTED):
                return items
    raise AssertionError(items)


def write(path: Path, sound: np.ndarray, **options: str) -> str:
    soundfile.write(path, sound, RATE, **options)
    return str(path)


async def test_windows_of_a_file_in_real_time(tmp_path):
    path = write(tmp_path / "a.wav", np.concatenate([voice(120).samples, voice(220).samples]))
    items = await played({"path": path})
    assert items[0] == Link(Channel.VOICE, "ok")
    f0 = [(r.at_monotonic_s, round(r.value)) for r in items[1:-1] if r.signal == "f0_hz"]
    assert f0 == [(1005.0, 120), (1010.0, 220)]


async def test_the_agents_own_side_of_a_recorded_call(tmp_path):
    both = np.stack([voice(120).samples, voice(220).samples], axis=1)
    items = await played({"path": write(tmp_path / "a.wav", both), "channel": 1})
    assert [round(r.value) for r in items[1:-1] if r.signal == "f0_hz"] == [220]


async def test_raw_pcm(tmp_path):
    path = tmp_path / "a.pcm"
    path.write_bytes((voice(120).samples * 32_767).astype("<i2").tobytes())
    items = await played({"path": str(path), "raw_rate": RATE})
    assert [round(r.value) for r in items[1:-1] if r.signal == "f0_hz"] == [120]


async def test_a_file_that_repeats_goes_on(tmp_path):
    path = write(tmp_path / "a.wav", voice(120).samples)
    async with aclosing(create({"path": path, "repeat": True}).readings(SteppedClock())) as found:
        windows = set()
        async for item in found:
            if isinstance(item, Reading):
                windows.add(item.at_monotonic_s)
            if len(windows) == 3:
                break
    assert windows == {1005.0, 1010.0, 1015.0}


def test_real_speech_or_synthetic(record_property):
    """Every utterance gives a plausible voice; the one speaker is heard in all of them."""
    paths = sorted(SPEECH.glob("*.wav"))
    record_property("recordings", len(paths))
    sys.stdout.write(f"{len(paths)} recordings of speech found\n")
    sounds = [soundfile.read(p) for p in paths] or [(voice(f).samples, RATE) for f in (110, 210)]
    for sound, rate in sounds:
        found = extract(sound, rate)
        assert 75 <= found.f0_hz <= 350
        assert 0.3 < found.voiced_ratio <= 1.0
        assert found.speech_ratio > 0.4
        assert found.hnr_db < 60  # a synthetic voice is cleaner than any person's
        assert all(SIGNALS[n].accepts(v) for n, v in found.known().items())


def test_fear_and_joy_are_higher_than_neutral_where_recordings_are_present():
    """EmoDB's acted arousal is known to raise pitch and loudness: a check of direction."""
    pitch_hz = {
        letter: [extract(*soundfile.read(p)).f0_hz for p in sorted(SPEECH.glob(f"*{letter}?.wav"))]
        for letter in "WFN"
    }
    if not all(pitch_hz.values()):
        pitch_hz = {"W": [220.0], "F": [220.0], "N": [extract(voice(120).samples, RATE).f0_hz]}
    assert np.median(pitch_hz["W"]) > 1.2 * np.median(pitch_hz["N"])
    assert np.median(pitch_hz["F"]) > 1.2 * np.median(pitch_hz["N"])


@pytest.mark.skipif(sys.platform != "linux", reason="counts written bytes in /proc")
def test_a_run_writes_no_audio(tmp_path):
    """Everything the process writes, to files, pipes and sockets alike, is counted by the kernel."""
    home, path = tmp_path / "home", write(tmp_path / "a.wav", np.tile(voice(120).samples, 6))
    home.mkdir()
    code = (
        "import asyncio, json, re, sys\n"
        "from pathlib import Path\n"
        "from tests.sensors.voice.test_wavfile import played\n"
        "def written():\n"
        "    return int(re.search(r'wchar: (\\d+)', Path('/proc/self/io').read_text())[1])\n"
        f"asyncio.run(played({{'path': {path!r}}}))\n"  # warm: imports may write caches
        "before = written()\n"
        f"items = asyncio.run(played({{'path': {path!r}}}))\n"
        "print(json.dumps([written() - before, len(items)]))\n"
    )
    environ = os.environ | dict.fromkeys(
        ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR", "NUMBA_CACHE_DIR"), str(home)
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", code],
        cwd=REPOSITORY,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    bytes_written, items = json.loads(done.stdout.splitlines()[-1])
    assert items > 60
    # Half a minute of sound is 960 kB as 16-bit samples; wake-ups between threads are a few bytes.
    assert bytes_written < 4096
    assert not [p for p in home.rglob("*") if p.is_file()]


@pytest.mark.parametrize(
    ("name", "content", "options", "words"),
    [
        ("none.wav", None, {}, "no such file"),
        ("bad.wav", b"not sound at all", {}, "cannot read"),
        ("short.wav", np.zeros(RATE), {}, "1.0 s long; a window is 5 s"),
        ("mono.wav", np.zeros(6 * RATE), {"channel": 1}, "channel is 1; it has 1"),
    ],
)
async def test_what_cannot_be_played_is_one_clear_line(tmp_path, name, content, options, words):
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        write(path, content)
    with pytest.raises(DeviceError, match=words) as error:
        await anext(create({"path": str(path)} | options).readings(SteppedClock()))
    assert "\n" not in str(error.value)


def test_create_checks_its_options():
    assert isinstance(create({"path": "a.wav"}), Collector)
    for options, words in [
        ({}, "path"),
        ({"path": ""}, "path is empty"),
        ({"path": "a", "raw_rate": 100}, "raw_rate is 100"),
        ({"file": "a"}, "unknown key 'file'"),
    ]:
        with pytest.raises(ConfigurationError, match=words):
            create(options)
