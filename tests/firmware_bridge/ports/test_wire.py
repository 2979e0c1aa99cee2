"""The protocol over real pseudo-terminals, with everything that a wire, a cable and a person do."""

import asyncio
import threading
from contextlib import aclosing
from random import Random

import pytest

from firmware_bridge.collector import SerialCollector
from firmware_bridge.ports import serial_port
from firmware_bridge.ports.serial_port import PortInfo, SerialPort
from firmware_bridge.protocol.events import Described, Measured
from firmware_bridge.protocol.session import Session
from firmware_bridge.simulation.board import Board as VirtualBoard
from firmware_bridge.simulation.board import BoardSettings
from sensors.collector import Collector, Link, Note, Reading
from sensors.edge.collecting.clock import SystemTime
from sensors.errors import DeviceError
from sensors.signals import Channel
from tests.firmware_bridge.board import Board
from tests.firmware_bridge.protocol.talking import EDA, Talking
from tests.firmware_bridge.speaking import SpeakingBoard
from tests.rig import wait_until, wait_until_async

FRAMES = 400


def uart(data, said_baud, read_baud):
    """What a UART at another speed reads: bits by time, 8N1, least significant first."""
    bits = [1] * 20
    for byte in data:
        bits += [0, *(byte >> n & 1 for n in range(8)), 1]
    bits += [1] * 40
    step = said_baud / read_baud
    level = lambda at: bits[min(len(bits) - 1, int(at))]  # noqa: E731
    read, at = bytearray(), 0.0
    while at < len(bits) - 20:
        if level(at):
            at += step / 16
            continue
        read.append(sum(level(at + step * (n + 1.5)) << n for n in range(8)))
        at += step * 9.5
        while at < len(bits) - 20 and not level(at):
            at += step / 16  # a framing error: wait for the line to be free
    return bytes(read)


def flipped(frame, random):
    at = random.randrange(len(frame) - 1)
    changed = frame[at] ^ 1 << random.randrange(8)
    return frame[:at] + bytes((changed or frame[at],)) + frame[at + 1 :]


def whole(frames, _):
    return frames, {}


def corrupted(frames, random):
    bad = set(range(3, len(frames), 10))
    made = [flipped(f, random) if n in bad else f for n, f in enumerate(frames)]
    return made, {"lost": sum(a != b for a, b in zip(made, frames, strict=True))}


def truncated(frames, random):
    bad = set(range(3, len(frames), 10))
    made = [f[: random.randint(1, 8)] + b"\0" if n in bad else f for n, f in enumerate(frames)]
    return made, {"lost": len(bad), "refused": len(bad)}


def repeated(frames, _):
    twice = [f for n, f in enumerate(frames) for _ in range(2 if n % 10 == 3 else 1)]
    return twice, {"repeated": len(twice) - len(frames)}


def reordered(frames, _):
    made = list(frames)
    for at in range(3, len(made) - 1, 10):
        made[at], made[at + 1] = made[at + 1], made[at]
    return made, {"late": len(range(3, len(made) - 1, 10))}


def noisy(frames, random):
    noise = lambda: bytes(random.randrange(1, 256) for _ in range(random.randint(9, 400))) + b"\0"  # noqa: E731
    made = [noise() + f if n % 10 == 3 else f for n, f in enumerate(frames)]
    return made, {"refused": len(range(3, len(frames), 10))}


@pytest.mark.parametrize("chunk", [1, 37, 4_096])
@pytest.mark.parametrize("happens", [whole, corrupted, truncated, repeated, reordered, noisy])
def test_what_a_wire_does_is_survived_and_counted(board, happens, chunk):
    """Everything whole arrives once, whatever the pieces; everything else is counted."""
    random, talking = Random(1), Talking()
    frames = [talking.values(EDA, n / 4, float(n + 1)) for n in range(FRAMES)]
    talking.counter = 65_528
    begin = b"\0" + talking.hello(0, EDA)
    sent, wanted = happens(frames, random)
    end = Talking(counter=65_530 + FRAMES & 0xFFFF).values(EDA, FRAMES / 4, 9_999.0)
    data = begin + b"".join(sent) + end
    session, values = Session(), []

    def send():
        for at in range(0, len(data), chunk):
            board.send(data[at : at + chunk])

    sender = threading.Thread(target=send)
    with SerialPort(board.port, 115_200) as port:
        sender.start()

        def is_over():
            for event in session.feed(port.read(), 0.0):
                if isinstance(event, Measured):
                    values.extend(event.values[:, 0].tolist())
            return 9_999.0 in values

        wait_until(is_over, what="the last frame")
        sender.join()
    counts = session.counts
    found = {"lost": counts.lost, "repeated": counts.repeated, "late": counts.late}
    assert found == {key: wanted.get(key, 0) for key in found}
    assert len(values) == len(set(values)) == FRAMES + 1 - counts.lost
    if "refused" in wanted:
        assert counts.refused.total == wanted["refused"]
    pieces = [piece for piece in data.split(b"\0") if piece]
    assert counts.frames + counts.refused.total == len(pieces)


@pytest.mark.parametrize(("said", "read"), [(115_200, 57_600), (57_600, 115_200), (115_200, 9_600)])
async def test_the_wrong_speed_is_said(board, said, read):
    talking = Talking()
    data = talking.hello(0, EDA) + b"".join(talking.values(EDA, n, n + 0.7) for n in range(40))
    garbled = uart(data, said, read)
    assert garbled != data
    board.keep_sending(garbled, 0.02)
    made = SerialCollector({"port": board.port, "silence_s": 2.0})
    async with aclosing(made.readings(SystemTime())) as readings:
        with pytest.raises(DeviceError, match=r"nothing that is a frame .*check baud, or give csv"):
            await anext(readings)


def test_the_speeds_of_the_test_are_right():
    assert uart(b"\x00\x55Hello\xff", 9_600, 9_600) == b"\x00\x55Hello\xff"


async def test_unplugged_in_the_middle_of_a_frame(board):
    talking = Talking()
    start = b"\0" + talking.hello(0, EDA)
    ends = talking.values(EDA, 1, 3.5), talking.values(EDA, 2, 3.6)[:9]
    made = SerialCollector({"port": board.port})
    found = []
    async with aclosing(made.readings(SystemTime())) as readings:
        board.keep_sending(start + b"".join(ends), 0.05)
        while not any(isinstance(item, Reading) for item in found):
            found.append(await anext(readings))
        board.unplug()
        with pytest.raises(DeviceError, match="is gone; plug the board in again"):
            found += [item async for item in readings]
    assert {item.value for item in found if isinstance(item, Reading)} == {3.5}


async def test_plugged_in_again_under_another_name(monkeypatch):
    """Given by its USB device, a board is found again wherever it comes back."""
    there = {}
    monkeypatch.setattr(serial_port, "ports", lambda: list(there.values()))
    made = SerialCollector({"port": "usb:2341:0043:8573"})
    names, others = [], []
    for value in (3.5, 4.5):
        plugged, talking = Board(), Talking()
        names.append(plugged.port)
        there["board"] = PortInfo(plugged.port, "Uno", "2341:0043", "8573")
        said = b"\0" + talking.hello(0, EDA) + talking.values(EDA, 1, value)
        plugged.keep_sending(said, 0.05)
        async with aclosing(made.readings(SystemTime())) as readings:
            items = [await anext(readings) for _ in range(3)]
            assert items[2].value == value
            plugged.unplug()
            with pytest.raises(DeviceError, match="usb:2341:0043:8573 is gone"):
                async for _ in readings:
                    pass
        others.append(Board())  # takes the name that has become free
        there["other"] = PortInfo(others[-1].port, "Uno", "2341:0043", "9999")
    assert names[0] != names[1]
    del there["board"]
    with pytest.raises(DeviceError, match="is not there; run: firmware-bridge ports"):
        await anext(made.readings(SystemTime()))
    for other in others:
        other.unplug()


async def test_a_board_that_is_wired_one_way_is_read_all_the_same(board, monkeypatch):
    def deaf(*_):
        raise DeviceError("the board takes nothing")

    monkeypatch.setattr(SerialPort, "write", deaf)
    talking = Talking()
    board.keep_sending(b"\0" + talking.hello(0, EDA) + talking.values(EDA, 1, 3.5), 0.05)
    made = SerialCollector({"port": board.port})
    async with aclosing(made.readings(SystemTime())) as readings:
        items = [await anext(readings) for _ in range(3)]
    assert items[1:] == [Link(Channel.MODULES, "ok"), items[2]]
    assert items[2].value == 3.5


async def test_frames_without_hello_are_said(board):
    talking = Talking()
    board.keep_sending(talking.values(EDA, 1, 3.5))
    made = SerialCollector({"port": board.port, "silence_s": 2.0})
    async with aclosing(made.readings(SystemTime())) as readings:
        with pytest.raises(DeviceError, match=r"has not said HELLO for 2 s"):
            await anext(readings)


async def test_a_board_that_falls_silent_is_lost(board):
    talking = Talking()
    made = SerialCollector({"port": board.port, "silence_s": 2.0})
    async with aclosing(made.readings(SystemTime())) as readings:
        first = asyncio.ensure_future(anext(readings))
        await wait_until_async(lambda: board.is_open)
        # Again and again: what comes while a port is being opened is thrown away.
        while not first.done():
            board.send(b"\0" + talking.hello(0, EDA) + talking.values(EDA, 1, 3.5))
            await asyncio.wait({first}, timeout=0.1)
        with pytest.raises(DeviceError, match=r"has been silent for 2 s; is the board running"):
            async for _ in readings:
                pass


async def test_a_whole_board_is_read_asked_and_timed():
    """The virtual board on one end, the collector on the other, both ways."""
    settings = BoardSettings(signals=("eda_us", "skin_temp_c"), finds_beats=True)
    speaking = SpeakingBoard(VirtualBoard(settings))
    try:
        made = SerialCollector({"port": speaking.port})
        assert isinstance(made, Collector)
        assert made.channels == {Channel.HEART, Channel.MODULES}
        seen, notes = set(), []
        clock = SystemTime()
        async with aclosing(made.readings(clock)) as readings:
            async with asyncio.timeout(120):
                async for item in readings:
                    if isinstance(item, Reading):
                        seen.add(item.signal)
                        assert clock.monotonic_s() - 60 < item.at_monotonic_s
                        assert item.at_monotonic_s < clock.monotonic_s() + 0.1
                    elif isinstance(item, Note):
                        notes.append(item.device)
                    if {"eda_us", "skin_temp_c", "rr_ms", "contact"} <= seen:
                        break
        assert "Agent Wellbeing Simulated headset" in notes[0]
    finally:
        speaking.unplug()


async def test_only_what_is_allowed_is_read():
    speaking = SpeakingBoard(VirtualBoard(BoardSettings(finds_beats=True, signals=("eda_us",))))
    try:
        made = SerialCollector({"port": speaking.port, "channels": ["modules"]})
        assert made.channels == {Channel.MODULES}
        count = 0
        async with aclosing(made.readings(SystemTime())) as readings:
            async with asyncio.timeout(120):
                async for item in readings:
                    assert getattr(item, "signal", "eda_us") == "eda_us"
                    assert getattr(item, "channel", "modules") == "modules"
                    count += isinstance(item, Reading)
                    if count > 12:
                        break
    finally:
        speaking.unplug()


def test_a_board_describes_itself_when_asked():
    """Within what hardware.md allows, though it is busy otherwise."""
    speaking, session = SpeakingBoard(), Session()
    try:
        with SerialPort(speaking.port, 115_200) as port:
            described = []

            def is_described():
                port.write(session.due(0.0))
                described.extend(session.feed(port.read(), 0.0))
                return any(isinstance(event, Described) for event in described)

            wait_until(is_described, what="HELLO and all its streams")
    finally:
        speaking.unplug()
