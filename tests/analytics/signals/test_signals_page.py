"""The page about the signals says what the table of features says."""

import re
from pathlib import Path

from analytics.signals.features import FEATURES, PART_CHANNEL
from analytics.signals.windows import FeatureWindows

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


def test_the_memory_of_an_agent_is_what_the_page_says() -> None:
    windows = FeatureWindows()
    windows.ensure(1)
    held = sum(array.nbytes for array in windows.to_arrays().values())
    (said,) = re.findall(r"State is (\d+) KiB per agent \((\d+) MB for 10,000\)", PAGE)
    assert (round(held / 1024), round(held * 10_000 / 1e6)) == tuple(map(int, said))
