"""Loudness and the shape of the spectrum; the only file that imports librosa.

librosa gives the A-weighting and the semitone scale. Its STFT and RMS compile
themselves for some 15 s on a cold machine and are not used on the live path.

References
----------
.. [1] F. Eyben et al., "The Geneva Minimalistic Acoustic Parameter Set
   (GeMAPS)", IEEE Transactions on Affective Computing, vol. 7, no. 2,
   pp. 190-202, 2016.
.. [2] IEC 61672-1:2013, A-weighting.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import librosa
import numpy as np
from numpy.typing import ArrayLike, NDArray

from sensors.voice.pitch import Floats, Frames

_TINY = 1e-20  # below the quantisation noise of 24 bits; keeps logarithms finite
_MIN_NOISE_FRAMES = 20  # 0.2 s
_LEAST_LEFT = 0.1  # of the power: what is weaker than the noise is not known better
_HIGHEST_HZ = 5000.0  # nothing above it is looked at
_WIDE_BAND_HZ = 10_000  # a sound sampled slower holds no 5 kHz: no alpha ratio, no Hammarberg index


@dataclass(frozen=True, slots=True)
class Shape:
    """Shape of the spectrum, mean over the voiced frames; ``None`` where the band is too narrow."""

    alpha_ratio_db: float | None
    hammarberg_db: float | None
    slope_0_500_db_hz: float
    slope_500_1500_db_hz: float


def semitones(f0_hz: ArrayLike) -> NDArray[np.float64]:
    """Return pitch on the semitone scale (MIDI note numbers: A4, 440 Hz, is 69)."""
    return np.asarray(librosa.hz_to_midi(np.asarray(f0_hz, dtype=np.float64)))


@lru_cache(maxsize=4)
def _frequencies(sample_rate: int, n_fft: int) -> NDArray[np.float64]:
    return np.asarray(np.fft.rfftfreq(n_fft, 1.0 / sample_rate), dtype=np.float64)


@lru_cache(maxsize=4)
def _weights(sample_rate: int, n_fft: int) -> Floats:
    """Return the A-weighting of power spectra [2]_; the mean is no sound."""
    hz = np.maximum(_frequencies(sample_rate, n_fft), 1.0)
    weights = 10.0 ** (librosa.A_weighting(hz, min_db=-120.0) / 10.0)
    weights[0] = 0.0
    return np.asarray(weights, dtype=np.float32)


def loudness_db(frames: Frames) -> NDArray[np.float64]:
    """Return the A-weighted level of each frame.

    Returns
    -------
    ndarray of float, shape (n_frames,)
        Level of the mean square relative to full scale: a sine of 1 kHz from
        -1 to 1 has -3.0 dB. [dBFS]
    """
    # Parseval: bins count twice but for the ends; a Hann window keeps 3/8 of the power.
    scale = 2.0 / (frames.n_fft * frames.frame * 0.375)
    power = frames.power @ _weights(frames.sample_rate, frames.n_fft) * scale
    return np.asarray(np.maximum(10.0 * np.log10(power + 1e-12), -120.0), dtype=np.float64)


def between(frames: Frames, level_db: NDArray[np.float64], speech: NDArray[np.bool_]) -> Floats:
    """Return the power spectrum of what goes on between the speech: the noise of the room.

    The mean of the quieter half of the other frames, so that a click or a
    cough counts for nothing; zero with too few of them.
    """
    rest = np.flatnonzero(~speech)
    if rest.size < _MIN_NOISE_FRAMES:
        return np.zeros(frames.power.shape[1], dtype=np.float32)
    quiet = rest[level_db[rest] <= np.median(level_db[rest])]
    return np.asarray(frames.power[quiet].mean(axis=0))


def shape(frames: Frames, voiced: NDArray[np.bool_], noise: Floats) -> Shape:
    """Return the shape of the spectrum of the voiced frames [1]_, the noise taken out.

    Parameters
    ----------
    frames : Frames
    voiced : ndarray of bool, shape (n_frames,)
        At least one of them true.
    noise : ndarray of float, shape (n_bins,)
        Power spectrum that is subtracted, but for a tenth that is always left.

    Notes
    -----
    The alpha ratio is low band over high band, and so is the Hammarberg
    index: a bright, pressed voice lowers both. Tools differ in direction.
    """
    hz = _frequencies(frames.sample_rate, frames.n_fft)
    hz = hz[hz <= _HIGHEST_HZ]
    power = frames.power[voiced, : hz.size] + _TINY
    power = np.maximum(power - noise[: hz.size], _LEAST_LEFT * power)
    wide = frames.sample_rate >= _WIDE_BAND_HZ
    return Shape(
        alpha_ratio_db=_band_ratio_db(power, hz) if wide else None,
        hammarberg_db=_peak_ratio_db(power, hz) if wide else None,
        slope_0_500_db_hz=_slope(power, hz, 0.0, 500.0),
        slope_500_1500_db_hz=_slope(power, hz, 500.0, 1500.0),
    )


def _band(hz: NDArray[np.float64], low_hz: float, high_hz: float) -> slice:
    """Return the bins from `low_hz` to `high_hz`, both included."""
    return slice(*np.searchsorted(hz, [low_hz, np.nextafter(high_hz, np.inf)]).tolist())


def _band_ratio_db(power: Floats, hz: NDArray[np.float64]) -> float:
    low = power[:, _band(hz, 50.0, np.nextafter(1000.0, 0.0))].sum(axis=1)
    high = power[:, _band(hz, 1000.0, 5000.0)].sum(axis=1)
    return float(np.mean(10.0 * np.log10(low / high)))


def _peak_ratio_db(power: Floats, hz: NDArray[np.float64]) -> float:
    low = power[:, _band(hz, 0.0, np.nextafter(2000.0, 0.0))].max(axis=1)
    high = power[:, _band(hz, 2000.0, 5000.0)].max(axis=1)
    return float(np.mean(10.0 * np.log10(low / high)))


def _slope(power: Floats, hz: NDArray[np.float64], low_hz: float, high_hz: float) -> float:
    """Return the slope of the regression line, mean over frames. [dB/Hz]."""
    band = _band(hz, low_hz, high_hz)
    distance = hz[band] - hz[band].mean()
    # The slope is linear in the levels, so the mean spectrum has the mean slope.
    mean_db = 10.0 * np.log10(power[:, band]).mean(axis=0)
    return float(distance @ mean_db / (distance @ distance))
