"""Where sound waits: bounded, and silenced as soon as it is taken."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sensors.voice.ring import SoundRing


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
