"""D4.other: the hard case of D4 on floors that are not our simulation's.

A detector that is good only on its authors' own simulation is good for nobody.
Each line is one way in which a floor could be; ours beside a directional CUSUM,
each at the threshold that finds most at no more than a quarter of a false
alert per agent-shift on that very floor, everybody's walking known.
"""

from __future__ import annotations

import argparse
import json
import sys

import numpy as np
from _floor_peers import PEERS
from _other_floors import KINDS, make
from simulated_floor import MOST_PER_SHIFT, TEAM, best, facts, ours, theirs

from analytics.scoring.detector import DETECTOR_VERSION
from analytics.scoring.episodes import threshold_for

IDS = ("D4.other",)

PEER = "directional CUSUM"
SHARES = np.geomspace(0.3, 1.8, 16)


def main() -> int:
    """Print one line per kind of floor."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--agents", type=int, default=0)
    parser.add_argument("--seed", type=int, default=4)
    options = parser.parse_args()
    n, production = options.agents or (8 if options.quick else 160), threshold_for(TEAM)
    for name, kind in KINDS.items():
        floor = make(kind, n, options.seed)
        mine = ours(floor, [production, *(float(x) for x in production * SHARES)])
        other = facts(best(theirs(floor, PEERS[PEER](floor), 24)))
        value = facts(best(mine))
        line = {
            "id": f"D4.other_{name}",
            "value": value["found"],
            "unit": f"share of episodes found at <= {MOST_PER_SHIFT} false alerts per agent-shift",
            "peer": {"name": PEER, "value": other["found"]},
            "ratio": round(value["found"] / other["found"], 2) if other["found"] else None,
            "n": n,
            "episodes": len(floor.episodes),
            "words": kind.words,
            "ours": value,
            f"production_team_of_{TEAM}": facts(mine[0]),
            "peer_facts": other,
            "detector_version": DETECTOR_VERSION,
        }
        print(json.dumps(line), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
