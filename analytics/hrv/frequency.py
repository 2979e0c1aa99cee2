"""Power of the intervals by frequency, in ms^2: Welch and Lomb-Scargle.

A density is one-sided and physically normalised: its integral is a variance,
and a sine of amplitude A adds A^2/2 wherever it stands.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analytics.hrv.arrays import Floats, Mask, as_rows, divide, refuse_seconds
from analytics.hrv.beats import LONGEST_INTERVAL_MS
from analytics.hrv.resampling import resample

Waves = NDArray[np.complex128]

VLF_HZ, LF_HZ, HF_HZ = (0.0033, 0.04), (0.04, 0.15), (0.15, 0.4)
"""Bands. [Hz] (Task Force 1996; the lower edge of VLF, one wave in five minutes, as neurokit2)"""

RATE_HZ = 4.0
"""Of the evenly sampled series that Welch's method needs. [Hz]

Ten times the upper edge of HF; as in Kubios HRV.
"""

SEGMENT_S = 120.0
"""Length of Welch's segments, half overlapping. [s]

The shortest that resolves LF (Task Force 1996: two minutes); three fit into
five minutes of beats.
"""

LONGEST_HOLE_S = 5.0
"""Welch's method is not used across longer holes between beats. [s]

A quarter of the slowest LF wave: the spline would make up the rest.
"""

STEP_HZ = 1.0 / 600.0
"""Of the frequencies of the Lomb-Scargle periodogram. [Hz]

Half the resolution of five minutes: what lies between is then known.
"""

HIGHEST_HZ = 0.5
"""Of the Lomb-Scargle periodogram. [Hz]"""

_FINE = 16  # frequencies between two coarse ones
_ROWS = 4  # windows worked on at a time: what is in hand then stays in a core's cache
_BEATS = 128  # of a matrix product
_FEWEST = 16  # beats: nothing is told of spectra of less
_BLIND = 1e-6  # share of beats at which a sine would be seen


@dataclass(slots=True)
class Spectra:
    """Densities of many windows on one grid.

    Parameters
    ----------
    frequency_hz : ndarray of float, shape (n_frequencies,)
        Evenly spaced. [Hz]
    density : ndarray of float, shape (n_windows, n_frequencies)
        NaN where a window has too few beats, is too short or has too long a
        hole. [ms^2/Hz]
    """

    frequency_hz: Floats
    density: Floats

    def power(self, band_hz: tuple[float, float]) -> Floats:
        """Return the power within a band of each window [ms^2].

        Each value of the density stands for the cell around it; cells that a
        bound cuts count in part. So the powers of bands that meet add up.
        """
        step = self.frequency_hz[1] - self.frequency_hz[0]
        # The cells of 0 and of half the rate are half outside and not doubled: kept whole.
        low = np.maximum(self.frequency_hz - 0.5 * step, 0.0)
        high = self.frequency_hz + 0.5 * step
        inside = np.minimum(high, band_hz[1]) - np.maximum(low, band_hz[0])
        weight = np.clip(inside, 0.0, None) * step / (high - low)
        return np.asarray(self.density @ weight, dtype=np.float64)

    @property
    def variance(self) -> Floats:
        """Integral over all frequencies of each window [ms^2]."""
        return self.power((0.0, np.inf))


def welch(
    rr_ms: ArrayLike,
    beat_s: ArrayLike,
    used: Mask | None = None,
    segment_s: float = SEGMENT_S,
) -> Spectra:
    """Return the spectra of windows by Welch's method.

    Intervals are taken as a function of time (natural cubic spline, 4 Hz)
    around their mean. The density is scaled so that its integral is exactly
    the variance of that function: the taper weighs the middle of a segment
    more, and would leave the total some 10 % off.

    Parameters
    ----------
    rr_ms, beat_s : array_like of float, shape (n_windows, n_beats)
        Normal-to-normal intervals [ms] and when they end [s].
    used : ndarray of bool, shape (n_windows, n_beats), optional
        :attr:`Corrected.normal`; default: all that is not NaN.
    segment_s : float
        Windows shorter than a segment give NaN. [s]

    Returns
    -------
    Spectra

    Raises
    ------
    ValueError
        If the shapes differ, or most intervals are below 3 ms: seconds.
    """
    rr, at, good = _beats(rr_ms, beat_s, used)
    even = resample(rr, at, good, RATE_HZ)
    size = int(segment_s * RATE_HZ) // 2 * 2
    known = (even.count >= size) & (even.longest_hole_s <= LONGEST_HOLE_S)
    known &= good.sum(axis=1) >= _FEWEST
    frequency = (RATE_HZ / size) * np.arange(size // 2 + 1, dtype=np.float64)
    density = np.full((len(rr), len(frequency)), np.nan)
    there = np.isfinite(even.values[known])
    values = np.where(there, even.values[known], 0.0)
    mean = divide(values.sum(axis=1), even.count[known])
    values = np.where(there, values - mean[:, None], 0.0)
    found = Spectra(frequency, welch_density(values, RATE_HZ, size, count=even.count[known]))
    variance = divide(np.vecdot(values, values), even.count[known])
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.where(variance > 0, variance / found.variance, 1.0)
    density[known] = found.density * scale[:, None]
    return Spectra(frequency, density)


def welch_density(
    values: Floats,
    rate_hz: float,
    size: int,
    n_fft: int | None = None,
    count: ArrayLike | None = None,
) -> Floats:
    """Return Welch's estimate of evenly sampled rows, as ``scipy.signal.welch`` defines it.

    Hann taper, half overlapping segments, no detrending.

    Parameters
    ----------
    values : ndarray of float, shape (n_windows, n_samples)
    rate_hz : float
        [Hz]
    size : int
        Samples of a segment.
    n_fft : int, optional
        Length of the transform; default: `size`.
    count : array_like of int, shape (n_windows,), optional
        Samples of each window; only whole segments within them are used.

    Returns
    -------
    ndarray of float, shape (n_windows, n_fft // 2 + 1)
    """
    n_windows, n = values.shape
    length = size if n_fft is None else n_fft
    taper = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(size) / size)
    available = np.full(n_windows, n) if count is None else np.asarray(count)
    total = np.zeros((n_windows, length // 2 + 1))
    segments = np.zeros(n_windows, dtype=np.intp)
    hop = size - size // 2
    for start in range(0, n - size + 1, hop):
        within = available >= start + size
        part = np.fft.rfft(values[within, start : start + size] * taper, length, axis=1)
        total[within] += part.real**2 + part.imag**2
        segments += within
    # Power of negative frequencies is added to the positive, which 0 and half the rate lack.
    total[:, 1 : (length + 1) // 2] *= 2.0
    scale = rate_hz * np.vecdot(taper, taper)
    return np.where(segments[:, None] > 0, total / np.maximum(segments, 1)[:, None] / scale, np.nan)


def lomb_scargle(
    rr_ms: ArrayLike,
    beat_s: ArrayLike,
    used: Mask | None = None,
    step_hz: float = STEP_HZ,
    highest_hz: float = HIGHEST_HZ,
) -> Spectra:
    """Return the spectra of windows from the beats themselves, with gaps as they are.

    The normalised periodogram of Lomb and Scargle [1]_ around the mean of the
    window, scaled by twice the time between beats that were used.

    Parameters
    ----------
    rr_ms, beat_s, used
        As for :func:`welch`.
    step_hz, highest_hz : float
        Frequencies run from `step_hz` to `highest_hz`; choose half the
        inverse of the longest window, or less. [Hz]

    Returns
    -------
    Spectra
        NaN for fewer than 16 beats.

    Notes
    -----
    The integral up to half the mean rate is the variance: exactly for evenly
    spaced beats, nearly otherwise. Beyond half the mean rate (0.5 Hz at 60
    beats a minute) nothing can be known.

    References
    ----------
    .. [1] J. D. Scargle, "Studies in astronomical time series analysis II",
       Astrophys. J., vol. 263, pp. 835-853, 1982.
    """
    rr, at, good = _beats(rr_ms, beat_s, used)
    n = good.sum(axis=1)
    mean = divide(np.where(good, rr, 0.0).sum(axis=1), n)
    values = np.where(good, rr - mean[:, None], 0.0)
    n_frequencies = int(np.floor(highest_hz / step_hz + 1e-9))
    power = np.full((len(rr), n_frequencies), np.nan)
    first = np.where(good, at, np.inf).min(axis=1, initial=np.inf)
    last = np.where(good, at, -np.inf).max(axis=1, initial=-np.inf)
    known = np.flatnonzero(n >= _FEWEST)
    reach = good.shape[1] - good[:, ::-1].argmax(axis=1)  # behind it nothing is used
    for start in range(0, known.size, _ROWS):
        rows = known[start : start + _ROWS]
        wide = int(reach[rows].max())
        there = good[rows, :wide]
        since = np.where(there, at[rows, :wide] - first[rows, None], 0.0)
        power[rows] = _periodogram(values[rows, :wide], since, there, n_frequencies, step_hz)
    with np.errstate(invalid="ignore"):
        # N beats span N - 1 intervals; twice: power of negative frequencies is added.
        scale = 2.0 * (last - first) / np.maximum(n - 1, 1)
    frequency = step_hz * np.arange(1, n_frequencies + 1, dtype=np.float64)
    return Spectra(frequency, power * scale[:, None])


def _periodogram(
    values: Floats, at_s: Floats, good: Mask, n_frequencies: int, step_hz: float
) -> Floats:
    """Return Scargle's periodogram of windows at multiples of `step_hz`.

    The turns of every beat at every frequency are products of those at few
    coarse and few fine ones, so that all sums are two matrix products.
    """
    turn = np.exp(2j * np.pi * step_hz * at_s)
    turn *= good  # what is not used turns into nothing, in all that follows
    n_windows, n_beats = turn.shape
    fine: Waves = np.empty((n_windows, _FINE, n_beats), dtype=np.complex128)
    _fill_powers(fine, turn)
    coarse: Waves = np.empty((n_windows, -(-n_frequencies // _FINE), n_beats), dtype=np.complex128)
    coarse[:, 0] = 1.0
    _fill_powers(coarse[:, 1:], fine[:, -1])
    waves = _sums(coarse, fine * values[:, None])[:, :n_frequencies]
    np.multiply(fine, fine, out=fine)
    np.multiply(coarse, coarse, out=coarse)
    twice = _sums(coarse, fine)[:, :n_frequencies]
    # Scargle's offset makes cosine and sine independent on these beats.
    size = np.abs(twice)
    half_turn = np.sqrt(np.where(size > 0, twice / np.where(size > 0, size, 1.0), 1.0))
    waves = waves * half_turn.conj()
    n = good.sum(axis=1)[:, None]
    sines = 0.5 * (n - size)
    seen = sines > _BLIND * n
    power = waves.real**2 / (0.5 * (n + size))
    power += np.where(seen, waves.imag**2 / np.where(seen, sines, 1.0), 0.0)
    return np.asarray(0.5 * power)


def _fill_powers(powers: Waves, turn: Waves) -> None:
    """Fill in the powers of `turn` from the first on, shape (n_windows, n_powers, n_beats)."""
    n_powers = powers.shape[1]
    powers[:, :1] = turn[:, None]
    done = 1
    while done < n_powers:  # as many again from those that are there
        more = min(done, n_powers - done)
        last = powers[:, done - 1 : done]
        np.multiply(powers[:, :more], last, out=powers[:, done : done + more])
        done += more


def _sums(coarse: Waves, fine: Waves) -> Waves:
    """Return the sums over beats at every frequency, shape (n_windows, n_coarse * n_fine)."""
    total = np.zeros((len(fine), coarse.shape[1], fine.shape[1]), dtype=np.complex128)
    # Larger products would be spread over threads, which costs five times what it saves.
    for start in range(0, fine.shape[2], _BEATS):
        part = slice(start, start + _BEATS)
        total += coarse[:, :, part] @ fine[:, :, part].transpose(0, 2, 1)
    return total.reshape(len(total), -1)


def _beats(rr_ms: ArrayLike, beat_s: ArrayLike, used: Mask | None) -> tuple[Floats, Floats, Mask]:
    rr, at = as_rows(rr_ms), as_rows(beat_s)
    if rr.shape != at.shape:
        raise ValueError(f"beat_s has shape {at.shape}, rr_ms {rr.shape}; expected one")
    if not rr.shape[1]:  # a window without beats
        rr = at = np.full((len(rr), 1), np.nan)
        used = None
    good = np.isfinite(rr) & (rr <= LONGEST_INTERVAL_MS) & np.isfinite(at)
    good = good if used is None else good & used
    refuse_seconds(rr, good)
    return rr, at, good
