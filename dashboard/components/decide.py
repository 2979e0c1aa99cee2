"""The decision: one key and one click, a reason and a note if wanted."""

from __future__ import annotations

import streamlit as st

from dashboard import actions, formatting
from dashboard.cards import Card
from dashboard.desk import Screen
from dashboard.session import keep, recall
from sensors.messages import Action
from sensors.shown import decision

NOTE_LENGTH = 500


def render(screen: Screen, card: Card, *, with_keys: bool) -> None:
    """Draw the decisions for `card`, which this supervisor took."""
    with st.container(horizontal=True, key=f"decide-{card.alert_id}"):
        for action, key in actions.DECISION_KEYS.items():
            if action is not Action.CANNOT_NOW or card.hand_to:
                _button(screen, card, action, key if with_keys else None)
    _fields(screen, card)


def _button(screen: Screen, card: Card, action: Action, key: str | None) -> None:
    to = dict(card.hand_to).get(screen.hand_to(card), "")
    st.button(
        decision(screen.words, action, to),
        key=f"{action}-{card.alert_id}",
        shortcut=key,
        on_click=screen.decide,
        args=(card, action),
        wrap=True,
    )


def _fields(screen: Screen, card: Card) -> None:
    """Reason and note, neither asked for; who instead, where there is a choice."""
    words, names = screen.words, dict(card.hand_to)
    reason, to, note = (f"{field}-{card.alert_id}" for field in ("reason", "to", "note"))
    left, right = st.columns(2)
    left.selectbox(
        words.say("Reason, if you want"),
        list(formatting.REASON_WORDS),
        index=None,
        key=recall(reason),
        on_change=keep,
        args=(reason,),
        format_func=lambda reason: words.say(formatting.REASON_WORDS[reason]),
        placeholder=words.say("None"),
    )
    if len(names) > 1:
        left.selectbox(
            words.say("Who instead"),
            list(names),
            key=recall(to),
            on_change=keep,
            args=(to,),
            format_func=lambda login: names[login],
        )
    right.text_area(
        words.say("Note, if you want"),
        key=recall(note),
        on_change=keep,
        args=(note,),
        max_chars=NOTE_LENGTH,
        height=68,
    )
