"""The mixed model against a plain oracle, and what it must not show."""

import re

import numpy as np
import pandas as pd
import pytest

from analytics.research.catalogue import variable
from analytics.research.compare import By, compare, lines, plot
from sensors.errors import InsufficientDataError

MONDAYS = pd.to_datetime(["2026-03-02", "2026-03-09", "2026-03-16"])


def frame(people=8, weeks=2, fall=0.8, spread=0.3, noise=0.05):
    """Return balanced data: of each person two days a week, each a few values."""
    rng = np.random.default_rng(3)
    rows = []
    for person in range(people):
        own = np.log(40) + spread * rng.standard_normal()
        for week in range(weeks):
            for day in (0, 2):
                level = own + week * np.log(fall) + noise * rng.standard_normal()
                at = MONDAYS[week] + pd.Timedelta(days=day, hours=13)
                rows += [
                    (f"p{person}", at + pd.Timedelta(minutes=5 * n), np.exp(level))
                    for n in range(3)
                ]
    return pd.DataFrame(rows, columns=["agent", "local_at", "value"])


def test_a_balanced_difference_is_that_of_the_means():
    data = frame()
    found = compare(data, variable("rmssd_ms"), By.WEEK, 5)
    logs = data.assign(week=data["local_at"].dt.day < 9, y=np.log(data["value"]))
    means = logs.groupby("week")["y"].mean()
    first, second = found.levels
    assert (first.label, first.people, first.days) == ("2026-03-02", 8, 16)
    assert first.mean == pytest.approx(np.exp(means[True]), rel=1e-6)
    assert second.difference == pytest.approx(np.expm1(means[False] - means[True]), rel=1e-6)
    # In a balanced design with random intercepts the error is that of the residuals alone.
    days = (
        logs.assign(day=logs["local_at"].dt.date)
        .groupby(["agent", "week", "day"])["y"]
        .mean()
        .reset_index()
    )
    left = days["y"] - days.groupby("agent")["y"].transform("mean")
    left -= days["week"].map(left.groupby(days["week"]).mean())
    residual = (left**2).sum() / (len(days) - 8 - 1)
    error = np.sqrt(residual * (1 / 16 + 1 / 16))
    wide = 1.959964 * error
    effect = means[False] - means[True]
    assert second.low == pytest.approx(np.expm1(effect - wide), abs=1e-4)
    assert second.high == pytest.approx(np.expm1(effect + wide), abs=1e-4)
    assert second.low < -0.2 < second.high
    assert second.p < 0.001


def test_without_a_difference_none_is_found():
    _, second = compare(frame(fall=1.0), variable("rmssd_ms"), By.WEEK, 5).levels
    assert second.low < 0 < second.high
    assert second.p > 0.05


def test_what_is_a_logarithm_already_is_turned_back():
    data = frame()
    logs = compare(data.assign(value=np.log(data["value"])), variable("log_rmssd"), By.WEEK, 5)
    plain = compare(data, variable("rmssd_ms"), By.WEEK, 5)
    assert logs.levels[1].difference == pytest.approx(plain.levels[1].difference)
    assert logs.unit == "ms"


def test_people_who_do_not_differ_are_no_fault():
    same = compare(frame(spread=0.0), variable("rmssd_ms"), By.WEEK, 5)
    assert same.levels[1].difference == pytest.approx(-0.2, abs=0.05)


def test_a_week_of_four_is_not_shown():
    data = frame(weeks=3)
    third = data["local_at"] >= MONDAYS[2]
    data = data[~third | data["agent"].isin(["p0", "p1", "p2", "p3"])]
    found = compare(data, variable("rmssd_ms"), By.WEEK, 5)
    assert [level.label for level in found.levels] == ["2026-03-02", "2026-03-09"]
    assert found.hidden == ("2026-03-16",)
    assert lines(found)[-1] == "2026-03-16: too few people to show"
    with pytest.raises(InsufficientDataError, match="fewer than 5 people are not counted"):
        compare(frame(people=4), variable("rmssd_ms"), By.WEEK, 5)


def test_values_that_are_all_the_same_are_one_line():
    data = frame(noise=0.0, fall=1.0, spread=0.0)
    with pytest.raises(InsufficientDataError, match="no answer in so few values"):
        compare(data, variable("rmssd_ms"), By.WEEK, 5)


def test_small_figures_are_no_zeros():
    data = frame().assign(value=lambda f: f["value"] / 1000)
    told = lines(compare(data, variable("pnn50"), By.WEEK, 5))
    assert told[1].split()[3].startswith("0.04")
    assert told[2].split()[4].startswith("-0.00")
    assert float(told[2].split()[4]) < -0.005


@pytest.mark.parametrize("by", [By.DAY, By.WEEKDAY, By.HOUR])
def test_other_levels(by):
    data = frame()
    later = data.assign(local_at=data["local_at"] + pd.Timedelta(hours=1), value=data["value"] * 2)
    found = compare(pd.concat([data, later]), variable("rmssd_ms"), by, 5)
    labels = [level.label for level in found.levels]
    assert len(labels) == {By.DAY: 4, By.WEEKDAY: 2, By.HOUR: 2}[by]
    if by is By.HOUR:
        assert labels == ["13:00", "14:00"]
        assert found.levels[1].difference == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("ending", ["svg", "png", "pdf"])
def test_a_figure_holds_no_person(tmp_path, ending):
    found = compare(frame(), variable("rmssd_ms"), By.WEEK, 5)
    plot(found, tmp_path / f"weeks.{ending}", "title; second line")
    data = (tmp_path / f"weeks.{ending}").read_bytes()
    assert len(data) > 3_000
    if ending == "svg":
        # Numbers drawn by lot for each file name its parts, and may look like a person.
        named = rb"\b[a-z]+[0-9a-f]{10}\b"
        assert b"p0" not in re.sub(named, b"", data)
