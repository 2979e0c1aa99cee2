"""Beats from the pieces of a raw optical pulse, in the board's own time; pure.

Pieces may be lost, come late or twice. The detector counts samples; each beat
it finds is put back between the ticks of the samples it was found between, so
that neither a nominal rate that is off by some per cent nor the wire touches
an interval.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensors.heart_rate.ppg import MAX_RATE_HZ, MIN_RATE_HZ, PulseDetector

FloatArray = NDArray[np.float64]

MIN_QUALITY = 0.2
"""Beats below are left out: what is made of them is heart-rate variability, where a wrong beat is
worse than none, and one message has one quality for all its beats (sensors.heart_rate.ppg)."""

LONGEST_GAP_S = 15.0
"""After a longer one the detector begins anew: all it looks at together is gone. [s]"""

_OFF = 0.2  # share by which samples may come faster or slower before it is another rate
_NOMINAL = 0.1  # share within which the announced rate is believed; sensor chips are off by less
_KNOTS_S = 20.0  # of times kept: the detector's window, its delay and one interval


@dataclass(frozen=True, slots=True)
class Beat:
    """One beat.

    Parameters
    ----------
    at_s : float
        When, on the host's clock. [s]
    rr_ms : float or None
        Since the beat before, by the board's clock; None where that is not known. [ms]
    quality : float
        0-1.
    """

    at_s: float
    rr_ms: float | None
    quality: float


class PulseStream:
    """Finds the beats of one optical sensor.

    Parameters
    ----------
    rate_hz : float
        Announced rate. [1/s]

    Attributes
    ----------
    overtaken : int
        Samples left out, since later ones had been used.
    unsuited : int
        Samples left out, since their rate is none of 25 to 200 Hz.
    quality : float or None
        As of :class:`~sensors.heart_rate.ppg.PulseDetector`.
    """

    def __init__(self, rate_hz: float) -> None:
        self.overtaken = self.unsuited = 0
        self._nominal_hz = rate_hz
        self._detector: PulseDetector | None = None
        self._rate_hz = rate_hz
        self._count = 0  # samples given to the detector
        self._last_s = float("-inf")
        self._knots: deque[tuple[float, float, float]] = deque()  # sample, board's, host's time

    @property
    def quality(self) -> float | None:
        """How far the newest beats are to be believed, 0-1; None while nothing is known."""
        return None if self._detector is None else self._detector.quality

    def feed(
        self,
        board_s: FloatArray,
        at_s: FloatArray,
        samples: FloatArray,
        movement_g: float | None = None,
    ) -> list[Beat]:
        """Return the beats that have become certain, 3-4 s after they were.

        Parameters
        ----------
        board_s, at_s : ndarray, shape (n,)
            When the samples were measured, evenly spaced on the board's clock,
            and on the host's. [s]
        samples : ndarray, shape (n,)
            In any unit; NaN where not measured.
        movement_g : float or None
            Root mean square of acceleration without gravity. [g]
        """
        fresh = board_s > self._last_s
        if not fresh.all():
            self.overtaken += int((~fresh).sum())
            board_s, at_s, samples = board_s[fresh], at_s[fresh], samples[fresh]
        if not len(board_s):
            return []
        detector = self._prepare(board_s)
        if detector is None:
            self.unsuited += len(samples)
            return []
        missing = self._missing(board_s)
        self._note(board_s, at_s, self._count + missing)
        self._count += missing + len(samples)
        found = detector.feed(np.concatenate([np.full(missing, np.nan), samples]), movement_g)
        return [self._placed(beat.at_s * self._rate_hz, beat.rr_ms, beat.quality) for beat in found]

    def _prepare(self, board_s: FloatArray) -> PulseDetector | None:
        """Return the detector for samples of this rate, after so long."""
        rate_hz = self._nominal_hz
        if len(board_s) > 1:
            measured_hz = (len(board_s) - 1) / float(board_s[-1] - board_s[0])
            if abs(measured_hz / rate_hz - 1.0) > _NOMINAL:
                rate_hz = measured_hz
        gone = float(board_s[0]) - self._last_s > LONGEST_GAP_S
        if gone or abs(rate_hz / self._rate_hz - 1.0) > _OFF:
            self._detector = None
        if self._detector is None and MIN_RATE_HZ * (1 - _NOMINAL) <= rate_hz <= (
            MAX_RATE_HZ * (1 + _NOMINAL)
        ):
            self._rate_hz = min(max(rate_hz, MIN_RATE_HZ), MAX_RATE_HZ)
            self._detector = PulseDetector(self._rate_hz, min_quality=MIN_QUALITY)
            self._count, self._last_s = 0, float("-inf")
            self._knots.clear()
        return self._detector

    def _missing(self, board_s: FloatArray) -> int:
        """Return how many samples were lost before these."""
        if not self._knots:
            return 0
        return max(0, round((float(board_s[0]) - self._last_s) * self._rate_hz) - 1)

    def _note(self, board_s: FloatArray, at_s: FloatArray, first: int) -> None:
        """Keep when the first and the last of these samples were."""
        self._last_s = float(board_s[-1])
        self._knots.append((float(first), float(board_s[0]), float(at_s[0])))
        if len(board_s) > 1:
            last = float(first + len(board_s) - 1)
            self._knots.append((last, self._last_s, float(at_s[-1])))
        oldest = self._knots[-1][0] - _KNOTS_S * self._rate_hz
        while self._knots[0][0] < oldest:
            self._knots.popleft()

    def _placed(self, sample: float, rr_ms: float | None, quality: float) -> Beat:
        numbers, board_s, at_s = np.array(self._knots).T
        if rr_ms is not None:
            before = sample - rr_ms / 1000.0 * self._rate_hz
            rr_ms = 1000.0 * float(np.diff(np.interp([before, sample], numbers, board_s))[0])
        return Beat(float(np.interp(sample, numbers, at_s)), rr_ms, quality)
