"""Windows and macOS with stand-ins for their libraries: what we ask and make of the answers.

That the real libraries answer so was not tried; it is listed as untested.
"""

from __future__ import annotations

import asyncio
import threading

import pytest

from sensors.desk import macos, windows
from sensors.desk.combination import parse_combination
from sensors.desk.here import has_x11, hotkey_source, idle_source, lock_sources
from sensors.errors import ConfigurationError, DeviceError
from tests.rig.waiting import wait_until_async as wait_until

KEYS = parse_combination("<ctrl>+<alt>+p")


class User32:
    def __init__(self) -> None:
        self.desktop = 42
        self.closed: list[int] = []
        self.last_input_ms = 0
        self.registered: tuple[int, int] | None = None
        self.refuses = False
        self.messages: list[int] = []
        self.posted = threading.Event()

    def OpenInputDesktop(self, *_flags):  # noqa: N802
        return self.desktop

    def CloseDesktop(self, desktop):  # noqa: N802
        self.closed.append(desktop)

    def GetLastInputInfo(self, reference):  # noqa: N802
        assert reference._obj.cbSize == 8
        reference._obj.dwTime = self.last_input_ms
        return 1

    def RegisterHotKey(self, _window, _id, modifiers, key):  # noqa: N802
        self.registered = (modifiers, key)
        return not self.refuses

    def UnregisterHotKey(self, _window, _id):  # noqa: N802
        self.registered = None

    def GetMessageW(self, reference, *_filter):  # noqa: N802
        if self.messages:
            reference._obj.message = self.messages.pop(0)
            return 1
        assert self.posted.wait(60)
        return 0

    def PostThreadMessageW(self, _thread, message, *_words):  # noqa: N802
        assert message == 0x12
        self.posted.set()


class Kernel32:
    def __init__(self, now_ms: int = 0) -> None:
        self.now_ms = now_ms

    def GetTickCount(self):  # noqa: N802
        return self.now_ms

    def GetCurrentThreadId(self):  # noqa: N802
        return threading.get_ident()


def test_windows_is_locked_when_the_input_desktop_cannot_be_opened():
    user32 = User32()
    assert not windows.is_locked(user32)
    assert user32.closed == [42]
    user32.desktop = 0
    assert windows.is_locked(user32)


def test_windows_idle_time_goes_on_when_the_counter_begins_anew():
    user32 = User32()
    user32.last_input_ms = 2**32 - 500
    assert windows.idle_s(user32, Kernel32(1500)) == 2.0


@pytest.mark.parametrize(
    ("key", "code"), [("p", 0x50), ("9", 0x39), ("f1", 0x70), ("f24", 0x87), ("pause", 0x13)]
)
def test_windows_virtual_keys(key, code):
    assert windows.virtual_key(key) == code


async def test_windows_hotkey_is_registered_heard_and_let_go():
    user32, presses = User32(), []
    user32.messages = [0x0312, 0x0113, 0x0312]  # a timer in between
    source = windows.WindowsHotkey(KEYS, user32, Kernel32())
    task = asyncio.create_task(source.watch(lambda: presses.append(1)))
    await wait_until(lambda: len(presses) == 2)
    assert user32.registered == (0x4003, 0x50)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await wait_until(lambda: user32.registered is None)


async def test_windows_hotkey_that_another_program_holds_is_named():
    user32 = User32()
    user32.refuses = True
    with pytest.raises(ConfigurationError, match="another program holds it; choose another"):
        await windows.WindowsHotkey(KEYS, user32, Kernel32()).watch(lambda: None)


class Foundation:
    """Strings are bytes here, a dictionary is a dict, booleans are what they are."""

    def __init__(self) -> None:
        self.held = 1  # the session's dictionary

    def CFStringCreateWithCString(self, _allocator, name, _encoding):  # noqa: N802
        self.held += 1
        return name

    def CFDictionaryGetValue(self, dictionary, key):  # noqa: N802
        value = dictionary.get(key)
        return None if value is None else [value]

    def CFBooleanGetValue(self, value):  # noqa: N802
        return value[0]

    def CFRelease(self, _thing):  # noqa: N802
        self.held -= 1


class Graphics:
    def __init__(self, session) -> None:
        self.session = session

    def CGSessionCopyCurrentDictionary(self):  # noqa: N802
        return self.session

    def CGEventSourceSecondsSinceLastEventType(self, _state, _kind):  # noqa: N802
        return 12.5


@pytest.mark.parametrize(
    ("session", "locked"),
    [
        ({b"kCGSSessionOnConsoleKey": True}, False),
        ({b"kCGSSessionOnConsoleKey": True, b"CGSSessionScreenIsLocked": True}, True),
        ({b"kCGSSessionOnConsoleKey": False}, True),
    ],
)
def test_a_mac_is_locked_by_its_screen_or_by_another_persons_turn(session, locked):
    foundation = Foundation()
    assert macos.is_locked(foundation, Graphics(session)) is locked
    assert foundation.held == 0


def test_a_mac_without_a_session_is_one_clear_line():
    with pytest.raises(DeviceError, match="there is no session with a screen"):
        macos.is_locked(Foundation(), Graphics(None))


def test_idle_time_of_a_mac():
    assert macos.idle_s(Graphics({})) == 12.5


async def test_the_hotkey_of_a_mac_listens_through_the_one_importer_of_pynput(monkeypatch):
    """The listener itself is pynput's; here it is told that a key came."""
    made, presses = [], []

    class Listener:
        def __init__(self, combination, pressed) -> None:
            self.combination, self.pressed, self.is_alive = combination, pressed, False
            made.append(self)

        async def start(self) -> None:
            self.is_alive = True

        async def stop(self) -> None:
            self.is_alive = False

    monkeypatch.setattr(macos.pynput_events, "combination_listener", Listener)
    monkeypatch.setattr(macos, "_ALIVE_EVERY_S", 0.01)
    task = asyncio.create_task(macos.MacHotkey(KEYS).watch(lambda: presses.append(1)))
    await wait_until(lambda: made)
    assert made[0].combination == "<ctrl>+<alt>+p"
    threading.Thread(target=made[0].pressed).start()
    await wait_until(lambda: presses)
    made[0].is_alive = False
    with pytest.raises(DeviceError, match="shows no keys any more"):
        await task


@pytest.mark.parametrize("platform", ["win32", "darwin"])
async def test_a_library_that_is_not_there_is_one_clear_line(platform):
    """As on this machine, which is neither."""
    (lock,) = lock_sources(platform)
    with pytest.raises(DeviceError, match="this is not"):
        await lock.watch(lambda _name, _locked: None)
    with pytest.raises(DeviceError, match="this is not"):
        await idle_source(platform, {}).idle_s()


@pytest.mark.parametrize(
    "environ", [{}, {"DISPLAY": ":0", "WAYLAND_DISPLAY": "wayland-0"}, {"XDG_SESSION_TYPE": "tty"}]
)
async def test_outside_x11_the_hotkey_says_what_to_do_instead(environ):
    assert not has_x11(environ)
    with pytest.raises(DeviceError, match="bind some in the desktop's settings"):
        await hotkey_source("linux", environ, KEYS).watch(lambda: None)
