"""One figure of movement per second."""

import numpy as np
import pytest

from firmware_bridge.readings.movement import Movement

RATE_HZ = 50


def fed(values, every=7, begin_s=100.0):
    movement = Movement()
    times = begin_s + np.arange(len(values)) / RATE_HZ
    found = []
    for at in range(0, len(values), every):
        piece = slice(at, at + every)
        found += movement.feed(times[piece], 5.0 + times[piece], values[piece])
    return found


def test_gravity_is_no_movement_whichever_way_it_points():
    still = np.tile([0.6, -0.64, 0.48], (RATE_HZ * 10, 1))
    found = fed(still)
    assert len(found) == 9
    assert all(moved.rms_g == pytest.approx(0, abs=1e-9) for moved in found)


@pytest.mark.parametrize("every", [1, 7, 50, 500])
def test_shaking_is_its_root_mean_square(every):
    phase = 2 * np.pi * 5 * np.arange(RATE_HZ * 10) / RATE_HZ
    shaken = np.stack([0.3 * np.sin(phase), 0.4 * np.sin(phase), np.ones_like(phase)], axis=1)
    found = fed(shaken, every)
    assert [moved.rms_g for moved in found] == pytest.approx([0.5 / np.sqrt(2)] * 9)
    assert [moved.at_s for moved in found] == pytest.approx([105.98 + n for n in range(9)])


def test_the_magnitude_alone_will_do():
    magnitude = 1 + 0.2 * np.sign(np.sin(np.arange(RATE_HZ * 5) * 2 * np.pi * 5 / RATE_HZ + 0.1))
    assert fed(magnitude[:, None])[0].rms_g == pytest.approx(0.2, abs=0.01)


def test_what_was_not_measured_does_not_count():
    values = np.ones((RATE_HZ * 3, 3))
    values[::2, 1] = np.nan
    assert len(fed(values)) == 2
    assert fed(np.full((RATE_HZ * 3, 3), np.nan)) == []


def test_what_comes_late_is_left_out():
    movement = Movement()
    ones = np.ones((10, 3))
    movement.feed(np.linspace(7.0, 7.9, 10), np.zeros(10), ones)
    assert movement.feed(np.linspace(5.0, 5.9, 10), np.zeros(10), 9 * ones) == []
    (moved,) = movement.feed(np.array([8.0]), np.zeros(1), ones[:1])
    assert moved.rms_g == 0


def test_time_that_stands_still_fills_no_memory():
    movement = Movement()
    for _ in range(1_000):
        movement.feed(np.full(100, 3.5), np.zeros(100), np.ones((100, 3)))
    assert sum(map(len, movement._samples)) <= 1_100
