"""The companions, with sources that tests drive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from sensors.desk.combination import parse_combination
from sensors.desk.sources import PolledLock
from sensors.edge.companion import Companion
from sensors.edge.consent.permission import Event, Reason
from sensors.edge.presence import watch
from sensors.edge.presence.watch import DeskWatch, PauseKey
from sensors.errors import ConfigurationError, DeviceError
from sensors.messages import ContextMessage, ContextState
from sensors.signals import Channel
from tests.rig.waiting import wait_until_async as wait_until
from tests.sensors.edge.presence.fake_edge import FakeEdge


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    for name in ("RETRY_S", "LOOK_S", "LOOK_AWAY_S"):
        monkeypatch.setattr(watch, name, 0.01)


class Lock:
    """Says what the test says; fails when told to."""

    def __init__(self, name: str = "test") -> None:
        self.name = name
        self.told = None
        self.failure = asyncio.Event()
        self.words = "gone"
        self.attempts = 0

    async def watch(self, told) -> None:
        self.attempts += 1
        self.told = told
        if not self.failure.is_set():
            told(self.name, False)
        await self.failure.wait()
        raise DeviceError(self.words)


class Idle:
    name = "test"
    doubt = ""

    def __init__(self) -> None:
        self.value_s: float = 0.0
        self.asked = 0
        self.closed = False

    async def idle_s(self) -> float:
        self.asked += 1
        if self.value_s < 0:
            raise DeviceError("nobody knows")
        return self.value_s

    async def close(self) -> None:
        self.closed = True


@asynccontextmanager
async def running(companion: Companion, edge: FakeEdge) -> AsyncIterator[None]:
    task = asyncio.create_task(companion.run(edge))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_lock_and_unlock_are_passed_on_once():
    edge, one, other = FakeEdge(Channel.HEART), Lock("a"), Lock("b")
    async with running(DeskWatch([one, other], None, 0), edge):
        await wait_until(lambda: one.told and other.told)
        one.told("a", True)
        other.told("b", True)
        one.told("a", False)
        await wait_until(lambda: edge.obeyed == ["lock"])
        other.told("b", False)
        await wait_until(lambda: edge.obeyed == ["lock", "unlock"])
    assert edge.lines == []


async def test_a_lock_after_the_agent_unlocked_by_hand_counts_again():
    edge, one, other = FakeEdge(Channel.HEART), Lock("a"), Lock("b")
    async with running(DeskWatch([one, other], None, 0), edge):
        await wait_until(lambda: one.told and other.told)
        one.told("a", True)
        await wait_until(lambda: edge.obeyed == ["lock"])
        edge.permission = edge.permission.after(Event.UNLOCK)  # `wellbeing edge unlock`
        other.told("b", True)
        await wait_until(lambda: edge.obeyed == ["lock", "lock"])


async def test_where_nothing_tells_of_the_lock_it_is_said_once_with_the_remedy():
    edge, one, other = FakeEdge(Channel.HEART), Lock("a"), Lock("b")
    one.failure.set()
    other.failure.set()
    async with running(DeskWatch([one, other], None, 0), edge):
        await wait_until(lambda: one.attempts >= 3)
    (line,) = edge.lines
    assert line.startswith("a locked screen is not noticed here (a: gone; b: gone); ")
    assert "wellbeing edge lock, and then: wellbeing edge unlock" in line
    assert edge.obeyed == []


async def test_one_source_is_enough_and_a_lost_one_stays_locked_until_it_is_back():
    edge, one, other = FakeEdge(Channel.HEART), Lock("a"), Lock("b")
    other.failure.set()
    async with running(DeskWatch([one, other], None, 0), edge):
        await wait_until(lambda: other.attempts >= 3)
        assert edge.lines == []
        one.told("a", True)
        await wait_until(lambda: edge.obeyed == ["lock"])
        one.failure.set()
        await wait_until(lambda: one.attempts >= 3)
        assert edge.obeyed == ["lock"]
        assert len(edge.lines) == 1
        one.failure.clear()
        await wait_until(lambda: edge.obeyed == ["lock", "unlock"])


async def test_idle_is_like_locked_and_ends_with_a_touch():
    edge, idle, now = FakeEdge(Channel.POINTER), Idle(), [1000.0]
    companion = DeskWatch([], idle, 600.0, lambda: now[0])
    async with running(companion, edge):
        idle.value_s = 599.0
        await wait_until(lambda: idle.asked >= 2)
        assert edge.obeyed == []
        now[0], idle.value_s = 1001.0, 600.0
        await wait_until(lambda: edge.obeyed == ["lock"])
        idle.value_s = 0.0
        await wait_until(lambda: edge.obeyed == ["lock", "unlock"])
    assert edge.lines == ["nobody at the desk; nothing is measured until you are back"]
    assert idle.closed


async def test_on_a_call_nobody_is_idle():
    edge, idle = FakeEdge(Channel.KEYBOARD), Idle()
    companion = DeskWatch([], idle, 600.0, lambda: 1000.0)
    companion.take_told(ContextMessage(at=edge.now_at(), state=ContextState.ON_CALL))
    idle.value_s = 1e6
    async with running(companion, edge):
        await wait_until(lambda: idle.asked >= 5)
    assert edge.obeyed == []


@pytest.mark.parametrize("allowed", [(), (Channel.HEART, Channel.VOICE)])
async def test_hands_that_may_not_be_measured_are_not_looked_at(allowed):
    """T6: not even how long they rest."""
    edge, idle, looks = FakeEdge(*allowed), Idle(), []
    idle.value_s = 1e6

    def now_s() -> float:
        looks.append(1)
        return 1000.0

    async with running(DeskWatch([], idle, 600.0, now_s), edge):
        await wait_until(lambda: len(looks) >= 5)
    assert idle.asked == 0
    assert edge.obeyed == []


async def test_idle_time_nobody_knows_is_said_once_and_nobody_is_away():
    edge, idle = FakeEdge(Channel.KEYBOARD), Idle()
    idle.value_s = -1.0
    async with running(DeskWatch([], idle, 600.0), edge):
        await wait_until(lambda: idle.asked >= 5)
    assert edge.lines == ["how long you are away is not noticed here (nobody knows)"]
    assert edge.obeyed == []


async def test_idle_time_that_may_mean_nothing_is_said_once_and_used():
    edge, idle = FakeEdge(Channel.KEYBOARD), Idle()
    idle.doubt, idle.value_s = "unless somebody says", 1e6
    async with running(DeskWatch([], idle, 600.0), edge):
        await wait_until(lambda: edge.obeyed == ["lock"])
    assert edge.lines[0] == "how long you are away is not noticed here (unless somebody says)"


async def test_a_full_disk_is_said_and_the_lock_holds():
    edge, lock = FakeEdge(Channel.HEART), Lock()
    edge.disk_is_full = True
    async with running(DeskWatch([lock], None, 0), edge):
        await wait_until(lambda: lock.told)
        lock.told("test", True)
        await wait_until(lambda: edge.lines)
        lock.told("test", False)
        await wait_until(lambda: edge.obeyed == ["lock", "unlock"])
    assert "free space" in edge.lines[0]


async def test_a_polled_lock_tells_of_changes_only():
    answers, told = iter([False, False, True, True, False]), []
    source = PolledLock("poll", lambda: next(answers), every_s=0)
    with pytest.raises(RuntimeError, match="StopIteration"):
        await source.watch(lambda name, locked: told.append((name, locked)))
    assert told == [("poll", False), ("poll", True), ("poll", False)]


class Keys:
    def __init__(self) -> None:
        self.pressed = None
        self.failure: Exception | None = None
        self.attempts = 0

    async def watch(self, pressed) -> None:
        self.attempts += 1
        self.pressed = pressed
        if self.failure:
            raise self.failure
        await asyncio.Event().wait()


async def test_the_key_pauses_and_resumes_and_says_so():
    edge, keys = FakeEdge(), Keys()
    async with running(PauseKey(parse_combination("<ctrl>+<alt>+p"), keys), edge):
        await wait_until(lambda: keys.pressed)
        keys.pressed()
        await wait_until(lambda: edge.obeyed == ["pause"])
        assert Reason.PAUSED in edge.permission.reasons
        keys.pressed()
        await wait_until(lambda: edge.obeyed == ["pause", "resume"])
        await wait_until(lambda: len(edge.lines) == 2)
    assert edge.lines == [
        "paused by <ctrl>+<alt>+p; press it again to go on",
        "going on, by <ctrl>+<alt>+p",
    ]


async def test_a_key_that_cannot_be_had_here_is_said_once_with_another_way():
    edge, keys = FakeEdge(), Keys()
    keys.failure = DeviceError("no display")
    async with running(PauseKey(parse_combination("<pause>"), keys), edge):
        await wait_until(lambda: keys.attempts >= 3)
    assert edge.lines == [
        "the hotkey <pause> does not work here: no display; use: wellbeing edge pause"
    ]


async def test_a_key_that_another_program_holds_is_yours_to_mend():
    keys = Keys()
    keys.failure = ConfigurationError("[edge] hotkey is '<pause>'; another program holds it")
    with pytest.raises(ConfigurationError, match="another program holds it"):
        await PauseKey(parse_combination("<pause>"), keys).run(FakeEdge())


@pytest.mark.parametrize("is_idle_first", [True, False])
async def test_a_touch_does_not_end_the_lock_that_a_screen_locker_asked_for(is_idle_first):
    """The touch is the password for the locker: `wellbeing edge lock; swaylock; ... unlock`."""
    edge, idle, now = FakeEdge(Channel.KEYBOARD), Idle(), [1000.0]
    async with running(DeskWatch([], idle, 600.0, lambda: now[0]), edge):
        if not is_idle_first:
            await edge.obey("lock")
        now[0], idle.value_s = 1e7, 1e6
        await wait_until(lambda: edge.obeyed.count("lock") == 1 + (not is_idle_first))
        if is_idle_first:
            await edge.obey("lock")
        idle.value_s = 0.0
        await wait_until(lambda: edge.obeyed[-1] == "unlock")
        assert Reason.LOCKED in edge.permission.reasons
        await edge.obey("unlock")
        assert not edge.permission.reasons


async def test_a_lock_that_was_only_asked_for_leaves_idleness_alone():
    """Unlocked by hand, with a request that no source ever takes back."""
    edge, lock, idle, now = FakeEdge(Channel.KEYBOARD), Lock(), Idle(), [1000.0]
    async with running(DeskWatch([lock], idle, 600.0, lambda: now[0]), edge):
        await wait_until(lambda: lock.told)
        lock.told("request", True)
        await wait_until(lambda: edge.obeyed == ["lock"])
        await edge.obey("unlock")
        now[0], idle.value_s = 1e7, 1e6
        await wait_until(lambda: Reason.LOCKED in edge.permission.reasons)
        idle.value_s = 0.0
        await wait_until(lambda: not edge.permission.reasons)


@pytest.mark.parametrize("event", [Event.PAUSE, Event.SHIFT_ENDS, Event.BREAK_BEGINS])
async def test_hands_at_rest_are_not_looked_at_while_nothing_may_be_measured(event):
    edge, idle, looks = FakeEdge(Channel.KEYBOARD), Idle(), []
    edge.permission = edge.permission.after(event)
    idle.value_s = 1e6

    def now_s() -> float:
        looks.append(1)
        return 1000.0

    async with running(DeskWatch([], idle, 600.0, now_s), edge):
        await wait_until(lambda: len(looks) >= 5)
    assert (idle.asked, edge.obeyed, edge.lines) == (0, [], [])
