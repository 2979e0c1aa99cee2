"""The short version of benchmarks/edge_killed.py."""

import random

import pytest

from tests.sensors.edge.killing import kill_again_and_again


@pytest.mark.needs("mosquitto")
def test_killed_five_times_at_random_moments_nothing_promised_is_lost(mosquitto, tmp_path):
    outcome = kill_again_and_again(mosquitto.port, tmp_path, 5, random.Random(5))
    assert outcome.promised > 0
    assert (outcome.lost, outcome.two_faced) == (0, 0)
