"""What only a server does: being away, refusing, speaking three versions."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from analytics.store import influx
from analytics.store.base import Query
from analytics.store.influx import InfluxStore
from analytics.store.points import Measurement, Point, epoch_ns
from analytics.store.settings import StoreSettings, open_store
from sensors.errors import CannotEraseError, ConfigurationError, StoreError
from tests.rig import Influxd, VictoriaMetrics, free_port

NOW = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)
SCORES = Query(measurement=Measurement.SCORE, site="north")


def point(measurement=Measurement.SCORE, agent="k1", ago=timedelta(), **fields):
    tags = {"site": "north", "agent": agent}
    return Point(measurement, tags, fields or {"a": 1.0}, epoch_ns(NOW - ago))


@pytest.fixture
def store(influx_settings):
    opened = InfluxStore(influx_settings)
    yield opened
    opened.close()


# --- a real server of version 1


@pytest.mark.needs("influxd")
class TestVersion1:
    def test_both_databases_get_their_retention(self, influx_settings):
        settings = replace(influx_settings, database=influx_settings.database + "-new")
        store = InfluxStore(settings)
        with pytest.raises(StoreError, match=r"database not found.*run: wellbeing store init"):
            store.check()
        with pytest.raises(StoreError, match=r"404: database not found.*wellbeing store init"):
            store.write([point()])
        assert len(store.prepare()) == 2
        assert store.prepare() == []
        assert _policies(store) == {"raw": "720h0m0s", "derived": "2160h0m0s"}
        store.close()
        changed = InfluxStore(replace(settings, raw_days=7))
        assert changed.prepare() == [
            f'ALTER RETENTION POLICY "raw" ON "{settings.database}" DURATION 7d'
        ]
        assert _policies(changed)["raw"] == "168h0m0s"
        assert "InfluxDB 1." in changed.check()
        changed.close()

    def test_points_lie_where_researchers_are_told(self, store, influx_settings):
        store.write([point(), point(Measurement.BEAT, rr_ms=800.0)])
        name = influx_settings.database
        for statement in (
            f'SELECT a FROM "{name}"."derived"."score"',
            f'SELECT rr_ms FROM "{name}"."raw"."beat"',
        ):
            reply = store._connection.query(statement, "")
            assert '"values"' in reply.body

    def test_what_the_server_drops_for_its_age_is_named_and_the_rest_written(self, store):
        points = [point(ago=timedelta(seconds=n)) for n in range(100)]
        points[3] = point(ago=timedelta(days=400))
        points[77] = point(ago=timedelta(days=401))
        report = store.write(points)
        assert report.written == 98
        assert [p for p, _ in report.refused] != []
        assert {id(p) for p, _ in report.refused} == {id(points[3]), id(points[77])}
        assert all("retention policy" in why for _, why in report.refused)
        assert store.count(SCORES) == 98

    def test_the_same_field_may_have_another_type_on_another_day(self, store):
        """The server keeps types by day: nothing is refused that it would take."""
        store.write([point(a=1, ago=timedelta(days=3))])
        report = store.write(
            [point(a=1.5), point(a=2.5, ago=timedelta(days=3)), point(a=7, ago=timedelta(hours=1))]
        )
        reasons = [(p.fields["a"], why) for p, why in report.refused]
        assert [value for value, _ in reasons] in ([2.5, 7], [7, 2.5], [2.5], [7, 1.5], [1.5, 2.5])
        assert store.count(SCORES) == 1 + report.written

    @pytest.mark.parametrize("compress", [True, False])
    def test_compressed_or_not_it_arrives(self, influx_settings, compress):
        store = InfluxStore(influx_settings, compress=compress)
        assert store.write([point(note="ä" * 1000)]).written == 1
        (row,) = store.read(SCORES)
        assert row.fields == {"note": "ä" * 1000}
        store.close()

    def test_more_points_than_one_request_or_answer_holds(self, store, monkeypatch):
        monkeypatch.setattr(influx, "BATCH", 7)
        monkeypatch.setattr("analytics.store.influx_connection.CHUNK", 3)
        points = [point(ago=timedelta(seconds=n), n=n) for n in range(50)]
        assert store.write(points).written == 50
        assert [r.fields["n"] for r in store.read(SCORES)] == list(range(49, -1, -1))
        assert store.count(SCORES) == 50

    def test_an_erased_pseudonym_has_no_series_any_more(self, store, influx_settings):
        store.write([point(agent="gone"), point(agent="stays")])
        store.erase("north", "gone")
        name = influx_settings.database
        statement = f'SHOW SERIES ON "{name}" FROM "{name}"."derived"."score"'
        body = store._connection.query(statement, influx_settings.database).body
        assert "stays" in body
        assert "gone" not in body


def _policies(store):
    answers = store._query(influx.influxql.show_policies(store._settings.database))
    found = influx.influxql.policies_of(answers)
    return {k: v for k, v in found.items() if k in {"raw", "derived"}}


def test_a_server_that_goes_and_comes_back(influxd):
    store = InfluxStore(StoreSettings(kind="influxdb", url=influxd.url))
    store.prepare()
    store.write([point(n=1)])
    influxd.kill()
    for call in (
        lambda: store.write([point(n=2)]),
        lambda: store.read(SCORES),
        lambda: store.count(SCORES),
        lambda: store.erase("north", "k1"),
        store.prepare,
    ):
        with pytest.raises(StoreError, match=rf"InfluxDB at {influxd.url} .*; is it running"):
            call()
    influxd.start()
    assert store.write([point(n=3, ago=timedelta(seconds=1))]).written == 1
    assert [r.fields["n"] for r in store.read(SCORES)] == [3, 1]
    store.close()


def test_a_server_that_hangs_ends_in_a_line(influxd):
    store = InfluxStore(StoreSettings(kind="influxdb", url=influxd.url, timeout_s=0.3))
    store.prepare()
    influxd.pause()
    try:
        with pytest.raises(StoreError, match=r"did not answer within 0\.3 s"):
            store.write([point()])
        with pytest.raises(StoreError, match=r"did not answer within 0\.3 s"):
            store.read(SCORES)
    finally:
        influxd.resume()
        store.close()


@pytest.mark.needs("influxd")
def test_accounts_and_passwords(tmp_path):
    server = Influxd(tmp_path / "influxd", http_lines="auth-enabled = true")
    try:
        server.start()
        settings = StoreSettings(kind="influxdb", url=server.url)
        first = InfluxStore(settings)
        reply = first._connection.query(
            "CREATE USER admin WITH PASSWORD 'corect horse' WITH ALL PRIVILEGES", ""
        )
        assert reply.ok
        with pytest.raises(StoreError, match=r"401.*check username and password_file") as failed:
            first.write([point()])
        assert "\n" not in str(failed.value)
        first.close()
        wrong = InfluxStore(replace(settings, username="admin", password="wrong-one"))
        with pytest.raises(StoreError, match="401") as failed:
            wrong.prepare()
        assert "wrong-one" not in str(failed.value)
        wrong.close()
        right = InfluxStore(replace(settings, username="admin", password="corect horse"))
        right.prepare()
        assert right.write([point()]).written == 1
        assert right.count(SCORES) == 1
        right.close()
    finally:
        server.stop()


def test_nobody_there():
    store = open_store(StoreSettings(kind="influxdb", url=f"http://127.0.0.1:{free_port()}"))
    with pytest.raises(StoreError, match=r"cannot be reached .*is \[store\] url right"):
        store.check()
    store.close()


def test_a_certificate_authority_that_is_not_there():
    with pytest.raises(ConfigurationError, match=r"ca_file is '/nowhere'"):
        open_store(StoreSettings(kind="influxdb", ca_file="/nowhere"))


# --- version 2's write call, at a real server that takes it


def test_the_write_call_of_version_2(victoria_metrics: VictoriaMetrics):
    settings = StoreSettings(
        kind="influxdb", url=victoria_metrics.url, api="2", token="t", org="floor"
    )
    for compress in (False, True):
        store = InfluxStore(settings, compress=compress)
        agent = "packed" if compress else "plain"
        points = [
            point(agent=agent, ago=timedelta(seconds=n), evidence=n / 4, seq=n) for n in range(5)
        ]
        assert store.write(points).written == 5
        store.close()
        series = victoria_metrics.export(f'{{agent="{agent}"}}')
        found = {s["metric"]["__name__"]: s for s in series}
        assert found.keys() == {"score_evidence", "score_seq"}
        assert found["score_evidence"]["metric"]["site"] == "north"
        assert sorted(found["score_evidence"]["values"]) == [0, 0.25, 0.5, 0.75, 1]
        assert sorted(found["score_evidence"]["timestamps"]) == sorted(
            p.time_ns // 1_000_000 for p in points
        )


# --- versions 2 and 3, by the answers their documents and sources state


@dataclass
class Scripted:
    """A server that notes what it is asked and answers from a script."""

    url: str = ""
    version: str = "v2.7.6"
    answers: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, list[str]], str, str]] = field(default_factory=list)

    def requests(self, path: str) -> list[tuple[dict[str, list[str]], str]]:
        return [(query, body) for p, query, body, _ in self.asked if p == path]


@contextmanager
def scripted(**options) -> Iterator[Scripted]:
    script = Scripted(**options)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self._answer()

        def do_POST(self):
            self._answer()

        def _answer(self):
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            authorization = self.headers.get("Authorization", "")
            script.asked.append((parts.path, parse_qs(parts.query), body.decode(), authorization))
            planned = script.answers.get(parts.path)
            status, text = planned.pop(0) if planned else (204, "")
            self.send_response(status)
            self.send_header("X-Influxdb-Version", script.version)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        script.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield script
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def store_at(script: Scripted, **options) -> Iterator[InfluxStore]:
    given = {"token": "secret", "org": "floor"} | options
    store = InfluxStore(StoreSettings(kind="influxdb", url=script.url, **given))
    try:
        yield store
    finally:
        store.close()


def test_version_2_is_written_by_bucket_with_a_token():
    with scripted() as script, store_at(script) as store:
        assert store.write([point(), point(Measurement.BEAT)]).written == 2
        assert [q for q, _ in script.requests("/api/v2/write")] == [
            {"bucket": [f"wellbeing/{d}"], "org": ["floor"], "precision": ["ns"]}
            for d in ("raw", "derived")
        ]
        assert {a for _, _, _, a in script.asked} == {"Token secret"}


def test_version_2_with_a_password_is_written_by_the_endpoint_that_takes_one():
    with scripted() as script, store_at(script, token="", username="u", password="p") as store:
        store.write([point()])
        ((query, _),) = script.requests("/write")
        assert query == {"db": ["wellbeing"], "rp": ["derived"], "precision": ["ns"]}
        assert script.asked[-1][3] == "Basic dTpw"


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
        sent = [body for _, body in script.requests("/api/v2/write")]
        assert [body.count("\n") + 1 for body in sent] == [3, 2, 1]


def test_version_3_names_the_lines_it_dropped():
    said = (
        '{"error":"partial write of line protocol occurred","data":[{"original_line":"x",'
        '"line_number":2,"error_message":"invalid column type for column \'a\'"}]}'
    )
    answers = {"/api/v2/write": [(400, said)]}
    with scripted(version="3.4.1", answers=answers) as script, store_at(script) as store:
        bad = point(a=1)
        report = store.write([point(a=1.5), bad, point(a=2.5)])
        assert report.refused == [(bad, "invalid column type for column 'a'")]
        assert report.written == 2


def test_too_large_a_request_is_cut_in_two():
    answers = {"/api/v2/write": [(413, '{"error":"too large"}')]}
    with scripted(answers=answers) as script, store_at(script) as store:
        assert store.write([point(n=n) for n in range(5)]).written == 5
        sent = [body.count("\n") + 1 for _, body in script.requests("/api/v2/write")]
        assert sent == [5, 3, 2]


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


def test_a_missing_bucket_is_said_and_how_to_make_it():
    answers = {"/api/v2/write": [(404, '{"code":"not found","message":"bucket not found"}')]}
    with scripted(answers=answers) as script, store_at(script) as store:
        with pytest.raises(StoreError, match=r"bucket not found; run: wellbeing store init"):
            store.write([point()])
        assert store.prepare() == [
            "run: influx bucket create --org 'floor' --name wellbeing/raw --retention 30d",
            "run: influx bucket create --org 'floor' --name wellbeing/derived --retention 90d",
        ]


def test_erasing_on_version_2_deletes_by_tags_in_both_buckets():
    with scripted() as script, store_at(script) as store:
        store.erase("north", 'k"1')
        deleted = script.requests("/api/v2/delete")
        assert [q["bucket"] for q, _ in deleted] == [["wellbeing/raw"], ["wellbeing/derived"]]
        assert all(r"site=\"north\" AND agent=\"k\\\"1\"" in body for _, body in deleted)


def test_erasing_on_version_2_until_a_time_stops_there():
    with scripted() as script, store_at(script) as store:
        store.erase("north", "k1", datetime(2026, 3, 1, 12, tzinfo=UTC))
        bodies = [body for _, body in script.requests("/api/v2/delete")]
        assert len(bodies) == 2
        assert all('"stop": "2026-03-01T12:00:00' in body for body in bodies)


def test_version_3_cannot_erase_and_says_so():
    with (
        scripted(version="3.4.1") as script,
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
