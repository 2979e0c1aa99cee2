"""What Streamlit runs: picks language and page, draws nothing itself."""

from __future__ import annotations

import streamlit as st

from dashboard.resources import desk
from dashboard.session import tab
from dashboard.views import language, supervisor, technical, trend
from sensors.words import Words, language_for


def main() -> None:
    """Draw the page that the address names."""
    here = desk()
    memory = tab()
    memory.language = (
        memory.language
        or language.remembered()
        or here.settings.language
        or language_for(st.context.locale)
    )
    words = Words(memory.language)

    def show_supervisor() -> None:
        supervisor.render(here, words)

    def show_technical() -> None:
        technical.render(here, words)

    def show_trend() -> None:
        trend.render(here, words)

    title = words.say("Agent Wellbeing")
    st.set_page_config(page_title=title, page_icon="◐", layout="centered")
    people = st.Page(show_supervisor, title=title, url_path="people", default=True)
    repair = st.Page(show_technical, title=words.say("Technical"), url_path=technical.PATH)
    past = st.Page(show_trend, title=words.say("The floor over time"), url_path=trend.PATH)
    st.session_state["pages"] = {"": people, technical.PATH: repair, trend.PATH: past}
    st.navigation([people, past, repair], position="hidden").run()


main()
