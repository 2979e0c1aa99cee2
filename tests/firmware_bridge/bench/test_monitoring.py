"""What a watched board shows: rates, plots, lines and a screen of any size."""

import numpy as np
import pytest

from firmware_bridge.bench.line_feed import LineFeed
from firmware_bridge.bench.monitor_view import number, plain_lines, pulse_part, screen, sparkline
from firmware_bridge.bench.monitoring import Monitor, Trace
from firmware_bridge.bench.watching import ClockHealth, Health, Heard, Taken

HEALTH = Health(
    board="Acme Clip, firmware 2.1",
    device_id="h12",
    contact={"pulse sensor": True, "skin electrodes": False},
    channels={"modules": "not_worn", "heart": "ok"},
    battery_percent=81,
    charging=True,
    faults=("eda_us: electrode open or shorted",),
    counts={"frames": 900, "lost": 3, "repeated": 0, "refused": 0, "crc": 2},
    clock=ClockHealth(12.34, 4.2, 0.3),
)


def wave(rate_hz, seconds, start_s=0.0, name="ppg", **more):
    at_s = start_s + np.arange(round(rate_hz * seconds)) / rate_hz
    values = np.sin(2 * np.pi * 1.2 * at_s)[:, np.newaxis]
    return Taken(name, "1", at_s, values, rate_hz, **more)


def test_lines_are_counted_and_their_rates_are_of_the_last_stretch():
    feed, monitor = LineFeed(("eda_us", "-", "skin_temp_c")), Monitor(10.0)
    monitor.take(feed.feed(b"", 10.0), 10.0)
    assert plain_lines(monitor.report(10.0, feed.health())) == [
        "    0.0 s, eda_us nothing yet, skin_temp_c nothing yet, read 0"
    ]
    for second in range(1, 31):
        data = b"\n1,x,30\n" if second < 30 else b"boot\n" + b"7" * 600 + b"\n5,x,99\n"
        monitor.take(feed.feed(data, 10.0 + second), 10.0 + second)
    report = monitor.report(40.0, feed.health())
    by_name = {signal.name: signal for signal in report.signals}
    assert (by_name["eda_us"].value, by_name["skin_temp_c"].value) == ((5.0,), (30.0,))
    assert by_name["eda_us"].measured_hz == pytest.approx(1.0)
    assert report.health.counts == {
        "read": 30,
        "unreadable": 1,
        "too_long": 1,
        "out_of_range": 1,
    }
    line = plain_lines(report)[-1]
    assert "eda_us 5.000 uS at 1.0 per s" in line
    assert "unreadable 1, too long 1, out of range 1, last unreadable 'boot'" in line


def test_a_signal_that_stops_falls_to_nothing():
    monitor = Monitor(0.0)
    monitor.take(Heard((wave(64.0, 10.0),)), 10.0)
    assert monitor.report(10.0, HEALTH).signals[0].measured_hz == pytest.approx(64.0)
    assert monitor.report(11.5, HEALTH).signals[0].measured_hz == pytest.approx(64.0)
    assert monitor.report(60.0, HEALTH).signals[0].measured_hz < 15.0


def test_what_is_drawn_is_the_newest_wave_and_gaps_are_blank():
    trace = Trace("ppg", "1", 64.0)
    trace.take(np.arange(0.0, 100.0, 1 / 64), np.zeros((6400, 1)), 100.0)
    trace.take(np.array([104.0]), np.array([[7.0]]), 104.0)
    drawn = trace.drawn(8)
    assert drawn[-1] == 7.0
    assert drawn[1:-1] == [None] * 6
    assert sparkline([0.0, None, 7.0]) == "▁ █"
    three = Trace("acc_g", "g", 50.0)
    three.take(np.array([1.0]), np.array([[3.0, 0.0, 4.0]]), 1.0)
    assert three.drawn(1) == [5.0]  # how strong, whichever way it points
    assert Trace("eda_us", "uS", None).drawn(3) == [None] * 3


def test_memory_is_bounded_however_long_it_runs():
    monitor = Monitor(0.0)
    for second in range(200):
        heard = Heard((wave(200.0, 1.0, float(second)),), log=("information: hello",))
        monitor.take(heard, float(second))
        if second % 50 == 0:
            monitor.report(float(second), HEALTH)
    assert len(monitor.traces[0]._at_s) <= 4096
    assert len(monitor.log) <= 100


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0.000"),
        (9.9999, "10.000"),
        (72.0, "72.00"),
        (-12345.678, "-12346"),
        (1.5e-7, "1.5e-07"),
        (None, "none"),
        (2e9, "2e+09"),
    ],
)
def test_numbers_stay_short(value, shown):
    assert number(value) == shown


def report_of(*taken, seconds=20.0, log=()):
    monitor = Monitor(0.0)
    monitor.take(Heard(tuple(taken), log=tuple(log)), seconds)
    return monitor, monitor.report(seconds, HEALTH)


def test_a_line_says_everything_in_words():
    beat = Taken("rr_ms", "ms", np.array([19.0]), np.array([[800.0]]), quality=0.93)
    _, report = report_of(wave(64.0, 20.0), beat, log=["warning: low"])
    log, line = plain_lines(report)
    assert log == "log warning: low"
    for words in (
        "at 64.0 of 64 per s",
        "rr_ms 800.0 ms",
        "quality 0.93",
        "pulse 75 per min",
        "pulse sensor on the skin, skin electrodes off the skin",
        "battery 81 % charging",
        "fault eda_us: electrode open or shorted",
        "modules not worn",
        "frames 900, lost 3, refused 0, crc 2",
        "drift +12.3 ppm, latency 4.2 ms, times to 0.3 ms",
    ):
        assert words in line
    assert "heart ok" not in line
    assert "repeated" not in line
    assert line.isascii()  # nothing that a screen reader stumbles over


@pytest.mark.parametrize("width", [20, 36, 50, 80, 200])
@pytest.mark.parametrize("height", [5, 14, 24, 60])
def test_a_screen_is_never_wider_or_higher_than_the_terminal(width, height):
    monitor, report = report_of(
        wave(64.0, 20.0), wave(8.0, 20.0, name="skin_temp_c"), log=["a log line " * 30] * 30
    )
    lines = screen(report, monitor.traces, list(monitor.log), "/dev/ttyACM0", (width, height))
    assert len(lines) <= height
    assert all(len(line.text) <= width for line in lines)
    assert lines[0].text.startswith("/dev/ttyACM0")
    assert lines[-1].text == "Ctrl-C ends"


def test_a_screen_gives_up_the_plot_before_the_figures():
    monitor, report = report_of(wave(64.0, 20.0))
    wide, narrow = (
        [line.text for line in screen(report, monitor.traces, [], "p", (width, 24))]
        for width in (80, 30)
    )
    assert any("█" in text for text in wide)
    assert not any("█" in text for text in narrow)
    assert any(text.startswith("ppg") and "64.0 of 64" in text for text in narrow)
    styles = {line.text: line.style for line in screen(report, monitor.traces, [], "p", (80, 24))}
    assert styles["fault eda_us: electrode open or shorted · modules not worn"] == "bad"


def test_a_rate_that_is_not_the_announced_one_is_marked():
    taken = wave(40.0, 20.0)
    slow = Taken("ppg", "1", taken.at_s, taken.values, 64.0)
    monitor, report = report_of(slow)
    (row,) = [
        line
        for line in screen(report, monitor.traces, [], "p", (80, 24))
        if line.text.startswith("ppg")
    ]
    assert row.style == "bad"
    assert "40.0 of 64" in row.text


def test_before_the_first_beat_the_reader_is_told_when_to_expect_it():
    monitor, report = report_of(wave(64.0, 5.0), seconds=5.0)
    texts = [line.text for line in screen(report, monitor.traces, [], "p", (100, 24))]
    assert any("no beats yet; the first come ten seconds after" in text for text in texts)


def test_a_rate_is_unknown_before_the_second_value():
    one = Taken("skin_temp_c", "degC", np.array([1.0]), np.array([[33.0]]), 1.0)
    monitor, report = report_of(one, seconds=1.0)
    assert report.signals[0].measured_hz is None
    (row,) = [
        line for line in screen(report, monitor.traces, [], "p", (80, 24)) if "33.00" in line.text
    ]
    assert ("- of 1" in row.text, row.style) == (True, "plain")


def test_a_rate_of_beats_that_come_no_more_is_not_shown():
    monitor = Monitor(0.0)
    monitor.take(Heard((Taken("rr_ms", "ms", np.array([1.0]), np.array([[800.0]])),)), 4.0)
    assert pulse_part(monitor.report(9.0, HEALTH).signals) == ["pulse 75 per min"]
    assert pulse_part(monitor.report(30.0, HEALTH).signals) == ["no beats for 26 s"]


def test_numbers_out_of_range_are_not_called_a_wrong_speed():
    feed = LineFeed(("eda_us", "acc_g"))
    feed.feed(b"\n3400,50\n", 1.0)
    assert feed.trouble("p") == (
        "p prints numbers, but none within eda_us (0.001 to 200 uS), acc_g (-32 to 32 g); "
        "check units and columns"
    )
