"""Idle time and the hotkey on a real X server."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from sensors.desk import xserver
from sensors.desk.combination import parse_combination
from sensors.desk.xserver import XHotkey, XIdle
from sensors.errors import ConfigurationError, DeviceError
from tests.rig.display import Display, virtual_display
from tests.rig.waiting import wait_until_async as wait_until

pytestmark = pytest.mark.needs("Xvfb", "xdotool")

KEYS = parse_combination("<ctrl>+<alt>+p")


async def xdotool(display: Display, *words: str) -> None:
    process = await asyncio.create_subprocess_exec("xdotool", *words, env=display.environ)
    assert await process.wait() == 0


@asynccontextmanager
async def watching(display: Display, source: XHotkey | None = None) -> AsyncIterator[list[int]]:
    """Yield the presses; returns once the combination is registered."""
    presses: list[int] = []
    source = source or XHotkey(KEYS)
    task = asyncio.create_task(source.watch(lambda: presses.append(1)))
    await wait_until(lambda: source._code or task.done())
    await asyncio.sleep(0)
    try:
        yield presses
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_idle_time_grows_and_ends_with_a_key(xvfb):
    source = XIdle()
    await xdotool(xvfb, "key", "a")
    await asyncio.sleep(0.5)  # the quantity that is measured
    before_s = await source.idle_s()
    assert before_s >= 0.4
    after_s = before_s
    for _ in range(20):  # a loaded machine may take as long to ask as the desk was idle
        await xdotool(xvfb, "key", "a")
        after_s = min(after_s, await source.idle_s())
    assert after_s < before_s
    await source.close()


# python-xlib leaves the sockets of refused connections to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_display_that_goes_away_is_one_clear_line(monkeypatch):
    with virtual_display() as display:
        monkeypatch.setenv("DISPLAY", display.name)
        idle = XIdle()
        await idle.idle_s()
        presses: list[int] = []
        hotkey = XHotkey(KEYS)
        task = asyncio.create_task(hotkey.watch(lambda: presses.append(1)))
        await wait_until(lambda: hotkey._code)
    with pytest.raises(DeviceError, match="the X display does not answer") as error:
        await idle.idle_s()
    assert "\n" not in str(error.value)
    with pytest.raises(DeviceError, match="the X display does not answer"):
        await task
    with pytest.raises(DeviceError, match="the X display does not answer"):
        await XHotkey(KEYS).watch(lambda: presses.append(1))
    asking = {"idle time", "hotkey"}  # who still is may hold one of the sockets
    await wait_until(lambda: not asking & {thread.name for thread in threading.enumerate()})
    gc.collect()


async def test_the_combination_is_heard_and_nothing_else(xvfb):
    async with watching(xvfb) as presses:
        await xdotool(xvfb, "type", "--delay", "5", "pop P secret")
        await xdotool(xvfb, "key", "ctrl+p", "alt+p", "ctrl+alt+q", "ctrl+alt+shift+p")
        assert presses == []
        await xdotool(xvfb, "key", "ctrl+alt+p")
        await wait_until(lambda: len(presses) == 1)
        await xdotool(xvfb, "key", "--delay", "60", "ctrl+alt+p", "ctrl+alt+p")
        await wait_until(lambda: len(presses) == 3)


async def test_caps_lock_and_num_lock_do_not_matter(xvfb):
    async with watching(xvfb) as presses:
        for lock in ("Num_Lock", "Caps_Lock"):
            await xdotool(xvfb, "key", lock)
            await xdotool(xvfb, "keydown", "ctrl", "keydown", "alt", "key", "p",
                          "keyup", "alt", "keyup", "ctrl")  # fmt: skip
        await wait_until(lambda: len(presses) == 2)


async def test_a_key_held_down_is_one_press(xvfb):
    async with watching(xvfb) as presses:
        await xdotool(xvfb, "keydown", "ctrl", "keydown", "alt", "keydown", "p", "sleep", "1.2",
                      "keyup", "p", "keyup", "alt", "keyup", "ctrl")  # fmt: skip
        await xdotool(xvfb, "key", "ctrl+alt+p")
        await wait_until(lambda: len(presses) >= 2)
    assert len(presses) == 2


async def test_a_combination_that_another_program_holds_is_named(xvfb):
    async with watching(xvfb):
        with pytest.raises(ConfigurationError) as error:
            async with asyncio.timeout(30):
                await XHotkey(KEYS).watch(lambda: None)
    assert str(error.value) == (
        "[edge] hotkey is '<ctrl>+<alt>+p'; another program holds it; choose another"
    )


async def test_a_key_that_the_keyboard_has_not_is_named(xvfb):
    with pytest.raises(ConfigurationError, match="this keyboard has no such key; choose another"):
        await XHotkey(parse_combination("<f24>")).watch(lambda: None)


async def test_a_released_combination_is_free_again(xvfb):
    async with watching(xvfb):
        pass
    async with watching(xvfb) as presses:
        await xdotool(xvfb, "key", "ctrl+alt+p")
        await wait_until(lambda: len(presses) == 1)


async def test_it_follows_a_new_keyboard_layout(xvfb):
    source = XHotkey(KEYS)
    async with watching(xvfb, source) as presses:
        # P moves to the key of q, as it may when the layout is changed.
        codes = await _keycodes(xvfb, "p", "q")
        await _remap(xvfb, {codes["q"]: "p", codes["p"]: "q"})
        await wait_until(lambda: source._code == codes["q"], what="the new layout")
        await xdotool(xvfb, "key", "ctrl+alt+p")
        await wait_until(lambda: len(presses) == 1)


async def _keycodes(display: Display, *names: str) -> dict[str, int]:
    from Xlib import XK  # noqa: PLC0415 - python-xlib is the collectors'
    from Xlib.display import Display as Connection  # noqa: PLC0415

    connection = Connection(display.name)
    try:
        return {n: connection.keysym_to_keycode(XK.string_to_keysym(n)) for n in names}
    finally:
        connection.close()


async def _remap(display: Display, changes: dict[int, str]) -> None:
    from Xlib import XK  # noqa: PLC0415
    from Xlib.display import Display as Connection  # noqa: PLC0415

    connection = Connection(display.name)
    for code, name in changes.items():
        symbols = (XK.string_to_keysym(name), XK.string_to_keysym(name.upper()))
        connection.change_keyboard_mapping(code, [symbols])
    connection.sync()
    connection.close()


async def test_a_display_that_hangs_costs_one_thread_and_is_asked_again(xvfb, monkeypatch):
    """The threads that the whole program shares are few, and it could not end without them."""
    monkeypatch.setattr(xserver, "_ANSWER_S", 0.05)
    source = XIdle()
    os.kill(xvfb.pid, signal.SIGSTOP)
    try:
        for _ in range(3):
            with pytest.raises(DeviceError, match="the X display does not answer"):
                await source.idle_s()
        assert [thread.name for thread in threading.enumerate()].count("idle time") == 1
        with pytest.raises(DeviceError, match="the X display does not answer"):
            await XHotkey(KEYS).watch(lambda: None)
    finally:
        os.kill(xvfb.pid, signal.SIGCONT)
    monkeypatch.setattr(xserver, "_ANSWER_S", 30.0)
    assert await source.idle_s() >= 0.0
    await source.close()
    await wait_until(lambda: not {"idle time", "hotkey"} & {t.name for t in threading.enumerate()})


async def test_a_layout_without_the_key_is_no_reason_to_end(xvfb):
    """Who writes Russian for a while has no P; the edge goes on, and so does the key later."""
    codes = await _keycodes(xvfb, "p")
    source, presses = XHotkey(KEYS), []
    task = asyncio.create_task(source.watch(lambda: presses.append(1)))
    await wait_until(lambda: source._was_held)
    try:
        await _remap(xvfb, {codes["p"]: "Cyrillic_ze"})
        with pytest.raises(DeviceError, match=r"^\[edge\] hotkey .* has no such key"):
            await asyncio.wait_for(task, 60)
        with pytest.raises(DeviceError, match="has no such key"):
            await source.watch(lambda: presses.append(1))
    finally:
        await _remap(xvfb, {codes["p"]: "p"})
    task = asyncio.create_task(source.watch(lambda: presses.append(1)))
    await wait_until(lambda: source._code)
    await xdotool(xvfb, "key", "ctrl+alt+p")
    await wait_until(lambda: presses)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
