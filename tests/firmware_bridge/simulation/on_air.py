"""A simulated headset on the virtual radio."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

from bumble.controller import Controller
from bumble.hci import Address
from bumble.transport.common import AsyncPipeSink

from firmware_bridge.simulation.bluetooth import SimulatedHeadset
from firmware_bridge.simulation.faults import parse_fault
from firmware_bridge.simulation.physiology import REST
from tests.sensors.heart_rate.virtual_radio import VirtualRadio

BUSY = replace(REST, hr_bpm=170.0, rr_spread_ms=25.0)
"""A fast heart, so that there is enough of it in a few seconds."""


async def put_on_air(radio, *faults):
    """Switch a headset on within reach of `radio`; return it and the task that runs it."""
    headset = SimulatedHeadset([BUSY], faults=[parse_fault(fault) for fault in faults])
    controller = Controller("Simulated", link=radio.link)
    controller.random_address = Address(headset.address)
    await headset.start(controller, AsyncPipeSink(controller))

    async def run():
        async for _ in headset.run(lambda _at_s: False):
            pass

    return headset, asyncio.create_task(run())


@asynccontextmanager
async def on_air(*faults):
    """Yield a radio with one simulated headset in reach, and the headset."""
    radio = VirtualRadio()
    await radio.start()
    headset, running = await put_on_air(radio, *faults)
    try:
        yield radio, headset
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await headset.stop()
        await radio.stop()
