"""Lines of a board: only what is whole and as announced is read, the rest is counted."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.printed.csv_lines import (
    MAX_LINE_BYTES,
    Counts,
    CsvLines,
    channel_of,
    check_columns,
    known_columns,
)
from sensors.errors import ConfigurationError
from sensors.signals import SIGNALS

TWO = ("eda_us", "skin_temp_c")
STREAM = (
    b"42,33.1\r\n3.42,33.1\r\n3.5,nan\n\n 3.6 , 3.32e1 \r3.7\nboot: ok\n-1,33.0\n"
    + b"9" * 600
    + b"\n\xff\xfe,1\n+4.,.5\n1,2,3\n5.0,33.9"
)
VALUES = [
    {"eda_us": 3.42, "skin_temp_c": 33.1},
    {"eda_us": 3.6, "skin_temp_c": 33.2},
    {"skin_temp_c": 33.0},
    {"eda_us": 4.0, "skin_temp_c": 0.5},
]
COUNTS = Counts(read=4, unreadable=5, too_long=1, out_of_range=1)


def test_what_is_whole_is_read_and_the_rest_counted():
    lines = CsvLines(TWO)
    assert lines.feed(STREAM) == VALUES
    assert lines.counts == COUNTS
    assert lines.feed(b"\n") == [{"eda_us": 5.0, "skin_temp_c": 33.9}]


def test_a_split_at_every_byte_changes_nothing():
    for cut in range(len(STREAM) + 1):
        lines = CsvLines(TWO)
        assert lines.feed(STREAM[:cut]) + lines.feed(STREAM[cut:]) == VALUES, cut
        assert lines.counts == COUNTS, cut


def test_one_byte_at_a_time_changes_nothing():
    lines = CsvLines(TWO)
    found = [sample for byte in STREAM for sample in lines.feed(bytes([byte]))]
    assert (found, lines.counts) == (VALUES, COUNTS)


def test_the_tail_of_a_line_is_never_taken_for_a_value():
    """``13.42`` cut after its first digit would read as 3.42."""
    lines = CsvLines(("eda_us",))
    assert lines.feed(b"3.42\n13.42\n") == [{"eda_us": 13.42}]


def test_a_skipped_column_may_hold_anything_but_must_be_there():
    lines = CsvLines(("-", "eda_us"))
    assert lines.feed(b"\n12:03:04 ok,3.5\n3.5\n,4\n") == [{"eda_us": 3.5}, {"eda_us": 4.0}]
    assert lines.counts == Counts(read=2, unreadable=1)


@pytest.mark.parametrize(
    "cell", [b"nan", b"inf", b"-inf", b"1_0", b"0x1f", b"", b"1e", b"--1", b"1e9999"]
)
def test_what_is_no_plain_number_is_unreadable(cell):
    lines = CsvLines(("eda_us",))
    assert lines.feed(b"\n" + cell + b",\n" + cell + b"\n") == []
    assert lines.counts.read == 0


def test_a_number_beyond_all_numbers_is_out_of_range():
    lines = CsvLines(("eda_us",))
    assert lines.feed(b"\n1e999\n") == []
    assert lines.counts == Counts(out_of_range=1)


def _values(name):
    return st.floats(SIGNALS[name].low, SIGNALS[name].high)


@given(st.lists(st.binary(max_size=80), max_size=30))
def test_noise_gives_only_values_in_range_and_never_fails(pieces):
    lines = CsvLines(TWO)
    for piece in pieces:
        for sample in lines.feed(piece):
            assert sample.keys() <= set(TWO)
            assert all(math.isfinite(v) and SIGNALS[name].accepts(v) for name, v in sample.items())
        assert len(lines._pending) <= MAX_LINE_BYTES


@given(st.lists(st.tuples(_values("eda_us"), _values("skin_temp_c")), max_size=20), st.data())
def test_every_line_sent_comes_back_however_it_is_cut(pairs, data):
    stream = b"\n" + b"".join(f"{a!r},{b!r}\r\n".encode() for a, b in pairs)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    lines = CsvLines(TWO)
    found = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += lines.feed(stream[start:end])
    assert found == [{"eda_us": a, "skin_temp_c": b} for a, b in pairs]
    assert lines.counts == Counts(read=len(pairs))


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        pytest.param(
            ["eda"],
            r"--csv has 'eda'; expected - to skip a column, or one of: .*eda_us",
            id="unknown",
        ),
        pytest.param(["dwell_ms"], "has 'dwell_ms'", id="not a board's"),
        pytest.param(["eda_us", "eda_us"], "each signal only once", id="twice"),
        pytest.param(["-"], "names no signal", id="all skipped"),
        pytest.param([], "names no signal", id="none"),
    ],
)
def test_wrong_columns_are_named(columns, words):
    with pytest.raises(ConfigurationError, match=words):
        check_columns(columns, "--csv")


def test_boards_may_deliver_what_headsets_and_modules_measure_and_nothing_else():
    assert {channel_of(name) for name in known_columns()} == {"heart", "modules"}
    assert check_columns(["-", *known_columns(), "-"], "--csv")


def test_a_line_cut_off_by_unplugging_is_never_glued_to_the_next():
    lines = CsvLines(TWO)
    assert lines.feed(b"\n3.42,33.1\n3.4") == [{"eda_us": 3.42, "skin_temp_c": 33.1}]
    lines.reopened()
    assert lines.feed(b"2,33.1\n3.5,33.2\n") == [{"eda_us": 3.5, "skin_temp_c": 33.2}]
    assert lines.counts.unreadable == 0
