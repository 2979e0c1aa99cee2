"""From windows to alerts and back, with nothing but values: the scenarios people will see."""

from datetime import timedelta

import pytest

from analytics.alerts.alerting import ASK_AGAIN_FOR, AlertPolicy
from analytics.pipeline.pipeline import Pipeline
from analytics.store.points import Measurement
from sensors.codec import decode, encode
from sensors.messages import (
    Action,
    AlertKind,
    AlertMessage,
    AlertState,
    AuditKind,
    AuditMessage,
    ContextMessage,
    ContextState,
    Outcome,
    ReplyKind,
    ReplyMessage,
    RequestKind,
)
from sensors.signals import Channel
from tests.analytics.pipeline_floors import floor, one_strained, request
from tests.analytics.synthetic_floor import (
    CALM_S,
    SITE,
    START,
    Floor,
    Person,
    strained_after,
    teams,
)


def test_strained_agent_is_one_alert_taken_decided_and_followed_up() -> None:
    f = one_strained(until_s=CALM_S + 400)
    f.run(CALM_S)
    assert f.alerts == {}
    assert f.run(300, until=lambda: bool(f.open())), "no alert within five minutes"
    (alert,) = f.open()
    assert (alert.kind, alert.agent, alert.team) == (AlertKind.PERSONAL, "k3", "billing")
    assert (alert.state, alert.told_to, alert.told_at) == (AlertState.FIRING, ("ana",), f.now)
    assert {(c.part, c.level > 0) for c in alert.contributions} == {
        ("heart", True),
        ("skin", True),
        ("typing", True),
    }
    assert alert.unknown == (Channel.POINTER, Channel.VOICE)
    assert alert.quality is not None
    assert decode(encode(alert), AlertMessage) == alert

    f.decide(alert.alert_id, Action.TAKE)
    assert f.open()[0].state is AlertState.ACKNOWLEDGED
    assert f.open()[0].taken_by == "ana"
    f.decide(alert.alert_id, Action.TALK, reason="long_calls", follow_up_at=f.now)
    assert f.open() == []
    closed, cleared = f.alerts[alert.alert_id][-2:]
    assert closed is not None
    assert (closed.state, closed.decision, closed.reason) == (
        AlertState.CLOSED,
        Action.TALK,
        "long_calls",
    )
    assert cleared is None
    f.decide(alert.alert_id, Action.OUTCOME, outcome=Outcome.HELPED)
    f.run(900)  # the episode goes on for a while, then ends: never a second alert
    assert list(f.alerts) == [alert.alert_id]
    assert f.told("k3") == ["alert_told", "taken", "decided", "was_it_so"]
    events = [p.fields["event"] for p in f.of(Measurement.TRANSITION)]
    assert events == ["fire", "take", "decide", "outcome"]
    decisions = [(p.fields["action"], p.fields["effect"]) for p in f.of(Measurement.DECISION)]
    assert decisions == [("take", "applied"), ("talk", "applied"), ("outcome", "applied")]


def test_evidence_that_goes_resolves_and_only_a_decision_or_an_hour_clears() -> None:
    f = one_strained(until_s=CALM_S + 240)
    f.run(CALM_S + 900)
    (alert,) = f.open()
    assert alert.state is AlertState.RESOLVED
    assert alert.resolved_at is not None
    assert alert.closed_at is None
    f.t_s = (alert.resolved_at - START).total_seconds() + 3599.0
    f.feed()
    assert f.open() == [alert]
    f.t_s += 1.0
    f.feed()
    assert f.open() == []
    assert f.alerts[alert.alert_id][-1] is None
    assert f.told("k3")[-1] == "alert_resolved"


def test_evidence_that_returns_before_a_decision_is_the_same_alert() -> None:
    def twice(t: float) -> float:
        return 1.0 if CALM_S < t < CALM_S + 300 or t > CALM_S + 800 else 0.0

    f = floor(strained={3: Person("k3", twice)})
    f.run(CALM_S + 700)
    assert [a.state for a in f.open()] == [AlertState.RESOLVED]
    f.run(400)
    assert [a.state for a in f.open()] == [AlertState.FIRING]
    assert len(f.alerts) == 1


def test_agent_says_fine_answers_the_evidence_and_leaves_the_card_to_the_supervisor() -> None:
    f = one_strained()
    f.run(CALM_S + 300, until=lambda: bool(f.open()))
    fine = ReplyMessage(id="reply001", at=f.now, kind=ReplyKind.FINE)
    f.say("k3", fine)
    (alert,) = f.open()
    assert (alert.state, alert.reason) == (AlertState.RESOLVED, "agent_says_fine")
    f.run(120)  # still strained: the agent's word holds for this episode
    assert [a.state for a in f.open()] == [AlertState.RESOLVED]
    assert f.say("k3", fine).points == []
    replies = [p.fields for p in f.of(Measurement.DECISION)]
    assert [(r["kind"], r["action"], r["effect"]) for r in replies] == [
        ("reply", "fine", "applied")
    ]


@pytest.mark.parametrize("kind", [RequestKind.HELP_NOW, RequestKind.BREAK_PLEASE])
def test_asking_needs_no_sensor_and_escalates_until_somebody_comes(kind: RequestKind) -> None:
    f = Floor([], Pipeline(SITE, teams(1)))
    request(f, "k0", kind)
    (alert,) = f.open()
    assert (alert.kind, alert.request, alert.state) == (AlertKind.REQUEST, kind, AlertState.FIRING)
    assert alert.told_to == ("ana",)
    request(f, "k0", kind)  # told again by the broker
    request(f, "k0", kind, 2)  # pressed twice
    assert f.open() == [alert]
    f.run(115)
    assert f.open() == [alert]
    f.run(5)
    assert f.open()[0].told_to == ("bo", "ana")
    assert f.open()[0].escalated == 1
    f.run(295)
    assert f.open()[0].repeated_at is None
    f.run(305)
    assert f.open()[0].escalated == 1, "everybody was told"
    f.decide(alert.alert_id, Action.TAKE, by="bo")
    f.run(600)
    again = ["request_received"] * 2  # ana, then bo: the longest ago first
    assert f.told("k0") == ["request_received", "request_passed_on", *again, "taken"]
    assert [n.by for _, n in f.notices] == [None, "bo", "ana", "bo", "bo"]
    f.decide(alert.alert_id, Action.OFFER_BREAK, by="bo")
    assert f.open() == []


def test_a_request_is_told_again_for_an_hour_and_then_only_stands_there() -> None:
    f = Floor([], Pipeline(SITE, teams(1)))
    request(f, "k0", RequestKind.HELP_NOW)
    for _ in range(24):  # two hours, in fewer steps than there are windows
        f.t_s += 300
        f.feed()
    (alert,) = f.open()
    assert alert.repeated_at is not None
    assert alert.repeated_at - alert.started_at <= ASK_AGAIN_FOR
    assert f.told("k0").count("request_received") == 1 + 11
    assert alert.state is AlertState.FIRING


def test_cannot_now_goes_to_the_one_named_and_starts_the_clock_again() -> None:
    f = Floor([], Pipeline(SITE, teams(1)))
    request(f, "k0", RequestKind.HELP_NOW)
    (alert,) = f.open()
    f.run(60)
    f.decide(alert.alert_id, Action.CANNOT_NOW, to="cy")
    (handed,) = f.open()
    assert (handed.state, handed.told_to) == (AlertState.FIRING, ("cy", "ana"))
    assert f.notices[-1][1].by == "cy"
    f.run(115)
    assert f.open()[0].escalated == 0
    f.run(5)
    assert f.open()[0].told_to == ("bo", "cy", "ana")


def test_cancelled_request_leaves_without_a_decision() -> None:
    f = Floor([], Pipeline(SITE, teams(1)))
    request(f, "k0", RequestKind.BREAK_PLEASE)
    request(f, "k0", RequestKind.CANCEL, 2)
    assert f.open() == []
    assert [m and m.state for m in f.alerts.popitem()[1]] == [AlertState.FIRING, None]


def test_requests_do_not_use_the_alert_budget() -> None:
    f = Floor([], Pipeline(SITE, teams(8), AlertPolicy(alerts_per_supervisor_hour=1)))
    for i in range(8):
        request(f, f"k{i}", RequestKind.HELP_NOW, i)
    assert [a.state for a in f.open()] == [AlertState.FIRING] * 8


def test_decisions_that_fit_nothing_are_harmless_and_recorded() -> None:
    f = Floor([], Pipeline(SITE, teams(2)))
    request(f, "k0", RequestKind.HELP_NOW)
    (alert,) = f.open()
    f.decide("0123456789abcdef", Action.TALK)
    f.decide(alert.alert_id, Action.OUTCOME, outcome=Outcome.HELPED)
    f.decide(alert.alert_id, Action.TAKE, by="ana")
    f.decide(alert.alert_id, Action.TAKE, by="bo")
    assert f.open()[0].taken_by == "ana"
    f.decide(alert.alert_id, Action.TALK)
    f.decide(alert.alert_id, Action.NOT_USEFUL)
    effects = [p.fields["effect"] for p in f.of(Measurement.DECISION)]
    assert effects[1:] == [
        "unknown_alert",
        "not_open",
        "applied",
        "already_taken",
        "applied",
        "not_open",
    ]
    assert f.alerts[alert.alert_id][-2].decision is Action.TALK  # type: ignore[union-attr]


def test_the_same_answer_under_another_id_counts_once() -> None:
    f = Floor([], Pipeline(SITE, teams(2)))
    request(f, "k0", RequestKind.HELP_NOW)
    (alert,) = f.open()
    which = alert.alert_id
    f.decide(which, Action.TAKE)
    f.decide(which, Action.CANNOT_NOW, to="bo")
    f.pipeline.restore(f.pipeline.snapshot())
    f.decide(which, Action.CANNOT_NOW, to="bo")
    f.decide(which, Action.TAKE)  # taken back: another turn of the same episode
    f.decide(which, Action.CANNOT_NOW, to="bo")
    f.decide(which, Action.TALK, by="bo")
    f.decide(which, Action.OUTCOME, by="bo", outcome=Outcome.HELPED)
    f.decide(which, Action.OUTCOME, by="bo", outcome=Outcome.HELPED)
    f.decide(which, Action.OUTCOME, by="bo", outcome=Outcome.HELPED, note="and coffee")
    points = [p for p in f.of(Measurement.DECISION) if p.fields["kind"] == "decision"]
    effects = ["applied", "applied", "repeated", *["applied"] * 4, "repeated", "applied"]
    assert [p.fields["effect"] for p in points] == effects


def test_outage_is_one_team_alert_that_stands_for_the_personal_ones() -> None:
    # All feel it within a minute; the last one is over it two minutes after the others.
    people = {
        i: Person(f"k{i}", strained_after(CALM_S + 4 * i, CALM_S + (540 if i == 9 else 420)))
        for i in range(2, 10)
    }
    f = floor(10, people)
    f.run(CALM_S + 300)
    (alert,) = f.open()
    assert alert.kind is AlertKind.TEAM
    assert alert.agent is None
    assert (alert.affected, alert.team_size) == (8, 10)
    assert alert.told_to == ("ana", "bo")
    assert ("heart", True) in {(c.part, c.level > 0) for c in alert.contributions}
    told = [a for a in f.alerts.values() if a[0] and a[0].kind is AlertKind.PERSONAL]
    assert all(messages[-1] is None for messages in told)
    f.decide(alert.alert_id, Action.FIX_THE_WORK)
    f.run(900)
    assert f.open() == [], "calming down apart raises nobody's card"
    assert not any("was_it_so" in f.told(p.agent) for p in f.people)


def test_above_the_ceiling_alerts_wait_visibly_and_follow_when_there_is_room() -> None:
    people = {i: Person(f"k{i}", strained_after(CALM_S + 400 * i)) for i in range(3)}
    f = floor(12, people, policy=AlertPolicy(alerts_per_supervisor_hour=1))
    f.run(CALM_S + 1300)
    states = sorted((a.agent, a.state.value, a.told_to) for a in f.open(AlertKind.PERSONAL))
    assert states == [
        ("k0", "firing", ("ana",)),
        ("k1", "firing", ("bo",)),
        ("k2", "pending", ()),
    ]
    held = f.open()[-1]
    assert held.contributions == ()
    assert f.told("k2") == []
    first_told = min(a.told_at for a in f.open() if a.told_at)
    f.run((first_told + timedelta(hours=1) - f.now).total_seconds() - 5)
    assert f.open()[-1].state is AlertState.PENDING
    f.run(5)
    assert f.open()[-1].state is AlertState.FIRING
    assert f.open()[-1].told_to == ("ana",)
    f.run(600)
    fired = [p for p in f.of(Measurement.TRANSITION) if p.fields["event"] == "fire"]
    assert len(fired) == 3


def test_who_looked_is_told_and_context_is_stored() -> None:
    f = floor(1)
    look = AuditMessage(id="look0001", at=START, by="ana", kind=AuditKind.VIEWED_PERSON, agent="k0")
    f.say(None, look)
    f.say(None, look)
    assert f.told("k0") == ["looked"]
    assert f.notices[0][1].by == "ana"
    f.say("k0", ContextMessage(at=START, state=ContextState.ON_CALL))
    f.run(5)
    assert f.of(Measurement.SCORE)[-1].fields["context"] == "on_call"


def test_no_word_that_names_an_emotion_and_no_raw_value_reaches_a_supervisor() -> None:
    f = one_strained()
    f.run(CALM_S + 200)
    text = b"".join(encode(a) for messages in f.alerts.values() for a in messages if a).decode()
    words = text + " ".join(f"{p.measurement} {p.fields}" for p in f.points[-50:])
    for word in ("angry", "depress", "burnout", "mood", "stress", "user", "strain_level"):
        assert word not in words.lower()
    for raw in ("strain_index", "evidence", "bpm", "score"):
        assert raw not in text
