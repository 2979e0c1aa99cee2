"""What a report says of the agent at the display, and what it does not."""

import pytest

from firmware_bridge.display.ld2410 import Ld2410
from firmware_bridge.display.mapping import Repetition, lux_of, readings_of
from tests.firmware_bridge.display.radar import basic, engineering

LIGHT = ((10.0, 5.0), (110.0, 205.0), (210.0, 1205.0))


def report_of(frame):
    (report,) = Ld2410().feed(frame)
    return report


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        pytest.param(basic(0, (0, 0), (0, 0), 0), {"presence": 0}, id="nobody"),
        pytest.param(basic(0, (80, 9), (90, 9), 80), {"presence": 0}, id="echoes, no target"),
        pytest.param(basic(1, (80, 40)), {"presence": 1, "distance_m": 0.8}, id="moving"),
        pytest.param(basic(2, (0, 0), (62, 59)), {"presence": 1, "distance_m": 0.62}, id="still"),
        pytest.param(
            basic(3, (300, 66), (70, 85), 300),
            {"presence": 1, "distance_m": 0.7},
            id="agent sits, a colleague walks behind",
        ),
        pytest.param(basic(1, (300, 66), (0, 0), 300), {"presence": 0}, id="only a passer-by"),
        pytest.param(basic(2, (90, 66), (300, 9), 0), {"presence": 0}, id="no moving target"),
        pytest.param(
            basic(2, (0, 0), (0, 59), 120),
            {"presence": 1, "distance_m": 1.2},
            id="only the detection has a distance",
        ),
        pytest.param(basic(2, (0, 0), (0, 59), 0), {"presence": 1}, id="too near for a distance"),
        pytest.param(basic(4, (80, 40)), {}, id="measures its background"),
    ],
)
def test_presence_and_distance(frame, expected):
    assert readings_of(report_of(frame), max_distance_m=1.5) == expected


def test_light_has_no_unit_before_it_was_calibrated():
    report = report_of(engineering(light=60))
    assert "ambient_light_lux" not in readings_of(report, 1.5)
    assert readings_of(report, 1.5, LIGHT)["ambient_light_lux"] == 105.0
    assert "ambient_light_lux" not in readings_of(report_of(engineering()), 1.5, LIGHT)
    assert "ambient_light_lux" not in readings_of(report_of(basic()), 1.5, LIGHT)


@pytest.mark.parametrize(
    ("raw", "lux"), [(9, None), (10, 5.0), (110, 205.0), (160, 705.0), (210, 1205.0), (211, None)]
)
def test_light_is_known_within_its_calibration_only(raw, lux):
    assert lux_of(raw, LIGHT) == lux


def _first_stuck(frames, after_s=10.0, every_s=0.1):
    watch = Repetition(after_s)
    for number, frame in enumerate(frames):
        if watch.is_stuck(report_of(frame), number * every_s):
            return number
    return None


def test_a_radar_that_repeats_itself_is_stuck():
    still = engineering(gates=bytes(range(18)))
    assert _first_stuck([still] * 300) == 100
    assert _first_stuck([still] * 80) is None
    alive = [engineering(gates=bytes([number % 2] * 18)) for number in range(1000)]
    assert _first_stuck(alive) is None
    assert _first_stuck(alive[:50] + [still] * 300) == 150


def test_a_few_reports_far_apart_prove_nothing():
    assert _first_stuck([basic()] * 49, every_s=60.0) is None


def test_a_radar_without_any_echo_may_look_at_an_empty_room():
    assert _first_stuck([engineering(0, (0, 0), (0, 0), 0)] * 1000) is None
    assert _first_stuck([basic(0, (0, 0), (0, 0), 0)] * 1000) is None
