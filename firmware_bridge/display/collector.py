"""A presence radar on the display as a collector of the edge, registered as ``display``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping
from typing import Any

from firmware_bridge.display.device import Radar, configure
from firmware_bridge.display.ld2410 import Counts, Report
from firmware_bridge.display.mapping import Repetition, readings_of
from firmware_bridge.display.settings import DisplaySettings
from firmware_bridge.serial_port import SerialPort
from sensors.collector import Clock, Link, Note, Reading
from sensors.config import section
from sensors.errors import DeviceError
from sensors.messages import Absence
from sensors.signals import Channel

_STUCK = "the radar sends the same report again and again; unplug it and plug it in again"


class DisplayCollector:
    """Reads an LD2410 radar: who sits at the display, how far, and light where calibrated.

    Parameters
    ----------
    options : mapping
        The keys of :class:`~firmware_bridge.display.settings.DisplaySettings`.

    Raises
    ------
    ConfigurationError
        Naming key, value and what was expected.
    """

    channels: frozenset[Channel] = frozenset({Channel.MODULES})

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._settings = section({"display": options}, "display", DisplaySettings, environ={})

    async def readings(self, clock: Clock) -> AsyncGenerator[Reading | Link | Note]:
        """Yield readings until closed.

        A radar that only repeats itself is a fault, and gives no reading
        until its reports change again.

        Raises
        ------
        DeviceError
            If the radar cannot be opened, is unplugged or falls silent.
        """
        settings = self._settings
        port = await asyncio.to_thread(SerialPort, settings.port, settings.baud)
        radar = Radar(port)
        try:
            yield Note(device=await configure(radar, settings))
            heard_s = clock.monotonic_s()
            watch = _Watch(settings)
            while True:
                reports = await radar.read()
                now_s = clock.monotonic_s()
                for report in reports:
                    heard_s = now_s
                    for item in watch.take(report, now_s):
                        yield item
                if now_s - heard_s > settings.silence_s:
                    raise DeviceError(_silence(settings, radar.counts))
        finally:
            radar.close()


class _Watch:
    """From reports to what the edge is given; a stuck radar gives nothing."""

    def __init__(self, settings: DisplaySettings) -> None:
        self._settings = settings
        self._repetition = Repetition(settings.stuck_s)
        self._state: str | None = None

    def take(self, report: Report, now_s: float) -> Iterator[Reading | Link | Note]:
        settings = self._settings
        stuck = settings.stuck_s > 0 and self._repetition.is_stuck(report, now_s)
        link = Link(Channel.MODULES, Absence.FAULT if stuck else "ok")
        if link.state != self._state:
            self._state = link.state
            yield link
            if stuck:
                yield Note(f"{settings.port}: {_STUCK}")
        if not stuck:
            values = readings_of(report, settings.max_distance_m, settings.light_lux)
            for name, value in values.items():
                yield Reading(name, value, now_s)


def _silence(settings: DisplaySettings, counts: Counts) -> str:
    if counts.skipped_bytes:
        return (
            f"{settings.port} sends no report of an LD2410 for {settings.silence_s:g} s "
            f"({counts.skipped_bytes} bytes skipped so far); check baud in [edge.options.display], "
            "and that it is an LD2410, LD2410B or LD2410C"
        )
    return f"{settings.port} has been silent for {settings.silence_s:g} s; has the radar power?"
