"""A simulated Bluetooth headset on any HCI controller; the only importer of bumble."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from firmware_bridge.simulation.faults import Schedule, ScriptedFault
from firmware_bridge.simulation.happening import Happening, Watch
from firmware_bridge.simulation.heart import HeartBroadcast
from firmware_bridge.simulation.physiology import Stage, Wearer
from sensors.errors import DeviceError, MissingExtraError

ADDRESS = "C4:F2:17:00:0A:01"
"""A random static address, as such headsets have."""

NAME = "Simulated headset"

TURN_S = 0.05
"""The headset is looked after so often. [s]"""

OPEN_WITHIN_S = 10.0
"""A controller that has not answered by then is not there. [s]"""

_EAR_LOBE = 5
_FAST_MS = 100.0  # advertising interval


def _bumble() -> Any:
    """Return bumble; imported here, so that ``--help`` answers without it."""
    try:
        import bumble.device  # noqa: PLC0415 - see above
        import bumble.transport  # noqa: PLC0415
    except ImportError:
        raise MissingExtraError(
            "bumble, which speaks to the controller, is not installed; run: pip install "
            "'agent-wellbeing[bench]'"
        ) from None
    return bumble


@dataclass(slots=True)
class SimulatedHeadset:
    """The Heart Rate Service with what belongs to it.

    Parameters
    ----------
    stages, seed
        As for :class:`~firmware_bridge.simulation.board.BoardSettings`.
    faults : sequence of ScriptedFault
        Of :data:`~firmware_bridge.simulation.faults.BLUETOOTH_FAULTS`. Those
        of services and advertising are as they are at the start.
    address : str
        Its random static address.
    """

    stages: Sequence[Stage]
    seed: int = 1
    faults: Sequence[ScriptedFault] = ()
    address: str = ADDRESS
    notified: int = 0
    connections: int = 0
    wearer: Wearer = field(init=False)
    schedule: Schedule = field(init=False)
    _device: Any = None
    _measurement: Any = None

    def __post_init__(self) -> None:
        self.wearer = Wearer(self.stages, self.seed)
        self.schedule = Schedule(self.faults)

    async def start(self, source: Any, sink: Any) -> None:
        """Switch on at the controller behind `source` and `sink`.

        Raises
        ------
        DeviceError
            If the controller does not answer.
        """
        device = _bumble().device
        address = device.hci.Address(self.address)
        self._device = device.Device.with_hci(NAME, address, source, sink)
        for service in self._services():
            self._device.add_service(service)
        self._device.advertising_data = self._advertisement()
        self._device.on("connection", self._connected)
        try:
            async with asyncio.timeout(OPEN_WITHIN_S):
                await self._device.power_on()
                await self._advertise()
        except TimeoutError:
            raise DeviceError("the Bluetooth controller does not answer; is it free?") from None

    def _services(self) -> list[Any]:
        from bumble import gatt  # noqa: PLC0415
        from bumble.profiles.battery_service import BatteryService  # noqa: PLC0415
        from bumble.profiles.device_information_service import (  # noqa: PLC0415
            DeviceInformationService,
        )

        found: list[Any] = []
        if not self.schedule.on("no_heart_rate"):
            self._measurement = gatt.Characteristic(
                gatt.GATT_HEART_RATE_MEASUREMENT_CHARACTERISTIC,
                gatt.Characteristic.Properties.NOTIFY,
                gatt.Characteristic.Permissions(0),
                b"",
            )
            location = gatt.Characteristic(
                gatt.GATT_BODY_SENSOR_LOCATION_CHARACTERISTIC,
                gatt.Characteristic.Properties.READ,
                gatt.Characteristic.READABLE,
                bytes((_EAR_LOBE,)),
            )
            found.append(gatt.Service(gatt.GATT_HEART_RATE_SERVICE, [self._measurement, location]))
        if not self.schedule.on("no_battery"):
            found.append(BatteryService(lambda _connection: 80))
        if not self.schedule.on("no_information"):
            found.append(
                DeviceInformationService(
                    manufacturer_name="Agent Wellbeing", model_number=NAME, firmware_revision="1.0"
                )
            )
        return found

    def _advertisement(self) -> bytes:
        from bumble.core import AdvertisingData  # noqa: PLC0415
        from bumble.gatt import GATT_HEART_RATE_SERVICE  # noqa: PLC0415

        parts: list[Any] = [(AdvertisingData.COMPLETE_LOCAL_NAME, NAME.encode())]
        if not self.schedule.on("unadvertised"):
            kind = AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS
            parts.append((kind, bytes(GATT_HEART_RATE_SERVICE)))
        return bytes(AdvertisingData(parts))

    async def _advertise(self) -> None:
        await self._device.start_advertising(
            auto_restart=not self.schedule.on("one_connection"),
            advertising_interval_min=_FAST_MS,
            advertising_interval_max=_FAST_MS,
        )

    def _connected(self, _connection: Any) -> None:
        self.connections += 1

    @property
    def is_connected(self) -> bool:
        """Whether a host holds a link to it."""
        return bool(self._device is not None and self._device.connections)

    async def run(self, is_over: Callable[[float], bool]) -> AsyncIterator[Happening]:
        """Notify until `is_over` (of the seconds since the start); yield what happens."""
        loop = asyncio.get_running_loop()
        start_s, was_connected = loop.time(), False
        broadcast = HeartBroadcast(self.wearer, self.schedule)
        watch = Watch(self.wearer, self.schedule.active)
        while not is_over(at_s := loop.time() - start_s):
            for data in broadcast.step(loop.time()):
                if self._measurement is not None and self.is_connected:
                    await self._device.notify_subscribers(self._measurement, data)
                    self.notified += 1
            if self.is_connected is not was_connected:
                was_connected = self.is_connected
                word = "connected" if was_connected else "disconnected"
                yield Happening(at_s, word, f"a host {word}")
            for happening in watch.changes(at_s):
                yield happening
            await asyncio.sleep(TURN_S)

    async def stop(self) -> None:
        """Let the host go, and switch off."""
        if self._device is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(OPEN_WITHIN_S):
                    await self._device.stop_advertising()
                    for connection in list(self._device.connections.values()):
                        await connection.disconnect()
                    await self._device.power_off()


@contextlib.asynccontextmanager
async def opened(transport: str) -> AsyncIterator[Any]:
    """Open the HCI controller that `transport` names, as bumble spells it.

    Raises
    ------
    DeviceError
        If it cannot be opened; says why.
    """
    open_transport = _bumble().transport.open_transport
    try:
        async with asyncio.timeout(OPEN_WITHIN_S):
            controller = await open_transport(transport)
    except TimeoutError:
        raise DeviceError(f"--bluetooth {transport} does not answer; is it free?") from None
    # Each of bumble's transports raises what its driver does.
    except Exception as error:  # noqa: BLE001 - told in one line
        words = " ".join(str(error).split()) or type(error).__name__
        raise DeviceError(
            f"--bluetooth {transport} cannot be opened ({words}); expected like usb:0, "
            "hci-socket:0 or serial:/dev/ttyACM0"
        ) from None
    try:
        yield controller
    finally:
        await controller.close()
