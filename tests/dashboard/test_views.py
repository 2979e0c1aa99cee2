"""Each page drawn by Streamlit itself: empty first, then one of each, then in trouble."""

import tomllib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from analytics import points_out
from analytics.store.embedded import EmbeddedStore
from analytics.store.points import Point
from analytics.teams import Roster, parse_teams
from dashboard import resources
from dashboard.live import AlertBook, LiveView
from dashboard.queries import Reader
from dashboard.resources import Desk
from dashboard.settings import DashboardSettings
from dashboard.watch import FloorWatch
from sensors.errors import BrokerError, StoreError
from sensors.messages import Action, DecisionMessage
from tests.dashboard.floors import (
    NAMES,
    SITE,
    TEAMS,
    asking,
    keep_alive,
    personal,
    strained_hour,
    team_alert,
    technical,
)

NOW = datetime(2026, 7, 1, 8, 30, 30, tzinfo=UTC)
APP = str(Path(__file__).parents[2] / "dashboard" / "app.py")
ALERT = personal("aaaaaaaa01", "k1", NOW - timedelta(minutes=7))


class Line:
    """A broker's line without a broker: the book is the real one."""

    def __init__(self) -> None:
        self.book = AlertBook(NOW - timedelta(minutes=1))
        self.book.line(connected=True, now=NOW - timedelta(minutes=1))
        self.decided: list[DecisionMessage] = []
        self.told: list[tuple[str, str]] = []
        self.away = False

    def view(self, now: datetime) -> LiveView:
        return self.book.view(now)

    def decide(self, message: DecisionMessage) -> None:
        self._refuse()
        self.decided.append(message)
        self.book.answered(message, self.book.alert(message.alert_id))

    def looked(self, agent: str, by: str, now: datetime) -> None:
        self._refuse()
        self.told.append((agent, by))

    def _refuse(self) -> None:
        if self.away:
            raise BrokerError("the broker is away; nothing was recorded")

    def lose(self) -> None:
        self.away = True
        self.book.line(connected=False, now=NOW - timedelta(seconds=30))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    store = EmbeddedStore(tmp_path / "store.sqlite")
    yield store
    store.close()


@pytest.fixture
def line() -> Line:
    return Line()


@pytest.fixture
def desk(store: EmbeddedStore, line: Line, monkeypatch: pytest.MonkeyPatch) -> Desk:
    teams = parse_teams(tomllib.loads(TEAMS))
    reader = Reader(lambda: store, SITE)
    watch = FloorWatch(
        reader, "ana", lambda now: [("billing", teams.agents("billing", now))], lambda: NOW
    )
    own = DashboardSettings(site=SITE, supervisor="ana", language="en")
    desk = Desk(
        own,
        teams,
        Roster(NAMES, {"ana": "Ana", "bo": "Bo Chen"}),
        line,
        reader,
        watch,
        lambda: NOW,  # type: ignore[arg-type]
        2,
    )
    monkeypatch.setattr(resources, "desk", lambda: desk)
    return desk


@pytest.fixture
def floor(store: EmbeddedStore, line: Line, desk: Desk) -> Desk:
    """A floor on which one of everything happens."""
    at = NOW - timedelta(seconds=3)
    store.write(strained_hour("k1", at))
    keep_alive(store, {"k2": "as_usual", "k3": "as_usual", "k4": "learning", "k5": "fault"}, at)
    alerts = [
        ALERT,
        asking("aaaaaaaa02", "k2", NOW - timedelta(seconds=40)),
        team_alert("aaaaaaaa03", NOW - timedelta(minutes=9)),
        technical("aaaaaaaa04", "k5", NOW - timedelta(minutes=3)),
    ]
    for alert in alerts:
        line.book.heard(alert.alert_id, alert)
    desk.watch.look()
    return desk


def page(desk: Desk) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=30).run()
    assert not app.exception
    return app


def html(app: AppTest) -> str:
    return "\n".join(element.proto.body for element in app.get("html"))


def labels(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


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
    assert "✕ 1 fault" in labels(app)


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


def silence(agent: str | None = "k3", by: str = "ana", **more: object) -> Point:
    values = {"until_at": NOW + timedelta(hours=2), "reason": "drill"} | more
    identity = f"silence{agent or 'team'}0000"
    message = DecisionMessage(
        id=identity,
        at=NOW - timedelta(minutes=1),
        alert_id=identity,
        by=by,
        action=Action.SILENCE,
        agent=agent,
        team=None if agent else "billing",
        **values,
    )  # type: ignore[arg-type]
    return points_out.silence(SITE, message, "billing", "applied")


def test_a_silence_stands_on_the_page_and_can_be_ended(
    floor: Desk, store: EmbeddedStore, line: Line
) -> None:
    store.write([silence(), silence(None, "bo", until_at=NOW + timedelta(hours=1))])
    floor.watch.look()
    app = page(floor)
    said = html(app)
    assert "2 silences" in said
    assert "No alerts until 12:30, silenced by you. Why: drill." in said
    assert "No alerts until 11:30, silenced by Bo Chen. Why: drill." in said
    keys = [b.proto.shortcut for b in app.button if b.proto.shortcut]
    assert sorted(keys) == ["e", "l", "t"], "one key, one meaning"
    app.button(key="lift-silencek30000").click().run()
    (message,) = line.decided
    assert (message.action, message.agent, message.team) == (Action.SILENCE, "k3", None)
    assert message.until_at == NOW
    assert "Sent." in html(app)
    assert "lift-silencek30000" not in {button.key for button in app.button}
    line.lose()
    app.button(key="lift-silenceteam0000").click().run()
    assert "Not recorded: the message broker is away." in html(app)
    assert "lift-silenceteam0000" in {button.key for button in app.button}


def test_a_silence_that_ended_is_gone_even_while_the_store_is_away(
    floor: Desk, store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write([silence(until_at=NOW + timedelta(seconds=30))])
    floor.watch.look()
    assert "1 silence" in html(page(floor))
    later = replace(floor, clock=lambda: NOW + timedelta(minutes=1))
    monkeypatch.setattr(resources, "desk", lambda: later)
    assert "silence" not in html(page(later))


def test_told_again_and_passed_on_are_said_in_one_note(floor: Desk, line: Line) -> None:
    again = "Told again 10:29: nobody has taken it."
    came = "Nobody answered before, so it came on to you."
    line.book.heard(ALERT.alert_id, replace(ALERT, escalated=1, told_to=("ana", "bo")))
    said = html(page(floor))
    assert came in said
    repeated = replace(ALERT, escalated=1, repeated_at=NOW - timedelta(minutes=1))
    line.book.heard(ALERT.alert_id, repeated)
    said = html(page(floor))
    assert again in said
    assert came not in said
    line.book.heard(ALERT.alert_id, replace(repeated, told_to=("bo", "ana")))
    said = html(page(floor))
    assert "Now with Bo Chen." in said
    assert came not in said
    line.book.heard(ALERT.alert_id, replace(repeated, taken_by="ana", taken_at=NOW))
    assert again not in html(page(floor))


def test_how_the_alerts_do_is_folded_at_the_bottom(floor: Desk) -> None:
    app = page(floor)
    (folded,) = app.expander
    assert folded.label == "How the alerts do"
    assert not folded.proto.expanded
    said = html(app)
    assert "0.0 an hour; at most 2." in said
    assert said.index("Everyone else") < said.index("Signals told to you")
    for name in NAMES.values():
        assert name not in said[said.index("Signals told to you") :]


def test_technical_page(floor: Desk) -> None:
    app = page(floor)
    app.button(key="go-technical").click().run()
    assert not app.exception
    said = html(app)
    assert "Heart: not worn, since 10:27." in said
    assert "Message broker" in said
    assert "Different from own usual" not in said
    app.button(key="go-back").click().run()
    assert "3 need you" in html(app)
