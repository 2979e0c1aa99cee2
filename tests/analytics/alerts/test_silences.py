"""Silences: until when, by whom and why; nothing is lost and nobody who asks is muted."""

from datetime import timedelta

import pytest

from analytics.alerts.silences import LONGEST
from analytics.store.points import Measurement
from sensors.errors import MessageError
from sensors.messages import (
    Action,
    AlertKind,
    AlertState,
    DecisionMessage,
    RequestKind,
    RequestMessage,
)
from tests.analytics.evidence_by_hand import Evidence

HOUR = timedelta(hours=1)
K0 = {"agent": "k0"}
TEAM = {"team": "billing"}


def silence(
    e: Evidence,
    about: dict[str, str],
    lasting: timedelta = HOUR,
    by: str = "ana",
    clock: timedelta = timedelta(0),
) -> str:
    """Silence an agent or the team; return what the record says it did.

    `clock` is how far that of whoever silences runs ahead of the server's.
    """
    identity = f"silence{e.floor.t_s:.0f}{by}"
    message = DecisionMessage(
        id=identity,
        at=e.floor.now + clock,
        alert_id=identity,
        by=by,
        action=Action.SILENCE,
        until_at=e.floor.now + clock + lasting,
        reason="drill",
        **about,
    )
    e.step((None, message))
    return str(e.floor.of(Measurement.DECISION)[-1].fields["effect"])


def told(e: Evidence) -> list[tuple[str, str]]:
    return [(one.event, one.agent) for one in e.tellings]


@pytest.mark.parametrize("about", [K0, TEAM], ids=["agent", "team"])
def test_what_still_stands_at_the_end_is_told_and_what_went_is_in_the_record(
    about: dict[str, str],
) -> None:
    e = Evidence(12)
    assert silence(e, about) == "applied"
    e.begin("k0")
    e.wait(HOUR.total_seconds() - 10, every_s=60)
    assert told(e) == []
    assert e.floor.open() == [], "neither shown nor counted as waiting for room"
    e.wait(10)
    assert told(e) == [("fire", "k0")]
    assert e.events() == ["silence", "fire"]

    e.end("k0")
    e.wait(4000, every_s=60)
    silence(e, about)
    e.begin("k0")
    e.step()
    e.end("k0")
    e.step()
    assert e.events()[-2:] == ["silence", "vanish"]
    record = e.floor.of(Measurement.TRANSITION)[-2].fields
    assert str(record["silenced_by"]).startswith("silence")


def test_others_are_told_as_ever() -> None:
    e = Evidence(24)
    silence(e, K0)
    e.begin("k0", "k1")
    e.step()
    assert told(e) == [("fire", "k1")]


def test_a_card_nobody_took_gives_way_and_one_that_somebody_took_stays() -> None:
    e = Evidence(24)
    e.begin("k0", "k1")
    e.step()
    taken = next(a for a in e.floor.open() if a.agent == "k1")
    e.floor.decide(taken.alert_id, Action.TAKE)
    silence(e, TEAM)
    assert [(a.agent, a.state) for a in e.floor.open()] == [("k1", AlertState.ACKNOWLEDGED)]
    assert e.floor.told("k0") == ["alert_told", "alert_resolved"]


def test_who_asks_and_what_is_broken_is_never_silenced() -> None:
    e = Evidence(12)
    silence(e, TEAM)
    silence(e, K0, by="bo")
    e.step(("k0", RequestMessage(id="request1", at=e.floor.now, kind=RequestKind.HELP_NOW)))
    assert [(a.kind, a.state) for a in e.floor.open()] == [(AlertKind.REQUEST, AlertState.FIRING)]
    e.break_heart("k0")
    for _ in range(14):
        e.floor.t_s += 5
        e.step()
    assert {a.kind for a in e.floor.open()} == {AlertKind.REQUEST, AlertKind.TECHNICAL}


def test_a_silenced_cause_still_speaks_for_its_people_and_is_told_if_it_lasts() -> None:
    e = Evidence(10)
    silence(e, TEAM, timedelta(minutes=10))
    e.begin(*e.agents[:6])
    e.wait(300)
    assert e.floor.open() == []
    assert set(e.events()) == {"inhibit"}, "inhibition comes before silence"
    record = [
        p.fields for p in e.floor.of(Measurement.TRANSITION) if p.fields["kind"] == "personal"
    ]
    assert not any("silenced_by" in fields for fields in record)
    e.wait(300)
    (work,) = e.floor.open()
    assert (work.kind, work.state, work.told_to) == (
        AlertKind.TEAM, AlertState.FIRING, ("ana", "bo"),
    )  # fmt: skip
    silence(e, TEAM)
    assert e.floor.open() == []
    e.end(*e.agents)
    e.wait(60)
    assert e.floor.open() == []
    assert e.events(AlertKind.TEAM) == ["silence", "fire", "silence"], "it may only waver"
    e.wait(300)
    assert e.events(AlertKind.TEAM) == ["silence", "fire", "silence", "vanish"]


def test_a_silenced_cause_that_returns_stays_silent() -> None:
    e = Evidence(10)
    e.begin(*e.agents[:6])
    e.wait(30)
    e.end(*e.agents)
    e.wait(30)
    silence(e, TEAM)
    e.begin(*e.agents[:6])
    e.wait(30)
    assert [a for a in e.floor.open() if a.kind is AlertKind.TEAM] == []
    assert e.events(AlertKind.TEAM) == ["fire", "resolve", "silence"]


def test_the_agent_is_told_who_silenced_and_a_retelling_counts_once() -> None:
    e = Evidence(12)
    silence(e, K0)
    silence(e, K0)  # the same message, told again
    (notice,) = [notice for agent, notice in e.floor.notices if agent == "k0"]
    assert (notice.kind.value, notice.by, notice.decision) == ("decided", "ana", Action.SILENCE)
    assert len(e.floor.of(Measurement.DECISION)) == 1
    record = e.floor.of(Measurement.DECISION)[0]
    assert record.tags == {"site": "north", "agent": "k0"}
    assert record.fields["reason"] == "drill"
    assert record.fields["until_at"] == (e.floor.now + HOUR).isoformat()


def test_the_agent_is_told_who_lifted_it_and_of_no_other_end() -> None:
    e = Evidence(12)
    silence(e, K0, timedelta(0))  # nothing to lift
    e.wait(5)
    silence(e, K0)
    e.wait(5)
    silence(e, K0, timedelta(0), by="bo")
    found = [(n.kind.value, n.by, n.decision) for agent, n in e.floor.notices if agent == "k0"]
    assert found == [("decided", "ana", Action.SILENCE), ("silence_lifted", "bo", None)]


@pytest.mark.parametrize("ahead", [-HOUR, HOUR], ids=["behind", "ahead"])
def test_the_record_has_silences_in_the_order_in_which_they_arrived(ahead: timedelta) -> None:
    e = Evidence(12)
    silence(e, K0, 2 * HOUR, clock=ahead)
    e.wait(5)
    together = [
        DecisionMessage(
            id=identity,
            at=e.floor.now + clock,
            alert_id=identity,
            by="bo",
            action=Action.SILENCE,
            until_at=e.floor.now + HOUR,
            reason="drill",
            agent="k0",
        )
        for identity, clock in (("later000", timedelta(0)), ("earlier0", -2 * HOUR))
    ]
    e.step(*((None, message) for message in together))
    record = sorted(e.floor.of(Measurement.DECISION), key=lambda point: point.time_ns)
    assert [point.fields["id"] for point in record] == ["silence0ana", "later000", "earlier0"]
    (standing,) = e.pipeline._book.silences.all()
    assert standing.id == "earlier0"


@pytest.mark.parametrize(
    ("about", "lasting", "by", "effect"),
    [
        pytest.param(TEAM, HOUR, "cy", "not_their_team", id="leads another team"),
        pytest.param({"agent": "stray"}, HOUR, "ana", "not_their_team", id="in no team"),
        pytest.param({"team": "sales"}, HOUR, "ana", "not_their_team", id="no such team"),
        pytest.param(TEAM, LONGEST + timedelta(seconds=1), "ana", "too_long", id="for ever"),
        pytest.param(TEAM, timedelta(0), "ana", "over_already", id="nothing to lift"),
    ],
)
def test_what_may_not_be_is_recorded_and_mutes_nobody(
    about: dict[str, str], lasting: timedelta, by: str, effect: str
) -> None:
    e = Evidence(12)
    assert silence(e, about, lasting, by) == effect
    e.begin("k0")
    e.step()
    assert told(e) == [("fire", "k0")]


def test_one_that_ends_at_once_lifts_it() -> None:
    e = Evidence(12)
    silence(e, K0, LONGEST)
    e.begin("k0")
    e.wait(10)
    assert told(e) == []
    assert silence(e, K0, timedelta(0), by="bo") == "lifted"
    assert told(e) == [("fire", "k0")]


@pytest.mark.parametrize("ahead", [timedelta(hours=1), timedelta(hours=13)], ids=str)
def test_one_that_ends_at_once_lifts_it_from_a_clock_that_runs_ahead(ahead: timedelta) -> None:
    e = Evidence(12)
    silence(e, K0, timedelta(minutes=5))
    assert silence(e, K0, timedelta(0), by="bo", clock=ahead) == "lifted"
    e.begin("k0")
    e.step()
    assert told(e) == [("fire", "k0")]


def test_one_that_arrives_after_its_end_leaves_the_newer_one_alone() -> None:
    e = Evidence(12)
    silence(e, K0)
    assert silence(e, K0, timedelta(minutes=5), by="bo", clock=-HOUR) == "over_already"
    e.begin("k0")
    e.step()
    assert told(e) == []


def test_a_silenced_cause_that_wavers_is_told_at_the_end_if_it_stands() -> None:
    e = Evidence(10)
    silence(e, TEAM, timedelta(minutes=10))
    e.begin(*e.agents[:6])
    e.wait(60)
    e.end(*e.agents[1:6])
    e.wait(30)
    e.begin(*e.agents[1:6])
    e.wait(600)
    (work,) = e.floor.open()
    assert (work.kind, work.state) == (AlertKind.TEAM, AlertState.FIRING)


def test_a_silence_outlives_a_restart() -> None:
    e = Evidence(12)
    silence(e, K0)
    e.restart()
    e.begin("k0")
    e.wait(30)
    assert told(e) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"agent": "k0", "team": "billing"}, "agent or a team", id="both"),
        pytest.param({}, "agent or a team", id="neither"),
        pytest.param({"agent": "k0", "reason": None}, "reason", id="no reason"),
        pytest.param({"agent": "k0", "until_at": None}, "until_at", id="no end"),
        pytest.param({"agent": "k0", "action": Action.TALK}, "agent or a team", id="a decision"),
    ],
)
def test_a_silence_that_says_too_little_is_refused(changes: dict[str, object], said: str) -> None:
    at = Evidence(1).floor.now
    complete = {"id": "silence1", "at": at, "alert_id": "silence1", "by": "ana"}
    complete |= {"action": Action.SILENCE, "until_at": at + HOUR, "reason": "drill"}
    with pytest.raises(MessageError, match=said):
        DecisionMessage(**(complete | changes))  # type: ignore[arg-type]
