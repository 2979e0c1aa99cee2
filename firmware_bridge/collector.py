"""A serial board as a collector of the edge, registered as ``serial``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any

from firmware_bridge.csv_lines import SKIP, CsvLines, check_columns
from firmware_bridge.serial_port import SerialPort
from sensors.collector import Clock, Link, Reading
from sensors.config import section
from sensors.errors import ConfigurationError, DeviceError
from sensors.signals import SIGNALS, Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialSettings:
    """``[edge.options.serial]``: which board, and what it prints.

    Parameters
    ----------
    port : str
        As ``firmware-bridge ports`` lists it.
    csv : tuple of str
        Signals in the order in which the board prints them; ``-`` skips one.
    baud : int
        Speed; without meaning on USB CDC. [1/s]
    silence_s : float
        Without a readable line for this long, the board counts as lost. [s]
    channels : tuple of Channel
        Read only these; empty means all of `csv`.
    """

    port: str = ""
    csv: tuple[str, ...] = ()
    baud: int = 115_200
    silence_s: float = 10.0
    channels: tuple[Channel, ...] = ()

    def __post_init__(self) -> None:
        if not self.port:
            raise ConfigurationError("[serial] port is ''; run: firmware-bridge ports")
        check_columns(self.csv, "[serial] csv")
        if not 50 <= self.baud <= 12_000_000:
            raise ConfigurationError(f"[serial] baud is {self.baud}; expected 50 to 12000000")
        if not 0.0 < self.silence_s <= 600.0:
            raise ConfigurationError(f"[serial] silence_s is {self.silence_s}; expected 0 to 600")


class SerialCollector:
    """Reads a board that prints comma-separated lines.

    Parameters
    ----------
    options : mapping
        The keys of :class:`SerialSettings`.

    Raises
    ------
    ConfigurationError
        Naming key, value and what was expected.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        settings = section({"serial": options}, "serial", SerialSettings, environ={})
        self._settings = settings
        self._columns = tuple(
            column if not settings.channels or _channel(column) in settings.channels else SKIP
            for column in settings.csv
        )
        found = {_channel(column) for column in self._columns}
        self.channels: frozenset[Channel] = frozenset(c for c in found if c is not None)

    async def readings(self, clock: Clock) -> AsyncGenerator[Reading | Link]:
        """Yield readings until closed; each channel is ``ok`` from its first value on.

        Raises
        ------
        DeviceError
            If the board cannot be opened, is unplugged or falls silent.
        """
        settings = self._settings
        lines = CsvLines(self._columns)
        seen: set[Channel] = set()
        port = await asyncio.to_thread(SerialPort, settings.port, settings.baud)
        try:
            heard_s = clock.monotonic_s()
            while True:
                data = await _read(port)
                now_s = clock.monotonic_s()
                for sample in lines.feed(data):
                    heard_s = now_s
                    for name, value in sample.items():
                        channel = SIGNALS[name].channel
                        if channel not in seen:
                            seen.add(channel)
                            yield Link(channel, "ok")
                        yield Reading(name, value, now_s)
                if now_s - heard_s > settings.silence_s:
                    raise DeviceError(_silence(settings, lines))
        finally:
            port.close()


def _channel(column: str) -> Channel | None:
    return None if column == SKIP else SIGNALS[column].channel


async def _read(port: SerialPort) -> bytes:
    """Read in a thread; when cancelled, return only once the thread has let go of the port."""
    reading = asyncio.ensure_future(asyncio.to_thread(port.read))
    try:
        return await asyncio.shield(reading)
    except asyncio.CancelledError:
        port.cancel()
        await asyncio.wait({reading})
        if not reading.cancelled():
            reading.exception()  # looked at: an unplugged board is no news any more
        raise


def _silence(settings: SerialSettings, lines: CsvLines) -> str:
    counts = lines.counts
    garbage = counts.unreadable + counts.too_long + counts.out_of_range
    if garbage:
        return (
            f"{settings.port} sends nothing readable for {settings.silence_s:g} s "
            f"({garbage} lines refused so far); check baud and csv in [edge.options.serial]"
        )
    return f"{settings.port} has been silent for {settings.silence_s:g} s; is the board running?"
