"""A collector that tests drive: says who opened and closed it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, ClassVar

from sensors.collector import Clock, Link, Reading
from sensors.errors import ConfigurationError, DeviceError
from sensors.signals import Channel

SECRET = 77.125
"""A heart rate that nothing else sends."""


class Scripted:
    """Delivers key presses and a heart rate ten times a second while it is open."""

    opened: ClassVar[list["Scripted"]] = []

    def __init__(self, options: Mapping[str, Any]) -> None:
        if "bad" in options:
            raise ConfigurationError(f"scripted: bad is {options['bad']!r}; leave it out")
        self.channels = frozenset(
            Channel(c) for c in options.get("channels", ("heart", "keyboard"))
        )
        self.fails = options.get("fails", "")
        self.is_open = False

    async def readings(self, clock: Clock) -> AsyncIterator[Reading | Link]:
        self.is_open = True
        Scripted.opened.append(self)
        try:
            if self.fails == "device":
                raise DeviceError("no such device")
            if self.fails == "bug":
                raise ZeroDivisionError("a driver's bug")
            for channel in sorted(self.channels):
                yield Link(channel, "ok")
            while True:
                await asyncio.sleep(0.01)
                now_s = clock.monotonic_s()
                for name, value, channel in (
                    ("hr_bpm", SECRET, Channel.HEART),
                    ("key_presses", 1.0, Channel.KEYBOARD),
                ):
                    if channel in self.channels:
                        yield Reading(name, value, now_s)
        finally:
            self.is_open = False
