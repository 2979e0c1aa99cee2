"""A board as a collector, on a real pseudo-terminal."""

import asyncio
import threading
import tomllib
from contextlib import aclosing
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

from firmware_bridge.collector import SerialCollector
from firmware_bridge.ports import serial_port
from sensors.collector import Clock, Collector, Link, Reading
from sensors.edge.collecting.clock import SystemTime
from sensors.errors import ConfigurationError, DeviceError
from sensors.signals import Channel
from tests.firmware_bridge.protocol.talking import EDA, Talking
from tests.rig import wait_until_async

CSV = ["eda_us", "-", "skin_temp_c", "hr_bpm"]


def collector(board, **options):
    return SerialCollector({"port": board.port, "csv": CSV} | options)


async def take(readings, count):
    return [await anext(readings) for _ in range(count)]


async def test_values_arrive_and_each_channel_says_it_is_there(board):
    made = collector(board)
    assert isinstance(made, Collector)
    assert made.channels == {Channel.MODULES, Channel.HEART}
    board.keep_sending(b"3.5,x,33,70\n")
    clock: Clock = SystemTime()
    async with aclosing(made.readings(clock)) as readings:
        items = await take(readings, 8)
    links = [item for item in items if isinstance(item, Link)]
    assert links == [Link(Channel.MODULES, "ok"), Link(Channel.HEART, "ok")]
    values = [(item.signal, item.value) for item in items if isinstance(item, Reading)]
    assert values == [
        ("eda_us", 3.5),
        ("skin_temp_c", 33.0),
        ("hr_bpm", 70.0),
        ("eda_us", 3.5),
        ("skin_temp_c", 33.0),
        ("hr_bpm", 70.0),
    ]
    assert all(
        0 <= clock.monotonic_s() - i.at_monotonic_s < 60 for i in items if isinstance(i, Reading)
    )


async def test_a_channel_that_may_not_be_read_is_not_read(board):
    made = collector(board, channels=["heart"])
    assert made.channels == {Channel.HEART}
    board.keep_sending(b"3.5,x,33,70\n")
    async with aclosing(made.readings(SystemTime())) as readings:
        items = await take(readings, 3)
    assert [i.signal for i in items if isinstance(i, Reading)] == ["hr_bpm", "hr_bpm"]


async def test_closing_releases_the_port_at_once(board):
    """Nothing is captured after a withdrawal, also when the board never speaks (TRUST T6)."""
    made = collector(board)
    readings = made.readings(SystemTime())
    waiting = asyncio.ensure_future(anext(readings))
    await wait_until_async(lambda: board.is_open)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await readings.aclose()
    await wait_until_async(lambda: not board.is_open)


async def test_closing_while_the_port_is_being_opened_leaves_it_closed(board, monkeypatch):
    """The thread that opens it goes on, and nobody else would close what it opened (TRUST T6)."""
    opens, goes_on, driver = threading.Event(), threading.Event(), serial_port._open
    found = []

    def slowly(*given):
        opens.set()
        goes_on.wait(60)
        found.append(driver(*given))
        return found[0]

    monkeypatch.setattr(serial_port, "_open", slowly)
    readings = collector(board).readings(SystemTime())
    waiting = asyncio.ensure_future(anext(readings))
    await asyncio.to_thread(opens.wait, 60)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await readings.aclose()
    goes_on.set()
    await wait_until_async(lambda: found and not board.is_open)


async def test_an_unplugged_board_is_a_device_error_and_what_came_before_counts(board):
    board.keep_sending(b"3.5,x,33,70\n")
    async with aclosing(collector(board).readings(SystemTime())) as readings:
        assert len(await take(readings, 20)) == 20
        board.unplug()
        with pytest.raises(DeviceError, match=rf"{board.port} is gone; plug the board in again"):
            async for _ in readings:
                pass


@pytest.mark.parametrize(
    ("sent", "silence_s", "words"),
    [
        pytest.param(b"", 0.3, "has been silent for 0.3 s; is the board running", id="silent"),
        # A busy machine may send or read nothing for a while.
        pytest.param(b"noise\n\xff\xff\n", 2.0, r"nothing readable .*\d lines refused", id="noise"),
    ],
)
async def test_a_board_that_says_nothing_is_a_device_error(board, sent, silence_s, words):
    board.keep_sending(sent)
    async with aclosing(collector(board, silence_s=silence_s).readings(SystemTime())) as readings:
        with pytest.raises(DeviceError, match=words):
            await anext(readings)


async def test_a_board_that_does_not_describe_its_streams_is_a_device_error(board):
    """Nothing of it is read, and that must not look like a board that is well."""
    board.keep_sending(b"\0" + Talking().hello(0, replace(EDA, stream=1)))
    made = collector(board, csv=[], silence_s=2.0)
    async with aclosing(made.readings(SystemTime())) as readings:
        with pytest.raises(DeviceError, match="describes 0 of the 1 streams it announces"):
            await anext(readings)


async def test_one_board_is_read_by_one_program(board):
    board.keep_sending(b"3.5,x,33,70\n")
    async with aclosing(collector(board).readings(SystemTime())) as first:
        await anext(first)
        async with aclosing(collector(board).readings(SystemTime())) as second:
            with pytest.raises(DeviceError, match="is in use by another program"):
                await anext(second)


async def test_a_port_that_is_not_there(tmp_path):
    made = SerialCollector({"port": str(tmp_path / "tty"), "csv": CSV})
    with pytest.raises(DeviceError, match="is not there; run: firmware-bridge ports"):
        await anext(made.readings(SystemTime()))
    (tmp_path / "tty").write_text("a file")
    with pytest.raises(DeviceError, match="is no serial port"):
        await anext(made.readings(SystemTime()))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param({"csv": CSV}, r"\[serial\] port is ''", id="no port"),
        pytest.param({"port": "p", "csv": ["-"]}, "csv names no signal", id="no columns"),
        pytest.param({"port": "p", "channels": ["voice"]}, "channels has 'voice'", id="channel"),
        pytest.param({"port": "usb:"}, r"\[serial\] port is 'usb:'; expected like", id="usb"),
        pytest.param({"port": "p", "rate_hz": 3.0}, "rate_hz is 3; expected 25 to", id="rate"),
        pytest.param({"port": "p", "csv": ["pulse"]}, r"\[serial\] csv has 'pulse'", id="column"),
        pytest.param({"port": "p", "csv": CSV, "baud": 1}, "baud is 1; expected 50", id="baud"),
        pytest.param({"port": "p", "csv": CSV, "baud": "x"}, "baud is 'x'", id="type"),
        pytest.param({"port": "p", "csv": CSV, "silence_s": 0}, "silence_s is 0", id="silence"),
        pytest.param({"port": "p", "csv": CSV, "bauds": 1}, "did you mean 'baud'", id="key"),
    ],
)
def test_wrong_options_are_named(options, words):
    with pytest.raises(ConfigurationError, match=words):
        SerialCollector(options)


def test_it_is_registered_for_the_edge():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    target = project["project"]["entry-points"]["wellbeing.collectors"]["serial"]
    module, _, attribute = target.partition(":")
    assert getattr(import_module(module), attribute) is SerialCollector
