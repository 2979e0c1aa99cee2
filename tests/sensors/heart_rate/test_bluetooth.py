"""The production collector over real ATT and GATT, on a virtual radio."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from sensors.collector import Collector, Link, Reading
from sensors.errors import ConfigurationError, DeviceError
from sensors.heart_rate.bluetooth import BleakCollector, create
from sensors.heart_rate.settings import HeartRateSettings
from sensors.messages import Absence
from sensors.signals import Channel
from tests.rig import wait_until_async

WORN = bytes([0b10110, 72, 0x00, 0x04])  # contact, 72 bpm, one interval of 1000 ms
TAKEN_OFF = bytes([0b00100, 0])
OK = Link(Channel.HEART, "ok")
NOT_WORN = Link(Channel.HEART, Absence.NOT_WORN)
DISCONNECTED = Link(Channel.HEART, Absence.DISCONNECTED)
PATIENCE_S = 30  # only a hang reaches it


def collector(radio, **options) -> BleakCollector:
    quick = {"scan_s": 0.3, "silence_s": 20.0, "backoff_cap_s": 0.05} | options
    return BleakCollector(
        HeartRateSettings(**quick), scanner_backend=radio.scanner, client_backend=radio.client
    )


async def until(found: AsyncIterator[Reading | Link], wanted) -> list[Reading | Link]:
    """Return everything up to the first item that `wanted` says yes to."""
    seen = []
    async with asyncio.timeout(PATIENCE_S):
        async for item in found:
            seen.append(item)
            if wanted(item):
                return seen
    raise AssertionError(seen)


def is_beat(item: Reading | Link) -> bool:
    return isinstance(item, Reading) and item.signal == "rr_ms"


async def test_notifications_arrive_as_readings(radio, clock):
    headset = await radio.headset()
    async with aclosing(collector(radio).readings(clock)) as found:
        sender = asyncio.create_task(headset.notify(WORN))
        seen = await until(found, is_beat)
        await sender
    assert seen[0] == OK
    assert [(r.signal, r.value) for r in seen[1:]] == [
        ("contact", 1.0),
        ("hr_bpm", 72.0),
        ("rr_ms", 1000.0),
    ]
    assert abs(seen[-1].at_monotonic_s - clock.monotonic_s()) < PATIENCE_S
    await wait_until_async(lambda: not headset.connections, what="closing lets the headset go")


async def test_a_dropped_link_comes_back(radio, clock):
    headset = await radio.headset()
    source = collector(radio)
    async with aclosing(source.readings(clock)) as found:
        for _ in range(5):
            sender = asyncio.create_task(headset.notify(WORN))
            await until(found, is_beat)
            await sender
            await headset.drop()
            assert (await until(found, lambda i: isinstance(i, Link)))[-1] == DISCONNECTED
        sender = asyncio.create_task(headset.notify(WORN))
        assert (await until(found, is_beat))[0] == OK
        await sender
    assert source.connections == 6


async def test_connected_but_silent_is_dead(radio, clock):
    headset = await radio.headset()
    source = collector(radio, silence_s=0.3)
    async with aclosing(source.readings(clock)) as found:
        sender = asyncio.create_task(headset.notify(WORN))
        await until(found, is_beat)
        await sender
        # Nothing more is sent; nonsense is no sign of life either.
        nonsense = asyncio.create_task(headset.notify(b"\x01"))
        seen = await until(found, lambda i: isinstance(i, Link))
        await nonsense
        assert seen == [DISCONNECTED]
        await wait_until_async(lambda: not headset.connections, what="the dead link is closed")
        sender = asyncio.create_task(headset.notify(WORN))
        await until(found, is_beat)
        await sender
    assert source.session.malformed == 1
    assert source.connections >= 2


async def test_taken_off(radio, clock):
    headset = await radio.headset()
    async with aclosing(collector(radio).readings(clock)) as found:
        sender = asyncio.create_task(headset.notify(TAKEN_OFF))
        seen = await until(found, lambda i: isinstance(i, Reading))
        await sender
    assert [i if isinstance(i, Link) else (i.signal, i.value) for i in seen] == [
        NOT_WORN,
        ("contact", 0.0),
    ]


async def test_a_headset_that_appears_later_is_found(radio, clock):
    headset = await radio.headset()
    await headset.vanish()
    async with aclosing(collector(radio).readings(clock)) as found:
        first = asyncio.ensure_future(anext(found))
        await asyncio.sleep(0.5)  # one look around in vain; an event cannot say "nothing was found"
        assert not first.done()
        await headset.advertise()
        sender = asyncio.create_task(headset.notify(WORN))
        async with asyncio.timeout(PATIENCE_S):
            assert await first == OK
        await sender


async def test_another_agents_headset_is_never_taken_by_mistake(radio, clock):
    headsets = [await radio.headset(), await radio.headset()]
    async with aclosing(collector(radio).readings(clock)) as found:
        with pytest.raises(
            DeviceError, match=r"2 headsets fit; set \[heart_rate\] address"
        ) as error:
            await anext(found)
    assert headsets[1].address in str(error.value)
    assert "\n" not in str(error.value)
    assert not headsets[0].connections + headsets[1].connections


@pytest.mark.parametrize("by", ["address", "name"])
async def test_the_configured_headset_is_taken(radio, clock, by):
    await radio.headset("Other")
    mine = await radio.headset("Mine")
    chosen = {"address": mine.address.lower()} if by == "address" else {"name": "Mine"}
    async with aclosing(collector(radio, **chosen).readings(clock)) as found:
        sender = asyncio.create_task(mine.notify(WORN))
        await until(found, is_beat)
        await sender
        assert len(mine.connections) == 1


async def test_closing_while_it_searches_stops_at_once(radio, clock):
    found = collector(radio, scan_s=60.0).readings(clock)
    first = asyncio.ensure_future(anext(found))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    await found.aclose()
    assert not radio.central.is_scanning


@pytest.mark.skipif(sys.platform != "linux", reason="BlueZ is reached over D-Bus on Linux only")
async def test_no_bluetooth_is_one_clear_line(clock, monkeypatch, tmp_path):
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    async with aclosing(create({}).readings(clock)) as found:
        with pytest.raises(DeviceError, match="Bluetooth cannot be used") as error:
            await anext(found)
    assert "\n" not in str(error.value)


def test_create_checks_its_options():
    made = create({"name": "Mine", "silence_s": 10.0})
    assert isinstance(made, Collector)
    assert made.channels == {Channel.HEART}
    with pytest.raises(
        ConfigurationError, match=r"\[heart_rate\] unknown key 'nam'; did you mean 'name'"
    ):
        create({"nam": "Mine"})
    with pytest.raises(ConfigurationError, match=r"scan_s is -1.*expected 0 to 600"):
        create({"scan_s": -1.0})
