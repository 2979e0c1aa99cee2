"""The floor over time: of whole teams only, as far back as the supervisor chooses."""

from __future__ import annotations

from html import escape

import streamlit as st

from dashboard import floor
from dashboard.cards import my_teams
from dashboard.clocks import team_zone
from dashboard.components import header, style, trend
from dashboard.resources import Desk
from dashboard.trend import Span
from dashboard.views import language, technical
from sensors.words import N_, Words

PATH = "past"
REFRESH_S = 1.0

_SPAN_WORDS: dict[Span, str] = {
    Span.SHIFT: N_("8 hours"),
    Span.DAY: N_("A day"),
    Span.WEEK: N_("A week"),
    Span.MONTH: N_("4 weeks"),
}


def link(label: str) -> None:
    """Draw the way to this page."""
    technical.go(label, "past", PATH)


def render(desk: Desk, words: Words) -> None:
    """Draw the whole page."""
    style.render(words)
    st.html(f'<h1 class="wb-lead">{escape(words.say("The floor over time"))}</h1>')
    technical.back(words.say("Back to people"))
    st.html(trend.legend(words))
    _live(desk, words)
    language.render(words)


@st.fragment(run_every=REFRESH_S)
def _live(desk: Desk, words: Words) -> None:
    # A choice outside this fragment draws the whole page: if a refresh waits then, Streamlit
    # (1.67) drops the rest of the page, and what was unfolded comes back folded.
    span = st.radio(
        words.say("How far back"),
        list(Span),
        format_func=lambda one: words.say(_SPAN_WORDS[one]),
        horizontal=True,
        key="span",
    )
    now = desk.clock()
    around = floor.look(desk, words, now)
    header.called(words, around)
    header.banners(words, around.problems, now)
    teams = my_teams(desk.teams, desk.settings.supervisor, now)
    zones = {team: team_zone(desk.teams, team, now) for team in teams}
    seen = desk.trend.look(span or Span.SHIFT, around.zone)
    with st.container(key="section-trend"):
        trend.render(words, seen, zones, desk.trend.smallest, around.places)
