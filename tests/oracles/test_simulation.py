"""The simulated floor's processes and what was measured of an episode, one number at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.signals.features import FEATURES, Part
from analytics.simulation import Group, Scenario, SimulatedEpisode, SimulatedFloor
from analytics.simulation.processes import drift, lag, spans

_SEEDS = st.integers(0, 2**32 - 1)
_SHAPES = st.tuples(st.integers(1, 4), st.sampled_from([1, 2, 60, 400]))
_TAUS_S = st.sampled_from([1.0, 20.0, 300.0, 3600.0])


@given(seed=_SEEDS, shape=_SHAPES, tau_s=_TAUS_S)
@settings(deadline=None, max_examples=40)
def test_a_lag_follows_by_the_same_share_of_what_is_left(seed, shape, tau_s):
    x = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    found = lag(x, tau_s)
    assert found.shape == shape
    for row, follows in zip(x.tolist(), found.tolist(), strict=True):
        y = 0.0
        for value, y_found in zip(row, follows, strict=True):
            y += (1.0 - math.exp(-5.0 / tau_s)) * (value - y)
            assert y_found == pytest.approx(y, abs=1e-4)


@given(seed=_SEEDS, shape=_SHAPES, tau_s=_TAUS_S, heavy=st.booleans())
@settings(deadline=None, max_examples=40)
def test_a_drift_keeps_a_share_and_is_kicked(seed, shape, tau_s, heavy):
    found = drift(np.random.default_rng(seed), shape, tau_s, heavy=heavy)
    assert found.shape == shape
    rng, (n, windows) = np.random.default_rng(seed), shape
    kicks = [[_drawn(rng.standard_normal) for _ in range(windows)] for _ in range(n)]
    if heavy:  # one in twenty is three times as wide; all together as wide as before
        wide = [[_drawn(rng.random) < 0.05 for _ in range(windows)] for _ in range(n)]
        kicks = [
            [
                kick * (3.0 if w else 1.0) / math.sqrt(0.95 + 0.05 * 9.0)
                for kick, w in zip(*row, strict=True)
            ]
            for row in zip(kicks, wide, strict=True)
        ]
    keep = math.exp(-5.0 / tau_s)
    for row, drifts in zip(kicks, found.tolist(), strict=True):
        y = drifts[0]  # wherever it begins
        for kick, y_found in zip(row[1:], drifts[1:], strict=True):
            y = keep * y + math.sqrt(1.0 - keep**2) * kick
            assert y_found == pytest.approx(y, abs=2e-4)


def _drawn(draw):
    return float(draw(dtype=np.float32))


@given(
    seed=_SEEDS,
    shape=st.tuples(st.integers(1, 5), st.sampled_from([1, 12, 720])),
    per_hour=st.sampled_from([0.0, 1.0, 30.0]),
    least_s=st.sampled_from([0.0, 5.0, 60.0]),
    more_s=st.sampled_from([1.0, 90.0, 5000.0]),
)
@settings(deadline=None, max_examples=60)
def test_spans_begin_anywhere_and_the_last_one_put_in_stands(
    seed, shape, per_hour, least_s, more_s
):
    n, windows = shape
    found = spans(np.random.default_rng(seed), shape, per_hour, least_s, least_s + more_s)
    rng = np.random.default_rng(seed)
    counts = [int(rng.poisson(per_hour * windows / 720.0)) for _ in range(n)]
    starts = [int(rng.integers(0, windows)) for _ in range(sum(counts))]
    lengths_s = [least_s + rng.exponential(more_s) for _ in starts]
    plain, number = [[0] * windows for _ in range(n)], 0
    for agent, count in enumerate(counts):
        for _ in range(count):
            length = max(1, round(lengths_s[number] / 5.0))
            for window in range(starts[number], min(windows, starts[number] + length)):
                plain[agent][window] = number + 1
            number += 1
    assert found.tolist() == plain


_PARTS = {
    Group.HEART: {"heart"},
    Group.SKIN: {"skin"},
    Group.DESK: {"typing", "pointer"},
    Group.VOICE: {"voice"},
}


def was_measured(floor, episode):
    """Return whether half of its windows hold a value of some group that reacts."""
    for group in episode.groups:
        known = []
        for t_s, values in zip(floor.t_s, floor.values[episode.agent], strict=True):
            if episode.start_s < t_s <= episode.end_s:
                of = [v for v, f in zip(values, FEATURES, strict=True) if f.part in _PARTS[group]]
                known.append(any(math.isfinite(v) for v in of))
        if known and 2 * sum(known) >= len(known):
            return True
    return False


@given(
    seed=_SEEDS,
    windows=st.integers(1, 12),
    known=st.sampled_from([0.0, 0.3, 1.0]),
    data=st.data(),
)
@settings(deadline=None, max_examples=150)
def test_an_episode_is_measured_if_half_of_it_is_known(seed, windows, known, data):
    rng, n = np.random.default_rng(seed), 2
    values = np.full((n, windows, len(FEATURES)), np.nan)
    for part in Part:  # some windows of each, of these some features
        some = rng.random((n, windows, 1)) < 0.5
        values[..., [f.part is part for f in FEATURES]] = np.where(some, 1.0, np.nan)
    values[rng.random(values.shape) > known] = np.nan
    floor = SimulatedFloor(
        scenario=Scenario(),
        t_s=5.0 * np.arange(1, windows + 1),
        values=values.astype(np.float32),
        quality=np.isfinite(values).astype(np.float32),
        moving=np.zeros((n, windows), bool),
        context=np.zeros((n, windows), np.int8),
        episodes=[],
    )
    first = data.draw(st.integers(1, windows))
    last = data.draw(st.integers(first, windows))
    episode = SimulatedEpisode(
        agent=data.draw(st.integers(0, n - 1)),
        start_s=5.0 * first - data.draw(st.sampled_from([5.0, 0.1])),  # at a window's end, or not
        full_s=5.0 * first,
        release_s=5.0 * first,
        end_s=5.0 * last + data.draw(st.sampled_from([0.0, 4.9, 5.0 * (first - last) - 0.05])),
        strength=1.0,
        groups=frozenset(data.draw(st.sets(st.sampled_from(Group)))),
    )
    assert floor.measured(episode) == was_measured(floor, episode)
