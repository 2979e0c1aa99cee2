"""A team's common cause over time: it wavers, is decided, and its team may be renamed under it."""

import numpy as np
import pytest

from analytics.alerts.alerting import ESCALATE_AFTER, GROUP_WAIT, KEPT_RESOLVED
from analytics.alerts.team_causes import AFTERMATH
from analytics.evaluation.simulated import judge_simulated
from analytics.pipeline.pipeline import Pipeline
from analytics.scoring.episodes import threshold_for
from analytics.simulation import SCENARIOS
from sensors.messages import Action, AlertKind, AlertState, RequestKind, RequestMessage
from tests.analytics.evidence_by_hand import Evidence
from tests.analytics.synthetic_floor import (
    CALM_S,
    SITE,
    Floor,
    Person,
    strained_after,
    teams,
)

AFTER_S = AFTERMATH.total_seconds()


def of_the_work() -> Evidence:
    """Return ten people of whom six differ together."""
    e = Evidence(10)
    e.begin(*e.agents[:6])
    e.wait(30)
    assert [a.kind for a in e.floor.open()] == [AlertKind.TEAM]
    return e


def renamed(e: Evidence) -> None:
    """Restart the server on a file in which the team has another name."""
    e.teams = teams(len(e.agents), name="sales")
    restarted(e)


def restarted(e: Evidence) -> None:
    kept = e.pipeline.snapshot()
    e.floor.pipeline = Pipeline(SITE, e.teams)
    e.pipeline.restore(kept)


def test_a_cause_that_was_decided_and_wavers_asks_nobody_again() -> None:
    e = of_the_work()
    e.floor.decide(e.floor.open()[0].alert_id, Action.FIX_THE_WORK)
    for _ in range(3):
        e.end(*e.agents)
        e.wait(AFTER_S - 60)
        e.begin(*e.agents[:6])
        e.wait(30)
    assert e.floor.open() == []
    assert e.events(AlertKind.TEAM) == ["fire", "decide"]
    e.end(*e.agents)
    e.wait(AFTER_S + 10)
    e.begin(*e.agents[:6])
    e.wait(30)
    assert [a.kind for a in e.floor.open()] == [AlertKind.TEAM], "what begins later is news"


def test_a_cause_whose_team_is_no_more_does_not_stand_for_ever() -> None:
    e = of_the_work()
    e.end(*e.agents)
    renamed(e)
    e.step()
    (work,) = e.floor.open()
    assert (work.team, work.state) == ("billing", AlertState.RESOLVED)
    e.wait(KEPT_RESOLVED[AlertKind.TEAM].total_seconds(), every_s=60)
    assert e.floor.open() == []
    assert e.events(AlertKind.TEAM) == ["fire", "resolve", "expire"]


def test_what_nobody_was_told_goes_along_with_who_changes_team() -> None:
    e = Evidence(10)
    e.begin("k0", "k1")  # half a cause waits for the rest
    e.step()
    renamed(e)
    e.wait(GROUP_WAIT.total_seconds())
    assert [(a.agent, a.team, a.state) for a in e.floor.open()] == [
        ("k0", "sales", AlertState.FIRING),
        ("k1", "sales", AlertState.FIRING),
    ]


def test_who_asks_is_seen_by_whoever_leads_the_team_now() -> None:
    e = Evidence(10)
    ask = RequestMessage(id="request1", at=e.floor.now, kind=RequestKind.HELP_NOW)
    e.step(("k0", ask))
    e.teams = teams(10, name="sales", supervisors=["cy"])
    restarted(e)
    e.wait(ESCALATE_AFTER[AlertKind.REQUEST].total_seconds())
    (asked,) = e.floor.open()
    assert (asked.team, asked.told_to[0]) == ("sales", "cy")
    assert e.floor.told("k0") == ["request_received", "request_passed_on"]


def test_what_was_told_stays_with_its_team_until_there_is_none() -> None:
    e = Evidence(10)
    e.begin("k0")
    e.step()
    e.pipeline._floor.team_names = ("sales", "billing")  # as if k0 moved to sales
    e.step()
    assert [(a.agent, a.team) for a in e.floor.open()] == [("k0", "billing")]
    renamed(e)
    e.step()
    assert [(a.agent, a.team) for a in e.floor.open()] == [("k0", "sales")]


LEANING, OWN = 2.3, 2.48
"""Evidence above the lower line, and the threshold of an alert of one's own in a team of twenty."""


def lean(e: Evidence, *agents: str, seconds: float, evidence: float = LEANING) -> None:
    """Let time pass while `agents` differ, too little for an alert of their own."""
    for _ in range(round(seconds / 5)):
        floor = e.pipeline._floor
        rows = np.array([floor.row(agent) for agent in e.agents])
        at_s = np.full(len(rows), e.floor.now.timestamp())
        seen = np.where(np.isin(e.agents, agents), evidence, 0.0)
        floor.leanings.follow(rows, at_s, seen, np.full(len(rows), OWN), np.ones(len(rows), bool))
        e.wait(5)


def test_many_who_lean_together_are_one_team_alert_and_none_of_their_own() -> None:
    e = Evidence(20)
    lean(e, "k0", "k1", "k2", seconds=300)
    assert e.floor.open() == [], "three of twenty may come by chance"
    lean(e, "k0", "k1", "k2", "k3", seconds=60)
    (work,) = e.floor.open()
    assert (work.kind, work.affected, work.team_size) == (AlertKind.TEAM, 4, 20)
    assert e.events(AlertKind.PERSONAL) == []
    restarted(e)
    lean(e, "k0", "k1", seconds=60)
    assert e.floor.open()[0].state is AlertState.FIRING, "half of them: it stands"
    lean(e, "k0", seconds=60)
    assert e.events(AlertKind.TEAM) == ["fire", "resolve"]


def test_who_leans_all_day_is_no_beginning_of_a_cause() -> None:
    e = Evidence(20)
    for many in range(1, 6):  # the offset of each shows at another time
        lean(e, *e.agents[:many], seconds=400)
    assert e.floor.open() == []
    lean(e, *e.agents[:5], seconds=4000)
    assert e.floor.open() == []
    e.begin("k0", "k1", "k2", "k3")  # far above what they lean to since long
    e.wait(30)
    assert [a.kind for a in e.floor.open()] == [AlertKind.TEAM]


def test_a_personal_alert_gives_way_to_the_cause_of_many_who_lean() -> None:
    e = Evidence(20)
    lean(e, *e.agents[:3], seconds=60)
    e.begin("k3")
    lean(e, *e.agents[:3], seconds=5)
    assert [a.kind for a in e.floor.open()] == [AlertKind.TEAM]
    assert e.events() == ["inhibit"]


def test_who_is_scored_leans_before_their_own_alert_and_still_does_after_a_restart() -> None:
    people = [Person("k0", strained_after(CALM_S)), Person("k1")]
    f = Floor(people, Pipeline(SITE, teams(20)))
    assert f.run(CALM_S + 600, until=lambda: bool(f.open()))
    seen, rows = f.pipeline._floor, np.array([0, 1])
    leans_s, nobody_s = seen.leanings.since_s(rows)
    assert leans_s <= seen.columns["started_s"][0]
    assert np.isnan(nobody_s)
    kept, f.pipeline = f.pipeline.snapshot(), Pipeline(SITE, teams(20))
    f.pipeline.restore(kept)
    assert f.pipeline._floor.leanings.since_s(rows)[0] == leans_s


@pytest.mark.parametrize(
    ("scenario", "expected"),
    [pytest.param("team_cause", 2, id="a cause"), pytest.param("calm", 0, id="nothing")],
)
def test_two_simulated_teams_are_told_of_a_cause_and_of_nothing_else(
    scenario: str, expected: int
) -> None:
    found = judge_simulated(
        40, 4.0, 3, SCENARIOS[scenario], thresholds=[threshold_for(20)], team_size=20
    )
    assert len(found.told.team) == expected
