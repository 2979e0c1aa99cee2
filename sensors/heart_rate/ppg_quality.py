"""How far each beat of an optical pulse can be believed.

Four things speak for a beat, each 0-1, and all are needed:

- *shape*: its wave is like this person's own waves of the last minute;
- *size*: its rise is about as high as the pulse has been, and nothing moved;
- *step*: it comes when the rhythm expects it, and so does the next one. An
  early beat is doubted, never excluded;
- *stretch*: the waveform has a rhythm at all, or at least waves all alike
  (an irregular heart). Noise has neither, and so gives no beats.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sensors.heart_rate.ppg_track import STEP_WIDTH

FloatArray = NDArray[np.float64]

_FROM_S, _TO_S, _STEP_S = -0.2, 0.4, 0.02  # of a wave, around its steepest rise: rise and crest
_SHAPE_SHARE = 0.5  # most that an odd shape takes away: waves do change with posture and breath
_WHOLE = 0.6  # strength from which a beat is not doubted; 98 % of clean beats lie above
_ODD_CAP = 3.0  # steps further off say no more
_LEARN = 0.1  # of a new wave, when it is like the others: 10 beats
_HEAR = 0.2  # of a new clarity per second of calm: 5 s
# White, pink and brown noise at 25-200 Hz through this detector: clarity 0.17, 95th percentile
# 0.31, mean of 5 s below 0.25; mean likeness of 7 waves 0.65, 95th percentile 0.82. A pulse in
# noise of 0.3 of its height: 0.6 and 0.9.
_NO_RHYTHM, _RHYTHM = 0.25, 0.4
_NO_LIKENESS, _LIKENESS = 0.82, 0.92


class Judge:
    """Remembers the shape of one person's wave and says how good each beat is.

    Parameters
    ----------
    rate_hz : float
        Samples per second. [1/s]
    """

    def __init__(self, rate_hz: float) -> None:
        self._offsets = np.arange(_FROM_S, _TO_S, _STEP_S) * rate_hz
        self._template: FloatArray | None = None
        self._clarity: float | None = None

    def hear(self, clarity: float, calm: float) -> None:
        """Take the clarity of the rhythm; what is heard in movement (calm 0) counts little."""
        if self._clarity is None:
            self._clarity = clarity
        self._clarity += _HEAR * calm * (clarity - self._clarity)

    def look(
        self, strength: FloatArray, good: NDArray[np.bool_], position: FloatArray
    ) -> FloatArray:
        """Return the waves at `position`, of mean 0 and length 1; all 0 where not measured."""
        at = position[:, None] + self._offsets[None, :]
        index = np.arange(len(strength))
        waves = np.interp(at, index, strength)
        waves -= waves.mean(axis=1, keepdims=True)
        waves /= np.maximum(np.linalg.norm(waves, axis=1, keepdims=True), 1e-12)
        measured = np.interp(at, index, good.astype(np.float64)).min(axis=1)
        return np.asarray(waves * (measured[:, None] > 0.0), dtype=np.float64)

    def quality(
        self,
        waves: FloatArray,
        strength: FloatArray,
        at_s: FloatArray,
        before_s: float | None,
        period_s: float,
    ) -> FloatArray:
        """Return the quality of each beat, 0-1.

        Parameters
        ----------
        waves : ndarray of float, shape (n_beats, n_offsets)
            From `look`.
        strength, at_s : ndarray of float, shape (n_beats,)
            Strength of each rise (about 1), and its time. [s]
        before_s : float or None
            The beat before the first of them. [s]
        period_s : float
            Expected interval. [s]
        """
        if self._template is None:
            self._template = np.median(waves, axis=0)
        likeness = np.clip(self._likeness(waves), 0.0, 1.0)
        shape = np.where(np.any(waves, axis=1), 1.0 - _SHAPE_SHARE * (1.0 - likeness), 0.0)
        size = np.clip(strength / _WHOLE, 0.0, 1.0)
        edge_s = at_s[0] - period_s if before_s is None else before_s
        odd = np.log(np.diff(at_s, prepend=edge_s) / period_s) / STEP_WIDTH
        odd = np.minimum(np.abs(odd), _ODD_CAP)
        step = 1.0 / (1.0 + (0.5 * (odd + np.append(odd[1:], 0.0)) / 2.0) ** 2)
        rhythm = _ramp(self._clarity or 0.0, _NO_RHYTHM, _RHYTHM)
        alike = _ramp(float(likeness.mean()), _NO_LIKENESS, _LIKENESS)
        return np.asarray(shape * size * step * max(rhythm, alike), dtype=np.float64)

    def learn(self, waves: FloatArray, weight: FloatArray, known: NDArray[np.intp]) -> None:
        """Let the template follow the waves of the `known` beats, as far as they are believed."""
        for k in known.tolist():
            wave = waves[k]
            rate = _LEARN * float(weight[k]) * max(float(self._likeness(wave[None, :])[0]), 0.0)
            if self._template is not None:
                self._template = self._template + rate * (wave - self._template)

    def _likeness(self, waves: FloatArray) -> FloatArray:
        """Return the correlation of each wave with the template."""
        if self._template is None:
            return np.zeros(len(waves))
        length = max(float(np.linalg.norm(self._template)), 1e-12)
        return np.asarray(waves @ self._template / length, dtype=np.float64)


def _ramp(value: float, low: float, high: float) -> float:
    return float(np.clip((value - low) / (high - low), 0.0, 1.0))
