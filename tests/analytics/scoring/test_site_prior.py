"""What a new agent's baseline begins with: the site's own spread, once enough people show it."""

from __future__ import annotations

import numpy as np
import pytest

from analytics.scoring import site_prior
from analytics.scoring.baseline import PRIOR_S, SCORED
from analytics.scoring.detector import Detector
from analytics.scoring.floor import SCORING_VERSION, Floor
from analytics.scoring.site_prior import LEAST_AGENTS, SEASONED_S, SHIPPED_WORTH
from analytics.signals.features import FEATURE_INDEX, FEATURES
from analytics.signals.windows import FeatureBatch
from tests.analytics.synthetic_floor import teams

_HEART = FEATURE_INDEX["heart_rate_bpm"]
_SHIPPED = FEATURES[_HEART].scale


def found(own, seen_s, shipped=6.0):
    result = site_prior.spread(
        np.array([own], np.float32), np.array([seen_s], np.float32), np.array([[shipped]], "f4")
    )
    assert result.shape == (1, 1)
    return float(result[0, 0])


def test_the_middle_agent_counts_and_the_shipped_spread_for_five_more() -> None:
    own = [9.0, 10.0, 11.0, 12.0, 400.0]
    expected = (SHIPPED_WORTH * 6.0 + 5 * 11.0) / (SHIPPED_WORTH + 5)
    assert found(own, [SEASONED_S] * 5) == pytest.approx(expected)


@pytest.mark.parametrize("seasoned", range(LEAST_AGENTS))
def test_a_few_people_are_no_site(seasoned: int) -> None:
    seen = [SEASONED_S] * seasoned + [SEASONED_S - 5.0] * 20
    assert found([12.0] * len(seen), seen) == 6.0


def test_many_agents_outweigh_what_was_shipped() -> None:
    assert found([12.0] * 500, [SEASONED_S] * 500) == pytest.approx(12.0, rel=0.01)


def lively_floor(n: int, minutes: float, spread: float) -> Detector:
    """Return a detector that has seen the heart rates of `n` lively agents, and room for one."""
    rng = np.random.default_rng(7)
    detector = Detector()
    detector.ensure(n + 1)
    rows = np.arange(n, dtype=np.intp)
    for tick in range(int(minutes * 12)):
        detector.step(rows, heart(70 + spread * rng.normal(size=n), tick), learn=np.ones(n, bool))
    return detector


def heart(rates, tick: int) -> FeatureBatch:
    values = np.full((len(rates), len(FEATURES)), np.nan)
    values[:, _HEART] = rates
    return FeatureBatch(
        at_s=np.full(len(rates), 1000.0 + 5.0 * tick),
        values=values,
        quality=np.where(np.isfinite(values), 1.0, 0.0),
        moving=np.zeros(len(rates), bool),
    )


def half_width(detector: Detector, row: int) -> float:
    low, high, _ = detector.usual(np.array([row], np.intp))
    return float(high[0, _HEART] - low[0, _HEART]) / 2


@pytest.mark.parametrize("n", [LEAST_AGENTS - 1, 30])
def test_who_is_new_begins_with_what_is_usual_at_the_site(n: int) -> None:
    without, detector = (lively_floor(n, minutes=70, spread=15.0) for _ in range(2))
    detector.follow_site()
    for one in (without, detector):
        one.step(np.array([n], np.intp), heart([70.0], 1000), learn=np.ones(1, bool))
    grown = half_width(detector, n) / half_width(without, n)
    assert (grown == 1.0) == (n < LEAST_AGENTS)
    assert n < LEAST_AGENTS or 1.8 < grown < 2.5, "nearly 15 where 6 was shipped"


def test_one_s_own_spread_soon_outweighs_the_sites() -> None:
    detector = lively_floor(8, minutes=70, spread=15.0)
    before = half_width(detector, 0)
    detector.follow_site()
    own_s = 70 * 60
    assert half_width(detector, 0) / before < 1 + 2 * PRIOR_S / own_s


def test_a_restart_keeps_what_was_learnt_of_the_site() -> None:
    detector = lively_floor(8, minutes=70, spread=15.0)
    detector.follow_site()
    again = Detector.from_arrays(detector.to_arrays())
    assert half_width(again, 0) == half_width(detector, 0)
    assert np.array_equal(again.to_arrays()["site"], detector.to_arrays()["site"])
    assert detector.to_arrays()["site"].shape == (len(SCORED), 1)


def test_the_floor_looks_once_an_hour_and_a_restart_does_not_look_sooner() -> None:
    floor = Floor(teams(2))
    due = []
    for minute in (5, 59, 61, 90, 119, 121):
        before = float(floor.to_arrays()["floor.site_due_s"][0])
        floor.follow_site(1_000_000 * 3600.0 + 60.0 * minute)
        due.append(float(floor.to_arrays()["floor.site_due_s"][0]) != before)
    assert due == [True, False, True, False, False, True]
    other = Floor(teams(2))
    arrays = floor.to_arrays()
    other.restore(arrays, [], list(floor.team_names), SCORING_VERSION)
    assert other.to_arrays()["floor.site_due_s"] == arrays["floor.site_due_s"]
