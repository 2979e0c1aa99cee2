"""A virtual Bluetooth radio: bumble's controllers on one link, behind bleak's backend interface.

The production collector speaks real advertising, ATT and GATT with it; only
the operating system's Bluetooth stack and the air are replaced.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakError
from bumble.controller import Controller
from bumble.core import UUID, AdvertisingData
from bumble.core import BaseBumbleError as BumbleError
from bumble.device import Connection, Device, Peer
from bumble.gatt import (
    GATT_HEART_RATE_MEASUREMENT_CHARACTERISTIC,
    GATT_HEART_RATE_SERVICE,
    Characteristic,
    Service,
)
from bumble.hci import Address
from bumble.host import Host
from bumble.link import LocalLink
from bumble.transport.common import AsyncPipeSink

_FAST_MS = 20.0  # advertising interval: the shortest that Bluetooth allows


class RealClock:
    """The clock an edge hands to its collectors."""

    def monotonic_s(self) -> float:
        return time.monotonic()

    async def sleep_until(self, at_monotonic_s: float) -> None:
        await asyncio.sleep(max(0.0, at_monotonic_s - time.monotonic()))


class Peripheral:
    """A headset: the Heart Rate Service, with a hand on every switch."""

    def __init__(self, device: Device, measurement: Characteristic) -> None:
        self.device = device
        self._measurement = measurement
        self.connections: list[Connection] = []
        self.subscribed = asyncio.Event()
        device.on("connection", self._connected)
        measurement.on("subscription", self._subscription)

    @property
    def address(self) -> str:
        return str(self.device.random_address).split("/")[0]

    def _connected(self, connection: Connection) -> None:
        self.connections.append(connection)
        connection.on("disconnection", lambda _reason: self._lost(connection))

    def _lost(self, connection: Connection) -> None:
        self.connections.remove(connection)
        self.subscribed.clear()

    def _subscription(self, _bearer: Any, notify: bool, _indicate: bool) -> None:
        if notify:
            self.subscribed.set()

    async def advertise(self) -> None:
        await self.device.start_advertising(
            auto_restart=True,
            advertising_interval_min=_FAST_MS,
            advertising_interval_max=_FAST_MS,
        )

    async def vanish(self) -> None:
        """Stop advertising: out of reach for whoever looks."""
        await self.device.stop_advertising()

    async def notify(self, data: bytes) -> None:
        await self.subscribed.wait()
        await self.device.notify_subscribers(self._measurement, data)

    async def drop(self) -> None:
        for connection in list(self.connections):
            await connection.disconnect()


class Radio:
    """One link with this machine's adapter and any number of headsets on it."""

    def __init__(self) -> None:
        self.link = LocalLink()
        self._made = 0
        self.central = self._device("Edge")

    def _device(self, name: str) -> Device:
        self._made += 1
        address = Address(f"C4:F2:17:1A:1D:{self._made:02X}")
        controller = Controller(name, link=self.link)
        host = Host(controller, AsyncPipeSink(controller))
        controller.random_address = address
        return Device(name=name, address=address, host=host)

    async def start(self) -> None:
        await self.central.power_on()

    async def headset(self, name: str = "Headset") -> Peripheral:
        device = self._device(name)
        measurement = Characteristic(
            GATT_HEART_RATE_MEASUREMENT_CHARACTERISTIC,
            Characteristic.Properties.NOTIFY,
            Characteristic.Permissions(0),
            b"",
        )
        device.add_service(Service(GATT_HEART_RATE_SERVICE, [measurement]))
        device.advertising_data = bytes(
            AdvertisingData(
                [
                    (AdvertisingData.COMPLETE_LOCAL_NAME, name.encode()),
                    (
                        AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
                        bytes(GATT_HEART_RATE_SERVICE),
                    ),
                ]
            )
        )
        await device.power_on()
        peripheral = Peripheral(device, measurement)
        await peripheral.advertise()
        return peripheral

    @property
    def scanner(self) -> type[BaseBleakScanner]:
        return type("RadioScanner", (BumbleScanner,), {"central": self.central})

    @property
    def client(self) -> type[BaseBleakClient]:
        return type("RadioClient", (BumbleClient,), {"central": self.central})


class BumbleScanner(BaseBleakScanner):
    central: Device

    def __init__(self, detection_callback: Any, service_uuids: Any, *_: Any, **__: Any) -> None:
        super().__init__(detection_callback, service_uuids)

    async def start(self) -> None:
        self.seen_devices = {}
        self.central.on("advertisement", self._heard)
        await self.central.start_scanning(filter_duplicates=False)

    async def stop(self) -> None:
        self.central.remove_listener("advertisement", self._heard)
        await self.central.stop_scanning()

    def _heard(self, advertisement: Any) -> None:
        uuids: list[UUID] = (
            advertisement.data.get(AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS)
            or []
        )
        name = advertisement.data.get(AdvertisingData.COMPLETE_LOCAL_NAME)
        heard = AdvertisementData(
            local_name=name,
            manufacturer_data={},
            service_data={},
            service_uuids=[_long(u) for u in uuids],
            tx_power=None,
            rssi=advertisement.rssi,
            platform_data=(),
        )
        address = str(advertisement.address).split("/")[0]
        device = self.create_or_update_device(address, address, name, advertisement.address, heard)
        self.call_detection_callbacks(device, heard)


def _long(found: UUID) -> str:
    """Return the 128-bit spelling that bleak uses."""
    return str(uuid.UUID(bytes=bytes(reversed(found.to_bytes(force_128=True)))))


class BumbleClient(BaseBleakClient):
    central: Device

    def __init__(self, address_or_ble_device: Any, **kwargs: Any) -> None:
        super().__init__(address_or_ble_device, **kwargs)
        self._target = address_or_ble_device.details
        self._connection: Connection | None = None

    @property
    def name(self) -> str:
        return self.address

    @property
    def mtu_size(self) -> int:
        return 23

    @property
    def is_connected(self) -> bool:
        return self._connection is not None

    async def connect(self, pair: bool, **kwargs: Any) -> None:
        try:
            self._connection = await self.central.connect(self._target, timeout=self._timeout)
            self._connection.on("disconnection", self._dropped)
            peer = Peer(self._connection)
            await peer.discover_services()
            await peer.discover_characteristics()
        except BumbleError as error:
            raise BleakError(str(error)) from error
        self.services = BleakGATTServiceCollection()
        for found in peer.services:
            service = BleakGATTService(found, found.handle, _long(found.uuid))
            self.services.add_service(service)
            for c in found.characteristics:
                self.services.add_characteristic(
                    BleakGATTCharacteristic(
                        c,
                        c.handle,
                        _long(c.uuid),
                        ["notify"],
                        lambda: 20,
                        service,
                    )
                )

    def _dropped(self, _reason: int) -> None:
        self._connection = None
        if self._disconnected_callback:
            self._disconnected_callback()

    async def disconnect(self) -> None:
        if self._connection is not None:
            await self._connection.disconnect()

    async def start_notify(self, characteristic: Any, callback: Any, **kwargs: Any) -> None:
        try:
            await characteristic.obj.subscribe(lambda value: callback(bytearray(value)))
        except BumbleError as error:
            raise BleakError(str(error)) from error

    async def stop_notify(self, characteristic: Any) -> None:
        await characteristic.obj.unsubscribe()

    async def pair(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError

    async def unpair(self) -> None:
        raise NotImplementedError

    async def read_gatt_char(self, characteristic: Any, **kwargs: Any) -> bytearray:
        return bytearray(await characteristic.obj.read_value())

    async def read_gatt_descriptor(self, descriptor: Any, **kwargs: Any) -> bytearray:
        raise NotImplementedError

    async def write_gatt_char(self, characteristic: Any, data: Any, response: bool) -> None:
        await characteristic.obj.write_value(bytes(data), response)

    async def write_gatt_descriptor(self, descriptor: Any, data: Any) -> None:
        raise NotImplementedError


@pytest.fixture
def clock() -> RealClock:
    return RealClock()


@pytest.fixture
async def radio() -> AsyncIterator[Radio]:
    made = Radio()
    await made.start()
    yield made
    await made.central.power_off()
