"""Optical pulses with known beats: what the detector is tested and measured on.

No person's data: a pulse wave is laid down at every beat of a made-up heart
with breathing, slow waves and single early beats; then baseline, noise and
movement are added, each of a stated size relative to the pulse.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

_PULSE_AT_S = 0.15  # the systolic wave peaks this long after the beat's own time
_SETTLE_S = 2.0  # before the first and after the last beat that counts


@dataclass(frozen=True, slots=True, kw_only=True)
class PulseScene:
    """What is put on.

    Parameters
    ----------
    rate_hz : float
        Samples per second. [1/s]
    duration_s : float
        Length. [s]
    hr_bpm : float
        Mean heart rate; it drifts slowly by about a tenth. [1/min]
    breathing_share, jitter_share : float
        Share of the RR interval by which breathing and chance vary it.
    early_share : float
        Share of beats that come a third early, with a weaker pulse and a pause after.
    dicrotic : float
        Height of the second wave relative to the first.
    wander : float
        Amplitude of the baseline relative to the pulse.
    noise : float
        Standard deviation of white noise relative to the pulse's height.
    movement : float
        Standard deviation of the movement artefacts relative to the pulse's height.
    moving_share : float
        Share of the time with movement, in bursts of 2-12 s.
    rhythmic : bool
        Whether movement is a walk (one frequency and its harmonics) or disorder.
    """

    rate_hz: float = 64.0
    duration_s: float = 180.0
    hr_bpm: float = 72.0
    breathing_share: float = 0.04
    jitter_share: float = 0.015
    early_share: float = 0.0
    dicrotic: float = 0.3
    wander: float = 0.5
    noise: float = 0.02
    movement: float = 0.0
    moving_share: float = 0.0
    rhythmic: bool = False


@dataclass(frozen=True, slots=True)
class SyntheticPulse:
    """A made-up recording and its truth.

    Parameters
    ----------
    samples : ndarray of float, shape (n,)
        Optical signal, in units of one pulse height.
    movement_g : ndarray of float, shape (n,)
        What an accelerometer would say. [g]
    moving : ndarray of bool, shape (n,)
        Whether an artefact lies on the sample.
    beats_s : ndarray of float, shape (m,)
        Times of the beats. [s]
    """

    samples: FloatArray
    movement_g: FloatArray
    moving: NDArray[np.bool_]
    beats_s: FloatArray


def synthetic_pulse(scene: PulseScene, seed: int) -> SyntheticPulse:
    """Return what `scene` describes; the same `seed` gives the same samples."""
    rng = np.random.default_rng(seed)
    n = round(scene.duration_s * scene.rate_hz)
    t_s = np.arange(n) / scene.rate_hz
    beats_s, heights = _beats(scene, rng)
    samples = pulse_waves(t_s, beats_s, heights, 60.0 / scene.hr_bpm, dicrotic=scene.dicrotic)
    breath = 2 * np.pi * (0.22 * t_s + rng.random())
    slow = np.cumsum(rng.normal(0, 1, n))
    slow -= np.interp(t_s, t_s[:: n - 1], slow[:: n - 1])
    slow /= max(float(slow.std()), 1e-12)
    samples += scene.wander * (0.5 * np.sin(breath) + 0.5 * slow)
    samples += rng.normal(0, scene.noise, n)
    artefact, moving = _movement(t_s, scene, rng)
    samples += artefact
    # A still sensor shows its own noise; 0.1 g of movement is what moves light by a pulse.
    movement_g = 0.005 + 0.1 * scene.movement * moving * (0.7 + 0.6 * rng.random(n))
    counted = (beats_s > 0.0) & (beats_s < scene.duration_s)
    return SyntheticPulse(samples, movement_g, moving, beats_s[counted])


def _beats(scene: PulseScene, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Return beat times and pulse heights."""
    at_s, times, heights = -_SETTLE_S, [], []
    phase, drift, pause_s = rng.random() * 2 * np.pi, 0.0, 0.0
    while at_s < scene.duration_s + _SETTLE_S:
        drift = 0.98 * drift + 0.02 * rng.normal()
        breath = np.sin(2 * np.pi * 0.22 * at_s + phase)
        slow = np.sin(2 * np.pi * 0.1 * at_s + 2 * phase)
        rr_s = 60.0 / scene.hr_bpm
        rr_s *= 1 + scene.breathing_share * (breath + 0.5 * slow) + 0.5 * drift
        rr_s *= 1 + scene.jitter_share * rng.normal()
        early = rng.random() < scene.early_share
        if early:
            pause_s, rr_s = rr_s / 3, rr_s * 2 / 3
        else:
            rr_s, pause_s = rr_s + pause_s, 0.0
        at_s += max(rr_s, 0.27)
        times.append(at_s)
        heights.append((0.5 if early else 1.0) * (1 + 0.1 * breath + 0.05 * rng.normal()))
    return np.array(times), np.array(heights)


def pulse_waves(
    t_s: FloatArray,
    beats_s: FloatArray,
    heights: FloatArray,
    last_rr_s: float,
    *,
    dicrotic: float = 0.3,
) -> FloatArray:
    """Lay a systolic and a dicrotic wave down at every beat.

    Parameters
    ----------
    t_s : ndarray of float, shape (n,)
        Times of the samples, rising. [s]
    beats_s, heights : ndarray of float, shape (m,)
        Times of the beats, rising [s], and heights of their pulses.
    last_rr_s : float
        Interval that follows the last beat. [s]
    dicrotic : float
        Height of the second wave relative to the first.

    Returns
    -------
    ndarray of float, shape (n,)
        In units of one pulse height.
    """
    samples = np.zeros_like(t_s)
    intervals_s = np.diff(beats_s, append=beats_s[-1] + last_rr_s)
    for beat_s, height, rr_s in zip(beats_s, heights, intervals_s, strict=True):
        stretch = np.sqrt(rr_s / 0.8)  # Bazett: systole goes with the root of the interval
        first, last = np.searchsorted(t_s, (beat_s - 0.3, beat_s + 1.6))
        after_s = (t_s[first:last] - beat_s) / stretch
        rise = np.where(after_s < _PULSE_AT_S, 0.07, 0.14)  # faster up than down
        wave = np.exp(-0.5 * ((after_s - _PULSE_AT_S) / rise) ** 2)
        wave += dicrotic * np.exp(-0.5 * ((after_s - 0.45) / 0.09) ** 2)
        samples[first:last] += height * wave
    return samples


def _movement(
    t_s: FloatArray, scene: PulseScene, rng: np.random.Generator
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return the artefact and where it lies."""
    moving = np.zeros(len(t_s), dtype=bool)
    artefact = np.zeros_like(t_s)
    if scene.movement <= 0.0 or scene.moving_share <= 0.0:
        return artefact, moving
    at_s = float(rng.uniform(0, 10))
    while at_s < t_s[-1]:
        length_s = float(rng.uniform(2, 12))
        first, last = np.searchsorted(t_s, (at_s, at_s + length_s))
        if last - first > 4:
            moving[first:last] = True
            artefact[first:last] = scene.movement * _burst(t_s[first:last], scene, rng)
        at_s += length_s + length_s * float(rng.uniform(0.5, 1.5)) * (
            1 / min(scene.moving_share, 0.99) - 1
        )
    return artefact, moving


def _burst(t_s: FloatArray, scene: PulseScene, rng: np.random.Generator) -> FloatArray:
    """Return one burst of standard deviation 1."""
    if scene.rhythmic:
        step_hz = rng.uniform(1.4, 2.2)  # cadence of a walk
        burst = sum(
            rng.uniform(0.2, 1) / k * np.sin(2 * np.pi * (k * step_hz * t_s + rng.random()))
            for k in (1, 2, 3)
        )
    else:
        spectrum = np.fft.rfft(rng.normal(0, 1, len(t_s)))
        hz = np.fft.rfftfreq(len(t_s), 1 / scene.rate_hz)
        # Tissue and a hand move below 5 Hz, most of it slowly.
        spectrum *= (hz > 0.1) * (hz < 5) / np.sqrt(np.maximum(hz, 0.3))
        burst = np.fft.irfft(spectrum, len(t_s))
    burst = np.asarray(burst, dtype=np.float64)
    ramp = np.minimum(1, np.minimum(t_s - t_s[0], t_s[-1] - t_s) / 0.3)
    return np.asarray(ramp * burst / max(float(burst.std()), 1e-12), dtype=np.float64)
