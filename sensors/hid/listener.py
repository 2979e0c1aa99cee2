"""Keyboard and pointer events from the operating system; the only file that imports pynput.

pynput calls back from threads of its own. There, inside the callback, the
identity of a key is dropped (:mod:`sensors.hid.keys`) and positions become
speeds (:mod:`sensors.hid.timing`): what waits to be fetched are finished
readings, in which neither can be found any more (TRUST T2).
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from sensors.collector import Clock, Link, Reading
from sensors.config import section
from sensors.errors import ConfigurationError, DeviceError, MissingExtraError
from sensors.hid.keys import KeyDropper
from sensors.hid.timing import PointerTiming
from sensors.signals import Channel

_CHANNELS = (Channel.KEYBOARD, Channel.POINTER)
_FETCH_S = 0.2  # how often readings are fetched: one wake-up for many events, far below a window
_READY_S = 5.0
_STOP_S = 3.0  # below the 5 s within which a withdrawal ends capture (TRUST T6)
_MAX_WAITING = 4096  # readings; 20 s of the fastest pointer and nobody fetching


def display_problem(platform: str, environ: Mapping[str, str]) -> str | None:
    """Return why keys and pointer cannot be seen from here, or ``None``.

    Parameters
    ----------
    platform : str
        As ``sys.platform``.
    environ : mapping
        Environment of the process.
    """
    if not platform.startswith("linux"):
        return None
    if environ.get("WAYLAND_DISPLAY") or environ.get("XDG_SESSION_TYPE") == "wayland":
        # XWayland would show the keys typed into a few old windows only.
        return "this is a Wayland session; log in with an X11 (Xorg) session"
    if not environ.get("DISPLAY"):
        return "there is no display; start this inside the desktop session or set DISPLAY"
    return None


def _load(part: str) -> ModuleType:
    """Import pynput, which connects to the display when it is imported."""
    problem = display_problem(sys.platform, os.environ)
    if problem is not None:
        raise DeviceError(f"keyboard and pointer cannot be seen: {problem}")
    try:
        if part == "keyboard":
            from pynput import keyboard as module  # noqa: PLC0415
        else:
            from pynput import mouse as module  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"{error.name} is not installed; run: pip install 'agent-wellbeing[hid]'"
        ) from None
    except Exception as error:  # noqa: BLE001 - each platform has errors of its own
        words = " ".join(str(error).split())
        raise DeviceError(f"keyboard and pointer cannot be seen: {words}") from None
    return module  # type: ignore[no-any-return]


class _Source(ABC):
    """One device: its callbacks, and the lock between their thread and ours."""

    def __init__(self, clock: Clock, waiting: deque[Reading]) -> None:
        self.overrun = 0
        self._clock = clock
        self._waiting = waiting
        self._lock = threading.Lock()

    @abstractmethod
    def listener(self) -> Any:
        """Return a new pynput listener with this source's callbacks."""

    @abstractmethod
    def settle(self, now_s: float) -> None:
        """Put what became known because nothing happened since."""

    def _put(self, readings: Iterable[Reading]) -> None:
        for reading in readings:
            self.overrun += len(self._waiting) == self._waiting.maxlen
            self._waiting.append(reading)


class _Keyboard(_Source):
    def __init__(self, clock: Clock, waiting: deque[Reading]) -> None:
        super().__init__(clock, waiting)
        self._keys = KeyDropper()

    def listener(self) -> Any:
        keyboard = _load("keyboard")
        corrections = {keyboard.Key.backspace, keyboard.Key.delete}

        def press(key: object) -> None:
            with self._lock:
                now_s = self._clock.monotonic_s()
                self._put(self._keys.press(repr(key), now_s, correction=key in corrections))

        def release(key: object) -> None:
            with self._lock:
                self._put(self._keys.release(repr(key), self._clock.monotonic_s()))

        return keyboard.Listener(on_press=press, on_release=release)

    def settle(self, now_s: float) -> None:
        with self._lock:
            self._put(self._keys.settle(now_s))


class _Pointer(_Source):
    def __init__(self, clock: Clock, waiting: deque[Reading]) -> None:
        super().__init__(clock, waiting)
        self._timing = PointerTiming()

    def listener(self) -> Any:
        mouse = _load("mouse")

        def move(x_px: float, y_px: float) -> None:
            with self._lock:
                self._put(self._timing.move(x_px, y_px, self._clock.monotonic_s()))

        def click(_x_px: float, _y_px: float, _button: object, pressed: bool) -> None:
            with self._lock:
                self._put(self._timing.click(self._clock.monotonic_s(), pressed=pressed))

        def scroll(_x_px: float, _y_px: float, dx: float, dy: float) -> None:
            with self._lock:
                self._put(self._timing.scroll(abs(dx) + abs(dy), self._clock.monotonic_s()))

        return mouse.Listener(on_move=move, on_click=click, on_scroll=scroll)

    def settle(self, now_s: float) -> None:
        with self._lock:
            self._put(self._timing.rest(now_s))


_SOURCES: dict[Channel, type[_Source]] = {Channel.KEYBOARD: _Keyboard, Channel.POINTER: _Pointer}


class HidCollector:
    """Timing of the keyboard, the pointer, or both.

    Parameters
    ----------
    channels : iterable of Channel
        What to listen to. Nothing is read of the other one: not even its
        listener is started (TRUST T6).

    Attributes
    ----------
    overrun : int
        Readings dropped because nobody fetched them.
    """

    def __init__(self, channels: Iterable[Channel] = _CHANNELS) -> None:
        self.channels = frozenset(channels)
        self.overrun = 0

    async def readings(self, clock: Clock) -> AsyncGenerator[Reading | Link, None]:
        """Yield readings until closed.

        Raises
        ------
        DeviceError
            If there is no display, or it went away.
        """
        waiting: deque[Reading] = deque(maxlen=_MAX_WAITING)
        sources = {c: _SOURCES[c](clock, waiting) for c in sorted(self.channels)}
        listeners: list[Any] = []
        try:
            for source in sources.values():
                listeners.append(source.listener())
                await _start(listeners[-1])
            for channel in sources:
                yield Link(channel, "ok")
            while True:
                for source in sources.values():
                    source.settle(clock.monotonic_s())
                while waiting:
                    yield waiting.popleft()
                if not all(listener.is_alive() for listener in listeners):
                    raise DeviceError("the display went away; keyboard and pointer are not seen")
                await asyncio.sleep(_FETCH_S)
        finally:
            self.overrun += sum(source.overrun for source in sources.values())
            for listener in listeners:
                await _stop(listener)


async def _start(listener: Any) -> None:
    """Start a listener and return once it sees events."""
    run = listener.run

    def guarded() -> None:
        try:
            run()
        except Exception:  # noqa: BLE001 - the display's, of many kinds; no traceback for people
            return  # `readings` sees that the thread has ended and says so

    listener.run = guarded
    listener.start()
    # pynput's wait() has no limit, so it waits in a thread that nobody waits for.
    ready = threading.Thread(target=listener.wait, daemon=True)
    ready.start()
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + _READY_S
    while ready.is_alive():
        if not listener.is_alive() or loop.time() > deadline_s:
            raise DeviceError("keyboard and pointer cannot be seen: the display refuses to tell")
        await asyncio.sleep(0.01)


async def _stop(listener: Any) -> None:
    """Stop capture; a display that has gone has stopped it already."""
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + _STOP_S
    # Again and again: a request that comes before recording has begun ends nothing.
    while listener.is_alive() and loop.time() < deadline_s:
        try:
            listener.stop()
            _release(listener)
        except Exception:  # noqa: BLE001, S110 - it is just closing its display, which was wanted
            pass
        # Not pynput's own join: it waits without limit.
        await asyncio.to_thread(threading.Thread.join, listener, 0.05)


def _release(listener: Any) -> None:
    """End X's recording at once.

    pynput 1.8 asks for that on the connection on which X, while it records,
    takes no requests: its thread would stay, and X go on sending keys, until
    the next event. Its other connection is heard.
    """
    display = getattr(listener, "_display_stop", None)
    if display is not None:
        display.record_disable_context(listener._context)  # noqa: SLF001 - no public way
        display.flush()


@dataclass(frozen=True, slots=True, kw_only=True)
class HidSettings:
    """Options of the collector.

    Parameters
    ----------
    channels : tuple of str
        ``keyboard``, ``pointer`` or both.
    """

    channels: tuple[Channel, ...] = _CHANNELS

    def __post_init__(self) -> None:
        if not self.channels or not set(self.channels) <= set(_CHANNELS):
            words = ", ".join(self.channels) or "empty"
            raise ConfigurationError(
                f"[hid] channels is {words}; expected keyboard, pointer or both"
            )


def create(options: Mapping[str, Any]) -> HidCollector:
    """Return the collector described by its table in the configuration.

    Parameters
    ----------
    options : mapping
        Keys of :class:`HidSettings`.

    Raises
    ------
    ConfigurationError
        Naming key, value and what was expected.
    """
    return HidCollector(section({"hid": options}, "hid", HidSettings, environ={}).channels)
