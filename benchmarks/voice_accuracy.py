"""V3, V4: pitch against Praat on speech; jitter, shimmer and HNR against known truth.

V3 reads ``../shared/data/speech`` beside the checkout, or the folder in
``WELLBEING_SPEECH``; without recordings it uses synthetic sentences and says
so. Praat is the reference there, so it is no peer. V4 varies one measure at a
time over synthetic voices of 80-350 Hz, six vowels and three ways of making a
voice, then jitter and shimmer together in a voice of 5-30 dB HNR (``all``), and
the same again in voices that were made in a fourth way, at 16 to 44.1 kHz
(``other``). What we leave unknown is left out of our figures; a peer's are
given over all voices and over those that we tell something about.

``--degradation FILE.svg`` draws how each feature changes with noise, gain and
the telephone's band instead.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import _voice_degradation as degradation  # noqa: E402
from benchmarks import _voice_peers as peers  # noqa: E402
from benchmarks._voices import RATE, Voice, make, recipes, sentence  # noqa: E402
from benchmarks._voices_other import make_other, others  # noqa: E402
from sensors.voice import pitch  # noqa: E402
from sensors.voice.features import extract  # noqa: E402

IDS = ("V3", "V4")
Floats = NDArray[np.float64]
Sound = NDArray[np.float32]
Tracker = Callable[[Sound, int], tuple[Floats, Floats]]
Measure = Callable[[Sound, int], dict[str, float]]
MEASURES = ("jitter", "shimmer", "hnr")
GROSS = 0.2


def recordings() -> tuple[list[tuple[Sound, int]], str]:
    """Return sounds with their sample rates, and what they are."""
    named = os.environ.get("WELLBEING_SPEECH")
    folder = Path(named) if named else ROOT.parent / "shared" / "data" / "speech"
    found = [soundfile.read(path, dtype="float32") for path in sorted(folder.glob("*.wav"))]
    if found:
        return found, "people"
    return [(sentence(seed), RATE) for seed in range(12)], "synthetic"


def ours_f0(samples: Sound, rate: int) -> tuple[Floats, Floats]:
    """Return time and pitch of our frames."""
    frames = pitch.cut(samples, rate)
    return frames.centre / rate, pitch.track(frames).f0_hz


def ours(samples: Sound, rate: int) -> dict[str, float]:
    """Return the measures that V4 compares; NaN where unknown."""
    found = extract(samples, rate)
    values = (found.f0_hz, found.jitter_local, found.shimmer_local, found.hnr_db)
    names = ("f0", *MEASURES)
    return {n: np.nan if v is None else v for n, v in zip(names, values, strict=True)}


def at_times(wanted_s: Floats, at_s: Floats, f0_hz: Floats) -> Floats:
    """Return a track at other times: between two voiced frames in octaves, else the nearer."""
    after = np.clip(np.searchsorted(at_s, wanted_s), 1, at_s.size - 1)
    way = np.clip((wanted_s - at_s[after - 1]) / (at_s[after] - at_s[after - 1]), 0, 1)
    one, other = f0_hz[after - 1], f0_hz[after]
    both = (one > 0) & (other > 0)
    between = np.exp((1 - way) * np.log(np.maximum(one, 1)) + way * np.log(np.maximum(other, 1)))
    return np.asarray(np.where(both, between, np.where(way < 0.5, one, other)))


def against_praat(track: Tracker, sounds: Sequence[tuple[Sound, int]]) -> dict[str, float]:
    """Return share of gross errors, median deviation and share of voicing errors."""
    gross, voicing, frames, cents = 0, 0, 0, []
    for samples, rate in sounds:
        at_s, truth = peers.praat_f0(samples, rate)
        found = at_times(at_s, *track(samples, rate))
        both = (truth > 0) & (found > 0)
        ratio = found[both] / truth[both]
        off = np.abs(ratio - 1) > GROSS
        gross += int(off.sum())
        cents.append(1200 * np.abs(np.log2(ratio[~off])))
        voicing += int(((truth > 0) != (found > 0)).sum())
        frames += truth.size
    all_cents = np.concatenate(cents)
    return {
        "gross": 100 * gross / (gross + all_cents.size),
        "deviation": float(np.median(all_cents)),
        "voicing": 100 * voicing / frames,
    }


def errors(truth: Floats, found: Floats) -> dict[str, float]:
    """Return bias of the mean, correlation and mean error of what is known."""
    known = np.isfinite(found)
    truth, found = truth[known], found[known]
    return {
        "bias": 100 * float(found.mean() / truth.mean() - 1),
        "r": float(np.corrcoef(truth, found)[0, 1]),
        "error": 100 * float(np.abs(found - truth).mean() / truth.mean()),
        "unknown": 100 * float(1 - known.mean()),
    }


def say(figure: str, unit: str, value: float, peer: tuple[str, float], n: int) -> None:
    """Print one result; a ratio above 1 is in our favour, without one nobody is ahead."""
    line: dict[str, object] = {"id": figure, "value": round(value, 3), "unit": unit}
    line["peer"] = {"name": peer[0], "value": round(peer[1], 3)}
    theirs, own = abs(peer[1]), abs(value)
    better, worse = (own, theirs) if figure.endswith(".r") else (theirs, own)
    line["ratio"] = round(better / worse, 2) if worse > 1e-9 else None
    print(json.dumps({**line, "n": n}), flush=True)


def pitch_on_speech() -> None:
    """Print V3."""
    sounds, kind = recordings()
    trackers: dict[str, Tracker] = {}
    if peers.installed("opensmile"):
        trackers["openSMILE eGeMAPSv02"] = peers.opensmile_f0
    if peers.installed("librosa"):
        trackers["librosa.yin"] = peers.librosa_yin
    found = against_praat(ours_f0, sounds)
    units = {"gross": "%", "deviation": "cent", "voicing": "%"}
    for name, track in trackers.items():
        theirs = against_praat(track, sounds)
        for figure, unit in units.items():
            if figure == "voicing" and name == "librosa.yin":
                continue  # it does not say what is voiced
            peer = (f"{name} ({kind})", theirs[figure])
            say(f"V3.{figure}", unit, found[figure], peer, len(sounds))


def against_truth(n: int, seed: int) -> None:
    """Print V4."""
    measures: dict[str, Measure] = {}
    if peers.installed("parselmouth"):
        measures["Praat"] = peers.praat
    if peers.installed("opensmile"):
        measures["openSMILE eGeMAPSv02"] = peers.opensmile
    sweeps = {"jitter": ("jitter",), "shimmer": ("shimmer",), "hnr": ("hnr_db",)}
    together = ("jitter", "shimmer", "hnr_db")
    for name, varied in {**sweeps, "all": together}.items():
        voices = [(make(recipe), RATE) for recipe in recipes(n, seed, *varied)]
        _compare(name, voices, measures)
    voices = [(make_other(*other), other[1]) for other in others(n * 2 // 3, seed + 4, *together)]
    _compare("other", voices, measures)


def _compare(name: str, voices: Sequence[tuple[Voice, int]], measures: dict[str, Measure]) -> None:
    """Print the lines of one set of voices: over all that each tells, then over what we tell."""
    found = {who: _table(how, voices) for who, how in {"ours": ours, **measures}.items()}
    for measure in (name,) if name in MEASURES else MEASURES:
        truth = np.array([getattr(voice, measure) for voice, _ in voices])
        row = f"V4.{measure}" if name in MEASURES else f"V4.{measure}.{name}"
        told = np.isfinite(found["ours"][measure])
        result = errors(truth, found["ours"][measure])
        for who in measures:
            theirs = errors(truth, found[who][measure])
            same = errors(truth, np.where(told, found[who][measure], np.nan))
            for figure, value in result.items():
                unit = "1" if figure == "r" else "%"
                say(f"{row}.{figure}", unit, value, (who, theirs[figure]), len(voices))
                if not told.all() and figure != "unknown":
                    peer = (f"{who}, of the same voices", same[figure])
                    say(f"{row}.{figure}", unit, value, peer, int(told.sum()))


def _table(how: Measure, voices: Sequence[tuple[Voice, int]]) -> dict[str, Floats]:
    rows = [how(voice.samples, rate) for voice, rate in voices]
    return {measure: np.array([row[measure] for row in rows]) for measure in MEASURES}


def main() -> int:
    """Print one JSON object per figure and peer, or draw the degradation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seed", type=int, default=7, help="of the voices of V4")
    parser.add_argument("--degradation", type=Path, metavar="FILE.svg")
    options = parser.parse_args()
    if options.degradation is not None:
        sounds, kind = recordings()
        print(json.dumps(degradation.draw(options.degradation, sounds, kind)))
        return 0
    if peers.installed("parselmouth"):
        pitch_on_speech()
    else:
        print("V3 needs Praat: pip install 'agent-wellbeing[peers]'", file=sys.stderr)
    against_truth(18 if options.quick else 150, options.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
