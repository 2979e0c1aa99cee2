"""What the edge says to the agent: the words of consent, and of the line to the broker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from textwrap import fill
from typing import Any

from sensors.signals import Channel, of_channel
from sensors.spoken import say
from sensors.words import N_, Words

CONSENT_VERSION = "2026-11.2"
"""Goes up whenever the meaning of a text below changes; then everybody is asked again."""

CONSENT_INTRODUCTION = N_(
    "Before anything is measured, you decide what may be.\n"
    "Each kind of sensing is your own choice. Refusing costs nothing: nobody is\n"
    "told why, and asking for help or a break works without any of it. You can\n"
    "pause or withdraw at any time:\n"
    "  wellbeing edge pause      stop everything for now\n"
    "  wellbeing edge withdraw   stop for good, all of it or one kind\n"
    "What is measured is compared only with your own usual range. A supervisor\n"
    "sees a state and which parts differ, never the figures; a person decides\n"
    "what to do, never the program."
)

PRIVATE_INTRODUCTION = N_(
    "Before anything is measured, you decide what may be.\n"
    "Each kind of sensing is your own choice. You can pause or withdraw at any time:\n"
    "  wellbeing edge pause      stop everything for now\n"
    "  wellbeing edge withdraw   stop for good, all of it or one kind\n"
    "What is measured is compared only with your own usual range, on this\n"
    "machine alone; nobody else sees anything of it."
)
"""The same where nothing leaves the machine: there is no supervisor, and nobody to ask."""

NOT_ASKED = N_("nobody was asked yet, so nothing is measured; run: wellbeing edge consent")

ASKED_AGAIN = N_(
    "the words of the consent have changed, so nothing is measured; run: wellbeing edge consent"
)

NO_COLLECTOR = N_(
    "no collector is chosen, so nothing is measured; asking for help or a break works all the same."
    " To measure: --collector heart_rate, hid or voice, or [edge] collectors"
)

CONSENT_TEXT: dict[Channel, str] = {
    Channel.HEART: N_(
        "Heart: your headset's heart rate and the time between beats, over Bluetooth\n  or a cable."
    ),
    Channel.KEYBOARD: N_(
        "Keyboard: how long keys are held and the time between them. Which key it was\n"
        "  is never kept; only how many presses were corrections."
    ),
    Channel.POINTER: N_(
        "Mouse: how fast and how straight it moves, clicks and scrolling. Never where\n"
        "  it is or on what."
    ),
    Channel.VOICE: N_(
        "Voice: the sound of your own microphone (pitch, loudness, pace). No recording\n"
        "  is kept, no word is recognised, and the other side of the call is never\n"
        "  heard."
    ),
    Channel.MODULES: N_(
        "Modules: what extra devices on your desk or headset measure: skin\n"
        "  conductance, skin temperature and movement; at the display presence,\n"
        "  distance, breathing rate, light and noise level (a level, no sound)."
    ),
}


def measured(channel: Channel) -> str:
    """Return the meanings of all signals of `channel`, one an item, for 80 columns."""
    return "\n".join(_item(say(signal.meaning)) for signal in of_channel(channel))


def _item(text: str) -> str:
    """Return an item of a list in lines of 80 columns; Chinese letters take two each."""
    letters = 72 if text.isascii() else 36
    return fill(text, letters + 6, initial_indent="    - ", subsequent_indent="      ")


def names(channels: Iterable[Channel]) -> str:
    """Return channel names for a sentence, or the word for none."""
    return ", ".join(sorted(channel.value for channel in channels)) or say("none")


def losses(words: Words, report: Mapping[str, Any]) -> list[str]:
    """Return what collectors lost or could not read, one line each, from an edge's report."""
    return [
        *(
            words.say(
                "{name}: lost {count} times, this machine was too busy", name=name, count=count
            )
            for name, count in report.get("not_kept_up", {}).items()
        ),
        *(
            words.say(
                "{name}: what its device said and made no sense: {count}", name=name, count=count
            )
            for name, count in report.get("unreadable", {}).items()
        ),
    ]


def line_words(where: str, refusal: str, *, connected: bool, is_private: bool = False) -> str:
    """Return what is said when the line to the broker came or went; `refusal` says why."""
    if is_private and connected:
        return say("ready; nothing leaves this machine")
    if is_private:
        return say("what compares your windows does not answer; they are kept until it does")
    if connected:
        return say("connected to the broker")
    why = f" ({refusal})" if refusal else ""
    return say(
        "no broker at {where}{why}; windows are kept here until there is one", where=where, why=why
    )
