"""A virtual Bluetooth radio: bumble's controllers on one link, behind bleak's backend interface.

The production collector speaks real advertising, ATT, GATT and SMP with it;
only the operating system's Bluetooth stack and the air are replaced. Used by
the tests and by the benchmarks.
"""

from __future__ import annotations

import asyncio
from typing import Any

from bumble.controller import Controller
from bumble.core import AdvertisingData
from bumble.device import Connection, Device
from bumble.gatt import (
    GATT_BATTERY_LEVEL_CHARACTERISTIC,
    GATT_BATTERY_SERVICE,
    GATT_HEART_RATE_MEASUREMENT_CHARACTERISTIC,
    GATT_HEART_RATE_SERVICE,
    Characteristic,
    CharacteristicValue,
    Service,
)
from bumble.hci import Address, HCI_Disconnect_Command
from bumble.host import Host
from bumble.link import LocalLink
from bumble.pairing import PairingConfig, PairingDelegate
from bumble.profiles.device_information_service import DeviceInformationService
from bumble.transport.common import AsyncPipeSink

from sensors.heart_rate.bounded import Calls
from sensors.heart_rate.radio import Radio
from tests.sensors.heart_rate.bumble_backend import (
    BumbleAdapter,
    BumbleClient,
    BumbleScanner,
    Stack,
)

_FAST_MS = 20.0  # advertising interval: the shortest that Bluetooth allows


class _Pairing(PairingDelegate):
    def __init__(self, *, agrees: bool) -> None:
        super().__init__()
        self._agrees = agrees

    async def accept(self) -> bool:
        return self._agrees


class Peripheral:
    """A headset: the Heart Rate Service, with a hand on every switch."""

    def __init__(self, device: Device, controller: Controller, measurement: Characteristic) -> None:
        self.device = device
        self.controller = controller
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
        await self._hang_up()  # a link of which only this end knows; in the air it times out
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
        await asyncio.sleep(0.02)
        await self._hang_up()

    async def _hang_up(self) -> None:
        """End a link that came up at the moment of vanishing.

        bumble's host fails over it, and only the controller knows that it is
        there; in the air it would end by itself.
        """
        for link in list(self.controller.le_connections.values()):
            await self.device.send_async_command(
                HCI_Disconnect_Command(connection_handle=link.handle, reason=0x13)
            )


class VirtualRadio:
    """One link with this machine's adapter and any number of headsets on it."""

    def __init__(self) -> None:
        self.link = LocalLink()
        self._made = 0
        self.central, _ = self._device("Edge")
        self.stack = Stack(self.central)
        self.calls = Calls()

    def _device(self, name: str) -> tuple[Device, Controller]:
        self._made += 1
        address = Address(f"C4:F2:17:1A:1D:{self._made:02X}")
        controller = Controller(name, link=self.link)
        host = Host(controller, AsyncPipeSink(controller))
        controller.random_address = address
        return Device(name=name, address=address, host=host), controller

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
        device, controller = self._device(name)
        measurement = Characteristic(
            GATT_HEART_RATE_MEASUREMENT_CHARACTERISTIC,
            Characteristic.Properties.NOTIFY,
            Characteristic.Permissions(0),
            b"",
        )
        peripheral = Peripheral(device, controller, measurement)
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
