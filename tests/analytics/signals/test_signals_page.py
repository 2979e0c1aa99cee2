"""The page about the signals says what the table of features says."""

import re
from pathlib import Path

import numpy as np
import pytest

from analytics.scoring.floor import Floor
from analytics.signals.features import FEATURES, PART_CHANNEL
from tests.analytics.synthetic_floor import teams

PAGE = (Path(__file__).parents[3] / "analytics/SIGNALS.md").read_text(encoding="utf-8")
_DIRECTION = {1: "rises", -1: "falls"}


def test_every_feature_stands_there_with_channel_unit_direction_and_source() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| (\w+) \| (\S+) \| (.+) \| (.+) \| (rises|falls) \| (.+) \| (.+) \|$",
        PAGE,
        re.MULTILINE,
    )
    written = [
        (name, channel, unit, way, source) for name, channel, unit, _, _, way, source, _ in rows
    ]
    assert written == [
        (f.name, PART_CHANNEL[f.part].value, f.unit, _DIRECTION[f.sign], f.source) for f in FEATURES
    ]


def held(thing: object) -> int:
    """Return the bytes of all arrays in `thing`, whatever they are called."""
    if isinstance(thing, np.ndarray):
        return thing.nbytes
    if isinstance(thing, dict):
        return sum(map(held, thing.values()))
    return held(vars(thing)) if hasattr(thing, "__dict__") else 0


@pytest.fixture(scope="module")
def floor() -> Floor:
    """A floor that 10,000 agents came to, one after the other."""
    made = Floor(teams(1))
    for agent in range(10_000):
        made.row(f"k{agent}")
    return made


def test_the_memory_of_an_agent_is_what_the_page_says(floor: Floor) -> None:
    said = {
        name: int(n)
        for name, n in re.findall(r"^\| ([^|:]+)(?::[^|]*)? \| (\d+) \|$", PAGE, re.MULTILINE)
    }
    inner = {
        "windows": floor._windows,
        "detector": floor._detector,
        "episodes": floor._episodes,
    }
    each, rows = {name: held(part) for name, part in inner.items()}, len(floor.level)
    each["floor"] = held(floor) - sum(each.values())
    each["together"] = held(floor)
    found = {name: round(size / rows) for name, size in each.items()}
    found["with the most room for newcomers"] = round(1.25 * held(floor) / rows)
    assert said == found
    ((least, most),) = re.findall(r"For 10,000 agents that is (\d+) to (\d+) MB", PAGE)
    assert int(least) == round(said["together"] / 100)
    assert int(most) == round(said["with the most room for newcomers"] / 100)


def test_room_for_newcomers_is_a_quarter_at_most() -> None:
    (most,) = re.findall(r"most room for newcomers \| (\d+) \|", PAGE)
    floor, rows = Floor(teams(1)), 64  # what the first one gets
    for agents in range(1, 5_001):
        floor.row(f"k{agents}")
        if len(floor.level) > rows:  # the most room there is: it was just made
            assert held(floor) <= int(most) * agents
            rows = len(floor.level)
    assert 5_000 <= rows < 6_250
