"""How the alerts do, folded at the bottom of the page: figures about no one person."""

from __future__ import annotations

from html import escape

import streamlit as st

from dashboard import figures_words
from dashboard.floor import Floor
from sensors.words import Words


def render(words: Words, seen: Floor) -> None:
    """Draw the folded part; what is not known says so."""
    with st.expander(words.say("How the alerts do"), key="figures"):
        rows = "".join(
            f'<tr><th scope="row">{escape(name)}</th><td>{escape(said)}</td></tr>'
            for name, said in figures_words.rows(words, seen.figures, seen.ceiling)
        )
        st.html(f'<table class="wb-table wb-figures"><tbody>{rows}</tbody></table>')
        counted = figures_words.counted(words, seen.figures, seen.zone, seen.place)
        st.html(f'<p class="wb-note">{escape(counted)}</p>')
