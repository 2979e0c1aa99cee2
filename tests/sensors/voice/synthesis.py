"""A synthetic voice of known period, amplitude and noise: the truth to measure against."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RATE = 16_000
# Formants and bandwidths of a neutral vowel (Fant 1960), and the weight of each.
FORMANTS = [(500.0, 60.0, 1.0), (1500.0, 90.0, 0.5), (2500.0, 120.0, 0.25), (3500.0, 150.0, 0.1)]


@dataclass(frozen=True)
class Voice:
    samples: np.ndarray
    f0_hz: float
    jitter_local: float
    shimmer_local: float
    hnr_db: float


def voice(
    f0_hz: float = 120.0,
    *,
    jitter: float = 0.0,
    shimmer: float = 0.0,
    hnr_db: float = np.inf,
    seconds: float = 5.0,
    seed: int = 0,
    level: float = 0.3,
    rate: int = RATE,
) -> Voice:
    """Return a vowel: one response of the vocal tract for each pulse of the glottis.

    `jitter` and `shimmer` are the local measures aimed at; the exact ones, of
    the periods and amplitudes drawn, are returned. Noise has the spectrum of
    the voice itself, so that `hnr_db` is the ratio of energies.
    """
    rng = np.random.default_rng(seed)
    count = int(seconds * f0_hz * 1.1) + 10
    # The mean absolute difference of two normal numbers is 2/sqrt(pi) of their spread.
    periods = (1.0 + jitter * np.sqrt(np.pi) / 2 * rng.standard_normal(count)) / f0_hz
    sizes = 1.0 + shimmer * np.sqrt(np.pi) / 2 * rng.standard_normal(count)
    times = np.cumsum(periods)
    kept = times < seconds - 0.03
    times, periods, sizes = times[kept], periods[kept], sizes[kept]
    sound = _respond(times, sizes, seconds, rate)
    if np.isfinite(hnr_db):
        noise = rng.standard_normal(sound.size)
        noise *= np.sqrt(np.mean(sound**2) / np.mean(noise**2) / 10 ** (hnr_db / 10))
        sound = sound + noise
    return Voice(
        samples=(level * sound / np.abs(sound).max()).astype(np.float32),
        f0_hz=1.0 / float(np.median(periods)),
        jitter_local=float(np.abs(np.diff(periods)).mean() / periods.mean()),
        shimmer_local=float(np.abs(np.diff(sizes)).mean() / sizes.mean()),
        hnr_db=hnr_db,
    )


def _respond(times: np.ndarray, sizes: np.ndarray, seconds: float, rate: int) -> np.ndarray:
    """Return the sum of responses that begin between the samples, where the pulses are."""
    length = int(0.03 * rate)
    sound = np.zeros(int(seconds * rate) + length)
    first = np.ceil(times * rate).astype(int)
    offset_s = first / rate - times
    at_s = np.arange(length)[None, :] / rate + offset_s[:, None]
    pieces = sizes[:, None] * _decay(at_s)
    for begin, piece in zip(first, pieces, strict=True):
        sound[begin : begin + length] += piece
    return sound[: int(seconds * rate)]


def _decay(at_s: np.ndarray) -> np.ndarray:
    # The attack keeps the spectrum below half the sample rate.
    attack = 1.0 - np.exp(-at_s * 4000.0)
    return attack * sum(
        weight * np.exp(-np.pi * width * at_s) * np.sin(2 * np.pi * hz * at_s)
        for hz, width, weight in FORMANTS
    )
