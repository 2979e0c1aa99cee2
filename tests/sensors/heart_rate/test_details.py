"""What a headset says about itself, whatever it says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensors.heart_rate.details import (
    BatteryWatch,
    Details,
    describe,
    parse_battery,
    parse_text,
)


@pytest.mark.parametrize(
    ("sent", "percent"),
    [(b"\x00", 0), (b"\x64", 100), (b"\x65", None), (b"", None), (b"\x01\x02", None)],
)
def test_a_battery_level_is_a_percentage_or_nothing(sent, percent):
    assert parse_battery(sent) == percent


def test_low_is_told_once_and_again_after_charging():
    watch = BatteryWatch()
    levels = [50, 16, 15, 14, 16, 15, 3, 30, 15, 14]
    assert [level for level in levels if watch.take(bytes([level]))] == [15, 15]
    assert watch.percent == 14


@given(st.binary(max_size=200))
def test_no_text_reaches_the_terminal_with_control_characters(data):
    text = parse_text(data)
    assert text.isprintable()
    assert len(text) <= 40


def test_padding_and_escapes_go():
    assert parse_text(b"Clip\x1b[2J 2\n\0\0rest") == "Clip [2J 2"


def test_what_is_unknown_is_left_out():
    assert describe("", "AA", Details(), None) == "unnamed (AA)"
    assert describe("H", "AA", Details(model="M"), 5) == "H (AA), M, battery 5 %"
