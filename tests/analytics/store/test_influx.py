"""What only a server does: being away, refusing, speaking three versions."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from analytics.store import influx, influx_writing
from analytics.store.base import Query
from analytics.store.influx import InfluxStore
from analytics.store.opening import open_store
from analytics.store.points import KEY, Measurement, Point, epoch_ns
from analytics.store.settings import StoreSettings
from sensors.errors import CannotEraseError, ConfigurationError, StoreError
from tests.rig import Influxd, VictoriaMetrics, free_port
from tests.rig.influx import ON_A_SERVER

NOW = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)
SCORES = Query(measurement=Measurement.SCORE, site="north")


def point(measurement=Measurement.SCORE, agent="k1", ago=timedelta(), **fields):
    tags = {"site": "north", "agent": agent}
    return Point(measurement, tags, fields or {"a": 1.0}, epoch_ns(NOW - ago))


@pytest.fixture
def store(any_influx_settings):
    opened = InfluxStore(any_influx_settings)
    yield opened
    opened.close()


# --- a real server: the one that is named, else of version 1


@ON_A_SERVER
class TestAnyVersion:
    def test_what_the_server_drops_for_its_age_is_named_and_the_rest_written(self, store):
        points = [point(ago=timedelta(seconds=n)) for n in range(100)]
        points[3] = point(ago=timedelta(days=400))
        points[77] = point(ago=timedelta(days=401))
        report = store.write(points)
        if store.is_version("3"):  # takes them, and they go with what else has ended
            assert report.refused == []
            return
        assert report.written == 98
        assert {id(p) for p, _ in report.refused} == {id(points[3]), id(points[77])}
        assert all("retention policy" in why for _, why in report.refused)
        assert store.count(SCORES) == 98

    def test_the_same_field_may_have_another_type_on_another_day(self, store):
        """1.x and 2.x keep types by day, 3.x for ever: nothing is refused that it would take."""
        store.write([point(a=1, ago=timedelta(days=3))])
        report = store.write(
            [point(a=1.5), point(a=2.5, ago=timedelta(days=3)), point(a=7, ago=timedelta(hours=1))]
        )
        values = sorted(p.fields["a"] for p, _ in report.refused)
        # Which of the two types of one day came first is the server's business.
        by_day = ([2.5, 7], [2.5], [1.5, 7], [1.5, 2.5])
        assert values in ([[1.5, 2.5]] if store.is_version("3") else by_day)
        assert store.count(SCORES) == 1 + report.written

    @pytest.mark.parametrize("compress", [True, False])
    def test_compressed_or_not_it_arrives(self, any_influx_settings, compress):
        store = InfluxStore(any_influx_settings, compress=compress)
        assert store.write([point(note="ä" * 1000)]).written == 1
        (row,) = store.read(SCORES)
        assert row.fields == {"note": "ä" * 1000}
        store.close()

    def test_more_points_than_one_request_or_answer_holds(self, store, monkeypatch):
        monkeypatch.setattr(influx_writing, "BATCH", 7)
        monkeypatch.setattr(influx_writing, "FIRST_BATCH", 3)
        monkeypatch.setattr("analytics.store.influx_connection.CHUNK", 3)
        points = [point(ago=timedelta(seconds=n), n=n) for n in range(50)]
        assert store.write(points).written == 50
        assert [r.fields["n"] for r in store.read(SCORES)] == list(range(49, -1, -1))
        assert store.count(SCORES) == 50

    def test_sites_are_found_however_long_ago_something_came(self, store):
        for site, days in (("north", 0), ("south", 20)):
            at = epoch_ns(NOW - timedelta(days=days))
            for measurement, key in KEY.items():
                store.write([Point(measurement, {"site": site, "agent": "k"}, {key: "1"}, at)])
        for measurement in Measurement:
            assert store.sites(measurement) == ["north", "south"]
            oldest = epoch_ns(NOW - timedelta(days=20))
            assert store.oldest_ns(measurement, "south") == oldest

    def test_a_thousand_names_are_asked_for_at_once(self, store):
        store.write([point(agent=f"k-{n}.{n}") for n in range(40)])
        asked = replace(SCORES, agents=tuple(f"k-{n}.{n}" for n in range(5, 1_000)))
        assert {row.tags["agent"] for row in store.read(asked)} == {
            f"k-{n}.{n}" for n in range(5, 40)
        }

    def test_an_erased_pseudonym_has_no_series_any_more(self, store, any_influx_settings):
        store.write([point(agent="gone"), point(agent="stays")])
        if store.is_version("3"):
            with pytest.raises(CannotEraseError, match="version 3, which deletes no points"):
                store.erase("north", "gone")
            return
        if store._settings.username and store.is_version("2"):
            return  # it erases for tokens only: tried in the contract
        store.erase("north", "gone")
        name = any_influx_settings.database
        statement = f'SHOW SERIES ON "{name}" FROM "{name}"."derived"."score"'
        body = store._connection.query(statement, name, "derived").body
        assert "stays" in body
        assert "gone" not in body


@pytest.mark.needs("influxd")
class TestVersion1:
    @pytest.fixture
    def store(self, influx_settings):
        opened = InfluxStore(influx_settings)
        yield opened
        opened.close()

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


def _policies(store):
    answers = store.run(influx.influxql.show_policies(store._settings.database))
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
