"""The report says what failed, in words, and shows nothing a board could smuggle in."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from firmware_bridge.conformance.page import page
from firmware_bridge.conformance.plots import draw
from firmware_bridge.conformance.report import Plot, Series
from firmware_bridge.conformance.requirements import NOT_TESTED, REQUIREMENTS
from firmware_bridge.conformance.serial_check import report
from tests.firmware_bridge.conformance.examining import board, examine
from tests.rig.display import chromium_page

AXE = Path(__file__).parents[2] / "vendor" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


class Outline(HTMLParser):
    """Checks nesting, and gathers what matters."""

    VOID = frozenset({"meta", "br", "line"})

    def __init__(self):
        super().__init__()
        self.open, self.text, self.tags, self.attributes = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def outline(html):
    found = Outline()
    found.feed(html)
    assert found.open == []
    return found


def test_the_page_stands_alone_and_names_every_requirement():
    found = report("/dev/ttyACM0", examine(board("wrong_unit", "crc@20")))
    html = page(found)
    seen = outline(html)
    text = "".join(seen.text)
    assert all(one.id in text for one in REQUIREMENTS)
    assert all(name in text for name, _ in NOT_TESTED)
    assert "unit is 'nS'; expected 'uS'" in text
    assert "Not passed: " in text
    assert not re.search(r"(src|href)=|url\(|@import|https?://(?!www\.w3\.org)", html)
    assert "script" not in seen.tags


def test_it_is_read_without_colour_and_without_eyes():
    seen = outline(page(report("/dev/ttyACM0", examine(board("stuck")))))
    labels = [value for tag, name, value in seen.attributes if (tag, name) == ("svg", "aria-label")]
    figures = seen.tags.count("figure")
    assert figures == len(labels) == 8
    assert all(len(label) > 30 for label in labels)
    assert seen.tags.count("details") == figures
    assert ("html", "lang", "en") in seen.attributes
    words = "".join(seen.text)
    assert words.count("fail") >= 1
    assert "✗ fail" in words
    assert seen.tags.count("h1") == 1


def test_what_a_board_says_becomes_no_markup():
    evil = '<script>alert("x")</script>'
    made = board(maker=evil[:31], model="\x1b[31m&<b>", firmware='"><img>')
    html = page(report('/dev/"><i>', examine(made)))
    assert not {"script", "img", "i", "b"} & set(outline(html).tags)
    assert "\x1b" not in html


def test_a_board_that_says_nothing_gets_a_page_too():
    found = report("/dev/ttyACM0", examine(board("silence")))
    assert not found.is_passed
    outline(page(found))
    assert found.lines()[-1].startswith("not passed: ")


def test_one_that_could_not_be_judged_at_all_is_not_passed():
    found = report("/dev/ttyACM0", examine(board("unplug"), seconds=1.0))
    assert not found.is_passed


def test_lines_and_json_say_the_same():
    found = report("/dev/ttyACM0", examine(board("no_time_answer")))
    plain = json.loads(json.dumps(found.plain()))
    assert plain["result"] == "fail"
    failed = [one for one in plain["requirements"] if one["result"] == "fail"]
    assert [one["id"] for one in failed] == ["time-answer"]
    lines = found.lines()
    assert any(line.startswith("FAIL  time-answer") for line in lines)
    assert any(failed[0]["remedy"] in line for line in lines)
    assert lines[-1].startswith("not passed: ")


def test_plots_of_little_and_odd_data():
    nan = float("nan")
    for x, y in (([], []), ([1.0], [5.0]), ([0.0, 1.0], [nan, nan]), ([0.0, 1.0], [1e-9, 1e9])):
        for joined in (True, False):
            drawn = draw(Plot("t", "x", "y", "m", [Series("s", x, y, joined)]))
            assert "nan" not in drawn
            outline(drawn)
    gap = draw(Plot("t", "x", "y", "m", [Series("s", [0, 1, 2, 3], [1, 2, nan, 4], joined=True)]))
    assert re.search(r'd="M[^M"]+M[^M"]+"', gap)


def test_numbers_beside_a_plot_are_told_apart():
    x, y = [0.0, 1.0, 2.0], [250.00001, 250.00002, 250.00004]
    labels = numbers(draw(Plot("t", "x", "y", "m", [Series("s", x, y)])))
    assert len(set(labels)) == len(labels) >= 3
    wide = numbers(draw(Plot("t", "x", "y", "m", [Series("s", x, y)], least_span=10.0)))
    assert {"246", "250", "254"} <= set(wide)


def numbers(drawn):
    return re.findall(r'text-anchor="end">([^<]+)<', drawn)


def test_a_board_that_started_anew_is_drawn_as_one():
    found = report("/dev/ttyACM0", examine(board("restart@8")))
    rates = next(plot for plot in found.plots if plot.title == "Rate")
    names = [series.name for series in rates.series]
    assert names == ["ppg (0)", "eda_us (1)", "skin_temp_c (2)", "acc_g (3)"]
    pulse = list(rates.series[0].y)
    assert min(pulse) > 60


@pytest.mark.needs("chromium")
def test_axe_finds_nothing_on_a_desk_and_on_a_phone(tmp_path):
    path = tmp_path / "board.html"
    faults = board("wrong_unit", "restart@14", "no_time_answer")
    path.write_text(page(report("/dev/ttyACM0", examine(faults))), encoding="utf-8")
    with chromium_page() as chromium:
        for width, scheme in ((1100, "light"), (1100, "dark"), (360, "light")):
            chromium.emulate_media(color_scheme=scheme)
            chromium.set_viewport_size({"width": width, "height": 800})
            chromium.goto(path.as_uri())
            chromium.add_script_tag(path=AXE)
            found = chromium.evaluate("rules => axe.run(document, {runOnly: rules})", RULES)
            assert [one["id"] for one in found["violations"]] == []
            assert chromium.evaluate("document.documentElement.scrollWidth") <= width
