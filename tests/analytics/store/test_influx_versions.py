"""Version 2 of InfluxDB and what all have in common, by the answers that their documents state.

References
----------
.. [1] InfluxData, "InfluxDB OSS v2 API": /api/v2/write, /api/v2/delete.
"""

import gzip
import json
from datetime import UTC, datetime, timedelta

import pytest

from analytics.store.base import Query
from analytics.store.influx import InfluxStore
from analytics.store.points import Measurement, Point, epoch_ns
from analytics.store.settings import StoreSettings
from sensors.errors import StoreBusyError, StoreError
from tests.analytics.store.scripted import scripted, store_at

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


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


def test_a_server_that_is_something_else():
    answers = {"/ping": [(200, "hello")], "/health": [(200, "<html>")]}
    with (
        scripted(version="", answers=answers) as script,
        store_at(script) as store,
        pytest.raises(StoreError, match="does not say that it is InfluxDB"),
    ):
        store.check()
