"""Arrays of episodes against one agent after another in plain Python."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from analytics.scoring.episodes import Episodes
from tests.oracles.one_agent_episodes import OneAgent

_EVIDENCE = st.sampled_from([0.0, 0.69, 0.7, 0.71, 1.0, 1.5, 3.0, math.nan])
_STEP_S = st.sampled_from([5.0] * 8 + [0.0, -7.0, 10.0, 30.0, 31.0, 119.0, 400.0, 3601.0])
_RUN = st.integers(1, 10)


@st.composite
def histories(draw):
    """Return windows of one agent: (time, evidence, threshold, live), in stretches."""
    at_s, found = 1000.0, []
    for _ in range(draw(st.integers(1, 12))):
        evidence, live = draw(_EVIDENCE), draw(st.sampled_from([True, True, True, False]))
        threshold = draw(st.sampled_from([1.0, 1.0, 1.2, math.inf]))
        for _ in range(draw(_RUN)):
            at_s += draw(_STEP_S)
            found.append((at_s, evidence, threshold, live))
    return found


_AGAIN_AT_ONCE = [2.0] * 7 + [0.0] * 7 + [2.0] * 20  # before the refractory time is over


@example([[(5.0 * k, value, 1.0, True) for k, value in enumerate(_AGAIN_AT_ONCE)]])
@given(st.lists(histories(), min_size=1, max_size=3))
@settings(deadline=None, max_examples=150)
def test_arrays_find_what_one_agent_after_another_finds(agents):
    together = Episodes()
    together.ensure(len(agents))
    alone = [OneAgent() for _ in agents]
    for k in range(max(len(history) for history in agents)):
        rows = np.array([a for a, history in enumerate(agents) if k < len(history)])
        at_s, evidence, threshold, live = (
            np.array(c) for c in zip(*(agents[a][k] for a in rows), strict=True)
        )
        found = together.step(rows, at_s, evidence, threshold, live)
        for i, a in enumerate(rows.tolist()):
            one = alone[a].step(*agents[a][k][:3], live=agents[a][k][3])
            assert (found.pending[i], found.active[i]) == (one.pending, one.active)
            assert (found.began[i], found.ended[i]) == (one.began, one.ended)
            assert together.firing(np.array([a]))[0] == alone[a].firing
            started_s = math.nan if one.started_at_s is None else one.started_at_s
            assert np.array_equal(found.started_at_s[i], started_s, equal_nan=True)
