"""States as a shape and a word, the same everywhere; never colour alone."""

from __future__ import annotations

from html import escape

from dashboard.cards import Shown
from dashboard.words import N_, Words

SHAPES: dict[Shown, str] = {
    Shown.ASKING: "✋",
    Shown.WORK: "■",
    Shown.DIFFERENT: "▲",
    Shown.TAKEN: "◐",
    Shown.AS_USUAL: "○",
    Shown.LEARNING: "…",
    Shown.NO_DATA: "–",  # noqa: RUF001 - the shape of SCREENS.md
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


# Drawn by the style sheet: the sign is an emoji, and many office machines have no font for it.
_HAND = '<i class="wb-hand"></i>'
