"""Heart rate over Bluetooth LE; the only file that imports bleak.

Finds the headset, connects, listens, and connects again when the link drops
or when the device stays connected but falls silent. What its notifications
mean is decided in :mod:`sensors.heart_rate.session`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from random import Random
from typing import Any

from bleak import BleakClient, BleakScanner
from bleak.backends.client import BaseBleakClient
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.exc import BleakBluetoothNotAvailableError, BleakError
from bleak.uuids import normalize_uuid_16

from sensors.collector import Clock, Link, Reading
from sensors.errors import DeviceError
from sensors.heart_rate.backoff import Backoff
from sensors.heart_rate.session import HeartSession
from sensors.heart_rate.settings import HeartRateSettings, from_options
from sensors.signals import Channel

_HEART_RATE_SERVICE = normalize_uuid_16(0x180D)
_HEART_RATE_MEASUREMENT = normalize_uuid_16(0x2A37)

_FIRST_PAUSE_S = 0.25
_DISCONNECT_S = 3.0  # below the 5 s within which a withdrawal ends capture (TRUST T6)
_MAX_WAITING = 256  # notifications; a minute at the fastest rate seen, 4 Hz

# What bleak's backends raise when a link cannot be made or breaks: D-Bus and
# sockets come through as OSError and EOFError. A device out of reach is
# ordinary, so these lead to another attempt and not to an error.
_LINK_ERRORS = (BleakError, TimeoutError, OSError, EOFError)


class _LinkLostError(Exception):
    """The link dropped, or fell silent; the caller tries again."""


class BleakCollector:
    """Beats of one headset with the standard Heart Rate Service (0x180D).

    Parameters
    ----------
    settings : HeartRateSettings
    scanner_backend, client_backend : type or None
        Bleak backends; ``None`` takes the operating system's.
    random : Random
        Source of the jitter between attempts.

    Attributes
    ----------
    session : HeartSession
        Counts what was malformed or implausible.
    connections : int
        How often a link was made.
    overrun : int
        Notifications dropped because nobody fetched them.
    """

    channels = frozenset({Channel.HEART})

    def __init__(
        self,
        settings: HeartRateSettings,
        *,
        scanner_backend: type[BaseBleakScanner] | None = None,
        client_backend: type[BaseBleakClient] | None = None,
        random: Random | None = None,
    ) -> None:
        self.session = HeartSession()
        self.connections = 0
        self.overrun = 0
        self._settings = settings
        self._scanner_backend = scanner_backend
        self._client_backend = client_backend
        self._known_address = settings.address
        self._backoff = Backoff(_FIRST_PAUSE_S, settings.backoff_cap_s, random or Random())  # noqa: S311 - spreads load, hides nothing

    async def readings(self, clock: Clock) -> AsyncGenerator[Reading | Link]:
        """Yield readings for as long as it is read; reconnects by itself.

        Raises
        ------
        DeviceError
            If Bluetooth cannot be used at all, or several headsets fit.
        """
        while True:
            device = await self._find()
            if device is not None:
                async with aclosing(self._listen(device, clock)) as found:
                    try:
                        async for item in found:
                            yield item
                    except (_LinkLostError, *_LINK_ERRORS):
                        pass  # said below, as a link change
                lost = self.session.disconnected()
                if lost is not None:
                    yield lost
            await asyncio.sleep(self._backoff.next_s())

    async def _find(self) -> BLEDevice | None:
        """Look around once and return the headset, if it is there."""
        fitting: dict[str, BLEDevice] = {}
        try:
            async with (
                BleakScanner(backend=self._scanner_backend) as scanner,
                aclosing(scanner.advertisement_data()) as heard,
            ):
                await self._gather(heard, fitting)
        except (BleakError, OSError, EOFError) as error:
            raise DeviceError(f"Bluetooth cannot be used: {_why(error)}") from None
        if len(fitting) > 1:
            near = ", ".join(f"{d.name or 'unnamed'} ({a})" for a, d in sorted(fitting.items()))
            raise DeviceError(
                f"{len(fitting)} headsets fit; set [heart_rate] address to one: {near}"
            )
        return next(iter(fitting.values()), None)

    async def _gather(
        self,
        heard: AsyncIterator[tuple[BLEDevice, AdvertisementData]],
        fitting: dict[str, BLEDevice],
    ) -> None:
        """Fill `fitting` until the look around is over or the known headset is there."""
        try:
            async with asyncio.timeout(self._settings.scan_s):
                async for device, advertisement in heard:
                    if self._fits(device, advertisement):
                        fitting[device.address] = device
                        if self._known_address:
                            return
        except TimeoutError:
            return

    def _fits(self, device: BLEDevice, heard: AdvertisementData) -> bool:
        if self._known_address:
            return device.address.casefold() == self._known_address.casefold()
        if self._settings.name:
            return self._settings.name in (heard.local_name, device.name)
        return _HEART_RATE_SERVICE in heard.service_uuids

    async def _listen(self, device: BLEDevice, clock: Clock) -> AsyncGenerator[Reading | Link]:
        """Connect and yield until the link drops or falls silent."""
        waiting: asyncio.Queue[tuple[bytes, float] | None] = asyncio.Queue(_MAX_WAITING)

        def arrived(_sender: object, data: bytearray) -> None:
            self._put(waiting, (bytes(data), clock.monotonic_s()))

        def dropped(_client: BleakClient) -> None:
            self._put(waiting, None)

        async with self._connected(device, dropped) as client:
            await client.start_notify(_HEART_RATE_MEASUREMENT, arrived)
            self.connections += 1
            # Two devices of one name may be near later; this one is ours.
            self._known_address = device.address
            loop = asyncio.get_running_loop()
            deadline_s = loop.time() + self._settings.silence_s
            while True:
                async with asyncio.timeout_at(deadline_s):
                    notification = await waiting.get()
                if notification is None:
                    raise _LinkLostError
                found = self.session.take(*notification)
                if found:
                    deadline_s = loop.time() + self._settings.silence_s
                    self._backoff.reset()
                for item in found:
                    yield item

    @asynccontextmanager
    async def _connected(self, device: BLEDevice, dropped: Any) -> AsyncIterator[BleakClient]:
        client = BleakClient(
            device,
            disconnected_callback=dropped,
            services=[_HEART_RATE_SERVICE],
            timeout=self._settings.connect_s,
            winrt={"use_cached_services": False},  # Windows keeps stale handles otherwise
            backend=self._client_backend,
        )
        try:
            async with asyncio.timeout(self._settings.connect_s):
                await client.connect()
            yield client
        finally:
            await _disconnect(client)

    def _put(
        self,
        waiting: asyncio.Queue[tuple[bytes, float] | None],
        item: tuple[bytes, float] | None,
    ) -> None:
        if waiting.full():
            waiting.get_nowait()
            self.overrun += 1
        waiting.put_nowait(item)


async def _disconnect(client: BleakClient) -> None:
    """Let the device go, but never wait for a stack that has died."""
    try:
        async with asyncio.timeout(_DISCONNECT_S):
            await client.disconnect()
    except _LINK_ERRORS:
        pass  # it is gone, which is what was wanted


def _why(error: Exception) -> str:
    """Return bleak's reason and what to do, on one line."""
    if isinstance(error, BleakBluetoothNotAvailableError):
        reason = error.reason.name.lower().replace("_", " ")
        return f"{reason}; switch the adapter on and allow this program to use it"
    if isinstance(error, FileNotFoundError):
        return "no Bluetooth service on this machine; plug in an adapter and start it (bluetoothd)"
    words = " ".join(str(error).split()) or type(error).__name__
    return f"{words}; check that an adapter is present and switched on"


def create(options: Mapping[str, Any]) -> BleakCollector:
    """Return the collector described by its table in the configuration.

    Parameters
    ----------
    options : mapping
        Keys of :class:`~sensors.heart_rate.settings.HeartRateSettings`.

    Raises
    ------
    ConfigurationError
        Naming key, value and what was expected.
    """
    return BleakCollector(from_options(options))
