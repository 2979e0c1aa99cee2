"""Synthetic voices of known period, amplitude and noise, made in three ways.

What is measured should not depend on how a voice was made: pulses of a glottis
through resonators [1]_, plain impulses through resonators, and a wave whose
phase runs faster and slower. An excitation lies at each of the known times.

References
----------
.. [1] D. H. Klatt, L. C. Klatt, "Analysis, synthesis, and perception of voice
   quality variations among female and male talkers", JASA, vol. 87, no. 2,
   pp. 820-857, 1990.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter, resample_poly

Floats = NDArray[np.float64]

RATE = 16_000
_TIMES = 8  # as many samples while a voice is made
# Peterson & Barney 1952, adult men; the fourth resonance and the bandwidths are usual values.
VOWELS = {
    "a": (730, 1090, 2440, 3400),
    "e": (530, 1840, 2480, 3500),
    "i": (270, 2290, 3010, 3600),
    "o": (570, 840, 2410, 3300),
    "u": (300, 870, 2240, 3300),
    "@": (500, 1500, 2500, 3500),
}
_WIDTHS_HZ = (70, 90, 130, 180)
KINDS = ("glottal", "impulse", "warped")


@dataclass(frozen=True)
class Recipe:
    """What a voice is made of; jitter and shimmer are the local ones aimed at."""

    f0_hz: float
    vowel: str
    kind: str
    shaped_noise: bool
    seed: int
    jitter: float = 0.0
    shimmer: float = 0.0
    hnr_db: float = np.inf
    seconds: float = 3.0


@dataclass(frozen=True)
class Voice:
    """A voice and the truth about it, of the periods and amplitudes really drawn."""

    samples: NDArray[np.float32]
    f0: float
    jitter: float
    shimmer: float
    hnr: float


def recipes(n: int, seed: int, *varied: str) -> list[Recipe]:
    """Return `n` voices of 80-350 Hz; `varied` names what differs beside pitch and vowel."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        one = Recipe(
            f0_hz=float(np.exp(rng.uniform(np.log(80), np.log(350)))),
            vowel=str(rng.choice(list(VOWELS))),
            kind=str(rng.choice(KINDS)),
            shaped_noise=bool(rng.random() < 0.5),
            seed=int(rng.integers(1 << 30)),
        )
        values = {
            "jitter": float(np.exp(rng.uniform(np.log(0.002), np.log(0.03)))),
            "shimmer": float(np.exp(rng.uniform(np.log(0.01), np.log(0.1)))),
            "hnr_db": float(rng.uniform(5, 30)),
        }
        found.append(replace(one, **{name: values[name] for name in varied}))
    return found


def make(recipe: Recipe) -> Voice:
    """Return the voice of a recipe."""
    rng = np.random.default_rng(recipe.seed)
    n = int(recipe.seconds * recipe.f0_hz * 1.15) + 10
    # The mean absolute difference of two normal numbers is 2/sqrt(pi) of their spread.
    drawn = np.sqrt(np.pi) / 2 * np.clip(rng.standard_normal((2, n)), -3, 3)
    periods, sizes = (1 + recipe.jitter * drawn[0]) / recipe.f0_hz, 1 + recipe.shimmer * drawn[1]
    times = np.cumsum(periods)
    kept = times < recipe.seconds - 0.03
    times, periods, sizes = times[kept], periods[kept], sizes[kept]
    # A small mouth has a high voice and high resonances.
    scale = np.interp(recipe.f0_hz, [80, 350], [0.95, 1.25])
    formants = [scale * hz for hz in VOWELS[recipe.vowel]]
    sound = {"glottal": _glottal, "impulse": _impulses, "warped": _warped}[recipe.kind](
        times, sizes, recipe, formants
    )
    if np.isfinite(recipe.hnr_db):
        noise = rng.standard_normal(sound.size)
        if recipe.shaped_noise:
            noise = _resonate(noise, formants, RATE)
        spoken = slice(int(0.05 * RATE), int((recipe.seconds - 0.06) * RATE))
        share = np.mean(sound[spoken] ** 2) / np.mean(noise[spoken] ** 2)
        sound = sound + noise * np.sqrt(share / 10 ** (recipe.hnr_db / 10))
    return Voice(
        samples=(0.5 * sound / np.abs(sound).max()).astype(np.float32),
        f0=1.0 / float(np.median(periods)),
        jitter=float(np.abs(np.diff(periods)).mean() / periods.mean()),
        shimmer=float(np.abs(np.diff(sizes)).mean() / sizes.mean()),
        hnr=recipe.hnr_db,
    )


def _resonate(sound: Floats, formants: list[float], rate: int) -> Floats:
    for hz, width in zip(formants, _WIDTHS_HZ, strict=True):
        r = np.exp(-np.pi * width / rate)
        poles = [1.0, -2 * r * np.cos(2 * np.pi * hz / rate), r * r]
        sound = lfilter([sum(poles)], poles, sound)
    return np.asarray(sound)


def _glottal(times: Floats, sizes: Floats, recipe: Recipe, formants: list[float]) -> Floats:
    """Klatt's derivative of the flow [1]_, closing at each time after an open phase of 0.6."""
    rate = RATE * _TIMES
    flow = np.zeros(int(recipe.seconds * rate) + rate)
    opened_s = 0.6 / recipe.f0_hz
    for time, size in zip(times, sizes, strict=True):
        at = np.arange(int(np.ceil((time - opened_s) * rate)), int(np.ceil(time * rate)))
        at = at[at >= 0]
        phase = (at / rate - time + opened_s) / opened_s
        flow[at] += size * (2 * phase - 3 * phase**2)
    sound = _resonate(flow[: int(recipe.seconds * rate)], formants, rate)
    return np.asarray(resample_poly(sound, 1, _TIMES))


def _impulses(times: Floats, sizes: Floats, recipe: Recipe, formants: list[float]) -> Floats:
    rate = RATE * _TIMES
    pulses = np.zeros(int(recipe.seconds * rate) + 2)
    at = times * rate
    whole = np.floor(at).astype(int)
    np.add.at(pulses, whole, sizes * (1 - at + whole))
    np.add.at(pulses, whole + 1, sizes * (at - whole))
    sound = _resonate(lfilter([1], [1, -0.98], pulses[:-2]), formants, rate)
    return np.asarray(resample_poly(sound, 1, _TIMES))


def _warped(times: Floats, sizes: Floats, recipe: Recipe, formants: list[float]) -> Floats:
    """One wave whose phase runs a turn in each period, its main peaks at the times."""
    at = np.arange(int(recipe.seconds * RATE)) / RATE
    turns = np.interp(at, np.concatenate([[0], times]), np.arange(times.size + 1))
    k = np.arange(1, int(0.39 * RATE / recipe.f0_hz) + 1)
    z = np.exp(-2j * np.pi * k * recipe.f0_hz / RATE)
    weight = 1.0 / k.astype(complex)
    for hz, width in zip(formants, _WIDTHS_HZ, strict=True):
        r = np.exp(-np.pi * width / RATE)
        poles = [1.0, -2 * r * np.cos(2 * np.pi * hz / RATE), r * r]
        weight *= sum(poles) / (poles[0] + poles[1] * z + poles[2] * z**2)
    grid = np.arange(4096) / 4096
    peak = grid[np.abs(_partials(weight, grid)).argmax()]
    later = np.clip(np.searchsorted(times, at), 1, times.size - 1)
    way = np.clip((at - times[later - 1]) / (times[later] - times[later - 1]), 0, 1)
    way = 0.5 - 0.5 * np.cos(np.pi * np.clip((way - 0.35) / 0.3, 0, 1))
    size = sizes[later - 1] * (1 - way) + sizes[later] * way
    return np.asarray(np.where(at > times[-1], 0.0, _partials(weight, turns + peak) * size))


def _partials(weight: NDArray[np.complex128], turns: Floats) -> Floats:
    sound = np.zeros(turns.size)
    for k, one in enumerate(weight, start=1):
        sound += (one * np.exp(2j * np.pi * k * turns)).real
    return sound


def sentence(seed: int, seconds: float = 5.0) -> NDArray[np.float32]:
    """Return syllables of changing vowel, length and pitch, with pauses between phrases."""
    rng = np.random.default_rng(seed)
    f0_hz = float(np.exp(rng.uniform(np.log(90), np.log(260))))
    sound = 1e-4 * rng.standard_normal(int(seconds * RATE))
    at_s = 0.1
    while at_s < seconds - 0.5:
        length_s = float(rng.uniform(0.12, 0.3))
        one = make(
            Recipe(
                f0_hz=f0_hz * float(2 ** rng.normal(0, 2 / 12)),
                vowel=str(rng.choice(list(VOWELS))),
                kind="glottal",
                shaped_noise=True,
                seed=int(rng.integers(1 << 30)),
                jitter=0.008,
                shimmer=0.04,
                hnr_db=18.0,
                seconds=length_s + 0.1,
            )
        ).samples[int(0.05 * RATE) :][: int(length_s * RATE)]
        begin = int(at_s * RATE)
        sound[begin : begin + one.size] += one * np.hanning(one.size) * rng.uniform(0.5, 1)
        at_s += length_s + float(rng.choice([0.03, 0.06, 0.5], p=[0.5, 0.35, 0.15]))
    return sound.astype(np.float32)
