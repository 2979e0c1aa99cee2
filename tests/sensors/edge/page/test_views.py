"""From facts to what is said: what is read, what others see, what became of it."""

import time
from dataclasses import replace
from datetime import timedelta

import pytest

from sensors.edge.consent.permission import Event, Given, Permission
from sensors.edge.page import capture, seen, told
from sensors.edge.page.facts import MIRROR_LASTS, Said
from sensors.edge.page.remembered import Asked, Remembered
from sensors.edge.page.render import Page
from sensors.edge.words import CONSENT_TEXT
from sensors.messages import Absence, Action, NoticeKind, PersonState, RequestKind
from sensors.shown import Shown, chip
from sensors.signals import Channel
from tests.sensors.edge.page.makings import (
    BOTH,
    EN,
    HIGH,
    NOW,
    ZH,
    allowing,
    facts,
    mirror,
    notice,
    window,
)
from tests.sensors.edge.page.makings import report as made_report

AWAY = "not read: the screen is locked, or nobody is at the desk"


def state_of(channel, **changes):
    rows = {row.channel: row for row in capture.rows(EN, facts(**changes))}
    return rows[channel].state


@pytest.mark.parametrize(
    ("events", "heart", "voice"),
    [
        ((), "being read now", "being read now"),
        ((Event.PAUSE,), "not read: you paused", "not read: you paused"),
        # An idle desk is the same to the edge, and nobody locked a screen there.
        ((Event.LOCK,), AWAY, AWAY),
        ((Event.SHIFT_ENDS,), "not read: outside your shift", "not read: outside your shift"),
        ((Event.BREAK_BEGINS,), "not read: you are on a break", "not read: you are on a break"),
        ((Event.CALL_ENDS,), "being read now", "not read: no call is open"),
        ((Event.LOCK, Event.PAUSE), "not read: you paused", "not read: you paused"),
    ],
)
def test_the_agent_alone_is_told_why_nothing_is_read(events, heart, voice):
    given = {"permission": allowing(*BOTH, events=events)}
    assert state_of(Channel.HEART, **given) == heart
    assert state_of(Channel.VOICE, **given) == voice


def test_without_consent_nothing_is_read_and_it_says_whose_choice_that_was():
    assert state_of(Channel.HEART, permission=Permission()).endswith("not been asked yet")
    refused = allowing(Channel.VOICE)
    assert state_of(Channel.HEART, permission=refused).endswith("you have not allowed it")


@pytest.mark.parametrize("why", list(Absence))
def test_a_device_that_gives_nothing_is_not_said_to_be_read(why):
    rows = capture.rows(EN, facts(report=made_report(channels={"heart": why.value})))
    assert not rows[0].is_read
    assert rows[0].state.startswith("allowed, and nothing comes")


def test_why_nothing_comes_is_said_while_it_is_allowed():
    away = made_report(channels={"heart": "disconnected"}, troubles={"heart": "plug one in"})
    (heart, voice) = capture.rows(EN, facts(report=away))
    assert (heart.notes, voice.notes) == (("plug one in",), ())
    assert "plug one in" in Page().html(EN, facts(report=away), Said(), is_whole=True)
    paused = allowing(*BOTH, events=(Event.PAUSE,))
    assert capture.rows(EN, facts(report=away, permission=paused))[0].notes == ()


def test_the_zone_of_all_times_is_said(monkeypatch):
    monkeypatch.setenv("TZ", "CST-8")
    time.tzset()
    try:
        html = Page().html(ZH, facts(), Said(), is_whole=True)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert "时间均为这台电脑的时间，UTC+08:00。" in html  # noqa: RUF001 - Chinese


def test_in_private_mode_nobody_is_called_me_and_nothing_waits_to_be_sent():
    given = facts(report=made_report(agent="me"), is_private=True, window=window())
    html = Page().html(EN, given, Said(), is_whole=True)
    assert "Your own page, on this machine alone" in html
    for said in ("You are ME", "waits to be sent", "when it leaves", "who looked."):
        assert said not in html


def test_what_is_read_in_one_sentence():
    def said(**changes):
        given = facts(**changes)
        return capture.sentence(EN, given, capture.rows(EN, given))

    assert said() == "Being read now: Heart, Voice."
    assert "paused" in said(permission=allowing(*BOTH, events=(Event.PAUSE,)))
    assert said(permission=Permission()) == "Nothing is read right now."
    earlier = Permission(Given("earlier", NOW, BOTH))
    assert "have changed since you answered" in said(permission=earlier)
    assert "have changed" in said(permission=earlier.lapsing(NOW))
    assert "All else works without" in said(channels=())


@pytest.mark.parametrize("words", [EN, ZH], ids=["en", "zh"])
@pytest.mark.parametrize("channel", Channel)
def test_the_text_of_consent_is_the_terminals_word_for_word(words, channel):
    name, text = capture.consent_words(words, channel)
    together = "".join(words.say(CONSENT_TEXT[channel]).split()).lower()
    assert together.startswith("".join(name.split()).lower())
    assert together.endswith("".join(text.split()).lower())
    assert name
    assert text


def test_the_supervisors_screen_and_this_page_draw_a_state_with_the_same_code():
    given = facts(mirror=mirror(), mirror_at=NOW)
    assert seen.seen(EN, given).chip == chip(EN, Shown.AS_USUAL)


@pytest.mark.parametrize("state", PersonState)
def test_every_state_has_a_drawing(state):
    given = facts(mirror=mirror(state), mirror_at=NOW)
    assert f"wb-{state.value}" in seen.seen(EN, given).chip


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"mirror_at": NOW - MIRROR_LASTS - timedelta(seconds=1)}, id="old"),
        pytest.param({"mirror_at": NOW, "report": made_report(connected=False)}, id="away"),
    ],
)
def test_what_cannot_be_known_is_unknown_with_the_time_of_the_last_word(changes):
    found = seen.seen(EN, facts(mirror=mirror(), **changes))
    assert not found.is_known
    assert found.chip == ""
    assert found.text.startswith("Unknown: the server has said nothing since ")
    assert "AS USUAL" in found.text
    assert not seen.seen(EN, facts()).is_known


def test_while_a_supervisor_is_told_the_same_parts_are_named():
    alert = notice(NoticeKind.ALERT_TOLD, alert_id="alert001", contributions=HIGH)
    given = facts(mirror=mirror(PersonState.DIFFERENT), mirror_at=NOW, notices=(alert,))
    found = seen.seen(EN, given)
    assert found.text == "Heart well above, typing below."
    assert "You need not do anything" in found.note


def test_what_is_back_or_went_on_is_shown_until_it_is_over():
    again = notice(NoticeKind.ALERT_SHOWN_AGAIN, 1, alert_id="alert001", contributions=HIGH)
    over = notice(NoticeKind.ALERT_RESOLVED, 2, alert_id="alert001")
    first = notice(NoticeKind.ALERT_TOLD, 3, alert_id="alert001", contributions=HIGH)
    assert told.is_open((again, over, first)) is again
    assert told.is_open((over, first)) is None
    said = told.sentence(EN, again)
    assert said == (
        "It is back, and your supervisor sees it again. Heart well above, typing below."
    )
    assert "supervisor" not in told.sentence(EN, again, is_private=True)
    went_on = notice(NoticeKind.ALERT_SHOWN_AGAIN, 0, alert_id="alert001", by="bo")
    assert told.sentence(EN, went_on) == "Nobody had answered, so it went on to bo."


def test_in_private_mode_nobody_sees_anything():
    given = facts(mirror=mirror(), mirror_at=NOW, is_private=True)
    assert "Nobody else sees anything" in seen.seen(EN, given).text
    assert seen.delivery(EN, given).startswith("Nothing leaves this machine.")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "Connected; the server has everything but the last few seconds. Nothing is lost."),
        ({"connected": False, "held": 212}, "No connection; 212 windows of 5 s each are kept here. Nothing is lost."),
        ({"connected": False, "held": 1}, "No connection; 1 window of 5 s is kept here. Nothing is lost."),
        ({"held": 40}, "Connected, but the server has not confirmed 40 windows of 5 s each; they are kept here. Nothing is lost."),
        ({"held": 3, "windows": 3}, "Connected; the server has not confirmed anything yet since the start. Nothing is lost."),
    ],
)  # fmt: skip
def test_where_the_windows_are(changes, said):
    assert seen.delivery(EN, facts(report=made_report(**changes))) == said


def test_what_is_lost_is_counted_and_not_called_nothing():
    said = seen.delivery(EN, facts(report=made_report(connected=False, held=9, dropped=3)))
    assert "3 windows of 5 s each are gone" in said
    assert "Nothing is lost" not in said


@pytest.mark.parametrize("kind", NoticeKind)
@pytest.mark.parametrize("words", [EN, ZH], ids=["en", "zh"])
def test_every_notice_has_a_sentence(words, kind):
    said = told.sentence(
        words, notice(kind, by="ana", decision=Action.TALK, contributions=HIGH, alert_id="alert001")
    )
    assert said
    assert said != kind.value


def test_who_looked_is_named():
    assert told.sentence(EN, notice(NoticeKind.LOOKED, by="ana")) == "ana looked at you."
    assert told.sentence(EN, notice(NoticeKind.LOOKED)) == "somebody looked at you."


def test_what_became_of_a_request_is_told_in_order():
    received = notice(NoticeKind.REQUEST_RECEIVED, 4, alert_id="request1")
    passed = notice(NoticeKind.REQUEST_PASSED_ON, 2, alert_id="request1", by="bo")
    again = notice(NoticeKind.REQUEST_RECEIVED, 1.5, alert_id="request1", by="ana")
    taken = notice(NoticeKind.TAKEN, 1, alert_id="request1", by="bo")
    other = notice(NoticeKind.TAKEN, 3, alert_id="alert001", by="ana")
    memory = Remembered(asked=Asked(RequestKind.HELP_NOW, NOW - timedelta(minutes=5)))
    given = facts(remembered=memory, notices=(taken, again, passed, other, received))
    found = told.progress(EN, given)
    assert found.is_open
    assert [line.partition(" ")[2] for line in found.lines[1:]] == [
        "Your supervisor was told that you asked.",
        "Nobody had answered, so it went on to bo.",
        "Nobody has answered yet; ana was told again.",
        "bo answers you.",
    ]


def test_who_asks_again_is_not_told_that_nobody_answered_yet():
    """The server opens no second alert, so it says nothing new."""
    first_at, again_at = NOW - timedelta(minutes=30), NOW
    memory = (
        Remembered().after("ask", ("help_now",), first_at).after("ask", ("help_now",), again_at)
    )
    received = notice(NoticeKind.REQUEST_RECEIVED, 30, alert_id="request1")
    taken = notice(NoticeKind.TAKEN, 20, alert_id="request1", by="bo")
    found = told.progress(EN, facts(remembered=memory, notices=(taken, received)))
    assert found.lines[-1].endswith("bo answers you.")
    assert found.is_open
    over = notice(NoticeKind.DECIDED, 10, alert_id="request1", by="bo", decision=Action.TALK)
    found = told.progress(EN, facts(remembered=memory, notices=(over, taken, received)))
    assert found.lines[1] == "Sent. No answer yet."  # that was another request
    taken_back = memory.after("ask", ("cancel",), NOW).after("ask", ("help_now",), NOW)
    found = told.progress(EN, facts(remembered=taken_back, notices=(taken, received)))
    assert found.lines[1] == "Sent. No answer yet."


def test_while_a_supervisor_sees_that_one_asks_the_page_shows_that_too():
    memory = Remembered(asked=Asked(RequestKind.HELP_NOW, NOW))
    given = facts(remembered=memory, mirror=mirror(), mirror_at=NOW)
    asking = chip(EN, Shown.ASKING)
    assert asking not in seen.seen(EN, given).chip  # it has not arrived
    received = notice(NoticeKind.REQUEST_RECEIVED, 1, alert_id="request1")
    given = replace(given, notices=(received,))
    assert seen.seen(EN, given).chip == f"{asking} {chip(EN, Shown.AS_USUAL)}"
    decided = notice(NoticeKind.DECIDED, 0.5, alert_id="request1", by="bo", decision=Action.TALK)
    given = replace(given, notices=(decided, received))
    assert seen.seen(EN, given).chip == chip(EN, Shown.AS_USUAL)


def test_a_request_without_an_answer_says_so_and_an_old_one_is_gone():
    memory = Remembered(asked=Asked(RequestKind.BREAK_PLEASE, NOW))
    assert told.progress(EN, facts(remembered=memory)).lines[1] == "Sent. No answer yet."
    old = Remembered(asked=Asked(RequestKind.BREAK_PLEASE, NOW - timedelta(hours=13)))
    assert told.progress(EN, facts(remembered=old)) is None
    assert told.progress(EN, facts()) is None


def test_a_request_from_before_is_not_answered_by_an_older_notice():
    memory = Remembered(asked=Asked(RequestKind.HELP_NOW, NOW))
    before = notice(NoticeKind.REQUEST_RECEIVED, 30, alert_id="request0")
    assert (
        told.progress(EN, facts(remembered=memory, notices=(before,))).lines[1].startswith("Sent")
    )


def test_questions_are_asked_for_a_day_with_what_was_answered():
    asked = notice(NoticeKind.WAS_IT_SO, 10, alert_id="alert001")
    decided = notice(NoticeKind.DECIDED, 20, alert_id="alert001", by="ana", decision=Action.TALK)
    first = notice(NoticeKind.ALERT_TOLD, 30, alert_id="alert001")
    old = notice(NoticeKind.WAS_IT_SO, 60 * 25, alert_id="alert000")
    memory = Remembered(answers={"was_it_so alert001": True})
    given = facts(notices=(asked, decided, first, old), remembered=memory)
    was, helped = told.questions(EN, given)
    assert (was.kind, was.answer) == ("was_it_so", True)
    assert (helped.kind, helped.answer) == ("did_it_help", None)
    assert "ana answered that with: Talk." in helped.text


def test_without_a_decision_nobody_is_asked_whether_it_helped():
    asked = notice(NoticeKind.WAS_IT_SO, 10, alert_id="alert001")
    assert [q.kind for q in told.questions(EN, facts(notices=(asked,)))] == ["was_it_so"]


def test_what_collectors_lost_or_could_not_read_stands_on_the_page():
    report = made_report(not_kept_up={"hid": 2}, unreadable={"heart_rate": 5})
    for words, shown in (
        (EN, ("hid: lost 2 times", "heart_rate: what its device said and made no sense: 5")),
        (ZH, ("hid：因本机过于繁忙丢失 2 次", "heart_rate：设备发来的无法理解的数据：5 次")),  # noqa: RUF001 - Chinese
    ):
        html = Page().html(words, facts(report=report), Said(), is_whole=False)
        for line in shown:
            assert line in html
    assert "made no sense" not in Page().html(EN, facts(), Said(), is_whole=False)
