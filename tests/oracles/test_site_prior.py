"""The site's usual spread, feature by feature with a sorted list."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.scoring import site_prior


def plain(own, seen_s, shipped):
    """Return the middle of those seen for an hour, the shipped spread counting for five of them."""
    seasoned = sorted(x for x, s in zip(own, seen_s, strict=True) if s >= 3600.0)
    n = len(seasoned)
    if n < 5:
        return shipped
    middle = (seasoned[(n - 1) // 2] + seasoned[n // 2]) / 2
    return (5 * shipped + n * middle) / (5 + n)


@st.composite
def sites(draw):
    """Return own spreads and time seen of some agents, and what was shipped, for some features."""
    s, n = draw(st.integers(1, 3)), draw(st.integers(0, 14))
    seen_s = st.sampled_from([3600.0, 3600.0, 5000.0, 3599.9, 0.0])
    agents = st.lists(st.tuples(st.floats(0.0, 1e3, width=32), seen_s), min_size=n, max_size=n)
    found = []
    for _ in range(s):
        told = draw(agents)
        # who was hardly seen counts for nothing, whatever is held of them
        own = [x if seen >= 3600.0 else draw(st.sampled_from([x, math.nan])) for x, seen in told]
        found.append((own, [seen for _, seen in told], draw(st.sampled_from([0.05, 6.0, 150.0]))))
    return found


@given(sites())
@settings(deadline=None, max_examples=200)
def test_arrays_find_what_a_sorted_list_finds(features):
    own, seen_s = (np.array([f[k] for f in features], np.float32) for k in (0, 1))
    shipped = np.array([[f[2]] for f in features], np.float32)
    before = shipped.copy()
    found = site_prior.spread(own, seen_s, shipped)
    assert found.shape == (len(features), 1)
    assert np.array_equal(shipped, before)
    for row, feature in zip(found, features, strict=True):
        assert float(row[0]) == pytest.approx(plain(*feature), rel=1e-6)
