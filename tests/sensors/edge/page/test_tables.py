"""The agent's own figures, in words and as a picture."""

import math
import re
from datetime import timedelta
from xml.etree import ElementTree as ET

import pytest

from analytics.signals.features import FEATURES
from sensors.edge.page import chart, tables
from sensors.messages import PersonState, UsualRange
from sensors.signals import Channel
from tests.sensors.edge.page.makings import BOTH, EN, NOW, ZH, facts, mirror, window

DASH = "–"  # noqa: RUF001 - the sign that stands for unknown on every screen


def usual(feature="heart_rate_bpm", unit="1/min", **changes):
    given = {"low": 60.0, "high": 75.0, "hours": 12.5, "now": 88.2}
    return UsualRange(feature=feature, unit=unit, **{**given, **changes})


def row(**changes):
    (found,) = tables.usual_rows(EN, [usual(**changes)])
    return found


def test_now_and_the_usual_range_with_unit_place_and_ground():
    found = row()
    assert (found.name, found.now, found.usual) == ("Heart rate", "88.2 /min", "60 – 75 /min")  # noqa: RUF001
    assert (found.place, found.rests_on) == ("above", "learnt from 12 h 30 min")
    assert row(now=50.0).place == "below"
    assert row(now=70.0).place == "as usual"


def test_unknown_is_said_and_a_young_range_is_still_learning():
    found = row(now=None, hours=0.0)
    assert (found.now, found.place) == (DASH, "unknown")
    assert found.rests_on.startswith("still learning")
    young = row(hours=15 / 3600).rests_on  # a range that is not the person's own yet
    assert young == "still learning, 15 s so far; until then near everybody's range"


def test_a_logarithm_is_shown_as_what_it_is_the_logarithm_of():
    found = row(feature="log_rmssd", unit="ln(ms)", low=math.log(20), high=math.log(50), now=None)
    assert found.usual == "20 – 50 ms"  # noqa: RUF001
    assert row(unit="ln(ms)", now=1e9).now != "inf"


def test_every_feature_of_the_detector_has_words_and_a_strangers_is_shown_as_named():
    assert {feature.name for feature in FEATURES} == set(tables.FEATURE_WORDS)
    assert row(feature="gaze_hz").name == "gaze_hz"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, DASH), (math.nan, DASH), (0.0, "0"), (0.000326, "0"), (0.0512, "0.051"), (4.612, "4.61"),
        (71.52, "71.5"), (512.34, "512"), (1_234_567.0, "1234567"), (-3.456, "-3.46"),
    ],
)  # fmt: skip
def test_three_figures_that_matter(value, said):
    assert tables.number(value) == said


def test_one_sentence_for_every_state_and_for_none():
    said = {tables.sentence(EN, facts(mirror=mirror(s), mirror_at=NOW)) for s in PersonState}
    assert len(said) == len(PersonState)
    assert "not known" in tables.sentence(EN, facts())


def test_index_and_evidence_come_with_their_meaning_and_are_left_out_when_unknown():
    full = mirror(strain_index=97.4, evidence=5.2, threshold=4.61, quality=0.83)
    lines = tables.index_lines(EN, full)
    assert lines[0].startswith(
        "Strain index 97 of 100: above 50 this moment looks more like strain"
    )
    assert lines[1] == "Evidence 5.2; from 4.61 on your supervisor would be told."
    assert lines[2] == "Signal quality 83 %."
    assert tables.index_lines(ZH, mirror()) == []
    # The server judges nothing while it learns: that is no bad signal.
    assert tables.index_lines(EN, mirror(PersonState.LEARNING, quality=0.0)) == []


def test_day_and_month_as_lowest_mean_highest():
    points = [(NOW - timedelta(minutes=m), v) for m, v in ((3, 60.0), (2, 70.0), (1, 95.0))]

    def history(name, _span):
        return points if name == "hr_bpm" else []

    (group,) = tables.measured(EN, facts(history=history, window=window()))
    (found,) = group.rows
    assert group.channel is Channel.HEART
    assert (found.now, found.day, found.month) == ("71.5 /min", "60 / 75 / 95", "60 / 75 / 95")


def test_single_beats_are_not_listed_and_nothing_measured_is_no_table():
    assert tables.measured(EN, facts()) == []
    given = facts(channels=BOTH, history=lambda *_: [(NOW, 1.0)])
    names = {r.signal.name for group in tables.measured(EN, given) for r in group.rows}
    assert "rr_ms" not in names
    assert {"hr_bpm", "f0_hz"} <= names


def line(points):
    return ET.fromstring(chart.day_svg(points, NOW, 'a "label" <of> it'))


def test_the_picture_is_well_formed_named_and_inside_its_frame():
    points = [(NOW - timedelta(minutes=m), float(m % 7)) for m in range(1439, 0, -1)]
    drawn = line(points)
    assert drawn.get("role") == "img"
    assert drawn.get("aria-label") == 'a "label" <of> it'
    (path,) = drawn
    numbers = [float(n) for n in re.findall(r"[\d.]+", path.get("d"))]
    assert 0 <= min(numbers[::2]) <= max(numbers[::2]) <= chart.WIDTH
    assert 0 <= min(numbers[1::2]) <= max(numbers[1::2]) <= chart.HEIGHT


def test_a_gap_breaks_the_line_and_a_lone_point_is_seen():
    points = [(NOW - timedelta(minutes=m), 1.0) for m in (600, 595, 300)]
    assert len(line(points)) == 2
    assert "L" in line(points)[1].get("d")


def test_the_newest_is_at_the_right_and_what_is_older_than_a_day_is_left_out():
    (path,) = line([(NOW - timedelta(hours=30), 9.0), (NOW - timedelta(minutes=1), 1.0)])
    assert float(path.get("d")[1:].split()[0]) > chart.WIDTH - 5
    assert chart.day_svg([(NOW - timedelta(hours=30), 9.0)], NOW, "") == ""
