"""How often alerts ask, and what agents answered: pure figures, worked out by hand."""

from datetime import UTC, datetime, timedelta

import pytest

from analytics.alerts.alerting import SMALLEST_GROUP
from dashboard import figures_words, rates
from dashboard.rates import Answer, Figures, Load, Share, Telling, load, share
from sensors.words import Words

NOW = datetime(2026, 7, 1, 8, 34, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
START = datetime(2026, 7, 1, 4, 0, tzinfo=UTC)
FOUR_HOURS = [START + n * MINUTE for n in range(240)]
EN = Words("en")


def told(minute: float, alert_id: str, *, personal: bool = True) -> Telling:
    return Telling(START + minute * MINUTE, alert_id, personal)


def test_rate_is_what_took_room_over_the_hours_counted() -> None:
    found = load([told(5, "a"), told(100, "b"), told(200, "c"), told(239, "d")], FOUR_HOURS)
    assert found.counted == timedelta(hours=4)
    assert found.per_hour == pytest.approx(1.0)
    assert found.since == START


def test_the_same_alert_again_within_its_hour_is_one_as_in_the_budget() -> None:
    again = [told(0, "a"), told(40, "a"), told(80, "a")]
    found = load(again, FOUR_HOURS)
    assert found.told == 1
    assert max(found.in_hour) == 1
    assert load([*again, told(141, "a")], FOUR_HOURS).told == 2


def test_what_was_told_before_counting_began_fills_the_hour_and_is_not_counted() -> None:
    found = load([told(-30, "a")], FOUR_HOURS)
    assert found.told == 0
    assert found.in_hour[:30] == (1,) * 29 + (0,)


def test_hours_above_the_ceiling_are_found() -> None:
    three = [told(60, "a"), told(70, "b"), told(90.5, "c")]
    found = load(three, FOUR_HOURS)
    assert found.share_above(3) == 0.0
    # From the third telling until the first is an hour old: 29 minutes' ends.
    assert found.share_above(2) == pytest.approx(29 / 240)
    assert load(three[:2], FOUR_HOURS).share_above(2) == 0.0


def test_flood_is_more_than_ten_in_ten_minutes_of_whatever_kind() -> None:
    eleven = [told(100 + n * 0.5, f"a{n}", personal=n < 2) for n in range(11)]
    assert load(eleven[:10], FOUR_HOURS).share_flooded == 0.0
    found = load(eleven, FOUR_HOURS)
    assert found.flooded == 5
    assert found.told == 2


def test_less_than_an_hour_is_unknown_and_never_nothing() -> None:
    found = load([told(5, "a")], FOUR_HOURS[:59])
    assert (found.per_hour, found.share_above(2), found.share_flooded) == (None, None, None)
    assert load([], []) == Load()


def test_minutes_are_those_in_which_the_server_scored_and_i_was_on_duty() -> None:
    bins = rates.bins(NOW)
    assert bins[-1] == NOW.replace(minute=30, second=0)
    assert len(bins) * rates.BIN == rates.SPAN
    found = rates.minutes(NOW, scoring=bins[-3:], on_duty=[*bins[:-3], *bins[-2:]])
    assert found[0] == bins[-2]
    assert len(found) == 14, "ten of the one before, four whole ones of the bin that runs"


def answers(count: int, yes: int) -> list[Answer]:
    return [Answer(f"k{n}", f"alert{n}", n < yes) for n in range(count)]


def test_answers_of_fewer_than_five_people_show_nothing() -> None:
    """TRUST T16: also when four people answered often."""
    assert share(answers(4, 4)) == Share()
    often = [Answer(f"k{n % 4}", f"alert{n}", yes=True) for n in range(40)]
    assert not share(often).known
    assert share(answers(5, 3)) == Share(3, 5)


def test_no_answer_can_be_told_by_subtracting() -> None:
    """TRUST T16: what is published changes only by five people's answers at once."""
    before = Share()
    for count in range(60):
        given = [Answer(f"k{n * 7 % 11}", f"alert{n}", n % 3 == 0) for n in range(count)]
        now = share(given)
        assert now == before or now.of - before.of >= SMALLEST_GROUP
        before = now
    assert before.of >= 50


def test_only_the_first_answer_to_an_alert_counts() -> None:
    changed = [*answers(5, 3), Answer("k0", "alert0", yes=False)]
    assert share(changed) == Share(3, 5)


def test_answers_leave_by_whole_months() -> None:
    assert rates.answers_since(NOW) == datetime(2026, 6, 1, tzinfo=UTC)
    assert rates.answers_since(datetime(2026, 1, 31, tzinfo=UTC)) == datetime(
        2025, 12, 1, tzinfo=UTC
    )


def said(figures: Figures | None) -> str:
    lines = [f"{name}: {text}" for name, text in figures_words.rows(EN, figures, 2)]
    return "\n".join([*lines, figures_words.counted(EN, figures, UTC)])


def test_figures_in_words_beside_their_bounds() -> None:
    found = load([told(60, "a"), told(70, "b"), told(90.5, "c")], FOUR_HOURS)
    text = said(Figures(NOW, found, Share(7, 10), Share()))
    assert "Signals told to you: 0.8 an hour; at most 2." in text
    assert "Hours with more than 2: 12 %; should be none." in text
    assert "10 alerts in 10 min: None; should stay under 1 %." in text
    assert "it was so: 70 % of 10 answers." in text
    assert "it helped: Unknown: fewer than 5 people answered." in text
    assert "Counted since 04:00: 4 h in which" in text


def test_what_is_unknown_is_said_as_unknown() -> None:
    assert said(None).count("Unknown.") == 5
    text = said(Figures(NOW, Load(), Share(), Share()))
    assert text.count("Unknown") == 5
    assert "Nothing was counted in the last 8 h." in text
    assert "0" not in text.replace("more than 10 alerts in 10 min", "")


def test_one_minute_of_a_shift_does_not_read_as_none() -> None:
    found = Load(START, 0, (3,) + (0,) * 479, 1)
    assert "0.2 %; should be none" in said(Figures(NOW, found, Share(), Share()))
