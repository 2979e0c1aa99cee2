"""Where sound waits: bounded, and silenced as soon as it is taken."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensors.voice.ring import SoundRing
from sensors.voice.windows import readings_of
from tests.sensors.voice.synthesis import RATE, voice


def test_what_is_taken_is_forgotten():
    ring = SoundRing(10)
    ring.put(np.ones(6, np.float32))
    assert ring.take(7) is None
    assert ring.take(6).tolist() == [1.0] * 6
    assert not ring._samples.any()


@given(st.lists(st.tuples(st.integers(0, 10), st.integers(0, 10)), max_size=30))
def test_order_is_kept_and_what_is_lost_is_counted(steps):
    ring, sent, got = SoundRing(10), 0, []
    for put, take in steps:
        ring.put(np.arange(sent + 1, sent + put + 1, dtype=np.float32))
        sent += put
        taken = ring.take(take)
        got += [] if taken is None else taken.tolist()
    assert got == sorted(got)
    assert len(got) + ring.held + ring.overrun == sent


def test_silencing_leaves_nothing():
    ring = SoundRing(10)
    ring.put(np.ones(10, np.float32))
    ring.silence()
    assert ring.held == 0
    assert not ring._samples.any()


def test_no_sample_outlives_the_features_of_its_window():
    window = voice(150).samples.copy()
    found = {r.signal: r for r in readings_of(window, RATE, 12.0)}
    assert found["f0_hz"].value == pytest.approx(150, rel=0.01)
    assert {r.at_monotonic_s for r in found.values()} == {12.0}
    assert not window.any()


def test_not_even_when_the_features_fail():
    window = np.full(100, 0.5, np.float32)
    with pytest.raises(ValueError, match="640 or more"):
        readings_of(window, RATE, 1.0)
    assert not window.any()
