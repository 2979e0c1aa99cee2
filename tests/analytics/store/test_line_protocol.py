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
    if text.lower() in {"true", "false"}:
        return text.lower() == "true"
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
    ([together], _, _) = Encoder().lines([point])
    for line in (Encoder().line(point), together):
        measurement, tags, fields, time_ns = parse(line.decode())
        assert (measurement, tags, time_ns) == (point.measurement, point.tags, point.time_ns)
        assert fields == point.fields
        kinds = {k: type(v) for k, v in fields.items()}
        assert kinds == {k: type(v) for k, v in point.fields.items()}


# Names as our own fields have them, and texts with all that JSON marks things with.
PLAIN = st.dictionaries(
    st.text("abc_0", min_size=1, max_size=4).filter(str.isidentifier),
    st.one_of(VALUES, st.text('x:"{}[],=\\ \n\x01\x1e', max_size=9)),
    min_size=1,
    max_size=5,
)


@given(st.lists(PLAIN, min_size=1, max_size=9))
def test_points_formatted_at_once_are_those_formatted_alone(told):
    points = [Point(Measurement.BEAT, {"site": "n"}, fields, n) for n, fields in enumerate(told)]
    encoder = Encoder()
    lines, written, refused = encoder.lines(points)
    assert (written, refused) == (points, [])
    assert [parse(line.decode()) for line in lines] == [
        parse(encoder.line(point).decode()) for point in points
    ]


def test_a_bad_point_among_many_is_the_only_one_refused():
    points = [Point(Measurement.BEAT, {"site": "n"}, {"a": 0.5, "b": "x"}, n) for n in range(50)]
    for odd in (
        Point(Measurement.BEAT, {"site": "n"}, {}, 7),
        Point(Measurement.BEAT, {"site": "n"}, {"a": math.nan}, 7),
        Point(Measurement.BEAT, {"site": "n"}, {"a": 2**63}, 7),
        Point(Measurement.BEAT, {"site": "n"}, {"time": 1.0}, 7),
        Point(Measurement.BEAT, {"site": "n"}, {"a": "\0"}, 7),
        Point(Measurement.BEAT, {"site": ""}, {"a": 1.0}, 7),
        Point(Measurement.BEAT, {"site": "n"}, {"a": 1.0}, 2**63),
    ):
        points[7] = odd
        lines, written, [(refused, reason)] = Encoder().lines(points)
        assert (len(lines), written, refused) == (49, points[:7] + points[8:], odd)
        assert reason


def test_a_value_that_is_not_finite_is_left_out_also_among_many():
    points = [Point(Measurement.BEAT, {"site": "n"}, {"a": 0.5, "b": 1.5}, n) for n in range(3)]
    points[1] = Point(Measurement.BEAT, {"site": "n"}, {"a": math.inf, "b": 2.5}, 1)
    lines, _, _ = Encoder().lines(points)
    assert [line.split()[1] for line in lines] == [b"a=0.5,b=1.5", b"b=2.5", b"a=0.5,b=1.5"]


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
    for n in range(70_000):
        fields = {f"f{n}": f"t{n}", "n": n} if n < 10_000 else {"x": 0.5}
        point = Point(Measurement.BEAT, {"site": "a", "agent": f"k{n}"}, fields, 0)
        encoder.lines([point])
    for remembered in (encoder._keys, encoder._shapes, encoder._texts, encoder._whole):
        assert len(remembered) <= 4_096
    assert len(encoder._others) <= 4_096 + 1
    assert len(encoder._tags) <= 65_536


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
