"""What every scorer promises. Each contract takes a scorer's class and asserts one thing.

A contract speaks of behaviour, never of a scorer's own numbers, so that a
third party's scorer can be held to the same. `CONTRACTS` lists them all.
"""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Callable
from dataclasses import fields

import numpy as np

from analytics.scoring.detector import ScoreBatch
from analytics.signals.features import PARTS, UNKNOWN_LEVEL
from analytics.signals.windows import FeatureBatch
from tests.contracts.scorer.protocol import (
    CENTRE,
    LEARNT_S,
    SCORED,
    SIGN,
    SPREAD,
    START_S,
    STEP_S,
    Calm,
    D,
    Scorer,
    bytes_of,
    everyone,
    features_of,
    near,
    no,
    same,
    same_score,
    settled,
    tell,
    window,
    yes,
)

Contract = Callable[[type[Scorer]], None]
_STRAINED = CENTRE + 3.0 * SIGN * SPREAD


def scores_before_it_learns(make: type[Scorer]) -> None:
    """The score of a window does not depend on that window being learnt."""
    scorer, other, at_s, calm = settled(make, 3)
    values = calm.values()
    values[1] = _STRAINED
    batch = window(at_s + STEP_S, values)
    assert same(tell(scorer, batch, yes(3)), tell(other, batch, no(3)))


def leaves_its_inputs_alone(make: type[Scorer]) -> None:
    """What is handed in stays as it was, and what is handed out is the caller's own."""
    n, calm = 4, Calm(4, 2)
    scorer, untouched = make(), make()
    for one in (scorer, untouched):
        one.ensure(n)
    for k in range(1, 30):
        batch, learn = calm.mixed(START_S + STEP_S * k)
        given = {f.name: getattr(batch, f.name) for f in fields(FeatureBatch)}
        given |= {"rows": everyone(n), "learn": learn}
        before = {name: array.copy() for name, array in given.items()}
        expected = tell(untouched, batch, learn)
        found = scorer.step(given["rows"], batch, learn=learn)
        for name, array in given.items():
            assert np.array_equal(array, before[name], equal_nan=array.dtype.kind == "f"), name
        assert same(found, expected)
        for field in fields(ScoreBatch):  # scribble over both: nothing of them is state
            getattr(found, field.name)[:] = 1
        batch.values[:] = 0.0


def a_batch_is_one_by_one(make: type[Scorer]) -> None:
    """Agents scored together get, bit for bit, what each gets alone."""
    n, calm = 5, Calm(5, 3)
    together, alone = make(), [make() for _ in range(n)]
    for one in (together, *alone):
        one.ensure(n)
    for k in range(1, 90):
        batch, learn = calm.mixed(START_S + STEP_S * k)
        found = tell(together, batch, learn)
        for a, one in enumerate(alone):
            here = np.array([a])
            assert same(tell(one, batch.take(here), learn[here], here), found, here)


def copes_with_any_channels(make: type[Scorer]) -> None:
    """Whatever channels there are are judged, and what is missing is unknown, not calm."""
    subsets = [
        parts for size in range(1, len(PARTS) + 1) for parts in itertools.combinations(PARTS, size)
    ]
    n, calm = len(subsets), Calm(len(subsets), 4)
    keep = np.stack([features_of(*parts) for parts in subsets])
    scorer = make()
    scorer.ensure(n)
    for k in range(1, 100):
        values = np.where(keep, calm.values(), np.nan)
        found = tell(scorer, window(START_S + STEP_S * k, values), yes(n))
    judged = found.part_level != UNKNOWN_LEVEL
    gave = np.stack([[part in parts for part in PARTS] for parts in subsets])
    used = judged[-1]  # the parts that this scorer uses at all
    assert used.any()
    assert np.array_equal(judged, gave & used), "judged alone and together, unknown if absent"
    assert np.array_equal(judged, np.isfinite(found.part_contribution))
    some = judged.any(axis=1)
    for values in (found.score, found.strain_index, found.evidence):
        assert np.isfinite(values[some]).all()
    assert not found.learning[some].any()


def channels_come_in_any_order(make: type[Scorer]) -> None:
    """Two sources tell different channels of a moment, one first: all of it counts, and once."""
    n, calm = len(PARTS), Calm(len(PARTS), 8)
    own = np.stack([features_of(part) for part in PARTS])  # agent p has part p at a second machine
    at_once, orders = make(), ((make(), own), (make(), ~own))
    for one in (at_once, *(one for one, _ in orders)):
        one.ensure(n)
    for k in range(1, 130):
        batch = window(START_S + STEP_S * k, calm.values() + (k > 100) * SIGN * SPREAD)
        whole = tell(at_once, batch, yes(n))
        for one, first in orders:
            for told in (first, ~first):
                tell(one, window(batch.at_s, np.where(told, batch.values, np.nan)), yes(n))
            found = tell(one, batch, yes(n))
            if k > LEARNT_S / STEP_S:  # what was told first is learnt by then: nearly as if at once
                assert near(found.part_contribution, whole.part_contribution), f"window {k}"
                assert near(found.evidence, whole.evidence), f"window {k}"
    batch = window(batch.at_s + STEP_S, calm.values())
    whole = tell(at_once, batch, no(n))
    assert all(same_score(tell(one, batch, no(n)), whole) for one, _ in orders)


def nothing_known_is_learning(make: type[Scorer]) -> None:
    """Without any data there is no score; unknown is not zero."""
    scorer = make()
    scorer.ensure(2)
    for k in range(1, 4):
        found = tell(scorer, window(START_S + STEP_S * k, np.full((2, D), np.nan)), yes(2))
        for values in (found.score, found.strain_index, found.evidence, found.part_contribution):
            assert np.isnan(values).all()
        assert found.learning.all()
        assert (found.part_level == UNKNOWN_LEVEL).all()
        assert (found.quality == 0).all()


def late_windows_change_nothing(make: type[Scorer]) -> None:
    """A window older than the newest leaves all that follows as it would have been."""
    scorer, other, at_s, calm = settled(make, 2)
    for k in range(1, 13):
        now = window(at_s + STEP_S * k, calm.values())
        now.source[:] = 1
        assert same(tell(scorer, now, yes(2)), tell(other, now, yes(2)))
        late = window(now.at_s - 5.0 - 37.0 * (k % 3), np.stack([_STRAINED, _STRAINED]))
        late.source[:] = 1 + k % 2  # of the same edge, or of another one
        tell(scorer, late, yes(2))
    assert bytes_of(scorer) == bytes_of(other)


def memory_is_bounded(make: type[Scorer]) -> None:
    """What a scorer holds does not grow with time."""
    scorer, _, at_s, calm = settled(make, 3)
    held, whole = bytes_of(scorer), len(pickle.dumps(scorer))
    for k in range(1, 120):
        batch, learn = calm.mixed(at_s + STEP_S * k)
        tell(scorer, batch, learn)
    assert {n: len(b) for n, b in bytes_of(scorer).items()} == {n: len(b) for n, b in held.items()}
    assert len(pickle.dumps(scorer)) <= whole + 64


def survives_a_restart(make: type[Scorer]) -> None:
    """At whatever moment it is put away and taken up, it goes on bit for bit."""
    n, calm = 3, Calm(3, 5)
    scorer, other = make(), make()
    for one in (scorer, other):
        one.ensure(n)
    for k in range(1, 110):
        batch, learn = calm.mixed(START_S + STEP_S * k)
        arrays = other.to_arrays()
        other = make.from_arrays(arrays)
        for array in arrays.values():  # what was put away is nobody's state any more
            array[...] = 1
        assert same(tell(scorer, batch, learn), tell(other, batch, learn)), f"window {k}"
    assert bytes_of(scorer) == bytes_of(other)


def nan_never_spreads(make: type[Scorer]) -> None:
    """An unknown feature touches no other agent and no other part, and can come back."""
    n = len(PARTS) + 1
    scorer, other, at_s, calm = settled(make, n)
    own = np.eye(n, len(PARTS), dtype=bool)  # agent p lacks part p for a while
    for k in range(1, 40):
        values = calm.values()
        gaps = values.copy()
        for p, part in enumerate(PARTS):
            gaps[p, features_of(part) & (k <= 20)] = np.nan
        whole = tell(other, window(at_s + STEP_S * k, values), yes(n))
        found = tell(scorer, window(at_s + STEP_S * k, gaps), yes(n))
        assert np.array_equal(whole.score[-1], found.score[-1]), "the agent who lacks nothing"
        elsewhere = [np.where(own, np.nan, b.part_contribution) for b in (whole, found)]
        assert np.array_equal(*elsewhere, equal_nan=True)
        assert np.isnan(found.part_contribution[own]).all() or k > 20
    assert np.array_equal(
        np.isfinite(found.part_contribution), np.isfinite(whole.part_contribution)
    )
    assert np.isfinite(found.score).all()


def nonsense_does_not_poison(make: type[Scorer]) -> None:
    """Infinities and absurd values are survived: two minutes later all is as it would be."""
    absurd = (np.inf, -np.inf, 1e30, -1e30, 1e5, -1e5)
    n = len(absurd)
    scorer, other, at_s, calm = settled(make, n)
    for k in range(1, 30):
        values = calm.values()
        wrong = np.where(k <= 2, np.array(absurd)[:, None], values)
        unknown = np.where(k <= 2, np.nan, values)
        found = tell(scorer, window(at_s + STEP_S * k, wrong), yes(n))
        spared = tell(other, window(at_s + STEP_S * k, unknown), no(n) if k <= 2 else yes(n))
        for array in (found.score, found.strain_index, found.evidence, found.part_contribution):
            assert not np.isinf(array).any()
    assert np.isfinite(found.score).all()
    assert np.abs(found.strain_index - spared.strain_index).max() < 15.0
    assert np.abs(found.evidence - spared.evidence).max() < 0.5


def a_duplicate_teaches_once(make: type[Scorer]) -> None:
    """The same window told twice teaches no more than told once."""
    n, calm = 2, Calm(2, 6)
    scorer, other = make(), make()
    for one in (scorer, other):
        one.ensure(n)
    for k in range(1, 110):
        batch = window(START_S + STEP_S * k, calm.values())
        found, plain = tell(scorer, batch, yes(n)), tell(other, batch, yes(n))
        assert same_score(found, plain), f"window {k}"
        assert near(found.evidence, plain.evidence)
        tell(scorer, batch, yes(n))


def agents_are_interchangeable(make: type[Scorer]) -> None:
    """Who stands where in a batch, or in the state, makes no difference to anybody."""
    n, calm = 6, Calm(6, 7)
    order = np.array([4, 0, 5, 2, 1, 3])
    scorer, shuffled, moved = make(), make(), make()
    for one in (scorer, shuffled, moved):
        one.ensure(n)
    for k in range(1, 90):
        batch, learn = calm.mixed(START_S + STEP_S * k)
        found = tell(scorer, batch, learn)
        told_otherwise = tell(shuffled, batch.take(order), learn[order], order)
        assert same(told_otherwise, found, order)
        assert same(tell(moved, batch, learn, order), found), "living in other rows"
    assert bytes_of(scorer) == bytes_of(shuffled)


def what_must_not_teach_does_not(make: type[Scorer]) -> None:
    """Windows that are not learnt from leave the agent's own usual as it was."""
    scorer, other, at_s, calm = settled(make, 2)
    for size in np.interp(np.arange(120), [0, 40, 80, 119], [0.0, 1.0, 1.0, 0.0]):  # no sudden jump
        at_s += STEP_S
        odd = CENTRE + size * np.stack([_STRAINED - CENTRE, CENTRE - _STRAINED])
        tell(scorer, window(at_s, odd), no(2))
        tell(other, window(at_s, np.full((2, D), np.nan)), no(2))
    batch = window(at_s + STEP_S, calm.values())
    assert same_score(tell(scorer, batch, no(2)), tell(other, batch, no(2)))


def more_strain_never_scores_less(make: type[Scorer]) -> None:
    """A feature that moves in its direction of strain never lowers the score."""
    sizes = np.linspace(-3.0, 3.0, 13)
    scorer, _, at_s, calm = settled(make, 1)
    state = scorer.to_arrays()
    bases = (calm.values()[0], calm.values()[0] + SIGN * SPREAD, _STRAINED)
    for feature, base in itertools.product(SCORED, bases):
        scores = []
        for size in sizes:
            values = base.copy()
            values[feature] = CENTRE[feature] + size * SIGN[feature] * SPREAD[feature]
            one = make.from_arrays({name: array.copy() for name, array in state.items()})
            scores.append(float(tell(one, window(at_s + STEP_S, values[None]), no(1)).score[0]))
        assert (np.diff(scores) >= -1e-6).all(), f"feature {feature}"


def newcomers_disturb_nobody(make: type[Scorer]) -> None:
    """Making room for more agents changes nothing for those who are there."""
    scorer, other, at_s, calm = settled(make, 2)
    for k in range(1, 20):
        scorer.ensure(2 + 3 * k)
        batch = window(at_s + STEP_S * k, calm.values())
        assert same(tell(scorer, batch, yes(2)), tell(other, batch, yes(2)))


CONTRACTS: tuple[Contract, ...] = (
    scores_before_it_learns,
    leaves_its_inputs_alone,
    a_batch_is_one_by_one,
    copes_with_any_channels,
    channels_come_in_any_order,
    nothing_known_is_learning,
    late_windows_change_nothing,
    memory_is_bounded,
    survives_a_restart,
    nan_never_spreads,
    nonsense_does_not_poison,
    a_duplicate_teaches_once,
    agents_are_interchangeable,
    what_must_not_teach_does_not,
    more_strain_never_scores_less,
    newcomers_disturb_nobody,
)
