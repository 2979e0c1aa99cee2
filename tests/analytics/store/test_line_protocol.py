"""The line protocol, read back by a parser written from its description alone."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.store.admission import TAGS
from analytics.store.line_protocol import Encoder
from analytics.store.points import Measurement, Point

# What may name a field or fill a tag: printable, no backslash at its end nor before what is escaped.
TEXT = st.text(min_size=1, max_size=12).filter(
    lambda t: t.isprintable() and t[-1] != "\\" and not re.search(r"\\[,= ]", t)
)
NAMES = TEXT.filter(lambda t: t not in {*TAGS, "time"})
VALUES = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
    st.text(max_size=20).filter(lambda t: "\0" not in t),
)
POINTS = st.builds(
    Point,
    st.sampled_from(Measurement),
    st.fixed_dictionaries({"site": TEXT}, optional={"agent": TEXT, "source": TEXT}),
    st.dictionaries(NAMES, VALUES, min_size=1, max_size=6),
    st.integers(-(2**63) + 2, 2**63 - 2),
)


def parse(line):
    """Return measurement, tags, fields and time of a line, by the written grammar."""
    head, rest = _until(line, " ")
    measurement, tail = _until(head, ",")
    tags, fields = {}, {}
    while tail:
        tag, tail = _until(tail, ",")
        key, value = _until(tag, "=")
        tags[_unescaped(key)] = _unescaped(value)
    while True:
        key, rest = _until(rest, "=")
        value = re.match(r'"(?:[^"\\]|\\.)*"|[^, ]+', rest, flags=re.DOTALL)[0]
        fields[_unescaped(key)] = _value(value)
        separator, rest = rest[len(value)], rest[len(value) + 1 :]
        if separator == " ":
            return measurement, tags, fields, int(rest)


def _until(text, separator):
    """Return what stands before and after the first `separator` with no backslash before it."""
    part = re.match(rf"(?:\\.|[^\\{separator}])*", text)[0]
    return part, text[len(part) + 1 :]


def _unescaped(text):
    return re.sub(r"\\([,= ])", r"\1", text)


def _value(text):
    if text in {"True", "False"}:
        return text == "True"
    if text.startswith('"'):
        return re.sub(r'\\(["\\])', r"\1", text[1:-1])
    return int(text[:-1]) if text.endswith("i") else float(text)


@pytest.mark.parametrize(
    ("fields", "written"),
    [
        pytest.param({"a": 1.5}, "a=1.5", id="float"),
        pytest.param({"a": 5.0}, "a=5.0", id="whole float"),
        pytest.param({"a": -3}, "a=-3i", id="integer"),
        pytest.param({"a": True, "b": False}, "a=True,b=False", id="boolean"),
        pytest.param({"a": 'x "y" \\'}, 'a="x \\"y\\" \\\\"', id="text"),
        pytest.param({"100 %s": 0.5}, "100\\ %s=0.5", id="per cent"),
        pytest.param({"a": 1.7e308, "b": 1.7e308}, "a=1.7e308,b=1.7e308", id="huge"),
        pytest.param({"a b,c=d": 1}, "a\\ b\\,c\\=d=1i", id="name"),
        pytest.param({"a": math.nan, "b": math.inf, "c": 1}, "c=1i", id="not finite"),
    ],
)
def test_fields_are_written_as_the_protocol_says(fields, written):
    line = Encoder().line(Point(Measurement.BEAT, {"site": "n", "agent": "k 7"}, fields, 12))
    assert line.decode() == f"beat,agent=k\\ 7,site=n {written} 12"


@given(POINTS)
def test_every_point_comes_back(point):
    # The parser cannot know a backslash before a comma from an escaped comma.
    names = [*point.tags.values(), *point.fields]
    if any("\\" in name for name in names):
        point = Point(
            point.measurement,
            {k: v.replace("\\", "/") for k, v in point.tags.items()},
            {k.replace("\\", "/"): v for k, v in point.fields.items()},
            point.time_ns,
        )
    measurement, tags, fields, time_ns = parse(Encoder().line(point).decode())
    assert (measurement, tags, time_ns) == (point.measurement, point.tags, point.time_ns)
    assert fields == point.fields
    assert {k: type(v) for k, v in fields.items()} == {k: type(v) for k, v in point.fields.items()}


@given(st.lists(POINTS, max_size=20))
def test_what_an_encoder_remembers_changes_nothing(points):
    shared = Encoder()
    assert [shared.line(p) for p in points * 2] == [Encoder().line(p) for p in points * 2]


def test_tags_with_exchanged_names_are_not_taken_for_each_other():
    encoder = Encoder()
    first = Point(Measurement.BEAT, {"site": "a", "agent": "b"}, {"x": 1}, 0)
    second = Point(Measurement.BEAT, {"agent": "a", "site": "b"}, {"x": 1}, 0)
    assert encoder.line(first) == b"beat,agent=b,site=a x=1i 0"
    assert encoder.line(second) == b"beat,agent=a,site=b x=1i 0"


def test_memory_stays_bounded():
    encoder = Encoder()
    for n in range(20_000):
        encoder.line(
            Point(Measurement.BEAT, {"site": "a", "agent": f"k{n}"}, {f"f{n}": f"t{n}"}, 0)
        )
    assert len(encoder._keys) <= 4_096
    assert len(encoder._shapes) <= 4_096
    assert len(encoder._texts) <= 4_096
    assert len(encoder._heads) <= 4 * 4_096


@given(
    st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3),
    st.dictionaries(st.text(max_size=5), st.one_of(VALUES, st.floats(), st.none()), max_size=3),
    st.integers(),
)
def test_a_line_has_no_line_end_of_its_own_or_the_point_is_refused(tags, fields, time_ns):
    point = Point(Measurement.BEAT, tags, fields, time_ns)
    lines, written, refused = Encoder().lines([point])
    assert len(lines) == len(written) == 1 - len(refused)
    for line in lines:
        assert b"\n" not in re.sub(rb'"(?:[^"\\]|\\.)*"', b"", line, flags=re.DOTALL)
