import numpy as np
import pytest

from analytics.common_cause import contributions, find, gathers, needed, persists
from analytics.features import PARTS, UNKNOWN_LEVEL, Part

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


def test_contributions_are_the_strongest_three_with_their_direction() -> None:
    level = np.full((2, len(PARTS)), UNKNOWN_LEVEL, np.int8)
    weight = np.full((2, len(PARTS)), np.nan)
    for part, levels, towards in (
        (Part.HEART, (2, 1), 3.0),
        (Part.SKIN, (0, 0), 9.0),
        (Part.TYPING, (-2, -1), 4.0),
        (Part.POINTER, (1, 1), 1.0),
        (Part.VOICE, (2, UNKNOWN_LEVEL), 2.0),
    ):
        index = PARTS.index(part)
        level[:, index], weight[:, index] = levels, towards
    found = [(c.part, c.level) for c in contributions(level, weight)]
    assert found == [("typing", -2), ("heart", 2), ("voice", 2)]


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
