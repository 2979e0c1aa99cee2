"""The simulated floor: what it promises about itself, and that it says what it was told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analytics.signals.features import FEATURE_INDEX
from analytics.signals.windows import FeatureBatch
from analytics.simulation import SCENARIOS, CommonCause, Group, Scenario, simulate
from analytics.simulation.workday import BREAK, ON_CALL
from sensors.errors import ConfigurationError

RATE, SKIN = FEATURE_INDEX["heart_rate_bpm"], FEATURE_INDEX["log_eda"]
EVERYTHING = {f"has_{x}": 1.0 for x in ("heart", "beats", "skin", "desk", "voice")}


@pytest.fixture(scope="module")
def hard():
    return simulate(64, 4.0, 3, SCENARIOS["hard"])


def test_the_same_seed_gives_the_same_floor_and_more_agents_change_none():
    few, again, many = (simulate(n, 2.5, 7) for n in (5, 5, 20))
    for name in ("values", "quality", "moving", "context"):
        assert np.array_equal(getattr(few, name), getattr(again, name), equal_nan=True)
        assert np.array_equal(getattr(few, name), getattr(many, name)[:5], equal_nan=True)
    assert few.episodes == [one for one in many.episodes if one.agent < 5]
    part = simulate(7, 2.5, 7, first=10)
    assert np.array_equal(part.values, many.values[10:17], equal_nan=True)
    assert [one.start_s for one in part.episodes] == [
        one.start_s for one in many.episodes if 10 <= one.agent < 17
    ]
    other = simulate(5, 2.5, 8)
    assert not np.array_equal(few.values, other.values, equal_nan=True)


def test_an_episode_adds_its_response_where_it_reacts_and_nothing_elsewhere():
    scenario = Scenario(episodes_per_shift=6.0, strength=1.0, react=0.5, **EVERYTHING)
    calm = simulate(48, 4.0, 3, Scenario(episodes_per_shift=0.0, **EVERYTHING))
    strained = simulate(48, 4.0, 3, scenario)
    shift = strained.values - calm.values
    seen = {group: [] for group in (Group.HEART, Group.SKIN)}
    for one in strained.episodes:
        full = (strained.t_s > one.full_s + 60) & (strained.t_s < one.release_s)
        for group, column in ((Group.HEART, RATE), (Group.SKIN, SKIN)):
            risen = np.nanmean(shift[one.agent, full, column])
            if group not in one.groups:
                assert risen == pytest.approx(0.0, abs=1e-5)
            elif np.isfinite(risen):
                seen[group].append(risen)
    # a clear response, times a person's own factor of 0.8 to 1.25
    assert 11.0 < np.mean(seen[Group.HEART]) < 17.5
    assert 0.26 < np.mean(seen[Group.SKIN]) < 0.42


def test_episodes_are_as_the_scenario_says(hard):
    assert 15 < len(hard.episodes) < 50  # half an episode in half a shift, of 64 agents
    reacted = np.mean([[g in one.groups for g in Group] for one in hard.episodes])
    assert reacted == pytest.approx(0.6, abs=0.12)
    for one in hard.episodes:
        assert one.strength == 0.6
        assert 300 <= one.full_s - one.start_s <= 900
        assert 600 <= one.release_s - one.full_s <= 1800
        assert 300 <= one.end_s - one.release_s <= 900
        assert one.start_s >= 3600
        assert one.end_s <= hard.t_s[-1]


def test_unknown_is_nan_with_no_quality_and_breaks_are_not_captured(hard):
    known = np.isfinite(hard.values)
    assert ((hard.quality > 0) == known).all()
    assert hard.quality.max() <= 1
    assert not known[hard.context == BREAK].any()
    voice = FEATURE_INDEX["f0_st"]
    assert not known[..., voice][hard.context != ON_CALL].any()
    no_module = ~known[..., SKIN].any(axis=1)
    assert 5 < no_module.sum() < 35
    assert not hard.moving[no_module].any()
    assert hard.moving[~no_module].any()


def test_movement_may_be_known_without_a_module(hard):
    known = simulate(64, 4.0, 3, replace(SCENARIOS["hard"], movement_known=1.0))
    assert known.moving.any(axis=1).all()
    assert np.array_equal(known.values, hard.values, equal_nan=True)


def test_drifts_are_as_large_as_the_scenario_says():
    spreads, calm = [], Scenario(episodes_per_shift=0.0, **EVERYTHING)
    for restlessness in (0.0, 1.0):
        floor = simulate(16, 1.0, 3, replace(calm, restlessness=restlessness))
        spreads.append(np.nanstd(floor.values[0, :, FEATURE_INDEX["dwell_ms"]]))
    assert spreads[0] < 0.5 * spreads[1]


def test_walking_shows_in_the_heart(hard):
    rate = hard.values[..., RATE]
    resting = np.nanmedian(np.where(hard.moving, np.nan, rate)[hard.moving.any(axis=1)])
    assert np.nanmedian(rate[hard.moving]) > resting + 5


def test_channels_share_a_state_and_drift_slowly():
    calm = simulate(64, 4.0, 3, SCENARIOS["calm"])
    rate, skin = calm.values[..., RATE], calm.values[..., SKIN]
    still = np.isfinite(rate) & np.isfinite(skin)
    together = [
        np.corrcoef(rate[i, still[i]], skin[i, still[i]])[0, 1]
        for i in range(64)
        if still[i].sum() > 500
    ]
    assert 0.05 < np.mean(together) < 0.8
    later, worn = 12 * 10, np.isfinite(skin).any(axis=1)  # ten minutes
    skin = skin[worn] - np.nanmedian(skin[worn], axis=1, keepdims=True)
    early, late = skin[:, 360:-later], skin[:, 360 + later :]  # after the electrodes settled
    both = np.isfinite(early) & np.isfinite(late)
    assert 0.3 < np.corrcoef(early[both], late[both])[0, 1] < 0.95


def test_a_day_long_offset_lifts_the_second_day_of_some():
    scenario = Scenario(episodes_per_shift=0.0, days=2, day_offset=0.5, **EVERYTHING)
    floor = simulate(64, 1.0, 5, scenario)
    assert floor.t_s[720] - floor.t_s[719] > 80_000
    first, second = floor.values[:, :720, RATE], floor.values[:, 720:, RATE]
    risen = np.nanmean(second, axis=1) - np.nanmean(first, axis=1)
    assert np.ptp(risen) > 8
    assert np.mean(risen) == pytest.approx(5.0, abs=3.0)
    assert len(simulate(2, 1.0, 5, SCENARIOS["day_offset"]).t_s) == 1440


def test_a_common_cause_touches_many_at_once():
    cause = CommonCause(start_s=1200.0, share=0.8)
    floor = simulate(50, 1.5, 5, Scenario(episodes_per_shift=0.0, common=(cause,)))
    assert 30 <= len(floor.episodes) <= 48
    assert all(one.common for one in floor.episodes)
    assert all(1200 <= one.start_s < 1200 + 600 for one in floor.episodes)


def test_a_moment_is_a_batch_of_every_agent(hard):
    batch = hard.moment(100)
    assert isinstance(batch, FeatureBatch)
    assert np.array_equal(batch.values, hard.values[:, 100], equal_nan=True)
    assert np.array_equal(batch.context, hard.context[:, 100])
    assert hard.moment(101).at_s[0] - batch.at_s[0] == 5.0
    assert batch.values.T.flags.c_contiguous  # nothing is copied to score it
    assert batch.take(np.array([3, 1])).source.shape == (2, 5)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(lambda: Scenario(react=1.5), "react is 1.5; expected 0 to 1", id="share"),
        pytest.param(lambda: Scenario(strength=-1), "strength is -1", id="negative"),
        pytest.param(lambda: Scenario(ramp_s=(900, 300)), "ramp_s is", id="order"),
        pytest.param(lambda: Scenario(days=0), "days is 0", id="days"),
        pytest.param(lambda: simulate(0, 1.0, 1), "agents of a simulated floor is 0", id="nobody"),
        pytest.param(lambda: simulate(1, 0.0, 1), "windows of a simulated floor", id="no time"),
        pytest.param(lambda: simulate(1, 1.0, -1), "seed of a simulated floor", id="seed"),
    ],
)
def test_what_cannot_be_simulated_is_said(make, words):
    with pytest.raises(ConfigurationError, match=words):
        make()
