"""The supervisor's one screen."""

from __future__ import annotations

from html import escape

import streamlit as st

from dashboard import floor
from dashboard.cards import Card, Section
from dashboard.components import card, figures, header, people, silences, style
from dashboard.desk import Screen
from dashboard.floor import Floor
from dashboard.resources import Desk
from dashboard.session import Tab, chosen, keep, recall, tab
from dashboard.views import language, technical, trend
from sensors.words import N_, Words

REFRESH_S = 1.0
"""How often the page looks; well within the 2 s an alert may take to appear. [s]"""

_SECTIONS: dict[Section, tuple[str, str]] = {
    Section.ASKING: (N_("People asking"), N_("Nobody is asking.")),
    Section.WORK: (N_("The work"), N_("No team differs as a whole.")),
    Section.SIGNALS: (N_("Signals"), N_("No signals.")),
    Section.MINE: (N_("Mine"), N_("You have taken nothing.")),
}


def render(desk: Desk, words: Words) -> None:
    """Draw the whole page."""
    style.render(words)
    _live(desk, words)
    with st.container(key="foot"):
        st.toggle(
            words.say("Single keys"),
            key=recall("keys"),
            help=words.say(_KEYS_HELP),
            on_change=keep,
            args=("keys",),
        )
        language.render(words)


_KEYS_HELP = N_("T take · L look · 1 to 8 decide · H N D X what followed · E end a silence")


@st.fragment(run_every=REFRESH_S)
def _live(desk: Desk, words: Words) -> None:
    now = desk.clock()
    screen = Screen(desk, words, now)
    seen = floor.look(desk, words, now)
    header.render(seen.headline)
    header.banners(words, seen.problems, now)
    memory = tab()
    floor.remember(memory, seen, now)
    by_id = {one.alert_id: one for one in seen.cards}
    keyed = _keys(memory, by_id)
    for section in _SECTIONS:
        _section(screen, section, memory, by_id, keyed, blind=seen.blind)
    _rest(screen, seen)


def _keys(memory: Tab, by_id: dict[str, Card]) -> dict[str, frozenset[str]]:
    if not chosen("keys", default=True):
        return {}
    order = [
        by_id[place]
        for section in _SECTIONS
        for place in memory.places.get(section, [])
        if place in by_id and memory.homes.get(place) == section
    ]
    return card.key_owner(order, asked=memory.asked, open_detail=memory.open)


def _section(
    screen: Screen,
    section: Section,
    memory: Tab,
    by_id: dict[str, Card],
    keyed: dict[str, frozenset[str]],
    *,
    blind: bool,
) -> None:
    """Draw one section; each place is a container, so that no other card moves in the page.

    `blind` says that alerts cannot arrive: then an empty section knows nothing.
    """
    title, nothing = (screen.words.say(text) for text in _SECTIONS[section])
    if blind and section is not Section.MINE:
        nothing = screen.words.say("Not known right now.")
    places = memory.places.get(section, [])
    here = [p for p in places if p in by_id and memory.homes.get(p) == section]
    with st.container(key=f"section-{section}"):
        count = f" · {len(here)}" if here else ""
        quiet = "" if places else f'<p class="wb-quiet">{escape(nothing)}</p>'
        st.html(f'<h2 class="wb-section">{escape(title)}{count}</h2>{quiet}')
        for index, place in enumerate(places):
            with st.container(key=f"place-{section}-{index}"):
                if place in here:
                    card.render(screen, by_id[place], keyed=keyed.get(place, frozenset()))
                elif place is not None:
                    _gone(screen, memory, place)


def _gone(screen: Screen, memory: Tab, place: str) -> None:
    """Say for a moment what stood here, instead of letting the page jump."""
    words, title = screen.words, memory.seen[place].title
    if memory.homes.get(place) == Section.MINE:
        text = words.say("{name}: recorded, see Mine.", name=title)
    else:
        text = words.say("{name}: nothing more to do.", name=title)
    st.html(f'<p class="wb-gone">{escape(text)}</p>')


def _rest(screen: Screen, seen: Floor) -> None:
    words = screen.words
    with st.container(key="section-silences"):
        if seen.silences:
            silences.render(screen, seen)
    with st.container(key="section-others"):
        st.html(f'<h2 class="wb-section">{escape(words.say("Everyone else"))}</h2>')
        people.render(screen, seen.others)
    with st.container(key="section-past"):
        st.html(f'<h2 class="wb-section">{escape(words.say("The floor over time"))}</h2>')
        trend.link(words.say("Look back"))
    with st.container(key="section-technical"):
        st.html(f'<h2 class="wb-section">{escape(words.say("Technical"))}</h2>')
        faults = len(seen.faults)
        label = (
            words.say_n("✕ {n} fault", "✕ {n} faults", faults) if faults else words.say("No faults")
        )
        technical.link(label)
    with st.container(key="section-figures"):
        figures.render(words, seen)
