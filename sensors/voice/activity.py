"""Where in a window somebody speaks, and how far above the noise. Pure.

Cheaper and coarser than the pitch tracker of the features: it decides what a
window *is* (:mod:`sensors.voice.conditions`), not what the voice is like.

References
----------
.. [1] L. R. Rabiner, M. R. Sambur, "An algorithm for determining the endpoints
   of isolated utterances", Bell System Technical Journal, vol. 54, no. 2,
   pp. 297-315, 1975: a threshold between the floor and the peak.
.. [2] P. Boersma, "Accurate short-term analysis of the fundamental frequency",
   IFA Proceedings, vol. 17, pp. 97-110, 1993: autocorrelation over that of
   the window; 0.45 of the energy periodic is a voice.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

FRAME_S = 0.064
HOP_S = 0.016
SILENT_DBFS = -65.0
"""Quieter is nobody: 16 bits end at -96 dB, and a voice at a headset lies above -50. [dB]"""

_BAND_HZ = (100.0, 4000.0)  # where a voice has its energy
_DEEP_HZ = 20.0  # below lies what a frame's mean leaves of a microphone's direct current
_PITCH_HZ = (75.0, 500.0)
_VOICED = 0.45  # [2]
_SHARE_OF_RANGE = 0.25  # [1]; in decibels, and how far up, is our choice
_RANGE_DB = 10.0  # syllables and pauses differ by more
_BELOW_LOUDEST_DB = 30.0  # as the features: de Jong & Wempe 2009 use 25
_NEAR_VOICE_S = 0.2  # a consonant lies no farther from a vowel
_FEWEST_VOICED = 3  # frames in a row: the shortest vowel


@dataclass(frozen=True, slots=True)
class Activity:
    """What a window holds, frame by frame.

    Parameters
    ----------
    power : ndarray of float, shape (n_frames, n_bins)
        Power spectra; full scale has the sum 1.
    hz : ndarray of float, shape (n_bins,)
        Their frequencies. [Hz]
    level_db : ndarray of float, shape (n_frames,)
        Level between 100 Hz and 4 kHz. [dBFS]
    deep_db : ndarray of float, shape (n_frames,)
        The same from 20 Hz on, with mains hum and the rumble of a fan. [dBFS]
    periodicity : ndarray of float, shape (n_frames,)
        Share of the energy that repeats at one pitch, 0-1.
    speech : ndarray of bool, shape (n_frames,)
        Where somebody speaks, or something sings.
    """

    power: Floats
    hz: Floats
    level_db: Floats
    deep_db: Floats
    periodicity: Floats
    speech: Flags

    @property
    def speech_s(self) -> float:
        """How long somebody speaks. [s]."""
        return float(self.speech.sum()) * HOP_S

    @property
    def snr_db(self) -> float | None:
        """Level of the speech over that of what lies between; ``None`` where either is missing.

        From 20 Hz on: what lies below a voice disturbs its pitch as much as what lies in it.
        """
        rest = ~self.speech
        if self.speech.sum() < _FEWEST_VOICED or rest.sum() < _FEWEST_VOICED:
            return None
        # The quieter pauses: a breath is no noise, and neither is the end of a word.
        noise_db = float(np.percentile(self.deep_db[rest], 25))
        return _mean_db(self.deep_db[self.speech]) - noise_db


def find(samples: Floats, sample_rate: int) -> Activity:
    """Return where in `samples` somebody speaks.

    Parameters
    ----------
    samples : ndarray of float32, shape (n,)
        Mono sound relative to full scale, at least 0.2 s of it.
    sample_rate : int
        Samples a second, 8000 or more. [Hz]
    """
    frame, hop = round(FRAME_S * sample_rate), round(HOP_S * sample_rate)
    # A multiple of 512 is as fast as a power of two and wastes less.
    n_fft = 512 * -(-(frame + round(sample_rate / _PITCH_HZ[0])) // 512)
    window, of_window = _window(frame, n_fft)
    cut = sliding_window_view(samples, frame)[::hop]
    spectrum = np.fft.rfft((cut - cut.mean(axis=1, keepdims=True)) * window, n_fft)
    power = np.asarray(spectrum.real**2 + spectrum.imag**2, dtype=np.float32)
    hz = np.fft.rfftfreq(n_fft, 1.0 / sample_rate).astype(np.float32)
    periodicity = _periodicity(power, of_window, sample_rate)
    # Parseval; a Hann window keeps 3/8 of the power.
    power *= 2.0 / (n_fft * frame * 0.375)
    level_db, deep_db = (
        (10.0 * np.log10(power[:, (hz >= low) & (hz <= _BAND_HZ[1])].sum(axis=1) + 1e-12)).astype(
            np.float32
        )
        for low in (_BAND_HZ[0], _DEEP_HZ)
    )
    speech = _speech(level_db, periodicity > _VOICED)
    return Activity(power, hz, level_db, deep_db, periodicity, speech)


@lru_cache(maxsize=4)
def _window(frame: int, n_fft: int) -> tuple[Floats, Floats]:
    """Return a Hann window and its normalised autocorrelation."""
    window = np.hanning(frame + 2)[1:-1]
    correlation = np.fft.irfft(np.abs(np.fft.rfft(window, n_fft)) ** 2, n_fft)
    return window.astype(np.float32), (correlation / correlation[0]).astype(np.float32)


def _periodicity(power: Floats, of_window: Floats, sample_rate: int) -> Floats:
    first, last = (round(sample_rate / hz) for hz in reversed(_PITCH_HZ))
    correlation = np.fft.irfft(power)[:, : last + 1]
    energy = np.maximum(correlation[:, :1], 1e-12)
    share = correlation[:, first:] / energy / of_window[first : last + 1]
    return np.asarray(np.clip(share.max(axis=1), 0.0, 1.0), dtype=np.float32)


def _speech(level_db: Floats, voiced: Flags) -> Flags:
    """Return which frames are speech: loud enough, and near something voiced."""
    floor, top = np.percentile(level_db, [10, 95])
    least = max(SILENT_DBFS, top - _BELOW_LOUDEST_DB)
    if top - floor > _RANGE_DB:  # else there is no floor: noise throughout, or one held vowel
        least = max(least, floor + _SHARE_OF_RANGE * (top - floor))
    loud = level_db > least
    reach = round(_NEAR_VOICE_S / HOP_S)
    run = np.convolve(voiced & loud, np.ones(_FEWEST_VOICED), mode="same") > _FEWEST_VOICED - 0.5
    # Not "same": of a window shorter than the reach that would have the reach's length.
    near = np.convolve(run, np.ones(2 * reach + 1), mode="full")[reach:-reach] > 0.5
    return np.asarray(loud & near)


def _mean_db(level_db: Floats) -> float:
    return float(10.0 * np.log10(np.mean(10.0 ** (level_db.astype(np.float64) / 10.0))))
