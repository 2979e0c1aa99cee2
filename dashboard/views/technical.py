"""The technical page: for whoever repairs; nothing here is about how a person is."""

from __future__ import annotations

from html import escape

import streamlit as st

from dashboard import floor, formatting
from dashboard.components import header, style
from dashboard.floor import Floor
from dashboard.live import LineState, LiveView
from dashboard.resources import Desk
from dashboard.views import language
from dashboard.watch import FloorView
from sensors.shown import chip
from sensors.words import Words

PATH = "technical"
REFRESH_S = 1.0


def render(desk: Desk, words: Words) -> None:
    """Draw the whole page."""
    style.render(words)
    st.html(f'<h1 class="wb-lead">{escape(words.say("Technical"))}</h1>')
    back(words.say("Back to people"))
    _live(desk, words)
    language.render(words)


def link(label: str) -> None:
    """Draw the way to this page."""
    go(label, "technical", PATH)


def back(label: str) -> None:
    """Draw the way back."""
    go(label, "back", "")


def go(label: str, name: str, path: str) -> None:
    """Draw the way to the page at `path`.

    A link and not a button with ``st.switch_page``: with that the browser learns only from
    the answer that the page has changed. A refresh of the old page that its timer asks for in
    between is run after the new page, and empties it in the browser (Streamlit 1.67). On a
    link the browser stops its timers first.
    """
    pages = st.session_state.get("pages", {})
    with st.container(key=f"go-{name}"):
        if path in pages:
            st.page_link(pages[path], label=label)


@st.fragment(run_every=REFRESH_S)
def _live(desk: Desk, words: Words) -> None:
    now = desk.clock()
    seen = floor.look(desk, words, now)
    header.called(words, seen)
    header.banners(words, seen.problems, now)
    st.html(_parts(words, desk.live.view(now), desk.watch.view()))
    with st.container(key="faults"):
        st.html(f'<h2 class="wb-section">{escape(words.say("Devices"))}</h2>')
        st.html(_faults(words, seen))


def _parts(words: Words, live: LiveView, view: FloorView) -> str:
    up = live.line is LineState.UP
    broker = words.say("connected") if up else words.say("away")
    store = words.say("answers") if view.away_since is None else words.say("away")
    rows = [
        (words.say("Message broker"), up, broker, live.why),
        (words.say("Database"), view.away_since is None, store, view.why),
    ]
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{"○" if good else "✕"} {escape(state)}</td>'
        f"<td>{escape(why)}</td></tr>"
        for name, good, state, why in rows
    )
    caption = escape(words.say("This installation"))
    return f'<table class="wb-table"><caption>{caption}</caption><tbody>{body}</tbody></table>'


def _faults(words: Words, seen: Floor) -> str:
    if not seen.faults:
        return f'<p class="wb-quiet">{escape(words.say("No faults are known."))}</p>'
    rows = "".join(
        f'<tr><td>{chip(words, card.shown)}</td><th scope="row">{escape(card.title)}</th>'
        f"<td>{escape(formatting.fault_sentence(words, card))}</td></tr>"
        for card in seen.faults
    )
    return f'<table class="wb-table"><tbody>{rows}</tbody></table>'
