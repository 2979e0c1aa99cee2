"""A link that drops at random moments: also in the middle of connecting and discovering."""

from __future__ import annotations

import asyncio
import itertools
import time
from contextlib import aclosing
from dataclasses import dataclass
from random import Random

from sensors.heart_rate.bluetooth import BleakCollector
from sensors.heart_rate.settings import HeartRateSettings
from tests.rig.clocks import RealClock
from tests.sensors.heart_rate.virtual_radio import Peripheral, VirtualRadio
from tests.sensors.heart_rate.watching import is_beat

LATENCY_S = {"connect": 0.2, "discover": 0.3, "subscribe": 0.1}
"""What real stacks take at the least; the virtual one is done in milliseconds."""

_SEND_S = 0.1  # quicker than a headset, so that its own cadence is not measured


@dataclass(frozen=True)
class Drop:
    """One drop.

    Parameters
    ----------
    away_s : float
        How long the headset was out of reach.
    recovery_s : float
        From its return to the next beat.
    moment_s : float
        How long after the beat before, or after its last return, it dropped.
    """

    away_s: float
    recovery_s: float
    moment_s: float


async def measure(
    count: int, seed: int, *, longest_away_s: float, shortest_away_s: float = 0.0, **options: float
) -> tuple[list[Drop], BleakCollector]:
    """Return `count` drops and how long each took to heal.

    Every second drop comes while beats flow, the others up to a second after
    the headset's return, when the collector is searching, connecting,
    discovering or subscribing. With `shortest_away_s` all come while beats flow.
    """
    random = Random(seed)
    radio = VirtualRadio()
    await radio.start()
    radio.stack.latency_s = LATENCY_S
    headset = await radio.headset()
    settings = HeartRateSettings(allow_unencrypted=True, address=headset.address, **options)
    source = BleakCollector(settings, radio=radio.radio, random=Random(seed))
    beats = asyncio.Queue[float]()
    tasks = [
        asyncio.create_task(_collect(source, beats)),
        asyncio.create_task(_send(headset)),
    ]
    drops = []
    try:
        await _next(beats, tasks)
        for number in range(count):
            moment_s = random.uniform(0.0, 0.5 if number % 2 else 1.0)
            if (
                number % 2 == 0 and not shortest_away_s
            ):  # at once after a return: likely before the first beat
                await headset.walk_away()
                await headset.advertise()
            await asyncio.sleep(moment_s)
            await headset.walk_away()
            away_s = random.uniform(shortest_away_s, longest_away_s)
            await asyncio.sleep(away_s)
            while not beats.empty():
                beats.get_nowait()
            back_s = time.perf_counter()
            await headset.advertise()
            drops.append(Drop(away_s, await _next(beats, tasks) - back_s, moment_s))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await radio.stop()
    return drops, source


async def _next(beats: asyncio.Queue[float], tasks: list[asyncio.Task[None]]) -> float:
    """Return when the next beat came; raise what ended the collector, if that did."""
    beat = asyncio.create_task(beats.get())
    await asyncio.wait({beat, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    if not beat.done():
        beat.cancel()
        for task in tasks:
            if task.done():
                task.result()
        raise AssertionError("the collector ended")
    return beat.result()


async def _collect(source: BleakCollector, beats: asyncio.Queue[float]) -> None:
    async with aclosing(source.readings(RealClock())) as found:
        async for item in found:
            if is_beat(item):
                beats.put_nowait(time.perf_counter())


async def _send(headset: Peripheral) -> None:
    for beat in itertools.count():  # never twice the same interval: that is no heart
        if headset.subscribed.is_set():
            await headset.notify(bytes([0b10110, 72, beat % 50, 4]))
        await asyncio.sleep(_SEND_S)
