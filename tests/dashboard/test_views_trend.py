"""The floor over time drawn by Streamlit itself: empty, loading, with the store away, full."""

import re
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from streamlit.testing.v1 import AppTest

from analytics.store.embedded import EmbeddedStore
from dashboard.resources import Desk
from dashboard.trend import Span
from dashboard.trend_reader import Stage, Trend
from sensors.errors import StoreError
from sensors.words import Words
from tests.dashboard.floors import NAMES
from tests.dashboard.made_summaries import minutes
from tests.dashboard.pages import NOW, html, links, page, turn
from tests.rig.waiting import wait_until

HOUR = timedelta(hours=1)
EN = Words("en")


def look_back(desk: Desk, span: Span = Span.SHIFT) -> AppTest:
    """Return the page once `span` is read, or known not to be."""
    zone = desk.teams.versions[0].zone
    wait_until(
        lambda: desk.trend.look(span, zone).stage is not Stage.READING, what="the floor's past"
    )
    app = page(desk)
    turn(app, "past")
    if span is not Span.SHIFT:
        app.radio(key="span").set_value(span).run()
    assert not app.exception
    return app


def fill(store: EmbeddedStore) -> None:
    """Let all be calm for two hours but one, in which two of seven differ."""
    calm, strained = {"as_usual": 0.9, "no_data": 0.1}, {"different": 1.0}
    store.write(minutes(NAMES, NOW - 3 * HOUR, HOUR, calm))
    store.write(minutes(list(NAMES)[2:], NOW - 2 * HOUR, HOUR, calm))
    store.write(minutes(list(NAMES)[:2], NOW - 2 * HOUR, HOUR, strained))


def test_empty(desk: Desk, store: EmbeddedStore) -> None:
    said = html(look_back(desk))
    assert "there were never 5 people at once" in said
    assert 'class="wb-columns"' not in said
    assert "Reading" not in said


def test_while_it_is_read(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk.trend, "_queue", desk.trend._queue.__class__())  # nobody reads it
    app = page(desk)
    turn(app, "past")
    said = html(app)
    assert "Reading…" in said
    assert "never 5 people" not in said, "what is not read yet is not nothing"
    monkeypatch.undo()  # so that it ends at once


def test_with_the_store_away(
    desk: Desk, store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> EmbeddedStore:
        raise StoreError("cannot reach the database")

    monkeypatch.setattr(desk.trend, "_open_store", away)
    said = html(look_back(desk))
    assert "The past cannot be read: the database is away." in said
    assert "never 5 people" not in said


def test_a_shift_and_a_week_in_pictures_and_words(desk: Desk, store: EmbeddedStore) -> None:
    fill(store)
    app = look_back(desk)
    said = html(app)
    assert "At most 29 % differed (09:15)." in said
    assert (
        said.count('class="wb-few"') == 1 + 24
    )  # in the legend; and of 32 quarters nobody was there
    assert 'role="img"' in said
    assert '<th scope="row">08:00</th><td>14 %</td><td>9 %</td>' in said, "half an hour of each"
    assert said.count('<td colspan="2">too few people</td>') == 6, (
        "a line of the table says it once"
    )
    app.radio(key="span").set_value(Span.WEEK).run()
    wait_until(lambda: "% differed (Wed 08:00)" in html(app.run()), what="the week")
    assert '<th scope="row">Wed 2026-07-01</th>' in html(app)


def test_a_day_tells_its_two_ends_apart(desk: Desk, store: EmbeddedStore) -> None:
    fill(store)
    said = html(look_back(desk, Span.DAY))
    begins = re.findall(r'<th scope="row">([^<]+)</th>', said)
    assert len(begins) == 9
    assert len(set(begins)) == len(begins)
    assert "% differed (Wed 09:15)" in said


def test_nobody_is_named_and_nothing_measured_is_shown(desk: Desk, store: EmbeddedStore) -> None:
    """TRUST T12: the summaries hold index, score and heart rate; the page shows shares of a team."""
    fill(store)
    app = look_back(desk, Span.DAY)
    everything = str(app.main) + html(app)
    for value in ("71.37", "2.71", "93.21", *NAMES.values(), *(f">{k}<" for k in NAMES)):
        assert value not in everything


def test_in_chinese_and_back_to_people(desk: Desk, store: EmbeddedStore) -> None:
    fill(store)
    app = look_back(desk)
    app.button(key="language-zh_CN").click().run()
    assert "最多时有 29 % 的人与平时不同" in html(app)
    turn(app, "")
    assert not app.exception
    assert "回看" in links(app)


def test_each_team_is_drawn_on_its_own_clocks(desk: Desk, store: EmbeddedStore) -> None:
    fill(store)
    zone = desk.teams.versions[0].zone
    wait_until(
        lambda: desk.trend.look(Span.DAY, zone).stage is Stage.READY, what="the floor's past"
    )
    seen = desk.trend.look(Span.DAY, zone)
    zones = {"billing": ZoneInfo("Asia/Manila"), "sales": zone}
    app = drawn(seen, zones, {"billing": "Manila"})
    assert "Times as in Manila." in html(app)
    assert "% differed (Wed 15:15)" in html(app)
    assert "% differed (Wed 09:15)" not in html(app), "of the others nothing is known"
    assert [one.label for one in app.expander] == ["The same in words"]
    app = drawn(replace(seen, stage=Stage.TOO_LONG, read_from=NOW), zones, {"billing": "Berlin"})
    assert "Read back to Wed 10:30 (Berlin); more takes too long" in html(app)


@pytest.mark.parametrize(
    ("stage", "said"), [(Stage.READING, "Reading…"), (Stage.AWAY, "Not known")]
)
def test_what_is_folded_is_there_before_anything_is_in_it(
    desk: Desk, store: EmbeddedStore, stage: Stage, said: str
) -> None:
    """What somebody unfolds while nothing is read yet stays unfolded."""
    zone = desk.teams.versions[0].zone
    nothing = replace(desk.trend.look(Span.DAY, zone), stage=stage, different=(), as_usual=())
    # Names that must not be taken for one another's parts of the page.
    app = drawn(nothing, dict.fromkeys(("billing", "progress", "words-billing"), zone), {})
    assert len(app.expander) == 3
    for folded in app.expander:
        assert said in folded.get("html")[0].proto.body


def drawn(seen: Trend, zones: dict[str, ZoneInfo], places: dict[str, str]) -> AppTest:
    """Return a page with nothing but the picture of `seen`."""

    def page(given: tuple[object, ...]) -> None:
        from dashboard.components import trend  # noqa: PLC0415 - Streamlit runs this text alone

        trend.render(*given)

    app = AppTest.from_function(page, args=((EN, seen, zones, 5, places),)).run()
    assert not app.exception
    return app
