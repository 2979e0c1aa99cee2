"""What one connected headset says: notifications in, readings out.

Pure: the radio calls :meth:`HeartSession.take` with the bytes and the time of
their arrival. The rules live here so that they are tested without a radio.
"""

from __future__ import annotations

from sensors.collector import Link, Reading
from sensors.heart_rate.beats import BeatClock
from sensors.heart_rate.measurement import Measurement, MeasurementError, parse
from sensors.messages import Absence
from sensors.signals import SIGNALS, Channel

_NO_PULSE_NOTIFICATIONS = 3
"""Reports without rate and beats that mean *not worn* on a device that has no
contact bits. At the usual 1 Hz: 3 s, one missed report is still normal."""


class HeartSession:
    """Turn the notifications of one device into readings and link changes.

    Attributes
    ----------
    malformed : int
        Notifications that were no Heart Rate Measurement.
    implausible : int
        Values outside the catalogue's range; dropped, never clipped.
    """

    def __init__(self) -> None:
        self.malformed = 0
        self.implausible = 0
        self._beats = BeatClock()
        self._without_pulse = 0
        self._worn: bool | None = None

    def take(self, data: bytes, arrived_s: float) -> list[Reading | Link]:
        """Return what one notification says.

        Parameters
        ----------
        data : bytes
            Value of characteristic 0x2A37.
        arrived_s : float
            When it arrived, on the collector's clock. [s]

        Returns
        -------
        list of Reading or Link
            Empty for a malformed notification, which is counted: it is no
            sign of life, so the watchdog goes on waiting.
        """
        try:
            measurement = parse(data)
        except MeasurementError:
            self.malformed += 1
            return []
        worn = self._is_worn(measurement)
        found: list[Reading | Link] = []
        if worn is not self._worn:
            self._worn = worn
            found.append(Link(Channel.HEART, "ok" if worn else Absence.NOT_WORN))
        if measurement.contact is not None:
            found.append(Reading("contact", float(measurement.contact), arrived_s))
        if worn:
            found += self._values(measurement, arrived_s)
        else:
            self._beats.interrupt()
        return found

    def disconnected(self) -> Link | None:
        """Return the link change if the device had been there, and start afresh."""
        known, self._worn = self._worn, None
        self._without_pulse = 0
        self._beats.interrupt()
        return None if known is None else Link(Channel.HEART, Absence.DISCONNECTED)

    def _is_worn(self, measurement: Measurement) -> bool:
        if measurement.contact is not None:
            return measurement.contact
        empty = measurement.hr_bpm == 0 and not measurement.rr_ms
        self._without_pulse = self._without_pulse + 1 if empty else 0
        return self._without_pulse < _NO_PULSE_NOTIFICATIONS

    def _values(self, measurement: Measurement, arrived_s: float) -> list[Reading | Link]:
        found: list[Reading | Link] = []
        if measurement.hr_bpm and self._plausible("hr_bpm", measurement.hr_bpm):
            found.append(Reading("hr_bpm", float(measurement.hr_bpm), arrived_s))
        # An implausible interval still took its time: the chain keeps it, the message does not.
        elapsed = [rr for rr in measurement.rr_ms if rr > 0]
        found += [
            Reading("rr_ms", beat.rr_ms, beat.at_s)
            for beat in self._beats.place(elapsed, arrived_s)
            if self._plausible("rr_ms", beat.rr_ms)
        ]
        return found

    def _plausible(self, signal: str, value: float) -> bool:
        accepted = SIGNALS[signal].accepts(value)
        self.implausible += not accepted
        return accepted
