"""Linux input devices: the kernel's bytes in, known timing out."""

from __future__ import annotations

import asyncio
import errno
import gc
import itertools
import os
import pickle
import sys
import time
from contextlib import aclosing, suppress
from pathlib import Path

import numpy as np
import pytest

from sensors.collector import Link, Reading
from sensors.errors import ConfigurationError, DeviceError, MissingExtraError
from sensors.hid import listener
from sensors.hid.listener import HidCollector, choose_backend, create
from sensors.messages import Absence
from sensors.signals import Channel

if sys.platform != "linux":
    pytest.skip("evdev exists on Linux only", allow_module_level=True)

from sensors.hid import evdev_decode as codes
from sensors.hid import evdev_events
from tests.rig.clocks import RealClock
from tests.rig.waiting import PATIENCE_S
from tests.sensors.hid.fixture_devices import (
    KEYBOARD,
    MOUSE,
    POWER_BUTTON,
    TOUCHPAD,
    UNITS_PER_MM,
    Devices,
)

BOTH = (Channel.KEYBOARD, Channel.POINTER)


@pytest.fixture
def devices(tmp_path, monkeypatch):
    """Return an empty ``/dev/input`` on a machine without a display."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "XDG_SESSION_TYPE"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "input"
    folder.mkdir()
    real = evdev_events.EvdevBackend

    def here(*given, **named):
        return real(*given, **{**named, "folder": folder})

    monkeypatch.setattr(evdev_events, "EvdevBackend", here)
    found = Devices(folder, monkeypatch)
    yield found
    found.close()


async def gather(collector: HidCollector, act, last: str, count: int) -> list[Reading | Link]:
    """Return what came until there were `count` of `last`; `act` runs once devices are read."""
    found: list[Reading | Link] = []
    async with asyncio.timeout(PATIENCE_S), aclosing(collector.readings(RealClock())) as items:
        async for item in items:
            found.append(item)
            links = sum(isinstance(i, Link) for i in found)
            if isinstance(item, Link) and links == len(collector.channels):
                act()
            if sum(getattr(i, "signal", "") == last for i in found) >= count:
                return found
    raise AssertionError("it ended by itself")


def values(found: list[Reading | Link], signal: str) -> list[float]:
    return [i.value for i in found if isinstance(i, Reading) and i.signal == signal]


async def test_keys_are_timed_by_the_kernel_to_the_millisecond(devices):
    keyboard = devices.plug_in("event3", KEYBOARD)

    def type_five() -> None:
        start_s = time.time() - 2.0  # all at once, as after a busy moment: the dates count
        for n, code in enumerate((30, 31, 32, 33, 14)):
            keyboard.key(code, 1, start_s + 0.2 * n)
            keyboard.key(code, 0, start_s + 0.2 * n + 0.08)

    found = await gather(create({"channels": ["keyboard"]}), type_five, "dwell_ms", 5)
    assert found[0] == Link(Channel.KEYBOARD, "ok")
    # The wall clock and the monotonic one are read a moment apart; dates hold microseconds.
    assert values(found, "dwell_ms") == pytest.approx([80.0] * 5, abs=2.0)
    assert values(found, "flight_ms") == pytest.approx([120.0] * 4, abs=2.0)
    assert values(found, "key_corrections") == [1.0]


async def test_rollover_and_a_repeating_key(devices):
    keyboard = devices.plug_in("event0", KEYBOARD)

    def act() -> None:
        start_s = time.time() - 3.0
        for code, value, at_s in [
            (30, 1, 0.0), (31, 1, 0.06), (30, 0, 0.11), (31, 0, 0.2),
            (32, 1, 0.4), *((32, 2, 0.65 + 0.033 * n) for n in range(15)), (32, 0, 1.6),
        ]:  # fmt: skip
            keyboard.key(code, value, start_s + at_s)

    found = await gather(create({"channels": ["keyboard"]}), act, "dwell_ms", 3)
    assert len(values(found, "key_presses")) == 3
    assert min(values(found, "flight_ms")) == pytest.approx(-50.0, abs=2.0)
    assert values(found, "dwell_ms")[-1] == pytest.approx(1200.0, abs=2.0)


async def test_a_mouse_moves_clicks_and_scrolls(devices, monkeypatch):
    # Only the fetching every 0.2 s reads on: it must read to the end before it says
    # that nothing happened, or the movement falls into pieces.
    monkeypatch.setattr(evdev_events, "_GATHER_S", 60.0)
    mouse = devices.plug_in("event1", MOUSE)

    def act() -> None:
        start_s = time.time() - 2.0
        for n in range(500):  # 1000 Hz, 2 counts each: 2000 counts a second
            mouse.send((codes.EV_REL, codes.REL_X, 2), at_s=start_s + n / 1000)
        mouse.send((codes.EV_KEY, codes.BTN_LEFT, 1), at_s=start_s + 0.6)
        mouse.send((codes.EV_KEY, codes.BTN_LEFT, 0), at_s=start_s + 0.69)
        mouse.send((codes.EV_REL, codes.REL_WHEEL, -1), at_s=start_s + 0.8)

    found = await gather(create({"channels": ["pointer"]}), act, "scroll_steps", 1)
    speeds = values(found, "pointer_speed_px_s")
    assert 20 <= len(speeds) <= 25  # one for each 20 ms of the half second
    assert np.median(speeds) == pytest.approx(2000.0, rel=0.1)
    assert values(found, "pointer_straightness") == [1.0]
    assert values(found, "pointer_clicks") == [1.0]
    assert values(found, "click_dwell_ms") == pytest.approx([90.0], abs=2.0)
    assert values(found, "scroll_steps") == [1.0]


async def test_a_touchpad_moves_with_one_finger_and_scrolls_with_two(devices):
    pad = devices.plug_in("event1", TOUCHPAD)

    def act() -> None:
        at_s = itertools.count(time.time() - 3.0, 0.01)
        pad.send((codes.EV_KEY, codes.BTN_TOOL_FINGER, 1), at_s=next(at_s))
        for n in range(60):  # 0.5 mm every 10 ms: 50 mm/s
            x = (codes.EV_ABS, codes.ABS_X, 100 + n * UNITS_PER_MM // 2)
            pad.send(x, (codes.EV_ABS, codes.ABS_Y, 50), at_s=next(at_s))
        pad.send((codes.EV_KEY, codes.BTN_TOOL_FINGER, 0),
                 (codes.EV_KEY, codes.BTN_TOOL_DOUBLETAP, 1), at_s=next(at_s))  # fmt: skip
        for n in range(31):  # 30 steps of 1 mm, as far as two fingers go
            pad.send((codes.EV_ABS, codes.ABS_Y, 100 + n * UNITS_PER_MM), at_s=next(at_s))
        pad.send((codes.EV_KEY, codes.BTN_TOOL_DOUBLETAP, 0), at_s=next(at_s))

    found = await gather(create({"channels": ["pointer"]}), act, "scroll_steps", 30)
    speeds = values(found, "pointer_speed_px_s")
    assert len(speeds) > 15
    assert np.median(speeds) == pytest.approx(50 * 1000 / 25.4, rel=0.1)
    # 30 mm at 1000 counts per inch, 15 counts a step.
    assert sum(values(found, "scroll_steps")) == pytest.approx(30 * 1000 / 25.4 / 15, abs=1.5)


async def test_lost_events_are_half_a_packet_and_hold_no_key(devices):
    keyboard = devices.plug_in("event0", KEYBOARD)

    def act() -> None:
        start_s = time.time() - 2.0
        keyboard.key(30, 1, start_s)
        keyboard.send(
            (codes.EV_SYN, codes.SYN_DROPPED, 0), (codes.EV_KEY, 44, 1), at_s=start_s + 0.1
        )
        keyboard.key(30, 1, start_s + 0.5)
        keyboard.key(30, 0, start_s + 0.57)

    found = await gather(create({"channels": ["keyboard"]}), act, "dwell_ms", 1)
    assert len(values(found, "key_presses")) == 2
    assert values(found, "dwell_ms") == pytest.approx([70.0], abs=2.0)


async def test_what_is_not_consented_to_is_not_opened(devices):
    """T6."""
    for name, kind in (("event0", KEYBOARD), ("event1", MOUSE), ("event2", POWER_BUTTON)):
        devices.plug_in(name, kind)
    for channels, allowed in (
        (["keyboard"], {"event0"}),
        (["pointer"], {"event1"}),
        (["keyboard", "pointer"], {"event0", "event1"}),
    ):
        items = create({"channels": channels}).readings(RealClock())
        assert isinstance(await anext(items), Link)
        assert _opened(devices.folder) == allowed
        await items.aclose()
        assert _opened(devices.folder) == set()


def _opened(folder: Path) -> set[str]:
    """Return the devices that are open for reading only: the test's own ends are not."""
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the folder's own, which is closed by now
            path = entry.readlink()
            flags = Path(f"/proc/self/fdinfo/{entry.name}").read_text().split()[3]
            if path.parent == folder and int(flags, 8) & os.O_ACCMODE == os.O_RDONLY:
                found.add(path.name)
    return found


async def test_devices_come_and_go(devices, monkeypatch):
    monkeypatch.setattr(evdev_events, "_SCAN_S", 0.0)
    mouse = devices.plug_in("event1", MOUSE)
    items = create({}).readings(RealClock())
    async with asyncio.timeout(PATIENCE_S), aclosing(items):
        assert [await anext(items), await anext(items)] == [
            Link(Channel.KEYBOARD, Absence.DISCONNECTED),
            Link(Channel.POINTER, "ok"),
        ]
        keyboard = devices.plug_in("event0", KEYBOARD)
        keyboard.key(30, 1, time.time())
        assert await anext(items) == Link(Channel.KEYBOARD, "ok")
        assert (await anext(items)).signal == "key_presses"
        mouse.pull_out()
        assert await anext(items) == Link(Channel.POINTER, Absence.DISCONNECTED)
        keyboard.pull_out()
        with pytest.raises(DeviceError, match="has no keyboard or pointer; plug one in"):
            await anext(items)


async def test_no_right_to_read_is_one_line_with_remedy_and_consequence(devices, monkeypatch):
    devices.plug_in("event0", KEYBOARD)

    def refuse(*_given: object, **_named: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(evdev_events.evdev, "InputDevice", refuse)
    with pytest.raises(DeviceError) as error:
        await anext(create({}).readings(RealClock()))
    said = str(error.value)
    assert "\n" not in said
    assert "there is no display" in said
    assert "sudo usermod -aG input $USER" in said
    assert "Every program you start can then read all keys" in said


async def test_no_device_is_one_clear_line(devices):
    devices.plug_in("event0", POWER_BUTTON)
    with pytest.raises(DeviceError, match="has no keyboard or pointer; plug one in"):
        await anext(create({}).readings(RealClock()))


async def test_a_typed_secret_is_in_no_object_of_ours(devices):
    keyboard = devices.plug_in("event0", KEYBOARD)
    secret = (25, 30, 31, 31, 17, 24, 19, 32, 8, 37, 45, 2)
    collector = create({"channels": ["keyboard"]})

    def act() -> None:
        start_s = time.time() - 2.0
        for n, code in enumerate(secret):
            keyboard.key(code, 1, start_s + 0.1 * n)
            keyboard.key(code, 0, start_s + 0.1 * n + 0.06)

    found = await gather(collector, act, "dwell_ms", len(secret))
    gc.collect()
    rows = [o for o in gc.get_objects() if type(o) in {list, tuple} and len(o) >= len(secret)]
    mine = {id(secret)}
    assert not [r for r in rows if id(r) not in mine and _holds(r, secret)]
    assert bytes(secret) not in pickle.dumps(found)
    assert {
        type(v) for r in found if isinstance(r, Reading) for v in (r.value, r.at_monotonic_s)
    } == {float}


def _holds(row, secret) -> bool:
    events = evdev_events.evdev.InputEvent
    plain = [item.code if type(item) is events else item for item in row]
    numbers = [n for n in plain if type(n) is int]
    return any(tuple(numbers[i : i + len(secret)]) == secret for i in range(len(numbers)))


@pytest.mark.parametrize(
    ("wanted", "platform", "environ", "chosen"),
    [
        ("auto", "win32", {}, "pynput"),
        ("auto", "darwin", {}, "pynput"),
        ("auto", "linux", {"DISPLAY": ":0"}, "x11"),
        ("auto", "linux", {"DISPLAY": ":0", "WAYLAND_DISPLAY": "wayland-0"}, "evdev"),
        ("auto", "linux", {"XDG_SESSION_TYPE": "tty"}, "evdev"),
        ("evdev", "linux", {"DISPLAY": ":0"}, "evdev"),
        ("pynput", "linux", {}, "pynput"),
    ],
)
def test_the_backend_follows_the_session_unless_it_is_named(wanted, platform, environ, chosen):
    assert choose_backend(wanted, platform, environ) == chosen


def test_an_unknown_backend_lists_the_known_ones():
    with pytest.raises(ConfigurationError, match=r"backend is 'xinput'; expected one of auto, x11"):
        create({"backend": "xinput"})


async def test_a_machine_without_evdev_names_the_command(devices, monkeypatch):
    monkeypatch.setitem(sys.modules, "sensors.hid.evdev_events", None)
    monkeypatch.setattr(listener.sys, "platform", "linux")
    with pytest.raises(MissingExtraError, match=r"pip install 'agent-wellbeing\[hid\]'"):
        await anext(create({"backend": "evdev"}).readings(RealClock()))


async def test_another_device_under_the_name_of_one_of_no_interest_is_seen(devices, monkeypatch):
    """After a night's sleep the numbers are dealt anew, all between two looks."""
    monkeypatch.setattr(evdev_events, "_SCAN_S", 0.0)
    devices.plug_in("event0", MOUSE)
    button = devices.plug_in("event1", POWER_BUTTON)
    items = create({}).readings(RealClock())
    async with asyncio.timeout(PATIENCE_S), aclosing(items):
        assert await anext(items) == Link(Channel.KEYBOARD, Absence.DISCONNECTED)
        assert await anext(items) == Link(Channel.POINTER, "ok")
        button.path.unlink()
        devices.plug_in("event1", KEYBOARD)
        assert await anext(items) == Link(Channel.KEYBOARD, "ok")


async def test_a_device_pulled_out_while_it_is_asked_hurts_nobody(devices, monkeypatch):
    devices.plug_in("event0", KEYBOARD)
    devices.plug_in("event1", TOUCHPAD)

    def gone(_file: object, _axis: int) -> None:
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))

    monkeypatch.setattr(evdev_events.evdev.InputDevice, "absinfo", gone)
    items = create({}).readings(RealClock())
    async with asyncio.timeout(PATIENCE_S), aclosing(items):
        assert await anext(items) == Link(Channel.KEYBOARD, "ok")
        assert _opened(devices.folder) == {"event0"}
