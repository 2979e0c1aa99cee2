"""The page's look, and the little script that tells assistive technology what HTML cannot."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import streamlit as st

from dashboard.session import tab
from sensors.words import N_, Words

_LOST = N_(
    "This page has had no answer since {time}; what you see is from before. It goes on by itself. "
    "If it does not, tell whoever looks after this installation."
)
_HERE = Path(__file__).parent


def render(words: Words) -> None:
    """Put style and script into the page; nothing of it depends on data."""
    st.html(f"<style>{_text('page.css')}</style>")
    with st.container(key="page-script"):
        script = _text("page.js").replace("LANGUAGE", json.dumps(words.tag))
        script = script.replace("TITLE", json.dumps(words.say("Agent Wellbeing")))
        script = script.replace("CHOSEN", json.dumps(tab().chosen))
        lost = [words.say("Unknown whether anybody needs you"), words.say(_LOST)]
        script = script.replace("LOST", json.dumps(lost))
        st.html(f"<script>{script}</script>", unsafe_allow_javascript=True)


@lru_cache
def _text(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
