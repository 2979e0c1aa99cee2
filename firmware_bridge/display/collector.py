"""A presence radar on the display as a collector of the edge, registered as ``display``."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping
from typing import Any

from firmware_bridge.display.device import Radar, configure
from firmware_bridge.display.ld2410 import Ld2410
from firmware_bridge.display.mapping import Breather, Interpreter, Presence
from firmware_bridge.display.mr60bha2 import Mr60bha2
from firmware_bridge.display.settings import DisplaySettings, Kind
from firmware_bridge.ports.serial_port import SerialPort, opened
from sensors.collector import Clock, Link, Note, Reading
from sensors.config import section
from sensors.errors import DeviceError
from sensors.messages import Absence
from sensors.signals import Channel

_STUCK = "the radar sends the same report again and again; unplug it and plug it in again"


_NAMES = {Kind.LD2410: "LD2410", Kind.MR60BHA2: "MR60BHA2"}


class DisplayCollector:
    """Reads a radar: who sits at the display, and what else that radar can tell.

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
        port = await opened(settings.port, settings.speed)
        radar, interpreter = _radar(port, settings)
        try:
            yield Note(device=await _introduce(radar, settings))
            watch = _Watch(settings.port, interpreter)
            heard_s = clock.monotonic_s()
            while True:
                reports = await radar.read()
                now_s = clock.monotonic_s()
                for report in reports:
                    heard_s = now_s
                    for item in watch.take(report, now_s):
                        yield item
                if now_s - heard_s > settings.silence_s:
                    raise DeviceError(_silence(settings, radar.skipped_bytes))
        finally:
            radar.close()


def _radar(port: SerialPort, settings: DisplaySettings) -> tuple[Radar, Interpreter]:
    if settings.radar is Kind.MR60BHA2:
        return Radar(port, Mr60bha2()), Breather()
    presence = Presence(settings.max_distance_m, settings.light_lux, settings.stuck_s)
    return Radar(port, Ld2410()), presence


async def _introduce(radar: Radar, settings: DisplaySettings) -> str:
    if settings.radar is Kind.LD2410:
        return await configure(radar, settings)
    return "Seeed MR60BHA2, read as it is"


class _Watch:
    """From reports to what the edge is given; a stuck radar gives nothing."""

    def __init__(self, port: str, interpreter: Interpreter) -> None:
        self._port = port
        self._interpreter = interpreter
        self._state: str | None = None

    def take(self, report: Any, now_s: float) -> Iterator[Reading | Link | Note]:
        values = self._interpreter.take(report, now_s)
        link = Link(Channel.MODULES, Absence.FAULT if values is None else "ok")
        if link.state != self._state:
            self._state = link.state
            yield link
            if values is None:
                yield Note(f"{self._port}: {_STUCK}")
        for name, value in (values or {}).items():
            yield Reading(name, value, now_s)


def _silence(settings: DisplaySettings, skipped_bytes: int) -> str:
    name = _NAMES[settings.radar]
    if skipped_bytes:
        return (
            f"{settings.port} sends no report of an {name} for {settings.silence_s:g} s "
            f"({skipped_bytes} bytes skipped so far); check radar and baud in "
            "[edge.options.display]"
        )
    return f"{settings.port} has been silent for {settings.silence_s:g} s; has the radar power?"
