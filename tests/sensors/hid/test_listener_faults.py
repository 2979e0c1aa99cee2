"""Displays and drivers that hang, go away or were never there: one clear line, and nothing stays.

Both ways to listen on X: ours, and pynput's, which is what Windows and macOS run.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from contextlib import aclosing

import pytest

from sensors.desk import xserver
from sensors.errors import DeviceError, MissingExtraError
from sensors.hid import pynput_events, x11_events
from sensors.hid.listener import create, display_problem
from tests.rig.clocks import RealClock
from tests.rig.display import virtual_display
from tests.rig.waiting import PATIENCE_S
from tests.rig.waiting import wait_until_async as wait_until
from tests.sensors.hid.x11 import (
    KEYBOARD,
    KEYBOARD_OK,
    POINTER_OK,
)

PYNPUT = {"backend": "pynput"}
BACKENDS = pytest.mark.parametrize("options", [{}, PYNPUT], ids=["x11", "pynput"])

pytestmark = [pytest.mark.needs("Xvfb", "xdotool"), pytest.mark.usefixtures("x11")]


async def test_closing_stops_capture(xvfb):
    found = create(PYNPUT).readings(RealClock())
    assert await anext(found) == KEYBOARD_OK
    before = _listeners()
    await found.aclose()
    assert len(before) == 2
    assert not _listeners()


async def test_closing_ends_the_connection_that_records(xvfb, monkeypatch):
    opened, record = [], xserver.record

    def noted(*given: int) -> socket.socket:
        opened.append(record(*given))
        return opened[-1]

    monkeypatch.setattr(xserver, "record", noted)
    found = create(KEYBOARD).readings(RealClock())
    assert await anext(found) == KEYBOARD_OK
    assert opened[0].fileno() >= 0
    await found.aclose()
    assert [connection.fileno() for connection in opened] == [-1]


@BACKENDS
async def test_closing_in_the_middle_of_starting_holds_up_nothing(xvfb, options):
    """A pause in the first moment: pynput's own stop would wait for ever, in our event loop."""
    for n in range(24):
        found = create(options).readings(RealClock())
        first = asyncio.create_task(anext(found))
        await asyncio.sleep(0.002 * n)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await found.aclose()
        assert not _listeners()


async def test_a_display_that_hangs_while_pynput_loads_holds_up_nothing(xvfb, monkeypatch):
    """T6: pynput asks the display when it is imported; a withdrawal must be obeyed meanwhile."""
    back = threading.Event()
    monkeypatch.setattr(pynput_events, "_load", lambda _part: back.wait())
    monkeypatch.setattr(pynput_events, "_READY_S", 0.2)
    ticking = asyncio.create_task(asyncio.sleep(0.05))
    try:
        with pytest.raises(DeviceError, match="the display does not answer"):
            await anext(create({**KEYBOARD, **PYNPUT}).readings(RealClock()))
        assert ticking.done()
    finally:
        back.set()


async def test_a_display_that_hangs_at_the_start_holds_up_nothing(xvfb, monkeypatch):
    monkeypatch.setattr(x11_events, "_READY_S", 0.2)
    os.kill(xvfb.pid, signal.SIGSTOP)
    ticking = asyncio.create_task(asyncio.sleep(0.05))
    try:
        with pytest.raises(DeviceError, match="the display does not answer"):
            await anext(create(KEYBOARD).readings(RealClock()))
        assert ticking.done()
    finally:
        os.kill(xvfb.pid, signal.SIGCONT)


async def test_listeners_are_stopped_side_by_side(xvfb, monkeypatch):
    """T6: at a display that hangs each takes its limit; one after the other that is over 5 s."""
    both, stop = asyncio.Barrier(2), pynput_events.Listening.stop

    async def meet(listening: pynput_events.Listening) -> None:
        await both.wait()
        await stop(listening)

    monkeypatch.setattr(pynput_events.Listening, "stop", meet)
    async with asyncio.timeout(PATIENCE_S):
        items = create(PYNPUT).readings(RealClock())
        await anext(items)
        await items.aclose()
    assert not _listeners()


@BACKENDS
async def test_a_display_that_hangs_is_let_go_of_in_time_and_forgotten_later(
    xvfb, monkeypatch, options
):
    monkeypatch.setattr(pynput_events, "_STOP_S", 0.2)
    async with asyncio.timeout(PATIENCE_S):
        items = create(options).readings(RealClock())
        await anext(items)
        os.kill(xvfb.pid, signal.SIGSTOP)
        try:
            await items.aclose()
        finally:
            os.kill(xvfb.pid, signal.SIGCONT)
        await wait_until(lambda: not _listeners())


async def test_a_library_that_locks_itself_up_when_it_is_stopped_holds_up_nothing(
    xvfb, monkeypatch
):
    """T6: python-xlib keeps a lock for good if its thread closes the display at that moment."""
    back, stop = threading.Event(), pynput_events._release
    monkeypatch.setattr(pynput_events, "_release", lambda one: (stop(one), back.wait()))
    items = create({**KEYBOARD, **PYNPUT}).readings(RealClock())
    await anext(items)
    try:
        async with asyncio.timeout(PATIENCE_S):
            await items.aclose()
        assert not _listeners()
    finally:
        back.set()


def _listeners() -> list[object]:
    return [
        thread
        for thread in threading.enumerate()
        if any(kind.__module__.startswith("pynput.") for kind in type(thread).__mro__)
    ]


@BACKENDS
async def test_a_display_that_goes_away_is_one_clear_line(monkeypatch, capfd, options):
    with virtual_display() as display:
        monkeypatch.setenv("DISPLAY", display.name)
        found = create(options).readings(RealClock())
        assert await anext(found) == KEYBOARD_OK
        assert await anext(found) == POINTER_OK
    with pytest.raises(DeviceError, match="the display went away"):
        async with asyncio.timeout(PATIENCE_S):
            await anext(found)
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("backend", ["x11", "pynput"])
async def test_no_display_is_one_clear_line(monkeypatch, backend):
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(DeviceError, match="there is no display; start this inside") as error:
        await anext(create({"backend": backend}).readings(RealClock()))
    assert "\n" not in str(error.value)


def test_a_display_that_refuses_is_one_clear_line_in_a_fresh_process():
    code = (
        "import asyncio, time\n"
        "from sensors.hid.listener import create\n"
        "async def main():\n"
        "    await anext(create({}).readings(time))\n"
        "from sensors.errors import DeviceError\n"
        "try:\n    asyncio.run(main())\n"
        "except DeviceError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"DISPLAY": ":64999", "PATH": ""},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    assert done.stdout.startswith("keyboard and pointer cannot be seen: ")
    assert done.stdout.count("\n") == 1
    assert not done.stderr


# python-xlib leaves the sockets of refused connections to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("options", [KEYBOARD, {**KEYBOARD, **PYNPUT}], ids=["x11", "pynput"])
async def test_a_key_to_the_display_that_is_for_any_host_opens_it(monkeypatch, tmp_path, options):
    """As login managers write them; and without any key it is said where there is one."""
    before = {*threading.enumerate()}
    cookies = tmp_path / "Xauthority"
    kind, cookie = b"MIT-MAGIC-COOKIE-1", bytes(range(16))
    cookies.write_bytes(
        struct.pack(">HHH", 0xFFFF, 0, 0) + struct.pack(">H", len(kind)) + kind
        + struct.pack(">H", len(cookie)) + cookie
    )  # fmt: skip
    with virtual_display("-auth", str(cookies)) as display:
        monkeypatch.setenv("DISPLAY", display.name)
        monkeypatch.setenv("XAUTHORITY", str(cookies))
        async with aclosing(create(options).readings(RealClock())) as found:
            assert await anext(found) == KEYBOARD_OK
        monkeypatch.setenv("XAUTHORITY", str(tmp_path / "none"))
        with pytest.raises(DeviceError, match=r"lets only its own session in; .* set XAUTHORITY"):
            await anext(create(KEYBOARD).readings(RealClock()))
    # Collected here, where it is ignored: in a later test it would be a failure.
    await wait_until(lambda: not {t for t in threading.enumerate() if t.daemon} - before)
    gc.collect()


@pytest.mark.parametrize("name", ["RANDR", "screen"], ids=["as an extension", "as a screen"])
async def test_a_display_that_sees_some_windows_only_is_not_believed(xvfb, monkeypatch, name):
    """Xwayland, where nothing says so in the environment: too few keys would look like few."""
    monkeypatch.setattr(xserver, "_XWAYLAND", name)  # what Xvfb has of either kind
    with pytest.raises(DeviceError, match=r"a few windows only; set .* backend to evdev, or log"):
        await anext(create(KEYBOARD).readings(RealClock()))


@pytest.mark.parametrize(
    ("platform", "environ", "words"),
    [
        ("linux", {"DISPLAY": ":0"}, None),
        ("linux", {}, "there is no display"),
        ("linux", {"DISPLAY": ":0", "WAYLAND_DISPLAY": "wayland-0"}, "Wayland"),
        ("linux", {"DISPLAY": ":0", "XDG_SESSION_TYPE": "wayland"}, "Wayland"),
        ("win32", {}, None),
        ("darwin", {}, None),
    ],
)
def test_which_sessions_can_be_seen(platform, environ, words):
    problem = display_problem(platform, environ)
    assert problem is None if words is None else words in (problem or "")


@pytest.mark.parametrize(
    ("options", "missing"),
    [({}, "sensors.hid.x11_events"), (PYNPUT, "pynput")],
    ids=["x11", "pynput"],
)
async def test_a_machine_without_the_library_names_the_command(xvfb, monkeypatch, options, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'agent-wellbeing\[hid\]'"):
        await anext(create(options).readings(RealClock()))
