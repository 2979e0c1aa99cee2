"""bumble behind bleak's three backend interfaces: adapter, scanner, client."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bleak.backends.adapter import BaseBleakAdapter
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakError
from bumble.core import UUID, AdvertisingData
from bumble.core import BaseBumbleError as BumbleError
from bumble.device import Connection, Device, Peer
from bumble.gatt import Characteristic


@dataclass
class Stack:
    """This machine's side, shared by the three bleak backends; tests turn its switches."""

    central: Device
    hanging: set[str] = field(default_factory=set)  # calls that ignore even their cancellation
    released: asyncio.Event = field(default_factory=asyncio.Event)
    during: dict[str, Callable[[], Any]] = field(default_factory=dict)  # run inside a call
    latency_s: dict[str, float] = field(default_factory=dict)  # that real stacks take for a call
    client_options: list[dict[str, Any]] = field(default_factory=list)

    def connections(self) -> dict[str, Connection]:
        """Return the links there are: they belong to the system, whoever asked for them."""
        found = self.central.connections.values()
        return {str(c.peer_address).split("/")[0]: c for c in found}

    async def call(self, name: str) -> None:
        """Be in the middle of call `name`."""
        await asyncio.sleep(self.latency_s.get(name, 0.0))
        while name in self.hanging and not self.released.is_set():
            try:
                await self.released.wait()
            except asyncio.CancelledError:
                continue
        if name in self.during:
            await self.during.pop(name)()


class BumbleAdapter(BaseBleakAdapter):
    stack: Stack

    @classmethod
    async def get(cls, **_: Any) -> BumbleAdapter:
        return cls()

    async def get_connected_devices(self, service_uuids: frozenset[str]) -> list[BLEDevice]:
        await self.stack.call("connected")
        return [
            BLEDevice(address, "Held", connection.peer_address)
            for address, connection in self.stack.connections().items()
        ]


class BumbleScanner(BaseBleakScanner):
    stack: Stack

    def __init__(self, detection_callback: Any, service_uuids: Any, *_: Any, **__: Any) -> None:
        super().__init__(detection_callback, service_uuids)

    async def start(self) -> None:
        await self.stack.call("scan")
        self.seen_devices = {}
        self.stack.central.on("advertisement", self._heard)
        await self.stack.central.start_scanning(filter_duplicates=False)

    async def stop(self) -> None:
        await self.stack.call("stop")
        central = self.stack.central
        if self._heard in central.listeners("advertisement"):
            central.remove_listener("advertisement", self._heard)
        await central.stop_scanning()

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


def _properties(found: Any) -> list[str]:
    names = {"READ": "read", "NOTIFY": "notify"}
    return [
        spelt for flag, spelt in names.items() if found.properties & Characteristic.Properties[flag]
    ]


class BumbleClient(BaseBleakClient):
    stack: Stack

    def __init__(self, address_or_ble_device: Any, **kwargs: Any) -> None:
        self.stack.client_options.append(kwargs)
        super().__init__(
            address_or_ble_device,
            disconnected_callback=kwargs["disconnected_callback"],
            timeout=kwargs["timeout"],
        )
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
        await self.stack.call("connect")
        try:
            self._connection = self.stack.connections().get(self.address) or (
                await self.stack.central.connect(self._target, timeout=self._timeout)
            )
            self._connection.on("disconnection", self._dropped)
            await self.stack.call("discover")
            if self._connection is None:
                raise BleakError("dropped while its services were discovered")  # as BlueZ's says
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
                        c, c.handle, _long(c.uuid), _properties(c), lambda: 20, service
                    )
                )

    def _dropped(self, _reason: int) -> None:
        self._connection = None
        if self._disconnected_callback:
            self._disconnected_callback()

    async def disconnect(self) -> None:
        await self.stack.call("disconnect")
        if self._connection is not None:
            await self._connection.disconnect()

    async def start_notify(self, characteristic: Any, callback: Any, **kwargs: Any) -> None:
        await self.stack.call("subscribe")
        try:
            await characteristic.obj.subscribe(lambda value: callback(bytearray(value)))
        except BumbleError as error:
            raise BleakError(str(error)) from error

    async def stop_notify(self, characteristic: Any) -> None:
        await characteristic.obj.unsubscribe()

    async def pair(self, *args: Any, **kwargs: Any) -> None:
        await self.stack.call("pair")
        assert self._connection is not None
        if self._connection.is_encrypted:
            return
        try:
            await self._connection.pair()
        except BumbleError as error:
            raise BleakError(str(error)) from error

    async def unpair(self) -> None:
        raise NotImplementedError

    async def read_gatt_char(self, characteristic: Any, **kwargs: Any) -> bytearray:
        await self.stack.call("read")
        try:
            return bytearray(await characteristic.obj.read_value())
        except BumbleError as error:
            raise BleakError(str(error)) from error

    async def read_gatt_descriptor(self, descriptor: Any, **kwargs: Any) -> bytearray:
        raise NotImplementedError

    async def write_gatt_char(self, characteristic: Any, data: Any, response: bool) -> None:
        await characteristic.obj.write_value(bytes(data), response)

    async def write_gatt_descriptor(self, descriptor: Any, data: Any) -> None:
        raise NotImplementedError
