"""Which sources there are on this machine: the one place that chooses by platform."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import NoReturn

from sensors.desk import macos, windows
from sensors.desk.combination import Combination
from sensors.desk.session import LoginManager, ScreenSavers, SessionIdle
from sensors.desk.sources import HotkeySource, IdleSource, LockSource, PolledIdle, PolledLock
from sensors.errors import DeviceError, MissingExtraError


def has_x11(environ: Mapping[str, str]) -> bool:
    """Return whether this is a session of an X server that sees all keys."""
    on_wayland = environ.get("WAYLAND_DISPLAY") or environ.get("XDG_SESSION_TYPE") == "wayland"
    return bool(environ.get("DISPLAY")) and not on_wayland


def lock_sources(platform: str) -> list[LockSource]:
    """Return what tells of the screen lock.

    Parameters
    ----------
    platform : str
        As ``sys.platform``.
    """
    if platform == "win32":
        return [PolledLock("Windows", lambda: windows.is_locked(windows.libraries()[0]))]
    if platform == "darwin":
        return [PolledLock("macOS", lambda: macos.is_locked(*macos.libraries()))]
    return [LoginManager(), ScreenSavers()]


def idle_source(platform: str, environ: Mapping[str, str]) -> IdleSource:
    """Return what tells how long keyboard and mouse were not used."""
    if platform == "win32":
        return PolledIdle("Windows", lambda: windows.idle_s(*windows.libraries()))
    if platform == "darwin":
        return PolledIdle("macOS", lambda: macos.idle_s(macos.libraries()[1]))
    if not has_x11(environ):
        return SessionIdle()
    try:
        from sensors.desk.xserver import XIdle  # noqa: PLC0415 - X11 only
    except ImportError as error:
        return PolledIdle("X display", partial(_lacks, error.name or "Xlib"))
    return XIdle()


def hotkey_source(
    platform: str, environ: Mapping[str, str], combination: Combination
) -> HotkeySource:
    """Return what tells that `combination` was pressed."""
    if platform == "win32":
        return windows.WindowsHotkey(combination, *windows.libraries())
    if platform == "darwin":
        return macos.MacHotkey(combination)
    if not has_x11(environ):
        return _NoHotkey(
            "only an X11 session lets a program claim keys, so bind some in the desktop's settings"
        )
    try:
        from sensors.desk.xserver import XHotkey  # noqa: PLC0415 - X11 only
    except ImportError as error:
        return _NoHotkey(_command_for(error.name or "Xlib"))
    return XHotkey(combination)


def _command_for(name: str) -> str:
    return f"{name} is not installed; run: pip install 'agent-wellbeing[hid]'"


def _lacks(name: str) -> NoReturn:
    raise MissingExtraError(_command_for(name))


class _NoHotkey:
    """Says why there is none."""

    def __init__(self, why: str) -> None:
        self._why = why

    async def watch(self, pressed: Callable[[], None]) -> None:  # noqa: ARG002 - the interface
        """See :class:`~sensors.desk.sources.HotkeySource`."""
        raise DeviceError(self._why)
