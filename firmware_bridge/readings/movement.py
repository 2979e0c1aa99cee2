"""Movement from raw acceleration: one figure per second, the waveform forgotten; pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

_LEAST = 5  # samples in a second from which a spread says something; 10 Hz is the least allowed
_MOST = 1_000  # samples of one second kept: five times the fastest rate


@dataclass(frozen=True, slots=True)
class Moved:
    """Movement within one second.

    Parameters
    ----------
    at_s : float
        End of the second, on the host's clock. [s]
    rms_g : float
        Root mean square of acceleration without gravity. [g]
    """

    at_s: float
    rms_g: float


class Movement:
    """Root mean square of acceleration without gravity, second by second.

    Gravity is what does not change within a second: the mean of each axis.

    Attributes
    ----------
    newest : Moved or None
    """

    def __init__(self) -> None:
        self.newest: Moved | None = None
        self._second: float | None = None  # of the board's clock, whole
        self._samples: list[FloatArray] = []
        self._count = 0
        self._at_s = 0.0

    def feed(self, board_s: FloatArray, at_s: FloatArray, values: FloatArray) -> list[Moved]:
        """Return the seconds that these samples complete.

        Parameters
        ----------
        board_s, at_s : ndarray, shape (n,)
            When they were measured, on the board's and on the host's clock. [s]
        values : ndarray, shape (n, width)
            Acceleration with gravity: three axes, or its magnitude. [g] NaN
            where not measured.
        """
        found = []
        seconds = np.floor(board_s)
        for second in np.unique(seconds):
            if self._second is not None and second < self._second:
                continue  # came late: its second is over
            if self._second is not None and second > self._second:
                found += self._end()
            self._second = float(second)
            here = seconds == second
            if self._count < _MOST:
                self._samples.append(values[here][np.isfinite(values[here]).all(axis=1)])
                self._count += len(self._samples[-1])
            self._at_s = float(at_s[here][-1])
        return found

    def _end(self) -> list[Moved]:
        samples = np.concatenate(self._samples)
        self._samples, self._count = [], 0
        if len(samples) < _LEAST:
            return []
        variance = samples.var(axis=0).sum()
        self.newest = Moved(self._at_s, float(np.sqrt(variance)))
        return [self.newest]
