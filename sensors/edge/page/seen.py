"""What others see of the agent, and what of it left this machine. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from sensors.edge.page import told
from sensors.edge.page.facts import Facts
from sensors.messages import PersonState
from sensors.shown import Shown, bands, chip, clock, state
from sensors.words import Words

_SHOWN: dict[PersonState, Shown] = {
    PersonState.AS_USUAL: Shown.AS_USUAL,
    PersonState.LEARNING: Shown.LEARNING,
    PersonState.DIFFERENT: Shown.DIFFERENT,
    PersonState.NO_DATA: Shown.NO_DATA,
    PersonState.FAULT: Shown.FAULT,
}

FEW_WINDOWS = 12
"""Windows on their way at any moment; a minute of them means that nobody confirms."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the supervisor's screen shows: as it is drawn there (HTML), and around it in words."""

    chip: str
    text: str
    is_known: bool
    note: str = ""


def seen(words: Words, facts: Facts) -> Seen:
    """Return what the supervisor sees right now; unknown when that cannot be known."""
    if facts.is_private:
        said = words.say("Nobody else sees anything: all of this stays on this machine.")
        return Seen("", said, is_known=True)
    mirror = facts.known_mirror
    if mirror is not None:
        shown = _SHOWN[mirror.state]
        drawn = chip(words, shown)
        asked = told.progress(words, facts)
        if asked is not None and asked.is_open and asked.is_heard:
            drawn = f"{chip(words, Shown.ASKING)} {drawn}"
        if shown is not Shown.DIFFERENT:
            return Seen(drawn, "", is_known=True)
        notice = told.is_open(facts.notices)
        parts = bands(words, notice.contributions) if notice else ""
        note = words.say("You need not do anything: a person decides, and you are told what.")
        return Seen(drawn, parts, is_known=True, note=note)
    if facts.mirror is None or facts.mirror_at is None:
        return Seen("", words.say("Unknown: the server has said nothing yet."), is_known=False)
    said = words.say(
        "Unknown: the server has said nothing since {time}. Then it was: {state}.",
        time=clock(facts.mirror_at),
        state=state(words, _SHOWN[facts.mirror.state]),
    )
    return Seen("", said, is_known=False)


def delivery(words: Words, facts: Facts) -> str:
    """Return where the windows are: there, here, or gone."""
    dropped = facts.report["dropped"]
    where = _where(words, facts)
    if not dropped:
        return words.join(where, words.say("Nothing is lost."))
    lost = words.say_n(
        "{n} window of 5 s is gone: it was too old, or there was no room.",
        "{n} windows of 5 s each are gone: they were too old, or there was no room.",
        dropped,
    )
    return words.join(where, lost)


def _where(words: Words, facts: Facts) -> str:
    held = facts.report["held"]
    if facts.is_private:
        return words.say("Nothing leaves this machine.")
    if not facts.report["connected"]:
        return words.say_n(
            "No connection; {n} window of 5 s is kept here.",
            "No connection; {n} windows of 5 s each are kept here.",
            held,
        )
    if held > FEW_WINDOWS:
        return words.say_n(
            "Connected, but the server has not confirmed {n} window of 5 s; it is kept here.",
            "Connected, but the server has not confirmed {n} windows of 5 s each; they are kept here.",
            held,
        )
    if held >= facts.report["windows"]:
        return words.say("Connected; the server has not confirmed anything yet since the start.")
    return words.say("Connected; the server has everything but the last few seconds.")
