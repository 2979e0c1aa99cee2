"""Draws the plots of the page about the detector and writes its tables.

``analytics/DETECTOR.md`` holds no figure that was typed in by hand: plots and
tables come from ``analytics/plots/figures.json``, which holds aggregates only.

    wellbeing bench D1 D4 R2 --json > results.jsonl
    python benchmarks/_detector_plots.py --bench results.jsonl --measure --write

``--bench`` takes the benchmarks' figures in, ``--measure`` measures the curves
and situations (some minutes), ``--write`` draws, and writes the tables and the
values of constants.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from _detector_tables import NAMES, TABLES, put, refresh_constants
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import chi2

from analytics.scoring.detector import DETECTOR_VERSION
from analytics.scoring.episodes import NULL_ALERTS_PER_TEAM_HOUR, NULL_CURVE, threshold_for
from sensors.errors import WellbeingError

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "analytics" / "DETECTOR.md"
PLOTS = ROOT / "analytics" / "plots"
FIGURES = PLOTS / "figures.json"

Facts = dict[str, Any]
_STYLE = {
    "svg.hashsalt": "wellbeing",
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "path.simplify": True,
}
_DARK, _MID, _LIGHT = "#111111", "#5a5a5a", "#dddddd"
_OVER = {"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.75}
"""Under words that lie on lines."""

_MOST_RATE = 6.0
"""False alerts per hour at which a curve ends. [1/h]"""


def operating_curve(facts: Facts) -> Figure:
    """Found against false alerts per hour: people on the left, simulated on the right."""
    figure = Figure(figsize=(7.6, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    people, floor = facts["people"], facts["floor_curve"]
    _curve(left, people, f"{people['n']} people, {people['stretches']} stretches (Stress-Predict)")
    reference = _front(people["reference"])
    _steps(left, reference, "--", color=_MID, lw=1.2)
    _say(left, reference, 3.0, "plain reference")
    _curve(right, floor, f"simulated floor: {floor['n']} agents, {floor['episodes']} episodes")
    left.set_ylabel("share found")
    return figure


def _front(points: Sequence[Facts]) -> list[tuple[float, float]]:
    """Return the most that is found at each rate or below."""
    best, front = 0.0, []
    for rate, found in sorted((one["rate"], one["found"]) for one in points):
        if found > best or not front:
            best = max(best, found)
            front.append((rate, best))
    return front


def _curve(axes: Axes, facts: Facts, title: str) -> None:
    ours = _front(facts["curve"])
    random = sorted((one["rate"], one["chance"]) for one in facts["curve"])
    _steps(axes, ours, "-", color=_DARK, lw=1.4)
    axes.plot(*zip(*ours, strict=True), "o", color=_DARK, ms=2.5, clip_on=False)
    axes.plot(*zip(*random, strict=True), ":", color=_DARK, lw=1.4)
    mine = facts["production"]
    at = ([mine["rate"]], [mine["found"]])
    axes.plot(*at, "D", color=_DARK, ms=8, mfc="white", mew=1.5, clip_on=False, zorder=5)
    axes.annotate(
        "production, team of 20",
        (mine["rate"], mine["found"]),
        (9, -3),
        textcoords="offset points",
        bbox=_OVER,
    )
    _say(axes, ours, 0.5, "this detector")
    _say(axes, random, 0.4, "alerts at random", below=True)
    axes.set_xscale("symlog", linthresh=0.05)
    axes.set_xlim(0.0, _MOST_RATE)
    axes.set_ylim(-0.03, 1.0)
    axes.set_xticks([0, 0.05, 0.25, 1, 5], ["0", "0.05", "0.25", "1", "5"])
    axes.set_xlabel("false alerts per hour of one agent")
    axes.set_title(title, fontsize=9)
    axes.grid(color=_LIGHT, lw=0.5)


def _steps(axes: Axes, front: Sequence[tuple[float, float]], style: str, **how: Any) -> None:
    """Draw a front to the edge: what is found at some rate is found at every higher one."""
    line = [*front, (_MOST_RATE, front[-1][1])]
    axes.plot(*zip(*line, strict=True), style, drawstyle="steps-post", **how)


def _say(
    axes: Axes, line: Sequence[tuple[float, float]], at: float, words: str, *, below: bool = False
) -> None:
    """Write `words` beside the point of `line` whose rate is nearest to `at`."""
    spot = min(line, key=lambda point: abs(point[0] - at))
    place = (6, -11) if below else (-6, 6)
    axes.annotate(
        words,
        spot,
        place,
        textcoords="offset points",
        ha="left" if below else "right",
        color=_DARK,
    )


def one_shift(facts: Facts) -> Figure:
    """Evidence and strain index over a simulated shift with one episode."""
    shift = facts["shift"]
    t_h, alert_h = np.array(shift["t_h"]), shift["alerts_h"][0]
    figure = Figure(figsize=(7.6, 4.4), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    start, full, release, end = shift["corners_h"]
    for axes in (top, bottom):
        axes.axvspan(start, end, color="#ececec", lw=0)
        axes.axvspan(full, release, color="#d0d0d0", lw=0)
        axes.axvline(alert_h, color=_DARK, ls="--", lw=1.2)
    top.plot(t_h, np.array(shift["evidence"], float), color=_DARK, lw=0.8)
    top.axhline(shift["threshold"], color=_MID, ls="-.", lw=1.2)
    top.text(0.02, shift["threshold"] + 0.06, "threshold, team of 20", color=_DARK)
    top.set_ylim(0.0, 1.25 * max(shift["threshold"], np.nanmax(np.array(shift["evidence"], float))))
    high = top.get_ylim()[1]
    side = "right" if alert_h > 4.0 else "left"
    top.text(
        alert_h, 0.93 * high, f" alert {60 * (alert_h - start):.0f} min after the start ", ha=side
    )
    top.set_title("light grey: strain rises or falls; dark grey: full intensity", fontsize=9)
    top.set_ylabel("evidence [spreads]")
    bottom.plot(t_h, np.array(shift["index"], float), color=_DARK, lw=0.6)
    bottom.axhline(50.0, color=_MID, ls=":", lw=1.0)
    bottom.set_ylim(0.0, 100.0)
    bottom.set_ylabel("strain index")
    bottom.set_xlabel("hours since the start of the shift (gaps: breaks)")
    bottom.set_xlim(0.0, 8.0)
    return figure


def null_curve(facts: Facts) -> Figure:
    """Alerts per agent-hour on calm simulated days against the threshold."""
    figure = Figure(figsize=(7.0, 3.8), layout="constrained")
    axes = figure.subplots()
    hours = facts["null_curve"]["agent_hours"]
    measured = [(t, rate) for t, rate in facts["null_curve"]["points"] if rate > 0]
    thresholds, rates = zip(*NULL_CURVE, strict=True)
    axes.plot(thresholds, rates, "-", color=_DARK, lw=1.4)
    axes.errorbar(
        *zip(*measured, strict=True),
        yerr=np.transpose([_poisson(rate, hours) for _, rate in measured]),
        fmt="o",
        color=_DARK,
        mfc="white",
        ms=5,
        lw=1,
        capsize=2,
        zorder=4,
    )
    axes.annotate("curve in the code", NULL_CURVE[3], (10, 4), textcoords="offset points")
    axes.annotate(
        f"measured anew, {hours:,} agent-hours",
        measured[1],
        (12, 4),
        textcoords="offset points",
    )
    for size in (1, 5, 20, 50):
        limit, threshold = NULL_ALERTS_PER_TEAM_HOUR / size, threshold_for(size)
        axes.plot([0.0, threshold, threshold], [limit, limit, 1e-3], ":", color=_MID, lw=1.0)
        words = f"team of {size}: {limit:g}/h each, at {threshold:.2f}"
        axes.text(0.02, 1.08 * limit, words, fontsize=8)
    axes.set_yscale("log")
    axes.set_xlim(0.0, 3.3)
    axes.set_ylim(1e-3, 5.0)
    axes.set_xlabel("threshold [spreads]")
    axes.set_ylabel("alerts per agent-hour, nothing the matter")
    return figure


def _poisson(rate: float, hours: float) -> tuple[float, float]:
    """Return how far the 95 % interval reaches below and above a rate that was counted."""
    count = round(rate * hours)
    low, high = chi2.ppf(0.025, 2 * count) / 2, chi2.ppf(0.975, 2 * count + 2) / 2
    return rate - low / hours, high / hours - rate


def parts(facts: Facts) -> Figure:
    """AUC of every part alone and of all together, with intervals over people."""
    figure = Figure(figsize=(7.0, 3.2), layout="constrained")
    axes = figure.subplots()
    names = [name for name in NAMES if name in facts["floor_parts"]]
    rows = (
        (facts["people"]["parts"], "auc", -0.2, "o", _DARK, "people"),
        (facts["people"]["parts"], "matched", 0.0, "s", "white", "people, elapsed time matched"),
        (facts["floor_parts"], "auc", 0.2, "^", _MID, "simulated floor"),
    )
    for source, figure_name, off, mark, face, words in rows:
        known = [(i, source[n][figure_name]) for i, n in enumerate(names) if n in source]
        where = [i + off for i, _ in known]
        means = [one["mean"] for _, one in known]
        sides = np.array(
            [[m - x["ci95"][0], x["ci95"][1] - m] for m, (_, x) in zip(means, known, strict=True)]
        )
        axes.errorbar(
            means,
            where,
            xerr=sides.T,
            fmt=mark,
            color=_DARK,
            mfc=face,
            ms=6,
            capsize=2,
            lw=1,
            label=words,
        )
    axes.axvline(0.5, color=_MID, ls=":")
    axes.text(0.502, -0.62, "chance", fontsize=8)
    axes.set_yticks(range(len(names)), [NAMES[name] for name in names])
    axes.set_ylim(len(names) - 0.5, -0.75)
    axes.set_xlim(0.45, 0.95)
    axes.set_xlabel("chance that a strained moment scores higher than a calm one (AUC)")
    figure.legend(loc="outside upper center", ncols=3, frameon=False, fontsize=8)
    return figure


DRAWN: dict[str, tuple[Callable[[Facts], Figure], str, str]] = {
    "operating_curve": (
        operating_curve,
        "Share of strain found against false alerts per hour",
        (
            "Two panels, people and simulated floor. A solid line with dots rises from bottom left: the"
            " more false alerts are allowed, the more is found. A dotted line below it: alerts at"
            " random. A diamond: the threshold in use for a team of 20."
        ),
    ),
    "one_shift": (
        one_shift,
        "Evidence and strain index over one simulated shift",
        (
            "Evidence wanders below the threshold and crosses it during the shaded episode; a dashed"
            " line marks the alert. Below, the strain index."
        ),
    ),
    "null_curve": (
        null_curve,
        "Alerts per agent-hour against the threshold when nothing is the matter",
        (
            "A falling line, measured points with 95 % intervals on or below it; dotted lines lead from"
            " what a team may see to its threshold: bigger teams, higher thresholds."
        ),
    ),
    "parts": (
        parts,
        "How well each part alone separates strained from calm moments",
        (
            "One row per part with means and 95 % intervals over people; all parts together lie"
            " highest."
        ),
    ),
}


def draw(facts: Facts, folder: Path) -> None:
    """Draw every plot into `folder`: the same facts give the same bytes."""
    folder.mkdir(exist_ok=True)
    for name, (function, title, words) in DRAWN.items():
        with mpl.rc_context(_STYLE):
            path = folder / f"{name}.svg"
            function(facts).savefig(path, metadata={"Date": None, "Creator": None, "Title": title})
        drawn = path.read_text(encoding="utf-8")
        mark = f"<title>{title}</title>"
        if mark not in drawn:
            raise RuntimeError(f"{path.name} has no title: matplotlib writes it elsewhere now")
        drawn = drawn.replace(mark, f"{mark}\n <desc>{words}</desc>", 1)
        lines = [line.rstrip() for line in drawn.splitlines()]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def take_in(facts: Facts, path: Path) -> None:
    """Put the lines of a benchmark's output into `facts`, by their id."""
    for text in path.read_text(encoding="utf-8").splitlines():
        if text.strip():
            line = json.loads(text)
            facts.setdefault("bench", {})[line["id"]] = line


def main() -> int:
    """Take in, measure, write: whatever is asked for, in this order."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bench", type=Path, help="JSON lines of `wellbeing bench --json`")
    parser.add_argument("--measure", action="store_true", help="measure curves and situations")
    parser.add_argument("--agents", type=int, default=240, help="simulated agents to measure")
    parser.add_argument("--write", action="store_true", help="draw the plots, write the tables")
    options = parser.parse_args()
    facts = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    if options.bench:
        take_in(facts, options.bench)
    if options.measure:
        from _detector_measure import measure  # noqa: PLC0415 - drawing alone needs none of it

        facts |= measure(options.agents)
    if options.bench or options.measure:
        today = datetime.now(UTC).date().isoformat()
        facts |= {"measured_on": today, "detector_version": DETECTOR_VERSION}
        FIGURES.parent.mkdir(exist_ok=True)
        FIGURES.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    if options.write:
        draw(facts, PLOTS)
        page = refresh_constants(PAGE.read_text(encoding="utf-8"))
        for name, table in TABLES.items():
            page = put(page, name, table(facts))
        PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except WellbeingError as error:
        sys.exit(f"error: {error}")
