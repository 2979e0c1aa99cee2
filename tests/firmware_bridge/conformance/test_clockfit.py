"""A steady clock is told from one that jumps, stops or runs wrong."""

import numpy as np
import pytest

from firmware_bridge.conformance.clockfit import Observation, fit_steady

HZ = 1_000_000
WRAP = 1 << 32


def observed(host_s, board_s, low_s=0.002, high_s=0.001, first=WRAP - 5 * HZ):
    return [
        Observation(int(first + b * HZ) % WRAP, h - low_s, h + high_s)
        for h, b in zip(host_s, board_s, strict=True)
    ]


@pytest.mark.parametrize("drift", [0.0, 50e-6, -0.015, 0.06])
def test_drift_is_found_over_a_wrap(drift):
    host_s = np.arange(0.0, 30.0, 1.5)
    line = fit_steady(observed(host_s, host_s * (1 + drift)), HZ)
    assert line.is_steady
    assert line.drift == pytest.approx(drift, abs=2e-4)
    tick = int(WRAP - 5 * HZ + 20 * (1 + drift) * HZ) % WRAP
    assert line.host_s(tick, 19.0) == pytest.approx(20.0, abs=0.005)


@pytest.mark.parametrize("jump_s", [0.3, -0.3, 5.0])
def test_a_jump_is_not_taken_for_drift(jump_s):
    host_s = np.arange(0.0, 30.0, 1.5)
    board_s = host_s + 6.0 + jump_s * (host_s > 17.0)
    assert not fit_steady(observed(host_s, board_s), HZ).is_steady


def test_a_clock_that_stops_is_not_steady():
    host_s = np.arange(0.0, 30.0, 1.5)
    assert not fit_steady(observed(host_s, np.minimum(host_s, 22.0)), HZ).is_steady


def test_delays_accuse_nobody():
    rng = np.random.default_rng(1)
    host_s = np.arange(0.0, 30.0, 1.5)
    seen = [
        Observation(int(h * HZ), h - rng.exponential(0.5), h + rng.exponential(0.5)) for h in host_s
    ]
    assert fit_steady(seen, HZ).is_steady
