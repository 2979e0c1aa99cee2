"""D1, D2, D3: the strain score and the alerts on labelled recordings of people.

Reads ``../shared/data/strain`` beside the checkout, or the folder in
``WELLBEING_RECORDINGS``; without either the repository's synthetic fixtures,
on which the figures mean nothing and say so. The peer is the plain reference:
two signed deviations, added.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics import evaluate
from analytics.episodes import Episodes
from analytics.evaluate import Trace
from analytics.features import FEATURE_INDEX
from sensors.messages import WINDOW_S
from sensors.recording import read_recording

IDS = ("D1", "D2", "D3")
ROOT = Path(__file__).resolve().parent.parent
SYNTHETIC = ROOT / "tests" / "fixtures" / "recordings"
Floats = NDArray[np.float64]

RATES = (1.0, 2.0)
SWEPT = [float(x) for x in np.round(np.geomspace(0.3, 4.0, 40), 3)]


def folder() -> tuple[Path, str]:
    """Return where the recordings are, and what they are."""
    named = os.environ.get("WELLBEING_RECORDINGS")
    shared = ROOT.parent / "shared" / "data" / "strain"
    if named:
        return Path(named), "people"
    return (shared, "people") if shared.is_dir() else (SYNTHETIC, "synthetic")


def exponential(x: Floats, horizon_s: float) -> Floats:
    """Return the exponential mean of the values before each one; NaN before the first."""
    out, mean, seconds = np.full(len(x), np.nan), np.nan, 0.0
    for k, value in enumerate(x):
        out[k] = mean
        if np.isfinite(value):
            seconds = seconds * np.exp(-WINDOW_S / horizon_s) + WINDOW_S
            mean = value if np.isnan(mean) else mean + WINDOW_S / seconds * (value - mean)
    return out


def deviation(x: Floats, horizon_s: float, floor: float) -> Floats:
    """Return how many spreads each value lies above its own past, squashed to 2."""
    off = x - exponential(x, horizon_s)
    spread = np.sqrt(np.nan_to_num(exponential(off**2, horizon_s)))
    return np.clip(np.nan_to_num(off / np.maximum(spread, floor)), -2, 2)


def reference(one: Trace) -> Floats:
    """Return the two-signal reference: device heart rate and log skin conductance."""
    rate = one.batch.values[:, FEATURE_INDEX["device_rate_bpm"]]
    skin = one.batch.values[:, FEATURE_INDEX["log_eda"]]
    return deviation(rate, 3600.0, 4.0) + deviation(skin, 600.0, 0.2)


def reference_alerts(one: Trace, score: Floats, thresholds: Sequence[float]) -> list[Floats]:
    """Return when the reference alerts, through the same episodes."""
    n = len(thresholds)
    episodes, rows = Episodes(), np.arange(n)
    episodes.ensure(n)
    began = np.zeros((n, len(score)), dtype=bool)
    for k, (t_s, value) in enumerate(zip(one.t_s, score, strict=True)):
        live = np.full(n, t_s >= evaluate.SCORED_FROM_S)
        found = episodes.step(
            rows, np.full(n, t_s), np.full(n, max(value, 0.0)), np.asarray(thresholds), live
        )
        began[:, k] = found.began
    return [one.t_s[row] for row in began]


def operating(
    traces: Sequence[Trace], alerts: Sequence[Sequence[Floats]], most_per_hour: float
) -> tuple[float, float, float]:
    """Return found fraction, false alerts per hour and median delay at the best point allowed."""
    best = (0.0, 0.0, float("nan"))
    for k in range(len(SWEPT)):
        tallies = [evaluate.tally(t, a[k]) for t, a in zip(traces, alerts, strict=True)]
        rate = sum(x.false_alerts for x in tallies) / sum(x.calm_hours for x in tallies)
        found = sum(x.found for x in tallies) / sum(x.stretches for x in tallies)
        if rate <= most_per_hour and found > best[0]:
            delays = [delay for x in tallies for delay in x.delays_s]
            best = (found, rate, float(np.median(delays)))
    return best


def paired(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, Any]:
    """Return the gain over people with its 95 % bootstrap interval."""
    gain = [a - b for a, b in zip(ours, theirs, strict=True)]
    return {"gain": float(np.mean(gain)), "gain_ci95": list(evaluate.bootstrap_ci(gain))}


def line(name: str, value: float, unit: str, other: float, **more: Any) -> None:
    """Print one result beside the reference's."""
    print(
        json.dumps(
            {
                "id": name,
                "value": round(value, 4),
                "unit": unit,
                "peer": {"name": "two-signal reference", "value": round(other, 4)},
                "ratio": round(value / other, 3) if other else None,
                **more,
            }
        )
    )


def main() -> int:
    """Print D1, D2 and D3."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    where, kind = folder()
    paths = sorted(where.glob("*.csv*"))[: 5 if quick else None]
    traces = [evaluate.trace(read_recording(path)) for path in paths]
    judged = evaluate.judge(traces, [*SWEPT, 1e9])
    theirs = [reference(one) for one in traces]
    more = {"n": len(traces), "recordings": kind}
    for name, measure in (("D1", evaluate.auc_of), ("D2", evaluate.auc_time_matched)):
        a = [measure(t, j[-1].score) for t, j in zip(traces, judged, strict=True)]
        b = [measure(t, score) for t, score in zip(traces, theirs, strict=True)]
        line(name, float(np.mean(a)), "AUC", float(np.mean(b)), **paired(a, b), **more)
    our_alerts = [[one.alerts_s for one in j[:-1]] for j in judged]
    their_alerts = [reference_alerts(t, s, SWEPT) for t, s in zip(traces, theirs, strict=True)]
    for rate in RATES:
        found, at, delay = operating(traces, our_alerts, rate)
        other, _, other_delay = operating(traces, their_alerts, rate)
        line(
            f"D3.at{rate:g}",
            found,
            f"share found at <= {rate:g} false alerts/h",
            other,
            false_alerts_per_hour=round(at, 3),
            median_delay_s=delay,
            peer_median_delay_s=other_delay,
            chance=round(evaluate.chance_found(traces, at), 3),
            **more,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
