"""The collector on a bad day: drops, silence, calls that hang, and eight hours of it."""

from __future__ import annotations

import asyncio
import gc
from contextlib import aclosing
from random import Random

import pytest

from sensors.collector import Note, Reading
from sensors.errors import DeviceError
from sensors.heart_rate import bounded
from sensors.heart_rate import radio as production_radio
from sensors.heart_rate.bluetooth import create
from sensors.heart_rate.bounded import MOST_LEFT
from sensors.heart_rate.radio import Near
from sensors.messages import Absence
from tests.rig import wait_until_async
from tests.sensors.heart_rate import drops
from tests.sensors.heart_rate.watching import (
    DISCONNECTED,
    NOT_WORN,
    OK,
    PATIENCE_S,
    TAKEN_OFF,
    beat,
    collector,
    is_beat,
    is_link,
    until,
)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up on the system's calls in a second: less may pass on a busy machine without a fault."""
    monkeypatch.setattr(bounded, "GRACE_S", 0.2)
    for limit in ("_START_S", "_STOP_S", "_READ_S", "_DISCONNECT_S"):
        monkeypatch.setattr(production_radio, limit, 1.0)


async def test_a_dropped_link_comes_back(radio, clock):
    headset = await radio.headset()
    source = collector(radio)
    async with aclosing(source.readings(clock)) as found:
        for _ in range(3):
            await beat(found, headset)
            await headset.drop()
            assert (await until(found, is_link))[-1] == DISCONNECTED
        assert (await beat(found, headset))[0] == OK
    assert source.connections == 4


async def test_drops_at_random_moments_heal_and_nothing_hangs():
    found, source = await drops.measure(10, seed=5, longest_away_s=0.3)
    assert len(found) == 10
    assert source.connections >= 10
    assert source.overrun == 0


async def test_notifications_that_nobody_fetched_are_counted_and_told():
    source = create({"address": "C4:F2:17:1A:1D:01"})
    waiting = asyncio.Queue(2)
    for n in range(5):
        source._put(waiting, (bytes([0x00, 60 + n]), 0.0))
    near = Near("C4:F2:17:1A:1D:01", frozenset(), True, -50, device=None)
    async with aclosing(source._follow(near, waiting)) as found:
        assert await anext(found) == Note(lost=3)
        rate = (await until(found, lambda item: isinstance(item, Reading)))[-1]
        assert rate.value == 63.0
    assert source.overrun == 3


async def test_what_makes_no_sense_is_counted_and_told():
    """Cut short, and a rate that no heart has; what came right is read all the same."""
    source = create({"address": "C4:F2:17:1A:1D:01"})
    waiting = asyncio.Queue()
    for data in (b"\x01", b"\x00", bytes([0x00, 255]), bytes([0x00, 63])):
        source._put(waiting, (data, 0.0))
    near = Near("C4:F2:17:1A:1D:01", frozenset(), True, -50, device=None)
    told = 0
    async with aclosing(source._follow(near, waiting)) as found:
        async for item in found:
            told += item.unreadable if isinstance(item, Note) else 0
            if isinstance(item, Reading):
                break
    assert item.value == 63.0
    assert told == 3


async def test_connected_but_silent_is_dead(radio, clock):
    headset = await radio.headset()
    source = collector(radio, silence_s=1.0)
    async with aclosing(source.readings(clock)) as found:
        await beat(found, headset)
        # Nothing more is sent; nonsense is no sign of life either.
        nonsense = asyncio.create_task(headset.notify(b"\x01"))
        seen = await until(found, is_link)
        await nonsense
        assert seen == [DISCONNECTED]
        await beat(found, headset)
    assert source.session.malformed == 1
    assert source.connections >= 2


async def test_talking_without_a_beat_is_dead_too(radio, clock):
    headset = await radio.headset()
    source = collector(radio, silence_s=1.0)
    async with aclosing(source.readings(clock)) as found:
        await beat(found, headset)
        talk = asyncio.create_task(chatter(headset, bytes([0b00110, 0])))
        assert (await until(found, is_link))[-1].state == Absence.POOR
        assert (await until(found, is_link))[-1] == DISCONNECTED
        talk.cancel()
        await asyncio.wait({talk})


async def test_a_headset_on_the_desk_is_left_alone(radio, clock):
    headset = await radio.headset()
    source = collector(radio, silence_s=3.0)  # longer than a busy machine stops for
    async with aclosing(source.readings(clock)) as found:
        await beat(found, headset)
        talk = asyncio.create_task(chatter(headset, TAKEN_OFF))
        assert (await until(found, is_link))[-1] == NOT_WORN
        for _ in range(100):  # five seconds of them at least
            await anext(found)
        talk.cancel()
        await asyncio.wait({talk})
        await beat(found, headset)
    assert source.connections == 1


async def chatter(headset, data: bytes) -> None:
    while True:
        await headset.notify(data)
        await asyncio.sleep(0.05)


async def test_one_that_vanishes_during_discovery(radio, clock):
    headset = await radio.headset()
    radio.stack.during["discover"] = headset.walk_away
    source = collector(radio)
    async with aclosing(source.readings(clock)) as found:
        first = asyncio.ensure_future(beat(found, headset))
        await wait_until_async(lambda: not radio.stack.during, what="it vanished in discovery")
        assert not first.done()
        await headset.advertise()
        await first
    assert source.connections == 1


@pytest.mark.parametrize("call", ["connect", "discover", "subscribe", "disconnect"])
@pytest.mark.usefixtures("impatient")
async def test_a_call_that_hangs_once_does_not_hang_the_collector(radio, clock, call):
    headset = await radio.headset()
    radio.stack.hanging = {call}
    source = collector(radio, connect_s=1.0)
    async with aclosing(source.readings(clock)) as found:
        if call == "disconnect":
            await beat(found, headset)
            await headset.drop()
        first = asyncio.ensure_future(beat(found, headset))
        await wait_until_async(lambda: radio.calls.hung, what=f"{call} was left behind")
        radio.stack.hanging.clear()
        radio.stack.released.set()
        await first


@pytest.mark.usefixtures("impatient")
async def test_a_link_lost_while_connecting_ends_the_attempt_at_once(radio, clock):
    headset = await radio.headset()
    radio.stack.hanging = {"discover"}
    async with aclosing(collector(radio, connect_s=600.0).readings(clock)) as found:
        first = asyncio.ensure_future(beat(found, headset))
        await wait_until_async(lambda: headset.connections, what="it is being connected to")
        await headset.drop()
        await wait_until_async(lambda: radio.calls.hung, what="the attempt was given up")
        radio.stack.hanging.clear()
        radio.stack.released.set()
        await first


@pytest.mark.parametrize("call", ["scan", "stop", "connected"])
@pytest.mark.usefixtures("impatient")
async def test_searching_that_hangs_is_said_or_survived(radio, clock, call):
    headset = await radio.headset()
    radio.stack.hanging = {call}
    async with aclosing(collector(radio).readings(clock)) as found:
        if call == "scan":
            with pytest.raises(DeviceError, match="Bluetooth cannot be used: no answer"):
                await anext(found)
        else:
            await beat(found, headset)


@pytest.mark.usefixtures("impatient")
async def test_a_stack_that_stays_dead_is_an_error_and_fills_no_memory(radio, clock):
    await radio.headset()
    radio.stack.hanging = {"connect"}
    async with aclosing(collector(radio, connect_s=0.05).readings(clock)) as found:
        with pytest.raises(DeviceError, match="Bluetooth does not answer"):
            await anext(found)
    async with aclosing(collector(radio).readings(clock)) as found:
        with pytest.raises(DeviceError, match="restart its service"):
            await anext(found)
    assert radio.calls.hung == MOST_LEFT


@pytest.mark.usefixtures("impatient")
async def test_closing_ends_in_time_though_disconnecting_hangs(radio, clock):
    headset = await radio.headset()
    found = collector(radio).readings(clock)
    await beat(found, headset)
    radio.stack.hanging = {"disconnect"}
    async with asyncio.timeout(PATIENCE_S):
        await found.aclose()
    assert radio.calls.hung == 1


class FastClock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic_s(self) -> float:
        return self.now_s


HOURS = 8
BATCH_S = 4.0  # as late as devices are known to send what they gathered
HELD_S = 0.9  # the last beats before a batch are sent with the next
FAST = 1.0 + 50e-6  # the headset's crystal runs 50 ppm fast


async def test_eight_hours_in_seconds(radio):
    """Every beat arrives once, at its time, and nothing grows."""
    headset, clock, random = await radio.headset(), FastClock(), Random(8)
    source = collector(radio, silence_s=60.0)
    sent = lost = 0
    worst_s, beat_s, sizes = 0.0, clock.now_s, []
    async with aclosing(source.readings(clock)) as found:
        for _ in range(HOURS):
            for _ in range(int(3600 / BATCH_S)):
                clock.now_s += BATCH_S
                units, true_s = [], []
                while beat_s < clock.now_s - HELD_S:
                    rr_s = random.randint(700, 900) / 1024
                    units.append(round(rr_s * 1024 * FAST))
                    beat_s += rr_s
                    true_s.append(beat_s)
                data = bytes([0b10110, 75]) + b"".join(u.to_bytes(2, "little") for u in units)
                sender = asyncio.create_task(headset.notify(data))
                async with asyncio.timeout(PATIENCE_S):
                    for at_s in true_s:
                        while not is_beat(placed := await anext(found)):
                            pass
                        worst_s = max(worst_s, abs(placed.at_monotonic_s - at_s))
                await sender
                sent += len(units)
            await headset.drop()  # and once an hour the radio fails
            lost += (await until(found, is_link))[-1] == DISCONNECTED
            gc.collect()
            sizes.append(len(gc.get_objects()))
    assert lost == HOURS
    assert source.connections == HOURS
    assert source.overrun == source.session.malformed == source.session.implausible == 0
    assert worst_s < HELD_S + 0.1  # what the headset holds back cannot be known here
    # The virtual radio keeps a little for every connection; one object a notification is a leak.
    assert sizes[-1] - sizes[1] < 3000, sizes
