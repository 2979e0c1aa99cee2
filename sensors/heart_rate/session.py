"""What one connected headset says: notifications in, readings out.

Pure: the radio calls :meth:`HeartSession.take` with the bytes and the time of
their arrival. The rules live here so that they are tested without a radio.
"""

from __future__ import annotations

from collections.abc import Iterable

from sensors.collector import Link, Reading
from sensors.heart_rate.beats import Beat, BeatClock
from sensors.heart_rate.measurement import Measurement, MeasurementError, parse
from sensors.heart_rate.wear import State, WearCheck
from sensors.messages import Absence
from sensors.signals import SIGNALS, Channel


class HeartSession:
    """Turn the notifications of one device into readings and link changes.

    Attributes
    ----------
    malformed : int
        Notifications that were no Heart Rate Measurement.
    implausible : int
        Values outside the catalogue's range; dropped, never clipped.
    contact : bool or None
        What the contact bits of the last good notification said.
    """

    def __init__(self) -> None:
        self.malformed = 0
        self.implausible = 0
        self.contact: bool | None = None
        self._beats = BeatClock()
        self._wear = WearCheck()
        self._state: State | None = None

    @property
    def unreadable(self) -> int:
        """How much of what the device said made no sense."""
        return self.malformed + self.implausible

    def take(self, data: bytes | bytearray, arrived_s: float) -> list[Reading | Link] | None:
        """Return what one notification says.

        Parameters
        ----------
        data : bytes or bytearray
            Value of characteristic 0x2A37.
        arrived_s : float
            When it arrived, on any clock that never goes back. [s] Beats are
            placed on the same one.

        Returns
        -------
        list of Reading or Link, or None
            None for a malformed notification, which is counted: it is no
            sign of life.
        """
        try:
            measurement = parse(data)
        except MeasurementError:
            self.malformed += 1
            return None
        self.contact = contact = measurement.contact
        state = self._wear.judge(measurement)
        found: list[Reading | Link] = []
        if state != self._state:
            self._state = state
            found.append(Link(Channel.HEART, state))
        if contact is not None:
            found.append(Reading("contact", float(contact), arrived_s))
        if state == "ok":
            self._add_values(found, measurement, arrived_s)
        else:
            self._beats.interrupt()
        return found

    def disconnected(self) -> Link | None:
        """Return the link change if the device had been there, and end the chain of beats."""
        known, self._state = self._state, None
        self._beats.interrupt()
        return None if known is None else Link(Channel.HEART, Absence.DISCONNECTED)

    def _add_values(
        self, found: list[Reading | Link], measurement: Measurement, arrived_s: float
    ) -> None:
        rate, rr_ms = measurement.hr_bpm, measurement.rr_ms
        if _RATE.low <= rate <= _RATE.high:
            found.append(Reading("hr_bpm", float(rate), arrived_s))
        elif rate:  # 0 is how a device says that it has none
            self.implausible += 1
        if 0.0 in rr_ms:
            rr_ms = tuple(rr for rr in rr_ms if rr > 0)
        # An implausible interval still took its time: the chain keeps it, the message does not.
        for rr, at_s in self._beats.place(rr_ms, arrived_s):
            if _RR.low <= rr <= _RR.high:
                found.append(Reading("rr_ms", rr, at_s))
            else:
                self.implausible += 1


_RR, _RATE = SIGNALS["rr_ms"], SIGNALS["hr_bpm"]


def read_beats(notifications: Iterable[tuple[bytes | bytearray, float]]) -> list[Beat]:
    """Return the beats of recorded notifications of one device, oldest first.

    What a :class:`HeartSession` says of them, all at once: without what is
    malformed, out of range, or came while the headset was not worn.

    Parameters
    ----------
    notifications : iterable of (bytes, float)
        Value of characteristic 0x2A37, and when it arrived [s].

    Examples
    --------
    >>> read_beats([(bytes([0b10110, 72, 0, 4]), 10.0), (bytes([0b10110, 72, 0, 3]), 11.0)])
    [Beat(rr_ms=1000.0, at_s=10.0), Beat(rr_ms=750.0, at_s=10.75)]
    """
    session = HeartSession()
    return [
        Beat(item.value, item.at_monotonic_s)
        for data, arrived_s in notifications
        for item in session.take(data, arrived_s) or ()
        if isinstance(item, Reading) and item.signal == "rr_ms"
    ]


def has_beat(found: list[Reading | Link]) -> bool:
    """Return whether `found` holds a rate or a beat: what the watchdog waits for."""
    return any(isinstance(item, Reading) and item.signal != "contact" for item in found)
