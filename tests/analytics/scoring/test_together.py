"""Parts that stray together are fewer witnesses than they are parts, and it is learnt of whom."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from analytics.scoring.together import counted
from analytics.signals.features import PARTS
from tests.analytics.scoring.test_evidence import Told

AGENTS, HOURS, FORGETS_S = 60, 8, 200.0


def noise(rng: np.random.Generator, rounds: int, shared: float) -> np.ndarray:
    """Return calm deviations, (rounds, P, n): any two parts correlate by the square of `shared`."""
    keep = np.exp(-5.0 / FORGETS_S)
    now = rng.normal(size=(len(PARTS) + 1, AGENTS))
    out = np.empty((rounds, len(PARTS), AGENTS), np.float32)
    for k in range(rounds):
        now = keep * now + np.sqrt(1 - keep**2) * rng.normal(size=now.shape)
        out[k] = shared * now[0] + np.sqrt(1 - shared**2) * now[1:]
    return out


@cache
def after_a_day(shared: float, *, forgetful: bool = False) -> tuple[Told, float]:
    """Return agents after a day of noise, and how far the evidence strayed in its last hours."""
    told, seen = Told(agents=AGENTS), []
    for parts in noise(np.random.default_rng(5), HOURS * 720, shared):
        seen.append(told.tell_once(parts))
        if forgetful:
            told.evidence.together[:] = 0.0
    return told, float(np.std(seen[-2160:]))


def found(told: Told) -> np.ndarray:
    """Return how far any two parts of each agent were found to correlate."""
    return told.evidence.together / told.evidence.together_of


@pytest.mark.parametrize("correlation", [0.0, 0.2, 0.5])
def test_how_far_parts_stray_together_is_learnt_of_each_person(correlation):
    told, _ = after_a_day(np.sqrt(correlation))
    assert np.median(found(told)) == pytest.approx(correlation, abs=0.08)


def test_evidence_of_parts_that_stray_together_strays_no_further_than_that_of_others():
    _, apart = after_a_day(0.0)
    _, together = after_a_day(np.sqrt(0.5))
    _, unlearnt = after_a_day(np.sqrt(0.5), forgetful=True)
    assert unlearnt > 1.5 * apart
    assert together < 1.1 * apart


def test_parts_that_do_not_stray_together_lose_next_to_nothing_by_it():
    told, _ = after_a_day(0.0)
    assert counted(told.evidence.together, told.evidence.together_of).mean() < 0.03


def test_parts_that_stray_against_each_other_count_as_each_its_own():
    told = Told(agents=1, known=2)
    opposed = np.array([[1.0], [-1.5]], np.float32)
    for _ in range(2000):
        told.tell_once(opposed)
    assert told.evidence.together[0] < 0.0
    assert counted(told.evidence.together, told.evidence.together_of) == 0.0


def test_strain_in_every_part_does_not_teach_that_they_stray_together():
    told = Told()
    told.tell(2.0, minutes=240)
    assert told.evidence.together_of == 0.0
    told.tell(-1.0, minutes=30)
    assert found(told) == pytest.approx(1.0, abs=0.02)


def test_one_part_alone_teaches_and_forgets_nothing_of_it():
    told = Told()
    told.tell(-1.0, minutes=60)
    told.known = 1
    told.tell(-1.0, minutes=30)  # until the others have faded
    kept = told.evidence.together.copy(), told.evidence.together_of.copy()
    told.tell(-1.0, minutes=60)
    np.testing.assert_array_equal((told.evidence.together, told.evidence.together_of), kept)
    assert kept[1] > 0.0


def test_a_second_source_of_the_same_moment_teaches_it_once():
    twice, once = Told(), Told()
    for told in (twice, once):
        told.tell(-1.0, minutes=10)
    twice.tell(-0.4)
    told_again = twice.tell_again(-1.0)
    assert told_again == pytest.approx(once.tell(-1.0))
    assert twice.evidence.together == pytest.approx(once.evidence.together)
    assert twice.evidence.together_of == pytest.approx(once.evidence.together_of)


def test_how_much_two_parts_count_grows_from_two_to_one_and_a_small_correlation_hardly_counts():
    r = np.linspace(-1.0, 1.0, 201, dtype=np.float32)
    of = np.full_like(r, 1e9)
    found = counted(r * of, of)
    assert (np.diff(found) >= 0).all()
    assert found[0] == 0.0
    assert found[-1] == 1.0
    assert found[r.searchsorted(0.05)] < 0.02


def test_what_has_hardly_been_seen_counts_for_little():
    minutes = np.array([1.0, 3.0, 60.0], np.float32) * 60 * 4.0  # all pairs of sure parts
    few, some, many = counted(minutes, minutes)
    assert few < 0.1 < some < 1.0
    assert many == 1.0
