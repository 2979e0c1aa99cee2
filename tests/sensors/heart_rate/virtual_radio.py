"""A virtual Bluetooth radio: bumble's controllers on one link, behind bleak's backend interface.

The production collector speaks real advertising, ATT, GATT and SMP with it;
only the operating system's Bluetooth stack and the air are replaced. Used by
the tests and by the benchmarks.
"""

from __future__ import annotations

import asyncio
import time
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
from bumble.controller import Controller
from bumble.core import UUID, AdvertisingData
from bumble.core import BaseBumbleError as BumbleError
from bumble.device import Connection, Device, Peer
from bumble.gatt import (
    GATT_BATTERY_LEVEL_CHARACTERISTIC,
    GATT_BATTERY_SERVICE,
    GATT_HEART_RATE_MEASUREMENT_CHARACTERISTIC,
    GATT_HEART_RATE_SERVICE,
    Characteristic,
    CharacteristicValue,
    Service,
)
from bumble.hci import Address
from bumble.host import Host
from bumble.link import LocalLink
from bumble.pairing import PairingConfig, PairingDelegate
from bumble.profiles.device_information_service import DeviceInformationService
from bumble.transport.common import AsyncPipeSink

from sensors.heart_rate.bounded import Calls
from sensors.heart_rate.radio import Radio

_FAST_MS = 20.0  # advertising interval: the shortest that Bluetooth allows


class RealClock:
    """The clock an edge hands to its collectors."""

    def monotonic_s(self) -> float:
        return time.monotonic()

    async def sleep_until(self, at_monotonic_s: float) -> None:
        await asyncio.sleep(max(0.0, at_monotonic_s - time.monotonic()))


class _Pairing(PairingDelegate):
    def __init__(self, *, agrees: bool) -> None:
        super().__init__()
        self._agrees = agrees

    async def accept(self) -> bool:
        return self._agrees


class Peripheral:
    """A headset: the Heart Rate Service, with a hand on every switch."""

    def __init__(self, device: Device, measurement: Characteristic) -> None:
        self.device = device
        self._measurement = measurement
        self.battery = 80
        self.battery_characteristic: Characteristic | None = None
        self.connections: list[Connection] = []
        self.subscribed = asyncio.Event()
        self.was_encrypted: list[bool] = []  # the link, at each subscription
        self.reads: list[str] = []
        device.on("connection", self._connected)
        measurement.on("subscription", self._subscription)

    @property
    def address(self) -> str:
        return str(self.device.random_address).split("/")[0]

    def refuse_pairing(self) -> None:
        self.device.pairing_config_factory = lambda _connection: PairingConfig(
            delegate=_Pairing(agrees=False)
        )

    def _connected(self, connection: Connection) -> None:
        self.connections.append(connection)
        connection.on("disconnection", lambda _reason: self._lost(connection))

    def _lost(self, connection: Connection) -> None:
        self.connections.remove(connection)
        self.subscribed.clear()

    def _subscription(self, _bearer: Any, notify: bool, _indicate: bool) -> None:
        if notify:
            self.was_encrypted.append(any(c.is_encrypted for c in self.connections))
            self.subscribed.set()
        else:
            self.subscribed.clear()

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

    async def notify_battery(self, percent: int) -> None:
        assert self.battery_characteristic is not None
        self.battery = percent
        await self.device.notify_subscribers(self.battery_characteristic, bytes([percent]))

    async def drop(self) -> None:
        for connection in list(self.connections):
            await connection.disconnect()

    async def walk_away(self) -> None:
        """Go out of reach at once: drop the link and advertise no more."""
        self.subscribed.clear()  # what is sent into a link that is going is a packet bumble loses
        await self.vanish()  # before the drop, which restarts it otherwise
        await self.drop()


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


class VirtualRadio:
    """One link with this machine's adapter and any number of headsets on it."""

    def __init__(self) -> None:
        self.link = LocalLink()
        self._made = 0
        self.central = self._device("Edge")
        self.stack = Stack(self.central)
        self.calls = Calls()

    def _device(self, name: str) -> Device:
        self._made += 1
        address = Address(f"C4:F2:17:1A:1D:{self._made:02X}")
        controller = Controller(name, link=self.link)
        host = Host(controller, AsyncPipeSink(controller))
        controller.random_address = address
        return Device(name=name, address=address, host=host)

    async def start(self) -> None:
        await self.central.power_on()

    async def stop(self) -> None:
        self.stack.released.set()
        await self.central.power_off()

    async def headset(
        self,
        name: str = "Headset",
        *,
        information: dict[str, str] | None = None,
        battery: bool = False,
        heart_rate: bool = True,
    ) -> Peripheral:
        device = self._device(name)
        measurement = Characteristic(
            GATT_HEART_RATE_MEASUREMENT_CHARACTERISTIC,
            Characteristic.Properties.NOTIFY,
            Characteristic.Permissions(0),
            b"",
        )
        peripheral = Peripheral(device, measurement)
        if heart_rate:
            device.add_service(Service(GATT_HEART_RATE_SERVICE, [measurement]))
        if information:
            device.add_service(_information(information, peripheral.reads))
        if battery:
            peripheral.battery_characteristic = Characteristic(
                GATT_BATTERY_LEVEL_CHARACTERISTIC,
                Characteristic.Properties.READ | Characteristic.Properties.NOTIFY,
                Characteristic.READABLE,
                CharacteristicValue(read=lambda _connection: bytes([peripheral.battery])),
            )
            device.add_service(Service(GATT_BATTERY_SERVICE, [peripheral.battery_characteristic]))
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
        await peripheral.advertise()
        return peripheral

    async def hold(self, headset: Peripheral) -> None:
        """Have the system connected to `headset`, as it does with paired ones."""
        await self.central.connect(headset.device.random_address)

    @property
    def radio(self) -> Radio:
        """What the production code is handed."""
        stack = {"stack": self.stack}
        return Radio(
            scanner_backend=type("VirtualScanner", (BumbleScanner,), stack),
            client_backend=type("VirtualClient", (BumbleClient,), stack),
            adapter_backend=type("VirtualAdapter", (BumbleAdapter,), stack),
            calls=self.calls,
        )


def _information(texts: dict[str, str], reads: list[str]) -> Service:
    """Return a Device Information Service that notes what is read of it."""
    service = DeviceInformationService(**texts)
    for found in service.characteristics:
        value = bytes(found.value)

        def read(_connection: Any, uuid: str = found.uuid.to_hex_str(), v: bytes = value) -> bytes:
            reads.append(uuid)
            return v

        found.value = CharacteristicValue(read=read)
    return service


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
