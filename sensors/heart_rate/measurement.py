"""Heart Rate Measurement (0x2A37): bytes in, values out.

Pure: no radio, no clock. Every combination of the flags is read: 8- and
16-bit rate, contact bits, expended energy, and any number of RR intervals.

References
----------
.. [1] Bluetooth SIG, "Heart Rate Service", v1.0, 3.1: Heart Rate Measurement.
.. [2] Bluetooth SIG, "GATT Specification Supplement": Heart Rate Measurement.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from sensors.errors import DeviceError

_RATE_16_BIT = 1 << 0
_CONTACT_DETECTED = 1 << 1
_CONTACT_SUPPORTED = 1 << 2
_ENERGY_PRESENT = 1 << 3
_RR_PRESENT = 1 << 4
_RR_UNIT_MS = 1000.0 / 1024.0  # [1] RR intervals are sent in 1/1024 s


class MeasurementError(DeviceError):
    """The device sent a notification that is no Heart Rate Measurement."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One notification of the Heart Rate Service.

    Parameters
    ----------
    hr_bpm : int
        Heart rate as the device reports it; 0 where it has none. [1/min]
    contact : bool or None
        Whether the sensor touches the skin; ``None`` where it cannot tell.
    energy_kj : int or None
        Energy expended since its last reset. [kJ]
    rr_ms : tuple of float
        RR intervals, oldest first; empty where none were sent. [ms]
    """

    hr_bpm: int
    contact: bool | None = None
    energy_kj: int | None = None
    rr_ms: tuple[float, ...] = ()


def parse(data: bytes) -> Measurement:
    """Return what one notification of characteristic 0x2A37 says.

    Parameters
    ----------
    data : bytes
        The value of the notification.

    Returns
    -------
    Measurement

    Raises
    ------
    MeasurementError
        If it is shorter than its flags promise, or longer than they allow.
        Reserved flags are ignored, as the specification asks of a client.

    Examples
    --------
    >>> parse(bytes([0b10110, 72, 0x00, 0x04]))
    Measurement(hr_bpm=72, contact=True, energy_kj=None, rr_ms=(1000.0,))
    """
    if not data:
        raise MeasurementError("heart-rate notification is empty")
    flags = data[0]
    layout = (
        "<B" + ("H" if flags & _RATE_16_BIT else "B") + ("H" if flags & _ENERGY_PRESENT else "")
    )
    size = struct.calcsize(layout)
    if len(data) < size:
        raise MeasurementError(f"heart-rate notification has {len(data)} bytes, expected {size}")
    _, hr_bpm, *energy = struct.unpack_from(layout, data)
    return Measurement(
        hr_bpm=hr_bpm,
        contact=bool(flags & _CONTACT_DETECTED) if flags & _CONTACT_SUPPORTED else None,
        energy_kj=energy[0] if energy else None,
        rr_ms=_rr_ms(data[size:], expected=bool(flags & _RR_PRESENT)),
    )


def _rr_ms(rest: bytes, *, expected: bool) -> tuple[float, ...]:
    if rest and not expected:
        raise MeasurementError(f"heart-rate notification has {len(rest)} bytes too many")
    count, odd = divmod(len(rest), 2)
    if odd:
        raise MeasurementError("heart-rate notification ends within an RR interval")
    return tuple(units * _RR_UNIT_MS for units in struct.unpack(f"<{count}H", rest))
