"""Windows: lock, idle time and one combination of keys, through user32. Not tried on Windows yet.

The combination is registered with the system, which tells us of it and of no
other key. The libraries are handed in, so that what we ask of them is tested
with stand-ins anywhere.

References
----------
.. [1] Microsoft, "OpenInputDesktop", "GetLastInputInfo", "RegisterHotKey",
   https://learn.microsoft.com/windows/win32/api/winuser/
"""

from __future__ import annotations

import asyncio
import ctypes
import threading
from collections.abc import Callable
from typing import Any

from sensors.desk.combination import Combination
from sensors.errors import ConfigurationError, DeviceError

_DESKTOP_READOBJECTS = 0x0001
_MOD_NOREPEAT = 0x4000
_MODIFIERS = {"alt": 0x0001, "ctrl": 0x0002, "shift": 0x0004, "cmd": 0x0008}
_WM_QUIT, _WM_HOTKEY = 0x0012, 0x0312
_VK_PAUSE, _VK_F1, _VK_SCROLL = 0x13, 0x70, 0x91
_WRAP_MS = 2**32


class LastInputInfo(ctypes.Structure):
    """``LASTINPUTINFO``."""

    _fields_ = (("cbSize", ctypes.c_uint), ("dwTime", ctypes.c_uint))


class Message(ctypes.Structure):
    """``MSG``."""

    _fields_ = (
        ("hwnd", ctypes.c_void_p),
        ("message", ctypes.c_uint),
        ("wParam", ctypes.c_size_t),
        ("lParam", ctypes.c_ssize_t),
        ("time", ctypes.c_ulong),
        ("x", ctypes.c_long),
        ("y", ctypes.c_long),
    )


def libraries() -> tuple[Any, Any]:
    """Return user32 and kernel32.

    Raises
    ------
    DeviceError
        If this is not Windows.
    """
    load = getattr(ctypes, "WinDLL", None)
    if load is None:
        raise DeviceError("this is not Windows")
    user32, kernel32 = load("user32"), load("kernel32")
    user32.OpenInputDesktop.restype = ctypes.c_void_p
    user32.CloseDesktop.argtypes = (ctypes.c_void_p,)
    return user32, kernel32


def is_locked(user32: Any) -> bool:
    """Return whether the screen belongs to the lock screen (or to a consent prompt).

    The desktop that takes input can then not be opened by an ordinary program.
    """
    desktop = user32.OpenInputDesktop(0, False, _DESKTOP_READOBJECTS)
    if not desktop:
        return True
    user32.CloseDesktop(desktop)
    return False


def idle_s(user32: Any, kernel32: Any) -> float:
    """Return how long no key and no mouse was used, in seconds.

    Raises
    ------
    DeviceError
        If the system does not say.
    """
    info = LastInputInfo(ctypes.sizeof(LastInputInfo), 0)
    if not user32.GetLastInputInfo(ctypes.byref(info)):
        raise DeviceError("GetLastInputInfo does not answer")
    # Both count milliseconds in 32 bits and begin anew after 49.7 days.
    return float((kernel32.GetTickCount() - info.dwTime) % _WRAP_MS) / 1e3


def virtual_key(key: str) -> int:
    """Return the virtual key code of a combination's key."""
    if len(key) == 1:
        return ord(key.upper())
    named = {"pause": _VK_PAUSE, "scroll_lock": _VK_SCROLL}
    return named[key] if key in named else _VK_F1 + int(key[1:]) - 1


class WindowsHotkey:
    """One combination of keys, registered with Windows.

    Parameters
    ----------
    combination : Combination
    user32, kernel32
        From :func:`libraries`.
    """

    def __init__(self, combination: Combination, user32: Any, kernel32: Any) -> None:
        self._combination = combination
        self._user32, self._kernel32 = user32, kernel32

    async def watch(self, pressed: Callable[[], None]) -> None:
        """Call `pressed` whenever the combination is pressed, until cancelled.

        Raises
        ------
        ConfigurationError
            If another program holds the combination.
        """
        loop = asyncio.get_running_loop()
        begun: asyncio.Future[int | None] = loop.create_future()

        def tell(thread: int | None) -> None:
            if not begun.done():
                begun.set_result(thread)

        def work() -> None:
            modifiers = sum(_MODIFIERS[name] for name in self._combination.modifiers)
            key = virtual_key(self._combination.key)
            if not self._user32.RegisterHotKey(None, 1, modifiers | _MOD_NOREPEAT, key):
                loop.call_soon_threadsafe(tell, None)
                return
            loop.call_soon_threadsafe(tell, self._kernel32.GetCurrentThreadId())
            message = Message()
            while self._user32.GetMessageW(ctypes.byref(message), None, 0, 0) > 0:
                if message.message == _WM_HOTKEY:
                    loop.call_soon_threadsafe(pressed)
            self._user32.UnregisterHotKey(None, 1)

        threading.Thread(target=work, name="hotkey", daemon=True).start()
        thread = await begun
        if thread is None:
            raise ConfigurationError(
                f"[edge] hotkey is '{self._combination}'; another program holds it; choose another"
            )
        try:
            await asyncio.Event().wait()
        finally:
            self._user32.PostThreadMessageW(thread, _WM_QUIT, 0, 0)
