"""R2: personal alerts when nothing is the matter, for teams of 10, 20 and 50.

Simulated agents without any episode, whole shifts, through the service's own
features, detector and episodes. ``--curve`` prints alerts per agent-hour at a
range of thresholds instead: `threshold_for` is derived from that.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from datetime import UTC, datetime

import numpy as np

from analytics.episodes import NULL_ALERTS_PER_TEAM_HOUR, threshold_for
from analytics.evaluate import Trace, judge
from analytics.windows import FeatureBatch, FeatureWindows
from sensors.messages import WINDOW_S
from sensors.recording import LabelTrack, Recording, Series, windows
from sensors.signals import SIGNALS
from sensors.simulated import Simulation

IDS = ("R2",)
TEAMS = (10, 20, 50)
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


def rates(traces: list[Trace], thresholds: list[float]) -> list[float]:
    """Return alerts per agent-hour at each threshold."""
    judged = judge(traces, thresholds)
    hours = sum(float(one.t_s[-1]) for one in traces) / 3600
    return [sum(len(one[k].alerts_s) for one in judged) / hours for k in range(len(thresholds))]


def main() -> int:
    """Print one JSON object per team size, or the curve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--curve", action="store_true")
    parser.add_argument("--agents", type=int, default=0)
    parser.add_argument("--hours", type=float, default=8.0)
    options = parser.parse_args()
    n = options.agents or (4 if options.quick else 40)
    hours = min(options.hours, 2.0) if options.quick else options.hours
    traces = [trace(simulated(seed, hours)) for seed in range(n)]
    if options.curve:
        swept = [round(0.5 + 0.1 * k, 1) for k in range(20)]
        for threshold, rate in zip(swept, rates(traces, swept), strict=True):
            print(json.dumps({"threshold": threshold, "alerts_per_agent_hour": rate}))
        return 0
    thresholds = [threshold_for(size) for size in TEAMS]
    for size, rate in itertools.zip_longest(TEAMS, rates(traces, thresholds)):
        line = {
            "id": f"R2.team{size}",
            "value": rate * size,
            "unit": "alerts per team-hour",
            "peer": {"name": "ceiling", "value": NULL_ALERTS_PER_TEAM_HOUR},
            "ratio": rate * size / NULL_ALERTS_PER_TEAM_HOUR,
            "n": round(n * hours),
        }
        print(json.dumps(line))
    return 0


if __name__ == "__main__":
    sys.exit(main())
