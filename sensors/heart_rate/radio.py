"""Bluetooth LE as the rest of this package sees it; the only file that imports bleak.

Every call into bleak is bounded (:mod:`sensors.heart_rate.bounded`), and what
its backends raise becomes one of two errors: a device out of reach or lost is
ordinary (:class:`LinkError`), everything else is for a person to mend.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from bleak import BleakAdapter, BleakClient, BleakScanner
from bleak.backends.adapter import BaseBleakAdapter
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.exc import BleakBluetoothNotAvailableError, BleakError
from bleak.uuids import normalize_uuid_16

from sensors.errors import DeviceError
from sensors.heart_rate.bounded import Calls
from sensors.heart_rate.offered import Characteristic, Service
from sensors.heart_rate.settings import TABLE

T = TypeVar("T")

HEART_RATE_SERVICE = normalize_uuid_16(0x180D)
_MEASUREMENT = normalize_uuid_16(0x2A37)
# Named, so that Windows and macOS look up only what is read here.
_SERVICES = (HEART_RATE_SERVICE, normalize_uuid_16(0x180F), normalize_uuid_16(0x180A))

_INSTEAD = f"or set [{TABLE}] allow_unencrypted = true to let anybody near read along"

_START_S = 10.0  # to begin scanning: on macOS and Windows a person may be asked first
_READ_S = 5.0
# With the grace of `bounded` below the 5 s within which a withdrawal ends capture (TRUST T6).
_DISCONNECT_S = _STOP_S = 3.0

# What bleak's backends raise when something goes wrong below them: D-Bus and
# sockets come through as OSError and EOFError.
_ERRORS = (BleakError, TimeoutError, OSError, EOFError)

CALLS = Calls()
"""One bound for the whole process: it has one Bluetooth stack."""


class LinkError(DeviceError):
    """The device is out of reach, dropped the link, or does not answer; try again."""


@dataclass(frozen=True, slots=True)
class Near:
    """A device in reach.

    Parameters
    ----------
    address : str
        Bluetooth address; on macOS a UUID that stands for it.
    names : frozenset of str
        As advertised, and as the system calls it.
    has_heart_rate : bool
        Whether it says that it offers the Heart Rate Service.
    rssi_dbm : int
        Strength of its signal; 0 where it is connected already. [dBm]
    device : BLEDevice
        bleak's own handle.
    """

    address: str
    names: frozenset[str]
    has_heart_rate: bool
    rssi_dbm: int
    device: BLEDevice

    @property
    def name(self) -> str:
        """The name to show."""
        return min(self.names, default="")


class HeadsetLink:
    """A connection to one headset."""

    def __init__(self, client: BleakClient, calls: Calls, gone: asyncio.Future[None]) -> None:
        self._client = client
        self._calls = calls
        self._gone = gone

    async def listen(self, arrived: Callable[[bytes], None]) -> None:
        """Have every heart-rate notification handed to `arrived`.

        Raises
        ------
        LinkError
            If the link is lost.
        DeviceError
            If it has no Heart Rate Service at all.
        """
        found = self._find(_MEASUREMENT)
        if found is None:
            raise DeviceError(
                f"{self._client.address} offers no heart rate; switch its heart-rate broadcast on, "
                "or choose another headset"
            )
        await self._bounded(
            _READ_S, self._client.start_notify(found, lambda _sender, data: arrived(bytes(data)))
        )

    async def listen_to(self, characteristic: int, arrived: Callable[[bytes], None]) -> bool:
        """Have changes of another characteristic handed to `arrived`; return whether it can."""
        found = self._find(normalize_uuid_16(characteristic))
        if found is None or "notify" not in found.properties:
            return False
        await self._bounded(
            _READ_S, self._client.start_notify(found, lambda _sender, data: arrived(bytes(data)))
        )
        return True

    async def read(self, characteristic: int) -> bytes | None:
        """Return the value of a characteristic; None where there is none to read.

        Raises
        ------
        LinkError
            If the link is lost.
        """
        found = self._find(normalize_uuid_16(characteristic))
        if found is None or "read" not in found.properties:
            return None
        return bytes(await self._bounded(_READ_S, self._client.read_gatt_char(found)))

    def offered(self) -> tuple[Service, ...]:
        """Return the services that were looked up when the link was made."""
        return tuple(
            Service(
                service.uuid,
                service.description,
                tuple(
                    Characteristic(c.uuid, c.description, tuple(c.properties))
                    for c in service.characteristics
                ),
            )
            for service in self._client.services
        )

    async def pair(self, limit_s: float, instead: str = _INSTEAD) -> None:
        """Pair, unless it is paired already; from then on the link is encrypted.

        `instead` is what else a person may do, as errors say it.

        Raises
        ------
        DeviceError
            If that cannot be done; names the key that allows to go without.
        """
        name = self._client.address
        try:
            await self._calls.within(limit_s, self._client.pair(), self._gone)
        except NotImplementedError:
            raise DeviceError(
                f"this system does not tell whether the link to {name} is encrypted; {instead}"
            ) from None
        except DeviceError:
            raise
        except _ERRORS as error:
            raise DeviceError(
                f"{name} could not be paired ({_words(error)}); put it into pairing mode and "
                f"confirm what the system asks, {instead}"
            ) from None

    async def close(self) -> None:
        """Let the device go, but never wait for a stack that has died."""
        try:
            await self._calls.within(_DISCONNECT_S, self._client.disconnect())
        except _ERRORS:
            return  # it is gone, or will be: nobody listens to it any more

    def _find(self, uuid: str) -> BleakGATTCharacteristic | None:
        try:
            return self._client.services.get_characteristic(uuid)
        except BleakError:  # two of one kind: cannot tell which, so neither; or the link is gone
            return None

    async def _bounded(self, limit_s: float, call: Coroutine[Any, Any, T]) -> T:
        try:
            return await self._calls.within(limit_s, call, self._gone)
        except DeviceError:
            raise
        except _ERRORS as error:
            raise LinkError(_words(error)) from None


class Radio:
    """The Bluetooth of one machine.

    Parameters
    ----------
    scanner_backend, client_backend, adapter_backend : type or None
        Bleak backends; ``None`` takes the operating system's.
    calls : Calls
        Bounds every call.
    """

    def __init__(
        self,
        *,
        scanner_backend: type[BaseBleakScanner] | None = None,
        client_backend: type[BaseBleakClient] | None = None,
        adapter_backend: type[BaseBleakAdapter] | None = None,
        calls: Calls = CALLS,
    ) -> None:
        self._scanner_backend = scanner_backend
        self._client_backend = client_backend
        self._adapter_backend = adapter_backend
        self._calls = calls

    @property
    def hung_calls(self) -> int:
        """How many calls never came back and were left behind."""
        return self._calls.hung

    async def look(
        self, fits: Callable[[Near], bool], scan_s: float, *, first: bool
    ) -> dict[str, Near]:
        """Return what is near and `fits`, by address.

        Parameters
        ----------
        fits : callable
        scan_s : float
            How long to look around. [s]
        first : bool
            Whether the first that fits is enough.

        Raises
        ------
        DeviceError
            If Bluetooth cannot be used.
        """
        found = {near.address: near for near in await self._connected() if fits(near)}
        if found and first:
            return found
        try:
            scanner = BleakScanner(backend=self._scanner_backend)
            try:
                await self._calls.within(_START_S, scanner.start())
                await _gather(scanner, fits, found, scan_s, first=first)
            finally:
                await self._stop(scanner)
        except DeviceError:
            raise
        except _ERRORS as error:
            raise DeviceError(f"Bluetooth cannot be used: {_remedy(error)}") from None
        return found

    async def _stop(self, scanner: BleakScanner) -> None:
        try:
            await self._calls.within(_STOP_S, scanner.stop())
        except _ERRORS:
            return  # what has been found stays true; the next look says what is wrong

    async def _connected(self) -> list[Near]:
        """Return the headsets that this machine is connected to: they do not advertise.

        The system connects to a paired one by itself, and BlueZ keeps the link
        of a program that crashed.
        """
        try:
            adapter = await self._calls.within(
                _READ_S, BleakAdapter.get(backend=self._adapter_backend)
            )
            devices = await self._calls.within(
                _READ_S, adapter.get_connected_devices([HEART_RATE_SERVICE])
            )
        except (*_ERRORS, NotImplementedError):
            return []  # only a shortcut; the scan that follows says what is wrong
        return [Near(d.address, frozenset({d.name} - {None, ""}), True, 0, d) for d in devices]  # type: ignore[arg-type]

    @asynccontextmanager
    async def link(
        self,
        near: Near,
        connect_s: float,
        dropped: Callable[[], None],
        *,
        every_service: bool = False,
    ) -> AsyncIterator[HeadsetLink]:
        """Connect for as long as the context lasts; `dropped` is called when the link is lost.

        With `every_service` all are looked up, not only those that are read here.

        Raises
        ------
        LinkError
            If it cannot be reached.
        """
        gone = asyncio.get_running_loop().create_future()

        def lost(_client: BleakClient) -> None:
            if not gone.done():
                gone.set_result(None)
            dropped()

        client = BleakClient(
            near.device,
            disconnected_callback=lost,
            services=None if every_service else _SERVICES,
            timeout=connect_s,
            # Windows keeps the services of devices it has seen, and after a change of their
            # firmware goes on handing out what is no longer there.
            winrt={"use_cached_services": False},
            backend=self._client_backend,
        )
        link = HeadsetLink(client, self._calls, gone)
        try:
            try:
                await self._calls.within(connect_s, client.connect(), gone)
            except DeviceError:
                raise
            except _ERRORS as error:
                raise LinkError(_words(error)) from None
            yield link
        finally:
            await link.close()


async def _gather(
    scanner: BleakScanner,
    fits: Callable[[Near], bool],
    found: dict[str, Near],
    scan_s: float,
    *,
    first: bool,
) -> None:
    """Fill `found` until the look around is over or the first one is there."""
    try:
        async with (
            asyncio.timeout(scan_s),
            aclosing(scanner.advertisement_data()) as heard,
        ):
            async for device, advertisement in heard:
                near = _near(device, advertisement)
                if fits(near):
                    found[near.address] = near
                    if first:
                        return
    except TimeoutError:
        return


def _near(device: BLEDevice, heard: AdvertisementData) -> Near:
    names = frozenset(name for name in (heard.local_name, device.name) if name)
    has_heart_rate = HEART_RATE_SERVICE in heard.service_uuids
    return Near(device.address, names, has_heart_rate, heard.rssi, device)


def _words(error: BaseException) -> str:
    """Return the reason on one line."""
    if isinstance(error, TimeoutError):
        return "no answer"
    return " ".join(str(error).split()) or type(error).__name__


def _remedy(error: Exception) -> str:
    """Return bleak's reason and what to do, on one line."""
    if isinstance(error, BleakBluetoothNotAvailableError):
        reason = error.reason.name.lower().replace("_", " ")
        return f"{reason}; switch the adapter on and allow this program to use it"
    if isinstance(error, FileNotFoundError):
        return "no Bluetooth service on this machine; plug in an adapter and start it (bluetoothd)"
    return f"{_words(error)}; check that an adapter is present and switched on"
