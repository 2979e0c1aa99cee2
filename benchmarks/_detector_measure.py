"""The figures behind the page about the detector: curves, parts and situations.

Everything is an aggregate over people or simulated agents. What the benchmarks
measure themselves (D1 to D4, R2) is not measured again here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import detection
import null_alerts
import numpy as np
import simulated_floor
from _detector_situations import HARD, HOURS, SITUATIONS, TEAM, outcome, typical_shift
from numpy.typing import NDArray

from analytics.evaluation import evaluate
from analytics.evaluation.evaluate import Trace
from analytics.evaluation.report import SWEPT, report
from analytics.evaluation.run import StackedTape, run
from analytics.evaluation.simulated import HALF
from analytics.scoring.episodes import threshold_for
from analytics.signals.features import PARTS
from analytics.simulation import SimulatedFloor, simulate
from sensors.errors import ConfigurationError
from sensors.recording import read_recording

Floats = NDArray[np.float64]

SEED = 4
NEVER = 1e9
"""A threshold that nothing reaches: every calm window teaches."""


def measure(n: int) -> dict[str, Any]:
    """Return every figure of the page that no benchmark prints, of `n` simulated agents.

    Raises
    ------
    ConfigurationError
        If there are no recordings of people.
    """
    where, kind = detection.folder()
    if kind != "people":
        raise ConfigurationError(
            "no recordings of people found; name their folder in WELLBEING_RECORDINGS"
        )
    paths = sorted(where.glob("*.csv*"))
    traces = [evaluate.trace(read_recording(path)) for path in paths]
    return {
        "people": people(traces),
        "floor_curve": floor_curve(n),
        "floor_parts": floor_parts(n),
        "null_curve": null_curve(n),
        "situations": {name: outcome(one, n, SEED) for name, one in SITUATIONS.items()},
        "shift": typical_shift(min(n, 120), SEED),
    }


def people(traces: Sequence[Trace]) -> dict[str, Any]:
    """Return the operating curves on the recordings and the AUC of each part."""
    overall = report(traces, TEAM)["overall"]
    return {
        "n": len(traces),
        "stretches": sum(len(one.stretches) for one in traces),
        "calm_hours": sum(evaluate.tally(one, np.empty(0)).calm_hours for one in traces),
        "curve": [_point(point) for point in overall["operating_curve"]],
        "production": _point(overall),
        "reference": _reference_curve(traces),
        "parts": _people_parts(traces),
    }


def _point(point: dict[str, Any]) -> dict[str, Any]:
    return {
        "threshold": point["threshold"],
        "rate": point["false_alerts_per_hour"],
        "found": point["found_fraction"],
        "chance": point["chance_found_fraction"],
        "delay_s": point["median_delay_s"],
    }


def _reference_curve(traces: Sequence[Trace]) -> list[dict[str, float]]:
    """Return the points of both references, of which the better one counts at each rate."""
    alerts = [detection.reference_alerts(one) for one in traces]
    points = [
        detection.Point([evaluate.tally(t, times) for t, times in zip(traces, at, strict=True)])
        for at in zip(*alerts, strict=True)
    ]
    return [{"rate": round(one.rate, 4), "found": round(one.found, 4)} for one in points]


def _people_parts(traces: Sequence[Trace]) -> dict[str, dict[str, Any]]:
    tape = StackedTape.of([one.batch for one in traces])
    scores = np.full((len(PARTS) + 1, len(traces), int(tape.lengths.max())), np.nan)
    for one in run(tape, [NEVER]):
        scores[:-1, one.rows, one.window] = one.scores.part_contribution.T
        scores[-1, one.rows, one.window] = one.scores.score
    found = {}
    for name, of_part in zip((*PARTS, "all"), scores, strict=True):
        if np.isfinite(of_part).any():
            pairs = [(t, of_part[i, : len(t.t_s)]) for i, t in enumerate(traces)]
            found[str(name)] = {
                "auc": _summary([evaluate.auc_of(t, score) for t, score in pairs]),
                "matched": _summary([evaluate.auc_time_matched(t, score) for t, score in pairs]),
            }
    return found


def _summary(values: Sequence[float]) -> dict[str, Any]:
    known = [value for value in values if np.isfinite(value)]
    low, high = evaluate.bootstrap_ci(known)
    return {
        "mean": round(float(np.mean(known)), 4),
        "ci95": [round(low, 4), round(high, 4)],
        "n": len(known),
    }


def floor_curve(n: int) -> dict[str, Any]:
    """Return the operating curve on the simulated floor, its production point first."""
    floor = simulate(n, HOURS, SEED, HARD)
    thresholds = [threshold_for(TEAM), *SWEPT[4:36:2]]
    points = []
    for threshold, one in zip(thresholds, simulated_floor.ours(floor, thresholds), strict=True):
        whole = one.whole
        rate = whole.false_alerts / whole.calm_hours
        points.append(
            {
                "threshold": round(threshold, 3),
                "rate": round(rate, 5),
                "found": round(whole.found / whole.episodes, 4),
                "reachable": round(whole.found_reachable / whole.reachable, 4),
                "chance": round(evaluate.chance(np.array(whole.lengths_s), rate), 4),
            }
        )
    return {"n": n, "episodes": len(floor.episodes), "production": points[0], "curve": points[1:]}


def floor_parts(n: int) -> dict[str, dict[str, Any]]:
    """Return the AUC of each part on the simulated floor, over agents who have it and an episode."""
    floor = simulate(n, HOURS, SEED, HARD)
    scores = np.full((len(PARTS) + 1, n, len(floor.t_s)), np.nan, np.float32)
    for one in run(floor, [NEVER]):
        scores[:-1, :, one.window] = one.scores.part_contribution.T
        scores[-1, :, one.window] = one.scores.score
    return {
        str(name): {"auc": _summary(_agents(floor, of_part))}
        for name, of_part in zip((*PARTS, "all"), scores, strict=True)
    }


def _agents(floor: SimulatedFloor, score: NDArray[np.float32]) -> list[float]:
    """Return each agent's AUC where the part is known; strained from half intensity on."""
    found = []
    for agent in range(floor.n_agents):
        strained, calm = np.zeros(len(floor.t_s), bool), floor.t_s >= evaluate.SCORED_FROM_S
        for one in floor.of(agent):
            level = one.level(floor.t_s)
            strained |= level >= HALF * one.strength
            calm &= ~((floor.t_s > one.start_s) & (floor.t_s <= one.end_s + evaluate.TAIL_S))
        known = np.isfinite(score[agent])
        either = (strained | calm) & known
        found.append(evaluate.auc(score[agent][either].astype(np.float64), strained[either]))
    return found


def null_curve(n: int) -> dict[str, Any]:
    """Return alerts per agent-hour against the threshold on calm simulated shifts."""
    thresholds = [round(x, 2) for x in np.arange(0.6, 3.21, 0.2).tolist()]
    rates = null_alerts.feature_rates(n, HOURS, SEED + 1, thresholds)
    return {
        "agent_hours": round(n * HOURS),
        "points": [[t, round(rate, 5)] for t, rate in zip(thresholds, rates, strict=True)],
    }
