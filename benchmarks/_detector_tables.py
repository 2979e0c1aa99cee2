"""The tables of the page about the detector: figures that were measured, and numbers of the code."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.special import expit

from analytics.evaluation.simulated import SHIFT_H
from analytics.scoring import fusion
from analytics.scoring.episodes import NULL_ALERTS_PER_TEAM_HOUR, threshold_for
from analytics.signals.features import FEATURES, PARTS, Part

Facts = dict[str, Any]

NAMES = {
    "heart": "heart",
    "skin": "skin",
    "typing": "typing",
    "pointer": "pointer",
    "voice": "voice",
    "all": "all together",
}
SIZES = (1, 5, 10, 20, 50, 100)


def put(page: str, name: str, table: str) -> str:
    """Return `page` with `table` between the markers of `name`.

    Raises
    ------
    ValueError
        If the markers are not there exactly once.
    """
    begin, end = f"<!-- {name}: written by benchmarks/_detector_plots.py -->", f"<!-- /{name} -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    written, times = pattern.subn(lambda _: f"{begin}\n{table}\n{end}", page)
    if times != 1:
        raise ValueError(f"the page has {times} places for the table {name}; expected 1")
    return written


def refresh_constants(page: str) -> str:
    """Return `page` with the code's value of every constant of `analytics.scoring` that has a row.

    Raises
    ------
    AttributeError
        If the code has no such constant any more.
    """

    def row(found: re.Match[str]) -> str:
        module, name = found[1].split(".")
        value = getattr(importlib.import_module(f"analytics.scoring.{module}"), name)
        return f"| `{found[1]}` | {value:.7g} |"

    return re.sub(r"^\| `(\w+\.[A-Z][A-Z0-9_]+)` \| [^|]+ \|", row, page, flags=re.MULTILINE)


def _rows(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _with(value: float | None, interval: Sequence[float] | None, digits: int = 2) -> str:
    """Return a figure with its interval, a dash for what does not exist."""
    if value is None:
        return "-"
    text = f"{value:.{digits}f}"
    if interval is None:
        return text
    return f"{text} ({interval[0]:.{digits}f} to {interval[1]:.{digits}f})"


def _delay(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds / 60:.1f} min"


def measured(facts: Facts) -> str:
    """Return when, with what and on whom."""
    people, floor = facts["people"], facts["floor_curve"]
    return (
        f"Measured on {facts['measured_on']}, detector version {facts['detector_version']}: "
        f"{people['n']} people ({people['stretches']} strained stretches, "
        f"{people['calm_hours']:.1f} h of calm time) and a simulated floor "
        f"({floor['n']} agents, 8 h each, {floor['episodes']} episodes)."
    )


def summary(facts: Facts) -> str:
    """Return the three sentences that matter most."""
    people, whole = facts["people"]["production"], facts["floor_curve"]
    floor, lab = whole["production"], facts["bench"]["D3f.with_skin"]
    right, wrong = floor["found"] * whole["episodes"], 8.0 * floor["rate"] * whole["n"]
    return (
        f"At the threshold in use for a team of 20 it found **{100 * people['found']:.0f} in 100** "
        f"strained stretches in the laboratory, with {people['rate']:.2f} false alerts per hour, "
        f"and **{100 * floor['found']:.0f} in 100** on the simulated floor, where strain shows "
        f"weakly and not in every channel, with {8 * floor['rate']:.2f} false alerts per agent and "
        f"shift. **Most strain is not found: no alert does not mean that all is well.** Of ten "
        f"alerts, {lab['right_of_ten_alerts']:.0f} were right in the laboratory (at "
        f"{lab['false_alerts_per_hour']:.2f} false ones an hour) and "
        f"{10 * right / (right + wrong):.0f} on the simulated floor, where everybody is strained "
        f"about once a shift; where strain is rarer, fewer are.\n\n{_promise(facts['bench'])}"
    )


def _promise(bench: Facts) -> str:
    """Return where the agreed false-alert rate is kept, and where it is not."""
    others = _calm_lines(bench)
    values = [line["value"] for line in others]
    over = sum(value > others[0]["peer"]["value"] for value in values)
    return (
        f"**The agreed rate of false alerts is kept on our own simulation's calm days, and not "
        f"everywhere.** A team of 20 is promised at most {others[0]['peer']['value']:.2f} per agent "
        f"and shift. There it was {_own_calm(bench):.2f}; on {len(others)} floors that are calm in "
        f"other ways it was {min(values):.2f} to {max(values):.2f}, more than promised on {over} of "
        f"them ([which](#when-nothing-is-the-matter)). There the alert budget holds, not the threshold."
    )


def _calm_lines(bench: Facts) -> list[Facts]:
    return [line for name, line in bench.items() if name.startswith("R2.other_")]


def _own_calm(bench: Facts) -> float:
    """Return the false alerts per agent-shift of a team of 20 in our own simulation."""
    return SHIFT_H * float(bench["R2.team20"]["value"]) / 20


def calm(facts: Facts) -> str:
    """Return how often calm floors unlike our simulation's are disturbed."""
    lines = _calm_lines(facts["bench"])
    promised = _with(lines[0]["peer"]["value"], None)
    rows = [["our own simulation's calm days", _with(_own_calm(facts["bench"]), None), promised]]
    rows += [[one["words"], _with(one["value"], one["ci95"]), promised] for one in lines]
    head = (
        "what calm is like there",
        "false alerts per agent-shift, before the budget (95 % over agents)",
        "promised, at most",
    )
    return f"{lines[0]['n']} agents each, 8 h, a team of 20's threshold.\n\n{_rows(head, rows)}"


def _by_task(one: Facts) -> list[str]:
    """Return the row of what was found of each task, which come in one order for everybody."""
    ours, theirs = (
        " / ".join(f"{share:.2f}" for share in found["found_by_order"])
        for found in (one, one["peer_facts"])
    )
    what = "found at ≤ 1: Stroop (6 min) / interview (10 min) / hyperventilation (2 min)"
    return [what, ours, theirs, "-", "-", "-", "-"]


def people(facts: Facts) -> str:
    """Return what was found on the recordings."""
    bench, rows = facts["bench"], []
    for name, what in (
        ("D1", "tells strained from calm (AUC)"),
        ("D2", "the same, elapsed time matched"),
    ):
        one, time = bench[name], bench[f"{name}.elapsed_time"]
        chance = (
            f"0.50; the clock {time['value']:.2f}; the others' schedule {time['peer']['value']:.2f}"
        )
        rows.append(
            [
                what,
                _with(one["value"], one["ci95"]),
                f"{one['peer']['value']:.2f}; gain {_with(one['gain'], one['gain_ci95'])}",
                chance,
                "-",
                "-",
                "-",
            ]
        )
    for name, what in (
        ("D3.at1", "found at ≤ 1 false alert per hour"),
        ("D3.at2", "found at ≤ 2"),
        ("D3f.with_skin", "found at ≤ 0.24"),
        ("D3f.without_skin", "found at ≤ 0.24, no module worn"),
    ):
        one = bench[name]
        rows.append(
            [
                what,
                _with(one["value"], one["found_ci95"]),
                f"{one['peer']['value']:.2f}",
                f"{one['chance']:.2f}",
                f"{one['false_alerts_per_hour']:.2f}",
                _delay(one["median_delay_s"]),
                f"{one['right_of_ten_alerts']:.1f}",
            ]
        )
    rows.append(_by_task(bench["D3.at1"]))
    head = (
        "", "this detector (95 % over people)", "plain reference", "chance",
        "false alerts/h", "median delay", "right of ten alerts",
    )  # fmt: skip
    return _rows(head, rows)


def floor(facts: Facts) -> str:
    """Return what was found on the simulated floor, beside others."""
    rows = []
    for name, where in (
        ("D4.found", "as it is"),
        ("D4.found_movement_known", "if everybody's walking were known"),
    ):
        line = facts["bench"][name]
        methods = [
            ("this detector, best threshold", line["ours"]),
            ("this detector, threshold of a team of 20", line["production_team_of_20"]),
            *line["peers"].items(),
        ]
        rows += [
            [
                where,
                what,
                _with(one["found"], one["found_ci95"]),
                f"{one['found_of_reachable']:.2f}",
                f"{one['before_full']:.2f}",
                _delay(one["median_delay_s"]),
                _with(one["false_per_shift"], None),
            ]
            for what, one in methods
        ]
    head = (
        "floor", "method", "found (95 % over agents)", "of the reachable",
        "of the found, before full intensity", "median delay", "false alerts per agent-shift",
    )  # fmt: skip
    n, episodes = facts["bench"]["D4.found"]["n"], facts["bench"]["D4.found"]["episodes"]
    return f"{n} agents, {episodes} episodes.\n\n{_rows(head, rows)}"


def others(facts: Facts) -> str:
    """Return what was found on floors that are not our simulation's, beside a CUSUM."""
    lines = [line for name, line in facts["bench"].items() if name.startswith("D4.other_")]
    rows = [
        [
            line["words"],
            _with(line["value"], line["ours"]["found_ci95"]),
            _with(line["peer"]["value"], line["peer_facts"]["found_ci95"]),
            f"{line['ours']['before_full']:.2f}; {line['peer_facts']['before_full']:.2f}",
            _with(mine["found"], None),
            _with(mine["false_per_shift"], None),
        ]
        for line in lines
        for mine in (line["production_team_of_20"],)
    ]
    head = (
        "what the floor is like", "this detector, best threshold (95 % over agents)",
        "directional CUSUM, best threshold", "before full intensity, of each one's found",
        "this detector, threshold of a team of 20", "its false alerts per agent-shift",
    )  # fmt: skip
    n, episodes = lines[0]["n"], sorted({line["episodes"] for line in lines})
    many = " to ".join(str(x) for x in dict.fromkeys((episodes[0], episodes[-1])))
    return f"{n} agents each, {many} episodes.\n\n{_rows(head, rows)}"


def null(facts: Facts) -> str:
    """Return what a calm team is disturbed by."""
    rows = []
    for name, what in (
        ("R2.team10", "10"),
        ("R2.team20", "20"),
        ("R2.team50", "50"),
        ("R2.day_offset", "20, three in ten far off all second day"),
    ):
        one = facts["bench"][name]
        rows.append(
            [
                what,
                f"{one['value']:.2f}",
                f"{one['peer']['value']:g}",
                f"{one['told_per_team_hour']:.2f}",
                f"{one['most_told_in_an_hour']} of {one['ceiling']}",
                f"{one['agent_hours']:,}",
            ]
        )
    head = (
        "team of", "alerts per team-hour before the budget", "allowed",
        "told per team-hour", "most in any hour", "agent-hours",
    )  # fmt: skip
    return _rows(head, rows)


def parts(facts: Facts) -> str:
    """Return how well each part separates by itself."""
    people, floor, rows = facts["people"]["parts"], facts["floor_parts"], []
    for name, words in NAMES.items():
        cells = [words]
        for source, kind in ((people, "auc"), (people, "matched"), (floor, "auc")):
            one = source.get(name, {}).get(kind)
            cells.append(
                "not measured"
                if one is None
                else f"{_with(one['mean'], one['ci95'])}, n = {one['n']}"
            )
        rows.append(cells)
    return _rows(("part", "people", "people, elapsed time matched", "simulated floor"), rows)


def thresholds(_facts: Facts) -> str:
    """Return the threshold of teams of several sizes."""
    rows = []
    for size in SIZES:
        rate = NULL_ALERTS_PER_TEAM_HOUR / size
        rows.append([f"{size}", f"{8 * rate:.2f}", f"{threshold_for(size):.2f}"])
    return _rows(("team of", "false alerts allowed per agent-shift of 8 h", "threshold"), rows)


def situations(facts: Facts) -> str:
    """Return what becomes of finding and disturbing in each simulated situation."""
    rows = [
        [
            one["words"],
            _with(one["found"], one["found_ci95"]),
            _with(one["chance"], None),
            _delay(one["median_delay_s"]),
            _with(one["false_per_shift"], one["false_ci95"]),
        ]
        for one in facts["situations"].values()
    ]
    head = (
        "what is different", "found (95 % over agents)", "chance", "median delay",
        "false alerts per agent-shift (95 %)",
    )  # fmt: skip
    return _rows(head, rows)


def features(_facts: Facts) -> str:
    """Return what is scored, with every number of it."""
    rows = [
        [
            f"`{one.name}`",
            one.part.value,
            "rises" if one.sign > 0 else "falls",
            f"{one.weight:g}",
            f"{one.horizon_s / 60:g}",
            f"{one.scale:g}",
            f"{one.floor:g}",
            one.unit,
        ]
        for one in FEATURES
        if one.weight > 0
    ]
    head = ("feature", "part", "under strain", "share", "horizon [min]", "spread", "floor", "unit")
    return _rows(head, rows)


EXAMPLES: dict[str, dict[Part, float]] = {
    "all as usual": dict.fromkeys(PARTS, 0.0),
    "heart +2, no other known": {Part.HEART: 2.0},
    "heart +2, skin +2": {Part.HEART: 2.0, Part.SKIN: 2.0},
    "heart +2, skin -2": {Part.HEART: 2.0, Part.SKIN: -2.0},
    "all five +2": dict.fromkeys(PARTS, 2.0),
    "all five -2": dict.fromkeys(PARTS, -2.0),
}


def examples(_facts: Facts) -> str:
    """Return what the detector makes of some deviations, by its own code."""
    rows = []
    for words, deviations in EXAMPLES.items():
        z = np.array([[deviations.get(part, 0.0)] for part in PARTS], np.float32)
        total = float(fusion.log_ratios(z, (z != 0).astype(np.float32)).sum())
        rows.append([words, f"{total:.2f}", f"{100 * expit(total):.0f}"])
    head = ("deviations of the parts [spreads]", "sum of the log ratios", "strain index")
    return _rows(head, rows)


TABLES: dict[str, Callable[[Facts], str]] = {
    "examples": examples,
    "features": features,
    "measured": measured,
    "summary": summary,
    "people": people,
    "floor": floor,
    "others": others,
    "null": null,
    "calm": calm,
    "parts": parts,
    "thresholds": thresholds,
    "situations": situations,
}
