"""Everything that was seen of a Bluetooth headset during a check; plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from sensors.heart_rate.measurement import Measurement, MeasurementError, parse


@dataclass(frozen=True, slots=True)
class Notified:
    """One notification of 0x2A37, when it arrived [s], and what it says.

    Parameters
    ----------
    at_s : float
    measurement : Measurement or None
        None if it cannot be read.
    error : str
        Why not.
    """

    at_s: float
    measurement: Measurement | None
    error: str = ""


@dataclass
class HeartTrace:
    """One check of one headset; times count from its beginning.

    Parameters
    ----------
    slack_s : float
        By how much every limit is widened. [s]
    name : str
        As advertised.
    is_advertised : bool or None
        Whether the Heart Rate Service stood in the advertisement; None if
        the system was connected already and there was none.
    is_offered : bool
        Whether the service has a measurement that notifies.
    pairing : str or None
        Why it could not be paired, empty if it could; None if not tried.
    maker, model, firmware : str
        As in the Device Information Service; empty where it does not say.
    battery : bytes or None
        Value of the battery level; None where there is none.
    listening_s : (float, float)
        From when to when notifications were listened to.
    dropped_s : float or None
        When the headset ended the link by itself.
    found_again_s, connected_again_s, notified_again_s : float or None
        After the host let go: how long until it was found, connected, and
        notified; None if it did not come to that.
    is_reconnect_tried : bool
    """

    slack_s: float = 0.25
    name: str = ""
    is_advertised: bool | None = None
    is_offered: bool = False
    pairing: str | None = None
    maker: str = ""
    model: str = ""
    firmware: str = ""
    battery: bytes | None = None
    listening_s: tuple[float, float] = (0.0, 0.0)
    dropped_s: float | None = None
    is_reconnect_tried: bool = False
    found_again_s: float | None = None
    connected_again_s: float | None = None
    notified_again_s: float | None = None
    notified: list[Notified] = field(default_factory=list)

    def take(self, data: bytes, at_s: float) -> None:
        """Note a notification."""
        try:
            self.notified.append(Notified(at_s, parse(data)))
        except MeasurementError as error:
            self.notified.append(Notified(at_s, None, str(error)))

    @cached_property
    def measured(self) -> list[tuple[float, Measurement]]:
        """Notifications that can be read, with their arrivals [s]; call when all have come."""
        return [(n.at_s, n.measurement) for n in self.notified if n.measurement is not None]

    @cached_property
    def worn(self) -> list[tuple[float, Measurement]]:
        """Those in which a heart is beating."""
        return [(at_s, m) for at_s, m in self.measured if is_beating(m)]


def is_beating(measurement: Measurement) -> bool:
    """Return whether a heart is beating there: it is worn, and has a rate."""
    return measurement.contact is not False and measurement.hr_bpm > 0
