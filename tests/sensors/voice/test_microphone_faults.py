"""Drivers that abort, hang, fall silent or write garbage: it is said, and nothing stays."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import aclosing
from pathlib import Path

import pytest

from sensors.collector import Collector, Note, Reading
from sensors.errors import DeviceError, MissingExtraError
from sensors.messages import WINDOW_S
from sensors.voice import microphone
from sensors.voice.microphone import create, known_inputs
from tests.rig import wait_until, wait_until_async
from tests.rig.clocks import RealClock
from tests.rig.waiting import PATIENCE_S
from tests.sensors.voice.at_desk import (
    OK,
    REPOSITORY,
    opened,
    runs,
)
from tests.sensors.voice.sound_desk import (
    fake_driver,
    listeners,
)

pytestmark = pytest.mark.usefixtures("nobody_stays", "patient")

GIVEN_S = microphone._WINDOW_WITHIN_S  # as it is for an agent; the tests' own machine gets more

ORPHAN = """
import asyncio, sys
from sensors.voice.microphone import create
from tests.rig.clocks import RealClock
from tests.sensors.voice.sound_desk import listeners

async def main():
    readings = create({}).readings(RealClock())
    await anext(readings)
    print(*listeners(), flush=True)
    await asyncio.sleep(3600)

asyncio.run(main())
"""


@pytest.mark.parametrize("kind", ["sings", "hangs"])
def test_a_listener_ends_with_its_edge(monkeypatch, tmp_path, kind):
    fake_driver(monkeypatch, tmp_path, kind)
    edge = subprocess.Popen(
        [sys.executable, "-c", ORPHAN], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    with edge:
        pid = int(edge.stdout.readline())
        edge.kill()
    wait_until(lambda: not runs(pid))


async def test_a_driver_that_aborts_takes_only_the_listener(monkeypatch, tmp_path):
    fake_driver(monkeypatch, tmp_path, "aborts")
    readings = create({}).readings(RealClock())
    assert await opened(readings)
    with pytest.raises(
        DeviceError, match=r"was ended by SIGABRT .*pa_linux_alsa.*Assertion failed"
    ):
        await anext(readings)


async def test_a_driver_that_hangs_when_closed_is_killed(monkeypatch, tmp_path):
    fake_driver(monkeypatch, tmp_path, "hangs")
    readings = create({}).readings(RealClock())
    assert await anext(readings) == OK
    (pid,) = listeners()
    await readings.aclose()
    assert not runs(pid)


async def test_a_listener_that_says_nothing_any_more_is_given_up(monkeypatch, tmp_path):
    fake_driver(monkeypatch, tmp_path, "sings")
    monkeypatch.setattr(microphone, "_WINDOW_WITHIN_S", 1.0)
    readings = create({}).readings(RealClock())
    assert await opened(readings)
    os.kill(listeners()[0], signal.SIGSTOP)
    with pytest.raises(DeviceError, match="driver hangs; plug the microphone in again"):
        async for _ in readings:
            pass  # a window that it told before it was stopped


def test_a_busy_machine_is_not_taken_for_a_driver_that_hangs():
    """A window every 5 s and the loading before the first: at five times the time still none."""
    assert 5 * WINDOW_S < GIVEN_S <= 60


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("taken", "no microphone can be opened: Device unavailable; plug one in"),
        ("no PortAudio", r"install PortAudio \(libportaudio2\)"),
    ],
)
async def test_what_cannot_be_opened_is_one_clear_line(monkeypatch, tmp_path, kind, words):
    fake_driver(monkeypatch, tmp_path, kind)
    with pytest.raises(DeviceError, match=words) as error:
        await anext(create({}).readings(RealClock()))
    assert "\n" not in str(error.value)


async def test_a_driver_that_falls_silent_is_told(monkeypatch, tmp_path):
    fake_driver(monkeypatch, tmp_path, "silent")
    readings = create({}).readings(RealClock())
    assert await opened(readings)
    with pytest.raises(DeviceError, match="gives no sound any more; plug it in again"):
        await anext(readings)


async def test_a_machine_without_sounddevice_names_the_command(monkeypatch, tmp_path):
    fake_driver(monkeypatch, tmp_path, "not installed")
    with pytest.raises(MissingExtraError, match=r"pip install 'agent-wellbeing\[voice\]'"):
        await anext(create({}).readings(RealClock()))
    with pytest.raises(MissingExtraError, match=r"sounddevice is not installed"):
        known_inputs()


async def test_what_a_driver_prints_does_not_reach_the_edge(monkeypatch, tmp_path):
    fake_driver(monkeypatch, tmp_path, "chatty")
    async with aclosing(create({}).readings(RealClock())) as readings:
        assert await opened(readings)
        async for item in readings:
            if isinstance(item, Reading):
                break


async def test_losses_of_the_driver_are_counted_and_lower_the_quality(monkeypatch, tmp_path):
    fake_driver(monkeypatch, tmp_path, "loses")
    found = create({})
    async with aclosing(found.readings(RealClock())) as readings:
        async for item in readings:
            if isinstance(item, Note) and "sound is lost" in item.device:
                break
    assert item.device.startswith("Desk Headset, ")
    assert found.overruns > 10
    assert found.underruns == 0


def an_ill_listener(monkeypatch, code: str) -> Collector:
    """Have `code` run in the place of the listening process."""
    monkeypatch.setattr(microphone, "_COMMAND", (sys.executable, "-c", f"import sys, os\n{code}"))
    return create({})


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("while True: os.write(1, b'x' * 65536)", id="without end"),
        pytest.param("while True: os.write(1, b'[' * 9999 + b'\\n')", id="brackets"),
        pytest.param("os.write(1, b'\\xff\\xfe\\n')", id="bytes"),
        pytest.param("print('{\"heard\":5}')", id="of another shape"),
    ],
)
async def test_a_listener_that_writes_garbage_is_ended_and_leaves_no_pipe_open(monkeypatch, code):
    before = open_files()
    with pytest.raises(DeviceError, match="talks nonsense"):
        async with asyncio.timeout(PATIENCE_S):
            await anext(an_ill_listener(monkeypatch, code).readings(RealClock()))
    # One more is the loop's own, made on first use.
    await wait_until_async(lambda: open_files() <= before + 1, what="its pipes are closed")


async def test_what_a_driver_started_and_left_behind_holds_up_nothing(monkeypatch):
    """It holds the pipe of the errors; a dead microphone would never be tried again."""
    code = (
        "import subprocess\nsubprocess.Popen(['sleep', '60'], stdout=subprocess.DEVNULL)\n"
        "print('the driver is ill', file=sys.stderr)"
    )
    with pytest.raises(DeviceError, match=r"ended with 0 \(the driver is ill\)"):
        async with asyncio.timeout(PATIENCE_S):
            await anext(an_ill_listener(monkeypatch, code).readings(RealClock()))


async def test_sound_that_nobody_could_take_in_time_is_counted_as_lost(monkeypatch, tmp_path):
    """As on a machine too slow for a while: what is left of a window is no 5 s of speech."""
    fake_driver(monkeypatch, tmp_path, "sings", FAKE_SPEED="2000")
    found = create({})
    async with aclosing(found.readings(RealClock())) as readings:
        async for item in readings:
            if isinstance(item, Note) and "sound is lost" in item.device:
                break
            assert not isinstance(item, Reading)
    assert found.overruns > 0


def test_a_slow_driver_may_take_its_time_to_list_its_inputs(monkeypatch, tmp_path):
    fake_driver(monkeypatch, tmp_path, "is slow to list")
    assert known_inputs()[0]["name"] == "Desk Headset"
