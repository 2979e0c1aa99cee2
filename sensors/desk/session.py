"""Linux: lock and idle time as the login manager and the desktop tell them over D-Bus.

References
----------
.. [1] systemd, "org.freedesktop.login1",
   https://www.freedesktop.org/software/systemd/man/org.freedesktop.login1.html
.. [2] freedesktop.org, "Idle Inhibition Service Draft" (``org.freedesktop.ScreenSaver``);
   GNOME, MATE, Cinnamon and Xfce have the same interface under names of their own.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sensors.desk.away import REQUEST
from sensors.desk.sources import Told
from sensors.errors import DeviceError, MissingExtraError

if TYPE_CHECKING:
    from sensors.desk.bus import Bus, Signal

_DAEMON = "org.freedesktop.DBus"
_LOGIN = "org.freedesktop.login1"
_MANAGER = (_LOGIN, "/org/freedesktop/login1", f"{_LOGIN}.Manager")
_SESSION = f"{_LOGIN}.Session"
_PROPERTIES = "org.freedesktop.DBus.Properties"
_MUTTER = (
    "org.gnome.Mutter.IdleMonitor",
    "/org/gnome/Mutter/IdleMonitor/Core",
    "org.gnome.Mutter.IdleMonitor",
)
_SAVERS = {
    "org.freedesktop.ScreenSaver": "/org/freedesktop/ScreenSaver",
    "org.gnome.ScreenSaver": "/org/gnome/ScreenSaver",
    "org.cinnamon.ScreenSaver": "/org/cinnamon/ScreenSaver",
    "org.mate.ScreenSaver": "/org/mate/ScreenSaver",
    "org.xfce.ScreenSaver": "/org/xfce/ScreenSaver",
}


def system_bus(environ: Mapping[str, str]) -> str:
    """Return the address of the machine's bus."""
    default = "unix:path=/run/dbus/system_bus_socket"
    return environ.get("DBUS_SYSTEM_BUS_ADDRESS") or default


def session_bus(environ: Mapping[str, str]) -> str:
    """Return the address of the person's bus.

    Raises
    ------
    DeviceError
        If nothing says where it is.
    """
    if environ.get("DBUS_SESSION_BUS_ADDRESS"):
        return environ["DBUS_SESSION_BUS_ADDRESS"]
    if environ.get("XDG_RUNTIME_DIR"):
        return f"unix:path={environ['XDG_RUNTIME_DIR']}/bus"
    raise DeviceError("no session bus: DBUS_SESSION_BUS_ADDRESS is not set")


async def _connect(address: str) -> Bus:
    try:
        from sensors.desk.bus import Bus  # noqa: PLC0415 - exists on Linux only
    except ImportError as error:
        raise MissingExtraError(
            f"{error.name} is not installed; run: pip install dbus-fast"
        ) from None
    return await Bus.connect(address)


async def _session_path(bus: Bus, environ: Mapping[str, str]) -> str:
    """Return this person's session: the one we run in, else the one on the display."""
    if environ.get("XDG_SESSION_ID"):
        return str((await bus.call(_MANAGER, "GetSession", "s", (environ["XDG_SESSION_ID"],)))[0])
    # A service of the systemd user manager belongs to no session.
    path = str((await bus.call(_MANAGER, "GetUser", "u", (os.getuid(),)))[0])
    display = await bus.get((_LOGIN, path, f"{_LOGIN}.User"), "Display")
    if not display[0]:
        raise DeviceError("the login manager knows no session of this person")
    return str(display[1])


class LoginManager:
    """systemd-logind: ``LockedHint``, ``Lock``, ``Unlock``, another person's turn, log-off."""

    name = "login manager"

    async def watch(self, told: Told) -> None:
        """See :class:`~sensors.desk.sources.LockSource`."""
        bus = await _connect(system_bus(os.environ))
        try:
            path = await _session_path(bus, os.environ)
            # It is restarted by every update of it, and is then another one on the bus.
            await bus.listen(
                f"type='signal',sender='{_DAEMON}',member='NameOwnerChanged',arg0='{_LOGIN}'"
            )
            owner = await bus.owner(_LOGIN)
            await bus.listen(f"type='signal',sender='{_LOGIN}',path='{path}'")
            await bus.listen(f"type='signal',sender='{_LOGIN}',member='SessionRemoved'")
            where = (_LOGIN, path, _SESSION)
            await self._ask(bus, where, told)
            async for signal in bus.signals():
                # Anybody on this machine may send us anything: only logind is believed.
                if signal.sender == owner:
                    self._hear(signal, path, told)
                elif (signal.sender, signal.body[:1]) == (_DAEMON, (_LOGIN,)):
                    owner = signal.body[2] or None
                    if owner is not None:
                        await self._ask(bus, where, told)
        finally:
            await bus.close()

    async def _ask(self, bus: Bus, where: tuple[str, str, str], told: Told) -> None:
        told(f"{self.name}, other person", not await bus.get(where, "Active"))
        told(self.name, bool(await bus.get(where, "LockedHint")))

    def _hear(self, signal: Signal, path: str, told: Told) -> None:
        if signal.member == "SessionRemoved" and signal.body[1:] == (path,):
            told(self.name, True)
            raise DeviceError("the session has ended")
        if signal.path != path:
            return
        if (signal.interface, signal.member) == (_SESSION, "Lock"):
            told(REQUEST, True)
        elif (signal.interface, signal.member) == (_SESSION, "Unlock"):
            told(REQUEST, False)
        elif (signal.interface, signal.member) == (_PROPERTIES, "PropertiesChanged"):
            changed = signal.body[1]
            if "Active" in changed:
                told(f"{self.name}, other person", not changed["Active"])
            if "LockedHint" in changed:
                told(self.name, bool(changed["LockedHint"]))


class ScreenSavers:
    """Whatever screen savers are on the person's bus."""

    name = "screen saver"

    async def watch(self, told: Told) -> None:
        """See :class:`~sensors.desk.sources.LockSource`."""
        bus = await _connect(session_bus(os.environ))
        try:
            await bus.listen("type='signal',member='ActiveChanged'")
            found = False
            for name, path in _SAVERS.items():
                if await bus.owner(name) is not None:
                    found = True
                    told(name, await _is_active(bus, name, path))
            if not found:
                raise DeviceError("no screen saver on the session bus")
            async for signal in bus.signals():
                if signal.interface in _SAVERS and signal.member == "ActiveChanged" and signal.body:
                    told(signal.interface, bool(signal.body[0]))
        finally:
            await bus.close()


async def _is_active(bus: Bus, name: str, path: str) -> bool:
    try:
        return (await bus.call((name, path, name), "GetActive"))[:1] == (True,)
    except DeviceError:
        return False  # it has another path, or no such question; its signals still come


class SessionIdle:
    """Idle time where there is no X: GNOME's own, else what the desktop tells the login manager."""

    name = "session"

    def __init__(self) -> None:
        self._session: Bus | None = None
        self._system: Bus | None = None
        self._path = ""
        self.doubt = ""
        self._was_hinted = False

    async def idle_s(self) -> float:
        """See :class:`~sensors.desk.sources.IdleSource`."""
        try:
            try:
                return await self._of_mutter()
            except DeviceError:
                return await self._of_login_manager()
        except DeviceError:
            await self.close()
            raise

    async def _of_mutter(self) -> float:
        if self._session is None:
            self._session = await _connect(session_bus(os.environ))
        return float((await self._session.call(_MUTTER, "GetIdletime"))[0]) / 1e3

    async def _of_login_manager(self) -> float:
        if self._system is None:
            self._system = await _connect(system_bus(os.environ))
            self._path = await _session_path(self._system, os.environ)
        where = (_LOGIN, self._path, _SESSION)
        if not await self._system.get(where, "IdleHint"):
            if not self._was_hinted:
                self.doubt = "unless the desktop sets the login manager's IdleHint"
            return 0.0
        self._was_hinted = True
        since_us = await self._system.get(where, "IdleSinceHintMonotonic")
        return max(0.0, time.monotonic() - float(since_us) / 1e6)

    async def close(self) -> None:
        """See :class:`~sensors.desk.sources.IdleSource`."""
        for bus in (self._session, self._system):
            if bus is not None:
                await bus.close()
        self._session = self._system = None
