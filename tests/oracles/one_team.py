"""Common cause and explanation, person by person: the oracle of `analytics.alerts.common_cause`."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.stats import poisson

from analytics.alerts.common_cause import (
    CALM_TOGETHER,
    FALSE_PER_TEAM_HOUR,
    LEAST_AGENTS,
    LEAST_SHARE,
    TOGETHER_S,
)
from analytics.scoring.episodes import NULL_CURVE
from analytics.scoring.leanings import LINE


@dataclass(frozen=True)
class Member:
    active: bool
    pending: bool
    started_s: float  # NaN: not above its threshold
    judged: bool

    @property
    def differs(self) -> bool:
        return self.judged and (self.active or self.pending) and not math.isnan(self.started_s)


def needed(judged: int) -> int:
    """Return the first number that is three, one in five, and too many for chance."""
    many = LEAST_AGENTS
    while many < LEAST_SHARE * judged or by_chance(many, judged) > FALSE_PER_TEAM_HOUR:
        many += 1
    return many


def by_chance(many: int, judged: int) -> float:
    """Return how often an hour one of `judged` begins to lean and enough others follow."""
    (a_calm_one,) = [rate for threshold, rate in NULL_CURVE if threshold == LINE]
    beginning = CALM_TOGETHER * a_calm_one * judged
    others = beginning * TOGETHER_S / 3600.0
    return float(beginning * poisson.sf(many - 2, others))


def find(team: list[Member]) -> tuple[list[bool], float, int] | None:
    """Return who differs together, since when, and of how many."""
    judged = sum(one.judged for one in team)
    best: list[int] = []
    best_start_s = math.inf
    for first in sorted(one.started_s for one in team if one.differs):
        group = [
            i
            for i, one in enumerate(team)
            if one.differs and first <= one.started_s <= first + TOGETHER_S
        ]
        if len(group) > len(best):
            best, best_start_s = group, first
    if len(best) < needed(judged):
        return None
    if 2 * sum(team[i].active for i in best) < needed(judged):
        return None
    return [i in best for i in range(len(team))], best_start_s, judged


def persists(team: list[Member]) -> bool:
    """Return whether half of those needed still differ."""
    judged = sum(one.judged for one in team)
    return 2 * sum(one.judged and (one.active or one.pending) for one in team) >= needed(judged)
