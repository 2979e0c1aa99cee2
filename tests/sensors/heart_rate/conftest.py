"""Fixtures of the virtual radio."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.rig.clocks import RealClock
from tests.sensors.heart_rate.virtual_radio import VirtualRadio


@pytest.fixture
def clock() -> RealClock:
    return RealClock()


@pytest.fixture
async def radio() -> AsyncIterator[VirtualRadio]:
    made = VirtualRadio()
    await made.start()
    yield made
    await made.stop()
