"""ALERTS.md says what the code does: the diagram is drawn from the table, times are the code's."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from analytics.alerts import (
    alert_book,
    alerting,
    common_cause,
    matters,
    personal,
    silences,
    team_causes,
)
from analytics.alerts.alerting import TABLE, Event
from analytics.scoring import episodes, leanings
from sensors.edge.telling import telling
from sensors.messages import AlertKind, AlertState
from sensors.policy import ALERTS_PER_SUPERVISOR_HOUR

PAGE = (Path(__file__).parents[3] / "analytics/ALERTS.md").read_text(encoding="utf-8")
DIAGRAM = re.compile(r"```mermaid\n(.*?)```", re.DOTALL)


def diagram() -> str:
    """Return the state diagram of the table, one arrow for all events between two states."""
    lines = ["stateDiagram-v2", "    [*] --> pending: an episode begins, a request is heard"]
    arrows: dict[tuple[str, str], list[str]] = {}
    for (state, event), to in TABLE.items():
        target = "[*]" if to is None else to.value
        arrows.setdefault((state.value, target), []).append(event.value)
    lines += [f"    {a} --> {b}: {', '.join(events)}" for (a, b), events in arrows.items()]
    return "\n".join(lines) + "\n"


def test_the_diagram_is_that_of_the_table() -> None:
    (drawn,) = DIAGRAM.findall(PAGE)
    assert drawn == diagram(), f"put this into ALERTS.md:\n{diagram()}"


def test_every_state_and_event_is_explained() -> None:
    for word in (*AlertState, *Event):
        assert re.search(rf"^\| `{word.value}`", PAGE, re.MULTILINE), f"{word} is not explained"


def said(value: timedelta | float) -> str:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    for unit, size in (("h", 3600), ("min", 60), ("s", 1)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    raise AssertionError(value)


KEPT = alerting.KEPT_RESOLVED
TIMES = {
    "on-delay": episodes.ON_DELAY_S,
    "off-delay": episodes.OFF_DELAY_S,
    "longest episode": episodes.LONGEST_EPISODE_S,
    "common cause": common_cause.TOGETHER_S,
    "group wait": alerting.GROUP_WAIT,
    "group interval": alerting.UPDATE_EVERY,
    "repeat interval": alerting.REPEAT_AFTER,
    "repeat interval of a request": alerting.ASK_AGAIN_AFTER,
    "longest repeating of a request": alerting.ASK_AGAIN_FOR,
    "escalation of a request": alerting.ESCALATE_AFTER[AlertKind.REQUEST],
    "escalation of a personal alert": alerting.ESCALATE_AFTER[AlertKind.PERSONAL],
    "aftermath": team_causes.AFTERMATH,
    "answered matter": matters.ENDS_AFTER,
    "evidence lost": personal.EVIDENCE_LOST_AFTER,
    "longest silence": silences.LONGEST,
    "resolved, nobody took it": KEPT[AlertKind.PERSONAL],
    "resolved technical alert": KEPT[AlertKind.TECHNICAL],
    "resolved request": KEPT[AlertKind.REQUEST],
    "taken, evidence gone": alerting.KEPT_TAKEN,
    "question to the agent": alert_book.ASK_AFTER,
    "memory of an agent's interruptions": telling.SHIFT,
}


@pytest.mark.parametrize("term", TIMES)
def test_times_are_those_of_the_code(term: str) -> None:
    row = re.search(rf"^\| {re.escape(term)} \|[^|]*\| ([^|]*) \|", PAGE, re.MULTILINE)
    assert row, f"{term} is not in the table"
    assert row[1] == said(TIMES[term])


def test_counts_are_those_of_the_code() -> None:
    assert KEPT[AlertKind.TEAM] == KEPT[AlertKind.PERSONAL], "one row stands for both"
    assert f"| {ALERTS_PER_SUPERVISOR_HOUR} of 1 to 6 per hour |" in PAGE
    assert f"| {telling.LIMIT} |" in PAGE


def test_how_many_make_a_common_cause_is_what_the_code_needs() -> None:
    row = re.search(r"^\| needed \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$", PAGE, re.MULTILINE)
    assert row
    sizes = re.search(
        r"^\| simulated teams of \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$", PAGE, re.MULTILINE
    )
    assert sizes
    assert [common_cause.needed(int(n)) for n in sizes.groups()] == [int(n) for n in row.groups()]
    assert [common_cause.needed(n) for n in (11, 12)] == [3, 4], "3 of up to 11"
    assert "3 of up to 11 who are judged, 4 of 20, 10 of 50" in PAGE
    rate = dict(episodes.NULL_CURVE)[leanings.LINE]
    assert f"Above {leanings.LINE} a calm agent comes {rate} times an hour" in PAGE
    assert f"once in {1 / common_cause.FALSE_PER_TEAM_HOUR:g} team-hours" in PAGE
