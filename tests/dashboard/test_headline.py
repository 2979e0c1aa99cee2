"""The header line: what is unknown is never drawn as fine."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dashboard.floor import without_cards
from dashboard.headline import STALE_S, Headline, Trouble, explain, headline, troubles
from dashboard.live import LineState, LiveView
from dashboard.queries import People, PersonState
from dashboard.watch import FloorView
from sensors.shown import Shown
from sensors.words import Words
from tests.dashboard.test_formatting import PERSON

NOW = datetime(2026, 7, 1, 8, 30, tzinfo=UTC)
STATES = tuple(PersonState(f"k{i}", "billing", Shown.AS_USUAL) for i in range(22)) + tuple(
    PersonState(f"n{i}", "billing", Shown.NO_DATA) for i in range(3)
)
LIVE = LiveView(line=LineState.UP, since=NOW, alerts=(), sent={})
FLOOR = FloorView(people=People(STATES, NOW - timedelta(seconds=2)), read_at=NOW)
EN = Words("en")


def line(
    live: LiveView = LIVE,
    floor: FloorView = FLOOR,
    cards: tuple = (),
    teams: tuple[str, ...] = ("billing",),
    **more: int,
) -> Headline:
    others = floor.people.states if floor.people else ()
    numbers = {"told": 1, "held_back": 0, "budget": 2} | more
    problems = troubles(live, floor, teams=teams, now=NOW)
    return headline(EN, floor, cards, others, problems=problems, now=NOW, **numbers)


def test_calm_floor_reads_as_the_design_says() -> None:
    found = line()
    said = " · ".join([found.lead, *found.told, found.updated])
    assert said == (
        "Nobody needs you · 22 as usual · 3 no data · 1 of 2 alerts this hour · updated 2 s ago"
    )
    assert found.calm


def test_somebody_needs_you() -> None:
    assert line(cards=(PERSON,)).lead == "1 needs you"
    assert line(cards=(PERSON, replace(PERSON, alert_id="aaaaaaaa02"))).lead == "2 need you"
    assert line(cards=(replace(PERSON, with_other="Bo"),)).lead == "Nobody needs you"


def test_what_the_budget_keeps_back_is_counted() -> None:
    assert "2 kept back" in line(held_back=2).told


AWAY = replace(LIVE, line=LineState.AWAY)
OLD = replace(FLOOR, people=People(STATES, NOW - timedelta(seconds=STALE_S + 1)))
DARK = tuple(replace(person, shown=Shown.NO_DATA) for person in STATES)


@pytest.mark.parametrize(
    ("live", "floor", "teams", "trouble", "lead"),
    [
        (AWAY, FLOOR, ("b",), Trouble.BROKER_AWAY, "Unknown whether anybody needs you"),
        (
            LIVE,
            replace(FLOOR, away_since=NOW),
            ("b",),
            Trouble.STORE_AWAY,
            "Unknown whether anybody needs you",
        ),
        (LIVE, OLD, ("b",), Trouble.SERVER_SILENT, "Unknown whether anybody needs you"),
        (LIVE, FloorView(), ("b",), Trouble.LOADING, "Loading…"),
        (
            replace(LIVE, line=LineState.LOADING),
            FLOOR,
            ("b",),
            Trouble.LOADING,
            "Loading…",
        ),
        (
            replace(LIVE, unreadable=1),
            FLOOR,
            ("b",),
            Trouble.UNREADABLE,
            "Unknown whether anybody needs you",
        ),
        (LIVE, FLOOR, (), Trouble.NO_TEAM, "You lead no team"),
    ],
)
def test_each_trouble_has_its_own_words_and_none_is_calm(
    live: LiveView, floor: FloorView, teams: tuple[str, ...], trouble: Trouble, lead: str
) -> None:
    assert trouble in troubles(live, floor, teams=teams, now=NOW)
    found = line(live, floor, teams=teams)
    assert (found.lead, found.calm) == (lead, False)
    assert explain(EN, trouble, live, floor, UTC)


def test_explanations_differ() -> None:
    said = {explain(EN, t, replace(AWAY, unreadable=1), OLD, UTC) for t in Trouble}
    assert len(said) == len(Trouble)


def test_need_is_said_even_in_trouble() -> None:
    assert line(AWAY, cards=(PERSON,)).lead == "1 needs you"


def test_a_floor_of_which_nothing_is_known_is_not_calm_words() -> None:
    floor = replace(FLOOR, people=People(DARK, NOW))
    assert line(floor=floor).lead == "Nobody can be seen right now"


def test_while_the_store_is_away_nobody_is_as_usual() -> None:
    for floor in (
        replace(FLOOR, away_since=NOW),
        replace(FLOOR, read_at=NOW - timedelta(minutes=1)),
    ):
        assert {p.shown for p in without_cards(floor, (), NOW)} == {Shown.NO_DATA}
    assert len(without_cards(FLOOR, (), NOW)) == 25
    assert without_cards(FloorView(), (), NOW) == []


def test_who_has_a_card_is_not_counted_among_the_others() -> None:
    states = (PersonState("k1", "billing", Shown.DIFFERENT), *STATES[2:])
    floor = replace(FLOOR, people=People(states, NOW))
    assert "k1" not in {p.agent for p in without_cards(floor, (PERSON,), NOW)}
