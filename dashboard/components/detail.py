"""A person's detail: told to the person first, then bands and words, never numbers (TRUST T12)."""

from __future__ import annotations

from datetime import tzinfo
from html import escape

import streamlit as st

from dashboard import actions
from dashboard.cards import Card, Step, TimelineEntry
from dashboard.components import bands
from dashboard.desk import Screen
from dashboard.hour import Bands
from dashboard.session import chosen, tab
from sensors.errors import StoreError
from sensors.shown import clock, decision
from sensors.words import N_, Words

_STEP_WORDS: dict[Step, str] = {
    Step.STARTED: N_("Began to differ"),
    Step.TOLD: N_("Told"),
    Step.TAKEN: N_("Taken"),
    Step.DECIDED: N_("Decided"),
    Step.RESOLVED: N_("As usual again"),
    Step.LOST: N_("Nothing known any more"),
    Step.SAID_FINE: N_("The agent said fine"),
    Step.CLOSED: N_("Closed"),
}


def button(screen: Screen, card: Card, *, with_key: bool) -> None:
    """Draw the button that asks to look closer, or closes what is open."""
    words = screen.words
    if tab().open == card.alert_id:
        st.button(
            words.say("Close detail"),
            key=f"close-{card.alert_id}",
            shortcut=actions.LOOK_KEY if with_key else None,
            on_click=close,
        )
    elif tab().asked != card.alert_id:
        st.button(
            words.say("Look closer"),
            key=f"look-{card.alert_id}",
            shortcut=actions.LOOK_KEY if with_key else None,
            on_click=ask,
            args=(card.alert_id,),
        )


def ask(place: str) -> None:
    """Remember that the supervisor wants to look at `place`; nothing is shown yet."""
    memory = tab()
    memory.asked, memory.open = place, ""
    memory.errors.pop(place, None)


def close() -> None:
    """Close whatever is open."""
    memory = tab()
    memory.asked = memory.open = ""


def render_for_card(screen: Screen, card: Card) -> None:
    """Draw the warning, or the detail once the person was told."""
    if card.agent is None:
        return
    if tab().asked == card.alert_id:
        warn(screen, card.agent, card.alert_id)
    elif tab().open == card.alert_id:
        _last_hour(screen, card)
        st.html(_timeline(screen.words, card))


def warn(screen: Screen, agent: str, place: str) -> None:
    """Say first that the person will see it; the key that asked also confirms."""
    words = screen.words
    name = screen.desk.roster.agent(agent)
    text = words.say("{name} will see that you looked.", name=name)
    st.html(f'<p class="wb-text" role="status">{escape(text)}</p>')
    error = tab().errors.get(place)
    if error and place.startswith("agent-"):
        st.html(f'<p class="wb-error" role="alert">✕ {escape(error)}</p>')
    with st.container(horizontal=True, key=f"warn-{place}"):
        st.button(
            words.say("Look"),
            key=f"yes-{place}",
            type="primary",
            shortcut=actions.LOOK_KEY if chosen("keys", default=True) else None,
            on_click=screen.look,
            args=(agent, place),
        )
        st.button(words.say("Don't"), key=f"no-{place}", on_click=close)


def _last_hour(screen: Screen, card: Card) -> None:
    words = screen.words
    hour = _read(screen, card.agent or "")
    if hour is None:
        text = words.say("The last hour cannot be read: the database is away.")
        st.html(f'<p class="wb-error" role="alert">✕ {escape(text)}</p>')
    else:
        st.html(bands.html(words, hour, card.title, card.zone))


def _read(screen: Screen, agent: str) -> Bands | None:
    """Return the last hour of `agent`, ``None`` if it cannot be read."""
    if screen.desk.watch.view().away_since is not None:
        # Asking again would hold up the page, and with it the next alert.
        return None
    try:
        return screen.desk.reader.bands(agent, screen.now)
    except StoreError:
        return None


def _timeline(words: Words, card: Card) -> str:
    items = "".join(f"<li>{escape(_entry(words, e, card.zone))}</li>" for e in card.timeline)
    title = escape(words.say("This alert so far"))
    return f'<p class="wb-section">{title}</p><ol class="wb-steps">{items}</ol>'


def _entry(words: Words, entry: TimelineEntry, zone: tzinfo) -> str:
    at = clock(entry.at, zone) if entry.at else ""
    said = words.say(_STEP_WORDS[entry.step])
    if entry.decision is not None:
        said = decision(words, entry.decision)
    return f"{at} · {said}" + (f" · {entry.by}" if entry.by else "")
