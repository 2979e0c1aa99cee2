"""Every word the edge says to the agent, in one place.

`say` is gettext's, so a catalogue can be put in front of it; what is sent
over the wire never passes through here.
"""

from __future__ import annotations

from collections.abc import Iterable
from gettext import NullTranslations

from sensors.signals import Channel, of_channel

say = NullTranslations().gettext

CONSENT_VERSION = "2026-11"
"""Goes up whenever the meaning of a text below changes; then everybody is asked again."""

CONSENT_INTRODUCTION = say(
    "Before anything is measured, you decide what may be.\n"
    "Each kind of sensing is your own choice. Refusing costs nothing: nobody is told why, and\n"
    "asking for help or a break works without any of it. You can pause or withdraw at any time:\n"
    "  wellbeing edge pause      stop everything for now\n"
    "  wellbeing edge withdraw   stop for good, all of it or one kind\n"
    "What is measured is compared only with your own usual range. A supervisor sees a state and\n"
    "which parts differ, never the figures; a person decides what to do, never the program."
)

CONSENT_TEXT: dict[Channel, str] = {
    Channel.HEART: say(
        "Heart: your headset's heart rate and the time between beats are read over Bluetooth."
    ),
    Channel.KEYBOARD: say(
        "Keyboard: how long keys are held and the time between them. Which key it was is never\n"
        "  kept; only how many presses were corrections."
    ),
    Channel.POINTER: say(
        "Mouse: how fast and how straight it moves, clicks and scrolling. Never where it is or on what."
    ),
    Channel.VOICE: say(
        "Voice: the sound of your own microphone (pitch, loudness, pace). No recording is kept,\n"
        "  no word is recognised, and the other side of the call is never heard."
    ),
    Channel.MODULES: say(
        "Modules: what extra devices on your desk or headset measure, such as skin conductance,\n"
        "  skin temperature, movement and presence at the display."
    ),
}


def measured(channel: Channel) -> str:
    """Return the meanings of all signals of `channel`, one a line."""
    return "\n".join(f"    - {say(signal.meaning)}" for signal in of_channel(channel))


def names(channels: Iterable[Channel]) -> str:
    """Return channel names for a sentence, or the word for none."""
    return ", ".join(sorted(channel.value for channel in channels)) or say("none")
