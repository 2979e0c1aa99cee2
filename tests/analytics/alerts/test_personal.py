"""Personal alerts among people: who is told when, and when again; evidence is set by hand."""

from datetime import timedelta

import pytest

from analytics.alerts.alert_book import ASK_AFTER
from analytics.alerts.alerting import (
    ESCALATE_AFTER,
    GROUP_WAIT,
    KEPT_RESOLVED,
    NO_DATA,
    REPEAT_AFTER,
    AlertPolicy,
)
from analytics.alerts.matters import ENDS_AFTER
from analytics.alerts.personal import EVIDENCE_LOST_AFTER
from analytics.alerts.team_causes import AFTERMATH
from sensors.messages import Action, AlertKind, AlertState, ReplyKind, ReplyMessage
from tests.analytics.evidence_by_hand import Evidence

PASS_ON_S = ESCALATE_AFTER[AlertKind.PERSONAL].total_seconds()
REPEAT_S = REPEAT_AFTER.total_seconds()
ENDS_S = ENDS_AFTER.total_seconds()
HOUR_S = 3600.0
BUSY = AlertPolicy(alerts_per_supervisor_hour=1)


def told(evidence: Evidence) -> list[tuple[str, str, str]]:
    return [(one.event, one.agent, one.to) for one in evidence.tellings]


def strained(agent: str = "k0", **extra: object) -> Evidence:
    found = Evidence(6, **extra)
    found.begin(agent)
    found.step()
    return found


def test_nobody_answers_so_it_goes_on_and_then_round() -> None:
    e = strained()
    e.wait(PASS_ON_S - 5)
    assert told(e) == [("fire", "k0", "ana")]
    e.wait(5)
    assert told(e)[1:] == [("escalate", "k0", "bo")]
    (alert,) = e.floor.open()
    assert (alert.told_to, alert.escalated, alert.repeated_at) == (("bo", "ana"), 1, None)
    e.wait(REPEAT_S - 5)
    assert len(told(e)) == 2
    e.wait(5)
    assert told(e)[2:] == [("repeat", "k0", "ana")]
    (alert,) = e.floor.open()
    assert (alert.told_to, alert.escalated) == (("ana", "bo"), 1)
    assert alert.repeated_at == e.floor.now
    assert alert.told_at is not None
    assert alert.told_at < alert.repeated_at, "it waits since it was told first"
    assert e.floor.told("k0") == ["alert_told", "alert_shown_again"]
    assert e.floor.notices[-1][1].by == "bo"


def test_one_supervisor_alone_is_told_again() -> None:
    e = strained(supervisors=["ana"])
    e.wait(REPEAT_S)
    assert told(e) == [("fire", "k0", "ana"), ("repeat", "k0", "ana")]


@pytest.mark.parametrize("answer", [Action.TAKE, Action.TALK])
def test_an_answer_ends_passing_on_and_telling_again(answer: Action) -> None:
    e = strained()
    e.floor.decide(e.floor.open()[0].alert_id, answer)
    e.wait(HOUR_S, every_s=60)
    assert told(e) == [("fire", "k0", "ana")]


def test_what_is_over_is_passed_on_to_nobody() -> None:
    e = strained()
    e.end("k0")
    e.wait(KEPT_RESOLVED[AlertKind.PERSONAL].total_seconds() - 5, every_s=60)
    assert told(e) == [("fire", "k0", "ana")]


def test_passing_on_and_telling_again_take_no_room_from_who_was_never_told() -> None:
    e = strained(policy=BUSY, supervisors=["ana"])
    e.wait(400)
    e.begin("k1")
    e.wait(HOUR_S - 405)
    assert told(e) == [("fire", "k0", "ana")], "a repeat would keep k1 waiting for ever"
    e.wait(5)
    assert told(e)[1:] == [("fire", "k1", "ana")]
    assert e.most_in_an_hour("ana") == 1


def test_nobody_is_passed_what_their_hour_has_no_room_for() -> None:
    e = strained(policy=BUSY)
    e.wait(400)
    e.begin("k1")  # goes to bo, whose hour is full with it
    e.wait(1200)
    assert told(e) == [("fire", "k0", "ana"), ("fire", "k1", "bo")]


def test_a_colleague_who_hands_on_fills_the_hour_of_the_other() -> None:
    e = strained(policy=BUSY)
    e.floor.decide(e.floor.open()[0].alert_id, Action.CANNOT_NOW, to="bo")
    e.step()
    e.wait(400)
    e.begin("k1")
    e.wait(30)
    assert told(e) == [("fire", "k0", "ana")], "ana was told of k0, bo has it now"


def test_what_gave_way_comes_back_to_whoever_had_it_last() -> None:
    e = strained()
    e.wait(PASS_ON_S)
    e.break_heart("k0")
    e.step()
    assert e.floor.open(AlertKind.PERSONAL) == []
    e.break_heart("k0", broken=False)
    e.step()
    assert told(e) == [("fire", "k0", "ana"), ("escalate", "k0", "bo"), ("fire", "k0", "bo")]


def test_what_comes_back_waits_its_time_before_it_goes_on() -> None:
    e = strained()
    e.wait(PASS_ON_S / 2)
    e.end("k0")
    e.wait(PASS_ON_S)
    e.begin("k0")
    e.step()
    e.wait(PASS_ON_S - 5)
    assert [one.event for one in e.tellings] == ["fire", "return"]
    e.wait(5)
    assert told(e)[-1] == ("escalate", "k0", "bo")


def test_calm_counts_from_when_the_evidence_went_not_from_the_decision() -> None:
    e = strained()
    e.end("k0")
    e.step()
    e.wait(ENDS_S - 60)
    e.floor.decide(e.floor.open()[0].alert_id, Action.TALK)
    e.wait(60)
    e.begin("k0")
    e.step()
    assert [one.event for one in e.tellings] == ["fire", "fire"]


def test_evidence_that_flickers_keeps_its_room_and_takes_no_other() -> None:
    e = strained(policy=AlertPolicy(alerts_per_supervisor_hour=2), supervisors=["ana"])
    e.begin("k1")
    e.wait(60)
    for _ in range(12):
        e.end("k0")
        e.wait(200)
        e.begin("k0")
        e.wait(200)
    assert {one.alert_id for one in e.tellings if one.agent == "k0"} == {e.tellings[0].alert_id}
    assert e.events().count("return") == 12
    e.begin("k2")
    e.wait(300)
    assert e.most_in_an_hour("ana") == 2
    assert e.floor.told("k0").count("alert_told") == 1


def test_what_comes_back_when_nobody_has_room_waits_and_is_counted() -> None:
    e = strained(policy=BUSY, supervisors=["ana"])
    e.wait(REPEAT_S - 60)
    e.end("k0")
    e.wait(HOUR_S - REPEAT_S + 60)
    e.begin("k1")
    e.wait(60)
    assert told(e)[-1] == ("fire", "k1", "ana")
    e.begin("k0")
    e.wait(60)
    back = next(a for a in e.floor.open() if a.agent == "k0")
    assert (back.state, back.contributions, back.resolved_at) == (AlertState.PENDING, (), None)
    assert e.events()[-1] == "hold"
    e.end("k0")
    e.wait(5)
    over = next(a for a in e.floor.open() if a.agent == "k0")
    assert over.state is AlertState.RESOLVED, "it was told once: only a decision or an hour ends it"
    assert e.most_in_an_hour("ana") == 1


def test_what_was_answered_asks_nobody_again_until_calm() -> None:
    e = strained()
    first = e.floor.open()[0].alert_id
    e.floor.decide(first, Action.TALK)
    for _ in range(4):  # it flickers on while they talk
        e.end("k0")
        e.wait(ENDS_S - 60)
        e.begin("k0")
        e.wait(120)
    assert told(e) == [("fire", "k0", "ana")]
    inhibited = [p for p in e.floor.points if p.fields.get("event") == "inhibit"]
    assert {p.fields["inhibited_by"] for p in inhibited} == {first}, "in the record, not dropped"
    e.end("k0")
    e.wait(ENDS_S)
    e.begin("k0")
    e.step()
    assert [one.event for one in e.tellings] == ["fire", "fire"]


def test_an_answered_matter_outlives_a_restart() -> None:
    e = strained()
    e.floor.decide(e.floor.open()[0].alert_id, Action.TALK)
    e.end("k0")
    e.step()
    e.restart()
    e.begin("k0")
    e.wait(60)
    assert len(e.tellings) == 1


@pytest.mark.parametrize("shown", [True, False], ids=["told", "still pending"])
def test_the_agents_own_word_holds_while_it_flickers(shown: bool) -> None:
    e = Evidence(6, policy=BUSY, supervisors=["ana"])
    if not shown:
        e.begin("k5")
        e.step()
    e.wait(400)
    e.begin("k0")
    e.step()
    before = [one for one in e.tellings if one.agent == "k0"]
    e.step(("k0", ReplyMessage(id="reply001", at=e.floor.now, kind=ReplyKind.FINE)))
    for _ in range(3):
        e.end("k0")
        e.wait(120)
        e.begin("k0")
        e.wait(120)
    assert [one for one in e.tellings if one.agent == "k0"] == before
    assert len(before) == shown


def test_half_a_cause_waits_for_the_rest_and_is_told_if_it_does_not_come() -> None:
    e = Evidence(10)  # four of ten are a cause
    e.begin("k0")
    e.step()
    assert told(e) == [("fire", "k0", "ana")], "one alone waits for nobody"
    e.begin("k1")
    e.wait(GROUP_WAIT.total_seconds() - 5)
    assert len(told(e)) == 1
    e.wait(5)
    assert told(e)[1:] == [("fire", "k1", "ana")]


def test_a_cause_that_comes_within_the_wait_spares_everybody_else() -> None:
    e = Evidence(10)
    e.begin("k0")
    e.step()
    e.begin("k1")
    e.wait(10)
    e.begin("k2", "k3")
    e.wait(10)
    assert told(e) == [("fire", "k0", "ana")]
    (work,) = e.floor.open()
    assert work.kind is AlertKind.TEAM


def test_one_that_gave_way_flickers_and_comes_back_as_the_same_alert() -> None:
    e = strained()
    e.begin("k1", "k2", "k3")
    e.wait(60)
    assert [a.kind for a in e.floor.open()] == [AlertKind.TEAM]
    e.end("k1", "k2", "k3")
    for _ in range(3):
        e.end("k0")
        e.wait(120)
        e.begin("k0")
        e.wait(5)
    e.wait(AFTERMATH.total_seconds() + 60)
    assert {one.alert_id for one in e.tellings} == {e.tellings[0].alert_id}
    assert told(e)[-1] == ("fire", "k0", "ana")


def test_one_that_gave_way_and_is_calm_leaves_for_the_record() -> None:
    e = strained()
    e.begin("k1", "k2", "k3")
    e.wait(60)
    e.end(*e.agents)
    e.wait(ENDS_S + 10)
    assert e.pipeline._book.of_kind(AlertKind.PERSONAL) == []
    assert e.events().count("vanish") == 4


def test_one_that_waits_and_is_lost_from_sight_is_not_told_as_fine() -> None:
    e = strained(policy=BUSY, supervisors=["ana"])
    e.end("k0")
    e.wait(HOUR_S - 30, every_s=60)
    e.begin("k1")
    e.wait(40)
    e.begin("k0")  # back, and ana's hour is full with k1
    e.step()
    assert e.events()[-1] == "hold"
    e.leave("k0")
    e.wait(EVIDENCE_LOST_AFTER.total_seconds() + 5)
    (alert,) = [a for a in e.floor.open() if a.agent == "k0"]
    assert (alert.state, alert.reason) == (AlertState.RESOLVED, NO_DATA)


def test_taken_alerts_do_not_return_on_a_broken_headset() -> None:
    e = strained()
    e.floor.decide(e.floor.open()[0].alert_id, Action.TAKE)
    e.end("k0")
    e.step()
    e.break_heart("k0")
    e.step()
    e.begin("k0")
    e.step()
    assert next(a for a in e.floor.open(AlertKind.PERSONAL)).resolved_at is not None
    e.break_heart("k0", broken=False)
    e.step()
    assert next(a for a in e.floor.open(AlertKind.PERSONAL)).resolved_at is None


def test_the_question_comes_once_for_an_answered_matter() -> None:
    e = strained()
    e.floor.decide(e.floor.open()[0].alert_id, Action.TALK)
    e.wait((ASK_AFTER + timedelta(minutes=30)).total_seconds(), every_s=60)
    assert e.floor.told("k0") == ["alert_told", "decided", "was_it_so"]


def test_a_flood_is_grouped_into_what_waits_and_nothing_is_dropped_silently() -> None:
    """More than ten within ten minutes: each supervisor is told the ceiling, the rest wait."""
    # Twelve within five minutes would be a cause.
    e = Evidence(60, supervisors=["ana", "bo", "cy"])
    for i in range(15):
        e.begin(f"k{i}")
        e.wait(35)
    ids = {a.message.alert_id for a in e.pipeline._book.of_kind(AlertKind.PERSONAL)}
    assert len(ids) == 15
    for supervisor in ("ana", "bo", "cy"):
        assert e.most_in_an_hour(supervisor) == 2
    states = [a.state for a in e.floor.open(AlertKind.PERSONAL)]
    assert states.count(AlertState.FIRING) == 6
    assert states.count(AlertState.PENDING) == 9, "counted on the screen, not shown"
    e.end(*e.agents[:12])
    e.wait(2 * HOUR_S, every_s=60)
    record = e.floor.points
    for identity in ids:
        events = [p.fields["event"] for p in record if p.fields.get("alert_id") == identity]
        assert "fire" in events or events[-1] == "vanish"
    assert all(e.most_in_an_hour(one) <= 2 for one in ("ana", "bo", "cy"))
