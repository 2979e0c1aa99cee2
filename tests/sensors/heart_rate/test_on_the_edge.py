"""What the headset says about itself reaches the agent's status, and nothing of it the wire."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from random import Random

from sensors import codec
from sensors.config import BrokerSettings
from sensors.edge.collecting import supervise
from sensors.edge.collecting.clock import SystemTime
from sensors.edge.collecting.supervise import Sink, Supervisor
from sensors.edge.commands.giving import told
from sensors.edge.running.process import EdgeProcess
from sensors.edge.settings import EdgeSettings
from sensors.signals import Channel
from tests.rig import wait_until_async
from tests.sensors.heart_rate.watching import collector


def install(monkeypatch, radio) -> None:
    built_in = supervise.BuiltIn("unused", frozenset({Channel.HEART}))
    monkeypatch.setitem(supervise.BUILT_IN, "heart_rate", built_in)
    monkeypatch.setattr(supervise, "find_factory", lambda _name: lambda _options: collector(radio))


async def test_the_status_shows_the_device_while_it_is_read(radio, monkeypatch, tmp_path):
    install(monkeypatch, radio)
    headset = await radio.headset("Clip", battery=True, information={"model_number": "Clip 2"})
    headset.battery = 9
    lines: list[str] = []
    settings = EdgeSettings(agent="k7", state_dir=str(tmp_path), collectors=("heart_rate",))
    process = EdgeProcess(settings, BrokerSettings(port=1), lines.append)
    process.consent([Channel.HEART])
    running = asyncio.create_task(process.run())
    try:
        await wait_until_async(lambda: "9 %" in str(process.report()["devices"]))
        report = process.report()
        shown = f"Clip ({headset.address}), Clip 2, battery 9 %"
        assert report["devices"] == {"heart_rate": shown}
        assert f"    {shown}" in told(report)
        assert "headset battery is low: 9 %" in lines
        assert b"Clip" not in codec.encode(process._status(True))
        process.consent([])
        await wait_until_async(lambda: not process.report()["devices"], what="it is forgotten")
    finally:
        process.stop()
        await running


async def test_notes_are_no_readings(radio, monkeypatch):
    install(monkeypatch, radio)
    await radio.headset("Clip")
    readings, lines = [], []
    sink = Sink(readings.append, lambda _link: None, lines.append)
    supervisor = Supervisor("heart_rate", {}, SystemTime(), sink, Random(1))
    supervisor.allow(frozenset({Channel.HEART}))
    running = asyncio.create_task(supervisor.run())
    await wait_until_async(lambda: supervisor.device)
    assert [line for line in lines if "not yours? run: wellbeing edge claim" in line]
    assert not readings
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
