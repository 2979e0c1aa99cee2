"""``store init`` and ``store check`` on a real server."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

import wellbeing
from analytics.store.findings import ROLES, Level
from analytics.store.influx import InfluxStore
from analytics.store.points import Measurement, Point, epoch_ns
from analytics.store.settings import StoreSettings
from sensors.errors import StoreError
from tests.analytics.store.conftest import guarded_influxd
from tests.analytics.store.scripted import findings, wrong
from tests.rig import Influxd
from tests.rig.influx import ON_A_SERVER, fresh_name, given

NOW = datetime.now(UTC)


def point(**fields):
    return Point(Measurement.SCORE, {"site": "north", "agent": "k1"}, fields, epoch_ns(NOW))


# --- a real server of version 1 that asks who one is


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """Return settings of the administrator of a server with accounts, databases made."""
    with guarded_influxd(tmp_path_factory.mktemp("guarded")) as admin:
        store = InfluxStore(admin)
        store.prepare()
        store.close()
        yield admin


@pytest.fixture
def opened():
    """Return a function that opens a store which the test need not close."""
    stores = []

    def open_(settings):
        stores.append(InfluxStore(settings))
        return stores[-1]

    yield open_
    for store in stores:
        store.close()


@pytest.mark.needs("influxd")
class TestVersion1:
    def test_without_an_account_the_check_says_what_to_do(self, guarded, opened):
        found = findings(opened(replace(guarded, username="", password="")))
        assert found["account"].level is Level.WRONG
        assert "set token_file, or username and password_file" in found["account"].line()
        assert list(found)[-1] == "account", "everything else would be refused for that"

    def test_a_wrong_password_is_said_once(self, guarded, opened):
        found = findings(opened(replace(guarded, password="another")))
        assert list(wrong(opened(replace(guarded, password="another")))) == ["account"]
        assert "401" in found["account"].line()
        assert "another" not in found["account"].line()

    def test_before_the_first_administrator_it_says_how_to_make_one(self, tmp_path, opened):
        server = Influxd(tmp_path, http_lines="auth-enabled = true")
        try:
            server.start()
            store = opened(StoreSettings(kind="influxdb", url=server.url))
            found = findings(store)
            assert list(wrong(store)) == ["account"]
            assert "CREATE USER root" in found["account"].line()
            with pytest.raises(StoreError, match=r"create admin user first.*CREATE USER root"):
                store.prepare()
        finally:
            server.stop()

    def test_a_server_that_lets_anybody_in_gets_no_accounts_but_advice(
        self, influx_settings, opened
    ):
        store = opened(influx_settings)
        made, (advice,) = store.accounts()
        assert made == []
        assert "auth-enabled = true" in advice
        found = findings(store)
        assert found["account"].level is Level.WARNING
        assert wrong(store) == {}


@ON_A_SERVER
class TestAnyVersion:
    """On the server that is named, else on a real 1.x."""

    def test_missing_databases_and_other_retention_are_found(self, any_influx_settings, opened):
        missing = wrong(opened(replace(any_influx_settings, database=fresh_name())))
        assert {"writing raw", "writing derived", "reading raw", "reading derived"} <= set(missing)
        assert all("run: wellbeing store init" in found.remedy for found in missing.values())
        if "retention raw" not in findings(opened(any_influx_settings)):
            assert given("USER")  # 2.x tells no retention to a user with a password
            return
        assert {"retention raw", "retention derived"} <= set(missing)
        other = wrong(opened(replace(any_influx_settings, raw_days=7)))
        assert set(other) == {"retention raw"}
        assert "720h0m0s, but 7 d are configured" in other["retention raw"].said

    def test_a_clock_that_is_off_is_found(self, any_influx_settings, opened):
        store = opened(any_influx_settings)
        found = findings(store, datetime.now(UTC) + timedelta(minutes=5))["clock"]
        assert (found.level, found.remedy) == (
            Level.WARNING,
            "let both follow one time server (NTP)",
        )
        assert "behind ours" in found.said

    def test_a_field_of_an_unexpected_type_is_found(self, any_influx_settings, opened):
        store = opened(any_influx_settings)
        store.write([point(evidence=1, own=1.5)])
        found = findings(store)["score.evidence"]
        assert (found.level, found.said) == (Level.WARNING, "is integer, not float")
        assert "set-aside" in found.remedy

    def test_the_check_writes_nothing(self, any_influx_settings, opened):
        store = opened(any_influx_settings)
        list(store.findings(datetime.now(UTC)))
        assert not any(store.field_kinds(measurement) for measurement in Measurement)


def test_nobody_there_is_one_finding_and_code_6(capsys, monkeypatch):
    monkeypatch.setenv("WELLBEING_STORE_KIND", "influxdb")
    monkeypatch.setenv("WELLBEING_STORE_URL", "http://127.0.0.1:1")
    assert wellbeing.main(["store", "check", "--json"]) == 6
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is False
    assert [f["what"] for f in told["findings"]] == ["reachable"]
    assert wellbeing.main(["store", "check"]) == 6
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("XX  reachable")
    assert "is it running, and is [store] url right?" in line


@pytest.mark.needs("influxd")
def test_secrets_are_shown_once_and_logged_nowhere(guarded, capsys, monkeypatch, caplog):
    monkeypatch.setenv("WELLBEING_STORE_KIND", "influxdb")
    monkeypatch.setenv("WELLBEING_STORE_URL", guarded.url)
    monkeypatch.setenv("WELLBEING_STORE_USERNAME", "root")
    monkeypatch.setenv("WELLBEING_STORE_PASSWORD", "r")
    caplog.set_level(0)
    assert wellbeing.main(["store", "init", "--accounts", "--renew", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    secrets = [account["secret"] for account in told["accounts"]]
    assert len(set(secrets)) == len(ROLES)
    assert not any(secret in caplog.text for secret in secrets)
    assert wellbeing.main(["store", "init", "--accounts"]) == 0
    assert not any(secret in capsys.readouterr().out for secret in secrets)
