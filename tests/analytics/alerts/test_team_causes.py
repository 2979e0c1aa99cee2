"""A team's common cause over time: it wavers, is decided, and its team may be renamed under it."""

from analytics.alerts.alerting import ESCALATE_AFTER, GROUP_WAIT, KEPT_RESOLVED
from analytics.alerts.team_causes import AFTERMATH
from analytics.pipeline.pipeline import Pipeline
from sensors.messages import Action, AlertKind, AlertState, RequestKind, RequestMessage
from tests.analytics.evidence_by_hand import Evidence
from tests.analytics.synthetic_floor import SITE, teams

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
