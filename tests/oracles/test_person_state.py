"""Everybody's state in one word, person by person."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.scoring.detector import ScoreBatch
from analytics.scoring.person_state import STATES, states
from sensors.messages import Absence, ReadingMessage
from sensors.signals import Channel

_AT = datetime(2026, 1, 5, 9, tzinfo=UTC)
_UNKNOWN = -128
_P = 5


@dataclass(frozen=True)
class Person:
    learning: bool
    young: bool
    active: bool
    evidence: float
    levels: tuple[int, ...]
    absent: dict[Channel, Absence]

    @property
    def state(self) -> str:
        """Return the word: what is not known first, then what is."""
        if math.isnan(self.evidence) and not self.young:
            nothing = all(level == _UNKNOWN for level in self.levels)
            broken = any(why in {"disconnected", "fault"} for why in self.absent.values())
            return "fault" if nothing and broken else "no_data"
        if self.learning:
            return "learning"
        return "different" if self.active else "as_usual"


_LEVELS = st.just((_UNKNOWN,) * _P) | st.tuples(*[st.sampled_from([_UNKNOWN, -2, 0, 1])] * _P)
_PEOPLE = st.builds(
    Person,
    learning=st.booleans(),
    young=st.booleans(),
    active=st.booleans(),
    evidence=st.sampled_from([math.nan, math.nan, 0.0, 2.5]),
    levels=_LEVELS,
    absent=st.dictionaries(st.sampled_from(Channel), st.sampled_from(Absence), max_size=3),
)


@given(st.lists(_PEOPLE, max_size=6))
@settings(deadline=None, max_examples=300)
def test_arrays_say_what_is_said_of_each_person(people):
    n = len(people)
    scores = ScoreBatch(
        score=np.zeros(n),
        strain_index=np.zeros(n),
        evidence=np.array([one.evidence for one in people], float),
        learning=np.array([one.learning for one in people], bool),
        quality=np.zeros(n),
        part_level=np.array([one.levels for one in people], np.int8).reshape(n, _P),
        part_contribution=np.zeros((n, _P)),
        young=np.array([one.young for one in people], bool),
    )
    messages = [
        ReadingMessage(source="pc", run="abcdefgh", seq=0, window_end_at=_AT, absent=one.absent)
        for one in people
    ]
    found = states(scores, np.array([one.active for one in people], bool), messages)
    assert [STATES[code] for code in found.tolist()] == [one.state for one in people]
