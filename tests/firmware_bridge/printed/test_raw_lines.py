"""Beats and movement of boards that only print."""

from random import Random

import numpy as np
import pytest

from firmware_bridge.printed.csv_lines import CsvLines, channel_of, check_columns, unit_of
from firmware_bridge.printed.raw_lines import RawLines, check_rate
from sensors.errors import ConfigurationError
from sensors.heart_rate.ppg_synthetic import PulseScene, synthetic_pulse

RATE_HZ = 64.0
HOST_S = 40_000.0


@pytest.fixture(scope="module")
def scene():
    return synthetic_pulse(PulseScene(hr_bpm=66, duration_s=90), seed=3)


def printed(scene, columns, row, rate_hz=None, true_hz=RATE_HZ, pauses_s=(0.016, 0.03, 0.05, 0.2)):
    """What is made of lines that are read at random moments."""
    columns = check_columns(columns, "--csv")
    lines, raw, random = CsvLines(columns), RawLines(columns, rate_hz), Random(7)
    found, data, now_s, done, refused = [], b"\n", 0.0, 0, 0
    while done < len(scene.samples):
        now_s += random.choice(pauses_s)
        until = min(len(scene.samples), int(now_s * true_hz))
        data += b"".join(row(n) for n in range(done, until))
        done = until
        samples = lines.feed(data)
        before, refused = refused, lines.counts.unreadable
        found += raw.take(samples, HOST_S + now_s, refused - before)
        data = b""
    return raw, found


def intervals(scene, found):
    truth_s = scene.beats_s
    errors = []
    for reading in found:
        at = int(np.argmin(abs(truth_s - (reading.at_monotonic_s - HOST_S))))
        if reading.signal == "rr_ms" and at:
            errors.append(reading.value - 1000 * (truth_s[at] - truth_s[at - 1]))
    return np.array(errors)


@pytest.mark.parametrize("rate_hz", [None, RATE_HZ], ids=["found", "told"])
def test_ppg_and_acc_become_beats_and_movement(scene, rate_hz):
    raw, found = printed(
        scene, ("ppg", "acc"), lambda n: b"%.4f,1.01\n" % scene.samples[n], rate_hz
    )
    assert raw.rate_hz == pytest.approx(RATE_HZ, rel=1e-3)
    assert {reading.signal for reading in found} == {"rr_ms", "acc_rms_g"}
    errors = intervals(scene, found)
    assert len(errors) > 70
    assert abs(errors.mean()) < 1
    assert np.median(abs(errors)) < 8
    moved = [reading.value for reading in found if reading.signal == "acc_rms_g"]
    assert len(moved) > 80
    assert max(moved) < 1e-6
    assert not raw.trouble


def test_signals_of_the_catalogue_pass_beside_it(scene):
    columns = ("eda_us", "ppg", "-", "acc_x_g", "acc_y_g", "acc_z_g")
    row = lambda n: b"2.5,%.4f,x,0,%.2f,1\n" % (scene.samples[n], 0.3 * (-1) ** n)  # noqa: E731
    _, found = printed(scene, columns, row)
    assert {reading.value for reading in found if reading.signal == "eda_us"} == {2.5}
    moved = [reading.value for reading in found if reading.signal == "acc_rms_g"]
    assert moved == pytest.approx([0.3] * len(moved), abs=0.01)
    strong = [r for r in found if r.signal == "rr_ms" and r.quality > 0.6]
    assert not strong, "beats in such movement are hardly believed"


def test_lines_that_cannot_be_read_took_their_time_too(scene):
    """Else every interval with broken lines in it would be too short."""
    row = lambda n: b"broken\n" if n % 320 < 15 else b"%.4f\n" % scene.samples[n]  # noqa: E731
    _, found = printed(scene, ("ppg",), row, RATE_HZ)
    errors = intervals(scene, found)
    assert len(errors) > 50
    assert np.quantile(errors, 0.02) > -80


def test_a_pause_begins_anew(scene):
    raw = RawLines(("ppg",), RATE_HZ)
    found = []
    for begin_s in (0.0, 130.0):
        for at in range(0, len(scene.samples), 4):
            samples = [{"ppg": value} for value in scene.samples[at : at + 4]]
            found += raw.take(samples, HOST_S + begin_s + (at + 4) / RATE_HZ)
    late = [r for r in found if r.at_monotonic_s > HOST_S + 100]
    assert len(late) == pytest.approx(len(found) / 2, abs=3)
    assert min(r.at_monotonic_s for r in late) > HOST_S + 130


def test_a_port_opened_again_begins_anew_without_a_pause(scene):
    row = [b"%.4f\n" % sample for sample in scene.samples]
    raw, _ = printed(scene, ["ppg"], row.__getitem__, RATE_HZ, true_hz=1.01 * RATE_HZ)
    assert raw.rate_hz != RATE_HZ, "its drift is known"
    raw.reopened()
    assert raw.rate_hz == RATE_HZ


def test_a_rate_without_beats_is_said(scene):
    row = lambda n: b"%.4f\n" % scene.samples[n]  # noqa: E731
    raw, found = printed(scene, ("ppg",), row, true_hz=10.0)
    assert found == []
    assert "10.0 lines/s; beats of a raw pulse need 25" in raw.trouble


def test_values_that_no_body_gives_are_counted():
    raw = RawLines(("acc_g",), 100.0)
    for second in range(10):
        samples = [{"acc_g": (-1.0) ** n * 40.0} for n in range(100)]
        raw.take(samples, HOST_S + second)
    assert raw.out_of_range > 5


def test_columns():
    assert check_columns(("acc", "ppg"), "--csv") == ("acc_g", "ppg")
    assert (channel_of("ppg"), channel_of("acc_g"), channel_of("-")) == ("heart", "modules", None)
    assert (unit_of("ppg"), unit_of("acc_x_g"), unit_of("eda_us")) == ("1", "g", "uS")
    lines = CsvLines(("ppg", "acc_g"))
    assert lines.feed(b"\n1e400,0\n-70000,33\n") == [{"acc_g": 0.0}, {"ppg": -70_000.0}]
    assert lines.counts.out_of_range == 2
    with pytest.raises(ConfigurationError, match="--rate is 5; expected 25 to 200"):
        check_rate(5, "--rate")
