"""The figures of `wellbeing evaluate`: one entry per recording, and overall."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from analytics.evaluation import evaluate
from analytics.evaluation.evaluate import Judgement, Tally, Trace
from analytics.evaluation.intervals import rate_ci, share_ci
from analytics.scoring.detector import DETECTOR_VERSION
from analytics.scoring.episodes import threshold_for

SWEPT = tuple(float(x) for x in np.round(threshold_for(20) * np.geomspace(0.12, 2.5, 40), 3))
"""Thresholds of the operating curve, beside production's own."""

LEAST_COVERAGE = 0.5
"""Below this share of labelled time with a score, calm is rather unmeasured than calm."""


def report(
    traces: Sequence[Trace], team_size: int, progress: Callable[[float], None] | None = None
) -> dict[str, Any]:
    """Return everything that is told about `traces`, ready for JSON.

    Parameters
    ----------
    traces : sequence of Trace
        At least one.
    team_size : int
        Production's threshold is that of a team of this size.
    progress : callable, optional
        Told the share that is done.

    Returns
    -------
    dict
        ``overall`` and ``per_recording``; a figure that does not exist is
        ``None``, never 0.
    """
    threshold = threshold_for(team_size)
    thresholds = (threshold, *SWEPT)
    judged = evaluate.judge(traces, thresholds, progress)
    production = [one[0] for one in judged]
    rows = [_row(*pair) for pair in zip(traces, production, strict=True)]
    tallies = [evaluate.tally(t, j.alerts_s) for t, j in zip(traces, production, strict=True)]
    overall = {
        "recordings": len(traces),
        **_separation(traces, production),
        "coverage": mean(row["coverage"] for row in rows),
        **_at(traces, judged, 0),
        **_uncertainty(tallies),
        "team_size": team_size,
        "threshold": rounded(threshold),
        "detector_version": DETECTOR_VERSION,
        "operating_curve": [
            {"threshold": swept, **_at(traces, judged, k)} for k, swept in enumerate(SWEPT, start=1)
        ],
        "warnings": _warnings(rows),
    }
    return {"overall": overall, "per_recording": rows}


def _separation(traces: Sequence[Trace], production: Sequence[Judgement]) -> dict[str, Any]:
    """Return how far the score, and how far elapsed time alone, tells strained from calm."""
    pairs = [(t, j.score) for t, j in zip(traces, production, strict=True)]
    aucs = [evaluate.auc_of(*pair) for pair in pairs]
    matched = [evaluate.auc_time_matched(*pair) for pair in pairs]
    known = [value for value in aucs if np.isfinite(value)]
    return {
        "auc_mean": mean(aucs),
        "auc_median": rounded(float(np.median(known))) if known else None,
        "auc_ci95": [rounded(x) for x in evaluate.bootstrap_ci(aucs)],
        "auc_time_matched_mean": mean(matched),
        "auc_time_matched_ci95": [rounded(x) for x in evaluate.bootstrap_ci(matched)],
        "clock_auc_mean": mean(evaluate.auc_of(t, t.t_s) for t in traces),
        "clock_auc_time_matched_mean": mean(evaluate.auc_time_matched(t, t.t_s) for t in traces),
    }


def _uncertainty(tallies: Sequence[Tally]) -> dict[str, Any]:
    """Return the intervals over people, and how many of the alerts were right."""
    right = sum(one.right for one in tallies)
    alerts = right + sum(one.false_alerts for one in tallies)
    found = share_ci([one.found for one in tallies], [one.stretches for one in tallies])
    false = rate_ci([one.false_alerts for one in tallies], [one.calm_hours for one in tallies])
    return {
        "found_fraction_ci95": [rounded(x) for x in found],
        "false_alerts_per_hour_ci95": [rounded(x) for x in false],
        "right_of_alerts": rounded(right / alerts) if alerts else None,
    }


def _warnings(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return what a reader must know before believing the figures."""
    few = [row["name"] for row in rows if row["coverage"] < LEAST_COVERAGE]
    if not few:
        return []
    shown = ", ".join(few[:5]) + (f" and {len(few) - 5} more" if len(few) > 5 else "")
    warning = (
        f"coverage is below {LEAST_COVERAGE:g} in {len(few)} of {len(rows)} recordings ({shown}): "
        "without a score nothing can alert, yet their calm hours count; few false alerts there "
        "mean not measured rather than calm"
    )
    return [warning]


def _at(
    traces: Sequence[Trace], judged: Sequence[Sequence[Judgement]], k: int
) -> dict[str, float | None]:
    tallies = [evaluate.tally(t, j[k].alerts_s) for t, j in zip(traces, judged, strict=True)]
    point = _point(tallies)
    rate = point["false_alerts_per_hour"]
    chance = None if rate is None else rounded(evaluate.chance_found(traces, rate))
    return {**point, "chance_found_fraction": chance}


def _point(tallies: Sequence[Tally]) -> dict[str, float | None]:
    stretches = sum(one.stretches for one in tallies)
    found = sum(one.found for one in tallies)
    false_alerts = sum(one.false_alerts for one in tallies)
    hours = sum(one.calm_hours for one in tallies)
    delays = [delay for one in tallies for delay in one.delays_s]
    return {
        "found_fraction": rounded(found / stretches) if stretches else None,
        "false_alerts_per_hour": rounded(false_alerts / hours) if hours else None,
        "median_delay_s": float(np.median(delays)) if delays else None,
    }


def _row(one: Trace, judgement: Judgement) -> dict[str, Any]:
    counted = one.counted
    tally = evaluate.tally(one, judgement.alerts_s)
    return {
        "name": one.name,
        "duration_s": float(one.t_s[-1]),
        "auc": rounded(evaluate.auc_of(one, judgement.score)),
        "auc_time_matched": rounded(evaluate.auc_time_matched(one, judgement.score)),
        "coverage": rounded(float(np.isfinite(judgement.score[counted]).mean())),
        "stretches": tally.stretches,
        "found": tally.found,
        "false_alerts": tally.false_alerts,
        "calm_hours": rounded(tally.calm_hours),
        "delays_s": list(tally.delays_s),
        "alerts_s": judgement.alerts_s.tolist(),
        "skipped": one.skipped,
    }


def mean(values: Iterable[float]) -> float | None:
    """Return the mean of what is known, rounded; ``None`` where nothing is."""
    known = [value for value in values if value is not None and np.isfinite(value)]
    return rounded(float(np.mean(known))) if known else None


def rounded(value: float) -> float | None:
    """Return `value` with four digits, ``None`` for what does not exist."""
    return round(float(value), 4) if np.isfinite(value) else None
