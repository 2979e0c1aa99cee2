"""The switch between languages, each named in itself."""

from __future__ import annotations

import streamlit as st

from dashboard.session import tab
from sensors.words import LANGUAGES, Words

COOKIE = "wellbeing_language"
"""Set by the page's script, and only once somebody has chosen."""


def render(words: Words) -> None:
    """Draw the switch; the whole page follows at once."""
    with st.container(horizontal=True, key="languages"):
        for code, name in LANGUAGES.items():
            st.button(
                name,
                key=f"language-{code}",
                type="tertiary",
                disabled=code == words.language,
                on_click=_choose,
                args=(code,),
            )


def remembered() -> str:
    """Return the language that was chosen in this browser before, empty if none was."""
    code = st.context.cookies.get(COOKIE, "")
    return code if code in LANGUAGES else ""


def _choose(code: str) -> None:
    memory = tab()
    memory.language = memory.chosen = code
