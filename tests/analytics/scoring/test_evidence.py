"""Evidence needs strain that has lasted and is still there."""

from __future__ import annotations

import numpy as np
import pytest

from analytics.scoring.evidence import Evidence
from analytics.scoring.pace import Pace
from analytics.signals.features import PARTS


class Told:
    """Agents whose parts all deviate alike."""

    def __init__(self, known=5, agents=1):
        self.evidence, self.at_s, self.known = Evidence(), 0.0, known
        self.rows = np.arange(agents)
        for name in Evidence.ARRAYS:
            setattr(self.evidence, name, np.zeros((2, len(PARTS), agents), np.float32))

    def tell(self, deviation, minutes=5 / 60, certainty=1.0):
        """Return the evidence about the first agent."""
        for _ in range(round(minutes * 12)):
            found = self.tell_once(deviation, certainty)
        return found[0]

    def tell_once(self, deviation, certainty=1.0):
        """Return the evidence about each agent after one window."""
        last_s, self.at_s = self.at_s, self.at_s + 5.0
        n = len(self.rows)
        parts, sure = np.zeros((2, len(PARTS), n), np.float32)
        parts[: self.known], sure[: self.known] = deviation, certainty
        pace = Pace.of(np.full(n, self.at_s), np.full(n, last_s), np.full(n, -np.inf))
        return self.evidence.gather(self.rows, pace, parts, sure)


def test_what_lasts_is_more_than_a_blip_as_high():
    blip, lasting = Told(), Told()
    for told in (blip, lasting):
        told.tell(0.0, minutes=20)
    assert 0 < blip.tell(2.0, minutes=1) < 0.5 * lasting.tell(2.0, minutes=8)


def test_it_goes_soon_after_strain_went_however_long_it_lasted():
    told = Told()
    told.tell(0.0, minutes=20)
    stood = told.tell(2.0, minutes=15)
    assert told.tell(0.0, minutes=1.5) < 0.4 * stood


def test_at_the_usual_there_is_no_evidence_and_below_it_there_is_less_than_none():
    assert Told().tell(0.0, minutes=10) == pytest.approx(0.0, abs=1e-6)
    assert Told().tell(-1.0, minutes=10) < -0.5


@pytest.mark.parametrize("known", range(1, len(PARTS) + 1))
def test_doubt_makes_for_less_evidence_whatever_is_known(known):
    found = [Told(known).tell(1.5, minutes=15, certainty=c) for c in (0.1, 0.3, 0.6, 1.0)]
    assert found == sorted(found)
    assert found[0] < 0.5 * found[-1]


def test_calm_noise_spreads_alike_however_many_parts_are_known():
    rng, agents = np.random.default_rng(8), 100
    keep = np.exp(-5.0 / 100.0)  # the restlessness that the averages are scaled for
    spreads = []
    for known in (1, 2, 5):
        told, seen = Told(known, agents), []
        noise = np.zeros((len(PARTS), agents))
        for _ in range(700):
            noise = keep * noise + np.sqrt(1 - keep**2) * rng.normal(size=noise.shape)
            seen.append(told.tell_once(noise[:known].astype(np.float32)))
        spreads.append(np.std(seen[500:]))
    assert max(spreads) < 1.35 * min(spreads)


def test_a_part_that_is_not_measured_now_counts_no_more():
    told = Told(known=2)
    told.tell(2.0, minutes=10)
    told.known = 1
    told.tell(0.0, minutes=3)  # the part that differs is gone, the other is as usual by now
    assert told.tell(0.0) < 0.3
    told.known = 2
    assert told.tell(0.0) > told.tell(0.0, minutes=5)
