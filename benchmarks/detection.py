"""D1, D2, D3, D3f: the strain score and the alerts on labelled recordings of people.

Reads ``../shared/data/strain`` beside the checkout, or the folder in
``WELLBEING_RECORDINGS``; without either the repository's synthetic fixtures,
on which the figures mean nothing and say so. The peer is the plain reference:
two signed deviations, added; for alerts the better of that and of its average
over a minute. Intervals are over people. What elapsed time alone
would score is printed beside: the schedule of a laboratory gives the label away.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.evaluation import evaluate
from analytics.evaluation.evaluate import Tally, Trace
from analytics.evaluation.report import SWEPT
from analytics.scoring.detector import DETECTOR_VERSION
from analytics.scoring.episodes import Episodes
from analytics.signals.features import FEATURE_INDEX, FEATURES, Part
from sensors.messages import WINDOW_S
from sensors.recording import read_recording

IDS = ("D1", "D2", "D3", "D3f")
ROOT = Path(__file__).resolve().parent.parent
SYNTHETIC = ROOT / "tests" / "fixtures" / "recordings"
Floats = NDArray[np.float64]

RATES = (1.0, 2.0)
FLOOR_RATE = 0.24
"""False alerts per person-hour where floors live."""

THEIRS = tuple(float(x) for x in np.round(np.geomspace(0.3, 4.0, 40), 3))
NEAR_S = 30.0
"""How finely the schedule of the other people is known. [s]"""


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


def average(x: Floats, seconds: float) -> Floats:
    """Return the running average of the values up to each one; NaN before the first."""
    out, now, share = np.full(len(x), np.nan), np.nan, 1.0 - np.exp(-WINDOW_S / seconds)
    for k, value in enumerate(x):
        if np.isfinite(value):
            now = value if np.isnan(now) else now + share * (value - now)
        out[k] = now
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


def calmer_reference(one: Trace) -> Floats:
    """Return the same averaged over a minute, of spreads that are given and not learnt."""
    rate = one.batch.values[:, FEATURE_INDEX["device_rate_bpm"]]
    skin = one.batch.values[:, FEATURE_INDEX["log_eda"]]
    off = (average(rate, 30.0) - exponential(rate, 3600.0)) / 4.0
    moist = (skin - exponential(skin, 600.0)) / 0.2
    return average(sum(np.clip(np.nan_to_num(z), -2, 2) for z in (off, moist)), 60.0)


def reference_alerts(one: Trace) -> list[Floats]:
    """Return when either reference alerts at each of `THEIRS`, through the same episodes."""
    return [*_alerts(one, reference(one)), *_alerts(one, calmer_reference(one))]


def _alerts(one: Trace, score: Floats) -> list[Floats]:
    n = len(THEIRS)
    episodes, rows = Episodes(), np.arange(n)
    episodes.ensure(n)
    began = np.zeros((n, len(score)), dtype=bool)
    for k, (t_s, value) in enumerate(zip(one.t_s, score, strict=True)):
        live = np.full(n, t_s >= evaluate.SCORED_FROM_S)
        found = episodes.step(
            rows, np.full(n, t_s), np.full(n, max(value, 0.0)), np.asarray(THEIRS), live
        )
        began[:, k] = found.began
    return [one.t_s[row] for row in began]


@dataclass(frozen=True)
class Point:
    """One threshold over all recordings."""

    tallies: list[Tally]

    @property
    def found(self) -> float:
        """Share of the strained stretches that were found."""
        return sum(x.found for x in self.tallies) / sum(x.stretches for x in self.tallies)

    @property
    def rate(self) -> float:
        """False alerts per hour."""
        return sum(x.false_alerts for x in self.tallies) / sum(x.calm_hours for x in self.tallies)

    @property
    def found_by_order(self) -> list[float]:
        """Share found of everybody's first stretch, of their second, and so on."""
        columns = zip_longest(*(x.hits for x in self.tallies))
        nth = ([hit for hit in hits if hit is not None] for hits in columns)
        return [sum(hits) / len(hits) for hits in nth]

    def facts(self, traces: Sequence[Trace]) -> dict[str, Any]:
        """Return what stands beside the found share."""
        delays = [delay for x in self.tallies for delay in x.delays_s]
        right = sum(x.right for x in self.tallies)
        alerts = right + sum(x.false_alerts for x in self.tallies)
        interval = evaluate.bootstrap_ratio_ci(
            [x.found for x in self.tallies], [x.stretches for x in self.tallies]
        )
        return {
            "found_ci95": [round(x, 3) for x in interval],
            "false_alerts_per_hour": round(self.rate, 3),
            "median_delay_s": float(np.median(delays)) if delays else None,
            "right_of_ten_alerts": round(10 * right / alerts, 1) if alerts else None,
            "found_by_order": [round(share, 4) for share in self.found_by_order],
            "chance": round(evaluate.chance_found(traces, self.rate), 3),
        }


def operating(
    traces: Sequence[Trace], alerts: Sequence[Sequence[Floats]], most_per_hour: float
) -> Point:
    """Return the threshold that finds most at no more false alerts than allowed.

    The highest threshold is taken if even that disturbs too often.
    """
    points = [
        Point([evaluate.tally(t, a[k]) for t, a in zip(traces, alerts, strict=True)])
        for k in range(len(alerts[0]))
    ]
    allowed = [point for point in points if point.rate <= most_per_hour]
    return max(allowed, key=lambda point: point.found, default=points[-1])


def without_skin(one: Trace) -> Trace:
    """Return the recording of somebody who wears no module: no skin, no movement."""
    batch = replace(
        one.batch, values=one.batch.values.copy(), moving=np.zeros_like(one.batch.moving)
    )
    batch.values[:, [i for i, f in enumerate(FEATURES) if f.part is Part.SKIN]] = np.nan
    return replace(one, batch=batch)


def schedule(traces: Sequence[Trace], k: int) -> Floats:
    """Return how many of the other people were strained at each moment of recording `k`."""
    t_s, score = traces[k].t_s, np.zeros(len(traces[k].t_s))
    for other in (one for i, one in enumerate(traces) if i != k):
        for start_s, end_s in other.stretches:
            score += (t_s > start_s - NEAR_S) & (t_s <= end_s + NEAR_S)
    return score


def confound(traces: Sequence[Trace], more: dict[str, Any]) -> None:
    """Print what elapsed time alone scores: monotone, and as the others' schedule."""
    for name, measure in (("D1", evaluate.auc_of), ("D2", evaluate.auc_time_matched)):
        elapsed = [measure(one, one.t_s) for one in traces]
        others = [measure(one, schedule(traces, k)) for k, one in enumerate(traces)]
        result = {
            "id": f"{name}.elapsed_time",
            "value": round(float(np.nanmean(elapsed)), 4),
            "unit": "AUC of elapsed time alone; lower says less",
            "peer": {
                "name": "schedule of the other people",
                "value": round(float(np.nanmean(others)), 4),
            },
            "ratio": None,
            "ci95": [round(x, 4) for x in evaluate.bootstrap_ci(elapsed)],
            **more,
        }
        print(json.dumps(result))


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


def separation(traces: Sequence[Trace], scores: Sequence[Floats], more: dict[str, Any]) -> None:
    """Print D1 and D2."""
    theirs = [reference(one) for one in traces]
    for name, measure in (("D1", evaluate.auc_of), ("D2", evaluate.auc_time_matched)):
        a = [measure(t, score) for t, score in zip(traces, scores, strict=True)]
        b = [measure(t, score) for t, score in zip(traces, theirs, strict=True)]
        interval = [round(x, 4) for x in evaluate.bootstrap_ci(a)]
        extra = {"ci95": interval, **paired(a, b), **more}
        line(name, float(np.nanmean(a)), "AUC", float(np.nanmean(b)), **extra)


def alerting(
    traces: Sequence[Trace], ours: Sequence[Sequence[Floats]], more: dict[str, Any]
) -> None:
    """Print D3 and D3f."""
    theirs = [reference_alerts(one) for one in traces]
    wanted = [*((f"D3.at{rate:g}", rate) for rate in RATES), ("D3f.with_skin", FLOOR_RATE)]
    for name, rate in wanted:
        mine, other = operating(traces, ours, rate), operating(traces, theirs, rate)
        unit = f"share found at <= {rate:g} false alerts/h"
        extra = {**mine.facts(traces), "peer_facts": other.facts(traces), **more}
        line(name, mine.found, unit, other.found, **extra)


def main() -> int:
    """Print D1, D2, D3, D3f and what elapsed time alone would score."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    where, kind = folder()
    paths = sorted(where.glob("*.csv*"))[: 5 if quick else None]
    traces = [evaluate.trace(read_recording(path)) for path in paths]
    more = {"n": len(traces), "recordings": kind, "detector_version": DETECTOR_VERSION}
    judged = evaluate.judge(traces, [*SWEPT, 1e9])
    separation(traces, [one[-1].score for one in judged], more)
    confound(traces, more)
    alerting(traces, [[at.alerts_s for at in one[:-1]] for one in judged], more)
    bare = [without_skin(one) for one in traces]
    judged = evaluate.judge(bare, SWEPT)
    mine = operating(bare, [[at.alerts_s for at in one] for one in judged], FLOOR_RATE)
    theirs = [reference_alerts(one) for one in bare]
    other = operating(bare, theirs, FLOOR_RATE)
    unit = f"share found at <= {FLOOR_RATE:g} false alerts/h, no module"
    extra = {**mine.facts(bare), "peer_facts": other.facts(bare), **more}
    line("D3f.without_skin", mine.found, unit, other.found, **extra)
    return 0


if __name__ == "__main__":
    sys.exit(main())
