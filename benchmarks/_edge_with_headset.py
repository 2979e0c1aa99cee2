"""The edge as it is, but for its Bluetooth backend: a headset that beats once a second.

The production collector, bleak and its Linux backend are loaded and used as
on a desk; only what BlueZ would send over D-Bus comes from here, so the
figures hold everything but the few D-Bus messages a second. Takes the
arguments of ``wellbeing``.
"""

from __future__ import annotations

import asyncio
import functools
import random
import struct
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import bleak.backends.bluezdbus.client
import bleak.backends.bluezdbus.scanner  # noqa: F401
from bleak.backends.adapter import BaseBleakAdapter
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakError
from bleak.uuids import normalize_uuid_16

import wellbeing
from sensors.heart_rate import bluetooth

HEART_RATE_SERVICE, MEASUREMENT = normalize_uuid_16(0x180D), normalize_uuid_16(0x2A37)
ADDRESS, NAME = "C4:F2:17:1A:1D:01", "Headset"


class Adapter(BaseBleakAdapter):
    """Connected to nothing yet."""

    @classmethod
    async def get(cls, **_: Any) -> Adapter:
        """Return the only adapter."""
        return cls()

    async def get_connected_devices(self, service_uuids: frozenset[str]) -> list[BLEDevice]:
        """Return no device."""
        del service_uuids
        return []


class Scanner(BaseBleakScanner):
    """Hears the one headset."""

    def __init__(self, detection_callback: Any, service_uuids: Any, *_: Any, **__: Any) -> None:
        super().__init__(detection_callback, service_uuids)

    async def start(self) -> None:
        """Tell of the headset ten times a second, as it would advertise."""
        self._advertising = asyncio.create_task(self._advertise())

    async def stop(self) -> None:
        """Hear no more."""
        self._advertising.cancel()

    async def _advertise(self) -> None:
        heard = AdvertisementData(NAME, {}, {}, [HEART_RATE_SERVICE], None, -50, ())
        while True:
            device = self.create_or_update_device(ADDRESS, ADDRESS, NAME, None, heard)
            self.call_detection_callbacks(device, heard)
            await asyncio.sleep(0.1)


class Client(BaseBleakClient):
    """Connected, encrypted, and beating."""

    _beating: asyncio.Task[None] | None = None
    _connected = False

    def __init__(self, address_or_ble_device: Any, **kwargs: Any) -> None:
        super().__init__(
            address_or_ble_device,
            disconnected_callback=kwargs["disconnected_callback"],
            timeout=kwargs["timeout"],
        )

    @property
    def name(self) -> str:
        """The headset's."""
        return NAME

    @property
    def mtu_size(self) -> int:
        """Bluetooth's least. [bytes]."""
        return 23

    @property
    def is_connected(self) -> bool:
        """Whether `connect` was called."""
        return self._connected

    async def connect(self, pair: bool, **_: Any) -> None:
        """Connect and offer the Heart Rate Service."""
        del pair
        self._connected = True
        self.services = BleakGATTServiceCollection()
        service = BleakGATTService(None, 1, HEART_RATE_SERVICE)
        self.services.add_service(service)
        self.services.add_characteristic(
            BleakGATTCharacteristic(None, 2, MEASUREMENT, ["notify"], lambda: 20, service)
        )

    async def disconnect(self) -> None:
        """Stop beating."""
        self._connected = False
        if self._beating is not None:
            self._beating.cancel()

    async def start_notify(self, characteristic: Any, callback: Any, **_: Any) -> None:
        """Send a measurement a second: 16 flags, rate, one RR interval."""
        del characteristic

        async def beat() -> None:
            while True:
                rr_s = random.gauss(0.85, 0.03)
                await asyncio.sleep(rr_s)
                callback(bytearray(struct.pack("<BBH", 0x10, round(60 / rr_s), int(rr_s * 1024))))

        self._beating = asyncio.create_task(beat())

    async def stop_notify(self, characteristic: Any) -> None:
        """Stop beating."""
        del characteristic
        await self.disconnect()

    async def pair(self, *_: Any, **__: Any) -> None:
        """Agree."""

    async def unpair(self) -> None:
        """Agree."""

    async def read_gatt_char(self, characteristic: Any, **_: Any) -> bytearray:
        """Offer nothing to read."""
        raise BleakError(f"{characteristic} cannot be read")

    async def read_gatt_descriptor(self, descriptor: Any, **_: Any) -> bytearray:
        """Offer nothing to read."""
        raise BleakError(f"{descriptor} cannot be read")

    async def write_gatt_char(self, characteristic: Any, data: Any, response: bool) -> None:
        """Take nothing."""
        raise BleakError(f"{characteristic} cannot be written ({len(data)} bytes, {response})")

    async def write_gatt_descriptor(self, descriptor: Any, data: Any) -> None:
        """Take nothing."""
        raise BleakError(f"{descriptor} cannot be written ({len(data)} bytes)")


bluetooth.Radio = functools.partial(  # type: ignore[assignment,misc]
    bluetooth.Radio, scanner_backend=Scanner, client_backend=Client, adapter_backend=Adapter
)
raise SystemExit(wellbeing.main(sys.argv[1:]))
