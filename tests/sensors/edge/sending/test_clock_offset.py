from datetime import UTC, datetime, timedelta

import pytest

from sensors.edge.sending.clock_offset import OffsetEstimate

WALL = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def test_the_offset_is_that_of_the_fastest_answer():
    estimate = OffsetEstimate()
    assert estimate.best(WALL) is None
    second = timedelta(seconds=1)
    estimate.add(WALL, WALL + 120.5 * second, WALL + 1 * second)
    assert estimate.best(WALL + second) == (120_000.0, 500.0)
    estimate.add(WALL, WALL + 120.1 * second, WALL + 0.1 * second)
    assert estimate.best(WALL + 0.1 * second) == (120_050.0, 50.0)
    estimate.add(WALL, WALL, WALL - second)  # an answer before its question says nothing
    assert estimate.best(WALL + 0.1 * second) == (120_050.0, 50.0)
    estimate.forget()
    assert estimate.best(WALL) is None


def test_an_old_answer_is_worth_less_every_second():
    estimate = OffsetEstimate()
    second = timedelta(seconds=1)
    estimate.add(WALL, WALL + 0.005 * second, WALL + 0.01 * second)
    assert estimate.best(WALL + 0.01 * second) == (0.0, 5.0)
    offset_ms, error_ms = estimate.best(WALL + 36_000 * second)
    assert offset_ms == 0.0
    assert error_ms == pytest.approx(5.0 + 540.0, abs=0.1)  # ten hours at 15 parts in a million
    later = WALL + 36_000 * second
    estimate.add(later, later + 0.4 * second, later + 0.2 * second)  # slower, and fresh
    assert estimate.best(later + 0.2 * second) == (300.0, 100.0)


def test_a_clock_that_was_set_ends_the_time_of_older_answers():
    """A machine that slept for eight seconds goes on without a new anchor, and is eight late."""
    estimate = OffsetEstimate()
    second = timedelta(seconds=1)
    for n in range(8):
        at = WALL + 30 * n * second
        estimate.add(at, at + 0.105 * second, at + 0.01 * second)
    at = WALL + 240 * second
    estimate.add(at, at + 8.106 * second, at + 0.012 * second)  # slower than all before it
    assert estimate.best(at) == (8100.0, 6.0)
