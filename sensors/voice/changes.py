"""What changes from one cycle of a voice to the next, and what of it noise made. Pure.

Each cycle's time and size are fitted [1]_ in two halves of the spectrum, parted
so that either half tells as much. A voice that comes early, or louder, does so
in both; noise disturbs them one by one. So the covariance of the halves is the
voice's own change [2]_, whatever the noise's spectrum, and their difference
tells how far noise would have reached alone. Where that is as much as a voice
does, jitter and shimmer are unknown.

References
----------
.. [1] C. H. Knapp, G. C. Carter, "The generalized correlation method for
   estimation of time delay", IEEE Transactions on Acoustics, Speech, and
   Signal Processing, vol. 24, no. 4, pp. 320-327, 1976.
.. [2] W. F. Walls, "Cross-correlation phase noise measurements", IEEE Frequency
   Control Symposium, pp. 257-261, 1992: two channels, one clock.
.. [3] P. Boersma, D. Weenink, Praat manual: "Voice 2. Jitter", "Voice 3.
   Shimmer"; maximum period factor 1.3, maximum amplitude factor 1.6, jitter of
   1.04 % and shimmer of 3.81 % as bounds of what is usual.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from sensors.voice.overlay import Bools, Doubles, Floats, Ints

MIN_CYCLES = 20
"""Fewer pairs of cycles say nothing. A tenth of a second of a high voice."""

MAX_NOISE_JITTER = 0.008
MAX_NOISE_SHIMMER = 0.04
"""What noise alone may look like: about the bounds of what is usual in a voice [3]_."""

_MAX_PERIOD_FACTOR = 1.3  # [3]
_MAX_AMPLITUDE_FACTOR = 1.6  # [3]
_OUTLIER = 5.0  # times the median change: 3.4 standard deviations of a normal one
_LEAST_LEFT = 0.3  # of the shimmer, whatever the noise explains: the noise is an estimate too
_NORMAL = 0.6745  # median of the magnitude of a normal number, over its standard deviation
_MEAN = 0.7979  # its mean, over the same
_TINY = float(np.finfo(np.float32).tiny)

Spectra = NDArray[np.complex64]


@dataclass(frozen=True, slots=True)
class Changes:
    """Cycle-to-cycle measures of one window.

    Parameters
    ----------
    jitter_local, shimmer_local : float or None
        Mean change from one cycle to the next over the mean, of period and of
        amplitude, without what noise explains; ``None`` where noise alone
        might look like that.
    periodicity : float
        Share of the energy that repeats from cycle to cycle, 0-1: unlike that
        of the pitch track it does not suffer from jitter.
    certainty : float
        Share of the change of period that noise does not explain, 0-1.
    n_cycles : int
        Pairs of cycles behind them.
    """

    jitter_local: float | None
    shimmer_local: float | None
    periodicity: float
    certainty: float
    n_cycles: int


@dataclass(frozen=True, slots=True)
class _Fits:
    """Time and size of three cycles in a row against one pattern, by half of the spectrum.

    Parameters
    ----------
    time, size : ndarray of float, shape (3, 2, n)
        [samples], and relative to the pattern.
    whole : ndarray of float, shape (3, n)
        Size in the whole spectrum.
    noise : float
        Variance of `whole` that what differs from the pattern explains.
    """

    time: Doubles
    size: Doubles
    whole: Doubles
    noise: float


def measure(
    periods: Doubles, laid: Floats, raw: Floats, good: Bools, share: float
) -> Changes | None:
    """Return the measures of cycles laid over one another; ``None`` with too few of them.

    Parameters
    ----------
    periods : ndarray of float, shape (n - 1,)
        From each cycle to the next. [samples]
    laid, raw : ndarray of float32, shape (n, width)
        Each cycle's pulse, and the sound around it.
    good : ndarray of bool, shape (n - 1,)
        Whether a cycle and the next are neighbours and alike.
    share : float
        Share of the spectrum that holds something, from its low end.
    """
    first = _runs(good, 7)
    if first.size < MIN_CYCLES:
        return None
    found = _fits(laid, first, share)
    first = first + 2
    change = periods[first + 1] - periods[first]
    change = change + found.time[0] - 2.0 * found.time[1] + found.time[2]
    change = change[:, _factor(periods[first + 1], periods[first]) < _MAX_PERIOD_FACTOR]
    kept = _factor(found.whole[0], found.whole[1]) < _MAX_AMPLITUDE_FACTOR
    if min(change.shape[1], int(kept.sum())) < MIN_CYCLES:
        return None
    period = float(periods[first].mean())
    time = _common(change)
    is_known = time.between <= MAX_NOISE_JITTER * period
    size = float(found.whole[:, kept].mean())
    by_half = _common((found.size[1] - found.size[0])[:, kept])
    is_clear = is_known and by_half.noise <= MAX_NOISE_SHIMMER * size
    step = np.abs(found.whole[1, kept] - found.whole[0, kept])
    return Changes(
        jitter_local=time.mean / period if is_known else None,
        shimmer_local=_without(step, 2.0 * found.noise) / size if is_clear else None,
        periodicity=_periodicity(raw, periods, good),
        certainty=time.share,
        n_cycles=int(change.shape[1]),
    )


def _runs(good: Bools, n: int) -> Ints:
    """Return the first of every `n` cycles in a row that are all neighbours and alike."""
    if good.size < n - 1:
        return np.empty(0, dtype=np.intp)
    return np.flatnonzero(np.convolve(good, np.ones(n - 1), mode="valid") > n - 1.5)


def _fits(laid: Floats, first: Ints, share: float) -> _Fits:
    """Return the fits of the middle three of seven cycles against the mean of the other four."""
    spectra: Spectra = scipy.fft.rfft(laid)[:, 1 : 2 + int(share * (laid.shape[1] // 2))]
    pattern = 0.25 * (spectra[first] + spectra[first + 1] + spectra[first + 5] + spectra[first + 6])
    power = np.square(pattern.real) + np.square(pattern.imag)
    step = (2 * np.pi / laid.shape[1]) * np.arange(1, power.shape[1] + 1, dtype=np.float32)
    halves_of_time = _halves(power.mean(axis=0) * step**2) * step[:, None]
    halves_of_size = _halves(power.mean(axis=0))
    energy = np.maximum((power @ halves_of_size).T, _TINY)
    bend = np.maximum((power @ (halves_of_time * step[:, None])).T, _TINY)
    time, size = np.empty((2, 3, 2, first.size))
    for i in range(3):
        product = spectra[first + 2 + i] * pattern.conj()
        time[i] = -(product.imag @ halves_of_time).T / bend
        size[i] = (product.real @ halves_of_size).T / energy
    whole = (size * (energy / energy.sum(axis=0))).sum(axis=1)
    rest = spectra[first + 2] - whole[0].astype(np.float32)[:, None] * pattern
    # A fifth of what is left is the noise of the four; half lies at a right angle.
    noise = 0.4 * (np.square(rest.real) + np.square(rest.imag))
    variance = np.einsum("ij,ij->i", power, noise) / np.square(energy.sum(axis=0))
    return _Fits(time, size, whole, float(variance.mean()))


def _halves(information: Floats) -> Floats:
    """Return which bins are in the lower and which in the upper half of `information`."""
    upto = np.cumsum(information) - 0.5 * information
    low = upto < 0.5 * information.sum()
    low[0], low[-1] = True, False
    return np.stack([low, ~low], axis=1).astype(np.float32)


@dataclass(frozen=True, slots=True)
class _Common:
    """What both halves of the spectrum tell.

    Parameters
    ----------
    mean : float
        Mean change common to both.
    share : float
        Share of the change that it is, 0-1.
    noise : float
        Mean change by what is not common.
    between : float
        The same from how far apart the two usually are: marks that slipped
        are common to both halves, but not by as much.
    """

    mean: float
    share: float
    noise: float
    between: float


def _common(change: Doubles) -> _Common:
    """Return what both halves of the spectrum tell, from a change of shape (2, n)."""
    between = _MEAN / _NORMAL * float(np.median(np.abs(change[0] - change[1]))) / 2.0
    usual = np.median(np.abs(change), axis=1, keepdims=True)
    change = change[:, (np.abs(change) <= _OUTLIER * np.maximum(usual, 1e-12)).all(axis=0)]
    if change.shape[1] < MIN_CYCLES:
        return _Common(0.0, 0.0, np.inf, np.inf)
    variance = np.maximum(np.square(change).mean(axis=1), _TINY)
    both = (change / variance[:, None]).sum(axis=0) / (1.0 / variance).sum()
    total = max(float(np.square(both).mean()), _TINY)
    share = float(np.clip((change[0] * change[1]).mean() / total, 0.0, 1.0))
    return _Common(
        mean=float(np.abs(both).mean()) * share**0.5,
        share=share,
        noise=_MEAN * ((1.0 - share) * total) ** 0.5,
        between=between,
    )


def _without(changes: Doubles, variance: float) -> float:
    """Return the mean change, noise of this variance taken out.

    For normal changes the square of the mean is 2/pi of the variance, and
    variances of independent causes add up.
    """
    found = float(changes[changes <= _OUTLIER * max(float(np.median(changes)), 1e-12)].mean())
    if found == 0.0:
        return 0.0
    left = 1.0 - 2.0 / np.pi * variance / found**2
    return found * float(np.sqrt(max(left, _LEAST_LEFT**2)))


def _factor(a: Doubles, b: Doubles) -> Doubles:
    """Return how many times the larger is the smaller; infinite where that is not above zero."""
    low = np.minimum(a, b)
    return np.where(low > 0, np.maximum(a, b) / np.where(low > 0, low, 1.0), np.inf)


def _periodicity(cycles: Floats, periods: Doubles, good: Bools) -> float:
    """Return the share of the energy of `cycles` that repeats, 0-1.

    What jitter and shimmer change is not counted as noise: the mouth still
    rings from the cycles before, and earlier or louder as these were. As far
    as a cycle's difference from the one before goes with the differences of
    periods and size, it is taken out by regression.
    """
    at = _runs(good, 6) + 2
    pattern = 0.25 * (cycles[at - 2] + cycles[at - 1] + cycles[at + 2] + cycles[at + 3])
    energy = np.maximum(np.einsum("ij,ij->i", pattern, pattern), _TINY)
    ones, others = cycles[at], cycles[at + 1]
    step = np.einsum("ij,ij->i", others - ones, pattern) / energy
    rest = others - ones - step[:, None] * pattern
    longer = periods / periods[at].mean() - 1.0
    before = np.einsum("ij,ij->i", ones - cycles[at - 1], pattern) / energy
    causes = np.stack(
        [
            longer[at] - longer[at - 1],
            longer[at + 1] - longer[at],
            longer[at - 1] - longer[at - 2],
            np.square(longer[at]) - np.square(longer[at - 1]),
            before,
        ]
    ) * np.sqrt(energy)
    causes = causes.astype(np.float32)
    both = (causes @ causes.T).astype(np.float64)
    effect = (causes @ rest).astype(np.float64)
    explained = float((effect * np.linalg.lstsq(both, effect, rcond=1e-6)[0]).sum())
    left = max(float(np.einsum("ij,ij->", rest, rest)) - explained, 0.0)
    left *= at.size / (at.size - len(causes))
    total = float(np.einsum("ij,ij->", ones, ones) + np.einsum("ij,ij->", others, others))
    return float(np.clip(1.0 - left / max(total, 1e-30), 0.0, 1.0))
