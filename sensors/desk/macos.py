"""macOS: lock and idle time, through the system's frameworks. Not tried on a Mac yet.

The libraries are handed in, so that what we ask of them is tested with
stand-ins anywhere.

References
----------
.. [1] Apple, "Quartz Display Services", ``CGSessionCopyCurrentDictionary``, and "Quartz Event
   Services", ``CGEventSourceSecondsSinceLastEventType``,
   https://developer.apple.com/documentation/coregraphics
"""

from __future__ import annotations

import asyncio
import ctypes
from collections.abc import Callable
from typing import Any

from sensors.desk.combination import Combination
from sensors.errors import DeviceError
from sensors.hid import pynput_events

_LOCKED = b"CGSSessionScreenIsLocked"
_ON_CONSOLE = b"kCGSSessionOnConsoleKey"
_UTF8 = 0x08000100
_COMBINED_SESSION_STATE = 0
_ANY_INPUT = 0xFFFFFFFF
_ALIVE_EVERY_S = 1.0


def libraries() -> tuple[Any, Any]:
    """Return CoreFoundation and CoreGraphics.

    Raises
    ------
    DeviceError
        If this is not a Mac.
    """
    frameworks = "/System/Library/Frameworks"
    try:
        foundation = ctypes.CDLL(f"{frameworks}/CoreFoundation.framework/CoreFoundation")
        graphics = ctypes.CDLL(f"{frameworks}/CoreGraphics.framework/CoreGraphics")
    except OSError:
        raise DeviceError("this is not a Mac") from None
    pointer = ctypes.c_void_p
    graphics.CGSessionCopyCurrentDictionary.restype = pointer
    graphics.CGEventSourceSecondsSinceLastEventType.restype = ctypes.c_double
    foundation.CFStringCreateWithCString.restype = pointer
    foundation.CFStringCreateWithCString.argtypes = (pointer, ctypes.c_char_p, ctypes.c_uint32)
    foundation.CFDictionaryGetValue.restype = pointer
    foundation.CFDictionaryGetValue.argtypes = (pointer, pointer)
    foundation.CFBooleanGetValue.restype = ctypes.c_bool
    foundation.CFBooleanGetValue.argtypes = (pointer,)
    foundation.CFRelease.argtypes = (pointer,)
    return foundation, graphics


def is_locked(foundation: Any, graphics: Any) -> bool:
    """Return whether the screen is locked, or another person's turn.

    Raises
    ------
    DeviceError
        If this process belongs to no session with a screen.
    """
    session = graphics.CGSessionCopyCurrentDictionary()
    if not session:
        raise DeviceError("there is no session with a screen")
    try:
        locked = _flag(foundation, session, _LOCKED, absent=False)
        return locked or not _flag(foundation, session, _ON_CONSOLE, absent=True)
    finally:
        foundation.CFRelease(session)


def _flag(foundation: Any, dictionary: Any, name: bytes, *, absent: bool) -> bool:
    key = foundation.CFStringCreateWithCString(None, name, _UTF8)
    try:
        value = foundation.CFDictionaryGetValue(dictionary, key)
        return bool(foundation.CFBooleanGetValue(value)) if value else absent
    finally:
        foundation.CFRelease(key)


def idle_s(graphics: Any) -> float:
    """Return how long no key and no mouse was used, in seconds."""
    return float(
        graphics.CGEventSourceSecondsSinceLastEventType(_COMBINED_SESSION_STATE, _ANY_INPUT)
    )


class MacHotkey:
    """One combination of keys; a Mac hands every key to whoever looks for one.

    Nothing but the combination is looked for, and nothing else is kept
    (:func:`~sensors.hid.pynput_events.combination_listener`).
    """

    def __init__(self, combination: Combination) -> None:
        self._combination = combination

    async def watch(self, pressed: Callable[[], None]) -> None:
        """Call `pressed` whenever the combination is pressed, until cancelled.

        Raises
        ------
        DeviceError
            If the system does not show keys to this program.
        """
        loop = asyncio.get_running_loop()

        def from_its_thread() -> None:
            loop.call_soon_threadsafe(pressed)

        combination = str(self._combination)
        listener = pynput_events.combination_listener(combination, from_its_thread)
        try:
            await listener.start()
            while listener.is_alive:  # noqa: ASYNC110 - a thread, which sets no event of ours
                await asyncio.sleep(_ALIVE_EVERY_S)
            raise DeviceError("the system shows no keys any more")
        finally:
            await listener.stop()
