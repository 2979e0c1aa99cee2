"""What is shown of a person: shapes and words, the same on every screen.

The supervisor's screen and the agent's own page draw a state with the code
below, so that an agent sees what a supervisor sees and not a retelling of it
(TRUST T10). Pure: facts in, words out.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo
from enum import StrEnum
from html import escape

from sensors.messages import Absence, Action, Contribution
from sensors.signals import Channel
from sensors.words import N_, Words


class Shown(StrEnum):
    """The states that a screen draws; each has a shape and a word."""

    ASKING = "asking"
    WORK = "work"
    DIFFERENT = "different"
    TAKEN = "taken"
    AS_USUAL = "as_usual"
    LEARNING = "learning"
    NO_DATA = "no_data"
    FAULT = "fault"


SHAPES: dict[Shown, str] = {
    Shown.ASKING: "✋",
    Shown.WORK: "■",
    Shown.DIFFERENT: "▲",
    Shown.TAKEN: "◐",
    Shown.AS_USUAL: "○",
    Shown.LEARNING: "…",
    Shown.NO_DATA: "–",  # noqa: RUF001 - the supervisors know it by this shape
    Shown.FAULT: "✕",
}
STATE_WORDS: dict[Shown, str] = {
    Shown.ASKING: N_("ASKING"),
    Shown.WORK: N_("WORK"),
    Shown.DIFFERENT: N_("DIFFERENT"),
    Shown.TAKEN: N_("TAKEN"),
    Shown.AS_USUAL: N_("AS USUAL"),
    Shown.LEARNING: N_("LEARNING"),
    Shown.NO_DATA: N_("NO DATA"),
    Shown.FAULT: N_("FAULT"),
}
LEVEL_WORDS = {
    -2: N_("well below"),
    -1: N_("below"),
    0: N_("as usual"),
    1: N_("above"),
    2: N_("well above"),
}
PART_WORDS: dict[str, str] = {
    "heart": N_("heart"),
    "skin": N_("skin"),
    "typing": N_("typing"),
    "pointer": N_("pointer"),
    "voice": N_("voice"),
}
CHANNEL_WORDS: dict[Channel, str] = {
    Channel.HEART: N_("heart"),
    Channel.KEYBOARD: N_("typing"),
    Channel.POINTER: N_("pointer"),
    Channel.VOICE: N_("voice"),
    Channel.MODULES: N_("modules"),
}
DECISION_WORDS: dict[Action, str] = {
    Action.TALK: N_("Talk"),
    Action.OFFER_BREAK: N_("Offer a break"),
    Action.JOIN_OR_TAKE_OVER: N_("Join or take over"),
    Action.BRING_IN_EXPERT: N_("Bring in an expert"),
    Action.FIX_THE_WORK: N_("Fix the work"),
    Action.AGENT_SAYS_FINE: N_("Agent says fine"),
    Action.CANNOT_NOW: N_("Can't now → {name}"),
    Action.NOT_USEFUL: N_("Not useful"),
    Action.SILENCE: N_("No alerts about this for a while"),
}
FAULT_WORDS: dict[str, str] = {
    Absence.DISCONNECTED: N_("not connected"),
    Absence.NOT_WORN: N_("not worn"),
    Absence.POOR: N_("poor signal"),
    Absence.FAULT: N_("does not work"),
    "offline": N_("offline"),
}

# Drawn by the style sheet: the sign is an emoji, and many office machines have no font for it.
_HAND = '<i class="wb-hand"></i>'


def state(words: Words, shown: Shown, by: str = "") -> str:
    """Return a state as text; `by` is who took it."""
    if shown is Shown.TAKEN and by:
        return f"{SHAPES[shown]} {words.say('TAKEN by {name}', name=by)}"
    return f"{SHAPES[shown]} {words.say(STATE_WORDS[shown])}"


def chip(words: Words, shown: Shown, by: str = "") -> str:
    """Return a state as HTML."""
    shape, _, word = state(words, shown, by).partition(" ")
    drawn = _HAND if shown is Shown.ASKING else shape
    return (
        f'<span class="wb-chip wb-{shown}">'
        f'<span aria-hidden="true">{drawn}</span> {escape(word)}</span>'
    )


def duration(words: Words, seconds: float) -> str:
    """Return a length of time in two units at most; never negative."""
    whole = max(0, int(seconds))
    if whole < 60:
        return words.say("{s} s", s=whole)
    if whole < 3600:
        return words.say("{min} min", min=whole // 60)
    hours, minutes = divmod(whole // 60, 60)
    if minutes:
        return words.say("{h} h {min} min", h=hours, min=minutes)
    return words.say("{h} h", h=hours)


def clock(at: datetime, zone: tzinfo | None = None) -> str:
    """Return the time of day of `at`, 24 hours, on the clocks of `zone` or of this machine."""
    return at.astimezone(zone).strftime("%H:%M")


def first_upper(text: str) -> str:
    """Return `text` with a capital at its start, the rest as it is."""
    return text[:1].upper() + text[1:]


def level(words: Words, value: int | None) -> str:
    """Return a band in words."""
    return words.say("unknown") if value is None else words.say(LEVEL_WORDS[value])


def part(words: Words, name: str) -> str:
    """Return the word for a part; a newer server's unknown part is shown as it is named."""
    return words.say(PART_WORDS[name]) if name in PART_WORDS else name


def channel(words: Words, value: Channel) -> str:
    """Return the word for a channel."""
    return words.say(CHANNEL_WORDS[value])


def bands(words: Words, contributions: Sequence[Contribution]) -> str:
    """Return which parts differ and in which direction, as one sentence; empty when none do."""
    if not contributions:
        return ""
    told = [
        words.say("{part} {level}", part=part(words, c.part), level=level(words, c.level))
        for c in contributions
    ]
    return first_upper(words.series(told)) + words.say(".")


def decision(words: Words, action: Action, to: str | None = None) -> str:
    """Return the words for a decision; `to` is who takes it instead."""
    return words.say(DECISION_WORDS[action], name=to or words.say("someone else"))
