"""Jitter and shimmer: how one cycle of the voice differs from the next. Pure.

Marks are set near the main peak of every cycle, following the pitch. The
period between two marks is then measured as the shift at which the waveform
around the one fits best to that around the other, so that a mark that lies a
little off does no harm.

References
----------
.. [1] P. Boersma, D. Weenink, Praat manual: "Voice 2. Jitter", "Voice 3.
   Shimmer"; jitter (local), shimmer (local), maximum period factor 1.3,
   maximum amplitude factor 1.6.
.. [2] J. Makhoul, "Linear prediction: a tutorial review", Proceedings of the
   IEEE, vol. 63, no. 4, pp. 561-580, 1975.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from sensors.voice.pitch import Floats, Frames, PitchTrack

MIN_CYCLES = 20
"""Fewer pairs of cycles say nothing. A tenth of a second of a high voice."""

_MAX_PERIOD_FACTOR = 1.3  # [1]
_MAX_AMPLITUDE_FACTOR = 1.6  # [1]
_MIN_LIKENESS = 0.5  # two cycles less alike than this are not of one voice
_LOW_PASS_HZ = 1000.0  # keeps the main peak of a cycle and little else
_WHITENING_FLOOR = 1e-2  # of the energy: weaker partials are left weak, with the noise in them
_PULSE_BAND_HZ = (2500.0, 4000.0)  # a pulse is left its band up to here; above, noise prevails
_REACH = 0.2  # of a period: how far off its expected place a mark is looked for


@dataclass(frozen=True, slots=True)
class Cycles:
    """Cycle-to-cycle measures of one window.

    Parameters
    ----------
    jitter_local, shimmer_local : float
        Mean change from one cycle to the next over the mean, of period and of
        amplitude. [1]
    n_cycles : int
        Pairs of cycles behind them.
    """

    jitter_local: float
    shimmer_local: float
    n_cycles: int


def measure(samples: Floats, frames: Frames, pitch: PitchTrack) -> Cycles | None:
    """Return jitter and shimmer of the voiced stretches; ``None`` with too few cycles."""
    voiced = pitch.f0_hz > 0
    if not voiced.any():
        return None
    period = frames.sample_rate / float(np.median(pitch.f0_hz[voiced]))
    marks, same_stretch = _marks(samples, frames, pitch)
    half, reach = int(0.5 * period), int(_REACH * period) + 2
    inside = (marks >= half + reach) & (marks < samples.size - half - reach - 1)
    marks, same_stretch = marks[inside], same_stretch[inside]
    if marks.size <= MIN_CYCLES:
        return None
    source = _whitened(samples, frames, voiced)
    shift, likeness, first, second = _compare(source, marks, half, reach)
    periods = np.diff(marks) + shift
    good = same_stretch[1:] & (likeness > _MIN_LIKENESS)
    pairs = good[1:] & good[:-1] & (_factor(periods[1:], periods[:-1]) < _MAX_PERIOD_FACTOR)
    steady = good & (_factor(first, second) < _MAX_AMPLITUDE_FACTOR)
    if pairs.sum() < MIN_CYCLES or steady.sum() < MIN_CYCLES:
        return None
    return Cycles(
        jitter_local=float(np.abs(np.diff(periods))[pairs].mean() / periods[good].mean()),
        shimmer_local=float(np.abs(first - second)[steady].mean() / first[steady].mean()),
        n_cycles=int(pairs.sum()),
    )


def _factor(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how many times the larger is the smaller; infinite where that is not above zero."""
    low = np.minimum(a, b)
    return np.where(low > 0, np.maximum(a, b) / np.where(low > 0, low, 1.0), np.inf)


def _marks(
    samples: Floats, frames: Frames, pitch: PitchTrack
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return a sample near each cycle's main peak, and whether the mark before is its neighbour."""
    smooth = _low_pass(samples, frames.sample_rate)
    hop = int(frames.centre[1] - frames.centre[0]) if frames.centre.size > 1 else frames.frame
    edges = np.flatnonzero(np.diff(np.concatenate([[0], pitch.f0_hz > 0, [0]])))
    marks: list[int] = []
    joined: list[bool] = []
    for first, last in edges.reshape(-1, 2):
        begin = max(0, int(frames.centre[first]) - hop // 2)
        end = min(samples.size, int(frames.centre[last - 1]) + hop // 2)
        periods = (frames.sample_rate / pitch.f0_hz[first:last]).tolist()
        found = _walk(smooth, begin, end, periods, hop)
        marks += found
        joined += [False] + [True] * (len(found) - 1) if found else []
    return np.asarray(marks, dtype=np.intp), np.asarray(joined, dtype=np.bool_)


def _walk(smooth: Floats, begin: int, end: int, periods: list[float], hop: int) -> list[int]:
    """Return the marks of one voiced stretch, one after the other."""
    stretch = smooth[begin:end]
    if stretch.size < 2 * periods[0]:
        return []
    # The stronger side of the waveform has the clearer peaks.
    upright = stretch if stretch.max() >= -stretch.min() else -stretch
    at = int(upright[: int(periods[0]) + 1].argmax())
    marks = [begin + at]
    while True:
        period = periods[min(at // hop, len(periods) - 1)]
        low, high = at + int((1 - _REACH) * period), at + int((1 + _REACH) * period) + 1
        if high >= upright.size:
            return marks
        at = low + int(upright[low:high].argmax())
        marks.append(begin + at)


def _whitened(samples: Floats, frames: Frames, voiced: NDArray[np.bool_]) -> Floats:
    """Return the sound without the resonances that the voiced frames share [2].

    In the mouth one cycle still rings while the next begins. Without the
    ringing, what is left of a cycle is near its pulse, where its time and
    size can be measured by themselves.
    """
    order = 2 + frames.sample_rate // 1000
    mean_power = frames.power[voiced].mean(axis=0).astype(np.float64)
    r = np.fft.irfft(mean_power, frames.n_fft)[: order + 1]
    lags = np.abs(np.arange(order)[:, None] - np.arange(order))
    matrix = r[lags] + _WHITENING_FLOOR * (r[0] + 1e-12) * np.eye(order)
    inverse = np.concatenate([[1.0], -np.linalg.solve(matrix, r[1:])])
    n_fft = 1 << (samples.size + order - 1).bit_length()
    spectrum = np.fft.rfft(samples, n_fft) * np.fft.rfft(inverse, n_fft)
    hz = np.fft.rfftfreq(n_fft, 1.0 / frames.sample_rate)
    low, high = _PULSE_BAND_HZ
    spectrum *= 0.5 + 0.5 * np.cos(np.pi * np.clip((hz - low) / (high - low), 0.0, 1.0))
    return np.asarray(np.fft.irfft(spectrum, n_fft)[: samples.size], dtype=np.float32)


def _low_pass(samples: Floats, sample_rate: int) -> Floats:
    spectrum = np.fft.rfft(samples)
    spectrum[int(_LOW_PASS_HZ * samples.size / sample_rate) :] = 0.0
    return np.fft.irfft(spectrum, samples.size).astype(np.float32)


def _compare(
    samples: Floats, marks: NDArray[np.intp], half: int, reach: int
) -> tuple[NDArray[np.float64], ...]:
    """Compare the waveform around each mark with that around the next one.

    Returns
    -------
    shift : ndarray, shape (n - 1,)
        By how much the second mark lies too early. [samples]
    likeness : ndarray
        Correlation at this shift, -1 to 1.
    first, second : ndarray
        Amplitude around either mark, at the shift that fits.
    """
    width = 2 * half
    cycles = sliding_window_view(samples, width)
    ones = cycles[marks[:-1] - half]
    others = sliding_window_view(
        sliding_window_view(samples, width + 2 * reach)[marks[1:] - half - reach], width, axis=1
    )
    product = np.matmul(others, ones[:, :, None])[:, :, 0].astype(np.float64)
    energy_one = np.einsum("ij,ij->i", ones, ones).astype(np.float64)
    energy = np.einsum("ikj,ikj->ik", others, others).astype(np.float64)
    tiny = np.finfo(np.float32).tiny
    likeness = product / np.sqrt(np.maximum(energy_one[:, None] * energy, tiny))
    rows = np.arange(likeness.shape[0])
    best = np.clip(likeness.argmax(axis=1), 1, likeness.shape[1] - 2)
    left, here, right = (likeness[rows, best + i] for i in (-1, 0, 1))
    bend = left - 2 * here + right
    between = np.where(bend < 0, 0.5 * (left - right) / np.where(bend < 0, bend, -1.0), 0.0)
    taper = np.hanning(width).astype(np.float32)
    first = np.sqrt(np.einsum("ij,j->i", ones**2, taper).astype(np.float64))
    second = np.sqrt(np.einsum("ij,j->i", others[rows, best] ** 2, taper).astype(np.float64))
    return best - reach + np.clip(between, -1.0, 1.0), here, first, second
