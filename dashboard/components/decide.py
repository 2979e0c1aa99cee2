"""The decision: one key and one click, a reason and a note if wanted."""

from __future__ import annotations

import streamlit as st

from dashboard import actions, formatting
from dashboard.cards import Card
from dashboard.desk import Screen
from sensors.messages import Action

NOTE_LENGTH = 500


def render(screen: Screen, card: Card, *, with_keys: bool) -> None:
    """Draw the decisions for `card`, which this supervisor took."""
    words = screen.words
    with st.container(horizontal=True, key=f"decide-{card.alert_id}"):
        for action, key in actions.DECISION_KEYS.items():
            if action is not Action.CANNOT_NOW:
                _button(screen, card, action, key if with_keys else None)
    _hand_on(screen, card, with_keys=with_keys)
    left, right = st.columns(2)
    left.selectbox(
        words.say("Reason, if you want"),
        list(formatting.REASON_WORDS),
        index=None,
        key=f"reason-{card.alert_id}",
        format_func=lambda reason: words.say(formatting.REASON_WORDS[reason]),
        placeholder=words.say("None"),
    )
    right.text_area(
        words.say("Note, if you want"),
        key=f"note-{card.alert_id}",
        max_chars=NOTE_LENGTH,
        height=68,
        help=None,
    )


def _button(screen: Screen, card: Card, action: Action, key: str | None, to: str = "") -> None:
    st.button(
        formatting.decision(screen.words, action, to),
        key=f"{action}-{card.alert_id}",
        shortcut=key,
        on_click=screen.decide,
        args=(card, action),
    )


def _hand_on(screen: Screen, card: Card, *, with_keys: bool) -> None:
    """*Can't now* names who instead: the next in line, or whom the list says."""
    if not card.hand_to:
        return
    names = dict(card.hand_to)
    chosen = screen.hand_to(card)
    with st.container(horizontal=True, vertical_alignment="bottom", key=f"hand-{card.alert_id}"):
        key = actions.DECISION_KEYS[Action.CANNOT_NOW] if with_keys else None
        _button(screen, card, Action.CANNOT_NOW, key, names[chosen])
        if len(names) > 1:
            st.selectbox(
                screen.words.say("Who instead"),
                list(names),
                key=f"to-{card.alert_id}",
                format_func=lambda login: names[login],
                width=220,
            )
