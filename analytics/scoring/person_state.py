"""Each person's state in one word, as everybody sees it: one function for all readers.

What is written to the store for supervisors and what is told to the agent
come from here, so that the agent sees exactly what is seen of them (T10).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analytics.scoring.detector import ScoreBatch
from analytics.signals.features import UNKNOWN_LEVEL
from sensors.messages import Absence, PersonState, ReadingMessage

STATES: tuple[PersonState, ...] = tuple(PersonState)
"""What a code of :func:`states` means."""

_CODE = {state: code for code, state in enumerate(STATES)}
_TECHNICAL = frozenset({Absence.DISCONNECTED, Absence.FAULT})


def states(
    scores: ScoreBatch, active: NDArray[np.bool_], messages: Sequence[ReadingMessage]
) -> NDArray[np.int8]:
    """Return the state of n agents after one window each, as indices of `STATES`.

    Parameters
    ----------
    scores : ScoreBatch
        Of n windows.
    active : ndarray of bool, shape (n,)
        Who is in an episode.
    messages : sequence of ReadingMessage, length n
        The windows themselves, for what broke where nothing is known (T14).
    """
    found = np.where(active, _CODE[PersonState.DIFFERENT], _CODE[PersonState.AS_USUAL])
    found = np.where(scores.learning, _CODE[PersonState.LEARNING], found)
    # With data but no level yet nothing is scored: that is learning, not silence.
    unknown = np.isnan(scores.evidence) & ~scores.young
    found = np.where(unknown, _CODE[PersonState.NO_DATA], found).astype(np.int8)
    nothing = unknown & (scores.part_level == UNKNOWN_LEVEL).all(axis=1)
    for index in np.flatnonzero(nothing).tolist():
        if not _TECHNICAL.isdisjoint(messages[index].absent.values()):
            found[index] = _CODE[PersonState.FAULT]
    return found
