"""The live collectors on this machine's own devices; run by hand, never collected by itself.

    pytest tests/hardware/real_devices.py -s -k heart     # wear the headset
    pytest tests/hardware/real_devices.py -s -k hid       # type and move the mouse
    pytest tests/hardware/real_devices.py -s -k voice     # speak
    pytest tests/hardware/real_devices.py -s -k display   # sit before the radar

WELLBEING_HEADSET names the headset (its advertised name) where several are near. It is read
without pairing: whoever is near with a receiver can read along. WELLBEING_RADAR is the serial
port of an LD2410.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from contextlib import aclosing

import pytest

from sensors.collector import Link, Note
from sensors.edge.collecting.supervise import find_factory
from sensors.signals import SIGNALS
from tests.rig.clocks import RealClock

WAIT_S = 60


HEADSET = {"allow_unencrypted": True, "name": os.environ.get("WELLBEING_HEADSET", "")}
RADAR = {"port": os.environ.get("WELLBEING_RADAR", "/dev/ttyUSB0")}


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        pytest.param("heart_rate", HEADSET, {"hr_bpm", "rr_ms"}, id="heart"),
        pytest.param(
            "hid", {}, {"dwell_ms", "flight_ms", "pointer_speed_px_s", "pointer_clicks"}, id="hid"
        ),
        pytest.param("voice", {}, {"f0_hz", "jitter_local", "hnr_db"}, id="voice"),
        pytest.param("display", RADAR, {"presence", "distance_m"}, id="display"),
    ],
)
async def test_a_device_delivers_what_it_should(name, options, expected):
    missing, collector = set(expected), find_factory(name)(options)
    async with asyncio.timeout(WAIT_S), aclosing(collector.readings(RealClock())) as found:
        async for item in found:
            sys.stdout.write(f"{item}\n")
            if isinstance(item, Link | Note):
                continue
            assert SIGNALS[item.signal].accepts(item.value)
            assert abs(item.at_monotonic_s - time.monotonic()) < 15
            missing.discard(item.signal)
            if not missing:
                return
    raise AssertionError(f"nothing came of: {missing}")
