"""Where cards stand: nothing moves under the cursor.

A card keeps its place in its section for as long as a session lasts. One that
goes leaves an empty place; new ones come at the end, which, as they have
waited least, is where *longest waiting first* puts them too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def arrange(places: Sequence[str | None], present: Sequence[str]) -> list[str | None]:
    """Return the new places of a section.

    Parameters
    ----------
    places : sequence of str or None
        Where cards stood, top to bottom; ``None`` is an empty place.
    present : sequence of str
        Cards that there are now, longest waiting first.

    Returns
    -------
    list of str or None
        Every card of `present` once; those that were there have not moved.
    """
    here = set(present)
    kept = [card if card in here else None for card in places]
    known = {card for card in kept if card is not None}
    while kept and kept[-1] is None:
        kept.pop()
    return [*kept, *(card for card in present if card not in known)]


def settle(homes: Mapping[str, str], wanted: Mapping[str, str], sticky: set[str]) -> dict[str, str]:
    """Return the section of each card: where it was if it may stay, else where it belongs.

    Parameters
    ----------
    homes : mapping
        Card to the section it stood in a moment ago.
    wanted : mapping
        Card to the section it belongs to by its state.
    sticky : set of str
        Cards that stay where they are (taken here and not yet decided: their
        decision is made where the hand already is).
    """
    return {
        card: homes[card] if card in sticky and card in homes else section
        for card, section in wanted.items()
    }
