"""What one browser tab remembers, typed: the only user of Streamlit's session state."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

import streamlit as st

from dashboard.cards import Card
from sensors.messages import DecisionMessage


@dataclass(slots=True)
class Tab:
    """One browser tab.

    `chosen` is the language that somebody asked for here, `language` the one that is spoken.
    `homes` is the section each card stands in and `places` the order within
    each; `gone` holds the titles of cards that just left, with when, and `lifted`
    the silences that were ended here, with when; `pressed` the last answer sent from each;
    `drafts` what stands in fields, which Streamlit forgets when another page is shown.
    `asked` is whom the supervisor wants to look at but has not confirmed,
    `open` whose detail is open; both are alert ids or ``agent:<pseudonym>``.
    """

    language: str = ""
    chosen: str = ""
    homes: dict[str, str] = field(default_factory=dict)
    places: dict[str, list[str | None]] = field(default_factory=dict)
    seen: dict[str, Card] = field(default_factory=dict)
    gone: dict[str, datetime] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    pressed: dict[str, DecisionMessage] = field(default_factory=dict)
    drafts: dict[str, str | bool | None] = field(default_factory=lambda: {"keys": True})
    lifted: dict[str, datetime] = field(default_factory=dict)
    asked: str = ""
    open: str = ""


def tab() -> Tab:
    """Return what this tab remembers."""
    if "tab" not in st.session_state:
        st.session_state["tab"] = Tab()
    return cast("Tab", st.session_state["tab"])


def recall(key: str) -> str:
    """Return `key` for a field that is about to be drawn, with what stood in it before."""
    drafts = tab().drafts
    if key in drafts and key not in st.session_state:
        st.session_state[key] = drafts[key]
    return key


def keep(key: str) -> None:
    """Remember what was just put into the field `key`."""
    tab().drafts[key] = st.session_state.get(key)


def typed(key: str) -> str:
    """Return what stands in the text field or list `key`; empty if nothing does."""
    return str(st.session_state.get(key) or "")


def chosen(key: str, default: bool) -> bool:
    """Return whether the switch `key` is on."""
    return bool(st.session_state.get(key, default))
