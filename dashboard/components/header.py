"""The header line and, below it, whatever stands between the screen and the truth."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from html import escape

import streamlit as st

from dashboard.components import slot
from dashboard.floor import Floor
from dashboard.headline import Headline, Trouble
from sensors.words import Words


def render(line: Headline) -> None:
    """Draw the header line; the script makes `told` the one live region of the page."""
    with st.container(key="top", horizontal=True, vertical_alignment="bottom", gap="xxsmall"):
        with st.container(key="told", width="content"):
            parts = "".join(f" <span>{escape(part)}</span>" for part in line.told)
            st.html(f'<h1 class="wb-lead">{escape(line.lead)}</h1><p class="wb-told">{parts}</p>')
        st.html(
            f'<p class="wb-updated" aria-hidden="true">{escape(line.updated)}</p>', width="content"
        )


def called(words: Words, seen: Floor) -> None:
    """Say on another page who waits on the supervisor's; the script makes it the live region."""
    waiting = sum(card.needs_somebody for card in seen.cards)
    said = escape(words.say_n("{n} needs you", "{n} need you", waiting))
    with st.container(key="told"):
        slot.fill(f'<p class="wb-called">{said}</p>' if waiting else "")


def banners(words: Words, problems: Sequence[tuple[Trouble, str]], now: datetime) -> None:
    """Draw one banner per problem; an empty place keeps what follows where it is.

    And a sign of life: where it stays the same the script says that the page hears nothing.
    """
    st.html(f'<i class="wb-beat" data-at="{now.isoformat()}"></i>')
    drawn = []
    for trouble, text in problems:
        word = words.say("Loading") if trouble is Trouble.LOADING else words.say("Unknown")
        drawn.append(f'<div class="wb-banner"><b>✕ {escape(word)}.</b> {escape(text)}</div>')
    with st.container(key="banners"):
        slot.fill("".join(drawn))
