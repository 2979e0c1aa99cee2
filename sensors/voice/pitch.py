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
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from sensors.voice.lasting import lasting

Floats = NDArray[np.float32]

F0_MIN_HZ = 75.0
F0_MAX_HZ = 600.0
HOP_S = 0.01
FRAME_S = 3.0 / F0_MIN_HZ  # [1] three periods of the lowest pitch

_CANDIDATES = 6
_SILENCE = 0.038  # of the largest peak that lasts; [1] 0.03 of the largest, some 2 dB above it
_LASTING = 5  # frames for which that peak holds: a click fills two or three
_VOICING = 0.45
_OCTAVE_COST = 0.02  # Praat's 0.01 lets a rough voice slip an octave down
_JUMP_COST = 0.35
_VOICING_CHANGE_COST = 0.14
# A candidate gains 1 at most, and from the one voice to the next over an unvoiced frame costs
# two changes: where that gains more, none of its candidates is on the cheapest path.
_SURELY_UNVOICED = 1.0 + 2 * _VOICING_CHANGE_COST + 0.02
_HALF_TAPS = 16  # samples on either side from which the peak is interpolated
_PHASES = 16  # positions between two samples at which it is looked for
_BLOCK = 32  # frames at a time: what is between sound and power stays in the processor's cache


@dataclass(frozen=True, slots=True)
class Frames:
    """Windowed frames of one stretch of sound, and their power spectra.

    Parameters
    ----------
    power : ndarray of float, shape (n_frames, n_bins)
        Power spectra, one-sided, not scaled.
    peak : ndarray of float, shape (n_frames,)
        Largest magnitude in the middle third of each windowed frame, one period
        of the lowest pitch. Relative to full scale.
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
        Share of the energy that is periodic; 0 where not voiced. Chance makes
        it a little larger than 1 in single frames.
    """

    f0_hz: NDArray[np.float64]
    periodicity: NDArray[np.float64]


@lru_cache(maxsize=4)
def _window(frame: int) -> Floats:
    """Return a Hann window, half a sample in from its zeros as in [1]."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(frame) + 0.5) / frame)
    return np.asarray(window, dtype=np.float32)


@lru_cache(maxsize=4)
def _to_correlation(frame: int, n_fft: int, n_lags: int) -> Floats:
    """Return the matrix from a power spectrum to the correlation divided by the window's [1].

    The inverse transform as a matrix product: only a quarter of the lags is
    looked at, and a product is what processors are best at.
    """
    bins = np.arange(n_fft // 2 + 1)
    twice = np.where((bins == 0) | (bins == n_fft // 2), 1.0, 2.0) / n_fft
    cosines = twice[:, None] * np.cos(2 * np.pi / n_fft * np.outer(bins, np.arange(n_lags)))
    spectrum = np.fft.rfft(_window(frame).astype(np.float64), n_fft)
    of_window = (spectrum.real**2 + spectrum.imag**2) @ cosines
    return np.asarray(cosines * (of_window[0] / of_window), dtype=np.float32)


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
    pieces = sliding_window_view(samples, frame)[::hop]
    power = np.empty((pieces.shape[0], n_fft // 2 + 1), dtype=np.float32)
    peak = np.empty(pieces.shape[0], dtype=np.float32)
    for begin in range(0, pieces.shape[0], _BLOCK):
        block = slice(begin, begin + _BLOCK)
        windowed = pieces[block] - pieces[block].mean(axis=1, keepdims=True)
        windowed *= _window(frame)
        middle = windowed[:, frame // 3 : frame - frame // 3]
        np.maximum(middle.max(axis=1), -middle.min(axis=1), out=peak[block])
        spectrum = scipy.fft.rfft(windowed, n_fft)
        np.add(np.square(spectrum.real), np.square(spectrum.imag), out=power[block])
    centre = np.arange(pieces.shape[0]) * hop + frame // 2
    return Frames(power, peak, centre, frame, n_fft, sample_rate)


def track(frames: Frames) -> PitchTrack:
    """Return the pitch of each frame along the cheapest path."""
    unvoiced = _unvoiced_strength(frames)
    # No path leads through a voice where it is that quiet: one frame stands for a silence.
    silent = unvoiced > _SURELY_UNVOICED
    kept = np.flatnonzero(~silent | np.append(True, ~silent[:-1]))
    correlation = _correlation(frames, kept)
    lags, strengths = _candidates(correlation, frames.sample_rate)
    path = _cheapest_path(np.log2(lags), strengths, unvoiced[kept])
    row = np.flatnonzero(path)
    lag, height = _refine(correlation[row], np.rint(lags[row, path[row] - 1]).astype(np.intp))
    f0_hz, periodicity = np.zeros(silent.size), np.zeros(silent.size)
    f0_hz[kept[row]] = np.clip(frames.sample_rate / lag, F0_MIN_HZ, F0_MAX_HZ)
    periodicity[kept[row]] = height
    return PitchTrack(f0_hz, periodicity)


def _n_lags(sample_rate: int) -> int:
    return int(sample_rate / F0_MIN_HZ) + _HALF_TAPS + 2


def _correlation(frames: Frames, kept: NDArray[np.intp]) -> Floats:
    matrix = _to_correlation(frames.frame, frames.n_fft, _n_lags(frames.sample_rate))
    correlation = frames.power[kept] @ matrix
    correlation /= np.maximum(correlation[:, :1], 1e-12)
    return np.asarray(correlation, dtype=np.float32)


def _candidates(correlation: Floats, sample_rate: int) -> tuple[Floats, Floats]:
    """Return lag and strength of each frame's best peaks, shape (n_frames, candidates)."""
    first, last = int(sample_rate / F0_MAX_HZ), int(sample_rate / F0_MIN_HZ)
    here = correlation[:, first : last + 1]
    top = here > 0.5 * _VOICING
    top &= here > correlation[:, first - 1 : last]
    top &= here >= correlation[:, first + 1 : last + 2]
    row, at = np.nonzero(top)
    # In double precision: a peak one bit above its neighbours still has a bend.
    left, peak, right = (correlation[row, at + first + i].astype(np.float64) for i in (-1, 0, 1))
    shift = 0.5 * (left - right) / (left - 2 * peak + right)
    lag = at + first + shift
    height = np.minimum(peak - 0.25 * (left - right) * shift, 1.0)
    strength = height - _OCTAVE_COST * np.log2(F0_MAX_HZ / sample_rate * lag)
    # Peaks of one frame lie side by side, the best first: the first few are kept.
    order = np.lexsort((-strength, row))
    row, lag, strength = row[order], lag[order], strength[order]
    rank = np.arange(row.size) - np.searchsorted(row, row)
    lags = np.ones((correlation.shape[0], _CANDIDATES), dtype=np.float32)
    strengths = np.full(lags.shape, -np.inf, dtype=np.float32)
    kept = rank < _CANDIDATES
    lags[row[kept], rank[kept]] = lag[kept]
    strengths[row[kept], rank[kept]] = strength[kept]
    return lags, strengths


def _unvoiced_strength(frames: Frames) -> Floats:
    """Return how well *not voiced* fits: better the quieter a frame is."""
    loudest = max(float(lasting(frames.peak, _LASTING).max()), 1e-9)
    quiet = 2.0 - frames.peak / loudest / (_SILENCE / (1.0 + _VOICING))
    return np.asarray(_VOICING + np.maximum(0.0, quiet), dtype=np.float32)


def _cheapest_path(octaves: Floats, strengths: Floats, unvoiced: Floats) -> NDArray[np.intp]:
    """Return for each frame 0 (not voiced) or 1 + the number of its candidate."""
    n_frames, n = strengths.shape
    gains = np.concatenate([unvoiced[:, None], strengths], axis=1)
    # Cost of each candidate (rows) when it comes from each of the frame before (columns).
    costs = np.full((n_frames, n + 1, n + 1), _VOICING_CHANGE_COST, dtype=np.float32)
    costs[:, 0, 0] = 0.0
    costs[1:, 1:, 1:] = _JUMP_COST * np.abs(octaves[1:, :, None] - octaves[:-1, None, :])
    total = gains.copy()
    through = np.empty((n + 1, n + 1), dtype=np.float32)
    best = np.empty(n + 1, dtype=np.float32)
    for before, cost, here in zip(total[:-1], costs[1:], total[1:], strict=True):
        np.subtract(before, cost, out=through)
        np.maximum.reduce(through, axis=1, out=best)
        np.add(here, best, out=here)
    came_from = (total[:-1, None, :] - costs[1:]).argmax(axis=2)
    path = np.empty(n_frames, dtype=np.intp)
    path[-1] = total[-1].argmax()
    for i in range(n_frames - 1, 0, -1):
        path[i - 1] = came_from[i - 1, path[i]]
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
    return place, here - 0.25 * (left - right) * shift
