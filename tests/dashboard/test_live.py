"""What was heard and what was answered: the pure half, then a real broker."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dashboard.live import CONFIRM_S, KEEP_MINE_S, SETTLE_S, AlertBook, LineState, Live, new_id
from sensors import codec, topics
from sensors.config import BrokerSettings
from sensors.errors import BrokerError
from sensors.messages import Action, AlertState, AuditMessage, DecisionMessage, Outcome
from tests.dashboard.floors import SITE, Server, personal, utc_now
from tests.rig import Mosquitto
from tests.rig.waiting import PATIENCE_S, wait_until

T0 = datetime(2026, 7, 1, 8, 0, tzinfo=UTC)
ALERT = personal("aaaaaaaa01", "k1", T0)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def decision(action: Action, **more: object) -> DecisionMessage:
    return DecisionMessage(
        id=new_id(),
        at=T0,
        alert_id=ALERT.alert_id,
        by="ana",
        action=action,
        **more,  # type: ignore[arg-type]
    )


@pytest.fixture
def book() -> AlertBook:
    book = AlertBook(T0)
    book.line(connected=True, now=T0)
    return book


def test_before_anything_is_heard_it_is_loading_and_not_fine() -> None:
    book = AlertBook(T0)
    assert book.view(at(0.1)).line is LineState.LOADING
    assert book.view(at(60)).line is LineState.AWAY


def test_retained_alerts_may_still_be_arriving_just_after_connecting(book: AlertBook) -> None:
    assert book.view(at(SETTLE_S / 2)).line is LineState.LOADING
    assert book.view(at(SETTLE_S)).line is LineState.UP


def test_alert_comes_and_goes(book: AlertBook) -> None:
    book.heard(ALERT.alert_id, ALERT)
    assert book.view(at(2)).alerts == (ALERT,)
    book.heard(ALERT.alert_id, None)
    assert book.view(at(3)).alerts == ()


def test_what_was_cleared_while_away_is_forgotten_and_the_rest_kept(book: AlertBook) -> None:
    other = replace(ALERT, alert_id="aaaaaaaa02")
    for alert in (ALERT, other):
        book.heard(alert.alert_id, alert)
    book.line(connected=False, now=at(10))
    away = book.view(at(11))
    assert (away.line, away.since, len(away.alerts)) == (LineState.AWAY, at(10), 2)
    book.line(connected=True, now=at(20))
    book.heard(other.alert_id, other)
    assert book.view(at(21)).alerts == (other,)


def test_taken_is_shown_as_sent_until_the_server_says_so(book: AlertBook) -> None:
    book.heard(ALERT.alert_id, ALERT)
    book.answered(decision(Action.TAKE), ALERT)
    assert ALERT.alert_id in book.view(at(2)).sent
    book.heard(ALERT.alert_id, ALERT)  # an update of its text, not yet the answer
    assert ALERT.alert_id in book.view(at(2)).sent
    book.heard(ALERT.alert_id, replace(ALERT, taken_by="bo"))
    assert book.view(at(2)).sent == {}


def test_decided_alert_stays_until_its_outcome_though_the_server_cleared_it(
    book: AlertBook,
) -> None:
    book.heard(ALERT.alert_id, ALERT)
    book.answered(decision(Action.TALK), ALERT)
    closed = replace(ALERT, state=AlertState.CLOSED, decision=Action.TALK, taken_by="ana")
    book.heard(ALERT.alert_id, closed)
    book.heard(ALERT.alert_id, None)
    kept = book.view(at(3))
    assert [(a.taken_by, a.decision) for a in kept.alerts] == [("ana", Action.TALK)]
    assert kept.alerts[0].taken_at == T0, "the card says when, though no taking was heard of"
    book.answered(decision(Action.OUTCOME, outcome=Outcome.HELPED), ALERT)
    done = book.view(at(4))
    assert (done.alerts, done.finished) == ((), {ALERT.alert_id})


def test_a_server_quicker_than_the_brokers_confirmation_changes_nothing(book: AlertBook) -> None:
    book.heard(ALERT.alert_id, ALERT)
    answering = book.alert(ALERT.alert_id)
    closed = replace(ALERT, state=AlertState.CLOSED, decision=Action.TALK, taken_by="ana")
    book.heard(ALERT.alert_id, closed)
    book.heard(ALERT.alert_id, None)
    book.answered(decision(Action.TALK), answering)
    kept = book.view(at(3))
    assert [(a.taken_by, a.decision) for a in kept.alerts] == [("ana", Action.TALK)]
    assert kept.sent == {}, "nothing is waited for"


def test_answer_that_was_not_confirmed_in_time_and_was_recorded_is_kept(book: AlertBook) -> None:
    message = decision(Action.TALK)
    book.heard(ALERT.alert_id, ALERT)
    book.unconfirmed(message, ALERT)
    book.heard(ALERT.alert_id, replace(ALERT, taken_by="bo"))  # somebody else's, not this one
    assert book.view(at(2)).came_through == frozenset()
    closed = replace(ALERT, state=AlertState.CLOSED, decision=Action.TALK, taken_by=message.by)
    book.heard(ALERT.alert_id, closed)
    book.heard(ALERT.alert_id, None)
    kept = book.view(at(3))
    assert [(a.taken_by, a.decision) for a in kept.alerts] == [(message.by, Action.TALK)]
    assert kept.came_through == {ALERT.alert_id}
    book.unconfirmed(decision(Action.OUTCOME, outcome=Outcome.HELPED), ALERT)
    assert book.view(at(4)).came_through == frozenset(), "a new attempt, a new answer"


def test_outcome_that_never_came_ends_with_the_shift(book: AlertBook) -> None:
    book.heard(ALERT.alert_id, ALERT)
    book.answered(decision(Action.TALK), ALERT)
    book.heard(ALERT.alert_id, None)
    assert book.view(at(KEEP_MINE_S - 1)).alerts
    assert not book.view(at(KEEP_MINE_S + 1)).alerts


def test_handing_on_is_answered_when_somebody_else_has_it(book: AlertBook) -> None:
    book.heard(ALERT.alert_id, replace(ALERT, taken_by="ana"))
    book.answered(decision(Action.CANNOT_NOW, to="bo"), ALERT)
    book.heard(ALERT.alert_id, replace(ALERT, taken_by="ana"))
    assert book.view(at(2)).sent
    book.heard(ALERT.alert_id, replace(ALERT, taken_by=None, told_to=("bo", "ana")))
    assert not book.view(at(2)).sent


def test_handing_on_before_the_server_has_answered_the_taking_is_shown(book: AlertBook) -> None:
    """A busy server may tell only what has become of both."""
    book.heard(ALERT.alert_id, ALERT)
    book.answered(decision(Action.TAKE), ALERT)
    book.answered(decision(Action.CANNOT_NOW, to="bo"), ALERT)
    assert book.view(at(2)).sent[ALERT.alert_id].message.action is Action.CANNOT_NOW
    book.heard(ALERT.alert_id, replace(ALERT, taken_by=None, told_to=("bo", "ana")))
    assert not book.view(at(2)).sent


def test_alert_that_cannot_be_read_is_counted_not_hidden(book: AlertBook) -> None:
    book.could_not_read("aaaaaaaa09")
    assert book.view(at(2)).unreadable == 1
    book.heard("aaaaaaaa09", None)
    assert book.view(at(2)).unreadable == 0


def test_told_counts_an_hour_even_after_the_alert_is_gone(book: AlertBook) -> None:
    book.heard(ALERT.alert_id, ALERT)
    book.heard(ALERT.alert_id, None)
    assert len(book.view(at(600)).told) == 1
    assert len(book.view(at(2 * 3600)).told) == 0


@pytest.fixture
def server(mosquitto: Mosquitto) -> Iterator[Server]:
    server = Server(mosquitto.port)
    yield server
    server.stop()


@pytest.fixture
def live(mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch) -> Iterator[Live]:
    monkeypatch.setattr("dashboard.live.CONFIRM_S", PATIENCE_S)  # a busy machine fails no test
    live = Live(BrokerSettings(port=mosquitto.port), SITE)
    live.start()
    yield live
    live.stop()


def _up(live: Live) -> None:
    wait_until(lambda: live.view(utc_now()).line is LineState.UP, what="line up")


@pytest.mark.needs("mosquitto")
def test_hears_retained_alerts_and_publishes_decisions_once(server: Server, live: Live) -> None:
    server.publish(ALERT)
    wait_until(lambda: live.view(utc_now()).alerts == (ALERT,), what="the alert")
    _up(live)
    sent = decision(Action.TALK, note="after this call")
    live.decide(sent)
    (payload,) = server.wait_for(topics.decision(SITE))
    assert codec.decode(payload, DecisionMessage) == sent
    server.clear(ALERT.alert_id)
    wait_until(lambda: not live.view(utc_now()).sent, what="the answer")


@pytest.mark.needs("mosquitto")
def test_looking_is_told(server: Server, live: Live) -> None:
    _up(live)
    live.looked("k1", "ana", utc_now())
    (payload,) = server.wait_for(topics.audit(SITE))
    told = codec.decode(payload, AuditMessage)
    assert (told.agent, told.by, told.kind) == ("k1", "ana", "viewed_person")


@pytest.mark.needs("mosquitto")
def test_damaged_alert_is_counted(server: Server, live: Live) -> None:
    server._connection.publish_and_wait(
        topics.alert(SITE, "aaaaaaaa09"), b"{}", retain=True, timeout_s=60
    )
    wait_until(lambda: live.view(utc_now()).unreadable == 1, what="the damaged alert")


@pytest.mark.needs("mosquitto")
def test_broker_away_refuses_and_keeps_nothing(mosquitto: Mosquitto, live: Live) -> None:
    _up(live)
    mosquitto.stop()
    wait_until(lambda: live.view(utc_now()).line is LineState.AWAY, what="line away")
    with pytest.raises(BrokerError, match="nothing was recorded"):
        live.decide(decision(Action.TAKE))
    with pytest.raises(BrokerError):
        live.looked("k1", "ana", utc_now())
    assert live.view(utc_now()).sent == {}
    assert CONFIRM_S < 5
    mosquitto.start()
    _up(live)
