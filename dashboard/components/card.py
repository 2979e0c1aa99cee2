"""One alert as a card: what it says, what can be done, what became of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from html import escape

import streamlit as st

from dashboard import actions, formatting
from dashboard.cards import Card, Step
from dashboard.components import decide, detail
from dashboard.desk import Screen
from dashboard.session import tab
from sensors.messages import Outcome
from sensors.shown import Shown, chip, clock, decision
from sensors.words import N_


def render(screen: Screen, card: Card, *, keyed: frozenset[str]) -> None:
    """Draw `card`; `keyed` names what the single keys do on it (see :func:`key_owner`)."""
    with st.container(key=f"card-{card.alert_id}"):
        st.html(_html(screen, card))
        with st.container(key=f"do-{card.alert_id}"):
            _controls(screen, card, keyed)
        with st.container(key=f"detail-{card.alert_id}"):
            detail.render_for_card(screen, card)


def _controls(screen: Screen, card: Card, keyed: frozenset[str]) -> None:
    words = screen.words
    if card.taken_by_me and card.decision is not None:
        _outcomes(screen, card, keyed)
    elif card.taken_by_me:
        decide.render(screen, card, with_keys="decide" in keyed)
    with st.container(horizontal=True, key=f"row-{card.alert_id}"):
        if not card.taken_by and card.shown is not Shown.FAULT:
            st.button(
                words.say("Take"),
                key=f"take-{card.alert_id}",
                type="primary",
                shortcut=actions.TAKE_KEY if "take" in keyed else None,
                on_click=screen.take,
                args=(card,),
            )
        if card.agent is not None and card.decision is None:
            detail.button(screen, card, with_key="look" in keyed)


def _outcomes(screen: Screen, card: Card, keyed: frozenset[str]) -> None:
    words = screen.words
    st.html(f'<p class="wb-text">{escape(words.say("What followed?"))}</p>')
    with st.container(horizontal=True, key=f"outcomes-{card.alert_id}"):
        for found in Outcome:
            st.button(
                words.say(formatting.OUTCOME_WORDS[found]),
                key=f"outcome-{found}-{card.alert_id}",
                shortcut=actions.OUTCOME_KEYS[found] if "outcome" in keyed else None,
                on_click=screen.outcome,
                args=(card, found),
            )


def _html(screen: Screen, card: Card) -> str:
    words = screen.words
    by = words.say("you") if card.taken_by_me else card.taken_by
    state = chip(words, card.shown, by)
    lines = [
        f'<div class="wb-head">{state}<h3>{escape(card.title)}</h3></div>',
        f'<p class="wb-text">{escape(sentence(screen, card))}</p>',
        *(f'<p class="wb-note">{escape(note)}</p>' for note in notes(screen, card)),
    ]
    error = tab().errors.get(card.alert_id)
    if error:
        lines.append(f'<p class="wb-error" role="alert">✕ {escape(error)}</p>')
    return "".join(lines)


def sentence(screen: Screen, card: Card) -> str:
    """Return the one sentence of `card`."""
    words, now = screen.words, screen.now
    if card.decision is not None:
        return _decided(screen, card)
    if card.request is not None:
        return formatting.request_sentence(words, card, now)
    if card.agent is None:
        return formatting.team_sentence(words, card)
    return formatting.person_sentence(words, card, now)


def _decided(screen: Screen, card: Card) -> str:
    words = screen.words
    if card.decision is None or card.taken_at is None:
        return ""
    said = words.say(
        "{decision}, {time}.",
        decision=decision(words, card.decision),
        time=clock(card.taken_at, card.zone),
    )
    if card.follow_up_at is None:
        return said
    again = words.say("Look again at {time}.", time=clock(card.follow_up_at, card.zone))
    return words.join(said, again)


_ENDINGS: dict[Step, str] = {
    Step.RESOLVED: N_("As usual again. It still waits for a decision."),
    Step.LOST: N_("Nothing known any more. It still waits for a decision."),
    Step.SAID_FINE: N_("The agent said fine. It still waits for a decision."),
}


def notes(screen: Screen, card: Card) -> list[str]:
    """Return what is said in small below the sentence."""
    words = screen.words
    found: list[str] = []
    if card.resolved_at is not None and card.decision is None:
        found.append(words.say(_ENDINGS[card.ending]))
    if card.repeated_at is not None and not card.taken_by:
        again = clock(card.repeated_at, card.zone)
        found.append(words.say("Told again {time}: nobody has taken it.", time=again))
    elif card.escalated and card.request is None and not card.taken_by:
        found.append(words.say(formatting.CAME_ON))  # a request says it in its sentence
    if card.with_other and not card.taken_by:
        found.append(words.say("Now with {name}.", name=card.with_other))
    if card.place:
        found.append(words.say("Times as in {place}.", place=card.place))
    if card.sending is not None:
        found.append(sending(screen, card.sending))
    return found


def sending(screen: Screen, at: datetime) -> str:
    """Return what is said of what was sent at `at` and has not come back from the server."""
    words = screen.words
    if (screen.now - at).total_seconds() < _SERVER_ANSWERS_S:
        return words.say("Sent.")
    return words.say("Sent. The server has not answered yet; nothing is lost.")


_SERVER_ANSWERS_S = 5.0


def key_owner(
    cards: list[Card], *, asked: str = "", open_detail: str = ""
) -> dict[str, frozenset[str]]:
    """Return which card each single key acts on: the first on the screen it fits.

    Parameters
    ----------
    cards : list of Card
        As they stand, top to bottom.
    asked : str
        What waits to be confirmed: then the look key does that and nothing else.
    open_detail : str
        Alert whose detail is open: then the look key closes it.

    Returns
    -------
    dict
        Alert id to any of ``take``, ``look``, ``decide``, ``outcome``.
    """
    any_open = any(c.alert_id == open_detail for c in cards)
    fits: dict[str, Callable[[Card], bool]] = {
        "take": lambda c: c.needs_somebody,
        "decide": lambda c: c.taken_by_me and c.decision is None,
        "outcome": lambda c: c.taken_by_me and c.decision is not None,
        "look": lambda c: (
            not asked
            and c.agent is not None
            and c.decision is None
            and (c.alert_id == open_detail or not any_open)
        ),
    }
    owned: dict[str, set[str]] = {}
    for name, fit in fits.items():
        first = next((c for c in cards if fit(c)), None)
        if first is not None:
            owned.setdefault(first.alert_id, set()).add(name)
    return {alert_id: frozenset(names) for alert_id, names in owned.items()}
