"""A serial board as a collector of the edge, registered as ``serial``.

A board that speaks the protocol of hardware.md says itself what it measures;
for one that prints lines, ``csv`` names their columns.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from firmware_bridge.ports.serial_port import SerialPort, check_port, opened
from firmware_bridge.printed.csv_lines import SKIP, CsvLines, channel_of, check_columns
from firmware_bridge.printed.raw_lines import RawLines, check_rate
from firmware_bridge.protocol.session import Session
from firmware_bridge.readings.board import CHANNELS, Readings, undescribed
from sensors.collector import Clock, Link, Note, Reading
from sensors.config import section
from sensors.errors import ConfigurationError, DeviceError
from sensors.signals import SIGNALS, Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class SerialSettings:
    """``[edge.options.serial]``: which board, and what it prints.

    Parameters
    ----------
    port : str
        As ``firmware-bridge ports`` lists it, by USB device, or
        ``socket://host:port``; see :mod:`firmware_bridge.ports.serial_port`.
    csv : tuple of str
        Signals in the order in which the board prints them; ``-`` skips one.
        Empty for a board that speaks the protocol.
    rate_hz : float
        Lines per second of a board that prints its raw pulse; 0 finds out. [1/s]
    baud : int
        Speed; without meaning on USB CDC and TCP. [1/s]
    silence_s : float
        Without a readable line or frame for this long, the board counts as lost. [s]
    channels : tuple of Channel
        Read only these; empty means all of `csv`, or heart and modules where
        the board itself says what it measures.
    """

    port: str = ""
    csv: tuple[str, ...] = ()
    rate_hz: float = 0.0
    baud: int = 115_200
    silence_s: float = 10.0
    channels: tuple[Channel, ...] = ()

    def __post_init__(self) -> None:
        check_port(self.port, "[serial] port")
        if self.csv:
            check_columns(self.csv, "[serial] csv")
        if self.rate_hz:
            check_rate(self.rate_hz, "[serial] rate_hz")
        for channel in self.channels:
            if channel not in CHANNELS:
                raise ConfigurationError(
                    f"[serial] channels has {channel.value!r}; a board measures "
                    + " and ".join(CHANNELS)
                )
        if not 50 <= self.baud <= 12_000_000:
            raise ConfigurationError(f"[serial] baud is {self.baud}; expected 50 to 12000000")
        if not 0.0 < self.silence_s <= 600.0:
            raise ConfigurationError(f"[serial] silence_s is {self.silence_s}; expected 0 to 600")


class SerialCollector:
    """Reads a board.

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
        given = check_columns(settings.csv, "[serial] csv") if settings.csv else ()
        self._columns = tuple(
            column if not settings.channels or channel_of(column) in settings.channels else SKIP
            for column in given
        )
        found = map(channel_of, self._columns) if given else settings.channels or CHANNELS
        self.channels: frozenset[Channel] = frozenset(c for c in found if c is not None)

    async def readings(self, clock: Clock) -> AsyncGenerator[Reading | Link | Note]:
        """Yield readings until closed; each channel is ``ok`` from its first value on.

        Raises
        ------
        DeviceError
            If the board cannot be opened, is unplugged or falls silent.
        """
        settings = self._settings
        port = await opened(settings.port, settings.baud)
        try:
            source = self._lines(port, clock) if settings.csv else self._frames(port, clock)
            async with aclosing(source) as found:
                async for item in found:
                    yield item
        finally:
            port.close()

    async def _lines(self, port: SerialPort, clock: Clock) -> AsyncGenerator[Reading | Link]:
        settings = self._settings
        lines = CsvLines(self._columns)
        raw = RawLines(self._columns, settings.rate_hz or None)
        seen: set[Channel] = set()
        heard_s = clock.monotonic_s()
        refused = 0
        while True:
            data = await _read(port)
            now_s = clock.monotonic_s()
            samples = lines.feed(data)
            before, refused = refused, lines.counts.unreadable + lines.counts.too_long
            if samples:
                heard_s = now_s
            for reading in raw.take(samples, now_s, refused - before):
                channel = SIGNALS[reading.signal].channel
                if channel not in seen:
                    seen.add(channel)
                    yield Link(channel, "ok")
                yield reading
            if now_s - heard_s > settings.silence_s:
                raise DeviceError(_silent_lines(settings, lines))

    async def _frames(
        self, port: SerialPort, clock: Clock
    ) -> AsyncGenerator[Reading | Link | Note]:
        session = Session(secrets.randbits(32))
        readings = Readings(self.channels, self._settings.port)
        asks, count = True, 0
        opened_s = described_s = clock.monotonic_s()
        while True:
            if asks and (data := session.due(clock.monotonic_s())):
                asks = await _write(port, data)
            data = await _read(port)
            count += len(data)
            now_s = clock.monotonic_s()
            for event in session.feed(data, now_s):
                for item in readings.take(event):
                    yield item
            for item in readings.quiet(now_s):
                yield item
            if session.is_whole:
                described_s = now_s
            heard_s = opened_s if session.heard_s is None else session.heard_s
            if now_s - min(heard_s, described_s) > self._settings.silence_s:
                raise DeviceError(_silent_frames(self._settings, session, count))


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


async def _write(port: SerialPort, data: bytes) -> bool:
    """Write in a thread; return whether the board takes it.

    One that does not is read all the same: it may be wired one way only. If it
    is gone, reading says so.
    """
    try:
        await asyncio.to_thread(port.write, data)
    except DeviceError:
        return False
    return True


def _silent_frames(settings: SerialSettings, session: Session, count: int) -> str:
    after = f"for {settings.silence_s:g} s"
    if session.hello is None and session.heard_s is not None:
        return f"{settings.port} sends frames but has not said HELLO {after}; see hardware.md"
    if session.hello is not None and not session.is_whole:
        return f"{settings.port} {undescribed(session)}"
    if session.hello is None and count:
        return (
            f"{settings.port} sends nothing that is a frame {after} ({count} bytes so far); "
            "check baud, or give csv in [edge.options.serial] if it prints lines"
        )
    return f"{settings.port} has been silent {after}; is the board running?"


def _silent_lines(settings: SerialSettings, lines: CsvLines) -> str:
    counts = lines.counts
    garbage = counts.unreadable + counts.too_long + counts.out_of_range
    if garbage:
        return (
            f"{settings.port} sends nothing readable for {settings.silence_s:g} s "
            f"({garbage} lines refused so far); check baud and csv in [edge.options.serial]"
        )
    return f"{settings.port} has been silent for {settings.silence_s:g} s; is the board running?"
