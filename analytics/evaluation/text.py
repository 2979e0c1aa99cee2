"""The figures of `wellbeing evaluate` as lines for people; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from sensors.command_line import columns


def recordings_text(found: dict[str, Any]) -> Iterator[str]:
    """Yield the lines about recordings, warnings last.

    Parameters
    ----------
    found : dict
        As :func:`analytics.evaluation.report.report` returns it.
    """
    headings = ("recording", "AUC", "matched", "coverage", "found", "false", "calm h")
    rows = [
        (
            row["name"],
            figure(row["auc"]),
            figure(row["auc_time_matched"]),
            figure(row["coverage"]),
            f"{row['found']}/{row['stretches']}",
            str(row["false_alerts"]),
            figure(row["calm_hours"]),
        )
        for row in found["per_recording"]
    ]
    yield from columns(headings, rows)
    whole = found["overall"]
    yield (
        f"AUC {figure(whole['auc_mean'])} (95 % over people {_range(whole['auc_ci95'])}), "
        f"time-matched {figure(whole['auc_time_matched_mean'])} "
        f"({_range(whole['auc_time_matched_ci95'])}); {whole['recordings']} recordings"
    )
    yield (
        f"Elapsed time alone: AUC {figure(whole['clock_auc_mean'])}, time-matched "
        f"{figure(whole['clock_auc_time_matched_mean'])}; the further from 0.50, either way, the "
        "more the schedule gives the label away"
    )
    yield (
        f"Team of {whole['team_size']}: found {figure(whole['found_fraction'])} "
        f"({_range(whole['found_fraction_ci95'])}) of the strained stretches at "
        f"{figure(whole['false_alerts_per_hour'])} false alerts per hour "
        f"({_range(whole['false_alerts_per_hour_ci95'])}; at random "
        f"{figure(whole['chance_found_fraction'])} found), "
        f"median delay {_seconds(whole['median_delay_s'])}; "
        f"right of all alerts: {figure(whole['right_of_alerts'])}"
    )
    for warning in whole["warnings"]:
        yield f"WARNING: {warning}"


def skipped_text(rows: Sequence[dict[str, Any]]) -> str | None:
    """Return one line about all rows that were not used; ``None`` if all were."""
    counts: Counter[str] = Counter()
    for row in rows:
        for signal, count in row["skipped"].get("out_of_range", {}).items():
            counts[f"values of {signal} out of range"] += count
        for signal, count in row["skipped"].get("repeated", {}).items():
            counts[f"repeated rows of {signal}"] += count
    if not counts:
        return None
    touched = sum(1 for row in rows if row["skipped"])
    told = ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
    return f"skipped in {touched} of {len(rows)} recordings: {told}"


def floor_text(whole: dict[str, Any]) -> Iterator[str]:
    """Yield the lines about a simulated floor; what it cannot show is left out.

    Parameters
    ----------
    whole : dict
        ``overall`` of :func:`analytics.evaluation.simulated_report.report_floor`.
    """
    episodes = (
        f"{whole['episodes']} episodes of strength {whole['strength']:g}, each group of channels "
        f"reacting with probability {whole['react']:g}"
        if whole["episodes"]
        else "no personal episodes"
    )
    yield (
        f"{whole['agents']} simulated agents, scenario {whole['scenario']}, "
        f"{whole['shifts']} x {whole['hours_per_shift']:g} h; {episodes}"
    )
    if whole["episodes"]:
        yield (
            f"Found {figure(whole['found_fraction'])} (95 % over agents "
            f"{_range(whole['found_fraction_ci95'])}; at random "
            f"{figure(whole['chance_found_fraction'])}), "
            f"{figure(whole['found_fraction_reachable'])} of those that show in a measured "
            f"channel; {figure(whole['found_before_full_fraction'])} of the found before full "
            f"intensity, median delay {_seconds(whole['median_delay_s'])}"
        )
    common = whole["alerts_in_common_cause"]
    yield (
        f"False alerts: {figure(whole['false_alerts_per_agent_shift'])} per agent-shift of 8 h "
        f"(95 % over agents {_range(whole['false_alerts_per_agent_shift_ci95'])})"
        + (f"; {common} more began during a common cause" if common else "")
    )
    yield (
        f"Told, in {whole['teams']} teams of {whole['team_size']}: "
        f"{figure(whole['personal_alerts_told_per_team_hour'])} personal alerts per team-hour, at "
        f"most {whole['most_told_to_one_supervisor_in_an_hour']} to one supervisor in an hour; "
        f"{whole['team_alerts']} team alerts"
    )


def figure(value: float | None) -> str:
    """Return two digits, or that nothing is known."""
    return "unknown" if value is None else f"{value:.2f}"


def _seconds(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.0f} s"


def _range(ends: Sequence[float | None]) -> str:
    low, high = ends
    return "unknown" if low is None or high is None else f"{low:.2f} to {high:.2f}"
