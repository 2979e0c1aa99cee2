"""The cycles of a voice: where each lies, and each laid over the others. Pure.

Marks are set near the main peak of every cycle, following the pitch, and the
cycles are laid over one another. Then the resonances of the mouth are taken
out of the sound, so that what is left of a cycle is near its pulse, and the
pulses are laid over one another once more. How they differ is measured by
:mod:`sensors.voice.changes`.

References
----------
.. [1] J. Makhoul, "Linear prediction: a tutorial review", Proceedings of the
   IEEE, vol. 63, no. 4, pp. 561-580, 1975.
.. [2] C. H. Knapp, G. C. Carter, "The generalized correlation method for
   estimation of time delay", IEEE Transactions on Acoustics, Speech, and
   Signal Processing, vol. 24, no. 4, pp. 320-327, 1976.
"""

from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from sensors.voice import changes, overlay
from sensors.voice.changes import Changes
from sensors.voice.overlay import Bools, Floats, Ints
from sensors.voice.pitch import Frames, PitchTrack

_MIN_LIKENESS = 0.5  # two cycles less alike than this are not of one voice
_LOW_PASS_HZ = 2000.0  # keeps the main peak of a cycle and its first resonances
_WHITENING_FLOOR = 1e-3  # of the energy: weaker partials are left weak, with the noise in them
_PULSE_BAND_HZ = (2500.0, 4000.0)  # a pulse is left its band up to here; above, noise prevails
_TRUST_IN_COHERENCE = 0.7  # exponent; 1 is Wiener's, which blunts the pulse of a rough voice
_REACH = 0.2  # of a period: how far off its expected place a cycle is looked for at first
_FINE_REACH = 0.05  # and once it is laid over the one before


def measure(samples: Floats, frames: Frames, pitch: PitchTrack) -> Changes | None:
    """Return the measures of the voiced stretches; ``None`` with too few cycles.

    Parameters
    ----------
    samples : ndarray of float32, shape (n,)
        Sound relative to full scale.
    frames, pitch : Frames, PitchTrack
        Its frames and their pitch.
    """
    voiced = pitch.f0_hz > 0
    if not voiced.any():
        return None
    period = frames.sample_rate / float(np.median(pitch.f0_hz[voiced]))
    half, reach = round(0.5 * period), int(_REACH * period) + 2
    sound = samples - samples.mean()
    spectrum = scipy.fft.rfft(sound)
    smooth, step = _low_passed(spectrum, sound.size, frames.sample_rate)
    marks, linked = _marks(smooth, frames, pitch, step)
    room = half + 2 * reach + 4
    inside = (marks >= room) & (marks < sound.size - room)
    marks, linked = marks[inside], linked[inside]
    if marks.size <= changes.MIN_CYCLES:
        return None
    coarse = overlay.align(smooth, marks / step, round(half / step), round(reach / step) + 1)
    good = linked[1:] & (coarse.likeness > _MIN_LIKENESS)
    places = overlay.places(marks, coarse.shift * step, good)
    coherence = overlay.coherence(overlay.cut(sound, places, half), good)
    source = _pulses(spectrum, frames, voiced, coherence)[: sound.size]
    marks = np.rint(places).astype(np.intp)
    fine = overlay.align(source, marks, half, int(_FINE_REACH * period) + 2)
    good &= fine.likeness > _MIN_LIKENESS
    places = overlay.places(marks, fine.shift, good)
    share = min(1.0, 2.0 * _PULSE_BAND_HZ[1] / frames.sample_rate)
    return changes.measure(
        np.diff(marks) + fine.shift,
        overlay.cut(source, places, half),
        overlay.cut(sound, places, half),
        good,
        share,
    )


def _low_passed(
    spectrum: NDArray[np.complexfloating], size: int, rate: int
) -> tuple[Floats, float]:
    """Return the sound up to 2 kHz at four times that rate, and how many samples one stands for."""
    short = min(size, int(4 * _LOW_PASS_HZ * size / rate))
    kept = spectrum[: short // 2 + 1].copy()
    kept[int(_LOW_PASS_HZ * size / rate) :] = 0.0
    return (scipy.fft.irfft(kept, short) * (short / size)).astype(np.float32), size / short


def _marks(smooth: Floats, frames: Frames, pitch: PitchTrack, step: float) -> tuple[Ints, Bools]:
    """Return a sample near each cycle's main peak, and whether the mark before is its neighbour."""
    centre = frames.centre / step
    hop = float(centre[1] - centre[0]) if centre.size > 1 else frames.frame / step
    edges = np.flatnonzero(np.diff(np.concatenate([[0], pitch.f0_hz > 0, [0]])))
    marks: list[int] = []
    joined: list[bool] = []
    for first, last in edges.reshape(-1, 2):
        begin = max(0, int(centre[first] - hop / 2))
        end = min(smooth.size, int(centre[last - 1] + hop / 2))
        periods = (frames.sample_rate / step / pitch.f0_hz[first:last]).tolist()
        found = _walk(smooth[begin:end], periods, hop)
        marks += [begin + at for at in found]
        joined += [False] + [True] * (len(found) - 1) if found else []
    return np.rint(np.asarray(marks) * step).astype(np.intp), np.asarray(joined, dtype=np.bool_)


def _walk(stretch: Floats, periods: list[float], hop: float) -> list[int]:
    """Return the marks of one voiced stretch, one after the other."""
    if stretch.size < 2 * periods[0]:
        return []
    # The stronger side of the waveform has the clearer peaks. No list: Python's numbers stay
    # where they lay in memory, and those of a waveform would be sound that outlives its window.
    levels = stretch if stretch.max() >= -stretch.min() else -stretch
    at = int(levels[: int(periods[0]) + 1].argmax())
    marks = [at]
    while True:
        period = periods[min(int(at / hop), len(periods) - 1)]
        low, high = at + int((1 - _REACH) * period), at + int((1 + _REACH) * period) + 2
        if high >= levels.size:
            return marks
        at = low + int(levels[low:high].argmax())
        marks.append(at)


def _pulses(
    spectrum: NDArray[np.complexfloating], frames: Frames, voiced: Bools, coherence: Floats
) -> Floats:
    """Return the sound without the resonances that the voiced frames share [1]_.

    In the mouth one cycle still rings while the next begins. Without the
    ringing, what is left of a cycle is near its pulse, where its time and
    size can be measured by themselves. Where cycles have little in common
    there is noise, and it is turned down [2]_.
    """
    order = 2 + frames.sample_rate // 1000
    r = np.fft.irfft(frames.power[voiced].mean(axis=0).astype(np.float64), frames.n_fft)[
        : order + 1
    ]
    lags = np.abs(np.arange(order)[:, None] - np.arange(order))
    matrix = r[lags] + _WHITENING_FLOOR * (r[0] + 1e-12) * np.eye(order)
    inverse = np.concatenate([[1.0], -np.linalg.solve(matrix, r[1:])])
    hz = np.fft.rfftfreq(frames.n_fft, 1.0 / frames.sample_rate)
    low, high = _PULSE_BAND_HZ
    gain = np.fft.rfft(inverse, frames.n_fft)
    gain *= 0.5 + 0.5 * np.cos(np.pi * np.clip((hz - low) / (high - low), 0.0, 1.0))
    known_hz = np.linspace(0.0, 0.5 * frames.sample_rate, coherence.size)
    gain *= np.interp(hz, known_hz, coherence) ** _TRUST_IN_COHERENCE
    size = 2 * (spectrum.size - 1)
    kept = int(spectrum.size * min(1.0, 2.0 * high / frames.sample_rate))
    at = np.arange(kept) * ((hz.size - 1) / (spectrum.size - 1))
    pulses = np.zeros_like(spectrum)
    pulses[:kept] = spectrum[:kept] * np.interp(at, np.arange(hz.size), gain)
    return np.asarray(scipy.fft.irfft(pulses, size), dtype=np.float32)
