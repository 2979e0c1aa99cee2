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
from typing import NamedTuple

from sensors.errors import DeviceError

_RATE_16_BIT = 1 << 0
_CONTACT_SHIFT, _CONTACT_MASK = 1, 0b11
_ENERGY_PRESENT = 1 << 3
_RR_PRESENT = 1 << 4
_RR_UNIT_MS = 1000.0 / 1024.0  # [1] RR intervals are sent in 1/1024 s

_CONTACT: tuple[bool | None, ...] = (None, None, False, True)  # [1] by the two contact bits

# By flags: size of what stands before the intervals, contact, and what is there. The three
# highest flags are reserved, and a client ignores them [1].
_LAYOUT = tuple(
    (
        2 + bool(flags & _RATE_16_BIT) + 2 * bool(flags & _ENERGY_PRESENT),
        _CONTACT[flags >> _CONTACT_SHIFT & _CONTACT_MASK],
        bool(flags & _RATE_16_BIT),
        bool(flags & _ENERGY_PRESENT),
        bool(flags & _RR_PRESENT),
    )
    for flags in range(256)
)
_new = tuple.__new__


class MeasurementError(DeviceError):
    """The device sent a notification that is no Heart Rate Measurement."""


class Measurement(NamedTuple):
    """One notification of the Heart Rate Service.

    A named tuple: as immutable as a frozen dataclass, and made in a third of
    the time, which is what decoding consists of.

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


def parse(data: bytes | bytearray) -> Measurement:
    """Return what one notification of characteristic 0x2A37 says.

    Parameters
    ----------
    data : bytes or bytearray
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
    # By hand, where `struct` and the tuple's own constructor would take a call each.
    size, contact, is_wide, has_energy, has_rr = _LAYOUT[flags]
    rest = len(data) - size
    if rest < 0:
        raise MeasurementError(f"heart-rate notification has {len(data)} bytes, expected {size}")
    hr_bpm = data[1] | data[2] << 8 if is_wide else data[1]
    energy_kj = data[size - 2] | data[size - 1] << 8 if has_energy else None
    rr_ms: tuple[float, ...] = ()
    if rest == 2 and has_rr:
        rr_ms = ((data[size] | data[size + 1] << 8) * _RR_UNIT_MS,)
    elif rest:
        rr_ms = _many(data, size, rest, has_rr=has_rr)
    return _new(Measurement, (hr_bpm, contact, energy_kj, rr_ms))


def _many(data: bytes | bytearray, size: int, rest: int, *, has_rr: bool) -> tuple[float, ...]:
    if not has_rr:
        raise MeasurementError(f"heart-rate notification has {rest} bytes too many")
    if rest & 1:
        raise MeasurementError("heart-rate notification ends within an RR interval")
    units = struct.unpack_from(f"<{rest >> 1}H", data, size)
    return tuple([u * _RR_UNIT_MS for u in units])


def parse_contact(data: bytes | bytearray) -> bool | None:
    """Return the contact bits of a notification and nothing else of it.

    For claiming a headset at a hot desk: what other people's headsets say
    about their hearts is not looked at.

    Raises
    ------
    MeasurementError
        If it is empty.
    """
    if not data:
        raise MeasurementError("heart-rate notification is empty")
    return _CONTACT[data[0] >> _CONTACT_SHIFT & _CONTACT_MASK]
