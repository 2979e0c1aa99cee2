"""Summaries of a minute: what the store itself would say of it, once, also late and restarted."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta

import numpy as np
import pytest

from analytics.pipeline.pipeline import Pipeline
from analytics.pipeline.summaries import EXTREMES, LATE_S, SILENT_S
from analytics.rights.agent_state import forget
from analytics.signals.features import FEATURES
from analytics.store.points import FieldValue, Measurement, Point
from sensors.messages import ContextMessage, ContextState, PersonState
from tests.analytics.synthetic_floor import SITE, START, Floor, Person, strained_after, teams

MINUTE_NS = 60_000_000_000
FIGURES = ("score", "strain_index", "evidence", "quality")


def floor(agents: int = 3, **options: object) -> Floor:
    people = [Person(f"k{n}", strained_after(200), **options) for n in range(agents)]  # type: ignore[arg-type]
    return Floor(people, Pipeline(SITE, teams(agents)))


def flush(f: Floor) -> None:
    """Let so much time pass that every open minute is told."""
    f.points += f.pipeline.step([], f.now + timedelta(seconds=SILENT_S + 1)).points


def by_minute(points: list[Point]) -> dict[tuple[str, int], list[Point]]:
    found: dict[tuple[str, int], list[Point]] = defaultdict(list)
    for point in points:
        found[point.tags["agent"], point.time_ns // MINUTE_NS].append(point)
    return found


def column(points: list[Point], name: str) -> list[float]:
    return [float(p.fields[name]) for p in points if name in p.fields]


def said(parts: list[Point], name: str) -> tuple[float, int]:
    """Return mean and number of what one or more summaries of a minute say together."""
    counts = [
        int(p.fields.get(f"{name}_n", p.fields["windows"])) for p in parts if name in p.fields
    ]
    means = column(parts, name)
    total = sum(counts)
    return sum(m * n for m, n in zip(means, counts, strict=True)) / total, total


def assert_equal_to_the_points(f: Floor) -> None:
    """Every summary against a slow reading of the points that it sums up."""
    features, scores = by_minute(f.of(Measurement.FEATURE)), by_minute(f.of(Measurement.SCORE))
    found = by_minute(f.of(Measurement.SUMMARY))
    assert found.keys() == scores.keys()
    for key, parts in found.items():
        assert sum(int(p.fields["windows"]) for p in parts) == len(scores[key])
        names = [(feature.name, features.get(key, [])) for feature in FEATURES]
        for name, points in (*names, *((name, scores[key]) for name in FIGURES)):
            values = column(points, name)
            assert any(name in p.fields for p in parts) == bool(values), (key, name)
            if values:
                mean, count = said(parts, name)
                assert count == len(values), (key, name)
                assert mean == pytest.approx(np.mean(values), rel=1e-12), (key, name)
                if name in EXTREMES:
                    assert min(column(parts, f"{name}_min")) == min(values)
                if name in (*EXTREMES, "evidence"):
                    assert max(column(parts, f"{name}_max")) == max(values)
        for state in PersonState:
            share = sum(float(p.fields[f"share_{state}"]) * int(p.fields["windows"]) for p in parts)
            assert share == pytest.approx([p.fields["state"] for p in scores[key]].count(state))


def test_a_summary_says_what_the_points_of_its_minute_say() -> None:
    f = floor()
    f.run(330)
    flush(f)
    assert_equal_to_the_points(f)
    assert all(len(parts) == 1 for parts in by_minute(f.of(Measurement.SUMMARY)).values())
    one: dict[str, FieldValue] = dict(f.of(Measurement.SUMMARY)[0].fields)
    assert one["team"] == "billing"
    assert "context" not in one, "nobody said what the agent does"


def test_it_is_told_once_soon_after_its_minute() -> None:
    f = floor(agents=1)
    f.run(60 + LATE_S)
    first = f.of(Measurement.SUMMARY)
    f.run(30)
    # START may lie inside a minute: then a first, shorter one was over before
    ended_s = {(p.time_ns // MINUTE_NS + 1) * 60 for p in f.of(Measurement.SUMMARY)}
    assert len(f.of(Measurement.SUMMARY)) == len(ended_s)
    assert first
    assert max(ended_s) <= f.now.timestamp() - LATE_S


def test_late_windows_make_a_point_beside_the_first_and_count_once() -> None:
    f = floor(agents=2)
    held = []
    for _ in range(60):
        f.t_s += 5.0
        ours, others = f.windows()
        if 60 < f.t_s <= 120:
            held.append(ours)
            f.feed([others])
        else:
            f.feed([ours, others])
    for window in held:
        f.say(window.agent, window.message)
    f.run(30)
    flush(f)
    assert_equal_to_the_points(f)
    late = [p for p in f.of(Measurement.SUMMARY) if p.fields["late"]]
    assert {p.tags["agent"] for p in late} == {"k0"}
    assert sum(int(p.fields["windows"]) for p in late) == len(held)
    identities = [(p.tags["agent"], p.time_ns) for p in f.of(Measurement.SUMMARY)]
    assert len(identities) == len(set(identities))


def test_two_sources_that_meet_at_the_end_of_a_minute_make_one_point() -> None:
    people = [Person("k0"), Person("k0", source="cloud", run="run00002")]
    f = Floor(people, Pipeline(SITE, teams(1)))
    for _ in range(40):
        f.t_s += 5.0
        first, second = f.windows()
        f.feed([second, first])
    flush(f)
    assert_equal_to_the_points(f)
    assert all(len(parts) == 1 for parts in by_minute(f.of(Measurement.SUMMARY)).values())


def test_a_restart_in_the_middle_of_a_minute_changes_no_bit() -> None:
    f, again = floor(), floor()
    for side in (f, again):
        side.run(95)
    restored = Pipeline(SITE, teams(3))
    restored.restore(again.pipeline.snapshot())
    again.pipeline = restored
    for side in (f, again):
        side.say("k1", ContextMessage(at=side.now, state=ContextState.ON_CALL))
        side.run(120)
        flush(side)
    assert f.of(Measurement.SUMMARY) == again.of(Measurement.SUMMARY)
    assert f.pipeline.snapshot() == again.pipeline.snapshot()
    assert f.of(Measurement.SUMMARY)[-2].fields["context"] == "on_call"


def test_a_snapshot_from_before_there_were_summaries_begins_afresh() -> None:
    f = floor()
    f.run(40)
    f.pipeline._summaries.restore({})
    f.run(120)
    assert f.of(Measurement.SUMMARY)


@pytest.mark.parametrize("name", ["total", "most", "states"])
def test_a_snapshot_of_other_figures_begins_afresh(name: str) -> None:
    f = floor()
    f.run(90)
    arrays = f.pipeline._summaries.to_arrays()
    arrays[f"summary.{name}"] = arrays[f"summary.{name}"][..., :-1]
    f.pipeline._summaries.restore(arrays)
    f.run(90)
    flush(f)
    assert f.of(Measurement.SUMMARY)


def test_who_is_forgotten_leaves_nothing_of_an_open_minute() -> None:
    f = floor()
    f.run(40)
    data, _ = forget(f.pipeline.snapshot(), "k1")
    restored = Pipeline(SITE, teams(3))
    restored.restore(data)
    told = restored.step([], START + timedelta(seconds=600)).points
    assert {p.tags["agent"] for p in told} == {"k0", "k2"}


def test_an_open_minute_of_who_falls_silent_is_told_too() -> None:
    f = floor(agents=1)
    f.run(10)
    assert not f.of(Measurement.SUMMARY)
    flush(f)
    assert sum(int(p.fields["windows"]) for p in f.of(Measurement.SUMMARY)) == 2


def test_memory_does_not_grow_with_time() -> None:
    f = floor()
    f.run(60)
    before = len(f.pipeline.snapshot())
    f.run(900)
    arrays = f.pipeline._summaries.to_arrays()
    assert all(len(array) == 3 for array in arrays.values())
    assert len(f.pipeline.snapshot()) < before * 2
