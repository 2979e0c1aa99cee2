"""Beat times from RR intervals, not from the arrival of notifications.

Headsets gather beats and send them when the radio lets them, 3-4 s late at
worst (DESIGN), so arrival times jitter by seconds while RR intervals are
exact to 1/1024 s. Each beat is therefore placed one interval after the beat
before it. Arrivals only bound the chain: no beat lies after its arrival, and
over some notifications at least one arrives nearly at once.

The smallest delay of the device itself cannot be seen from here; beat times
are late by it (typically some tens of milliseconds), and all of them alike.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

MAX_BUFFERED_S = 6.0
"""A chain further than this behind its arrival has lost beats. [s] 4 s of
buffering (DESIGN) plus the longest plausible interval."""

_WINDOW = 60  # notifications whose smallest delay is taken as none: a minute at the usual 1 Hz
_SLACK_S = 0.25  # delay of a whole window that still counts as jitter; below the shortest interval
_MAX_SLEW = 0.5  # share of an interval by which one beat may move towards its place
_new = tuple.__new__


class Beat(NamedTuple):
    """One beat: the interval that it ends, and when it was.

    Parameters
    ----------
    rr_ms : float
        Interval since the beat before. [ms]
    at_s : float
        Time on the clock of the arrivals. [s] Strictly increasing.
    """

    rr_ms: float
    at_s: float


class BeatClock:
    """Place the beats of one device on the clock of this machine."""

    def __init__(self) -> None:
        self._last_s: float | None = None
        self._joined = False
        # Delays since one last counted as none: only a whole window of them says anything.
        self._late_s: deque[float] = deque(maxlen=_WINDOW)

    def place(self, rr_ms: Sequence[float], arrived_s: float) -> list[Beat]:
        """Return the beats of one notification with their times.

        Parameters
        ----------
        rr_ms : sequence of float
            Its RR intervals, oldest first, each above zero. [ms]
        arrived_s : float
            When it arrived. [s] Never before an earlier one.
        """
        if not rr_ms:
            return []
        total_s = sum(rr_ms) / 1000.0
        last_s = arrived_s - total_s if self._last_s is None else self._last_s
        shift_s = self._shift_s(last_s + total_s, arrived_s)
        beats = []
        for rr in rr_ms:
            interval_s = rr / 1000.0
            if shift_s:
                # A move is spread over beats, so that times always increase.
                step_s = max(shift_s, -_MAX_SLEW * interval_s)
                shift_s -= step_s
                interval_s += step_s
            last_s += interval_s
            beats.append(_new(Beat, (rr, last_s)))
        self._last_s = last_s
        if (delay_s := arrived_s - last_s) > _SLACK_S:
            self._late_s.append(delay_s)
        else:
            self._late_s.clear()
        return beats

    def interrupt(self) -> None:
        """Forget the chain: beats were lost (reconnected, not worn)."""
        self._joined = False
        self._late_s.clear()

    def _shift_s(self, chain_end_s: float, arrived_s: float) -> float:
        """Return how far this notification's beats must move from their chain."""
        behind_s = arrived_s - chain_end_s
        if not self._joined or behind_s > MAX_BUFFERED_S:
            self._joined = True
            self._late_s.clear()
            return behind_s
        if behind_s < 0.0:
            # No beat lies in the future: the chain was begun too late.
            self._late_s.clear()
            return behind_s
        if behind_s <= _SLACK_S or len(self._late_s) < _WINDOW:
            return 0.0
        # Not one of a minute's came nearly at once: beats were lost, too few to notice each time.
        smallest_s = min(*self._late_s, behind_s)
        self._late_s.clear()
        return smallest_s
