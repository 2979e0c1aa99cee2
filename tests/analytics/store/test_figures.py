"""Figures over stretches of time: the same from the file and from a real server."""

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from analytics.store.base import Aggregate, Query, Row
from analytics.store.points import Measurement, Point, epoch_ns
from analytics.store.sampling import LADDER_S, interval_for
from sensors.errors import ConfigurationError

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)
HOUR = timedelta(hours=1)
ALL = tuple(Aggregate)


def reading(t_s: float, agent="k1", source="pc", **fields):
    tags = {"site": "north", "agent": agent, "source": source}
    at = NOON + timedelta(seconds=t_s)
    return Point(Measurement.READING, tags, fields, epoch_ns(at) + 123)


def ask(*fields, aggregates=ALL, **options):
    options = {"start_at": NOON, "end_at": NOON + HOUR, **options}
    return Query(
        measurement=Measurement.READING, site="north", fields=fields, aggregates=aggregates,
        **options,
    )  # fmt: skip


def begin_s(row: Row) -> float:
    return (row.time_ns - epoch_ns(NOON)) / 1e9


def test_every_figure_of_every_stretch(store):
    rng = np.random.default_rng(5)
    hr = {(a, t): float(v) for a in ("k1", "k2") for t, v in enumerate(rng.normal(70, 5, 120))}
    store.write([reading(5 * t, a, hr_bpm=v, seq=t) for (a, t), v in hr.items()])
    rows = store.read(ask("hr_bpm", "seq", every=timedelta(minutes=2)))
    assert [(r.tags["agent"], begin_s(r)) for r in rows] == [
        (agent, 120.0 * n) for n in range(5) for agent in ("k1", "k2")
    ]
    for row in rows:
        first = int(begin_s(row) // 5)
        own = [hr[row.tags["agent"], t] for t in range(first, first + 24)]
        expected = {
            "mean_hr_bpm": np.mean(own), "min_hr_bpm": min(own), "max_hr_bpm": max(own),
            "sum_hr_bpm": sum(own), "count_hr_bpm": 24,
            "mean_seq": first + 11.5, "min_seq": first, "max_seq": first + 23,
            "sum_seq": sum(range(first, first + 24)), "count_seq": 24,
        }  # fmt: skip
        assert row.fields == pytest.approx(expected)
        kinds = {name: type(value) for name, value in row.fields.items()}
        assert kinds["mean_seq"] is kinds["sum_hr_bpm"] is float
        assert kinds["sum_seq"] is kinds["count_hr_bpm"] is int


def test_one_row_for_the_whole_stretch(store):
    store.write([reading(t, hr_bpm=60.0 + t) for t in range(10)])
    store.write([reading(3, source="cloud", hr_bpm=99.0)])
    rows = store.read(ask("hr_bpm", aggregates=(Aggregate.MEAN,)))
    assert [(r.tags["source"], r.fields) for r in rows] == [
        ("cloud", {"mean_hr_bpm": 99.0}),
        ("pc", {"mean_hr_bpm": 64.5}),
    ]
    assert {r.time_ns for r in rows} == {epoch_ns(NOON)}
    always = ask("hr_bpm", aggregates=(Aggregate.MAX,), start_at=None, end_at=None)
    assert [(r.time_ns, r.fields["max_hr_bpm"]) for r in store.read(always)] == [
        (0, 99.0),
        (0, 69.0),
    ]


def test_a_stretch_without_a_value_has_no_row_and_a_figure_without_one_no_field(store):
    store.write([reading(0, hr_bpm=60.0), reading(1, eda_us=2.0, hr_bpm=70.0)])
    store.write([reading(601, eda_us=4.0), reading(1200, presence=1.0)])
    wanted = ask("hr_bpm", "eda_us", "unheard_of", aggregates=(Aggregate.COUNT, Aggregate.MEAN),
                 every=timedelta(minutes=10))  # fmt: skip
    assert [(begin_s(r), r.fields) for r in store.read(wanted)] == [
        (0.0, {"count_hr_bpm": 2, "mean_hr_bpm": 65.0, "count_eda_us": 1, "mean_eda_us": 2.0}),
        (600.0, {"count_eda_us": 1, "mean_eda_us": 4.0}),
    ]
    assert store.read(ask("unheard_of", every=timedelta(minutes=10))) == []
    assert store.read(ask("hr_bpm", start_at=NOON + HOUR, end_at=NOON + 2 * HOUR)) == []


def test_the_range_cuts_a_stretch_and_the_grid_does_not_move(store):
    store.write([reading(t, hr_bpm=float(t)) for t in range(60, 180, 10)])
    cut = ask("hr_bpm", aggregates=(Aggregate.SUM,), every=timedelta(minutes=1),
              start_at=NOON + timedelta(seconds=90), end_at=NOON + timedelta(seconds=130))  # fmt: skip
    assert [(begin_s(r), r.fields["sum_hr_bpm"]) for r in store.read(cut)] == [
        (60.0, 90.0 + 100 + 110),
        (120.0, 120.0),
    ]


def test_words_can_only_be_counted(store):
    store.write([reading(t, absent_heart="withheld", late=t > 3) for t in range(5)])
    for field in ("absent_heart", "late"):
        with pytest.raises(ConfigurationError, match=f"mean of {field}.*count"):
            store.read(ask(field, aggregates=(Aggregate.MEAN,)))
    (row,) = store.read(ask("absent_heart", "late", aggregates=(Aggregate.COUNT,)))
    assert row.fields == {"count_absent_heart": 5, "count_late": 5}


@pytest.mark.parametrize(
    "name", ['x"); DROP DATABASE wellbeing --', 'a"b', "a'b", "mean(x)", "back\\slash", "a,b c"]
)
def test_no_name_or_value_is_ever_a_query(store, name):
    store.write([reading(0, **{name: 2.5}), reading(1, agent="other", hr_bpm=1.0)])
    (row,) = store.read(ask(name, aggregates=(Aggregate.MEAN,), every=timedelta(minutes=1)))
    assert row.fields == {f"mean_{name}": 2.5}
    nobody = ask("hr_bpm", aggregates=(Aggregate.MEAN,), agents=("x' OR 'a'='a",))
    assert store.read(nobody) == []
    assert store.count(Query(measurement=Measurement.READING, site="north")) == 2


def test_many_agents_whatever_they_are_called(store):
    odd = ["a.b", "a|b", "(", "$", "x/y", "größe", "a' OR 'a'='a", ".*", "-"]
    agents = [*odd, *(f"k{n}" for n in range(60))]
    store.write([reading(0, agent, hr_bpm=60.0) for agent in [*agents, "axb", "k", "other"]])
    for chosen in (agents, agents[:40]):
        found = store.read(ask("hr_bpm", aggregates=(Aggregate.MEAN,), agents=tuple(chosen)))
        assert [row.tags["agent"] for row in found] == sorted(chosen)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"fields": ()}, id="no fields"),
        pytest.param({"latest": True}, id="latest"),
        pytest.param({"limit": 3}, id="limit"),
        pytest.param({"every": HOUR, "end_at": None}, id="no end"),
        pytest.param({"every": HOUR, "start_at": None}, id="no start"),
        pytest.param({"every": HOUR, "aggregates": ()}, id="no aggregate"),
        pytest.param({"every": timedelta(0)}, id="no length"),
    ],
)
def test_what_does_not_go_together_is_refused(options):
    given = {"fields": ("hr_bpm",), "aggregates": ALL, "start_at": NOON, "end_at": NOON + HOUR}
    with pytest.raises(ConfigurationError):
        Query(measurement=Measurement.READING, site="north", **{**given, **options})


@pytest.mark.parametrize("width", [1, 7, 100, 320, 1280, 4000])
@pytest.mark.parametrize("hours", [0.01, 1, 8, 24, 24 * 90])
def test_a_picture_gets_no_more_points_than_it_shows_and_no_fewer_than_it_may(width, hours):
    every_s = interval_for(NOON, NOON + timedelta(hours=hours), width).total_seconds()
    assert hours * 3600 / every_s <= width
    finer = [rung for rung in LADDER_S if rung < every_s]
    assert not finer or math.ceil(hours * 3600 / finer[-1]) > width


def test_a_picture_of_nothing_is_refused():
    for end_at, width in ((NOON, 100), (NOON + HOUR, 0)):
        with pytest.raises(ConfigurationError, match="shows nothing"):
            interval_for(NOON, end_at, width)
