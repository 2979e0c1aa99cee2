"""A second way of making voices of known period, amplitude and noise, for V4.

What was improved on the voices of ``_voices`` has to hold on these, which were
made for nothing but that: another pulse, other mouths, another band, other
statistics of jitter and shimmer, a pitch that moves, and breath that comes and
goes with the glottis.

References
----------
.. [1] A. E. Rosenberg, "Effect of glottal pulse shape on the quality of natural
   vowels", JASA, vol. 49, no. 2B, pp. 583-590, 1971: the trigonometric pulse.
.. [2] J. Hillenbrand et al., "Acoustic characteristics of American English
   vowels", JASA, vol. 97, no. 5, pp. 3099-3111, 1995: means of women.
.. [3] J. Schoentgen, R. de Guchteneere, "Time series analysis of jitter",
   Journal of Phonetics, vol. 23, pp. 189-201, 1995: neighbouring changes of
   the period depend on each other.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter, resample_poly

from benchmarks._voices import Recipe, Voice, recipes

Floats = NDArray[np.float64]

RATES = (16_000, 22_050, 44_100)
_TIMES = 4  # as many samples while a voice is made
# [2], the vowels of had, head, hood, hawed, heed; the bandwidths grow with the frequency.
_MOUTHS = (
    (669, 2349, 2972, 4290),
    (731, 2058, 2979, 4294),
    (519, 1225, 2827, 4052),
    (781, 1136, 2824, 3923),
    (437, 2761, 3372, 4352),
)
_BREATH = ("steady", "glottal", "pink")


def others(n: int, seed: int, *varied: str) -> list[tuple[Recipe, int]]:
    """Return `n` recipes, as :func:`benchmarks._voices.recipes`, each with a sample rate."""
    rng = np.random.default_rng(seed)
    return [(recipe, int(rng.choice(RATES))) for recipe in recipes(n, seed + 1, *varied)]


def make_other(recipe: Recipe, rate: int) -> Voice:
    """Return a voice of the recipe's pitch, jitter, shimmer and HNR; the rest is drawn anew."""
    rng = np.random.default_rng(recipe.seed)
    n = int(recipe.seconds * recipe.f0_hz * 1.3) + 10
    drift = 2.0 ** (rng.normal(0, 1 / 12) * np.sin(np.linspace(0, rng.uniform(2, 9), n)))
    periods = (drift + recipe.jitter * _changing(rng, n)) / recipe.f0_hz
    sizes = 1 + recipe.shimmer * _changing(rng, n)
    times = np.cumsum(periods)
    kept = times < recipe.seconds - 0.05
    times, periods, sizes = times[kept], periods[kept], sizes[kept]
    flow = _pulses(
        times,
        periods,
        sizes,
        quotient=rng.uniform(0.45, 0.75),
        rate=rate * _TIMES,
        seconds=recipe.seconds,
    )
    mouth = _Mouth(rng, rate * _TIMES)
    sound = resample_poly(mouth(lfilter([1.0, -1.0], [1.0], flow)), 1, _TIMES)
    if np.isfinite(recipe.hnr_db):
        noise = _breath(rng, flow, mouth)
        spoken = slice(int(0.05 * rate), int((recipe.seconds - 0.08) * rate))
        share = np.mean(sound[spoken] ** 2) / np.mean(noise[spoken] ** 2)
        sound = sound + noise * np.sqrt(share / 10 ** (recipe.hnr_db / 10))
    return Voice(
        samples=(0.4 * sound / np.abs(sound).max()).astype(np.float32),
        f0=1.0 / float(np.median(periods)),
        jitter=float(np.abs(np.diff(periods)).mean() / periods.mean()),
        shimmer=float(np.abs(np.diff(sizes)).mean() / sizes.mean()),
        hnr=recipe.hnr_db,
    )


def _changing(rng: np.random.Generator, n: int) -> Floats:
    """Return numbers whose mean change is 1 and of which neighbours depend on each other [3]_."""
    drawn = lfilter([1.0], [1.0, -rng.uniform(-0.4, 0.6)], rng.laplace(size=n))
    drawn = np.clip(drawn / drawn.std(), -3, 3)
    return np.asarray(drawn / np.abs(np.diff(drawn)).mean())


def _pulses(
    times: Floats, periods: Floats, sizes: Floats, *, quotient: float, rate: int, seconds: float
) -> Floats:
    """Return the flow of the trigonometric pulses [1]_, closing at the times."""
    flow = np.zeros(int(seconds * rate))
    for time, size, period in zip(times, sizes, periods, strict=True):
        opened_s = quotient * period
        at = np.arange(int(np.ceil((time - opened_s) * rate)), int(np.ceil(time * rate)))
        at = at[at >= 0]
        phase = (at / rate - time + opened_s) / opened_s
        rising = 0.5 - 0.5 * np.cos(np.pi * phase / 0.7)
        flow[at] += size * np.where(phase < 0.7, rising, np.cos(np.pi / 2 * (phase - 0.7) / 0.3))
    return flow


def _breath(rng: np.random.Generator, flow: Floats, mouth: _Mouth) -> Floats:
    """Return noise: of the room, of a glottis that opens and closes, or falling by 3 dB/octave."""
    kind = str(rng.choice(_BREATH))
    noise = rng.standard_normal(flow.size)
    if kind == "steady":
        return rng.standard_normal(-(-flow.size // _TIMES))
    if kind == "glottal":
        return np.asarray(resample_poly(mouth((0.2 + flow) * noise), 1, _TIMES))
    spectrum = np.fft.rfft(rng.standard_normal(-(-flow.size // _TIMES)))
    spectrum[1:] /= np.sqrt(np.arange(1, spectrum.size))
    spectrum[:20] = 0.0
    return np.asarray(np.fft.irfft(spectrum, -(-flow.size // _TIMES)))


class _Mouth:
    """Four resonances one after the other, somewhat different for everybody."""

    def __init__(self, rng: np.random.Generator, rate: int) -> None:
        hz = np.array(_MOUTHS[rng.integers(len(_MOUTHS))]) * rng.uniform(0.8, 1.05)
        radius = np.exp(-np.pi * (40 + 0.035 * hz) / rate)
        self._poles = [
            [1.0, -2 * r * float(np.cos(2 * np.pi * f / rate)), r * r]
            for f, r in zip(hz, radius.tolist(), strict=True)
        ]

    def __call__(self, sound: Floats) -> Floats:
        for poles in self._poles:
            sound = lfilter([sum(poles)], poles, sound)
        return np.asarray(sound)
