"""Whether a headset is worn: from its contact bits, and from data no heart gives.

Pure. A sensor on a desk is more dangerous than one that is switched off: many
go on reporting the last rate, or the rate of the light in the room.
"""

from __future__ import annotations

from typing import Literal

from sensors.heart_rate.measurement import Measurement
from sensors.messages import Absence
from sensors.signals import SIGNALS

EMPTY_NOTIFICATIONS = 3
"""Reports without one plausible rate or beat that mean there is no pulse.
At the usual 1 Hz: 3 s, one missed report is still normal."""

FLAT_BEATS = 40
"""Equal intervals in a row that no heart gives: at rest RMSSD is 19 to 75 ms
(means of 44 studies: Nunan et al. 2010, Pacing Clin. Electrophysiol. 33:1407)
against steps of 1 ms,
and even a paced heart is measured with an error of a step or two. Long enough
that a device which derives its intervals from a smoothed rate is not caught
while that rate stands still for half a minute."""

FLAT_RATES = 600
"""Equal rates in a row that no heart gives, on a device that sends no
intervals. At the usual 1 Hz: ten minutes."""

State = Literal["ok"] | Absence


class WearCheck:
    """Judge one device's notifications, one after the other.

    Lives longer than a link: a stuck sensor does not become a heart by being
    connected to once more.
    """

    def __init__(self) -> None:
        self._empty = 0
        self._same_rr = 0
        self._same_rate = 0
        self._last_rr_ms = 0.0
        self._last_rate_bpm = 0

    def judge(self, measurement: Measurement) -> State:
        """Return ``"ok"``, ``NOT_WORN``, or ``POOR``.

        ``POOR`` when the device says that it touches the skin and yet sends
        what no heart gives; without contact bits that means *not worn*.
        """
        self._count(measurement)
        if measurement.contact is False:
            return Absence.NOT_WORN
        if (
            self._empty < EMPTY_NOTIFICATIONS
            and self._same_rr < FLAT_BEATS
            and self._same_rate < FLAT_RATES
        ):
            return "ok"
        return Absence.POOR if measurement.contact else Absence.NOT_WORN

    def _count(self, measurement: Measurement) -> None:
        rate, rr_ms = measurement.hr_bpm, measurement.rr_ms
        speaks = _RATE.low <= rate <= _RATE.high
        same_rr, last_ms = self._same_rr, self._last_rr_ms
        for rr in rr_ms:
            same_rr = same_rr + 1 if rr == last_ms else 1
            last_ms = rr
            speaks = speaks or _RR.low <= rr <= _RR.high
        self._same_rr, self._last_rr_ms = same_rr, last_ms
        same_rate = rate == self._last_rate_bpm and not rr_ms
        self._same_rate = self._same_rate + 1 if same_rate else 1
        self._last_rate_bpm = rate
        self._empty = 0 if speaks else self._empty + 1


_RR, _RATE = SIGNALS["rr_ms"], SIGNALS["hr_bpm"]
