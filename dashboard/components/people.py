"""Everyone else: counts, and names on demand, by name and never by severity."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape

import streamlit as st

from dashboard.components import detail
from dashboard.desk import Screen
from dashboard.headline import COUNT_WORDS
from dashboard.queries import PersonState
from dashboard.session import chosen, keep, recall, tab, typed
from sensors.shown import Shown, chip

MOST_NAMES = 50
"""Lines at most: each costs a millisecond or two of every refresh, and a thousand a second."""


def render(screen: Screen, others: Sequence[PersonState]) -> None:
    """Draw counts; with the switch on, one line per person."""
    words = screen.words
    if not others:
        st.html(f'<p class="wb-quiet">{escape(words.say("Nobody else."))}</p>')
        return
    counts = Counter(person.shown for person in others)
    chips = " ".join(
        f"<span>{chip(words, shown)} {counts[shown]}</span>"
        for shown in COUNT_WORDS
        if counts[shown]
    )
    st.html(f'<div class="wb-head">{chips}</div>')
    st.toggle(words.say("Show names"), key=recall("names"), on_change=keep, args=("names",))
    if chosen("names", default=False):
        _names(screen, others)


def _names(screen: Screen, others: Sequence[PersonState]) -> None:
    """Draw a line per person, of a big floor those whose name is looked for."""
    words, found = screen.words, sorted(others, key=lambda one: _name(screen, one).casefold())
    if len(found) > MOST_NAMES:
        st.text_input(words.say("Find a name"), key=recall("find"), on_change=keep, args=("find",))
        wanted = typed("find").strip().casefold()
        found = [person for person in found if wanted in _name(screen, person).casefold()]
    for person in found[:MOST_NAMES]:
        _person(screen, person)
    more = len(found) - MOST_NAMES
    said = "" if found else words.say("No name contains this.")
    if more > 0:
        said = words.say("{n} more. Write a part of the name.", n=more)
    if said:
        st.html(f'<p class="wb-quiet">{escape(said)}</p>')


def _name(screen: Screen, person: PersonState) -> str:
    return screen.desk.roster.agent(person.agent)


def _person(screen: Screen, person: PersonState) -> None:
    words, place = screen.words, f"agent-{person.agent}"
    with st.container(key=f"person-{person.agent}", gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", key=f"line-{person.agent}"):
            st.button(
                _name(screen, person),
                key=f"open-{person.agent}",
                type="tertiary",
                on_click=detail.close if tab().open == place else detail.ask,
                args=() if tab().open == place else (place,),
            )
            st.html(chip(words, person.shown), width="content")
        if tab().asked == place:
            detail.warn(screen, person.agent, place)
        elif tab().open == place:
            st.html(f'<p class="wb-text">{escape(_explain(screen, person.shown))}</p>')


def _explain(screen: Screen, shown: Shown) -> str:
    """Return what a state means; without an open alert there is no more to see (TRUST T12)."""
    words = screen.words
    meaning = {
        Shown.AS_USUAL: words.say("Within their own usual range."),
        Shown.LEARNING: words.say("Their own usual range is still being learned."),
        Shown.NO_DATA: words.say("Nothing is known right now. That is not the same as fine."),
        Shown.DIFFERENT: words.say("Outside their own usual range, not long enough for an alert."),
        Shown.FAULT: words.say("A device does not work, so nothing can be said."),
    }
    more = words.say("Signals are shown only while an alert is open.")
    return words.join(meaning.get(shown, ""), more)
