"""TRUST T2, T7, T8 with a whole edge, a real keyboard collector, a real X server and a real bus."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sensors import codec
from sensors.config import BrokerSettings
from sensors.edge.companion import Companion
from sensors.edge.consent.permission import Reason
from sensors.edge.presence.watch import PauseKey
from sensors.edge.running.beside import desk_companions
from sensors.edge.running.process import EdgeProcess
from sensors.edge.settings import EdgeSettings
from sensors.errors import ConfigurationError
from sensors.messages import Absence, ReadingMessage
from sensors.signals import Channel
from tests.rig.bus import message_bus
from tests.rig.display import Display
from tests.rig.process import free_port
from tests.rig.waiting import wait_until_async as wait_until

HOTKEY = "<ctrl>+<alt>+p"
WITHHELD = {Channel.KEYBOARD: Absence.WITHHELD, Channel.POINTER: Absence.WITHHELD}


class StepTime:
    """The system's clocks, but a window ends when the test says so."""

    def __init__(self) -> None:
        self._jumped_s = 0.0
        self._step = asyncio.Event()
        self._start_at = datetime.now(UTC) - timedelta(seconds=time.monotonic())

    def monotonic_s(self) -> float:
        return time.monotonic() + self._jumped_s

    def wall_at(self) -> datetime:
        return self._start_at + timedelta(seconds=self.monotonic_s())

    async def sleep_until(self, at_monotonic_s: float) -> None:
        await self._step.wait()
        self._step.clear()
        self._jumped_s += max(0.0, at_monotonic_s - self.monotonic_s())

    def end_window(self) -> None:
        self._step.set()


class Kept(Companion):
    """Keeps what leaves the machine."""

    def __init__(self) -> None:
        self.windows: list[ReadingMessage] = []

    def take_window(self, message: ReadingMessage) -> None:
        self.windows.append(message)


class Edge:
    def __init__(self, process: EdgeProcess, kept: Kept, times: StepTime, lines: list[str]) -> None:
        self.process, self.kept, self.times, self.lines = process, kept, times, lines
        self.run = asyncio.create_task(process.run())

    async def window(self) -> ReadingMessage:
        """End the running window and return it."""
        count = len(self.kept.windows)
        self.times.end_window()
        await wait_until(lambda: len(self.kept.windows) > count)
        return self.kept.windows[-1]

    async def measures(self) -> None:
        await wait_until(lambda: self.process.report()["channels"].get("keyboard") == "ok")

    async def holds_its_hotkey(self) -> None:
        (key,) = [c for c in self.process._companions if isinstance(c, PauseKey)]
        await wait_until(lambda: key._source._was_held)

    async def has_seen(self, presses: int) -> None:
        def seen() -> int:
            gathered = self.process._assembler._gathered.get(Channel.KEYBOARD)
            return len(gathered.samples.get("key_presses", ())) if gathered else 0

        await wait_until(lambda: seen() >= presses)


@asynccontextmanager
async def running(folder: Path, consent: list[Channel], **options: object) -> AsyncIterator[Edge]:
    settings = EdgeSettings(
        agent="k7", source="pc", state_dir=str(folder / "state"), collectors=("hid",),
        keyring=False, page=False, **options,
    )  # fmt: skip
    times, kept, lines = StepTime(), Kept(), []
    beside = [kept, *desk_companions(settings)]
    broker = BrokerSettings(port=free_port())
    process = EdgeProcess(settings, broker, lines.append, times, companions=beside)
    process.consent(consent)
    edge = Edge(process, kept, times, lines)
    try:
        yield edge
    finally:
        process.stop()
        await edge.run


async def xdotool(display: Display, *words: str) -> None:
    process = await asyncio.create_subprocess_exec("xdotool", *words, env=display.environ)
    assert await process.wait() == 0


@pytest.fixture
def nobody_listens(monkeypatch) -> Callable[[], bool]:
    """Return whether no display records for us."""
    from sensors.desk import xserver  # noqa: PLC0415 - Linux only

    opened, record = [], xserver.record

    def noted(*given: int) -> socket.socket:
        opened.append(record(*given))
        return opened[-1]

    monkeypatch.setattr(xserver, "record", noted)
    return lambda: all(connection.fileno() < 0 for connection in opened)


@pytest.fixture
def desk(xvfb, monkeypatch, tmp_path):
    """Return a display in an X11 session without a bus."""
    for name in ("WAYLAND_DISPLAY", "XDG_SESSION_TYPE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("DBUS_SYSTEM_BUS_ADDRESS", "DBUS_SESSION_BUS_ADDRESS"):
        monkeypatch.setenv(name, f"unix:path={tmp_path}/none")
    return xvfb


@pytest.mark.needs("Xvfb", "xdotool")
async def test_the_hotkey_pauses_resumes_and_is_not_recorded(desk, tmp_path):
    async with running(tmp_path, [Channel.KEYBOARD], hotkey=HOTKEY) as edge:
        await edge.measures()
        await edge.holds_its_hotkey()
        await xdotool(desk, "type", "--delay", "30", "abcd")
        await edge.has_seen(4)
        typed = await edge.window()
        assert typed.keyboard is not None
        assert typed.keyboard.key_presses == 4
        await xdotool(desk, "key", "ctrl+alt+p")
        await wait_until(lambda: Reason.PAUSED in edge.process.permission.reasons)
        await xdotool(desk, "type", "--delay", "30", "secret")
        assert [(await edge.window()).absent for _ in range(2)] == [WITHHELD] * 2
        await xdotool(desk, "key", "ctrl+alt+p")
        await wait_until(lambda: not edge.process.permission.reasons)
        await edge.measures()
        assert (await edge.window()).absent == WITHHELD  # it was withheld in part
        quiet = await edge.window()
        assert quiet.keyboard is not None
        assert quiet.keyboard.key_presses == 0
        sent = sum(w.keyboard.key_presses for w in edge.kept.windows if w.keyboard)
        assert sent == 4
        # Said once it is written down, which the disk may take its time for.
        await wait_until(lambda: any(f"going on, by {HOTKEY}" in line for line in edge.lines))
        assert [line for line in edge.lines if HOTKEY in line] == [
            f"paused by {HOTKEY}; press it again to go on",
            f"going on, by {HOTKEY}",
        ]


@pytest.mark.needs("Xvfb", "xdotool")
async def test_the_hotkey_works_without_consent_and_reads_no_key(desk, tmp_path, nobody_listens):
    """T6: the X server tells of the combination only; nobody listens to the keyboard."""
    async with running(tmp_path, [], hotkey=HOTKEY, idle_min=0.001) as edge:
        await edge.holds_its_hotkey()
        await xdotool(desk, "type", "--delay", "10", "secret")
        await xdotool(desk, "key", "ctrl+alt+p")
        await wait_until(lambda: Reason.PAUSED in edge.process.permission.reasons)
        assert nobody_listens()
        assert (await edge.window()).absent == WITHHELD
        assert Reason.LOCKED not in edge.process.permission.reasons  # idle time is not looked at


@pytest.mark.needs("Xvfb", "xdotool")
async def test_an_empty_desk_is_withheld_and_a_touch_ends_it(desk, tmp_path, monkeypatch):
    monkeypatch.setattr("sensors.edge.presence.watch.LOOK_S", 0.1)
    monkeypatch.setattr("sensors.edge.presence.watch.LOOK_AWAY_S", 0.05)
    async with running(tmp_path, [Channel.KEYBOARD], idle_min=0.02) as edge:  # 1.2 s
        await wait_until(lambda: Reason.LOCKED in edge.process.permission.reasons)
        assert (await edge.window()).absent == WITHHELD
        back = asyncio.create_task(
            wait_until(lambda: Reason.LOCKED not in edge.process.permission.reasons)
        )
        while not back.done():  # a busy machine may look when the first touch is long ago
            await xdotool(desk, "key", "a")
        await back
        assert any("nobody at the desk" in line for line in edge.lines)


@pytest.mark.needs("Xvfb", "xdotool")
async def test_where_no_lock_is_seen_it_is_said_once(desk, tmp_path):
    async with running(tmp_path, [Channel.KEYBOARD]) as edge:
        await wait_until(lambda: any("not noticed here" in line for line in edge.lines))
        await edge.measures()
    (line,) = [line for line in edge.lines if "not noticed here" in line]
    assert "wellbeing edge lock" in line


@pytest.mark.needs("Xvfb", "xdotool", "dbus-daemon")
async def test_a_locked_screen_closes_the_keyboard_and_looks_like_a_pause(
    desk, tmp_path, monkeypatch, nobody_listens
):
    from tests.sensors.desk.test_session import desktop  # noqa: PLC0415 - Linux only

    plain: dict[str, list[bytes]] = {}
    with message_bus(tmp_path / "bus") as address:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        monkeypatch.delenv("XDG_SESSION_ID", raising=False)
        async with desktop(address) as there:
            await there.put_login_manager()
            for name in ("lock", "pause"):
                async with running(tmp_path / name, [Channel.KEYBOARD]) as edge:
                    await edge.measures()
                    assert not nobody_listens()
                    if name == "lock":
                        await asyncio.sleep(0.3)
                        there.change(locked=True)
                    else:
                        await edge.process.obey("pause")
                    await wait_until(lambda e=edge: e.process.permission.reasons)
                    await wait_until(nobody_listens)
                    await xdotool(desk, "type", "--delay", "10", "secret")
                    found = [await edge.window() for _ in range(2)]
                    plain[name] = [_without_identity(window) for window in found]
                    if name == "lock":
                        there.change(locked=False)
                        await wait_until(lambda e=edge: not e.process.permission.reasons)
                        await edge.measures()
    assert plain["lock"] == plain["pause"]


def _without_identity(window: ReadingMessage) -> bytes:
    fields = codec.load_json(codec.encode(window))
    own = ("run", "seq", "oldest_seq", "window_end_at")
    return codec.dump_json({key: value for key, value in fields.items() if key not in own})


@pytest.mark.needs("Xvfb")
async def test_a_combination_that_is_taken_ends_the_start_in_one_line(desk, tmp_path):
    async with running(tmp_path / "one", [], hotkey=HOTKEY, watch_lock=False) as one:
        await one.holds_its_hotkey()
        with pytest.raises(ConfigurationError, match="another program holds it; choose another"):
            async with running(tmp_path / "two", [], hotkey=HOTKEY, watch_lock=False) as other:
                await wait_until(other.run.done)


def test_an_invalid_combination_is_refused_with_the_settings():
    with pytest.raises(ConfigurationError, match="typing would hit it"):
        EdgeSettings(agent="k7", hotkey="p")
    with pytest.raises(ConfigurationError, match="idle_min is -1"):
        EdgeSettings(agent="k7", idle_min=-1)
