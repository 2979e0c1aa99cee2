"""Beats from pieces of a raw pulse: at any announced rate, whatever was lost on the way."""

import numpy as np
import pytest

from firmware_bridge.readings.pulse import LONGEST_GAP_S, PulseStream
from sensors.heart_rate.ppg_synthetic import PulseScene, synthetic_pulse

RATE_HZ = 64.0
HOST_S = 700.0


@pytest.fixture(scope="module")
def scene():
    return synthetic_pulse(PulseScene(hr_bpm=66, duration_s=90), seed=3)


def beats_of(scene, stream=None, *, every=8, true_hz=RATE_HZ, begin_s=0.0, lose=lambda _: False):
    stream = stream or PulseStream(RATE_HZ)
    board_s = begin_s + np.arange(len(scene.samples)) / true_hz
    found = []
    for number, at in enumerate(range(0, len(board_s), every)):
        if not lose(number):
            piece = slice(at, at + every)
            found += stream.feed(board_s[piece], HOST_S + board_s[piece], scene.samples[piece])
    return found


def matched(scene, found, stretch=1.0):
    """Errors of the intervals [ms], each beside the true one."""
    truth_s = scene.beats_s * stretch
    errors = []
    for beat in found:
        at = int(np.argmin(abs(truth_s - (beat.at_s - HOST_S))))
        if beat.rr_ms is not None and at:
            errors.append(beat.rr_ms - 1000 * (truth_s[at] - truth_s[at - 1]))
    return np.array(errors)


@pytest.mark.parametrize("every", [1, 2, 16, 200])
def test_beats_come_out_whatever_the_pieces(scene, every):
    errors = matched(scene, beats_of(scene, every=every))
    assert len(errors) > 80
    assert np.median(abs(errors)) < 8


@pytest.mark.parametrize("off", [-0.06, 0.0, 0.07], ids=["slow", "right", "fast"])
def test_a_rate_that_is_off_touches_no_interval(scene, off):
    """The oscillators of sensor chips are off by several per cent; the ticks are not."""
    errors = matched(scene, beats_of(scene, true_hz=RATE_HZ * (1 + off)), 1 / (1 + off))
    assert len(errors) > 80
    assert abs(errors.mean()) < 0.5
    assert np.median(abs(errors)) < 8


def test_an_announced_rate_that_is_wrong_is_not_believed(scene):
    assert len(matched(scene, beats_of(scene, PulseStream(25.0)))) > 80


def test_no_interval_spans_what_was_lost(scene):
    found = beats_of(scene, lose=lambda number: number % 50 in {40, 41, 42, 43, 44})
    errors = matched(scene, found)
    assert 30 < len(errors) < 80
    assert np.quantile(abs(errors), 0.95) < 60


def test_after_a_long_gap_it_begins_anew(scene):
    stream = PulseStream(RATE_HZ)
    first = beats_of(scene, stream)
    second = beats_of(scene, stream, begin_s=90 + LONGEST_GAP_S + 1)
    assert abs(len(first) - len(second)) <= 3
    assert second[0].rr_ms is None
    assert all(beat.at_s - HOST_S > 105 for beat in second)


def test_what_comes_late_or_twice_is_left_out(scene):
    stream = PulseStream(RATE_HZ)
    times = np.arange(10) / RATE_HZ
    for _ in range(2):
        stream.feed(times, times, scene.samples[:10])
    stream.feed(times[2:4], times[2:4], scene.samples[2:4])
    assert stream.overtaken == 12


@pytest.mark.parametrize("rate_hz", [10.0, 400.0])
def test_a_rate_without_beats_is_counted(scene, rate_hz):
    stream = PulseStream(rate_hz)
    assert beats_of(scene, stream, true_hz=rate_hz) == []
    assert stream.unsuited == len(scene.samples)
    assert stream.quality is None


def test_noise_gives_hardly_any_beats():
    noise = np.random.default_rng(5).normal(size=64 * 90)
    scene = type("Noise", (), {"samples": noise})
    assert len(beats_of(scene)) < 25
