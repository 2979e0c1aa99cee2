"""What the tests of the collector share: a quick collector, and waiting for an item."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from sensors.collector import Link, Note, Reading
from sensors.heart_rate.bluetooth import BleakCollector
from sensors.heart_rate.settings import HeartRateSettings
from sensors.messages import Absence
from sensors.signals import Channel
from tests.sensors.heart_rate.virtual_radio import Peripheral, VirtualRadio

Item = Reading | Link | Note

WORN = bytes([0b10110, 72, 0x00, 0x04])  # contact, 72 bpm, one interval of 1000 ms
TAKEN_OFF = bytes([0b00100, 0])
OK = Link(Channel.HEART, "ok")
NOT_WORN = Link(Channel.HEART, Absence.NOT_WORN)
DISCONNECTED = Link(Channel.HEART, Absence.DISCONNECTED)
PATIENCE_S = 60  # only a hang reaches it


def collector(radio: VirtualRadio, **options) -> BleakCollector:
    quick = {
        "allow_unencrypted": True,
        "scan_s": 0.3,
        "silence_s": 20.0,
        "backoff_cap_s": 0.05,
    } | options
    return BleakCollector(HeartRateSettings(**quick), radio=radio.radio)


async def until(found: AsyncIterator[Item], wanted: Callable[[Item], bool]) -> list[Item]:
    """Return everything but notes up to the first item that `wanted` says yes to."""
    seen = []
    async with asyncio.timeout(PATIENCE_S):
        async for item in found:
            if not isinstance(item, Note) or wanted(item):
                seen.append(item)
            if wanted(item):
                return seen
    raise AssertionError(seen)


def is_beat(item: Item) -> bool:
    return isinstance(item, Reading) and item.signal == "rr_ms"


def is_link(item: Item) -> bool:
    return isinstance(item, Link)


async def beat(found: AsyncIterator[Item], headset: Peripheral, data: bytes = WORN) -> list[Item]:
    """Have `headset` send `data` and return everything up to the beat in it."""
    sender = asyncio.create_task(headset.notify(data))
    seen = await until(found, is_beat)
    await sender
    return seen
