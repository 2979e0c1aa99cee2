"""Beats from a raw optical pulse: on made-up pulses whose every beat is known."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

from sensors.heart_rate.ppg import PulseBeat, PulseDetector, pulse_beats
from sensors.heart_rate.ppg_synthetic import PulseScene, synthetic_pulse
from sensors.signals import SIGNALS

DATA = Path(__file__).parents[4] / "shared" / "data"
EDGE_S = 1.0  # a wave cut off by the recording's end may be missed


def hits(beats: list[PulseBeat], truth_s: np.ndarray, within_s: float = 0.1) -> tuple[float, float]:
    """Return sensitivity and precision; the mark lies at a constant place of the wave."""
    at_s = np.array([beat.at_s for beat in beats])
    at_s = at_s - np.median([at_s[np.abs(at_s - t).argmin()] - t for t in truth_s])
    last_s = truth_s[-1]
    inner = truth_s[(truth_s > EDGE_S) & (truth_s < last_s - EDGE_S)]
    found = at_s[(at_s > EDGE_S) & (at_s < last_s - EDGE_S)]
    near = [bool(np.abs(at_s - t).min() < within_s) for t in inner]
    true = [bool(np.abs(truth_s - t).min() < within_s) for t in found]
    return float(np.mean(near)), float(np.mean(true))


@pytest.mark.parametrize(
    "scene",
    [
        pytest.param(PulseScene(hr_bpm=60), id="clean"),
        pytest.param(PulseScene(hr_bpm=45, dicrotic=0.6, rate_hz=25.0), id="slow, dicrotic, 25 Hz"),
        pytest.param(PulseScene(hr_bpm=130, dicrotic=0.1, rate_hz=200.0), id="fast, 200 Hz"),
        pytest.param(PulseScene(hr_bpm=75, wander=3.0, noise=0.1), id="baseline wander"),
        pytest.param(PulseScene(hr_bpm=80, noise=0.3, rate_hz=100.0), id="noise"),
        pytest.param(PulseScene(hr_bpm=70, breathing_share=0.1), id="breathing"),
    ],
)
def test_every_beat_is_found_at_rest(scene: PulseScene) -> None:
    made = synthetic_pulse(scene, seed=5)
    sensitivity, precision = hits(pulse_beats(made.samples, scene.rate_hz), made.beats_s)
    assert sensitivity > 0.99
    assert precision > 0.99


def test_intervals_are_finer_than_the_sampling() -> None:
    made = synthetic_pulse(PulseScene(rate_hz=25.0, noise=0.01, wander=0.3), seed=6)
    beats = pulse_beats(made.samples, 25.0)
    truth_ms = 1000 * np.diff(made.beats_s)
    rr_ms = np.array([beat.rr_ms for beat in beats[2:-2]])
    errors = [np.abs(truth_ms - rr).min() for rr in rr_ms]
    assert np.median(errors) < 10.0  # a sample is 40 ms
    assert all(SIGNALS["rr_ms"].accepts(rr) for rr in rr_ms)


def test_chunks_change_nothing() -> None:
    made = synthetic_pulse(PulseScene(duration_s=60, movement=1.0, moving_share=0.3), seed=7)
    whole = pulse_beats(made.samples, 64.0, made.movement_g, start_s=100.0)
    detector = PulseDetector(64.0, start_s=100.0)
    rng = np.random.default_rng(0)
    beats: list[PulseBeat] = []
    at = 0
    while at < len(made.samples):
        to = at + int(rng.integers(1, 200))
        fed = min(to, len(made.samples)) / 64.0
        new = detector.feed(made.samples[at:to], made.movement_g[at:to])
        assert all(beat.at_s <= 100.0 + fed for beat in new)  # no beat from the future
        beats += new
        at = to
    beats += detector.finish()
    assert beats == whole
    assert len(beats) > 40


def test_beats_come_within_four_seconds() -> None:
    made = synthetic_pulse(PulseScene(duration_s=60), seed=8)
    detector = PulseDetector(64.0)
    newest = 0.0
    for k, sample in enumerate(made.samples):
        for beat in detector.feed([sample]):
            newest = beat.at_s
        if k / 64.0 > 15:
            assert k / 64.0 - newest < 4.0 + 1.5  # and the next beat is still to come


@pytest.mark.parametrize("gain", [-1.0, 1e-6, -4e5], ids=["upside down", "tiny", "huge, inverted"])
def test_gain_offset_and_polarity_do_not_matter(gain: float) -> None:
    made = synthetic_pulse(PulseScene(duration_s=90), seed=9)
    plain = pulse_beats(made.samples, 64.0)
    other = pulse_beats(gain * made.samples + 1e3 * abs(gain), 64.0)
    assert np.allclose([b.at_s for b in plain], [b.at_s for b in other], atol=1e-3)


def test_a_saturated_crest_still_gives_the_beat() -> None:
    made = synthetic_pulse(PulseScene(duration_s=90, wander=0.2), seed=10)
    clipped = np.clip(made.samples, None, np.quantile(made.samples, 0.8))
    sensitivity, precision = hits(pulse_beats(clipped, 64.0), made.beats_s)
    assert sensitivity > 0.97
    assert precision > 0.97


@pytest.mark.parametrize("lost", [np.nan, 0.0], ids=["missing", "stuck at zero"])
def test_a_dropout_gives_no_beats_and_no_interval_across_it(lost: float) -> None:
    made = synthetic_pulse(PulseScene(duration_s=90), seed=11)
    samples = made.samples.copy()
    samples[40 * 64 : 55 * 64] = lost
    beats = pulse_beats(samples, 64.0)
    inside = [beat for beat in beats if 40.0 <= beat.at_s <= 55.0]
    assert not inside
    after = [beat for beat in beats if beat.at_s > 55.0]
    assert after[0].rr_ms is None
    assert len(after) > 30


@pytest.mark.parametrize("kind", ["flat", "white", "brown"])
def test_without_a_pulse_there_are_hardly_beats_and_the_quality_says_so(kind: str) -> None:
    rng = np.random.default_rng(12)
    n = 64 * 240
    noise = {
        "flat": np.zeros(n),
        "white": rng.normal(0, 1, n),
        "brown": rng.normal(0, 1, n).cumsum(),
    }
    detector = PulseDetector(64.0)
    beats = detector.feed(noise[kind]) + detector.finish()
    assert len(beats) / 4 < 15  # per minute: a guess in fifteen where a heart gives 60 or more
    assert detector.quality is not None
    assert detector.quality < 0.2


@pytest.mark.parametrize(("hz", "rate_hz"), [(5.0, 25.0), (5.0, 64.0), (14.0, 64.0), (7.5, 200.0)])
def test_a_lamp_or_a_motor_is_no_heart(hz: float, rate_hz: float) -> None:
    """Its multiples are as regular as a pulse: every fifth turn was a beat of quality 1."""
    turns = np.sin(2 * np.pi * hz * np.arange(60 * rate_hz) / rate_hz)
    detector = PulseDetector(rate_hz)
    assert detector.feed(turns) + detector.finish() == []
    assert detector.quality == 0.0


@pytest.mark.parametrize("lost_s", [0.6, 0.9, 1.2])
def test_an_interval_that_may_hide_a_beat_is_unknown(lost_s: float) -> None:
    made = synthetic_pulse(PulseScene(hr_bpm=60, duration_s=60), seed=3)
    samples = made.samples.copy()
    gone_s = made.beats_s[20] + 0.1
    samples[int((gone_s - lost_s / 2) * 64) : int((gone_s + lost_s / 2) * 64)] = np.nan
    beats = pulse_beats(samples, 64.0)
    assert len(beats) > 50
    assert max(beat.rr_ms for beat in beats if beat.rr_ms is not None) < 1500.0


def test_movement_beyond_all_measure_is_movement() -> None:
    made = synthetic_pulse(PulseScene(duration_s=60), seed=3)
    assert pulse_beats(made.samples, 64.0, np.inf) == []


def test_a_sensor_taken_off_falls_silent_and_comes_back() -> None:
    made = synthetic_pulse(PulseScene(duration_s=200, noise=0.05), seed=13)
    samples = made.samples.copy()
    samples[70 * 64 : 130 * 64] = np.random.default_rng(1).normal(0, 0.5, 60 * 64)
    at_s = np.array([beat.at_s for beat in pulse_beats(samples, 64.0)])
    assert ((at_s > 90) & (at_s < 128)).sum() < 8
    assert ((at_s > 150) & (at_s < 198)).sum() > 50


def test_the_rate_may_jump() -> None:
    slow = synthetic_pulse(PulseScene(duration_s=60, hr_bpm=60), seed=14)
    fast = synthetic_pulse(PulseScene(duration_s=60, hr_bpm=110), seed=15)
    beats = pulse_beats(np.concatenate([slow.samples, 8 * fast.samples]), 64.0)
    late = sum(beat.at_s > 80 for beat in beats)
    assert late == pytest.approx((fast.beats_s > 20).sum(), abs=3)


def test_movement_lowers_quality_before_it_invents_beats() -> None:
    scene = PulseScene(duration_s=240, movement=1.0, moving_share=0.5)
    made = synthetic_pulse(scene, seed=16)
    beats = pulse_beats(made.samples, 64.0, made.movement_g)
    moving = [b.quality for b in beats if made.moving[int(b.at_s * 64)]]
    still = [b.quality for b in beats if not made.moving[int(b.at_s * 64)]]
    assert np.mean(still) > 0.8
    assert np.mean(moving) < 0.5
    kept = pulse_beats(made.samples, 64.0, made.movement_g, min_quality=0.3)
    assert hits(kept, made.beats_s)[1] > hits(beats, made.beats_s)[1]


def test_the_accelerometer_lowers_the_quality_of_a_waveform_that_looks_clean() -> None:
    made = synthetic_pulse(PulseScene(duration_s=90), seed=17)
    movement_g = np.where((np.arange(90 * 64) > 40 * 64) & (np.arange(90 * 64) < 60 * 64), 0.4, 0.0)
    beats = pulse_beats(made.samples, 64.0, movement_g)
    walking = [beat.quality for beat in beats if 42 < beat.at_s < 58]
    sitting = [beat.quality for beat in beats if beat.at_s < 38 or beat.at_s > 62]
    assert max(walking, default=0.0) < 0.6 * min(sitting)


@pytest.mark.parametrize("rate_hz", [0.0, 24.0, 201.0, float("nan")])
def test_an_impossible_rate_is_refused(rate_hz: float) -> None:
    with pytest.raises(ValueError, match="25 to 200"):
        PulseDetector(rate_hz)


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="movement_g"):
        PulseDetector(64.0).feed([1.0, 2.0], [0.0, 0.0, 0.0])
    with pytest.raises(ValueError, match="min_quality"):
        PulseDetector(64.0, min_quality=2.0)


def test_hardly_any_samples_are_no_beats() -> None:
    assert pulse_beats([], 64.0) == []
    assert pulse_beats(np.sin(np.arange(100)), 64.0) == []


def test_a_recording_of_a_person_agrees_with_their_device() -> None:
    paths = sorted((DATA / "pulse").glob("*.bvp.csv.gz"))
    print(f"{len(paths)} recordings found")  # noqa: T201 - said, whatever is there
    if not paths:
        return
    sure = {path: sure_beats(path) for path in paths}
    path = max(paths, key=lambda one: len(sure[one]))
    samples = np.loadtxt(path, delimiter=",", skiprows=1, max_rows=64 * 400)[:, 1]
    truth_s = sure[path][sure[path] < 390]
    at_s = np.array([beat.at_s for beat in pulse_beats(samples, 64.0)])
    away_s = np.array([at_s[np.abs(at_s - t).argmin()] - t for t in truth_s])
    assert np.mean(np.abs(away_s - np.median(away_s)) < 0.1) > 0.95


def sure_beats(path: Path) -> np.ndarray:
    """Return the device's beats where they follow each other; alone, it may be wrong itself."""
    with gzip.open(DATA / "strain" / path.name.replace(".bvp", ""), "rt") as file:
        rows = [row for row in csv.reader(file) if row[1] == "rr_ms"]
    at_s = np.array([float(row[0]) for row in rows])
    rr_s = np.array([float(row[2]) / 1000 for row in rows])
    return at_s[1:][np.abs(np.diff(at_s) - rr_s[1:]) < 0.03]
