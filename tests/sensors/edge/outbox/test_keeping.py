"""A disk that takes its time: nothing waits for it but windows, and those only as long as they may."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sensors.edge.companion import Companion
from sensors.edge.consent.file import ConsentFile
from sensors.edge.control.forgetting import forget
from sensors.edge.outbox import keeping
from sensors.edge.outbox.keeping import Keeper
from sensors.edge.outbox.outbox import Key, Outbox
from sensors.errors import StateError
from sensors.messages import ReadingMessage
from sensors.signals import Channel
from tests.rig.waiting import wait_until_async as wait_until
from tests.sensors.edge.outbox.test_outbox import CIPHER, NOW, window
from tests.sensors.edge.scripted import Scripted
from tests.sensors.edge.standin import StandIn

RUN = window().run
MOST = 4
BOTH = (Channel.HEART, Channel.KEYBOARD)


class Told:
    """Stands in for the publisher and whoever else is told what was kept."""

    def __init__(self) -> None:
        self.keys: list[Key] = []
        self.windows: list[ReadingMessage] = []
        self.lines: list[str] = []
        self.refusals = 0

    def kept(self, keys: list[Key], dropped: list[Key]) -> None:
        self.keys = [key for key in (*self.keys, *keys) if key not in dropped]

    def forget(self) -> None:
        self.keys = []

    def refused(self) -> None:
        self.refusals += 1


@contextmanager
def slow(owner: Any, name: str) -> Iterator[tuple[threading.Event, threading.Event]]:
    """Have a method wait for the second event, after it set the first."""
    real: Callable[..., object] = getattr(owner, name)
    reached, goes_on = threading.Event(), threading.Event()

    def waiting(*given: object, **named: object) -> object:
        reached.set()
        goes_on.wait()
        return real(*given, **named)

    setattr(owner, name, waiting)
    try:
        yield reached, goes_on
    finally:
        goes_on.set()
        setattr(owner, name, real)


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    made = Outbox(tmp_path / "outbox-pc.sqlite", CIPHER)
    yield made
    made.close()


@pytest.fixture
async def running(outbox: Outbox, monkeypatch):
    """A keeper that runs, and what it told."""
    monkeypatch.setattr(keeping, "_MOST_CLOSED", MOST)
    told = Told()
    keeper = Keeper(
        outbox, told, lambda: NOW, told.lines.append, kept=told.windows.append, refused=told.refused
    )
    task = asyncio.create_task(keeper.run())
    yield keeper, told
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def taken(keeper: Keeper, count: int) -> None:
    for _ in range(count):
        keeper.take(window(seq=keeper.next_seq))


@pytest.mark.parametrize("where", ["before", "within"])
async def test_what_was_on_its_way_to_the_disk_is_not_written_after_it_was_erased(
    outbox: Outbox, running, where: str
) -> None:
    """T11: before it has the disk, or while the disk takes its time."""
    keeper, told = running
    owner, name = (keeper, "_put") if where == "before" else (outbox._file, "guard")
    with slow(owner, name) as (reached, goes_on):
        taken(keeper, 3)
        await wait_until(reached.is_set)
        if where == "before":
            await forget(outbox, (keeper, told), [])
        else:
            erasing = asyncio.create_task(forget(outbox, (keeper, told), []))
            await wait_until(lambda: keeper.waiting == 1)
            setattr(owner, name, type(owner).guard.__get__(owner))
            goes_on.set()
            await erasing
        goes_on.set()
        await wait_until(lambda: not keeper.waiting)
    assert outbox.keys() == []
    assert told.windows == []
    assert told.keys == []
    # And what comes then is kept and told as ever.
    taken(keeper, 2)
    await keeper.finish()
    assert told.keys == outbox.keys()
    assert len(told.keys) == len(told.windows) == 2


async def test_a_number_is_never_given_twice_where_erasing_is_refused(
    outbox: Outbox, running, monkeypatch
) -> None:
    keeper, _ = running
    refuse = StateError("outbox: disk I/O error; free space or mend the disk")

    def refusing(_self: Outbox) -> int:
        raise refuse

    with slow(outbox._file, "guard") as (reached, goes_on):
        taken(keeper, 1)
        await wait_until(reached.is_set)
        monkeypatch.setattr(Outbox, "forget", refusing)
        with pytest.raises(StateError):
            await forget(outbox, (keeper,), [])
        goes_on.set()
        await wait_until(lambda: not keeper.waiting)
    taken(keeper, 2)
    await keeper.finish()
    assert outbox.keys() == [Key(RUN, number) for number in range(3)]


async def test_what_waits_is_bounded_and_what_is_lost_is_counted_and_said_once(
    outbox: Outbox, running
) -> None:
    """An hour of windows; whoever closes the next one never waits (T6, T8)."""
    keeper, told = running
    with slow(outbox._file, "guard") as (reached, _):
        taken(keeper, 1)
        await wait_until(reached.is_set)
        taken(keeper, MOST + 5)
        assert keeper.waiting == MOST + 1
        assert outbox.dropped == 5  # told while the disk still hangs
    await keeper.finish()
    assert (outbox.held, outbox.dropped) == (MOST + 1, 5)
    assert [line for line in told.lines if "for an hour" in line] == told.lines
    assert len(told.lines) == 1


async def test_the_end_waits_for_the_disk_but_not_for_ever(
    outbox: Outbox, running, monkeypatch
) -> None:
    keeper, told = running
    with slow(outbox._file, "guard") as (reached, goes_on):
        taken(keeper, 3)
        await wait_until(reached.is_set)
        ending = asyncio.create_task(keeper.finish())
        await asyncio.sleep(0)
        assert not ending.done()
        goes_on.set()
        await ending
    assert outbox.held == 3
    assert told.lines == []
    monkeypatch.setattr(keeping, "_LAST_WITHIN_S", 0.05)
    with slow(outbox._file, "guard") as (reached, goes_on):
        taken(keeper, 2)
        await keeper.finish()
        assert told.lines == ["the disk does not answer: 2 windows are lost"]


@pytest.mark.needs("mosquitto")
async def test_what_was_closed_before_the_end_is_kept_and_told(mosquitto, run_edge) -> None:
    """Also to the agent's own record: nobody is told goodbye before the last window."""
    windows: list[ReadingMessage] = []

    class Record(Companion):
        def __init__(self) -> None:
            self.is_over = False

        async def run(self, edge) -> None:
            try:
                await super().run(edge)
            finally:
                self.is_over = True

        def take_window(self, message: ReadingMessage) -> None:
            assert not self.is_over
            windows.append(message)

    with StandIn(mosquitto.port):
        async with run_edge(mosquitto.port, BOTH, companions=[Record()]) as edge:
            outbox = edge.process._outbox
            with slow(outbox._file, "guard") as (reached, goes_on):
                await wait_until(reached.is_set)
                await wait_until(lambda: edge.process._keeper.waiting >= 3)
                first, waiting = edge.process._keeper.kept, edge.process._keeper.waiting
                edge.process.stop()
                await wait_until(lambda: not any(one.is_open for one in Scripted.opened))
                goes_on.set()
    assert len(windows) >= first + waiting
    ends = [one.window_end_at for one in windows]
    assert ends == [ends[0] + n * timedelta(seconds=5) for n in range(len(ends))]
    assert not [line for line in edge.lines if "lost" in line]


@pytest.mark.needs("mosquitto")
@pytest.mark.parametrize("command", ["pause", "withdraw"])
async def test_the_device_is_closed_before_the_disk_has_the_word(
    mosquitto, run_edge, command: str
) -> None:
    """T6: within 5 s, whatever the disk does; and what the file says meanwhile is not believed."""
    async with run_edge(mosquitto.port, BOTH) as edge:
        await wait_until(lambda: Scripted.opened and Scripted.opened[-1].is_open)
        with slow(edge.process._choices._file, "change") as (reached, _):
            saving = asyncio.create_task(edge.process.obey(command))
            await wait_until(reached.is_set)
            await wait_until(lambda: not any(one.is_open for one in Scripted.opened))
            edge.process._choices._file._known = None  # as if another edge had written it
            windows = edge.process.report()["windows"]
            await wait_until(lambda: edge.process.report()["windows"] >= windows + 2)
            assert not any(one.is_open for one in Scripted.opened)
            assert not saving.done()
        await saving
        path = edge.process._settings.consent_path
        assert ConsentFile(path).load().withheld(BOTH) == set(BOTH)


@pytest.mark.needs("mosquitto")
async def test_what_was_read_to_be_sent_is_not_sent_after_it_was_erased(
    mosquitto, run_edge
) -> None:
    """T11: the agent was told that what waited to be sent is gone."""
    reached, goes_on = threading.Event(), threading.Event()
    with StandIn(mosquitto.port) as server:
        async with run_edge(mosquitto.port, BOTH) as edge:
            publisher = edge.process._publisher
            real, held_back = publisher._load, []

            def late(keys):
                found = real(keys)
                held_back.extend(keys)
                reached.set()
                goes_on.wait()
                return found

            publisher._load = late
            try:
                await wait_until(reached.is_set)
                await edge.process.obey("forget")
            finally:
                publisher._load = real
                goes_on.set()
            last = held_back[-1].seq
            await wait_until(lambda: any(one.seq > last + 2 for one in server.windows))
        assert not {one.seq for one in server.windows} & {key.seq for key in held_back}
