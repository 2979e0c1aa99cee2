"""The production collector over real ATT and GATT, on a virtual radio: what it finds and says."""

from __future__ import annotations

import asyncio
import sys
from contextlib import aclosing

import pytest

from sensors.collector import Collector, Link, Note, Reading
from sensors.errors import ConfigurationError, DeviceError
from sensors.heart_rate.bluetooth import create
from sensors.heart_rate.claimed import Claimed, ClaimFile
from sensors.heart_rate.radio import Radio
from sensors.signals import Channel
from tests.rig import wait_until_async
from tests.sensors.heart_rate.test_measurement import COMBINATIONS, encode
from tests.sensors.heart_rate.watching import (
    NOT_WORN,
    OK,
    PATIENCE_S,
    TAKEN_OFF,
    WORN,
    beat,
    collector,
    is_link,
    until,
)


async def test_notifications_arrive_as_readings(radio, clock):
    headset = await radio.headset()
    async with aclosing(collector(radio).readings(clock)) as found:
        seen = await beat(found, headset)
    assert seen[0] == OK
    assert [(r.signal, r.value) for r in seen[1:]] == [
        ("contact", 1.0),
        ("hr_bpm", 72.0),
        ("rr_ms", 1000.0),
    ]
    assert abs(seen[-1].at_monotonic_s - clock.monotonic_s()) < PATIENCE_S
    await wait_until_async(lambda: not headset.connections, what="closing lets the headset go")


async def test_every_combination_of_flags_over_the_air(radio, clock):
    headset = await radio.headset()
    async with aclosing(collector(radio).readings(clock)) as found:
        await beat(found, headset)
        for wide, contact, energy, rr in COMBINATIONS:
            data = encode(wide, contact, energy, rr)
            # The mark that follows every one is worn, and nothing else has its rate.
            sender = asyncio.create_task(send(headset, data, bytes([0b00110, 99])))
            seen = await until(
                found, lambda i: isinstance(i, Reading) and (i.signal, i.value) == ("hr_bpm", 99.0)
            )
            await sender
            assert told(seen) == expected(wide, contact, rr), (wide, contact, energy, rr)


async def send(headset, *notifications: bytes) -> None:
    for data in notifications:
        await headset.notify(data)


def told(seen) -> list[tuple[str, float]]:
    """Return the readings before those of the mark."""
    return [(i.signal, i.value) for i in seen if isinstance(i, Reading)][:-2]


def expected(wide: bool, contact: bool | None, rr: tuple[int, ...]) -> list[tuple[str, float]]:
    told = [] if contact is None else [("contact", float(contact))]
    if contact is False:
        return told
    told += [] if wide else [("hr_bpm", 61.0)]  # 300/min is no heart rate
    return told + [("rr_ms", units / 1.024) for units in rr if 200 <= units / 1.024 <= 3000]


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
        async with asyncio.timeout(PATIENCE_S):
            assert headset.address in (await first).text
        await beat(found, headset)


async def test_a_headset_that_the_system_is_connected_to_is_found(radio, clock):
    headset = await radio.headset()
    await radio.hold(headset)
    await headset.vanish()
    async with aclosing(collector(radio).readings(clock)) as found:
        await beat(found, headset)


# Which one.


async def test_another_agents_headset_is_never_taken_by_mistake(radio, clock):
    headsets = [await radio.headset(), await radio.headset()]
    async with aclosing(collector(radio, name="Headset", scan_s=1.0).readings(clock)) as found:
        with pytest.raises(DeviceError, match=r"2 headsets fit; run: wellbeing edge cl") as error:
            await anext(found)
    assert all(headset.address in str(error.value) for headset in headsets)
    assert "[edge.options.heart_rate] address" in str(error.value)
    assert "\n" not in str(error.value)
    assert not headsets[0].connections + headsets[1].connections


@pytest.mark.parametrize("by", ["address", "name", "claim"])
async def test_the_configured_headset_is_taken(radio, clock, tmp_path, by):
    await radio.headset("Other")
    mine = await radio.headset("Mine")
    file = ClaimFile(tmp_path / "headset.json")
    file.save(Claimed(address=mine.address))
    chosen = {
        "address": {"address": mine.address.lower()},
        "name": {"name": "Mine"},
        "claim": {"claim_path": str(tmp_path / "headset.json"), "name": "Other"},
    }[by]
    async with aclosing(collector(radio, **chosen).readings(clock)) as found:
        await beat(found, mine)
        assert len(mine.connections) == 1


async def test_a_headset_that_nobody_chose_is_named_aloud(radio, clock):
    headset = await radio.headset()
    async with aclosing(collector(radio).readings(clock)) as found:
        note = await anext(found)
        assert note == Note(
            f"reading headset Headset ({headset.address}); not yours? run: wellbeing edge claim",
            f"Headset ({headset.address})",
        )


@pytest.mark.parametrize(("by", "aloud"), [("claim", 1), ("address", 0)])
async def test_a_claim_of_another_day_is_named_aloud_once(radio, clock, tmp_path, by, aloud):
    """A headset of a pool may be on another head today; one in the configuration is one's own."""
    headset = await radio.headset()
    path = tmp_path / "headset.json"
    if by == "claim":
        ClaimFile(path).save(Claimed(address=headset.address))
    chosen = {"claim_path": str(path)} if by == "claim" else {"address": headset.address}
    said = []

    async def overheard(items):
        async for item in items:
            said.append(item)
            yield item

    async with aclosing(collector(radio, **chosen).readings(clock)) as found:
        items = overheard(found)
        for _ in range(2):
            await beat(items, headset)
            await headset.drop()
            await until(items, is_link)
    assert len([i for i in said if isinstance(i, Note) and "not yours?" in i.text]) == aloud


async def test_after_a_drop_the_same_one_is_taken_though_another_is_near(radio, clock):
    mine = await radio.headset()
    async with aclosing(collector(radio).readings(clock)) as found:
        await beat(found, mine)
        other = await radio.headset()
        await mine.drop()
        await beat(found, mine)
        assert not other.connections


async def test_a_new_claim_is_obeyed_while_another_headset_is_read(
    radio, clock, tmp_path, monkeypatch
):
    monkeypatch.setattr("sensors.heart_rate.bluetooth._CLAIM_EVERY_S", 0.0)
    first, second = await radio.headset("One"), await radio.headset("Two")
    path = tmp_path / "headset.json"
    ClaimFile(path).save(Claimed(address=first.address))
    async with aclosing(collector(radio, claim_path=str(path)).readings(clock)) as found:
        await beat(found, first)
        ClaimFile(path).save(Claimed(address=second.address))
        sender = asyncio.create_task(first.notify(WORN))
        await beat(found, second)
        await sender
        await wait_until_async(lambda: not first.connections, what="the first is let go")


async def test_a_device_without_the_service_says_what_to_do(radio, clock):
    await radio.headset(heart_rate=False)
    async with aclosing(collector(radio).readings(clock)) as found:
        with pytest.raises(DeviceError, match="offers no heart rate; switch its heart-rate"):
            await anext(found)


# Encryption.


async def test_an_unencrypted_link_needs_permission_so_it_is_paired_first(radio, clock):
    headset = await radio.headset()
    async with aclosing(collector(radio, allow_unencrypted=False).readings(clock)) as found:
        await beat(found, headset)
    assert headset.was_encrypted == [True]


async def test_with_permission_nothing_is_paired(radio, clock):
    headset = await radio.headset()
    async with aclosing(collector(radio, allow_unencrypted=True).readings(clock)) as found:
        await beat(found, headset)
    assert headset.was_encrypted == [False]


async def test_a_headset_that_refuses_to_pair_is_not_read_and_the_key_is_named(radio, clock):
    headset = await radio.headset()
    headset.refuse_pairing()
    async with aclosing(collector(radio, allow_unencrypted=False).readings(clock)) as found:
        with pytest.raises(DeviceError, match="could not be paired") as error:
            await anext(found)
    assert "[edge.options.heart_rate] allow_unencrypted = true" in str(error.value)
    assert "\n" not in str(error.value)
    assert not headset.was_encrypted


async def test_on_windows_services_are_not_taken_from_its_cache(radio, clock):
    headset = await radio.headset()
    async with aclosing(collector(radio).readings(clock)) as found:
        await beat(found, headset)
    (options,) = radio.stack.client_options
    assert options["winrt"] == {"use_cached_services": False}
    assert {uuid[4:8] for uuid in options["services"]} == {"180d", "180f", "180a"}


# What it says about itself.


async def test_model_firmware_and_battery_are_shown_and_the_serial_number_is_not_read(radio, clock):
    headset = await radio.headset(
        "Clip",
        battery=True,
        information={
            "manufacturer_name": "Acme",
            "model_number": "Clip 2",
            "serial_number": "SN-0001",
            "firmware_revision": "1.4",
        },
    )
    async with aclosing(collector(radio).readings(clock)) as found:
        await until(found, lambda i: isinstance(i, Note) and "battery" in (i.device or ""))
        seen = await beat(found, headset)
        await headset.notify_battery(12)
        low = await until(found, lambda i: isinstance(i, Note) and "low" in i.text)
        for percent in (14, 11, 9):
            await headset.notify_battery(percent)
        (nine,) = await until(found, lambda i: isinstance(i, Note) and "9 %" in (i.device or ""))
    shown = f"Clip ({headset.address}), Acme Clip 2, firmware 1.4, battery"
    assert low == [Note("headset battery is low: 12 %", f"{shown} 12 %")]
    assert nine == Note("", f"{shown} 9 %")
    assert "2A25" not in headset.reads
    assert len(headset.reads) == 3
    assert "SN-0001" not in str(seen)


async def test_after_a_minute_in_vain_the_agent_is_told_once(radio, clock, monkeypatch):
    monkeypatch.setattr("sensors.heart_rate.bluetooth._VAIN_S", 0.0)
    source = collector(radio, name="Mine", scan_s=0.02)
    looks, look = [], Radio.look

    async def counted(*arguments, **options):
        looks.append(arguments)
        return await look(*arguments, **options)

    monkeypatch.setattr(Radio, "look", counted)
    async with aclosing(source.readings(clock)) as found:
        note = await anext(found)
        begun = len(looks)
        again = asyncio.ensure_future(anext(found))
        await wait_until_async(lambda: len(looks) > begun + 8, what="more looks in vain")
        assert not again.done()
        again.cancel()
        await asyncio.wait({again})
    assert note.text.startswith("headset not found (Mine)")


# The rest.


async def test_closing_while_it_searches_stops_at_once(radio, clock):
    found = collector(radio, scan_s=60.0).readings(clock)
    first = asyncio.ensure_future(anext(found))
    await wait_until_async(lambda: radio.central.is_scanning)
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
        ConfigurationError,
        match=r"\[edge\.options\.heart_rate\] unknown key 'nam'; did you mean 'name'",
    ):
        create({"nam": "Mine"})
    with pytest.raises(ConfigurationError, match=r"scan_s is -1.*expected 0 to 600"):
        create({"scan_s": -1.0})
