"""What a study holds, in a few lines."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sensors.errors import ConfigurationError

if TYPE_CHECKING:
    from analytics.research.study import Study


def overview(study: Study) -> tuple[list[str], dict[str, Any]]:
    """Return the lines and the same as plain values.

    Figures about people only where they are enough (TRUST T16).
    """
    table = study.file.study
    signals = study.signals(frame="arrow").to_pylist()
    have = [s for s in signals if s["agents"]]
    people, withdrawn = len(study.file.grants), len(study.file.withdrawn)
    text = [
        f"study {table.id}: {table.title or 'without a title'}",
        f"approved by {table.approved_by}; covers {', '.join(table.covers)}",
        f"{table.start} to {table.end}, site {table.site}: {people} take part, {withdrawn} withdrew",
        f"{len(have)} of {len(signals)} covered signals have values; {len(study.exports())} exports",
    ]
    absences, why_not = _absences(study)
    text += [
        f"{row['channel']}: {row['reason']} {100 * row['share']:.0f} % of all windows"
        for row in absences
    ]
    if absences:
        text.append(_rests_on(absences, table.smallest_group))
    if why_not:
        text.append(why_not)
    value = {
        "study": table.id, "approved_by": table.approved_by, "covers": list(table.covers),
        "start": table.start, "end": table.end, "site": table.site,
        "agents": people, "withdrawn": withdrawn,
        "signals": [s["signal"] for s in have], "exports": len(study.exports()),
        "windows": absences,
    }  # fmt: skip
    return text, value


def _absences(study: Study) -> tuple[list[dict[str, Any]], str]:
    try:
        found: list[dict[str, Any]] = study.absences(frame="arrow").to_pylist()
    except ConfigurationError as refusal:
        return [], f"coverage is not told: {refusal}"
    if found:
        return found, ""
    fewest = study.file.study.smallest_group
    return [], (
        f"coverage of everybody is not told: no day is over on which {fewest} people sent readings,"
        " or those days are deleted by now"
    )


def _rests_on(absences: list[dict[str, Any]], fewest: int) -> str:
    """Return of which days the shares are: readings go after a month, and a study may be young."""
    begin = min(row["start"] for row in absences)
    last = max(row["end"] for row in absences) - timedelta(days=1)
    return (
        f"windows of the whole days from {begin:%Y-%m-%d} to {last:%Y-%m-%d} (UTC) on which {fewest}"
        " people or more sent any"
    )
