"""Which cards a supervisor sees, where, and in which order."""

import tomllib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from analytics.people.teams import Roster, Teams, parse_teams
from dashboard.cards import Card, Decided, Section, Step, cards, my_teams
from dashboard.live import Sent
from sensors.messages import Action, AlertMessage, AlertState, DecisionMessage
from sensors.shown import Shown
from tests.dashboard.floors import NAMES, TEAMS, asking, personal, team_alert, technical

T0 = datetime(2026, 7, 1, 8, 0, tzinfo=UTC)
NOW = T0 + timedelta(minutes=10)
TEAM_FILE: Teams = parse_teams(tomllib.loads(TEAMS))
ROSTER = Roster(NAMES, {"ana": "Ana Lopez", "bo": "Bo Chen"})
ALERT = personal("aaaaaaaa01", "k1", T0)


def seen(*alerts: AlertMessage, me: str = "ana", **more: object) -> list[Card]:
    sent = more.pop("sent", {})
    decided = more.pop("decided", ())
    return cards(alerts, sent, decided, me=me, teams=TEAM_FILE, roster=ROSTER, now=NOW)  # type: ignore[arg-type]


def test_nothing() -> None:
    assert seen() == []


@pytest.mark.parametrize(
    ("alert", "section", "shown", "title"),
    [
        (asking("aaaaaaaa02", "k2", T0), Section.ASKING, Shown.ASKING, "Lena Roth"),
        (team_alert("aaaaaaaa03", T0), Section.WORK, Shown.WORK, "Billing"),
        (ALERT, Section.SIGNALS, Shown.DIFFERENT, "Kim Sato"),
        (technical("aaaaaaaa04", "k5", T0), Section.TECHNICAL, Shown.FAULT, "Paul Weiss"),
    ],
)
def test_sections(alert: AlertMessage, section: Section, shown: Shown, title: str) -> None:
    (card,) = seen(alert)
    assert (card.section, card.shown, card.title) == (section, shown, title)


def test_longest_waiting_first_whatever_the_level() -> None:
    young = replace(personal("aaaaaaaa05", "k2", T0 + timedelta(minutes=1)))
    mild = replace(ALERT, contributions=())
    assert [c.alert_id for c in seen(young, mild)] == ["aaaaaaaa01", "aaaaaaaa05"]


def test_another_team_is_not_seen() -> None:
    assert seen(ALERT, me="cem") == []
    assert my_teams(TEAM_FILE, "cem", NOW) == ("sales",)
    assert my_teams(TEAM_FILE, "nobody", NOW) == ()


def test_pending_alert_reaches_nobody() -> None:
    assert seen(replace(ALERT, state=AlertState.PENDING, told_at=None)) == []


def test_alert_told_to_somebody_else_is_not_seen() -> None:
    assert seen(replace(ALERT, told_to=("bo",))) == []


def test_alert_that_went_on_is_seen_and_no_longer_needs_me() -> None:
    (card,) = seen(replace(ALERT, told_to=("bo", "ana")))
    assert (card.with_other, card.needs_somebody) == ("Bo Chen", False)


def test_taken_by_me_is_mine_and_by_another_stays_in_place() -> None:
    taken = replace(ALERT, taken_by="ana", taken_at=NOW, state=AlertState.ACKNOWLEDGED)
    (card,) = seen(taken)
    assert (card.section, card.shown, card.taken_by_me) == (Section.MINE, Shown.TAKEN, True)
    (card,) = seen(replace(taken, taken_by="bo"))
    assert (card.section, card.taken_by, card.needs_somebody) == (
        Section.SIGNALS,
        "Bo Chen",
        False,
    )


def _sent(action: Action, to: str | None = None) -> dict[str, Sent]:
    message = DecisionMessage(
        id="bbbbbbbb01", at=NOW, alert_id=ALERT.alert_id, by="ana", action=action, to=to
    )
    return {ALERT.alert_id: Sent(message)}


def test_what_was_just_done_is_shown_as_done_and_as_sent() -> None:
    (card,) = seen(ALERT, sent=_sent(Action.TAKE))
    assert (card.taken_by_me, card.sending) == (True, NOW)
    (card,) = seen(replace(ALERT, taken_by="ana"), sent=_sent(Action.TALK))
    assert (card.section, card.decision) == (Section.MINE, Action.TALK)


def test_handed_on_is_no_decision_about_the_person() -> None:
    (card,) = seen(replace(ALERT, taken_by="ana"), sent=_sent(Action.CANNOT_NOW, "bo"))
    assert (card.decision, card.taken_by, card.taken_by_me) == (None, "Bo Chen", False)


def test_decided_by_another_is_gone_and_by_me_waits_for_its_outcome() -> None:
    closed = replace(ALERT, decision=Action.TALK, taken_by="bo", closed_at=NOW)
    assert seen(closed) == []
    (card,) = seen(replace(closed, taken_by="ana"))
    assert (card.section, card.decision) == (Section.MINE, Action.TALK)


def test_decided_before_a_restart_is_still_mine() -> None:
    known = Decided(
        alert_id="aaaaaaaa09",
        at=T0,
        action=Action.OFFER_BREAK,
        agent="k3",
        team="billing",
        follow_up_at=NOW,
    )
    (card,) = seen(decided=[known])
    assert (card.title, card.section, card.follow_up_at) == ("Omar Haddad", Section.MINE, NOW)
    assert seen(decided=[replace(known, team="sales")]) == []


def test_resolved_still_waits_for_a_decision() -> None:
    (card,) = seen(replace(ALERT, state=AlertState.RESOLVED, resolved_at=NOW))
    assert card.section is Section.SIGNALS
    assert card.needs_somebody
    assert card.shown is Shown.AS_USUAL, "what is over is not drawn as going on"


def test_evidence_lost_from_sight_is_unknown_and_not_fine() -> None:
    """TRUST T13: the agent paused, left, or took the headset off while the alert stood."""
    lost = replace(ALERT, state=AlertState.RESOLVED, resolved_at=NOW, reason="no_data")
    (card,) = seen(lost)
    assert card.shown is Shown.NO_DATA
    assert [entry.step for entry in card.timeline][-1] is Step.LOST
    (card,) = seen(replace(lost, reason="agent_says_fine"))
    assert [entry.step for entry in card.timeline][-1] is Step.SAID_FINE


def test_timeline_is_in_order_and_names_people() -> None:
    (card,) = seen(
        replace(ALERT, taken_by="bo", taken_at=NOW, resolved_at=NOW + timedelta(minutes=1))
    )
    assert [(e.step, e.by) for e in card.timeline] == [
        (Step.STARTED, ""),
        (Step.TOLD, "Ana Lopez"),
        (Step.TAKEN, "Bo Chen"),
        (Step.RESOLVED, ""),
    ]


def test_who_could_take_it_instead() -> None:
    (card,) = seen(ALERT)
    assert card.hand_to == (("bo", "Bo Chen"),)
