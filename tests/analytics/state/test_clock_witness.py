"""When the server's clock is believed, and when not."""

from datetime import UTC, datetime, timedelta

import pytest

from analytics.state.clock_witness import PATIENCE_S, ClockWitness

NOW = datetime(2026, 7, 6, 9, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.mark.parametrize(
    ("behind", "is_doubted"),
    [
        pytest.param(timedelta(0), False, id="now"),
        pytest.param(23 * HOUR, False, id="yesterday"),
        pytest.param(-30 * DAY, False, id="a machine's clock is ahead"),
        pytest.param(25 * HOUR, True, id="two days ago"),
        pytest.param(400 * DAY, True, id="another year"),
    ],
)
def test_at_a_start_only_windows_say_whether_it_is_right(
    behind: timedelta, *, is_doubted: bool
) -> None:
    assert bool(ClockWitness().doubt(NOW, NOW - behind, 0.0)) is is_doubted


def test_with_nothing_stored_there_is_nothing_to_lose() -> None:
    assert ClockWitness().doubt(NOW, None, 0.0) == ""


def test_once_confirmed_it_is_carried_over_a_holiday() -> None:
    witness = ClockWitness()
    assert witness.doubt(NOW, NOW, 0.0) == ""
    for days in range(1, 30):
        assert witness.doubt(NOW + days * DAY, NOW, days * 86_400.0) == ""


def test_a_jump_while_it_runs_is_seen_at_once_and_its_correction_too() -> None:
    witness = ClockWitness()
    assert witness.doubt(NOW, NOW, 0.0) == ""
    said = witness.doubt(NOW + 30 * DAY, NOW, 60.0)
    assert "2026-08-05 09:00" in said
    assert "2026-07-06 09:00" in said
    assert witness.doubt(NOW + timedelta(minutes=2), NOW, 120.0) == ""


def test_windows_of_the_new_time_end_the_doubt() -> None:
    witness = ClockWitness()
    assert witness.doubt(NOW, NOW - 20 * DAY, 0.0)
    assert witness.doubt(NOW + HOUR, NOW + HOUR, 3_600.0) == ""


def test_kept_for_ever_is_a_wrong_too() -> None:
    witness = ClockWitness()
    long_ago = NOW - 20 * DAY
    assert witness.doubt(NOW, long_ago, 0.0)
    assert witness.doubt(NOW, long_ago, PATIENCE_S - 1.0)
    assert witness.doubt(NOW, long_ago, PATIENCE_S) == ""


def test_windows_that_go_on_saying_otherwise_are_believed_however_long() -> None:
    """A clock a month ahead must not win by lasting over a long weekend."""
    witness = ClockWitness()
    for hours in range(0, 24 * 10, 6):
        passed = hours * HOUR
        assert witness.doubt(NOW + 30 * DAY + passed, NOW + passed, hours * 3_600.0), passed
    since_s, silent = 234 * 3_600.0, NOW + 234 * HOUR
    assert witness.doubt(silent + 30 * DAY, silent, since_s + PATIENCE_S - 1.0)
    assert witness.doubt(silent + 33 * DAY, silent, since_s + PATIENCE_S) == ""


def test_an_operator_may_know_better() -> None:
    assert ClockWitness(is_trusted=True).doubt(NOW, NOW - 400 * DAY, 0.0) == ""
