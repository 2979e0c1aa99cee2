"""Each page drawn by Streamlit itself: empty first, then one of each, then in trouble."""

import tomllib
from dataclasses import replace
from datetime import timedelta

import pytest

from analytics.people.teams import parse_teams
from analytics.store.embedded import EmbeddedStore
from dashboard import resources
from dashboard.components import people
from dashboard.desk import Screen
from dashboard.resources import Desk
from sensors.errors import StoreError
from sensors.messages import Action
from tests.dashboard.floors import (
    NAMES,
    keep_alive,
    personal,
)
from tests.dashboard.pages import ALERT, NOW, Line, html, labels, links, page, turn


def test_before_the_store_has_answered(desk: Desk) -> None:
    said = html(page(desk))
    assert "Loading…" in said
    assert "Nobody needs you" not in said


def test_empty_floor(desk: Desk) -> None:
    desk.watch.look()
    said = html(page(desk))
    for words in ("Nobody is asking.", "No signals.", "You have taken nothing.", "7 no data"):
        assert words in said
    # Seven people and not one window: that is not fine.
    assert "Unknown whether anybody needs you" in said


def test_calm_floor(desk: Desk, store: EmbeddedStore) -> None:
    keep_alive(store, dict.fromkeys(NAMES, "as_usual"), NOW)
    desk.watch.look()
    said = html(page(desk))
    assert "Nobody needs you" in said
    assert "7 as usual" in said


def test_one_of_everything_in_its_order(floor: Desk) -> None:
    app = page(floor)
    said = html(app)
    places = [
        said.index(words)
        for words in (
            "3 need you",
            "Asks for help now.",
            "5 of 7 different since",
            "Different from own usual for 7 min.",
            "Everyone else",
        )
    ]
    assert places == sorted(places)
    for mark in ("ASKING", "■", "▲", "…"):
        assert mark in said
    assert "✕ 1 fault" in links(app)


def test_nothing_measured_reaches_the_page(floor: Desk) -> None:
    """TRUST T12: the store holds index, score and evidence; no page shows any of them."""
    app = page(floor)
    app.button(key="look-aaaaaaaa01").click().run()
    app.button(key="yes-aaaaaaaa01").click().run()
    app.toggle(key="names").set_value(True).run()
    everything = str(app.main) + html(app)
    for value in ("71.37", "2.7183", "3.1416"):
        assert value not in everything


def test_take_decide_outcome(floor: Desk, line: Line) -> None:
    app = page(floor)
    app.button(key="take-aaaaaaaa01").click().run()
    assert "TAKEN by you" in html(app)
    app.text_area(key="note-aaaaaaaa01").input("after this call").run()
    app.selectbox(key="reason-aaaaaaaa01").select("hard_call").run()
    app.button(key="offer_break-aaaaaaaa01").click().run()
    assert "Look again at 10:50." in html(app)
    app.button(key="outcome-helped-aaaaaaaa01").click().run()
    assert not app.exception
    take, decision, outcome = line.decided
    assert (take.action, take.by) == (Action.TAKE, "ana")
    assert (decision.action, decision.reason, decision.note) == (
        Action.OFFER_BREAK,
        "hard_call",
        "after this call",
    )
    assert outcome.outcome == "helped"
    assert len({message.id for message in line.decided}) == 3


def test_every_decision_can_be_made(floor: Desk, line: Line) -> None:
    app = page(floor)
    app.button(key="take-aaaaaaaa01").click().run()
    said = labels(app)
    for words in (
        "Talk",
        "Offer a break",
        "Join or take over",
        "Bring in an expert",
        "Fix the work",
        "Agent says fine",
        "Can't now → Bo Chen",
        "Not useful",
    ):
        assert words in said
    app.button(key="cannot_now-aaaaaaaa01").click().run()
    assert line.decided[-1].to == "bo"


def test_single_keys_belong_to_one_card_and_can_be_switched_off(floor: Desk) -> None:
    app = page(floor)
    keys = [b.proto.shortcut for b in app.button if b.proto.shortcut]
    assert sorted(keys) == ["l", "t"]
    app.button(key="look-aaaaaaaa01").click().run()
    keys = [b.proto.shortcut for b in app.button if b.proto.shortcut]
    assert sorted(keys) == ["l", "t"], "one key, one meaning"
    app.toggle(key="keys").set_value(False).run()
    assert not [b for b in app.button if b.proto.shortcut]


def test_looking_is_said_first_and_told_before_anything_is_shown(floor: Desk, line: Line) -> None:
    app = page(floor)
    app.button(key="look-aaaaaaaa01").click().run()
    said = html(app)
    assert "Kim Sato will see that you looked." in said
    assert "the last hour against own usual range" not in said
    assert line.told == []
    app.button(key="yes-aaaaaaaa01").click().run()
    assert line.told == [("k1", "ana")]
    said = html(app)
    assert "the last hour against own usual range" in said
    assert "well above since" in said
    assert "Began to differ" in said
    app.button(key="close-aaaaaaaa01").click().run()
    assert "the last hour against own usual range" not in html(app)


def test_looking_is_refused_when_it_cannot_be_told(floor: Desk, line: Line) -> None:
    app = page(floor)
    app.button(key="look-aaaaaaaa01").click().run()
    line.away = True
    app.button(key="yes-aaaaaaaa01").click().run()
    said = html(app)
    assert "Not opened" in said
    assert "the last hour against own usual range" not in said


def test_names_on_demand_by_name_and_without_signals(floor: Desk, line: Line) -> None:
    app = page(floor)
    assert "Aisha Diallo" not in labels(app)
    app.toggle(key="names").set_value(True).run()
    shown = [label for label in labels(app) if label in NAMES.values()]
    assert shown == ["Aisha Diallo", "Jonas Berg", "Mei Chen", "Omar Haddad", "Paul Weiss"]
    app.button(key="open-k3").click().run()
    assert "Omar Haddad will see that you looked." in html(app)
    app.button(key="yes-agent-k3").click().run()
    assert line.told == [("k3", "ana")]
    said = html(app)
    assert "Within their own usual range." in said
    assert "Signals are shown only while an alert is open." in said


def test_broker_away_keeps_the_decision_on_the_page(floor: Desk, line: Line) -> None:
    app = page(floor)
    app.button(key="take-aaaaaaaa01").click().run()
    app.text_area(key="note-aaaaaaaa01").input("after this call").run()
    line.lose()
    app.button(key="talk-aaaaaaaa01").click().run()
    said = html(app)
    assert "Not recorded: the message broker is away." in said
    assert "The message broker is away since 10:30." in said
    assert app.text_area(key="note-aaaaaaaa01").value == "after this call"
    assert [message.action for message in line.decided] == [Action.TAKE]


def test_with_the_broker_away_an_empty_section_is_not_drawn_as_calm(desk: Desk, line: Line) -> None:
    desk.watch.look()
    line.lose()
    said = html(page(desk))
    assert said.count("Not known right now.") == 3
    for calm in ("Nobody is asking.", "No signals.", "Nobody needs you"):
        assert calm not in said


def test_store_away_is_said_and_nobody_is_drawn_as_fine(
    floor: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise StoreError("no answer")

    monkeypatch.setattr(floor.reader, "people", refuse)
    monkeypatch.setattr(floor.reader, "bands", refuse)
    floor.watch.look()
    app = page(floor)
    said = html(app)
    assert "The database is away since 10:30." in said
    assert "AS USUAL" not in said
    app.button(key="look-aaaaaaaa01").click().run()
    app.button(key="yes-aaaaaaaa01").click().run()
    assert "The last hour cannot be read" in html(app)


def test_supervisor_of_no_team(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    other = replace(desk, settings=replace(desk.settings, supervisor="dora"))
    monkeypatch.setattr(resources, "desk", lambda: other)
    said = html(page(desk))
    assert "You lead no team" in said
    assert "Ask whoever keeps teams.toml." in said


def test_card_that_leaves_says_so_and_moves_nobody(floor: Desk, line: Line) -> None:
    second = personal("aaaaaaaa05", "k3", NOW - timedelta(minutes=6))
    line.book.heard(second.alert_id, second)
    app = page(floor)
    line.book.heard("aaaaaaaa01", None)
    app.run()
    said = html(app)
    assert said.index("Kim Sato: nothing more to do.") < said.index("Different from own usual")
    assert app.session_state["tab"].places["signals"] == ["aaaaaaaa01", "aaaaaaaa05"]


def test_chinese(floor: Desk) -> None:
    app = page(floor)
    app.button(key="language-zh_CN").click().run()
    said = html(app)
    assert "3 项需要您" in said
    assert "现在需要帮助。" in said
    assert "接手" in labels(app)
    assert "Nobody" not in said


def test_technical_page(floor: Desk) -> None:
    app = page(floor)
    turn(app, "technical")
    assert not app.exception
    said = html(app)
    assert "Heart: not worn, since 10:27." in said
    assert "Message broker" in said
    assert "Different from own usual" not in said
    turn(app, "")
    assert "3 need you" in html(app)


def test_other_pages_say_who_waits(floor: Desk, line: Line) -> None:
    for path in ("technical", "past"):
        app = turn(page(floor), path)
        assert '<p class="wb-called">3 need you</p>' in html(app)
    for alert_id in ("aaaaaaaa01", "aaaaaaaa02", "aaaaaaaa03"):
        line.book.heard(alert_id, None)
    app.run()
    assert "need you" not in html(app)


def test_what_was_written_and_switched_outlasts_a_look_at_another_page(floor: Desk) -> None:
    app = page(floor)
    app.button(key="take-aaaaaaaa01").click().run()
    app.text_area(key="note-aaaaaaaa01").set_value("after this call").run()
    app.selectbox(key="reason-aaaaaaaa01").set_value("hard_call").run()
    app.toggle(key="keys").set_value(False).run()
    turn(turn(app, "technical"), "")
    assert app.text_area(key="note-aaaaaaaa01").value == "after this call"
    assert app.selectbox(key="reason-aaaaaaaa01").value == "hard_call"
    assert app.toggle(key="keys").value is False


def test_what_was_written_goes_with_the_answer_and_not_with_the_next(
    floor: Desk, line: Line
) -> None:
    def server_says(**changes: object) -> None:
        line.book.heard("aaaaaaaa01", replace(ALERT, **changes))

    app = page(floor)
    app.button(key="take-aaaaaaaa01").click().run()
    server_says(taken_by="ana", taken_at=NOW)
    app.text_area(key="note-aaaaaaaa01").set_value("bo knows more").run()
    app.selectbox(key="reason-aaaaaaaa01").set_value("hard_call").run()
    app.button(key="cannot_now-aaaaaaaa01").click().run()
    assert (line.decided[-1].note, line.decided[-1].reason) == ("bo knows more", "hard_call")
    server_says(told_to=("bo", "ana"))
    app.run()
    server_says(told_to=("ana", "bo"))  # and back
    app.run()
    app.button(key="take-aaaaaaaa01").click().run()
    assert app.text_area(key="note-aaaaaaaa01").value == ""
    assert app.selectbox(key="reason-aaaaaaaa01").value is None


def test_of_a_big_floor_names_are_looked_for(
    desk: Desk, store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "MOST_NAMES", 4)
    keep_alive(store, dict.fromkeys(NAMES, "as_usual"), NOW)
    desk.watch.look()
    app = page(desk)
    app.toggle(key="names").set_value(True).run()
    named = sorted(NAMES.values())
    assert [label for label in labels(app) if label in named] == named[:4]
    assert "3 more. Write a part of the name." in html(app)
    app.text_input(key="find").set_value(" sato").run()
    assert [label for label in labels(app) if label in named] == ["Kim Sato"]
    app.text_input(key="find").set_value("nobody's").run()
    assert "No name contains this." in html(app)


def test_a_press_that_comes_twice_counts_once(
    floor: Desk, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("take", "decide", "outcome", "look"):
        once = getattr(Screen, name)
        monkeypatch.setattr(Screen, name, lambda *given, once=once: (once(*given), once(*given)))
    app = page(floor)
    app.button(key="take-aaaaaaaa01").click().run()
    app.button(key="look-aaaaaaaa01").click().run()
    app.button(key="yes-aaaaaaaa01").click().run()
    app.button(key="talk-aaaaaaaa01").click().run()
    app.button(key="outcome-helped-aaaaaaaa01").click().run()
    assert [one.action for one in line.decided] == [Action.TAKE, Action.TALK, Action.OUTCOME]
    assert len(line.told) == 1


def test_who_takes_again_what_came_back_in_a_moment_is_heard(floor: Desk, line: Line) -> None:
    app = page(floor)
    app.button(key="take-aaaaaaaa01").click().run()
    line.book.heard("aaaaaaaa01", replace(ALERT, taken_by="ana", taken_at=NOW))
    line.book.heard("aaaaaaaa01", ALERT)
    app.run()
    app.button(key="take-aaaaaaaa01").click().run()
    assert [one.action for one in line.decided] == [Action.TAKE, Action.TAKE]


def test_pressing_again_counts_when_nothing_was_recorded(floor: Desk, line: Line) -> None:
    app = page(floor)
    app.button(key="take-aaaaaaaa01").click().run()
    line.away = True
    app.button(key="talk-aaaaaaaa01").click().run()
    line.away = False
    app.button(key="talk-aaaaaaaa01").click().run()
    assert [one.action for one in line.decided] == [Action.TAKE, Action.TALK]


TWO_CITIES = """
[billing]
supervisors = ["ana"]
time_zone = "Europe/Berlin"
agents = ["k1", "k2", "k3", "k4", "k5"]

[sales]
supervisors = ["ana"]
time_zone = "Asia/Ho_Chi_Minh"
agents = ["k6", "k7"]
"""


def test_teams_in_two_zones_each_on_their_own_clocks(
    desk: Desk, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = replace(desk, teams=parse_teams(tomllib.loads(TWO_CITIES)))
    monkeypatch.setattr(resources, "desk", lambda: both)
    started_at = NOW - timedelta(minutes=7)
    for alert_id, agent, team in (("aaaaaaaa01", "k1", "billing"), ("aaaaaaaa05", "k6", "sales")):
        line.book.heard(alert_id, personal(alert_id, agent, started_at, team=team))
    line.lose()
    said = html(page(both))
    assert "Told 10:28. Waiting 2 min." in said
    assert "Times as in Berlin." in said
    assert "Told 15:28. Waiting 2 min." in said
    assert "Times as in Ho Chi Minh." in said
    assert "The message broker is away since 10:30 (Berlin)." in said
