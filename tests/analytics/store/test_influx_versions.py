"""Versions 2 and 3 of InfluxDB, by the answers that their documents and sources state.

References
----------
.. [1] InfluxData, "InfluxDB OSS v2 API": /api/v2/write, /api/v2/delete.
.. [2] InfluxData, "InfluxDB 3 Core API" and its sources, ``influxdb3_server/src/http.rs`` and
   ``iox_v1_query_api``: a name with a slash is taken by ``/write`` in every version, and errors
   of a statement come with status 200 since its ``/query`` is that of the latter.
"""

import gzip
import json
from datetime import UTC, datetime, timedelta

import pytest

from analytics.store.base import Query
from analytics.store.influx import InfluxStore
from analytics.store.points import Measurement, Point, epoch_ns
from analytics.store.settings import StoreSettings
from sensors.errors import CannotEraseError, StoreBusyError, StoreError
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


def test_version_2_is_written_by_bucket_with_a_token():
    with scripted() as script, store_at(script) as store:
        assert store.write([point(), point(Measurement.BEAT)]).written == 2
        asked = sorted(script.requests("/api/v2/write"), key=lambda one: one.query["bucket"])
        assert [one.query for one in asked] == [
            {"bucket": f"wellbeing/{d}", "org": "floor", "precision": "ns"}
            for d in ("derived", "raw")
        ]
        assert {asked.authorization for asked in script.asked} == {"Token secret"}


@pytest.mark.parametrize("version", ["1.8.10", "v2.7.6"])
def test_what_is_sent_is_compressed_as_fast_as_can_be(version, monkeypatch):
    """As hard as can be costs ten times as long: more than the whole rest of a write."""
    levels, really = [], gzip.compress

    def compress(data, compresslevel=9, **options):
        levels.append(compresslevel)
        return really(data, compresslevel, **options)

    monkeypatch.setattr(gzip, "compress", compress)
    with scripted(version=version) as script:
        settings = StoreSettings(kind="influxdb", url=script.url, token="secret", org="floor")
        store = InfluxStore(settings, compress=True)
        assert store.write([point()]).written == 1
        store.close()
        assert script.asked[-1].body.startswith("score,agent=k1,site=north a=1.0 ")
    assert levels == [1]


@pytest.mark.parametrize(
    "refusal",
    [
        pytest.param((400, '{"message": "partial write: a dog ate it dropped=1"}'), id="partial"),
        pytest.param((413, "too large"), id="large"),
    ],
)
def test_of_a_refused_batch_the_earlier_half_is_told_first(refusal):
    """A summary told anew in the later half would else end as it was told first."""
    answers = {"POST /api/v2/write": [refusal, (204, ""), (204, "")]}
    with scripted(answers=answers) as script, store_at(script) as store:
        store.write([point(Measurement.SUMMARY, n=n) for n in range(4)])
        told = [one.body for one in script.requests("/api/v2/write")]
    assert [[f"n={n}i" in body for n in range(4)] for body in told[1:]] == [
        [True, True, False, False],
        [False, False, True, True],
    ]


def test_version_2_with_a_password_is_written_by_the_endpoint_that_takes_one():
    with scripted() as script, store_at(script, token="", username="u", password="p") as store:
        store.write([point()])
        (asked,) = script.requests("/write")
        assert asked.query == {"db": "wellbeing", "rp": "derived", "precision": "ns"}
        assert asked.authorization == "Basic dTpw"


def test_version_2_says_that_some_points_were_dropped():
    said = (
        '{"code":"unprocessable entity","message":"failure writing points to database: partial'
        ' write: field type conflict: input field \\"a\\" on measurement \\"score\\" is type'
        ' integer, already exists as type float dropped=1"}'
    )
    answers = {"/api/v2/write": [(422, said), (204, ""), (422, said)]}
    with scripted(answers=answers) as script, store_at(script) as store:
        bad = point(a=1)
        report = store.write([point(a=1.5), bad, point(a=2.5)])
        assert [p for p, _ in report.refused] == [bad]
        assert "field type conflict" in report.refused[0][1]
        assert script.sent() == [3, 2, 1]


BOUND = "dropped because it violates a Retention Policy Lower Bound at 2026-10-23T09:27:49Z"


@pytest.mark.parametrize(
    ("status", "said", "kept"),
    [
        pytest.param(
            422,
            "failure writing points to database: partial write: dropped 2 points outside"
            " retention policy of duration 720h0m0s - oldest point score,agent=k7,site=north at"
            f" 2023-11-14T22:13:20Z {BOUND}, newest point score,agent=k8,site=north at"
            f" 2024-03-09T16:00:00Z {BOUND} dropped=2 for database: 34 for retention policy: autogen",
            "dropped 2 points outside retention policy of duration 720h0m0s",
            id="dropped for their age",
        ),
        pytest.param(
            400,
            "unable to parse 'score,agent=k7,site=north a=': missing field value",
            "unable to parse a line: missing field value",
            id="a line it cannot read",
        ),
        pytest.param(
            400,
            "partial write: max-values-per-tag limit exceeded (100000/100000):"
            ' measurement="score" tag="agent" value="k7" dropped=2',
            'limit exceeded (100000/100000): measurement="score" tag="agent"',
            id="a value too many",
        ),
    ],
)
def test_version_2_quotes_people_in_its_reasons_and_we_do_not_keep_that(status, said, kept):
    """Kept with another's points, a pseudonym would outlive its erasure (as a 2.7 answers)."""
    answers = {"/api/v2/write": [(status, json.dumps({"message": said})), ...]}
    with scripted(answers=answers) as script, store_at(script) as store:
        points = [point(agent=agent) for agent in ("k7", "k8")]
        report = store.write(points)
        assert {p.tags["agent"] for p, _ in report.refused} == {"k7", "k8"}
        for _, reason in report.refused:
            assert kept in reason
            assert "k7" not in reason
            assert "k8" not in reason


@pytest.mark.parametrize("status", [400, 422])
def test_words_we_do_not_know_are_about_points_if_others_are_taken(status):
    """Else one point that a future server dislikes would hold up everything behind it."""
    answers = {
        "/api/v2/write": [
            (status, "no such thing"),  # all three
            (204, ""),  # the first alone: so it is about points
            (204, ""),  # the first half
            (status, "no such thing"),  # the others
            (204, ""),
            (status, "no such thing"),  # the bad one
        ]
    }
    with scripted(answers=answers) as script, store_at(script) as store:
        points = [point(a=float(n)) for n in range(3)]
        report = store.write(points)
        assert [p for p, _ in report.refused] == [points[2]]
        assert report.refused[0][1] == "no such thing"
        assert script.sent() == [3, 1, 1, 2, 1, 1]


def test_words_we_do_not_know_about_every_point_are_the_operators_business():
    answers = {"/api/v2/write": [(400, "bucket name is silly"), ...]}
    with (
        scripted(answers=answers) as script,
        store_at(script) as store,
        pytest.raises(StoreError, match="answered 400: bucket name is silly"),
    ):
        store.write([point(a=1.0), point(a=2.0)])


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


def test_version_2_is_asked_with_database_and_policy():
    with scripted(answers={"/query": [(200, '{"results":[{}]}'), ...]}) as script:
        with store_at(script) as store:
            store.read(Query(measurement=Measurement.BEAT, site="north"))
        form = script.requests("/query")[0].form
        assert (form["db"], form["rp"]) == ("wellbeing", "raw")
        assert 'FROM "wellbeing"."raw"."beat"' in form["q"]


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (413, '{"error":"too large"}'),
        (500, "max request size (10485760 bytes) exceeded"),  # version 3: --max-http-request-size
    ],
)
def test_too_large_a_request_is_cut_in_two(status, said):
    answers = {"/api/v2/write": [(status, said)]}
    with scripted(answers=answers) as script, store_at(script) as store:
        assert store.write([point(n=n) for n in range(5)]).written == 5
        assert script.sent() == [5, 2, 3]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_overloaded_server_is_not_the_points_fault(status):
    answers = {"/api/v2/write": [(status, '{"code":"x","message":"queue is full"}')]}
    with (
        scripted(answers=answers) as script,
        store_at(script) as store,
        pytest.raises(StoreError, match=rf"answered {status}: queue is full") as failed,
    ):
        store.write([point()])
    assert "secret" not in str(failed.value)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("write /var/lib: no space left on device", "no space left on device"),
        ("timeout while writing score,agent=k17: engine: Timeout", "timeout"),
        ("panic at agent k17, value 812", "for a reason that stands in its own log"),
    ],
)
def test_of_a_failure_of_its_own_only_known_words_are_shown(said, shown):
    answers = {"/api/v2/write": [(500, json.dumps({"error": said}))]}
    with (
        scripted(answers=answers) as script,
        store_at(script) as store,
        pytest.raises(StoreError, match=rf"answered 500: {shown};"),
    ):
        store.write([point()])


@pytest.mark.parametrize(
    ("headers", "asked_s"),
    [
        pytest.param({"Retry-After": "7"}, 7.0, id="seconds"),
        pytest.param(
            {
                "retry-after": "Sat, 21 Nov 2026 12:00:30 GMT",
                "Date": "Sat, 21 Nov 2026 12:00:00 GMT",
            },
            30.0,
            id="a time by the server's clock",
        ),
        pytest.param({"Retry-After": "soon"}, None, id="nonsense"),
        pytest.param({}, None, id="nothing"),
    ],
)
def test_a_server_that_asks_for_patience_is_heard(headers, asked_s):
    answers = {"/api/v2/write": [(429, "busy", headers)]}
    with (
        scripted(answers=answers) as script,
        store_at(script) as store,
        pytest.raises(StoreBusyError) as busy,
    ):
        store.write([point()])
    assert busy.value.retry_after_s == asked_s


def test_a_missing_bucket_is_said_and_how_to_make_it():
    answers = {"/api/v2/write": [(404, '{"code":"not found","message":"bucket not found"}')]}
    with (
        scripted(answers=answers) as script,
        store_at(script) as store,
        pytest.raises(StoreError, match=r"bucket not found; run: wellbeing store init"),
    ):
        store.write([point()])


def test_erasing_on_version_2_deletes_by_tags_in_both_buckets():
    with scripted() as script, store_at(script) as store:
        store.erase("north", 'k"1')
        deleted = script.requests("/api/v2/delete")
        assert [asked.query["bucket"] for asked in deleted] == [
            "wellbeing/raw",
            "wellbeing/derived",
        ]
        said = 'site="north" AND agent="k\\"1"'
        assert {asked.json["predicate"] for asked in deleted} == {said}


def test_erasing_on_version_2_until_a_time_stops_there():
    with scripted() as script, store_at(script) as store:
        store.erase("north", "k1", datetime(2026, 3, 1, 12, tzinfo=UTC))
        deleted = script.requests("/api/v2/delete")
        assert len(deleted) == 2
        # The server deletes the end of the range, too.
        assert {a.json["stop"] for a in deleted} == {"2026-03-01T11:59:59.999999999Z"}


def test_version_3_cannot_erase_and_says_so():
    with (
        scripted(version=V3) as script,
        store_at(script) as store,
        pytest.raises(CannotEraseError, match="deletes no points; copy everybody else"),
    ):
        store.erase("north", "k1")


def test_a_server_that_is_something_else():
    answers = {"/ping": [(200, "hello")], "/health": [(200, "<html>")]}
    with (
        scripted(version="", answers=answers) as script,
        store_at(script) as store,
        pytest.raises(StoreError, match="does not say that it is InfluxDB"),
    ):
        store.check()
