"""What a headset says about itself: battery and model, for the agent only.

Pure. The serial number (0x2A25) is not even read: nobody needs it, and it
would name one headset, and so one person, for ever.

References
----------
.. [1] Bluetooth SIG, "Battery Service", v1.1: Battery Level (0x2A19).
.. [2] Bluetooth SIG, "Device Information Service", v1.2: UTF-8 strings.
"""

from __future__ import annotations

from dataclasses import dataclass

from sensors.spoken import say

BATTERY_LEVEL = 0x2A19
MODEL, FIRMWARE, MAKER = 0x2A24, 0x2A26, 0x2A29

LOW_PERCENT = 15
"""At or below this the agent is told, once. [%]"""
_FULL_AGAIN_PERCENT = 30  # so that a level that wavers around the limit is told once
_LONGEST = 40  # characters of a name; longer ones are noise or an attack on the terminal


@dataclass(frozen=True, slots=True)
class Details:
    """Which device it is.

    Parameters
    ----------
    maker, model, firmware : str
        Empty where the device does not say.
    """

    maker: str = ""
    model: str = ""
    firmware: str = ""


def parse_battery(data: bytes) -> int | None:
    """Return the level in percent; None for what no battery level is [1]_."""
    return data[0] if len(data) == 1 and data[0] <= 100 else None


def parse_text(data: bytes) -> str:
    """Return a printable line of at most 40 characters, whatever was sent.

    Devices pad with zeros, and a name goes to a terminal: control characters
    become blanks.
    """
    text = data.decode("utf-8", errors="replace").partition("\0")[0]
    shown = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(shown.split())[:_LONGEST]


def describe(name: str, address: str, details: Details, battery: int | None) -> str:
    """Return the line that `status` shows about the headset.

    Examples
    --------
    >>> describe("H7", "C4:F2", Details(maker="Acme", model="Clip 2", firmware="1.4"), 80)
    'H7 (C4:F2), Acme Clip 2, firmware 1.4, battery 80 %'
    """
    parts = [f"{parse_text(name.encode()) or say('unnamed')} ({address})"]
    parts.append(" ".join(part for part in (details.maker, details.model) if part))
    if details.firmware:
        parts.append(say("firmware {version}").format(version=details.firmware))
    if battery is not None:
        parts.append(say("battery {percent} %").format(percent=battery))
    return ", ".join(part for part in parts if part)


class BatteryWatch:
    """Say once that the battery is low, and again only after it was charged."""

    def __init__(self) -> None:
        self.percent: int | None = None
        self._told = False

    def take(self, data: bytes) -> bool:
        """Take a level as sent; return whether the agent is to be told now."""
        percent = parse_battery(data)
        if percent is None:
            return False
        self.percent = percent
        if percent >= _FULL_AGAIN_PERCENT:
            self._told = False
        if percent > LOW_PERCENT or self._told:
            return False
        self._told = True
        return True
