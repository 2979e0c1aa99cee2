"""H6: beats from a raw optical pulse, at rest and in movement, beside neurokit2 and heartpy.

Three truths, each said in its line:

- *synthetic*: made-up hearts, so every beat is known, also under movement.
- *device*: real wrist recordings of a few people against the wrist device's
  own intervals, which exist only where it found beats: clean stretches, and a
  reference that is itself an algorithm on the same sensor, not an ECG.
- *mixed*: the same clean stretches with real movement of another of these
  people added at its own size relative to the pulse: real waves, real
  artefacts, known beats.

A beat counts as found within 150 ms (Charlton 2022, Physiol. Meas. 43:085007) of the
truth after each detector's own constant lag is taken off: they mark different
points of the wave. Within 150 ms a random beat hits one time in three, so hits
within 50 ms are told beside.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import importlib
import importlib.util
import json
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from sensors.heart_rate.ppg import pulse_beats  # noqa: E402
from sensors.heart_rate.ppg_synthetic import PulseScene, synthetic_pulse  # noqa: E402

IDS = ("H6.rest", "H6.movement")

FloatArray = NDArray[np.float64]
Detector = Callable[[FloatArray, float, FloatArray], FloatArray]

TOLERANCE_S, TIGHT_S = 0.15, 0.05
DATA = ROOT.parent / "shared" / "data"
_RATE_HZ = 64.0  # of the recordings
_MOVING_G = 0.1

REST = (
    PulseScene(hr_bpm=60),
    PulseScene(hr_bpm=75, noise=0.1, wander=1.0, breathing_share=0.06),
    PulseScene(hr_bpm=90, noise=0.2, dicrotic=0.2, rate_hz=100.0, wander=2.0),
    PulseScene(hr_bpm=50, noise=0.05, dicrotic=0.6, rate_hz=25.0, breathing_share=0.08),
    PulseScene(hr_bpm=110, noise=0.1, dicrotic=0.1, rate_hz=50.0),
    PulseScene(hr_bpm=70, noise=0.05, early_share=0.05, wander=1.0),
    PulseScene(hr_bpm=65, noise=0.3, wander=3.0, breathing_share=0.06),
    PulseScene(hr_bpm=80, noise=0.5, rate_hz=200.0),
)
MOVEMENT = (
    PulseScene(hr_bpm=65, noise=0.05, wander=1.0, movement=0.3, moving_share=0.5),
    PulseScene(hr_bpm=75, noise=0.05, wander=1.0, movement=0.6, moving_share=0.5),
    PulseScene(hr_bpm=85, noise=0.05, movement=1.0, moving_share=0.5, rate_hz=50.0),
    PulseScene(hr_bpm=70, noise=0.05, movement=2.0, moving_share=0.5, rate_hz=100.0),
    PulseScene(hr_bpm=80, noise=0.05, movement=4.0, moving_share=0.5),
    PulseScene(hr_bpm=75, noise=0.05, movement=0.7, moving_share=0.5, rhythmic=True),
    PulseScene(hr_bpm=90, noise=0.05, movement=1.5, moving_share=0.5, rhythmic=True),
)


@dataclass(frozen=True, slots=True)
class Case:
    """One stretch of waveform: what is known of it, and where it counts."""

    samples: FloatArray
    rate_hz: float
    movement_g: FloatArray
    truth_s: FloatArray
    counted: NDArray[np.bool_]  # per sample


@dataclass(slots=True)
class Tally:
    """Beats counted so far."""

    true: int = 0
    found: int = 0
    hits: NDArray[np.int_] = field(default_factory=lambda: np.zeros(2, dtype=np.int_))
    """True beats that were found, found beats that are true: they differ at a stretch's edge."""
    tight: NDArray[np.int_] = field(default_factory=lambda: np.zeros(2, dtype=np.int_))
    errors_ms: list[FloatArray] | None = None

    def report(self) -> dict[str, float | None]:
        """Return percent and milliseconds; None where nothing was found."""
        errors = np.concatenate(self.errors_ms) if self.errors_ms else np.empty(0)
        return {
            "sensitivity": _percent(self.hits[0], self.true),
            "precision": _percent(self.hits[1], self.found),
            "sensitivity_50ms": _percent(self.tight[0], self.true),
            "precision_50ms": _percent(self.tight[1], self.found),
            "rr_error_ms_median": round(float(np.median(errors)), 2) if errors.size else None,
        }


def _percent(part: int, whole: int) -> float | None:
    return round(100 * int(part) / whole, 2) if whole else None


# The detectors. Each gets the waveform the right way up and without gaps; ours does not need it.


def ours(samples: FloatArray, rate_hz: float, movement_g: FloatArray) -> FloatArray:
    """Return our beats, with the accelerometer. [s]."""
    return np.array([beat.at_s for beat in pulse_beats(samples, rate_hz, movement_g)])


def ours_blind(samples: FloatArray, rate_hz: float, movement_g: FloatArray) -> FloatArray:
    """Return our beats from the waveform alone, which is all the peers have. [s]."""
    del movement_g
    return np.array([beat.at_s for beat in pulse_beats(samples, rate_hz)])


def neurokit(samples: FloatArray, rate_hz: float, movement_g: FloatArray) -> FloatArray:
    """Return neurokit2's beats, with its defaults (Elgendi 2013). [s]."""
    del movement_g
    nk = importlib.import_module("neurokit2")
    rate = round(rate_hz)
    cleaned = nk.ppg_clean(samples, sampling_rate=rate)
    return np.asarray(nk.ppg_findpeaks(cleaned, sampling_rate=rate)["PPG_Peaks"]) / rate_hz


def heartpy(samples: FloatArray, rate_hz: float, movement_g: FloatArray) -> FloatArray:
    """Return heartpy's accepted beats, minute by minute, filtered as its guide says. [s]."""
    del movement_g
    hp = importlib.import_module("heartpy")
    clean = hp.filter_signal(samples, [0.7, 3.5], rate_hz, order=3, filtertype="bandpass")
    width = round(60 * rate_hz)
    beats: list[float] = []
    for first in range(0, len(clean), width):
        try:
            work, _ = hp.process(hp.scale_data(clean[first : first + width]), rate_hz)
        except (hp.exceptions.BadSignalWarning, ValueError, IndexError):
            continue  # its way of saying that it finds nothing here
        kept = zip(work["peaklist"], work["binary_peaklist"], strict=True)
        beats += [(first + peak) / rate_hz for peak, accepted in kept if accepted]
    return np.array(beats)


# The truths.


def synthetic(scenes: tuple[PulseScene, ...], seeds: int, *, moving: bool) -> Iterator[Case]:
    """Yield made-up cases; in movement only the moving parts count."""
    for k, scene in enumerate(scenes):
        for seed in range(seeds):
            made = synthetic_pulse(scene, seed=10_000 + 100 * seed + k)
            counted = made.moving if moving else np.ones_like(made.moving)
            yield Case(made.samples, scene.rate_hz, made.movement_g, made.beats_s, counted)


@dataclass(frozen=True, slots=True)
class Person:
    """One real recording."""

    samples: FloatArray
    movement_g: FloatArray
    stretches: list[FloatArray]  # reference beats, each stretch without a gap. [s]


def people(most: int | None, most_s: int | None) -> list[Person]:
    """Return the recordings that are there: at most so many, at most so long."""
    paths = sorted((DATA / "pulse").glob("*.bvp.csv.gz"))
    return [_person(path, most_s) for path in paths[:most]]


def _person(path: Path, most_s: int | None) -> Person:
    rows_kept = None if most_s is None else round(most_s * _RATE_HZ)
    samples = np.loadtxt(path, delimiter=",", skiprows=1, max_rows=rows_kept)[:, 1]
    with gzip.open(DATA / "strain" / path.name.replace(".bvp", ""), "rt") as file:
        rows = [(float(t), name, float(value)) for t, name, value in list(csv.reader(file))[1:]]
    moved = np.array([(t, value) for t, name, value in rows if name == "acc_rms_g"])
    beats = np.array([(t, value / 1000) for t, name, value in rows if name == "rr_ms"])
    # Recordings are stamped at the end of what they summarise: a second back.
    movement_g = np.interp(np.arange(len(samples)) / _RATE_HZ, moved[:, 0] - 0.5, moved[:, 1])
    beats = beats[beats[:, 0] < len(samples) / _RATE_HZ]
    follows = np.abs(np.diff(beats[:, 0]) - beats[1:, 1]) < 0.03
    cuts = np.flatnonzero(~follows) + 1
    stretches = [s for s in np.split(beats[:, 0], cuts) if len(s) >= 10]
    return Person(samples, movement_g, stretches)


def device(found: list[Person]) -> Iterator[Case]:
    """Yield whole recordings; only stretches with a reference count."""
    for person in found:
        t_s = np.arange(len(person.samples)) / _RATE_HZ
        counted = np.zeros(len(t_s), dtype=bool)
        for stretch in person.stretches:
            counted |= (t_s > stretch[0] - 0.3) & (t_s < stretch[-1] + 0.3)
        truth_s = np.concatenate(person.stretches)
        yield Case(person.samples, _RATE_HZ, person.movement_g, truth_s, counted)


def mixed(found: list[Person]) -> Iterator[Case]:
    """Yield clean stretches under another person's movement."""
    rng = np.random.default_rng(7)
    for number, person in enumerate(found):
        donor = found[(number + 1) % len(found)]
        gain = _height(person) / _height(donor)
        for stretch in person.stretches:
            if stretch[-1] - stretch[0] < 30:
                continue
            first, last = (np.array([stretch[0] - 1, stretch[-1] + 1]) * _RATE_HZ).astype(int)
            first, last = max(first, 0), min(last, len(person.samples))
            samples = person.samples[first:last].copy()
            movement_g = person.movement_g[first:last].copy()
            counted = np.zeros(last - first, dtype=bool)
            for at in range(round(12 * _RATE_HZ), last - first - 1, round(20 * _RATE_HZ)):
                to = min(at + round(8 * _RATE_HZ), last - first)
                source = _moving_at(donor, to - at, rng)
                if source is None:
                    continue
                part = slice(source, source + to - at)
                samples[at:to] += gain * donor.samples[part]
                movement_g[at:to] += donor.movement_g[part]
                counted[at:to] = True
            yield Case(samples, _RATE_HZ, movement_g, stretch - first / _RATE_HZ, counted)


def _height(person: Person) -> float:
    """Return the usual size of a person's pulse, from the stretches with a reference."""
    parts = [(s[[0, -1]] * _RATE_HZ).astype(int) for s in person.stretches]
    return float(np.median([person.samples[a:b].std() for a, b in parts]))


def _moving_at(person: Person, length: int, rng: np.random.Generator) -> int | None:
    """Return a random place where `person` moved for `length` samples."""
    still = np.cumsum(person.movement_g < _MOVING_G)
    places = np.flatnonzero(still[length:] == still[:-length])
    return int(rng.choice(places)) if places.size else None


# Counting.


def count(detect: Detector, case: Case, tally: Tally) -> None:
    """Add what `detect` finds in `case` to `tally`."""
    found_s = detect(case.samples, case.rate_hz, case.movement_g)
    truth_s = case.truth_s
    if found_s.size:
        found_s = found_s - _lag(truth_s, found_s)
    edge_s = 1.0  # a wave that is cut off is nobody's fault
    end_s = len(case.samples) / case.rate_hz - edge_s
    truth_in = _within(case, truth_s) & (truth_s > edge_s) & (truth_s < end_s)
    found_in = _within(case, found_s) & (found_s > edge_s) & (found_s < end_s)
    pairs = _pairs(truth_s, found_s)
    near = [(t, f) for t, f in pairs if abs(found_s[f] - truth_s[t]) < TIGHT_S]
    tally.true += int(truth_in.sum())
    tally.found += int(found_in.sum())
    for hits, matched in ((tally.hits, pairs), (tally.tight, near)):
        np.add(
            hits,
            (sum(truth_in[t] for t, _ in matched), sum(found_in[f] for _, f in matched)),
            out=hits,
        )
    inside = [(t, f) for t, f in pairs if truth_in[t] and found_in[f]]
    if len(inside) > 1:
        t, f = np.array(inside).T
        both = (np.diff(t) == 1) & (np.diff(f) == 1)
        error_s = np.abs(np.diff(found_s[f]) - np.diff(truth_s[t]))[both]
        tally.errors_ms = [*(tally.errors_ms or []), 1000 * error_s]


def _within(case: Case, at_s: FloatArray) -> NDArray[np.bool_]:
    index = np.clip((at_s * case.rate_hz).astype(int), 0, len(case.counted) - 1)
    return case.counted[index]


def _lag(truth_s: FloatArray, found_s: FloatArray) -> float:
    """Return the constant lag that explains most beats: waves are marked at different points."""
    tried = np.arange(-0.5, 0.5, 0.01)
    score = [
        np.exp(-0.5 * (_nearest(truth_s, found_s - lag)[1] / 0.04) ** 2).sum() for lag in tried
    ]
    return float(tried[int(np.argmax(score))])


def _nearest(truth_s: FloatArray, found_s: FloatArray) -> tuple[NDArray[np.intp], FloatArray]:
    right = np.clip(np.searchsorted(found_s, truth_s), 0, len(found_s) - 1)
    left = np.maximum(right - 1, 0)
    closer = np.abs(found_s[left] - truth_s) < np.abs(found_s[right] - truth_s)
    index = np.where(closer, left, right)
    return index, found_s[index] - truth_s


def _pairs(truth_s: FloatArray, found_s: FloatArray) -> list[tuple[int, int]]:
    """Return (true, found) beats within the tolerance, one to one, closest first."""
    if not found_s.size or not truth_s.size:
        return []
    index, away_s = _nearest(truth_s, found_s)
    pairs: dict[int, int] = {}
    for t in np.argsort(np.abs(away_s)).tolist():
        if abs(away_s[t]) < TOLERANCE_S:
            pairs.setdefault(int(index[t]), t)
    return sorted((t, f) for f, t in pairs.items())


def detectors() -> dict[str, Detector]:
    """Return ours and the peers that are installed."""
    found: dict[str, Detector] = {"ours": ours, "ours, without accelerometer": ours_blind}
    peers: dict[str, Detector] = {"neurokit2": neurokit, "heartpy": heartpy}
    return found | {n: d for n, d in peers.items() if importlib.util.find_spec(n) is not None}


def line(figure: str, truth: str, cases: list[Case], extra: dict[str, object]) -> str:
    """Return one JSON object: ours, and every peer on the same cases."""
    results = {}
    for name, detect in detectors().items():
        tally = Tally()
        for case in cases:
            count(detect, case, tally)
        results[name] = tally.report()
    own = results.pop("ours")
    peers = {name: result for name, result in results.items() if not name.startswith("ours")}
    best = max((p["sensitivity"] or 0.0 for p in peers.values()), default=None)
    best_p = max((p["precision"] or 0.0 for p in peers.values()), default=None)
    return json.dumps(
        {
            "id": figure,
            "value": own["sensitivity"],
            "unit": "% of beats found",
            "peer": {"name": "best of " + ", ".join(peers), "value": best},
            "ratio": round((own["sensitivity"] or 0.0) / best, 3) if best else None,
            "precision": own["precision"],
            "peer_precision": best_p,
            "ours": own,
            **results,
            "truth": truth,
            "beats": sum(int(_within(case, case.truth_s).sum()) for case in cases),
            **extra,
        }
    )


def main() -> int:
    """Print one JSON object per truth and condition."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    warnings.simplefilter("ignore")  # the peers warn of every minute they dislike
    np.seterr(all="ignore")
    seeds, rest, movement = (1, REST[:4], MOVEMENT[:4]) if quick else (8, REST, MOVEMENT)
    made = "synthetic, every beat known"
    extra: dict[str, object] = {"people": 0}
    print(line("H6.rest", made, list(synthetic(rest, seeds, moving=False)), extra), flush=True)
    cases = list(synthetic(movement, seeds, moving=True))
    print(line("H6.movement", made, cases, extra), flush=True)
    there = people(2, 1500) if quick else people(None, None)
    if len(there) < 2:
        print(f"{len(there)} recordings in {DATA / 'pulse'}; two are needed", file=sys.stderr)
        return 0
    extra = {"people": len(there)}
    truth = "the wrist device's own intervals where it found beats; no ECG"
    print(line("H6.rest", truth, list(device(there)), extra), flush=True)
    truth = "the same intervals, another person's real movement added to the clean pulse"
    print(line("H6.movement", truth, list(mixed(there)), extra), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
