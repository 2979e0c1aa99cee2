"""Bluetooth headsets on the bench: which are near, and what one offers.

Only headsets that somebody named are connected to, and only after pairing is
a notification listened to, unless the person asks for less: whoever is near
with a receiver can read along on an open link.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sensors.errors import DeviceError, MissingExtraError
from sensors.heart_rate.details import (
    BATTERY_LEVEL,
    FIRMWARE,
    MAKER,
    MODEL,
    parse_battery,
    parse_text,
)
from sensors.heart_rate.measurement import MeasurementError, parse

if TYPE_CHECKING:
    from sensors.heart_rate.offered import Service
    from sensors.heart_rate.radio import HeadsetLink, Near, Radio

CONNECT_S, PAIR_S = 20.0, 30.0


@dataclass(frozen=True, slots=True)
class Headset:
    """A device near that offers the Heart Rate Service.

    Parameters
    ----------
    address : str
        Bluetooth address; on macOS a UUID.
    name : str
        As advertised.
    rssi_dbm : int or None
        Strength of its signal; None where it is connected already. [dBm]
    """

    address: str
    name: str
    rssi_dbm: int | None


@dataclass(frozen=True, slots=True)
class Notified:
    """One heart-rate notification, as bytes and as read.

    Parameters
    ----------
    hex : str
    hr_bpm : int or None
        None where it is no Heart Rate Measurement. [1/min]
    contact : bool or None
        None where the device cannot tell.
    rr_ms : tuple of float
        RR intervals. [ms]
    fault : str
        Why it could not be read; else empty.
    """

    hex: str
    hr_bpm: int | None = None
    contact: bool | None = None
    rr_ms: tuple[float, ...] = ()
    fault: str = ""


@dataclass(frozen=True, slots=True)
class InspectedHeadset:
    """What one headset offers and says about itself; what it does not say is empty or None."""

    address: str
    name: str
    maker: str
    model: str
    firmware: str
    battery_percent: int | None
    services: tuple[Service, ...]
    notified: Notified | None


async def open_radio() -> Radio:
    """Return this machine's Bluetooth.

    Raises
    ------
    MissingExtraError
        If bleak is not installed.
    """
    try:
        from sensors.heart_rate.radio import Radio  # noqa: PLC0415 - needs the extra
    except ImportError as error:
        raise MissingExtraError(
            f"{error.name} is not installed; run: pip install 'agent-wellbeing[ble]'"
        ) from None
    return Radio()


async def look_around(radio: Radio, seconds: float) -> list[Headset]:
    """Return the headsets near, the nearest first.

    Raises
    ------
    DeviceError
        If Bluetooth cannot be used; says what to do.
    """
    found = await radio.look(lambda near: near.has_heart_rate, seconds, first=False)
    headsets = [
        Headset(near.address, parse_text(near.name.encode()), near.rssi_dbm or None)
        for near in found.values()
    ]
    return sorted(headsets, key=lambda one: (-(one.rssi_dbm or 0), one.address))


async def inspect_headset(
    radio: Radio, address: str, *, scan_s: float, notify_s: float, unpaired: bool
) -> InspectedHeadset:
    """Connect to one headset and return what it offers.

    Parameters
    ----------
    radio : Radio
    address : str
        As `look_around` gives it.
    scan_s : float
        How long to look for it. [s]
    notify_s : float
        How long to wait for a heart-rate notification. [s]
    unpaired : bool
        Whether to listen without pairing.

    Raises
    ------
    DeviceError
        If it is not near, or cannot be connected to or paired.
    """
    wanted = address.casefold()
    found = await radio.look(lambda near: near.address.casefold() == wanted, scan_s, first=True)
    if not found:
        raise DeviceError(
            f"{address} is not near; switch it on, disconnect it from telephones, "
            "or run: firmware-bridge scan"
        )
    near = next(iter(found.values()))
    async with radio.link(near, CONNECT_S, lambda: None, every_service=True) as link:
        if not unpaired:
            await link.pair(PAIR_S, "or give --unpaired to let anybody near read along")
        return await _inspected(near, link, notify_s)


async def _inspected(near: Near, link: HeadsetLink, notify_s: float) -> InspectedHeadset:
    maker, model, firmware = [
        parse_text(await link.read(uuid) or b"") for uuid in (MAKER, MODEL, FIRMWARE)
    ]
    return InspectedHeadset(
        near.address,
        parse_text(near.name.encode()),
        maker,
        model,
        firmware,
        parse_battery(await link.read(BATTERY_LEVEL) or b""),
        link.offered(),
        await _notified(link, notify_s),
    )


async def _notified(link: HeadsetLink, notify_s: float) -> Notified | None:
    arrived: asyncio.Queue[bytes] = asyncio.Queue()
    await link.listen(arrived.put_nowait)
    try:
        async with asyncio.timeout(notify_s):
            data = await arrived.get()
    except TimeoutError:
        return None
    try:
        measured = parse(data)
    except MeasurementError as error:
        return Notified(data.hex(), fault=str(error))
    return Notified(data.hex(), measured.hr_bpm, measured.contact, measured.rr_ms)
