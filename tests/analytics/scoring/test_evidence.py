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
            held = getattr(self.evidence, name)
            setattr(self.evidence, name, np.zeros((*held.shape[:-1], agents), np.float32))

    def tell(self, deviation, minutes=5 / 60, certainty=1.0, **how):
        """Return the evidence about the first agent."""
        for _ in range(round(minutes * 12)):
            found = self.tell_once(deviation, certainty, **how)
        return found[0]

    def tell_once(self, deviation, certainty=1.0, who=None, last_s=None):
        """Return the evidence about each agent, or those of `who`, after one window."""
        before_s, self.at_s = self.at_s if last_s is None else np.array(last_s), self.at_s + 5.0
        rows = self.rows if who is None else np.array(who)
        return self._gather(rows, deviation, certainty, before_s, -np.inf)

    def tell_again(self, deviation):
        """Return the evidence about the first agent after a second window of the newest moment."""
        return self._gather(self.rows, deviation, 1.0, self.at_s, self.at_s - 5.0)[0]

    def _gather(self, rows, deviation, certainty, last_s, before_s):
        n = len(rows)
        parts, sure = np.zeros((2, len(PARTS), n), np.float32)
        parts[: self.known], sure[: self.known] = deviation, certainty
        pace = Pace.of(np.full(n, self.at_s), np.zeros(n) + last_s, np.full(n, before_s))
        return self.evidence.gather(rows, pace, parts, sure)


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


@pytest.mark.parametrize("gap_s", [10.0, 180.0, 600.0])
def test_windows_that_are_missing_say_what_empty_ones_say(gap_s):
    """One window does not speak for the gap before it, whoever else had none."""
    missing, empty = Told(agents=2), Told()
    for told in (missing, empty):
        told.tell(0.5, minutes=20)
    before_s = missing.at_s
    missing.tell(0.5, minutes=gap_s / 60, who=[1])
    empty.tell(0.0, minutes=gap_s / 60, certainty=0.0)
    expected = empty.tell_once(2.0)
    found = missing.tell_once(2.0, last_s=[before_s, missing.at_s])
    assert found[0] == pytest.approx(expected[0], rel=1e-4)


def test_a_part_that_is_not_measured_now_counts_no_more():
    told = Told(known=2)
    told.tell(2.0, minutes=10)
    told.known = 1
    told.tell(0.0, minutes=3)  # the part that differs is gone, the other is as usual by now
    assert told.tell(0.0) < 0.3
    told.known = 2
    assert told.tell(0.0) > told.tell(0.0, minutes=5)


def test_what_has_long_been_gone_is_nothing_and_costs_nothing():
    told = Told(known=2)
    told.tell(1.0, minutes=10)
    told.known = 1
    told.tell(0.0, minutes=8 * 60)
    gone = told.evidence.certainty[:, 1]
    assert (gone == 0).all()  # numbers smaller than normal ones slow every step down


def spreads_of(forgets_s, size, hours=5, agents=10, *, forgetful=False):
    """Return how far the evidence of calm agents strays who are no more than their noise.

    Of each noise, which has a memory and a size, so many agents; their last two hours.
    """
    forgets_s, size = (np.repeat(x, agents) for x in (forgets_s, size))
    told, seen = Told(agents=len(size)), []
    rng, keep = np.random.default_rng(9), np.exp(-5.0 / forgets_s)
    now = np.zeros((len(PARTS), len(size)))
    for _ in range(hours * 720):
        now = keep * now + np.sqrt(1 - keep**2) * rng.normal(size=now.shape)
        seen.append(told.tell_once((size * now).astype(np.float32)))
        if forgetful:
            told.evidence.calm_s[:] = 0.0
    return np.std(np.array(seen[-1440:]).reshape(1440, -1, agents), axis=(0, 2))


def test_evidence_is_counted_in_the_agent_s_own_spreads():
    quick_slow_and_little = ((20.0, 400.0, 100.0), (1.0, 1.0, 0.5))
    learnt = spreads_of(*quick_slow_and_little)
    taken = spreads_of(*quick_slow_and_little, forgetful=True)
    assert max(taken) > 2.5 * min(taken)
    assert max(learnt) < 1.75 * min(learnt)


def test_strain_does_not_teach_what_is_calm():
    told = Told()
    told.tell(2.0, minutes=120)
    assert not told.evidence.calm_s.any()


def test_a_late_window_teaches_nothing():
    told = Told()
    told.tell(-1.0, minutes=5)
    kept = told.evidence.calm.copy(), told.evidence.calm_s.copy()
    late = Pace.of(np.array([told.at_s - 60.0]), np.array([told.at_s]), np.array([told.at_s - 5]))
    parts = np.full((len(PARTS), 1), -2.0, np.float32)
    assert np.isnan(told.evidence.gather(told.rows, late, parts, np.ones_like(parts)))
    np.testing.assert_array_equal((told.evidence.calm, told.evidence.calm_s), kept)
