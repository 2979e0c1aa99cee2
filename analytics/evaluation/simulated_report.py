"""The figures of `wellbeing evaluate --simulate`: one entry per agent, and overall."""

from __future__ import annotations

from typing import Any

import numpy as np

from analytics.evaluation.evaluate import TAIL_S, bootstrap_ci, chance
from analytics.evaluation.intervals import rate_ci, share_ci
from analytics.evaluation.report import mean, rounded
from analytics.evaluation.run import Progress
from analytics.evaluation.simulated import (
    SHIFT_H,
    FloorTally,
    JudgedAgent,
    JudgedFloor,
    judge_simulated,
)
from analytics.scoring.detector import DETECTOR_VERSION
from analytics.scoring.episodes import threshold_for
from analytics.simulation import Scenario

SWEPT = tuple(float(x) for x in np.round(np.geomspace(0.5, 2.0, 13), 3))
"""Thresholds of the operating curve, as shares of production's own."""


def report_floor(
    n_agents: int,
    hours: float,
    seed: int,
    scenario: Scenario,
    *,
    team_size: int,
    name: str,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Return everything that is told about a simulated floor, ready for JSON.

    Parameters
    ----------
    n_agents : int
    hours : float
        Length of a shift. [h]
    seed : int
    scenario : Scenario
    team_size : int
        Agents in a team, and the team that production's threshold is for.
    name : str
        What the scenario is called.
    progress : callable, optional
        Told the share that is done.

    Returns
    -------
    dict
        ``overall`` and ``per_recording`` (here: per agent); a figure that does
        not exist is ``None``, never 0.
    """
    threshold = threshold_for(team_size)
    thresholds = (threshold, *(round(share * threshold, 4) for share in SWEPT))
    judged = judge_simulated(
        n_agents,
        hours,
        seed,
        scenario,
        thresholds=thresholds,
        team_size=team_size,
        progress=progress,
    )
    hours_told = scenario.days * hours
    overall = {
        "simulated": True,
        "scenario": name,
        **_asked(n_agents, hours, seed, scenario),
        **_point(judged.tallies[0]),
        **_over_agents(judged.agents),
        **_told(judged, n_agents, team_size, hours_told),
        "team_size": team_size,
        "threshold": rounded(threshold),
        "detector_version": DETECTOR_VERSION,
        "operating_curve": [
            {"threshold": rounded(at), **_curve(tally)}
            for at, tally in zip(thresholds[1:], judged.tallies[1:], strict=True)
        ],
    }
    return {"overall": overall, "per_recording": [_row(one, hours_told) for one in judged.agents]}


def _asked(n_agents: int, hours: float, seed: int, scenario: Scenario) -> dict[str, Any]:
    return {
        "agents": n_agents,
        "hours_per_shift": hours,
        "shifts": scenario.days,
        "seed": seed,
        "strength": scenario.strength,
        "react": scenario.react,
    }


def _point(tally: FloorTally) -> dict[str, Any]:
    delays = tally.delays_s
    return {
        "episodes": tally.episodes,
        "found": tally.found,
        "found_fraction": _share(tally.found, tally.episodes),
        "reachable_episodes": tally.reachable,
        "found_fraction_reachable": _share(tally.found_reachable, tally.reachable),
        "found_before_full": tally.before_full,
        "found_before_full_fraction": _share(tally.before_full, tally.found),
        "median_delay_s": float(np.median(delays)) if delays else None,
        "false_alerts": tally.false_alerts,
        "calm_hours": rounded(tally.calm_hours),
        "false_alerts_per_hour": _share(tally.false_alerts, tally.calm_hours),
        "false_alerts_per_agent_shift": rounded(tally.false_per_shift),
        "alerts_in_common_cause": tally.in_common,
        "chance_found_fraction": _chance(tally),
    }


def _curve(tally: FloorTally) -> dict[str, Any]:
    wanted = (
        "found_fraction",
        "found_before_full_fraction",
        "false_alerts_per_hour",
        "false_alerts_per_agent_shift",
        "median_delay_s",
        "chance_found_fraction",
    )
    point = _point(tally)
    return {name: point[name] for name in wanted}


def _chance(tally: FloorTally) -> float | None:
    """Return the share of episodes that alerts at random would find at the same rate."""
    if not tally.lengths_s or not tally.calm_hours:
        return None
    rate = tally.false_alerts / tally.calm_hours
    return rounded(chance(np.array(tally.lengths_s) + TAIL_S, rate))


def _over_agents(agents: list[JudgedAgent]) -> dict[str, Any]:
    """Return what has an interval over people."""
    found = [float(one.tally.found) for one in agents]
    episodes = [float(one.tally.episodes) for one in agents]
    false = [float(one.tally.false_alerts) for one in agents]
    calm = [one.tally.calm_hours for one in agents]
    false_per_shift = [SHIFT_H * x for x in rate_ci(false, calm)]
    aucs = [one.auc for one in agents]
    return {
        "found_fraction_ci95": [rounded(x) for x in share_ci(found, episodes)],
        "false_alerts_per_agent_shift_ci95": [rounded(x) for x in false_per_shift],
        "auc_mean": mean(aucs),
        "auc_ci95": [rounded(x) for x in bootstrap_ci(aucs)],
        "coverage": mean(one.coverage for one in agents),
    }


def _told(judged: JudgedFloor, n_agents: int, team_size: int, hours: float) -> dict[str, Any]:
    """Return what reached supervisors, within the alert budget."""
    told = sum(len(times) for times in judged.told.personal.values())
    teams = -(-n_agents // team_size)
    return {
        "teams": teams,
        "personal_alerts_told": told,
        "personal_alerts_told_per_team_hour": rounded(told / (teams * hours)),
        "most_told_to_one_supervisor_in_an_hour": judged.told.most_in_an_hour,
        "team_alerts": len(judged.told.team),
    }


def _row(one: JudgedAgent, hours: float) -> dict[str, Any]:
    return {
        "name": f"agent{one.number}",
        "duration_s": hours * 3600.0,
        "auc": rounded(one.auc),
        "coverage": rounded(one.coverage),
        "stretches": one.tally.episodes,
        "found": one.tally.found,
        "found_before_full": one.tally.before_full,
        "false_alerts": one.tally.false_alerts,
        "calm_hours": rounded(one.tally.calm_hours),
        "delays_s": one.tally.delays_s,
        "alerts_s": one.alerts_s,
    }


def _share(part: float, whole: float) -> float | None:
    return rounded(part / whole) if whole else None
