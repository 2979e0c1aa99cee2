"""Events as Windows and macOS hand them out; the only file that imports pynput.

On X it works, too, but takes events one by one: see :mod:`sensors.hid.x11_events`.
pynput calls back from threads of its own. There, inside the callback, the
identity of a key is dropped (:mod:`sensors.hid.keys`) and positions become
speeds (:mod:`sensors.hid.timing`).
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from types import ModuleType
from typing import Any

from sensors.aside import Aside
from sensors.collector import Clock, Reading
from sensors.errors import ConfigurationError, DeviceError, MissingExtraError
from sensors.hid.backend import Backend, Waiting
from sensors.hid.keys import KeyDropper
from sensors.hid.timing import PointerTiming
from sensors.signals import Channel

_READY_S = 5.0
_STOP_S = 3.0  # below the 5 s within which a withdrawal ends capture (TRUST T6)
_ASK_S = 0.5  # for one request to end; many fit into the above


_LOADING = Aside("pynput")
"""pynput asks the display when it is imported; one that hangs must not hold up the event loop."""


def display_problem(platform: str, environ: Mapping[str, str]) -> str | None:
    """Return why the desktop shows no keys and no pointer here, or ``None``.

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

    def __init__(self, clock: Clock, waiting: Waiting) -> None:
        self._clock = clock
        self._put = waiting.put
        self._lock = threading.Lock()
        self._is_closed = False

    def close(self) -> None:
        """Look at nothing any more, even if the system should go on handing it out."""
        with self._lock:
            self._is_closed = True

    def _take(self, read: Callable[[float], Iterable[Reading]]) -> bool:
        """Put what `read` makes of the present event; return whether to go on listening."""
        with self._lock:
            if not self._is_closed:
                self._put(read(self._clock.monotonic_s()))
            return not self._is_closed

    @abstractmethod
    def listener(self) -> Any:
        """Return a new pynput listener with this source's callbacks."""

    @abstractmethod
    def settle(self, now_s: float) -> None:
        """Put what became known because nothing happened since."""


class _Keyboard(_Source):
    def __init__(self, clock: Clock, waiting: Waiting) -> None:
        super().__init__(clock, waiting)
        self._keys = KeyDropper()

    def listener(self) -> Any:
        keyboard = _load("keyboard")
        corrections = {keyboard.Key.backspace, keyboard.Key.delete}

        def press(key: object) -> bool:
            name, correction = repr(key), key in corrections
            return self._take(lambda at_s: self._keys.press(name, at_s, correction=correction))

        def release(key: object) -> bool:
            name = repr(key)
            return self._take(lambda at_s: self._keys.release(name, at_s))

        return keyboard.Listener(on_press=press, on_release=release)

    def settle(self, now_s: float) -> None:
        with self._lock:
            self._put(self._keys.settle(now_s))


class _Pointer(_Source):
    def __init__(self, clock: Clock, waiting: Waiting) -> None:
        super().__init__(clock, waiting)
        self._timing = PointerTiming()

    def listener(self) -> Any:
        mouse = _load("mouse")

        def move(x_px: float, y_px: float) -> bool:
            return self._take(lambda at_s: self._timing.move(x_px, y_px, at_s))

        def click(_x_px: float, _y_px: float, _button: object, pressed: bool) -> bool:
            return self._take(lambda at_s: self._timing.click(at_s, pressed=pressed))

        def scroll(_x_px: float, _y_px: float, dx: float, dy: float) -> bool:
            return self._take(lambda at_s: self._timing.scroll(abs(dx) + abs(dy), at_s))

        return mouse.Listener(on_move=move, on_click=click, on_scroll=scroll)

    def settle(self, now_s: float) -> None:
        with self._lock:
            self._put(self._timing.rest(now_s))


_SOURCES: dict[Channel, type[_Source]] = {Channel.KEYBOARD: _Keyboard, Channel.POINTER: _Pointer}


class PynputBackend(Backend):
    """Windows and macOS."""

    def __init__(self, channels: frozenset[Channel], clock: Clock, waiting: Waiting) -> None:
        super().__init__(channels, clock, waiting)
        self._sources = [_SOURCES[channel](clock, waiting) for channel in sorted(channels)]
        self._listeners: list[Listening] = []

    async def start(self) -> None:
        """Start one listener for each channel; not even that for the other one."""
        for source in self._sources:
            try:
                listener = await _LOADING.within(_READY_S, source.listener)
            except TimeoutError:
                raise DeviceError(
                    "keyboard and pointer cannot be seen: the display does not answer"
                ) from None
            self._listeners.append(Listening(listener))
            await self._listeners[-1].start()

    def settle(self, now_s: float) -> frozenset[Channel]:
        """See :meth:`Backend.settle`."""
        for source in self._sources:
            source.settle(now_s)
        if not all(listener.is_alive for listener in self._listeners):
            raise DeviceError("the display went away; keyboard and pointer are not seen")
        return self.channels

    async def stop(self) -> None:
        """See :meth:`Backend.stop`."""
        for source in self._sources:
            source.close()
        # Side by side: a display that hangs may hold up each of them.
        await asyncio.gather(*(listener.stop() for listener in self._listeners))


def combination_listener(combination: str, pressed: Callable[[], None]) -> Listening:
    """Return a listener, not started, that calls `pressed`, from a thread of its own, at one combination.

    For systems that can register no combination with the desktop. It is handed
    every key, keeps those of the combination that are down, and nothing else.

    Parameters
    ----------
    combination : str
        As pynput writes it: ``<ctrl>+<alt>+p``.

    Raises
    ------
    ConfigurationError
        If this system has no such key.
    """
    keyboard = _load("keyboard")
    try:
        return Listening(keyboard.GlobalHotKeys({combination: pressed}))
    except ValueError:
        raise ConfigurationError(
            f"[edge] hotkey is {combination!r}; this system has no such key; choose another"
        ) from None


class Listening:
    """One listener's thread, started and stopped without ever holding up the event loop.

    pynput's own ``wait`` and ``stop`` have no limit; and as long as it is not
    ready ``stop`` waits, for a notice of which there is one only, for one
    waiter. So one thread of ours waits, and nobody stops it before.
    """

    def __init__(self, listener: Any) -> None:
        self._listener = listener
        self._aside = Aside("stop listening")
        self._ready = threading.Thread(target=listener.wait, daemon=True)
        run = listener.run

        def guarded() -> None:
            try:
                run()
            except Exception:  # noqa: BLE001 - the display's, of many kinds; no traceback for people
                return  # `is_alive` says that the thread has ended

        listener.run = guarded

    @property
    def is_alive(self) -> bool:
        """Whether it sees events, or soon will."""
        return bool(self._listener.is_alive())

    async def start(self) -> None:
        """Return once it sees events.

        Raises
        ------
        DeviceError
            If it does not within some seconds.
        """
        self._listener.start()
        self._ready.start()
        if not await self._until_ready(_READY_S):
            raise DeviceError("keyboard and pointer cannot be seen: the display refuses to tell")

    async def stop(self) -> None:
        """Stop capture; a display that has gone has stopped it already."""
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + _STOP_S
        if not await self._until_ready(_STOP_S):
            return  # it has ended, or hangs where it sees nothing yet
        # Again and again: a request that comes before recording has begun ends nothing.
        while self.is_alive and loop.time() < deadline_s:
            # Not here: python-xlib locks itself up if its thread closes the display meanwhile.
            with suppress(TimeoutError):
                await self._aside.within(_ASK_S, self._end)
            await asyncio.sleep(0.01)

    def _end(self) -> None:
        try:
            self._listener.stop()
            _release(self._listener)
        except Exception:  # noqa: BLE001, S110 - it is just closing its display, which was wanted
            pass

    async def _until_ready(self, within_s: float) -> bool:
        deadline_s = asyncio.get_running_loop().time() + within_s
        while self._ready.is_alive():
            if not self.is_alive or asyncio.get_running_loop().time() > deadline_s:
                return False
            await asyncio.sleep(0.01)
        return True


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
