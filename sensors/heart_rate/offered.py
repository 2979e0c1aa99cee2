"""What a Bluetooth device offers, as its services say; plain values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Characteristic:
    """One characteristic that a device offers.

    Parameters
    ----------
    uuid : str
        In its 128-bit spelling.
    name : str
        What the Bluetooth SIG calls it; ``Unknown`` for a maker's own.
    properties : tuple of str
        Such as ``read`` and ``notify``.
    """

    uuid: str
    name: str
    properties: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Service:
    """One service that a device offers, with its characteristics."""

    uuid: str
    name: str
    characteristics: tuple[Characteristic, ...]
