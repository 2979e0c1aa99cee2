import numpy as np
import pytest

from analytics.alerts.common_cause import find, gathers, needed, persists

N = 14
JUDGED = np.ones(N, bool)


def some(*rows: int) -> np.ndarray:
    return np.isin(np.arange(N), rows)


@pytest.mark.parametrize(
    ("judged", "expected"),
    [(0, 3), (3, 3), (8, 3), (11, 3), (12, 4), (20, 4), (21, 5), (50, 10), (1000, 200)],
)
def test_how_many_make_a_cause(judged: int, expected: int) -> None:
    assert needed(judged) == expected


def test_enough_together_is_a_cause_and_one_fewer_is_not() -> None:
    started = np.arange(N) * 10.0
    cause = find(some(*range(4)), some(), started, JUDGED)
    assert cause is not None
    assert (cause.affected.sum(), cause.started_s, cause.judged) == (4, 0.0, 14)
    assert find(some(*range(3)), some(), started, JUDGED) is None


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
    assert find(some(0), some(*range(1, 14)), started, JUDGED) is None
    assert find(some(0, 1), some(*range(2, 14)), started, JUDGED) is not None


def test_who_cannot_be_judged_counts_neither_way() -> None:
    started = np.zeros(N)
    assert find(some(*range(4)), some(), started, ~some(0)) is None
    few = some(0, 1, 2, 3)
    assert find(some(0, 1, 2), some(), started, few) is not None


def test_a_cause_holds_until_fewer_than_half_are_left() -> None:
    assert persists(some(0, 1), some(), JUDGED)
    assert not persists(some(0), some(), JUDGED)


@pytest.mark.parametrize(
    ("above", "started", "expected"),
    [
        pytest.param((0,), 0.0, False, id="one alone"),
        pytest.param((0, 1), 0.0, False, id="two of thirty: six are a cause"),
        pytest.param((0, 1, 2), 60.0, True, id="half a cause"),
        pytest.param((0, 1, 2), 200.0, False, id="half a cause, long apart"),
    ],
)
def test_half_a_cause_that_begins_together_gathers(
    above: tuple[int, ...], started: float, expected: bool
) -> None:
    rows = np.arange(30)
    differ, all_of_them = np.isin(rows, above), np.ones(30, bool)
    starts = np.where(differ, rows * started, np.nan)
    assert gathers(differ, starts, all_of_them) == expected
    assert not gathers(differ, starts, ~all_of_them)
