"""No figure about fewer than five people, whatever is subtracted from what (TRUST T16)."""

from datetime import UTC, datetime, timedelta
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.store.base import Row
from analytics.store.groups import (
    GRID,
    Blocks,
    Cell,
    GroupQuery,
    Told,
    cells,
    figures,
    pin,
    read_cells,
)
from analytics.store.points import Measurement, Point, epoch_ns
from sensors.errors import ConfigurationError

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)
STEP_NS = epoch_ns(NOON + GRID) - epoch_ns(NOON)


def blocks(*sizes: int, smallest: int = 5) -> Blocks:
    names = [f"team{n}" for n in range(len(sizes))]
    return Blocks(
        {
            name: frozenset(f"{name}-{i}" for i in range(size))
            for name, size in zip(names, sizes, strict=True)
        },
        smallest,
    )


def row(agent: str, step: int, total: float, count: int = 1) -> Row:
    return Row(step * STEP_NS, {"site": "n", "agent": agent}, {"sum_x": total, "count_x": count})


def test_each_person_weighs_the_same_and_two_sources_are_one_person():
    rows = [row(f"team0-{i}", 0, 10.0 * (i + 1) * 3, 3) for i in range(5)]
    rows.append(row("team0-0", 0, 90.0, 1))  # the same person's other machine
    (cell,) = cells(blocks(5), rows, "x")
    assert cell.people == 5
    assert cell.total == pytest.approx((30 + 90) / 4 + 20 + 30 + 40 + 50)
    assert figures([cell], ["team0"], GRID)[0].mean == pytest.approx(cell.total / 5)


def test_each_group_has_its_own_figure_and_together_everybody_weighs_the_same():
    rows = [row(f"team0-{i}", 0, 10.0) for i in range(5)]
    rows += [row(f"team1-{i}", 0, 40.0) for i in range(10)]
    found = cells(blocks(5, 10), rows, "x")
    means = {name: figures(found, [name], GRID)[0].mean for name in ("team0", "team1")}
    assert means == {"team0": 10.0, "team1": 40.0}
    (both,) = figures(found, ["team0", "team1"], GRID)
    assert (both.mean, both.fewest_people) == (30.0, 5)


def test_two_sources_do_not_make_five_people_of_four():
    rows = [row(f"team0-{i % 4}", 0, 1.0) for i in range(8)]
    assert cells(blocks(6), rows, "x") == []


def test_a_small_group_gives_nothing_and_is_not_even_asked_for(store):
    _write(store, {f"team0-{i}": 70.0 for i in range(4)} | {f"team1-{i}": 80.0 for i in range(5)})
    query = GroupQuery(measurement=Measurement.READING, site="north", field="hr_bpm",
                       start_at=NOON, end_at=NOON + GRID)  # fmt: skip
    assert read_cells(store, blocks(4), query) == []
    found = read_cells(store, blocks(4, 5), query)
    assert [(c.block, c.people) for c in found] == [("team1", 5)]
    (both,) = figures(found, ["team0", "team1"], GRID)
    assert (both.mean, both.fewest_people) == (80.0, 5)
    assert read_cells(store, blocks(5, 5, smallest=6), query) == []


def _write(store, rates):
    points = [
        Point(
            Measurement.READING,
            {"site": "north", "agent": agent, "source": "pc"},
            {"hr_bpm": rate},
            epoch_ns(NOON + timedelta(seconds=5 * n)),
        )
        for agent, rate in rates.items()
        for n in range(12)
    ]
    assert store.write(points).refused == []


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_subtraction_never_leaves_fewer_than_five(data):
    """Every combination of figures that can be asked for is a sum of whole cells."""
    sizes = data.draw(st.lists(st.integers(1, 8), min_size=1, max_size=4))
    asked = blocks(*sizes)
    steps = 4
    present = {
        (agent, step): data.draw(st.booleans())
        for members in asked.members.values()
        for agent in sorted(members)
        for step in range(steps)
    }
    agents = sorted({agent for agent, _ in present})
    rows = [row(a, s, 1.0) for (a, s), there in present.items() if there]
    found = cells(asked, rows, "x")
    # What each answer tells: the set of person-cells it sums over.
    answers = []
    for size in range(1, len(sizes) + 1):
        for names in combinations(asked.members, size):
            for length in (1, 2, 4):
                for begin in range(0, steps, length):
                    used = [
                        c for c in found
                        if c.block in names and begin <= c.begin_ns // STEP_NS < begin + length
                    ]  # fmt: skip
                    answers.append(_person_cells(used, asked, present, agents, steps))
    if not answers:
        return
    # Any linear combination is constant over the people of a cell, so nobody stands out alone.
    matrix = np.array(answers).reshape(len(answers), len(agents), steps)
    for step in range(steps):
        columns = {}
        for i, agent in enumerate(agents):
            if present[agent, step]:
                columns.setdefault(tuple(matrix[:, i, step]), []).append(agent)
        for told, people in columns.items():
            assert not any(told) or len(people) >= 5


def _person_cells(used, asked, present, agents, steps):
    held = np.zeros((len(agents), steps))
    for cell in used:
        for i, agent in enumerate(agents):
            step = cell.begin_ns // STEP_NS
            if agent in asked.members[cell.block] and present[agent, step]:
                held[i, step] = 1.0
    return held


def test_a_longer_time_is_made_of_usable_cells_only():
    # Four people in the second quarter of the hour: not in the hour's figure either.
    rows = [row(f"team0-{i}", 0, 10.0) for i in range(5)]
    rows += [row(f"team0-{i}", 1, 1000.0) for i in range(4)]
    (hour,) = figures(cells(blocks(5), rows, "x"), ["team0"], 4 * GRID)
    assert hour.mean == 10.0


@pytest.mark.parametrize("every", [GRID / 3, GRID * 1.5, timedelta(0)])
def test_time_cannot_be_cut_finer_or_across_the_grid(every):
    with pytest.raises(ConfigurationError, match="multiple"):
        figures([Cell("team0", 0, 5, 1.0)], ["team0"], every)


def test_a_range_that_cuts_a_cell_is_refused():
    with pytest.raises(ConfigurationError, match=r"end_at.*multiple"):
        GroupQuery(measurement=Measurement.SCORE, site="n", field="score", start_at=NOON,
                   end_at=NOON + GRID / 2)  # fmt: skip


def test_nobody_is_in_two_groups_and_five_is_the_least():
    with pytest.raises(ConfigurationError, match="may not overlap"):
        Blocks({"a": frozenset("123456"), "b": frozenset("6789x")})
    with pytest.raises(ConfigurationError, match="smallest group is 4"):
        blocks(9, smallest=4)


def test_groups_are_pinned_once_figures_were_given():
    first = blocks(6, 7)
    assert pin(None, first) == first
    assert pin(first, blocks(6, 7, smallest=6)).smallest == 6
    one_left = Blocks({"team0": first.members["team0"] - {"team0-0"}})
    for other in (one_left, blocks(6), blocks(13), blocks(6, 7, 5)):
        with pytest.raises(ConfigurationError, match="about one person"):
            pin(first, other)
    with pytest.raises(ConfigurationError, match="left out"):
        pin(blocks(6, smallest=6), blocks(6))


def told_again(told: Told, group: Blocks, values: dict[int, float]) -> list[Cell]:
    rows = [row(f"team0-{i}", 0, value) for i, value in values.items()]
    return cells(group, rows, "x", told)


def test_who_came_late_or_went_changes_nothing_that_was_told():
    """Or the difference between two looks at one cell would be about that person."""
    told, group = Told(5), blocks(12)
    six = dict.fromkeys(range(6), 1.0)
    before = told_again(told, group, six)
    assert before[0].total == 6.0
    assert told_again(told, group, six | {6: 9.0}) == before, "one came late"
    assert told_again(told, group, six | {0: 9.0}) == before, "more of one came late"
    assert told_again(told, group, dict.fromkeys(range(5), 1.0)) == before, "one was erased"
    assert told_again(told, group, six | {6: 9.0, 7: 9.0, 8: 9.0, 9: 9.0}) == before
    (after,) = told_again(told, group, six | dict.fromkeys(range(6, 11), 9.0))
    assert (after.people, after.total) == (11, 51.0), "five at once are a group"
    assert told_again(told, group, six | dict.fromkeys(range(6, 12), 9.0)) == [after]


def test_a_cell_of_too_few_is_told_once_it_has_enough():
    told, group = Told(5), blocks(6)
    assert told_again(told, group, dict.fromkeys(range(4), 1.0)) == []
    (cell,) = told_again(told, group, dict.fromkeys(range(6), 1.0))
    assert cell.people == 6


def test_what_was_told_is_forgotten_with_its_time_and_holds_nobodys_name():
    told, group = Told(5), blocks(6)
    (before,) = told_again(told, group, dict.fromkeys(range(5), 1.0))
    assert "team0-" not in repr(told._known), "an erasure does not reach it"
    told.forget(0)
    assert told_again(told, group, dict.fromkeys(range(6), 2.0)) != []
    told.forget(1)
    (after,) = told_again(told, group, dict.fromkeys(range(6), 2.0))
    assert (before.people, after.people) == (5, 6)
