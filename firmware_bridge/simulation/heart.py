"""What a simulated Bluetooth headset notifies: heart rate, intervals and contact; pure.

References
----------
.. [1] Bluetooth SIG, "Heart Rate Service", v1.0, 3.1: Heart Rate Measurement.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field

from firmware_bridge.simulation.faults import Schedule
from firmware_bridge.simulation.physiology import Wearer

_EVERY_S = 1.0
_SELDOM_S = 4.0
_COARSE_MS = 50.0
_CONTACT_KNOWN, _CONTACT_ON, _RR_PRESENT = 1 << 2, 1 << 1, 1 << 4
_MOST = 9  # intervals that a notification of 20 bytes has room for


@dataclass(slots=True)
class HeartBroadcast:
    """The heart-rate side of one headset.

    Parameters
    ----------
    wearer : Wearer
    schedule : Schedule
        Its faults.
    """

    wearer: Wearer
    schedule: Schedule
    _start_s: float = math.nan
    _due_s: float = _EVERY_S
    _beat_s: float = -1.0
    _beats: int = 0
    _recent: list[float] = field(default_factory=list)

    def step(self, now_s: float) -> list[bytes]:
        """Return the notifications that are due at `now_s`, which never goes back.

        Parameters
        ----------
        now_s : float
            The caller's clock; the first call switches the headset on. [s]
        """
        if math.isnan(self._start_s):
            self._start_s = now_s
        self.schedule.now_s = now_s - self._start_s
        found = []
        while self._due_s <= self.schedule.now_s:
            found.append(self._notification(self._due_s))
            self._due_s += _SELDOM_S if self.schedule.on("seldom") else _EVERY_S
        return found

    def _notification(self, at_s: float) -> bytes:
        on = self.schedule.on
        worn = self.wearer.is_worn(at_s)
        intervals = self._intervals(at_s) if worn else []
        self._recent = [*self._recent, *intervals][-5:] if worn else []
        mean_ms = sum(self._recent) / len(self._recent) if self._recent else 0.0
        rate = min(round(60_000 / mean_ms), 255) if mean_ms else 0
        is_mute = on("no_contact_bits") or (on("some_contact_bits") and round(at_s) % 2 == 0)
        flags = 0 if is_mute else _CONTACT_KNOWN | (_CONTACT_ON if worn else 0)
        sent = [] if on("no_rr") else [ms for ms in intervals[-_MOST:] if not self._misses()]
        if sent:
            flags |= _RR_PRESENT
        if on("coarse_rr"):
            sent = [_COARSE_MS * round(ms / _COARSE_MS) for ms in sent]
        units = [round(ms * 1.024) for ms in sent]
        data = bytes((flags, rate)) + struct.pack(f"<{len(units)}H", *units)
        return data[:-1] if on("malformed") else data

    def _intervals(self, until_s: float) -> list[float]:
        """Return the intervals that ended since the last call, in ms."""
        found = []
        for beat_s in self.wearer.beats(max(self._beat_s, until_s - _SELDOM_S), until_s):
            if self._beat_s >= 0:
                found.append((beat_s - self._beat_s) * 1000)
            self._beat_s = beat_s
        return [ms for ms in found if ms <= 2_000]

    def _misses(self) -> bool:
        self._beats += 1
        return self.schedule.on("missed_rr") and self._beats % 3 == 0
