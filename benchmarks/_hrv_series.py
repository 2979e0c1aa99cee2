"""Series of normal intervals and the artefacts put into them, for H2, H4 and H5.

Made-up hearts, and the real series beside the checkout where there are any
(``../shared/data/rr`` or the folder in ``WELLBEING_RR``).
"""

from __future__ import annotations

import csv
import gzip
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
FOLDER_VARIABLE = "WELLBEING_RR"

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Heart:
    """What one made-up heart does.

    Parameters
    ----------
    hr_bpm : float
        Mean rate. [1/min]
    breathing_ms, slow_ms : float
        Amplitude of the breathing and of the 0.1 Hz wave. [ms]
    breaths_per_min : float
        [1/min]
    jitter_ms : float
        Beat-to-beat irregularity without memory, standard deviation. [ms]
    wander_ms : float
        Standard deviation of the 1/f wander over five minutes. [ms]
    drift_ms_per_min : float
        Steady change. [ms/min]
    pulses_per_min : float
        Single long beats of 10 to 30 %, as a vagal heart at rest shows. [1/min]
    """

    hr_bpm: float
    breathing_ms: float = 20.0
    slow_ms: float = 20.0
    breaths_per_min: float = 15.0
    jitter_ms: float = 8.0
    wander_ms: float = 20.0
    drift_ms_per_min: float = 0.0
    pulses_per_min: float = 0.0


HEARTS = {
    "calm": Heart(65),
    "stiff": Heart(85, breathing_ms=4, slow_ms=6, jitter_ms=4, wander_ms=10),
    "fast": Heart(110, breathing_ms=5, slow_ms=8, jitter_ms=4, wander_ms=12),
    "slow": Heart(50, breathing_ms=70, slow_ms=30, breaths_per_min=12, jitter_ms=20, wander_ms=30),
    "breathing": Heart(62, breathing_ms=80, slow_ms=15, jitter_ms=10),
    "aliased": Heart(55, breathing_ms=50, breaths_per_min=20, jitter_ms=12),
    "irregular": Heart(70, breathing_ms=30, jitter_ms=45, wander_ms=25),
    "drifting": Heart(75, drift_ms_per_min=25, breathing_ms=25, wander_ms=40),
    "vagal": Heart(68, breathing_ms=35, jitter_ms=20, pulses_per_min=2.0),
}


def synthetic(heart: Heart, seconds: float, rng: np.random.Generator) -> FloatArray:
    """Return RR intervals in steps of 1/1024 s, as Bluetooth headsets send them. [ms]."""
    mean = 60_000.0 / heart.hr_bpm
    n = int(seconds * 1000 / mean * 1.5) + 20
    spectrum = rng.normal(size=n // 2 + 1) + 1j * rng.normal(size=n // 2 + 1)
    spectrum[1:] /= np.sqrt(np.arange(1, n // 2 + 1))
    spectrum[0] = 0
    wander = np.fft.irfft(spectrum, n)
    wander *= heart.wander_ms / wander.std()
    phases = rng.uniform(0, 2 * np.pi, 2)
    breaths = heart.breaths_per_min / 60 * np.exp(np.cumsum(rng.normal(0, 0.02, n)))
    breaths = np.clip(breaths, heart.breaths_per_min / 90, heart.breaths_per_min / 45)
    rr = np.empty(n)
    at_s = angle = 0.0
    for k in range(n):
        angle += 2 * np.pi * breaths[k] * (rr[k - 1] / 1000 if k else 0.0)
        rr[k] = (
            mean
            + heart.breathing_ms * np.sin(angle + phases[0])
            + heart.slow_ms * np.sin(2 * np.pi * 0.1 * at_s + phases[1])
            + heart.jitter_ms * rng.normal()
            + wander[k]
            + heart.drift_ms_per_min * (at_s - seconds / 2) / 60
        )
        if rng.uniform() < heart.pulses_per_min * mean / 60_000:
            rr[k] *= rng.uniform(1.1, 1.3)
        at_s += rr[k] / 1000
    rr = np.round(rr[: int(np.searchsorted(np.cumsum(rr), seconds * 1000))] * 1.024) / 1.024
    kept: FloatArray = np.maximum(rr, 300.0)
    return kept


def recorded() -> dict[str, tuple[FloatArray, NDArray[np.bool_] | None]]:
    """Return real intervals [ms] and, where beats are annotated, which are normal; may be empty."""
    folder = Path(os.environ.get(FOLDER_VARIABLE, str(ROOT.parent / "shared" / "data" / "rr")))
    found = {}
    for path in sorted(folder.glob("*.csv.gz")):
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["signal"] == "rr_ms"]
        rr = np.array([float(row["value"]) for row in rows])
        beats = [row.get("beat") for row in rows]
        normal = np.array([beat == "N" for beat in beats]) if beats[0] else None
        found[path.name.partition(".")[0]] = (rr, normal)
    return found


def five_minutes(rr_ms: FloatArray) -> list[FloatArray]:
    """Return the whole five-minute pieces of a series; the series itself if it is shorter."""
    piece = np.floor(np.cumsum(rr_ms) / 300_000).astype(int)
    pieces = [rr_ms[piece == k] for k in range(piece[-1])]
    return pieces or [rr_ms]


def clean_series(hours: float, seed: int = 11) -> dict[str, list[FloatArray]]:
    """Return five-minute windows of normal intervals by series: `hours` of each made-up heart."""
    rng = np.random.default_rng(seed)
    series = {
        f"synthetic {name}": [synthetic(heart, 300.0, rng) for _ in range(round(12 * hours))]
        for name, heart in HEARTS.items()
    }
    for name, (rr, normal) in recorded().items():
        if normal is None:
            series[name] = five_minutes(rr)
    return series


def spread_places(n: int, how_many: int, rng: np.random.Generator) -> list[int]:
    """Return places apart by 8 beats or more, away from the ends, in order."""
    places: list[int] = []
    while len(places) < how_many:
        k = int(rng.integers(6, n - 7))
        if all(abs(k - other) >= 8 for other in places):
            places.append(k)
    return sorted(places)


def spoil(rr_ms: FloatArray, kind: str, how_many: int, rng: np.random.Generator) -> FloatArray:
    """Return a copy with artefacts of one `kind`: missed, extra, ectopic, reset or long.

    *missed*: a beat is taken out. *extra*: one is put in, 20 to 80 % through an
    interval. *ectopic*: a beat comes 20 to 35 % early and the next in its own
    time. *reset*: the same, but the next comes a whole interval later. *long*:
    an interval is 15 to 50 % longer, and all that follows comes later.
    """
    rr = rr_ms.copy()
    for k in reversed(spread_places(len(rr), how_many, rng)):
        if kind == "missed":
            rr[k] += rr[k + 1]
            rr = np.delete(rr, k + 1)
        elif kind == "extra":
            part = rng.uniform(0.2, 0.8) * rr[k]
            rr[k] -= part
            rr = np.insert(rr, k, part)
        elif kind == "long":
            rr[k] *= rng.uniform(1.15, 1.50)
        else:
            early = rng.uniform(0.20, 0.35) * rr[k]
            rr[k] -= early
            if kind == "ectopic":
                rr[k + 1] += early
    return rr
