"""D4: episodes found on a simulated floor, the hard case, ours beside what others would write.

Effects of 60 %, each group of channels reacting with probability 0.6, ramps
of 5 to 15 minutes, movement, drift, missing channels. Everybody is given the
threshold that finds most at no more than a quarter of a false alert per
agent-shift of 8 h on this very floor; ours is also reported at production's.
Nothing but a module tells that its wearer walks, and three in ten wear none;
the second pair of lines is of the same floor with everybody's movement known.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from _floor_peers import PEERS, gaussian_is_rivers
from numpy.typing import NDArray

from analytics.evaluation.evaluate import SCORED_FROM_S, bootstrap_ratio_ci
from analytics.evaluation.run import run
from analytics.evaluation.simulated import FloorTally, tally
from analytics.scoring.detector import DETECTOR_VERSION
from analytics.scoring.episodes import Episodes, threshold_for
from analytics.simulation import SCENARIOS, Scenario, SimulatedFloor, simulate

IDS = ("D4",)

MOST_PER_SHIFT = 0.25
"""False alerts per agent-shift of 8 h."""

TEAM = 20
SHARES = np.geomspace(0.4, 1.8, 20)
QUICK_SHARES = np.geomspace(0.5, 1.6, 8)
"""Thresholds of ours that are tried, as shares of production's."""

Floats = NDArray[np.float64]


@dataclass
class Outcome:
    """One method at one threshold: the tally of every agent, and of all."""

    agents: list[FloorTally]
    whole: FloorTally


def outcome(floor: SimulatedFloor, began: list[list[float]]) -> Outcome:
    """Return what alerts found and disturbed; `began` holds the times of each agent's."""
    agents = [tally(floor, i, np.array(times)) for i, times in enumerate(began)]
    whole = FloorTally()
    for one in agents:
        whole.add(one)
    return Outcome(agents, whole)


def ours(floor: SimulatedFloor, thresholds: Sequence[float]) -> list[Outcome]:
    """Return our outcome at each threshold."""
    copies = len(thresholds)
    began: list[list[list[float]]] = [[[] for _ in range(floor.n_agents)] for _ in thresholds]
    for one in run(floor, thresholds):
        for entry in np.flatnonzero(one.episodes.began).tolist():
            began[entry % copies][entry // copies].append(float(floor.t_s[one.window]))
    return [outcome(floor, times) for times in began]


def theirs(floor: SimulatedFloor, score: Floats, tried: int) -> list[Outcome]:
    """Return the outcome of a peer's score at thresholds between its 90th and last percentile."""
    thresholds = np.unique(np.quantile(score, 1 - np.geomspace(0.1, 2e-5, tried)))
    thresholds = thresholds[thresholds > 0]
    n, copies = len(score), len(thresholds)
    episodes, rows = Episodes(), np.arange(n * copies)
    episodes.ensure(len(rows))
    limit = np.tile(thresholds, n)
    began: list[list[list[float]]] = [[[] for _ in range(n)] for _ in thresholds]
    for k, t_s in enumerate(floor.t_s.tolist()):
        evidence = np.repeat(score[:, k], copies)
        live = np.full(len(rows), t_s >= SCORED_FROM_S)
        found = episodes.step(rows, np.full(len(rows), t_s), evidence, limit, live)
        for entry in np.flatnonzero(found.began).tolist():
            began[entry % copies][entry // copies].append(t_s)
    return [outcome(floor, times) for times in began]


def best(outcomes: Sequence[Outcome]) -> Outcome:
    """Return the outcome that finds most within what may be disturbed."""
    allowed = [one for one in outcomes if one.whole.false_per_shift <= MOST_PER_SHIFT]
    return max(allowed, key=lambda one: one.whole.found, default=Outcome([], FloorTally()))


def facts(one: Outcome) -> dict[str, Any]:
    """Return the figures of one outcome."""
    whole = one.whole
    interval = bootstrap_ratio_ci([x.found for x in one.agents], [x.episodes for x in one.agents])
    return {
        "found": round(whole.found / whole.episodes, 3) if whole.episodes else 0.0,
        "found_ci95": [round(x, 3) for x in interval] if one.agents else None,
        "found_of_reachable": round(whole.found_reachable / max(whole.reachable, 1), 3),
        "before_full": round(whole.before_full / max(whole.found, 1), 3),
        "median_delay_s": float(np.median(whole.delays_s)) if whole.delays_s else None,
        "false_per_shift": round(whole.false_per_shift, 3) if one.agents else None,
    }


def compare(scenario: Scenario, n: int, seed: int, suffix: str, *, quick: bool) -> None:
    """Print ours beside the strongest peer on one floor."""
    floor = simulate(n, 8.0, seed, scenario)
    production = threshold_for(TEAM)
    shares = QUICK_SHARES if quick else SHARES
    mine = ours(floor, [production, *(float(x) for x in production * shares)])
    others = {
        name: best(theirs(floor, score(floor), 12 if quick else 30))
        for name, score in PEERS.items()
    }
    strongest = max(others, key=lambda name: others[name].whole.found)
    value, other = facts(best(mine)), facts(others[strongest])
    common = {
        "n": n,
        "episodes": mine[0].whole.episodes,
        "seed": seed,
        "restlessness": scenario.restlessness,
        "movement_known": scenario.movement_known,
        "detector_version": DETECTOR_VERSION,
    }
    more = {
        "ours": value,
        f"production_team_of_{TEAM}": facts(mine[0]),
        "peers": {name: facts(one) for name, one in others.items()},
        "river_agrees": gaussian_is_rivers(floor),
    }
    where = f"at <= {MOST_PER_SHIFT} false alerts per agent-shift"
    for key, what, extra in (
        ("found", f"share of episodes found {where}", more),
        ("before_full", f"share of the found {where}", {}),
    ):
        peer = other[key]
        line = {
            "id": f"D4.{key}{suffix}",
            "value": value[key],
            "unit": what,
            "peer": {"name": strongest, "value": peer},
            "ratio": round(value[key] / peer, 2) if peer else None,
        }
        print(json.dumps({**line, **common, **extra}))


def main() -> int:
    """Print D4, and D4 as it would be if everybody's movement were known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--agents", type=int, default=0)
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument(
        "--restlessness", type=float, default=1.0, help="factor on all drifts: how sure is D4?"
    )
    options = parser.parse_args()
    n = options.agents or (20 if options.quick else 240)
    hard = replace(SCENARIOS["hard"], restlessness=options.restlessness)
    compare(hard, n, options.seed, "", quick=options.quick)
    known = replace(hard, movement_known=1.0)
    compare(known, n, options.seed, "_movement_known", quick=options.quick)
    return 0


if __name__ == "__main__":
    sys.exit(main())
