"""A simulated Bluetooth headset: what it says, and that the production collector reads it."""

import asyncio
import json
import sys
from contextlib import aclosing

import numpy as np
import pytest
from bumble.controller import Controller
from bumble.transport import open_transport

from firmware_bridge.cli import main
from firmware_bridge.simulation.faults import Schedule, parse_fault
from firmware_bridge.simulation.heart import HeartBroadcast
from firmware_bridge.simulation.physiology import OFF, REST, Wearer
from sensors.heart_rate.measurement import MeasurementError, parse
from tests.firmware_bridge.simulation.on_air import on_air
from tests.rig.clocks import RealClock
from tests.sensors.heart_rate.virtual_radio import VirtualRadio
from tests.sensors.heart_rate.watching import OK, collector, is_beat, until


def notified(seconds=60, *faults, stages=(REST,)):
    schedule = Schedule([parse_fault(fault) for fault in faults])
    broadcast = HeartBroadcast(Wearer(stages, 1), schedule)
    return [data for k in range(seconds * 10) for data in broadcast.step(100 + k / 10)]


def test_it_sends_every_interval_once_and_a_rate_that_agrees():
    found = [parse(data) for data in notified(120)]
    assert len(found) == 119
    rr_ms = np.array([ms for one in found for ms in one.rr_ms])
    assert rr_ms.sum() / 1000 == pytest.approx(118, abs=2)
    known = np.diff(_beats(120)) * 1000
    assert np.abs(rr_ms - known[: len(rr_ms)]).max() <= 0.5
    assert found[-1].hr_bpm == pytest.approx(60_000 / rr_ms.mean(), rel=0.1)
    assert {one.contact for one in found} == {True}


def _beats(seconds):
    wearer, found = Wearer([REST], 1), []
    for second in range(seconds):
        found += wearer.beats(second, second + 1)
    return np.array(found)


def test_taken_off_it_says_so_and_has_no_rate():
    last = parse(notified(75, stages=(REST, OFF))[-1])
    assert (last.contact, last.hr_bpm, last.rr_ms) == (False, 0, ())


def test_its_faults_show():
    assert not any(parse(data).rr_ms for data in notified(60, "no_rr"))
    assert {parse(data).contact for data in notified(60, "no_contact_bits")} == {None}
    assert {parse(data).contact for data in notified(60, "some_contact_bits")} == {None, True}
    assert len(notified(60, "seldom")) == 15
    coarse = [ms for data in notified(60, "coarse_rr") for ms in parse(data).rr_ms]
    assert max(abs(ms - 50 * round(ms / 50)) for ms in coarse) < 0.5
    with pytest.raises(MeasurementError):
        parse(notified(60, "malformed")[-1])


async def test_the_production_collector_reads_it():
    async with on_air() as (radio, headset), aclosing(_readings(radio)) as readings:
        seen = await until(readings, is_beat)
        assert OK in seen
        assert 320 < seen[-1].value < 400
        assert headset.connections == 1


def _readings(radio):
    return collector(radio, allow_unencrypted=False).readings(RealClock())


async def test_the_command_is_a_headset_on_any_controller(tmp_path):
    """The command in a process of its own; its controller is reached over a socket."""
    radio = VirtualRadio()
    await radio.start()
    path = tmp_path / "hci"
    transport = await open_transport(f"unix-server:{path}")
    Controller("Dongle", host_source=transport.source, host_sink=transport.sink, link=radio.link)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "firmware_bridge", "simulate", "--json"),
        *("--bluetooth", f"unix:{path}"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        ready = json.loads(await process.stdout.readline())
        assert (ready["event"], ready["address"]) == ("ready", "C4:F2:17:00:0A:01")
        async with aclosing(_readings(radio)) as readings:
            await until(readings, is_beat)
        process.terminate()
        out, err = await process.communicate()
        happened = [json.loads(line)["event"] for line in out.splitlines()]
        assert {"connected", "ended"} <= set(happened)
        assert (process.returncode, err) == (0, b"")
    finally:
        if process.returncode is None:
            process.kill()
        transport.server.close()  # bumble forgets it
        await transport.server.wait_closed()
        await transport.close()
        await radio.stop()


def test_without_bumble_it_says_what_to_install(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "bumble.device", None)
    assert main(["simulate", "--bluetooth", "usb:0"]) == 4
    assert capsys.readouterr().err.endswith("run: pip install 'agent-wellbeing[bench]'\n")
