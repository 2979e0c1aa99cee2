"""R2.other: alerts when nothing is the matter, on floors that are not our simulation's.

The threshold is the one with which a team of 20 is promised 0.2 false alerts
per agent-shift. It was learnt from our own simulation's calm; each line is one
way in which a floor could be calm and yet unlike it. The budget, which holds
whatever happens, is left out. The peer is what was promised.
"""

from __future__ import annotations

import argparse
import json
import sys

import numpy as np
from _other_floors import CALM_KINDS, Kind, make

from analytics.evaluation.evaluate import bootstrap_ratio_ci
from analytics.evaluation.run import run
from analytics.evaluation.simulated import SHIFT_H
from analytics.scoring.detector import DETECTOR_VERSION
from analytics.scoring.episodes import NULL_ALERTS_PER_TEAM_HOUR, threshold_for

IDS = ("R2.other",)

TEAM = 20
PROMISED = SHIFT_H * NULL_ALERTS_PER_TEAM_HOUR / TEAM
"""False alerts per agent-shift of 8 h."""

HOURS = 8.0
_AT_ONCE = 80  # agents of one draw: 8 h of 400 would fill 2 GB


def false_alerts(kind: Kind, n: int, seed: int) -> list[int]:
    """Return how many alerts each of `n` calm agents raised in 8 h."""
    found: list[int] = []
    for start in range(0, n, _AT_ONCE):
        many = min(_AT_ONCE, n - start)
        floor = make(kind, many, seed + start, HOURS, strained=False)
        began = np.zeros(many, int)
        for one in run(floor, [threshold_for(TEAM)]):
            began += one.episodes.began
        found += began.tolist()
    return found


def main() -> int:
    """Print one line per kind of calm."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--agents", type=int, default=0)
    parser.add_argument("--seed", type=int, default=4)
    options = parser.parse_args()
    n = options.agents or (16 if options.quick else 400)
    for name, kind in CALM_KINDS.items():
        alerts = false_alerts(kind, n, options.seed)
        shifts = [HOURS / SHIFT_H] * n
        rate = sum(alerts) / sum(shifts)
        line = {
            "id": f"R2.other_{name}",
            "value": round(rate, 3),
            "unit": "false alerts per agent-shift, before the budget",
            "peer": {"name": f"promised to a team of {TEAM}", "value": PROMISED},
            "ratio": round(rate / PROMISED, 2),
            "n": n,
            "ci95": [round(x, 3) for x in bootstrap_ratio_ci(alerts, shifts)],
            "words": kind.words,
            "detector_version": DETECTOR_VERSION,
        }
        print(json.dumps(line), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
