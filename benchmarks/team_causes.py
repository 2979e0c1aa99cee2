"""A2.team: causes that a whole team shares, found as one team alert, and false ones.

Simulated agents in teams of 8 to 50, from features to the alert book. After
three hours something strains 70 % of everybody: found is a team that is told
of it before it begins to fade. On calm floors, and on the second of two days
on which the level of three agents in ten lies far off (TRUST A5), every team
alert is false. The peer is the rule as it was: four in ten of the team, each
above the threshold of their own alert, on the very same evidence.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import numpy as np

from analytics.alerts import common_cause
from analytics.evaluation.run import run
from analytics.evaluation.simulated import parts
from analytics.evaluation.told import Supervised
from analytics.scoring import leanings
from analytics.scoring.detector import DETECTOR_VERSION
from analytics.scoring.episodes import threshold_for
from analytics.simulation import SCENARIOS, Scenario
from sensors.messages import AlertKind

IDS = ("A2.team_cause", "A2.team_calm", "A2.team_day_offset")

TEAMS = (8, 10, 20, 50)
MONTH_H = 168.0
"""Twenty-one shifts of 8 h."""

_DAY_S = 86_400.0


@dataclass(slots=True)
class Found:
    """What one rule told, by team.

    Parameters
    ----------
    told : dict of str to (str, float)
        By alert: the team and when it was told. [s from the start]
    """

    told: dict[str, tuple[str, float]] = field(default_factory=dict)

    def take(self, supervised: Supervised, t_s: float) -> None:
        """Note the team alerts that stand told now."""
        for alert in supervised._pipeline.open_alerts():  # noqa: SLF001 - as a screen would
            if alert.kind is AlertKind.TEAM and alert.told_at is not None:
                self.told.setdefault(alert.alert_id, (alert.team, t_s))

    def delays_s(self, start_s: float, end_s: float) -> list[float]:
        """Return how long after `start_s` each team was first told, of those told by `end_s`."""
        first: dict[str, float] = {}
        for team, t_s in self.told.values():
            if start_s < t_s <= end_s:
                first[team] = min(t_s - start_s, first.get(team, math.inf))
        return list(first.values())


@contextmanager
def as_it_was() -> Iterator[None]:
    """Count four in ten, each above the threshold of their own alert."""
    with (
        patch.object(leanings, "LINE", math.inf),
        patch.object(common_cause, "needed", lambda judged: max(3, math.ceil(0.4 * judged))),
    ):
        yield


def judge(
    n: int, hours: float, seed: int, scenario: Scenario, size: int
) -> tuple[Found, Found, int]:
    """Return what is told now, what was before, and the number of teams."""
    now, before = Found(), Found()
    for first, floor in parts(n, hours, seed, scenario, size):
        at = datetime.fromtimestamp(float(floor.moment(0).at_s[0]), UTC)
        both = [Supervised(floor.n_agents, size, at, first_team=first // size) for _ in range(2)]
        for one in run(floor, [threshold_for(size)]):
            t_s = float(floor.t_s[one.window])
            both[0].step(one.batch, one.scores, one.episodes)
            now.take(both[0], t_s)
            with as_it_was():
                both[1].step(one.batch, one.scores, one.episodes)
            before.take(both[1], t_s)
    return now, before, n // size


def show(figure: str, unit: str, values: tuple[float, float], n: int, more: dict[str, Any]) -> None:
    """Print one line: the rule as it is, and as it was."""
    value, was = values
    line = {
        "id": figure,
        "value": round(value, 3),
        "unit": unit,
        "peer": {"name": "four in ten above their own threshold", "value": round(was, 3)},
        "ratio": round(value / was, 2) if was else None,
        "n": n,
    }
    print(json.dumps({**line, **more, "detector_version": DETECTOR_VERSION}), flush=True)


def cause_line(n: int, seed: int, size: int) -> None:
    """Print the share of teams whose cause is told before it fades."""
    (cause,) = SCENARIOS["team_cause"].common
    end_s = cause.start_s + cause.ramp_s + cause.hold_s
    hours = math.ceil(end_s / 3600.0)
    now, before, teams = judge(n, hours, seed, SCENARIOS["team_cause"], size)
    found, was = (one.delays_s(cause.start_s, end_s) for one in (now, before))
    delays = {
        "median_delay_s": float(np.median(found)) if found else None,
        "peer_median_delay_s": float(np.median(was)) if was else None,
    }
    values = len(found) / teams, len(was) / teams
    unit = "share of common causes told before they fade"
    show(
        f"A2.team_cause{size}", unit, values, teams, {**delays, "needed": common_cause.needed(size)}
    )


def false_line(name: str, n: int, hours: float, seed: int, size: int) -> None:
    """Print how many team alerts a floor raises on which no team shares anything."""
    scenario = SCENARIOS[name]
    now, before, teams = judge(n, hours, seed, scenario, size)
    # With offsets, the second day is the one that counts: they begin on it.
    from_s = _DAY_S * (scenario.days - 1)
    told, was = (sum(t_s > from_s for _, t_s in one.told.values()) for one in (now, before))
    team_hours = teams * hours
    per_1000_h = tuple(1000.0 * many / team_hours for many in (told, was))
    more = {
        "alerts": told,
        "ci95": [round(1000.0 * x / team_hours, 2) for x in interval(told)],
        "per_team_month": round(told / team_hours * MONTH_H, 3),
    }
    unit = "false team alerts per 1000 team-hours"
    show(f"A2.team_{name}{size}", unit, (per_1000_h[0], per_1000_h[1]), round(team_hours), more)


def interval(count: int) -> tuple[float, float]:
    """Return between which means `count` events of a Poisson process are likely (95 %)."""
    from scipy.stats import chi2  # noqa: PLC0415 - a second that only a measurement waits for

    low = chi2.ppf(0.025, 2 * count) / 2 if count else 0.0
    return float(low), float(chi2.ppf(0.975, 2 * count + 2) / 2)


def main() -> int:
    """Print one JSON object per team size and kind of floor."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--agents", type=int, default=0)
    parser.add_argument("--hours", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=2)
    options = parser.parse_args()
    n = options.agents or (40 if options.quick else 480)
    hours = options.hours or (2.0 if options.quick else 8.0)
    for size in TEAMS:
        whole = max(n // size, 1) * size
        cause_line(whole, options.seed, size)
        false_line("calm", whole, hours, options.seed, size)
        false_line("day_offset", whole, hours, options.seed, size)
    return 0


if __name__ == "__main__":
    sys.exit(main())
