"""The figures of hardware.md are computed anew from the circuit it describes."""

from __future__ import annotations

import math
import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from firmware_bridge.collector import SerialCollector, SerialSettings
from firmware_bridge.display.collector import DisplayCollector
from firmware_bridge.display.settings import DisplaySettings
from sensors.config import section
from sensors.edge.settings import EdgeSettings
from sensors.signals import Channel

PAGE = (Path(__file__).parents[2] / "hardware.md").read_text(encoding="utf-8")

VB, LEAD, RF, STEP = 0.5, 34.0e3, 324.0e3, 2.048 / 32768  # [V, ohm, ohm, V]
RS = 2 * LEAD
AREA_CM2 = math.pi * 0.5**2
SUPPLY = 3.3
_UNITS = {"": 1.0, "kΩ": 1e3, "MΩ": 1e6}


def rows(marker: str) -> list[list[str]]:
    """Return the cells of the table that follows `marker`."""
    after = PAGE.split(f"<!-- {marker}: recomputed by", 1)[1].splitlines()[1:]
    table = []
    for line in after:
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in line.strip("|").split("|")])
    return table[2:]


def number(cell: str) -> float:
    """Return the number a cell begins with."""
    return float(re.match(r"[\d.]+", cell)[0])


def as_written(cell: str, value: float) -> None:
    """Fail unless `cell` is `value`, rounded to the digits it shows."""
    text = re.match(r"[\d.]+", cell)[0]
    digits = len(text.partition(".")[2])
    assert text == f"{value:.{digits}f}", f"{cell} is {value:.{digits}f}"


@pytest.mark.parametrize("cells", rows("skin conductance"), ids=lambda cells: cells[0])
def test_the_skin_conductance_front_end(cells):
    between = number(cells[0]) * _UNITS[cells[0].split(" ")[1] if " " in cells[0] else ""]
    current = VB / (RS + between)
    out = current * RF
    as_written(cells[2], current * 1e6)
    as_written(cells[3], current * 1e6 / AREA_CM2)
    assert current * 1e6 / AREA_CM2 < 10.0
    as_written(cells[4], current * between)
    as_written(cells[5], out)
    if not between:
        assert (cells[1], cells[6]) == ("shorted", "beyond")
        assert out / STEP > 32767
        return
    conductance = 1.0 / between
    as_written(cells[1], conductance * 1e6)
    as_written(cells[6], out / STEP)
    assert out / STEP < 32767
    slope = VB * RF / (1.0 + conductance * RS) ** 2
    as_written(cells[7], STEP / slope * 1e9)
    # The formula of the page leads back to what was measured.
    assert out / (RF * VB - RS * out) == pytest.approx(conductance)


def test_it_covers_what_was_asked_for():
    shown = [number(cells[1]) for cells in rows("skin conductance")[:-1]]
    assert min(shown) <= 0.05
    assert max(shown) >= 60.0
    assert pytest.approx(VB) == SUPPLY * 10.0 / (56.0 + 10.0)


def test_currents_through_the_wearer():
    expected = {
        "60.61 µS": VB / (RS + 16.5e3),
        "electrodes shorted": VB / RS,
        "one 34 kΩ shorted, electrodes shorted": VB / LEAD,
        "input of the amplifier shorted to 3.3 V, electrodes shorted": SUPPLY / RS,
    }
    table = rows("currents")
    assert [cells[0] for cells in table] == list(expected)
    for condition, current, limit in table:
        as_written(current, expected[condition] * 1e6)
        assert number(current) < number(limit)


def test_bytes_a_second_of_the_streams():
    frame = 4 + 4 + 2 + 10  # version to counter, CRC, stuffing and end, head of SAMPLES
    sent = [10 * (frame + 10 * 4), 5 * (frame + 10 * 6), frame + 5 * 4, frame + 2]
    for bytes_s in sent:
        assert f": {bytes_s} bytes/s |" in PAGE
    assert f"{sum(sent)} bytes a second in all; 115200 baud carries {115200 // 10}." in PAGE


def test_beats_at_the_nearest_sample():
    assert f"{math.sqrt(6) * 10 / math.sqrt(12):.1f} ms (√6 · 10 ms/√12)" in PAGE


def test_rr_intervals_of_one_notification():
    fit = (20 - 2) // 2
    assert f"up to {fit} fit into 20 bytes" in PAGE
    assert f"up to {fit * 60} a minute" in PAGE


@pytest.mark.parametrize(
    ("collector", "settings"), [("display", DisplaySettings), ("serial", SerialSettings)]
)
def test_every_option_is_documented_with_its_default(collector, settings):
    part = PAGE[PAGE.index(f"| key of `[edge.options.{collector}]`") :].split("\n\n", 1)[0]
    written = dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", part, re.MULTILINE))
    for key in fields(settings):
        shown = written.pop(key.name).strip("`")
        if key.default in ("", ()):
            assert not shown.isalnum()  # a dash
        elif isinstance(key.default, bool | str):
            assert shown == str(key.default).lower()
        else:
            assert shown == str(int(key.default)) or shown == str(key.default)
    assert not written


def test_the_worked_example_of_a_display_is_taken_by_the_edge():
    text = PAGE.split("```toml", 1)[1].split("```", 1)[0]
    settings = section(tomllib.loads(text), "edge", EdgeSettings, environ={}, agent="k7")
    assert settings.collectors == ("heart_rate", "display", "serial")
    display = DisplayCollector(settings.options_of("display"))
    board = SerialCollector(settings.options_of("serial"))
    assert display.channels == board.channels == {Channel.MODULES}
