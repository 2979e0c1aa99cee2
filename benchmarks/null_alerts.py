"""R2: personal alerts when nothing is the matter, for teams of 10, 20 and 50.

Simulated agents without any episode, whole shifts, every agent new: features,
detector, episodes, and the whole alert book with its budget. What is counted
are alerts before the budget, which are to stay below 0.5 per team-hour
whatever the team's size, and those that reach a supervisor in any 60 minutes,
never more than the ceiling. A last line is of two days, on the second of
which the level of three agents in ten lies far off (TRUST A5).

``--signals`` begins at single beats and key presses instead of features, for
far fewer agents; ``--curve`` prints alerts per agent-hour at a range of
thresholds: `threshold_for` is derived from that.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from typing import Any

import numpy as np

from analytics.alerts.alerting import AlertPolicy
from analytics.evaluation.evaluate import Trace, judge
from analytics.evaluation.run import run
from analytics.evaluation.simulated import JudgedFloor, judge_simulated
from analytics.scoring.episodes import NULL_ALERTS_PER_TEAM_HOUR, threshold_for
from analytics.signals.windows import FeatureBatch, FeatureWindows
from analytics.simulation import SCENARIOS, simulate
from sensors.messages import WINDOW_S
from sensors.recording import LabelTrack, Recording, Series, windows
from sensors.signals import SIGNALS
from sensors.simulated import Simulation

IDS = ("R2",)
TEAMS = (10, 20, 50)
SHARES = tuple(float(x) for x in np.round(np.geomspace(0.5, 2.0, 13), 3))
"""Thresholds of the curve, as shares of production's for a team of 20."""

_START = datetime(2026, 1, 5, tzinfo=UTC)
_NONE = np.empty(0)


def simulated(seed: int, hours: float) -> Recording:
    """Return a calm agent's shift, as a recording in memory."""
    simulation = Simulation(seed)
    blocks = [simulation.advance(600) for _ in range(round(hours * 6))]
    series = {}
    for name in blocks[0]:
        t_s = np.concatenate([block[name][0] for block in blocks])
        values = np.concatenate([block[name][1] for block in blocks])
        signal = SIGNALS[name]
        series[name] = Series(t_s, np.clip(values, signal.low, signal.high), _NONE)
    labels = LabelTrack(np.zeros(1), np.zeros(1, dtype=np.int8), hours * 3600)
    return Recording(f"calm{seed}", hours * 3600, series, labels)


def trace(recording: Recording) -> Trace:
    """Return its features, window by window."""
    ring, row = FeatureWindows(), np.zeros(1, dtype=np.intp)
    ring.ensure(1)
    messages = windows(
        recording, site="null", agent="a", source="file", run="nullnull0", start_at=_START
    )
    parts = [ring.extract(row, [message]) for message in messages]
    batch = FeatureBatch.join(parts)
    t_s = WINDOW_S * np.arange(1, len(parts) + 1)
    return Trace(recording.name, t_s, batch, np.zeros(len(parts), dtype=np.int8), [])


def signal_rates(n: int, hours: float, thresholds: list[float]) -> list[float]:
    """Return alerts per agent-hour at each threshold, from simulated signals."""
    traces = [trace(simulated(seed, hours)) for seed in range(n)]
    judged = judge(traces, thresholds)
    seen_h = sum(float(one.t_s[-1]) for one in traces) / 3600
    return [sum(len(one[k].alerts_s) for one in judged) / seen_h for k in range(len(thresholds))]


def feature_rates(n: int, hours: float, seed: int, thresholds: list[float]) -> list[float]:
    """Return alerts per agent-hour at each threshold, from simulated features."""
    floor = simulate(n, hours, seed, SCENARIOS["calm"])
    count = np.zeros(len(thresholds))
    for one in run(floor, thresholds):
        count += one.episodes.began.reshape(n, -1).sum(axis=0)
    return (count / floor.agent_hours).tolist()


def told(judged: JudgedFloor, n: int, size: int, hours: float) -> dict[str, Any]:
    """Return what stands beside the alerts before the budget."""
    reached = sum(len(times) for times in judged.told.personal.values())
    return {
        "told_per_team_hour": round(reached / (n / size * hours), 4),
        "most_told_in_an_hour": judged.told.most_in_an_hour,
        "ceiling": AlertPolicy().alerts_per_supervisor_hour,
        "team_alerts": len(judged.told.team),
        "agent_hours": round(n * hours),
    }


def show(figure: str, per_team_hour: float, n: int, more: dict[str, Any]) -> None:
    """Print one line beside the ceiling."""
    line = {
        "id": figure,
        "value": round(per_team_hour, 4),
        "unit": "personal alerts per team-hour, before the budget",
        "peer": {"name": "ceiling", "value": NULL_ALERTS_PER_TEAM_HOUR},
        "ratio": round(per_team_hour / NULL_ALERTS_PER_TEAM_HOUR, 3),
        "n": n,
    }
    print(json.dumps({**line, **more}))


def team_lines(n: int, hours: float, seed: int) -> None:
    """Print one line per team size, and the one of the day-long offset."""
    scenarios = [(f"R2.team{size}", size, "calm") for size in TEAMS]
    for figure, size, name in [*scenarios, ("R2.day_offset", 20, "day_offset")]:
        scenario, whole = SCENARIOS[name], max(n // size, 1) * size
        judged = judge_simulated(
            whole, hours, seed, scenario, thresholds=[threshold_for(size)], team_size=size
        )
        lasted_h = hours * scenario.days
        alerts = sum(len(one.alerts_s) for one in judged.agents)
        rate = alerts / (whole / size * lasted_h)
        show(figure, rate, whole, told(judged, whole, size, lasted_h))


def main() -> int:
    """Print one JSON object per team size, or the curve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--curve", action="store_true")
    parser.add_argument("--signals", action="store_true")
    parser.add_argument("--agents", type=int, default=0)
    parser.add_argument("--hours", type=float, default=8.0)
    parser.add_argument("--seed", type=int, default=2)
    options = parser.parse_args()
    usual = (4, 40) if options.signals else (50, 400)
    n = options.agents or usual[not options.quick]
    hours = min(options.hours, 2.0 if options.signals else 3.0) if options.quick else options.hours
    if options.curve:
        thresholds = [threshold_for(20) * share for share in SHARES]
    elif options.signals:
        thresholds = [threshold_for(size) for size in TEAMS]
    else:
        team_lines(n, hours, options.seed)
        return 0
    if options.signals:
        found = signal_rates(n, hours, thresholds)
    else:
        found = feature_rates(n, hours, options.seed, thresholds)
    if options.curve:
        for threshold, rate in zip(thresholds, found, strict=True):
            print(json.dumps({"threshold": round(threshold, 4), "alerts_per_agent_hour": rate}))
        return 0
    for size, rate in zip(TEAMS, found, strict=True):
        show(f"R2.team{size}", rate * size, n, {"agent_hours": round(n * hours)})
    return 0


if __name__ == "__main__":
    sys.exit(main())
