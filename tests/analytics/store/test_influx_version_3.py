"""Version 3 of InfluxDB, by the answers that their documents and sources state.

References
----------
.. [1] InfluxData, "InfluxDB 3 Core API" and its sources, ``influxdb3_server/src/http.rs`` and
   ``iox_v1_query_api``: a name with a slash is taken by ``/write`` in every version, and errors
   of a statement come with status 200 since its ``/query`` is that of the latter.
"""

import json
from datetime import UTC, datetime, timedelta

import pytest

from analytics.store.base import Query
from analytics.store.points import Measurement, Point, epoch_ns
from sensors.errors import CannotEraseError, StoreError
from tests.analytics.store.scripted import scripted, store_at

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


V3 = "3.12.0"
CONFLICT = (
    "invalid column type for column 'a', expected iox::column_type::field::float,"
    " got iox::column_type::field::integer"
)


"""Version 3's words for a field of another type (influxdb3_write, validator.rs)."""


def partial(*lines, reason=CONFLICT):
    """Return version 3's answer that names the lines it refused: ``Error::PartialLpWrite``."""
    named = [{"original_line": "x", "line_number": n, "error_message": reason} for n in lines]
    return json.dumps({"error": "partial write of line protocol occurred", "data": named})


def point(measurement=Measurement.SCORE, agent="k1", ago=timedelta(), **fields):
    tags = {"site": "north", "agent": agent}
    return Point(measurement, tags, fields or {"a": 1.0}, epoch_ns(NOW - ago))


BOUND = "dropped because it violates a Retention Policy Lower Bound at 2026-10-23T09:27:49Z"


def test_version_3_is_written_where_a_slash_is_taken_and_lines_are_named():
    answers = {"/write": [(400, partial(2))]}
    with scripted(version=V3, answers=answers) as script, store_at(script) as store:
        bad = point(a=1)
        report = store.write([point(a=1.5), bad, point(a=2.5)])
        assert report.refused == [(bad, CONFLICT)]
        assert report.written == 2
        (asked,) = script.requests("/write")
        assert asked.query == {"db": "wellbeing", "rp": "derived", "precision": "ns"}
        assert asked.authorization == "Token secret"


def test_version_3_names_a_hundred_lines_at_most_so_the_others_are_told_again():
    answers = {"/write": [(400, partial(*range(1, 101))), (400, partial(1))]}
    with scripted(version=V3, answers=answers) as script, store_at(script) as store:
        points = [point(a=float(n)) for n in range(150)]
        report = store.write(points)
        assert script.sent("/write") == [150, 50]
        assert [p for p, _ in report.refused] == points[:101]


def test_version_3_refuses_what_would_be_a_column_too_many():
    reason = "Update to schema would exceed number of columns per table limit of 500 columns"
    answers = {"/write": [(422, partial(2, reason=reason))]}
    with scripted(version=V3, answers=answers) as script, store_at(script) as store:
        points = [point(a=1.5), point(b=1.5)]
        assert store.write(points).refused == [(points[1], reason)]


def test_version_3_that_takes_all_or_nothing_is_searched():
    """So it answers behind something that adds accept_partial=false: one line, not a list."""
    refused = {"original_line": "x", "line_number": 1, "error_message": CONFLICT}
    said = json.dumps({"error": "line protocol parsing error", "data": refused})
    answers = {"/write": [(400, said), (204, ""), (400, said)]}
    with scripted(version=V3, answers=answers) as script, store_at(script) as store:
        points = [point(a=1.5), point(a=2.5)]
        report = store.write(points)
        assert script.sent("/write") == [2, 1, 1]
        assert [p for p, _ in report.refused] == [points[1]]


def test_version_3_core_with_five_databases_takes_no_sixth():
    said = '{"error":"Adding a new database would exceed limit of 5 databases","data":null}'
    with (
        scripted(version=V3, answers={"/write": [(422, said), ...]}) as script,
        store_at(script) as store,
        pytest.raises(StoreError, match="keeps five: delete some"),
    ):
        store.write([point(a=1.5), point(a=2.5)])


@pytest.mark.parametrize("no_tag", ["null", '""'])  # older and newer ones
def test_version_3_is_asked_with_the_database_beside_the_statement(no_tag):
    """Its versions disagree on names inside a statement; all take them beside it."""
    rows = (
        '{"results":[{"statement_id":0,"series":[{"name":"score","tags":{"agent":"k1",'
        f'"site":"north","source":{no_tag}}},"columns":["time","a"],"values":[[1,5.0]]}}]}}]}}\r\n'
    )
    kinds = (
        '{"results":[{"statement_id":0,"series":[{"name":"score","columns":["fieldKey",'
        '"fieldType"],"values":[["a","float"]]}]}]}\r\n'
    )
    answers = {"/query": [(200, rows), (200, kinds)]}
    with scripted(version=V3, answers=answers) as script, store_at(script) as store:
        (row,) = store.read(Query(measurement=Measurement.SCORE, site="north"))
        assert (row.time_ns, row.tags, row.fields) == (
            1,
            {"agent": "k1", "site": "north"},
            {"a": 5.0},
        )
        assert type(row.fields["a"]) is float
        read, types = (asked.form for asked in script.requests("/query"))
        assert 'FROM "score" WHERE' in read["q"]
        assert types["q"] == 'SHOW FIELD KEYS FROM "score"'
        for form in (read, types):
            assert form["db"] == "wellbeing/derived"
            assert "rp" not in form
            assert form["epoch"] == "ns"


@pytest.mark.parametrize(
    "series",
    ['[{"name":"score","columns":["time","count"],"values":[[0,null]]}]', "[]"],
    ids=["null", "none"],
)
def test_version_3_that_counts_nothing_may_say_so_in_its_own_way(series):
    found = (200, f'{{"results":[{{"statement_id":0,"series":{series}}}]}}\r\n')
    with (
        scripted(version=V3, answers={"/query": [found]}) as script,
        store_at(script) as store,
    ):
        assert store.count(Query(measurement=Measurement.SCORE, site="n", fields=("a",))) == 0


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (404, '{"error":"query error: database not found: wellbeing/derived","data":null}'),
        (
            200,
            (
                '{"results":[{"statement_id":0,"error":"datafusion error: Error during planning:'
                ' database not found: wellbeing/derived"}]}'
            ),
        ),
    ],
    ids=["3.0", "3.12"],
)
def test_version_3_without_the_database_says_how_to_make_it(status, said):
    with (
        scripted(version=V3, answers={"/query": [(status, said)]}) as script,
        store_at(script) as store,
        pytest.raises(StoreError, match=r"database not found.*; run: wellbeing store init"),
    ):
        store.read(Query(measurement=Measurement.SCORE, site="north"))


def test_version_3_answers_the_short_check_too():
    answers = {"/query": [(200, '{"results":[{}]}'), ...]}
    with scripted(version=V3, answers=answers) as script, store_at(script) as store:
        assert f"InfluxDB {V3}" in store.check()
        asked = [(a.form["db"], '"wellbeing"' in a.form["q"]) for a in script.requests("/query")]
        assert asked == [("wellbeing/raw", False), ("wellbeing/derived", False)]


def test_version_3_cannot_erase_and_says_so():
    with (
        scripted(version=V3) as script,
        store_at(script) as store,
        pytest.raises(CannotEraseError, match="deletes no points; copy everybody else"),
    ):
        store.erase("north", "k1")
