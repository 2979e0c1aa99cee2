"""Silences that stand: about whom, until when, by whom, why, and the way to end each."""

from __future__ import annotations

from html import escape

import streamlit as st

from dashboard import actions, clocks, formatting
from dashboard.components.card import sending
from dashboard.desk import Screen
from dashboard.floor import Floor
from dashboard.records import Standing
from dashboard.session import chosen, tab
from sensors.words import N_

_NOTE = N_("Requests for help and technical faults come through as ever.")


def render(screen: Screen, seen: Floor) -> None:
    """Draw one card per silence, the first to end first; the single key ends the first."""
    title, note = screen.words.say("Silenced"), screen.words.say(_NOTE)
    st.html(
        f'<h2 class="wb-section">{escape(title)} · {len(seen.silences)}</h2>'
        f'<p class="wb-quiet">{escape(note)}</p>'
    )
    lifted = tab().lifted
    first = next((one.id for one in seen.silences if one.id not in lifted), "")
    for silence in seen.silences:
        with_key = silence.id == first and chosen("keys", default=True)
        with st.container(key=f"card-silence-{silence.id}"):
            st.html(_html(screen, seen, silence))
            if silence.id not in lifted:
                st.button(
                    screen.words.say("End the silence"),
                    key=f"lift-{silence.id}",
                    shortcut=actions.LIFT_KEY if with_key else None,
                    on_click=screen.lift,
                    args=(silence,),
                )


def _html(screen: Screen, seen: Floor, silence: Standing) -> str:
    words, memory, roster = screen.words, tab(), screen.desk.roster
    about = roster.agent(silence.agent) if silence.agent else silence.team.capitalize()
    by = words.say("you") if silence.by == screen.me else roster.supervisor(silence.by)
    zone = clocks.team_zone(screen.desk.teams, silence.team, screen.now)
    place = seen.places.get(silence.team, "")
    said = formatting.silence_sentence(words, silence, by, zone, place)
    lines = [
        f'<div class="wb-head"><h3>{escape(about)}</h3></div>',
        f'<p class="wb-text">{escape(said)}</p>',
    ]
    if silence.id in memory.lifted:
        sent = sending(screen, memory.lifted[silence.id])
        lines.append(f'<p class="wb-note">{escape(sent)}</p>')
    error = memory.errors.get(silence.id)
    if error:
        lines.append(f'<p class="wb-error" role="alert">✕ {escape(error)}</p>')
    return "".join(lines)
