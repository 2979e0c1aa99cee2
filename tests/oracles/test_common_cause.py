"""The common cause of a team, by arrays and person by person."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.alerts import common_cause
from tests.oracles import one_team
from tests.oracles.one_team import Member

_STARTS = st.sampled_from(
    [0.0, 5.0, 100.0, 299.0, 300.0, 301.0, 305.0, 600.0, 601.0, 2000.0, math.nan]
)
_MEMBERS = st.builds(
    Member,
    active=st.sampled_from([True, False]),
    pending=st.booleans(),
    started_s=_STARTS,
    judged=st.sampled_from([True, True, True, False]),
)


def columns(team):
    return {
        name: np.array([getattr(one, name) for one in team])
        for name in ("active", "pending", "started_s", "judged")
    }


@given(st.lists(_MEMBERS, min_size=1, max_size=16))
@settings(deadline=None, max_examples=400)
def test_arrays_find_what_counting_people_finds(team):
    found, plain = common_cause.find(**columns(team)), one_team.find(team)
    if plain is None:
        assert found is None
    else:
        assert found is not None
        assert (found.affected.tolist(), found.started_s, found.judged) == plain
    three = {k: v for k, v in columns(team).items() if k != "started_s"}
    assert common_cause.persists(**three) == one_team.persists(team)


def test_how_many_are_needed():
    found = [common_cause.needed(judged) for judged in range(200)]
    assert found == [one_team.needed(judged) for judged in range(200)]


@given(st.integers(0, 2000))
@settings(deadline=None)
def test_one_more_who_is_judged_needs_at_most_one_more_and_never_fewer(judged):
    more = common_cause.needed(judged + 1) - common_cause.needed(judged)
    assert more in {0, 1}


@given(st.lists(_MEMBERS, min_size=1, max_size=12), st.data())
@settings(deadline=None)
def test_one_more_who_differs_along_never_hides_a_cause(team, data):
    found = one_team.find(team)
    calm = [i for i, one in enumerate(team) if one.judged and not one.differs]
    if found is None or not calm:
        return
    joining = Member(active=True, pending=False, started_s=found[1], judged=True)
    team[data.draw(st.sampled_from(calm))] = joining
    cause = common_cause.find(**columns(team))
    assert cause is not None
    assert cause.affected.sum() >= sum(found[0]) + 1
