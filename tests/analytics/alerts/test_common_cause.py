import numpy as np
import pytest

from analytics.alerts.common_cause import contributions, find, gathers, needed, persists
from analytics.signals.features import PARTS, Part

N = 14
JUDGED = np.ones(N, bool)


def some(*rows: int) -> np.ndarray:
    return np.isin(np.arange(N), rows)


@pytest.mark.parametrize(
    ("judged", "expected"), [(0, 3), (3, 3), (7, 3), (8, 4), (14, 6), (100, 40)]
)
def test_how_many_make_a_cause(judged: int, expected: int) -> None:
    assert needed(judged) == expected


def test_enough_together_is_a_cause_and_one_fewer_is_not() -> None:
    started = np.arange(N) * 10.0
    cause = find(some(*range(6)), some(), started, JUDGED)
    assert cause is not None
    assert (cause.affected.sum(), cause.started_s, cause.judged) == (6, 0.0, 14)
    assert find(some(*range(5)), some(), started, JUDGED) is None


def test_the_same_number_spread_over_an_hour_is_none() -> None:
    assert find(some(*range(6)), some(), np.arange(N) * 600.0, JUDGED) is None


def test_an_old_episode_does_not_hide_a_new_cause_nor_count_in_it() -> None:
    started = np.where(np.arange(N) == 13, 0.0, 5000.0 + np.arange(N))
    cause = find(some(13, *range(6)), some(), started, JUDGED)
    assert cause is not None
    assert (cause.affected.sum(), cause.started_s) == (6, 5000.0)


def test_a_blip_of_all_is_none_until_half_have_lasted() -> None:
    started = np.zeros(N)
    assert find(some(), some(*range(14)), started, JUDGED) is None
    assert find(some(0, 1), some(*range(2, 14)), started, JUDGED) is None
    assert find(some(0, 1, 2), some(*range(3, 14)), started, JUDGED) is not None


def test_who_cannot_be_judged_counts_neither_way() -> None:
    started = np.zeros(N)
    assert find(some(*range(6)), some(), started, ~some(0)) is None
    few = some(0, 1, 2, 3)
    assert find(some(0, 1, 2), some(), started, few) is not None


def test_a_cause_holds_until_fewer_than_half_are_left() -> None:
    assert persists(some(0, 1, 2), some(), JUDGED)
    assert not persists(some(0, 1), some(), JUDGED)


def said(**parts: tuple[float, float]) -> np.ndarray:
    weight = np.full((2, len(PARTS)), np.nan)
    for name, of_both in parts.items():
        weight[:, PARTS.index(Part(name))] = of_both
    return weight


@pytest.mark.parametrize(
    ("weight", "expected"),
    [
        pytest.param(
            said(heart=(1.3, 1.1), skin=(0.9, 0.9), typing=(-2, -1), voice=(0.5, 0.5)),
            [("heart", 2), ("skin", 1), ("voice", 1)],
            id="largest first, what speaks against it never",
        ),
        pytest.param(
            said(heart=(0.4, 0.4), voice=(0.3, 0.3), pointer=(0.2, 0.2), typing=(0.1, 0.1)),
            [("heart", 1), ("voice", 1), ("pointer", 1)],
            id="what weighs most is named, though within its usual range",
        ),
        pytest.param(
            said(heart=(1.2, 1.2), skin=(0.05, 0.05), pointer=(0.04, 0.04)),
            [("heart", 2)],
            id="what is usual and weighs little is not",
        ),
        pytest.param(
            said(heart=(1.2, np.nan), skin=(0.6, 0.6)),
            [("heart", 2), ("skin", 1)],
            id="how far, of those in whom it is known; the first of equals",
        ),
        pytest.param(said(heart=(-0.1, 0.0)), [], id="nothing speaks for it"),
        pytest.param(said(), [], id="nothing known"),
    ],
)
def test_contributions_are_the_three_largest(
    weight: np.ndarray, expected: list[tuple[str, int]]
) -> None:
    assert [(c.part, c.level) for c in contributions(weight)] == expected


@pytest.mark.parametrize(
    ("above", "started", "expected"),
    [
        pytest.param((0,), 0.0, False, id="one alone"),
        pytest.param((0, 1), 0.0, False, id="two of fourteen: six are a cause"),
        pytest.param((0, 1, 2), 60.0, True, id="half a cause"),
        pytest.param((0, 1, 2), 200.0, False, id="half a cause, long apart"),
    ],
)
def test_half_a_cause_that_begins_together_gathers(
    above: tuple[int, ...], started: float, expected: bool
) -> None:
    starts = np.where(some(*above), np.arange(N) * started, np.nan)
    assert gathers(some(*above), starts, JUDGED) == expected
    assert not gathers(some(*above), starts, ~JUDGED)
