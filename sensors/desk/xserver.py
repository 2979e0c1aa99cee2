"""X11: idle time, one combination of keys, and recordings; the only file that imports Xlib.

The combination is registered with the server (a *passive grab*), which then
tells us of it and of no other key: nothing of the keyboard is read for it
(TRUST T2, T6).

References
----------
.. [1] X.Org, "X11 Screen Saver Extension", version 1.0 (``QueryInfo``: idle, in ms).
.. [2] X.Org, "X Window System Protocol", ``GrabKey``.
.. [3] X.Org, "X Record Extension Protocol", version 1.13.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import Xlib.display
import Xlib.error
from Xlib import XK, X, xauth
from Xlib.ext import record as record_extension

from sensors.aside import Aside
from sensors.desk.combination import Combination
from sensors.errors import ConfigurationError, DeviceError

_ANSWER_S = 5.0
_ENABLE = 5  # RecordEnableContext [3]
_NOTHING: dict[str, Any] = {
    **dict.fromkeys(("core_requests", "core_replies", "delivered_events", "errors"), (0, 0)),
    **dict.fromkeys(("ext_requests", "ext_replies"), (0, 0, 0, 0)),
    **dict.fromkeys(("client_started", "client_died"), False),
}
"""What X is asked not to record."""
_EVDEV = "set [edge.options.hid] backend to evdev"
_XWAYLAND = "XWAYLAND"
_ANY_HOST, _COOKIE = 0xFFFF, b"MIT-MAGIC-COOKIE-1"
_REPEAT_MS = 20
"""A key that repeats is released and pressed again at one time; nobody does that so fast."""

_MASKS = {"ctrl": X.ControlMask, "alt": X.Mod1Mask, "shift": X.ShiftMask, "cmd": X.Mod4Mask}
_LOCKS = (0, X.LockMask, X.Mod2Mask, X.LockMask | X.Mod2Mask)  # Caps Lock and Num Lock, on or off


_GONE = (
    Xlib.error.XError,
    Xlib.error.XNoAuthError,
    Xlib.error.XauthError,
    Xlib.error.ConnectionClosedError,
    Xlib.error.DisplayError,
    OverflowError,  # a display of a number beyond all ports
    OSError,
)


class _Cookies(xauth.Xauthority):  # type: ignore[misc]
    """The keys to displays; python-xlib passes over those for any host, which Xlib takes.

    Login managers write them for a machine that is renamed while somebody is
    logged in: then no other fits.
    """

    def get_best_auth(
        self, family: int, address: bytes, dispno: int, types: tuple[bytes, ...] = (_COOKIE,)
    ) -> tuple[bytes, bytes]:
        with suppress(Xlib.error.XNoAuthError):
            found: tuple[bytes, bytes] = super().get_best_auth(family, address, dispno, types)
            return found
        for of, _, number, kind, cookie in self.entries:
            if of == _ANY_HOST and kind in types and number in {b"", b"%d" % dispno}:
                return kind, cookie
        raise Xlib.error.XNoAuthError((family, address, dispno))


xauth.Xauthority = _Cookies  # there is no other way in, and pynput needs it as much


@contextmanager
def _in_one_line() -> Iterator[None]:
    try:
        yield
    except DeviceError:
        raise  # is in one line, though it is an OSError too
    except _GONE as error:
        words = " ".join(str(error).split()) or type(error).__name__
        if "uthoriz" in words or "No protocol specified" in words:
            raise DeviceError(
                "the X display lets only its own session in; start this inside it, "
                "or set XAUTHORITY as it is there"
            ) from None
        raise DeviceError(f"the X display does not answer: {words}") from None


def _connect() -> Any:
    with _in_one_line():
        return Xlib.display.Display()


def key_codes(names: Iterable[str]) -> frozenset[int]:
    """Return the codes of the keys that X calls by one of `names`; may block.

    Raises
    ------
    DeviceError
        If the display cannot be reached.
    """
    display = _connect()
    try:
        with _in_one_line():
            found = [display.keysym_to_keycodes(XK.string_to_keysym(name)) for name in names]
            # What a key means without Shift; with it, the decimal point of a keypad deletes.
            return frozenset(code for codes in found for code, index in codes if index == 0)
    finally:
        _close(display)


def record(first: int, last: int) -> socket.socket:
    """Return a connection on which the server sends the device events of these types; may block.

    What comes is for :class:`~sensors.hid.xrecord.Stream` to read. Closing it
    ends the recording.

    Parameters
    ----------
    first, last : int
        From 2, a key pressed, to 6, the pointer moved. No others are sent [3]_.

    Raises
    ------
    DeviceError
        If the display cannot be reached, or does not record all of the desk.
    """
    display = _connect()
    try:
        with _in_one_line():
            if not display.has_extension(record_extension.extname):
                raise DeviceError(f"the X display has no RECORD extension; {_EVDEV}")
            if _is_waylands(display):
                raise DeviceError(
                    "this X display is a Wayland session's and sees the keys of a few windows "
                    f"only; {_EVDEV}, or log in with an X11 (Xorg) session"
                )
            context = display.record_create_context(
                0, [record_extension.AllClients], [{**_NOTHING, "device_events": (first, last)}]
            )
            display.sync()
            # From here on its answers are events, which python-xlib reads one field at a time.
            connection: socket.socket = display.display.socket.dup()
            code = display.display.get_extension_major(record_extension.extname)
            try:
                connection.sendall(struct.pack("=BBHI", code, _ENABLE, 2, context))
            except BaseException:
                connection.close()
                raise
            return connection
    finally:
        _forget(display)


def _is_waylands(display: Any) -> bool:
    """Return whether it is Xwayland, where nothing in the environment may say so."""
    if display.query_extension(_XWAYLAND) is not None:
        return True
    if not display.has_extension("RANDR"):
        return False
    # Those from before that extension tell by the names of their screens.
    known = display.screen().root.xrandr_get_screen_resources_current()
    outputs = [display.xrandr_get_output_info(o, known.config_timestamp) for o in known.outputs]
    return any(output.name.startswith(_XWAYLAND) for output in outputs)


class XIdle:
    """Idle time as the X server counts it, over all keyboards and mice."""

    name = "X display"
    doubt = ""

    def __init__(self) -> None:
        self._display: Any = None
        # A display that hangs must hold up no window, and nobody else's threads.
        self._aside = Aside("idle time")

    async def idle_s(self) -> float:
        """See :class:`~sensors.desk.sources.IdleSource`."""
        try:
            return await self._aside.within(_ANSWER_S, self._ask)
        except TimeoutError:
            self._display = None  # its thread may still use it
            raise DeviceError("the X display does not answer") from None
        except DeviceError:
            await self.close()
            raise

    def _ask(self) -> float:
        if self._display is None:
            self._display = _connect()
        with _in_one_line():
            if not self._display.has_extension("MIT-SCREEN-SAVER"):
                raise DeviceError("the X display has no screen saver extension")
            root = self._display.screen().root
            return float(root.screensaver_query_info().idle) / 1e3

    async def close(self) -> None:
        """See :class:`~sensors.desk.sources.IdleSource`."""
        display, self._display = self._display, None
        if display is not None:
            _close(display)


class XHotkey:
    """One combination of keys, registered with the X server."""

    def __init__(self, combination: Combination) -> None:
        self._combination = combination
        self._mask = sum(_MASKS[name] for name in combination.modifiers)
        self._code = 0
        self._released_ms = -1
        self._was_held = False
        self._aside = Aside("hotkey")

    async def watch(self, pressed: Callable[[], None]) -> None:
        """Call `pressed` whenever the combination is pressed, until cancelled.

        Raises
        ------
        ConfigurationError
            If another program holds the combination, or no key is called so.
        DeviceError
            If the display cannot be reached, or went away; or one of the
            former befell a combination that we had: it may come back.
        """
        try:
            display = await self._aside.within(_ANSWER_S, _connect, _close)
        except TimeoutError:
            raise DeviceError("the X display does not answer") from None
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()

        def readable() -> None:
            try:
                with _in_one_line():
                    self._read(display, pressed)
            except DeviceError as error:
                loop.remove_reader(descriptor)
                if not ended.done():
                    ended.set_exception(error)

        descriptor = display.fileno()
        try:
            with _in_one_line():
                self._grab(display)
            loop.add_reader(descriptor, readable)
            loop.call_soon(readable)  # what came while we waited for answers is read already
            await ended
        finally:
            loop.remove_reader(descriptor)
            _close(display)  # lets go of the combination

    def _read(self, display: Any, pressed: Callable[[], None]) -> None:
        while display.pending_events():
            event = display.next_event()
            if event.type == X.MappingNotify:
                display.refresh_keyboard_mapping(event)
                if display.keysym_to_keycode(_keysym(self._combination.key)) != self._code:
                    display.screen().root.ungrab_key(self._code, X.AnyModifier)
                    self._grab(display)
            elif event.type == X.KeyRelease and event.detail == self._code:
                self._released_ms = event.time
            elif event.type == X.KeyPress and event.detail == self._code:
                since_ms = event.time - self._released_ms
                if self._released_ms < 0 or not 0 <= since_ms <= _REPEAT_MS:
                    pressed()

    def _grab(self, display: Any) -> None:
        """Register the combination; once we had it, losing it is nothing to end the program for."""
        try:
            self._claim(display)
        except ConfigurationError as error:
            if self._was_held:
                raise DeviceError(str(error)) from None
            raise
        self._was_held = True

    def _claim(self, display: Any) -> None:
        """Register the combination, whether or not Caps Lock and Num Lock are on."""
        self._code = display.keysym_to_keycode(_keysym(self._combination.key))
        if not self._code:
            raise ConfigurationError(
                f"[edge] hotkey is '{self._combination}'; this keyboard has no such key; "
                "choose another"
            )
        refused = Xlib.error.CatchError(Xlib.error.BadAccess)
        for locks in _LOCKS:
            display.screen().root.grab_key(
                self._code,
                self._mask | locks,
                owner_events=False,
                pointer_mode=X.GrabModeAsync,
                keyboard_mode=X.GrabModeAsync,
                onerror=refused,
            )
        display.sync()
        if refused.get_error() is not None:
            raise ConfigurationError(
                f"[edge] hotkey is '{self._combination}'; another program holds it; choose another"
            )


def _close(display: Any) -> None:
    """Close a connection, also one whose display has gone."""
    with suppress(*_GONE):
        display.close()


def _forget(display: Any) -> None:
    """Let go of a connection that goes on elsewhere."""
    display.display.socket.close()


def _keysym(key: str) -> int:
    names = {"pause": "Pause", "scroll_lock": "Scroll_Lock"}
    return int(XK.string_to_keysym(names.get(key, key.upper() if len(key) > 1 else key)))
