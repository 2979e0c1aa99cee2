"""Points that are lines already: read back to the last bit, sent as they are, searched when refused."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.store import influx_writing
from analytics.store.base import Query
from analytics.store.formatted import GROUPS, formatted, grouped, joined
from analytics.store.influx import InfluxStore
from analytics.store.influx_connection import Reply
from analytics.store.influx_writing import Writer
from analytics.store.line_protocol import Encoder
from analytics.store.line_reading import point_of
from analytics.store.points import Database, Measurement, Point
from sensors.errors import StoreError
from tests.analytics.store.test_line_protocol import POINTS
from tests.rig.influx import ON_A_SERVER

BEGIN_NS = 1_790_000_000 * 10**9


def typed(points):
    return [(p, [type(v) for v in p.fields.values()]) for p in points]


@given(st.lists(POINTS, max_size=12))
def test_every_point_comes_back_as_it_was_in_its_group_and_order(points):
    expected = [p for _, mine in grouped(points) for p in mine]
    found = formatted(points, Encoder())
    told = [p for p in expected if p not in found.others]
    assert typed(found) == typed([*told, *found.others])
    assert len(found) == len(points)
    assert all(any("\n" in str(v) for v in p.fields.values()) for p in found.others)


@given(POINTS)
def test_a_line_written_alone_is_read_back_too(point):
    assert typed([point_of(Encoder().line(point))]) == typed([point])


@pytest.mark.parametrize(
    "line", [b"", b"score", b"score a=1", b"score,site=a a=x 1", b"other a=1i 1"]
)
def test_what_is_no_line_of_ours_is_refused(line):
    with pytest.raises(ValueError, match=r"."):
        point_of(line)


def point(n, measurement=Measurement.SCORE, agent="k1", **fields):
    tags = {"site": "north", "agent": agent}
    return Point(measurement, tags, fields or {"n": n / 7, "x": n}, BEGIN_NS + n)


def test_what_has_no_line_stays_a_point():
    odd = [point(1, note="two\nlines"), point(2, note=object()), point(3)]
    found = formatted(odd, Encoder())
    assert set(map(id, found.others)) == set(map(id, odd[:2]))
    assert [section.lines() for section in found.sections] == [[Encoder().line(odd[2])]]
    assert found[0] == odd[2]


def test_rows_are_sent_together_by_group_and_in_order():
    rows = [
        formatted([point(n), point(n, Measurement.SUMMARY), point(n, Measurement.BEAT)], Encoder())
        for n in range(5)
    ]
    sent = list(joined(rows).requests(2))
    assert [one.count for one in sent] == [2, 2, 1] * 3
    assert [one.group for one in sent[::3]] == list(GROUPS)
    lines = [line for one in sent if one.group.anew for line in one.lines()]
    assert [point_of(line) for line in lines] == [point(n, Measurement.SUMMARY) for n in range(5)]


@ON_A_SERVER
def test_of_lines_too_only_the_bad_points_are_refused(any_influx_settings, monkeypatch):
    monkeypatch.setattr(influx_writing, "BATCH", 100)
    store = InfluxStore(any_influx_settings)
    try:
        now = [point(n) for n in range(300)]
        store.write([now[0]])
        bad = {3, 100, 299}
        points = [replace(now[n], fields={"n": "text"}) if n in bad else now[n] for n in range(300)]
        unwritable = [point(300, site="lab"), point(301, y=0.5, note="two\nlines")]
        rows = [
            formatted([*points[:150], *unwritable], Encoder()),
            formatted(points[150:], Encoder()),
        ]
        report = store.write(joined(rows))
        assert {one.time_ns - BEGIN_NS for one, _ in report.refused} == {*bad, 300}
        assert report.written == 298
        rows = store.read(Query(measurement=Measurement.SCORE, site="north"))
        assert len(rows) == 298
        assert {"y": 0.5, "note": "two\nlines"} in [row.fields for row in rows]
    finally:
        store.close()


class Refusing:
    """A server that takes no point of which `is_bad`, and says how many it dropped."""

    def __init__(self, is_bad):
        self.is_bad = is_bad
        self.asked = 0
        self.taken = set()

    def post(self, database, lines):
        assert database is Database.DERIVED
        self.asked += 1
        told = lines.split(b"\n")
        good = [line for line in told if not self.is_bad(line)]
        self.taken.update(good)
        dropped = len(told) - len(good)
        said = f'{{"error":"partial write: max-values-per-tag limit exceeded dropped={dropped}"}}'
        return Reply(400, said) if dropped else Reply(204, "")

    def refused(self, reply):
        return StoreError(reply.body)


@pytest.mark.parametrize("made", [list, lambda points: formatted(points, Encoder())])
def test_series_that_are_refused_are_found_by_series_not_by_point(made):
    """Every other agent's, as a floor tells them: point by point that was 10,000 requests."""
    points = [point(n, agent=f"k{n % 100}") for n in range(5_000)]
    server = Refusing(lambda line: int(line.split(b",")[1][7:]) % 2)
    report = Writer(server).write(made(points))
    assert {p.tags["agent"] for p, _ in report.refused} == {f"k{n}" for n in range(1, 100, 2)}
    assert (report.written, len(server.taken)) == (2_500, 2_500)
    assert server.asked < 250


def test_a_search_without_end_is_given_up_and_nothing_is_lost(monkeypatch):
    monkeypatch.setattr(influx_writing, "ASKED_AT_MOST", 50)
    points = [point(n) for n in range(5_000)]
    server = Refusing(lambda line: line.endswith((b"1", b"3", b"5", b"7", b"9")))
    report = Writer(server).write(points)
    assert server.asked < 120
    assert {n for n in range(5_000) if n % 2} <= {p.time_ns - BEGIN_NS for p, _ in report.refused}
    assert len(server.taken) == 2_500
    assert report.written + len(report.refused) == 5_000
    assert "nobody knows which" in report.refused[-1][1]
