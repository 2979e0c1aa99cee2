"""Pitch and harmonicity by autocorrelation: samples in, a track out. Pure.

The autocorrelation of a windowed frame is divided by that of the window, so
that its peak tells the share of periodic energy without a bias towards short
lags [1]_. The path through the frames' candidates is the cheapest one, with
costs for octaves, jumps and changes of voicing.

References
----------
.. [1] P. Boersma, "Accurate short-term analysis of the fundamental frequency
   and the harmonics-to-noise ratio of a sampled sound", IFA Proceedings,
   vol. 17, pp. 97-110, 1993. The costs are those of Praat's defaults.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Floats = NDArray[np.float32]

F0_MIN_HZ = 75.0
F0_MAX_HZ = 600.0
HOP_S = 0.01
FRAME_S = 3.0 / F0_MIN_HZ  # [1] three periods of the lowest pitch

_CANDIDATES = 6
_SILENCE = 0.03  # [1] of the window's largest peak
_VOICING = 0.45
_OCTAVE_COST = 0.03  # Praat's 0.01 lets a rough voice slip an octave down
_JUMP_COST = 0.35
_VOICING_CHANGE_COST = 0.14
_HALF_TAPS = 16  # samples on either side from which the peak is interpolated
_PHASES = 16  # positions between two samples at which it is looked for


@dataclass(frozen=True, slots=True)
class Frames:
    """Windowed frames of one stretch of sound, and their power spectra.

    Parameters
    ----------
    power : ndarray of float, shape (n_frames, n_bins)
        Power spectra, one-sided, not scaled.
    peak : ndarray of float, shape (n_frames,)
        Largest magnitude of each frame, without its mean. Relative to full scale.
    centre : ndarray of int, shape (n_frames,)
        Sample in the middle of each frame.
    frame, n_fft, sample_rate : int
        Length of a frame, of its spectrum, and samples a second.
    """

    power: Floats
    peak: Floats
    centre: NDArray[np.intp]
    frame: int
    n_fft: int
    sample_rate: int


@dataclass(frozen=True, slots=True)
class PitchTrack:
    """Pitch of each frame.

    Parameters
    ----------
    f0_hz : ndarray of float, shape (n_frames,)
        Pitch; 0 where the frame is not voiced. [Hz]
    periodicity : ndarray of float, shape (n_frames,)
        Share of the energy that is periodic, 0-1; 0 where not voiced.
    """

    f0_hz: NDArray[np.float64]
    periodicity: NDArray[np.float64]


@lru_cache(maxsize=4)
def _window(frame: int, n_fft: int, n_lags: int) -> tuple[Floats, Floats]:
    """Return a Hann window and its normalised autocorrelation."""
    # Half a sample in from the zeros, as in [1].
    window = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(frame) + 0.5) / frame)
    spectrum = np.fft.rfft(window, n_fft)
    correlation = np.fft.irfft(spectrum.real**2 + spectrum.imag**2, n_fft)[:n_lags]
    return window.astype(np.float32), (correlation / correlation[0]).astype(np.float32)


@lru_cache(maxsize=1)
def _taps() -> Floats:
    """Return a windowed sinc for each of the positions around a sample."""
    at = np.arange(-_PHASES, _PHASES + 1) / _PHASES
    distance = np.arange(-_HALF_TAPS, _HALF_TAPS + 1)[None, :] - at[:, None]
    taper = 0.5 + 0.5 * np.cos(np.pi * distance / (_HALF_TAPS + 1))
    return (np.sinc(distance) * taper).astype(np.float32)


def cut(samples: Floats, sample_rate: int) -> Frames:
    """Return the frames of `samples`, one every 10 ms.

    Parameters
    ----------
    samples : ndarray of float32, shape (n,)
        Sound, at least one frame (40 ms) of it. Relative to full scale.
    sample_rate : int
        Samples a second. [Hz]
    """
    frame, hop = round(FRAME_S * sample_rate), round(HOP_S * sample_rate)
    n_fft = 1 << (frame + _n_lags(sample_rate) - 1).bit_length()
    window, _ = _window(frame, n_fft, _n_lags(sample_rate))
    cut_out = sliding_window_view(samples, frame)[::hop]
    centred = cut_out - cut_out.mean(axis=1, keepdims=True)
    spectrum = np.fft.rfft(centred * window, n_fft)
    return Frames(
        power=np.asarray(spectrum.real**2 + spectrum.imag**2, dtype=np.float32),
        peak=np.abs(centred).max(axis=1),
        centre=np.arange(cut_out.shape[0]) * hop + frame // 2,
        frame=frame,
        n_fft=n_fft,
        sample_rate=sample_rate,
    )


def track(frames: Frames) -> PitchTrack:
    """Return the pitch of each frame along the cheapest path."""
    correlation = _correlation(frames)
    lags, strengths = _candidates(correlation, frames.sample_rate)
    path = _cheapest_path(np.log2(lags), strengths, _unvoiced_strength(frames))
    voiced = path > 0
    row = np.flatnonzero(voiced)
    lag, height = _refine(correlation[row], np.rint(lags[row, path[row] - 1]).astype(np.intp))
    f0_hz, periodicity = np.zeros(path.size), np.zeros(path.size)
    f0_hz[row] = np.clip(frames.sample_rate / lag, F0_MIN_HZ, F0_MAX_HZ)
    periodicity[row] = height
    return PitchTrack(f0_hz, periodicity)


def _n_lags(sample_rate: int) -> int:
    return int(sample_rate / F0_MIN_HZ) + _HALF_TAPS + 2


def _correlation(frames: Frames) -> Floats:
    n_lags = _n_lags(frames.sample_rate)
    _, of_window = _window(frames.frame, frames.n_fft, n_lags)
    raw = np.fft.irfft(frames.power, frames.n_fft)[:, :n_lags]
    energy = np.maximum(raw[:, :1], 1e-12)
    return np.asarray(raw / energy / of_window, dtype=np.float32)


def _candidates(correlation: Floats, sample_rate: int) -> tuple[Floats, Floats]:
    """Return lag and strength of each frame's best peaks, shape (n_frames, candidates)."""
    first, last = int(sample_rate / F0_MAX_HZ), int(sample_rate / F0_MIN_HZ)
    left = correlation[:, first - 1 : last]
    here = correlation[:, first : last + 1]
    right = correlation[:, first + 1 : last + 2]
    top = (here > left) & (here >= right) & (here > 0.5 * _VOICING)
    bend = np.where(top, left - 2 * here + right, -1.0)
    shift = 0.5 * (left - right) / bend
    lag = np.arange(first, last + 1, dtype=np.float32) + np.where(top, shift, 0.0)
    height = np.minimum(here - 0.25 * (left - right) * shift, 1.0)
    cost = _OCTAVE_COST * np.log2(F0_MIN_HZ * lag / sample_rate)
    strength = np.where(top, height - cost, -np.inf)
    best = np.argpartition(strength, -_CANDIDATES, axis=1)[:, -_CANDIDATES:]
    rows = np.arange(correlation.shape[0])[:, None]
    return lag[rows, best].astype(np.float32), strength[rows, best].astype(np.float32)


def _unvoiced_strength(frames: Frames) -> Floats:
    """Return how well *not voiced* fits: better the quieter a frame is."""
    loudest = max(float(frames.peak.max()), 1e-9)
    quiet = 2.0 - frames.peak / loudest / (_SILENCE / (1.0 + _VOICING))
    return np.asarray(_VOICING + np.maximum(0.0, quiet), dtype=np.float32)


def _cheapest_path(octaves: Floats, strengths: Floats, unvoiced: Floats) -> NDArray[np.intp]:
    """Return for each frame 0 (not voiced) or 1 + the number of its candidate."""
    n_frames, n = strengths.shape
    moves = np.full((n_frames, n + 1, n + 1), _VOICING_CHANGE_COST, dtype=np.float32)
    moves[:, 0, 0] = 0.0
    moves[1:, 1:, 1:] = _JUMP_COST * np.abs(octaves[1:, None, :] - octaves[:-1, :, None])
    gains = np.concatenate([unvoiced[:, None], strengths], axis=1)
    came_from = np.zeros((n_frames, n + 1), dtype=np.intp)
    total = gains[0]
    for i in range(1, n_frames):
        through = total[:, None] - moves[i]
        came_from[i] = through.argmax(axis=0)
        total = through.max(axis=0) + gains[i]
    path = np.empty(n_frames, dtype=np.intp)
    path[-1] = total.argmax()
    for i in range(n_frames - 1, 0, -1):
        path[i - 1] = came_from[i, path[i]]
    return path


def _refine(
    correlation: Floats, lag: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return place and height of the peak near `lag`, between the samples.

    With three samples a peak of a sound with strong high partials comes out
    too low, and the harmonicity with it.
    """
    reach = np.arange(-_HALF_TAPS, _HALF_TAPS + 1)
    around = np.take_along_axis(correlation, np.abs(lag[:, None] + reach), axis=1)
    dense = around @ _taps().T
    best = np.clip(dense.argmax(axis=1), 1, dense.shape[1] - 2)
    rows = np.arange(lag.size)
    left, here, right = (dense[rows, best + i].astype(np.float64) for i in (-1, 0, 1))
    bend = left - 2 * here + right
    shift = np.where(bend < 0, 0.5 * (left - right) / np.where(bend < 0, bend, -1.0), 0.0)
    shift = np.clip(shift, -1.0, 1.0)
    place = lag + (best - _PHASES + shift) / _PHASES
    return place, np.clip(here - 0.25 * (left - right) * shift, 0.0, 1.0)
