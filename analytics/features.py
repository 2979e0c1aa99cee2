"""What is scored: one row per feature, grouped into parts a supervisor has words for.

The detector, the explanation and the screens all follow from this table. It
is chosen to be small, physiologically signed and the same for everyone;
numbers were not fitted to the recordings they are judged on.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sensors.signals import Channel


class Part(StrEnum):
    """A group of features under one word; what an explanation names."""

    HEART = "heart"
    SKIN = "skin"
    TYPING = "typing"
    POINTER = "pointer"
    VOICE = "voice"


PARTS: tuple[Part, ...] = tuple(Part)

PART_CHANNEL: dict[Part, Channel] = {
    Part.HEART: Channel.HEART,
    Part.SKIN: Channel.MODULES,
    Part.TYPING: Channel.KEYBOARD,
    Part.POINTER: Channel.POINTER,
    Part.VOICE: Channel.VOICE,
}
"""The consent each part rests on."""

UNKNOWN_LEVEL = -128
"""Level of a part that could not be judged: unknown is a state of its own (TRUST T13)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One scored feature.

    Parameters
    ----------
    name : str
        Name in the store.
    part : Part
    unit : str
    """

    name: str
    part: Part
    unit: str
