"""From an optical waveform to candidate beats, their rhythm and the best path.

Pure and NumPy only: the edge needs no SciPy for a headset. The steps, all
over one window of a few seconds:

1. `usable` says which samples are a measurement at all.
2. `slope` smooths and differentiates in one step. A pulse rises faster than
   it falls, so its steepest rise stands out; baseline wander hardly has one.
3. `normalised` divides by the local size, so that gain does not matter and a
   burst of movement does not hide the pulses beside it.
4. `period` finds the dominant interval by autocorrelation.
5. `best_path` chooses among the candidates those that together are strong and
   evenly spaced: a dicrotic wave is evenly spaced, but not strong; an
   artefact is strong, but rarely in step.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

SMOOTH_S = 0.055
"""Width of the derivative-of-Gaussian. [s] Its pass band peaks at 2.9 Hz: a systolic rise
takes about 0.1-0.2 s (ours; its shape: Allen 2007, Physiol. Meas. 28:R1), half a period of
2.5-5 Hz; at 25 Hz, the slowest sensor, it is still 1.4 samples."""

KERNEL_S = 4 * SMOOTH_S
"""Reach of the kernel to each side. [s] Beyond 4 widths a Gaussian is below 0.04 %."""

STUCK_S = 0.6
"""Equal samples for this long are no measurement. [s] A saturated crest of a pulse lasts less
than half a beat, and the rise before it still tells the beat."""

SHORTEST_S, LONGEST_S = 0.27, 2.0
"""Intervals looked for. [s] 222 and 30 beats/min: the exercise maximum of a young adult
(220 - age) and well below resting bradycardia."""

_LOCAL_S = 3.0  # span of the local size: two beats at 40 beats/min
_CREST = 1.3  # strength of a candidate that counts as a whole one, see `normalised`
_STRENGTH_CAP = 1.6  # a rise beyond this says no more: artefacts are bigger than pulses
_LEAST_STRENGTH = 0.1  # below: noise between the pulses

STEP_WIDTH = 0.21
"""Spread of ln(interval / period): breathing and chance move it by 0.05-0.2 (Task Force 1996:
SDNN of 24 h is 0.14-0.18 of the mean interval)."""

# Costs of a path, in strengths of a whole beat. They balance each other, chosen on synthetic
# pulses: half or twice any one of them changes what is found there by less than 3 %.
_ODD_WEIGHT = 0.5  # half the squared deviation: a normal distribution's logarithm
_ODD_CAP = 0.55  # most that one odd step costs: an early beat
_MISSED_COST = 1.2  # more for every expected beat that a step leaves out
_BEAT_COST = 0.25  # a candidate weaker than this is only taken when the rhythm asks for it

# Weight of what is known before the autocorrelation is looked at.
_PRIOR_WEIGHT = 0.05  # one standard deviation off outweighs 0.025 of correlation
_ADULT_S, _ADULT_OCTAVES = 0.8, 1.0  # 75 beats/min within a factor of two: adults awake
_STEADY_OCTAVES = 0.12  # a rate changes by 8 % within seconds, by 35 % hardly ever
_STEADY_CAP = 12.0  # then it may have: a jump is at most this unlikely
_HALF_REACH = 0.1  # where the half of an interval is looked for; breathing moves it by that
_TOO_FAST = 0.75  # correlation below the shortest interval: a lamp, a motor. Two equal waves of a
# beat reach 0.5, noise less than 0.4
_HALF_SHARE = 0.8  # of the whole's correlation; a high dicrotic wave gives about half


@dataclass(frozen=True, slots=True)
class Rhythm:
    """The dominant interval of a window.

    Parameters
    ----------
    period_s : float
        Interval. [s]
    clarity : float
        Autocorrelation at that interval, 0-1.
    """

    period_s: float
    clarity: float


def usable(samples: FloatArray, rate_hz: float) -> BoolArray:
    """Return which samples are a measurement: finite, and not stuck at one value."""
    good = np.isfinite(samples)
    same = np.zeros(len(samples) + 1, dtype=bool)
    same[1:-1] = samples[1:] == samples[:-1]
    edges = np.flatnonzero(np.diff(np.concatenate([[False], same, [False]]).astype(np.int8)))
    longest = STUCK_S * rate_hz
    for first, last in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if last - first + 1 >= longest:
            good[max(first - 1, 0) : last] = False
    return good


def slope(samples: FloatArray, good: BoolArray, rate_hz: float) -> FloatArray:
    """Return the smoothed derivative, 0 where nothing was measured. [per sample]."""
    if not good.any():
        return np.zeros(len(samples))
    index = np.arange(len(samples))
    filled = samples if good.all() else np.interp(index, index[good], samples[good])
    kernel = _kernel(rate_hz)
    reach = len(kernel) // 2
    found = np.convolve(np.pad(filled - filled[0], reach, mode="edge"), kernel, mode="valid")
    return np.where(good, found, 0.0)


@lru_cache(maxsize=8)
def _kernel(rate_hz: float) -> FloatArray:
    reach = int(np.ceil(KERNEL_S * rate_hz))
    at_s = np.arange(-reach, reach + 1) / rate_hz
    kernel = -at_s * np.exp(-0.5 * (at_s / SMOOTH_S) ** 2)
    return np.asarray(kernel / np.abs(kernel).sum(), dtype=np.float64)


def normalised(rises: FloatArray, good: BoolArray, rate_hz: float) -> tuple[FloatArray, FloatArray]:
    """Return `rises` over their local size (a pulse's crest is then about 1), and that size.

    The size is the generalised mean with exponent one half, which a short
    burst of ten times the height raises by three, not by six as an RMS.
    """
    width = int(_LOCAL_S * rate_hz) | 1
    root = np.sqrt(np.abs(rises))
    total = _box(root, width)
    count = _box(good.astype(np.float64), width)
    size = (total / np.maximum(count, 1.0)) ** 2
    floor = 0.1 * float(np.median(size))  # a stretch of nothing must not be blown up to pulses
    size = np.maximum(size, max(floor, 1e-12))
    return np.asarray(rises / size / (2 * _CREST), dtype=np.float64), size


def _box(values: FloatArray, width: int) -> FloatArray:
    summed = np.cumsum(np.concatenate([[0.0], values]))
    index = np.arange(len(values))
    first = np.maximum(index - width // 2, 0)
    last = np.minimum(index + width // 2 + 1, len(values))
    return np.asarray(summed[last] - summed[first], dtype=np.float64)


def skewness(strength: FloatArray, weight: FloatArray) -> FloatArray:
    """Return the weighted sums of the cubed rises and of their sizes, outliers cut off.

    An upright pulse rises fast and falls slowly: the first sum is above 0.
    """
    cubed = np.clip(strength, -_STRENGTH_CAP, _STRENGTH_CAP) ** 3
    return np.array([(weight * cubed).sum(), (weight * np.abs(cubed)).sum()])


def period(
    strength: FloatArray,
    weight: FloatArray,
    rate_hz: float,
    before_s: float | None,
    trust: float,
) -> Rhythm | None:
    """Return the dominant interval; None where it is shorter than any heart's.

    Parameters
    ----------
    strength : ndarray of float, shape (n,)
        Positive part of the normalised rises, at least two of the longest intervals.
    weight : ndarray of float, shape (n,)
        How far each is believed, 0-1.
    rate_hz : float
        [1/s]
    before_s : float or None
        Interval found a moment ago, which this one is expected near. [s]
    trust : float
        How far that one is believed, 0-1.
    """
    cut = np.clip(strength, 0.0, 1.0) * weight
    cut -= weight * (cut.sum() / max(float(weight.sum()), 1e-12))
    n = len(cut)
    correlation = np.fft.irfft(np.abs(np.fft.rfft(cut, 2 * n)) ** 2)[:n]
    if correlation[0] <= 1e-12:
        return Rhythm(before_s or _ADULT_S, 0.0)
    shortest = round(SHORTEST_S * rate_hz)
    repeats = correlation / correlation[0] * n / (n - np.arange(n))
    before, here, after = (repeats[1 + i : shortest - 1 + i] for i in (-1, 0, 1))
    top = (here > before) & (here >= after) & (here > _TOO_FAST)
    if np.any(top & (np.minimum.accumulate(before) < 0.5 * here)):  # no ripple of one wave
        return None
    lags = np.arange(shortest, min(round(LONGEST_S * rate_hz), n // 2))
    clarity = repeats[lags]
    doubt = (np.log2(lags / rate_hz / _ADULT_S) / _ADULT_OCTAVES) ** 2
    if before_s is not None:
        away = (np.log2(lags / rate_hz / before_s) / _STEADY_OCTAVES) ** 2
        doubt += trust * np.minimum(away, _STEADY_CAP)
    best = int(np.argmax(clarity - _PRIOR_WEIGHT * 0.5 * doubt))
    # Every second beat is as regular as every beat, so the half must be far less so.
    half = np.flatnonzero(np.abs(lags - lags[best] / 2) <= _HALF_REACH * lags[best] / 2)
    if half.size and clarity[half].max() >= _HALF_SHARE * clarity[best]:
        best = int(half[np.argmax(clarity[half])])
    return Rhythm(float(lags[best] / rate_hz), float(np.clip(clarity[best], 0.0, 1.0)))


def candidates(strength: FloatArray, rises: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return position (in samples, between them) and strength of every rise that may be a beat."""
    middle = strength[1:-1]
    found = (middle > strength[:-2]) & (middle >= strength[2:]) & (middle > _LEAST_STRENGTH)
    at = np.flatnonzero(found) + 1
    # The crest lies between samples: a parabola through the three around it.
    left, top, right = rises[at - 1], rises[at], rises[at + 1]
    bend = left - 2 * top + right
    offset = np.where(bend < 0, 0.5 * (left - right) / np.minimum(bend, -1e-300), 0.0)
    return at + np.clip(offset, -0.5, 0.5), np.minimum(strength[at], _STRENGTH_CAP)


def best_path(
    at_s: FloatArray,
    strength: FloatArray,
    period_s: float,
    anchor_s: float | None,
) -> list[int]:
    """Return which candidates are the beats.

    Parameters
    ----------
    at_s, strength : ndarray of float, shape (n,)
        Candidates, oldest first.
    period_s : float
        Expected interval. [s]
    anchor_s : float or None
        The last beat already told; the path goes on from it. [s]
    """
    n = len(at_s)
    if n == 0:
        return []
    gain = strength - _BEAT_COST
    total = np.empty(n)
    before = np.full(n, -1)
    for j in range(n):
        first = int(np.searchsorted(at_s, at_s[j] - 3 * LONGEST_S))
        reach = total[first:j] - _step_cost(at_s[j] - at_s[first:j], period_s)
        start = 0.0
        if anchor_s is not None:
            start = -float(_step_cost(at_s[j] - anchor_s, period_s))
        best = int(np.argmax(reach)) if len(reach) else -1
        if best >= 0 and reach[best] > start:
            total[j], before[j] = gain[j] + reach[best], first + best
        else:
            total[j] = gain[j] + start
    path = [int(np.argmax(total))]
    while before[path[-1]] >= 0:
        path.append(int(before[path[-1]]))
    return path[::-1]


def _step_cost(interval_s: FloatArray | np.float64, period_s: float) -> FloatArray:
    steps = np.asarray(interval_s, dtype=np.float64)
    odd = np.log(np.maximum(steps, 1e-3) / period_s) / STEP_WIDTH
    cap = _ODD_CAP + _MISSED_COST * np.maximum(steps / period_s - 1.0, 0.0)
    cost = np.minimum(_ODD_WEIGHT * odd**2, cap)
    return np.where(steps < SHORTEST_S, np.inf, cost)
