"""Which parts an alert names, and what the evidence rests on."""

from __future__ import annotations

import numpy as np
import pytest

from analytics.scoring.explanation import contributions
from analytics.signals.features import PARTS, Part
from tests.analytics.scoring.test_evidence import Told

ALL = np.ones((len(PARTS), 1), bool)


def of(**parts: float | tuple[float, float]) -> np.ndarray:
    """Return one quantity of each part of two agents, who may be alike."""
    found = np.full((2, len(PARTS)), np.nan)
    for name, of_both in parts.items():
        found[:, PARTS.index(Part(name))] = of_both
    return found


@pytest.mark.parametrize(
    ("adds", "says", "expected"),
    [
        pytest.param(
            of(heart=1.3, skin=0.9, typing=-2.0, voice=0.5),
            of(heart=1.3, skin=0.9, typing=-2.0, voice=0.5),
            [("heart", 2), ("skin", 1), ("voice", 1)],
            id="largest first, what speaks against it never",
        ),
        pytest.param(
            of(heart=0.5, skin=0.9),
            of(heart=1.3, skin=0.6),
            [("skin", 1), ("heart", 2)],
            id="by what it adds, in the word of what it says",
        ),
        pytest.param(
            of(heart=2.0, skin=1.5, voice=-0.1),
            of(heart=1.3, skin=1.3, voice=0.6),
            [("heart", 2), ("skin", 2)],
            id="what can be spared is no reason, though above the usual",
        ),
        pytest.param(
            of(heart=-0.1, skin=0.0),
            of(heart=1.3, skin=1.2),
            [("skin", 2)],
            id="where each can be spared, the one that can least",
        ),
        pytest.param(
            of(heart=0.4, voice=0.3, pointer=0.25, typing=0.1),
            of(heart=0.4, voice=0.3, pointer=0.2, typing=0.1),
            [("heart", 1), ("voice", 1), ("pointer", 1)],
            id="what adds most is named, though within its usual range",
        ),
        pytest.param(
            of(heart=3.0, skin=0.3, pointer=0.2),
            of(heart=1.2, skin=0.05, pointer=0.9),
            [("heart", 2)],
            id="what is usual and adds little is not, nor what adds less",
        ),
        pytest.param(
            of(heart=(3.0, np.nan), skin=1.0),
            of(heart=(1.2, np.nan), skin=0.6),
            [("heart", 2), ("skin", 1)],
            id="how far, of those in whom it is known",
        ),
        pytest.param(
            of(heart=(0.5, -0.1), skin=1.0),
            of(heart=(0.2, -0.6), skin=0.6),
            [("skin", 1)],
            id="of several, what lies below the usual in most is none",
        ),
        pytest.param(of(heart=0.1), of(heart=-0.1), [], id="nothing speaks for it"),
        pytest.param(of(), of(), [], id="nothing known"),
    ],
)
def test_an_alert_names_the_three_parts_that_add_most(
    adds: np.ndarray, says: np.ndarray, expected: list[tuple[str, int]]
) -> None:
    assert [(c.part, c.level) for c in contributions(adds, says)] == expected


@pytest.mark.parametrize("known", range(1, len(PARTS) + 1))
def test_without_the_only_part_that_strays_no_evidence_is_left(known: int) -> None:
    told = Told(known)
    told.tell(0.0, minutes=10)
    strayed = np.zeros((known, 1), np.float32)
    strayed[0] = 2.0
    evidence = told.tell(strayed, minutes=5)
    measured = np.arange(len(PARTS))[:, None] < known
    adds, says = told.evidence.rests_on(told.rows, measured)
    assert adds[0, 0] == pytest.approx(evidence)
    assert says[0, 0] > 1.0
    assert (adds[1:known] < 0).all()  # as usual: they speak against it
    assert np.isnan(adds[known:]).all()
    assert np.isnan(says[known:]).all()


def test_of_parts_that_stray_together_each_can_be_spared_and_one_is_named() -> None:
    told = Told(known=2)
    told.tell(-1.0, minutes=8 * 60)
    apart = Told(known=2)
    evidence, alone = told.tell(2.0, minutes=15), apart.tell(2.0, minutes=15)
    both = np.arange(len(PARTS))[:, None] < 2
    adds, says = told.evidence.rests_on(told.rows, both)
    assert evidence > 2.0
    assert (np.abs(adds[:2]) < 0.01 * evidence).all()
    assert (says[:2] > 0.5).all()
    assert len(contributions(adds.T, says.T)) >= 1
    assert (apart.evidence.rests_on(apart.rows, both)[0][:2] > 0.2 * alone).all()


def test_what_is_not_measured_now_adds_nothing_that_is_known() -> None:
    told = Told()
    told.tell(2.0, minutes=10)
    adds, says = told.evidence.rests_on(told.rows, ~ALL)
    assert np.isnan(adds).all()
    assert np.isnan(says).all()


def test_where_there_is_no_evidence_nothing_adds_to_it() -> None:
    told = Told()
    told.tell(-1.0, minutes=10)
    assert all(np.isnan(found).all() for found in told.evidence.rests_on(told.rows, ALL))


def test_an_alert_is_never_without_a_reason_and_every_reason_lies_above_the_usual() -> None:
    rng, told = np.random.default_rng(7), Told(agents=400)
    shared = rng.uniform(0.0, 1.0, len(told.rows))
    level, common = np.zeros((len(PARTS), len(told.rows))), np.zeros(len(told.rows))
    seen = reasons = 0
    for k in range(600):
        level += rng.normal(0.0, 0.3, level.shape) - 0.05 * level
        common += rng.normal(0.0, 0.3, common.shape) - 0.05 * common
        parts = shared * common + (1 - shared) * level
        evidence = told.tell_once(parts.astype(np.float32))
        if k % 20:
            continue
        adds, says = told.evidence.rests_on(told.rows, np.repeat(ALL, len(told.rows), axis=1))
        assert (says[adds > 0] > 0).all()
        for agent in np.flatnonzero(evidence > 0):
            named = contributions(adds[:, [agent]].T, says[:, [agent]].T)
            assert named
            assert all(one.level for one in named)
            seen, reasons = seen + 1, reasons + len(named)
    assert seen > 1000
    assert reasons > seen
