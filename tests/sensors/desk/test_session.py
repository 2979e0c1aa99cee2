"""Lock and idle time over a real dbus-daemon, with services that speak like the desktop's."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from sensors.desk.away import REQUEST
from sensors.desk.session import LoginManager, ScreenSavers, SessionIdle, session_bus
from sensors.errors import DeviceError, MissingExtraError
from tests.rig.bus import message_bus
from tests.rig.waiting import wait_until_async as wait_until

if sys.platform != "linux":
    pytest.skip("D-Bus is the Linux desktop's", allow_module_level=True)

from dbus_fast import Message, MessageType, PropertyAccess, Variant
from dbus_fast.aio import MessageBus
from dbus_fast.service import ServiceInterface, dbus_method, dbus_property, dbus_signal

from sensors.desk.bus import Bus

pytestmark = pytest.mark.needs("dbus-daemon")

LOGIN, PATH = "org.freedesktop.login1", "/org/freedesktop/login1/session/_31"


class Manager(ServiceInterface):
    """org.freedesktop.login1.Manager."""

    def __init__(self) -> None:
        super().__init__(f"{LOGIN}.Manager")
        self.asked: list[str] = []

    @dbus_method(name="GetUser")
    def get_user(self, uid: "u") -> "o":  # noqa: F821, UP037 - D-Bus types
        self.asked.append(f"user {uid}")
        return "/org/freedesktop/login1/user/_1000"

    @dbus_method(name="GetSession")
    def get_session(self, name: "s") -> "o":  # noqa: F821, UP037
        self.asked.append(f"session {name}")
        return PATH

    @dbus_signal(name="SessionRemoved")
    def session_removed(self) -> "so":  # noqa: F821, UP037
        return ["1", PATH]


class Person(ServiceInterface):
    """org.freedesktop.login1.User."""

    def __init__(self) -> None:
        super().__init__(f"{LOGIN}.User")
        self.display = ["1", PATH]

    @dbus_property(access=PropertyAccess.READ, name="Display")
    def get_display(self) -> "(so)":  # noqa: F821, UP037
        return self.display


class Session(ServiceInterface):
    """org.freedesktop.login1.Session."""

    def __init__(self) -> None:
        super().__init__(f"{LOGIN}.Session")
        self.locked, self.active, self.idle = False, True, False
        self.idle_since_us = 0

    @dbus_property(access=PropertyAccess.READ, name="LockedHint")
    def locked_hint(self) -> "b":  # noqa: F821, UP037
        return self.locked

    @dbus_property(access=PropertyAccess.READ, name="Active")
    def is_active(self) -> "b":  # noqa: F821, UP037
        return self.active

    @dbus_property(access=PropertyAccess.READ, name="IdleHint")
    def idle_hint(self) -> "b":  # noqa: F821, UP037
        return self.idle

    @dbus_property(access=PropertyAccess.READ, name="IdleSinceHintMonotonic")
    def idle_since(self) -> "t":  # noqa: F821, UP037
        return self.idle_since_us

    @dbus_signal(name="Lock")
    def lock(self) -> None:
        return None

    @dbus_signal(name="Unlock")
    def unlock(self) -> None:
        return None


class Saver(ServiceInterface):
    """GNOME's screen saver."""

    def __init__(self) -> None:
        super().__init__("org.gnome.ScreenSaver")
        self.active = False

    @dbus_method(name="GetActive")
    def get_active(self) -> "b":  # noqa: F821, UP037
        return self.active

    @dbus_signal(name="ActiveChanged")
    def active_changed(self) -> "b":  # noqa: F821, UP037
        return self.active


class Monitor(ServiceInterface):
    """GNOME's idle monitor."""

    def __init__(self) -> None:
        super().__init__("org.gnome.Mutter.IdleMonitor")
        self.idle_ms = 0

    @dbus_method(name="GetIdletime")
    def get_idle_time(self) -> "t":  # noqa: F821, UP037
        return self.idle_ms


@pytest.fixture
def bus(tmp_path, monkeypatch):
    """Return the address of a bus that is both the machine's and the person's."""
    with message_bus(tmp_path / "bus") as address:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
        monkeypatch.delenv("XDG_SESSION_ID", raising=False)
        yield address


class Desktop:
    """The services of a desktop on the bus."""

    def __init__(self, connection: MessageBus) -> None:
        self.connection = connection
        self.manager, self.person, self.session = Manager(), Person(), Session()
        self.saver, self.monitor = Saver(), Monitor()

    async def put(self, name: str, path: str, *interfaces: ServiceInterface) -> None:
        for interface in interfaces:
            self.connection.export(path, interface)
        await self.connection.request_name(name)

    async def put_login_manager(self) -> None:
        self.connection.export("/org/freedesktop/login1/user/_1000", self.person)
        self.connection.export(PATH, self.session)
        await self.put(LOGIN, "/org/freedesktop/login1", self.manager)

    async def put_saver(self) -> None:
        await self.put("org.gnome.ScreenSaver", "/org/gnome/ScreenSaver", self.saver)

    async def put_monitor(self) -> None:
        path = "/org/gnome/Mutter/IdleMonitor/Core"
        await self.put("org.gnome.Mutter.IdleMonitor", path, self.monitor)

    def change(self, **values: bool) -> None:
        """Change properties of the session and tell of it."""
        names = {"locked": "LockedHint", "active": "Active"}
        for key, value in values.items():
            setattr(self.session, key, value)
        self.session.emit_properties_changed({names[key]: value for key, value in values.items()})


@asynccontextmanager
async def desktop(address: str) -> AsyncIterator[Desktop]:
    connection = await MessageBus(bus_address=address).connect()
    try:
        yield Desktop(connection)
    finally:
        connection.disconnect()
        await connection.wait_for_disconnect()


@asynccontextmanager
async def watching(source) -> AsyncIterator[list[tuple[str, bool]]]:
    told: list[tuple[str, bool]] = []
    task = asyncio.create_task(source.watch(lambda name, locked: told.append((name, locked))))
    try:
        await wait_until(lambda: told or task.done())
        yield told
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


HINT, OTHER = "login manager", "login manager, other person"


async def test_the_login_manager_tells_of_lock_unlock_and_another_persons_turn(bus):
    async with desktop(bus) as there:
        await there.put_login_manager()
        async with watching(LoginManager()) as told:
            await wait_until(lambda: told == [(OTHER, False), (HINT, False)])
            told.clear()
            there.session.lock()
            there.change(locked=True)
            there.change(locked=False)
            there.session.unlock()
            there.change(active=False)
            there.change(active=True)
            await wait_until(lambda: len(told) == 6)
    assert told == [
        (REQUEST, True), (HINT, True), (HINT, False), (REQUEST, False), (OTHER, True),
        (OTHER, False),
    ]  # fmt: skip
    assert there.manager.asked[0].startswith("user ")


async def test_a_screen_that_is_locked_already_is_known_at_once(bus, monkeypatch):
    monkeypatch.setenv("XDG_SESSION_ID", "1")
    async with desktop(bus) as there:
        await there.put_login_manager()
        there.session.locked = True
        async with watching(LoginManager()) as told:
            await wait_until(lambda: (HINT, True) in told)
    assert there.manager.asked == ["session 1"]


async def test_only_the_login_manager_is_believed(bus):
    """Any program may send anything straight to us; it must not open what is locked."""
    async with desktop(bus) as there, desktop(bus) as stranger:
        await there.put_login_manager()
        there.session.locked = True
        async with watching(LoginManager()) as told:
            await wait_until(lambda: (HINT, True) in told)
            told.clear()
            for name in (f":1.{n}" for n in range(8)):
                message = Message(
                    message_type=MessageType.SIGNAL, destination=name, path=PATH,
                    interface="org.freedesktop.DBus.Properties", member="PropertiesChanged",
                    signature="sa{sv}as",
                    body=[f"{LOGIN}.Session", {"LockedHint": Variant("b", False)}, []],
                )  # fmt: skip
                await stranger.connection.send(message)
            there.session.lock()
            await wait_until(lambda: told)
    assert told == [(REQUEST, True)]


async def test_logging_off_is_a_lock_and_the_next_session_is_looked_for(bus):
    async with desktop(bus) as there:
        await there.put_login_manager()
        told: list[tuple[str, bool]] = []
        task = asyncio.create_task(
            LoginManager().watch(lambda name, locked: told.append((name, locked)))
        )
        await wait_until(lambda: (HINT, False) in told)
        there.manager.session_removed()
        with pytest.raises(DeviceError, match="the session has ended"):
            await task
        assert told[-1] == (HINT, True)
        there.person.display = ["", "/"]
        with pytest.raises(DeviceError, match="no session of this person"):
            await LoginManager().watch(lambda _name, _locked: None)


async def test_screen_savers_tell_of_lock_and_unlock(bus):
    async with desktop(bus) as there:
        await there.put_saver()
        async with watching(ScreenSavers()) as told:
            await wait_until(lambda: told == [("org.gnome.ScreenSaver", False)])
            for active in (True, False):
                there.saver.active = active
                there.saver.active_changed()
            await wait_until(lambda: len(told) == 3)
    assert told[1:] == [("org.gnome.ScreenSaver", True), ("org.gnome.ScreenSaver", False)]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (LoginManager(), "org.freedesktop.login1"),
        (ScreenSavers(), "no screen saver on the session bus"),
    ],
)
async def test_a_bus_without_such_a_service_is_one_clear_line(bus, source, words):
    with pytest.raises(DeviceError, match=words) as error:
        await source.watch(lambda _name, _locked: None)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("source", [LoginManager(), ScreenSavers()])
async def test_no_bus_is_one_clear_line(monkeypatch, tmp_path, source):
    for name in ("DBUS_SYSTEM_BUS_ADDRESS", "DBUS_SESSION_BUS_ADDRESS"):
        monkeypatch.setenv(name, f"unix:path={tmp_path}/none")
    with pytest.raises(DeviceError, match="no message bus at unix:path=") as error:
        await source.watch(lambda _name, _locked: None)
    assert "\n" not in str(error.value)


async def test_a_bus_that_goes_away_is_one_clear_line(tmp_path, monkeypatch):
    with message_bus(tmp_path / "bus") as address:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
        there = Desktop(await MessageBus(bus_address=address).connect())
        await there.put_saver()
        told: list[bool] = []
        task = asyncio.create_task(ScreenSavers().watch(lambda _n, locked: told.append(locked)))
        await wait_until(lambda: told)
    with pytest.raises(DeviceError, match="the message bus went away"):
        await task
    # Ours ended with the bus too, however its library puts that.
    await asyncio.gather(there.connection.wait_for_disconnect(), return_exceptions=True)


async def test_whoever_calls_on_a_bus_that_went_away_is_told_so(tmp_path):
    with message_bus(tmp_path / "bus") as address:
        calling = await Bus.connect(address)
    await calling._ended
    with pytest.raises(DeviceError, match=r"^the message bus went away$"):
        await calling.owner("org.example.Somebody")
    await calling.close()


async def test_idle_time_comes_from_gnome_first_and_else_from_the_login_manager(bus):
    source = SessionIdle()
    async with desktop(bus) as there:
        with pytest.raises(DeviceError, match=r"org\.freedesktop\.login1"):
            await source.idle_s()
        await there.put_login_manager()
        assert await source.idle_s() == 0.0
        assert source.doubt == "unless the desktop sets the login manager's IdleHint"
        there.session.idle = True
        there.session.idle_since_us = int((time.monotonic() - 90.0) * 1e6)
        assert await source.idle_s() == pytest.approx(90.0, abs=30.0)
        await there.put_monitor()
        there.monitor.idle_ms = 1234
        assert await source.idle_s() == 1.234
    await source.close()


def test_where_the_session_bus_is():
    assert session_bus({"DBUS_SESSION_BUS_ADDRESS": "unix:path=/a"}) == "unix:path=/a"
    assert session_bus({"XDG_RUNTIME_DIR": "/run/user/7"}) == "unix:path=/run/user/7/bus"
    with pytest.raises(DeviceError, match="DBUS_SESSION_BUS_ADDRESS is not set"):
        session_bus({})


async def test_a_machine_without_dbus_fast_names_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "sensors.desk.bus", None)
    with pytest.raises(MissingExtraError, match="pip install dbus-fast"):
        await LoginManager().watch(lambda _name, _locked: None)


async def test_a_login_manager_that_is_restarted_is_believed_again(bus):
    """Every update of it restarts it; it is then another connection under the same name."""
    told: list[tuple[str, bool]] = []
    async with desktop(bus) as first:
        await first.put_login_manager()
        task = asyncio.create_task(
            LoginManager().watch(lambda name, locked: told.append((name, locked)))
        )
        await wait_until(lambda: (HINT, False) in told)
    told.clear()
    async with desktop(bus) as second:
        second.session.locked = True
        await second.put_login_manager()
        await wait_until(lambda: (HINT, True) in told, what="asked how it stands")
        second.change(locked=False)
        await wait_until(lambda: told[-1] == (HINT, False))
        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_signal_that_says_nothing_ends_nothing(bus):
    """Any program on the person's bus may send one; it must not end the edge."""
    async with desktop(bus) as there:
        await there.put_saver()
        async with watching(ScreenSavers()) as told:
            message = Message(
                message_type=MessageType.SIGNAL, path="/org/gnome/ScreenSaver",
                interface="org.gnome.ScreenSaver", member="ActiveChanged",
            )  # fmt: skip
            await there.connection.send(message)
            there.saver.active = True
            there.saver.active_changed()
            await wait_until(lambda: told[-1] == ("org.gnome.ScreenSaver", True))
