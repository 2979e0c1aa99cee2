"""Raw samples through a named pipe and the standard input, as a softphone would send them."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest

from sensors.collector import Link, Reading
from sensors.errors import ConfigurationError, DeviceError
from sensors.messages import Absence
from sensors.signals import Channel
from sensors.voice.collector import create
from sensors.voice.pcm import PcmCollector
from tests.rig.clocks import SteppedClock
from tests.sensors.voice.synthesis import RATE, voice

REPOSITORY = Path(__file__).parents[3]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no named pipes there")


def pcm(*sounds: np.ndarray) -> bytes:
    return (np.stack(sounds, axis=1) * 32_767).astype("<i2").tobytes()


class Sender:
    """Somebody who writes into a pipe and goes."""

    def __init__(self, path: Path, *parts: bytes) -> None:
        self._path, self._parts = path, parts
        self._thread = threading.Thread(target=self._send, daemon=True)

    def _send(self) -> None:
        with self._path.open("wb", buffering=0) as pipe:
            for part in self._parts:
                pipe.write(part)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._thread.join()


@pytest.fixture
def pipe(tmp_path):
    path = tmp_path / "call"
    os.mkfifo(path)
    return path


async def pitches(path: Path, count: int, **options) -> list[int]:
    found: list[int] = []
    collector = create({"path": str(path), "raw_rate": RATE, **options})
    assert isinstance(collector, PcmCollector)
    async with aclosing(collector.readings(SteppedClock())) as readings:
        async for item in readings:
            if isinstance(item, Reading) and item.signal == "f0_hz":
                found.append(round(item.value))
            if len(found) == count:
                return found
    raise AssertionError(found)


async def test_windows_of_a_named_pipe_split_anywhere(pipe):
    sent = pcm(np.concatenate([voice(120).samples, voice(220).samples]))
    with Sender(pipe, sent[:1], sent[1:40_001], sent[40_001:]):
        assert await pitches(pipe, 2) == [120, 220]


async def test_the_agents_own_side(pipe):
    with Sender(pipe, pcm(voice(120).samples, voice(220).samples)):
        assert await pitches(pipe, 1, raw_channels=2, channel=1) == [220]


async def test_the_next_call_begins_a_new_window(pipe):
    """Half a window of the last sender is not glued to the next one's."""
    collector = create({"path": str(pipe), "raw_rate": RATE})
    async with aclosing(collector.readings(SteppedClock())) as readings:
        gone = Link(Channel.VOICE, Absence.DISCONNECTED)
        with Sender(pipe, pcm(voice(120).samples), pcm(voice(120).samples[:RATE])):
            while await anext(readings) != gone:
                pass
        with Sender(pipe, pcm(voice(220).samples)):
            assert await anext(readings) == Link(Channel.VOICE, "ok")
            async for item in readings:
                if item.signal == "f0_hz":
                    assert item.value == pytest.approx(220, rel=0.01)
                    break


async def test_closing_does_not_wait_for_a_sender(pipe):
    readings = create({"path": str(pipe), "raw_rate": RATE}).readings(SteppedClock())

    waiting = asyncio.create_task(anext(readings))
    await asyncio.sleep(0.05)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await readings.aclose()


async def test_sound_that_waits_when_the_channel_is_withdrawn_is_silenced(pipe, monkeypatch):
    """A sender faster than real time has its windows wait for the clock."""
    window, waits = voice(120).samples.copy(), asyncio.Event()

    class NeverThen(SteppedClock):
        async def sleep_until(self, _monotonic_s: float) -> None:
            waits.set()
            await asyncio.Event().wait()

    async def given(_self: PcmCollector, _descriptor: int) -> np.ndarray:
        return window

    monkeypatch.setattr(PcmCollector, "_window", given)
    readings = create({"path": str(pipe), "raw_rate": RATE}).readings(NeverThen())
    reading = asyncio.create_task(anext(readings))
    await waits.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert not window.any()


STDIN = """
import asyncio, json
from contextlib import aclosing
from sensors.collector import Link, Reading
from sensors.voice.collector import create
from tests.rig.clocks import SteppedClock

async def main():
    said = []
    collector = create({"path": "-", "raw_rate": 16000})
    async with aclosing(collector.readings(SteppedClock())) as readings:
        async for item in readings:
            if isinstance(item, Link):
                said.append(item.state)
            elif item.signal == "f0_hz":
                said.append(round(item.value))
            if item == Link("voice", "disconnected"):
                break
    print(json.dumps(said))

asyncio.run(main())
"""


def test_the_standard_input_ends():
    done = subprocess.run(
        [sys.executable, "-c", STDIN],
        input=pcm(np.concatenate([voice(120).samples, voice(220).samples[:RATE]])),
        cwd=REPOSITORY,
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout) == ["ok", 120, "disconnected"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, r"raw_rate is 0; a stream has no header, so say its rate: 8000 Hz or more"),
        ({"raw_rate": RATE, "raw_channels": 0}, "raw_channels is 0; expected 1 to 64"),
        ({"raw_rate": RATE, "channel": 1}, "channel is 1; the stream has 1, counted from 0"),
        ({"raw_rate": RATE, "raw_rates": 1}, "unknown key 'raw_rates'; did you mean 'raw_rate'"),
    ],
)
def test_create_checks_its_options(options, words):
    with pytest.raises(ConfigurationError, match=words):
        create({"path": "-", **options})


async def test_a_pipe_that_went_is_one_clear_line(pipe):
    collector = create({"path": str(pipe), "raw_rate": RATE})
    pipe.unlink()
    with pytest.raises(DeviceError, match="make it with mkfifo"):
        await anext(collector.readings(SteppedClock()))
