"""``store init`` and ``store check`` on version 3, by the answers that its sources state.

References
----------
.. [1] influxdata/influxdb: influxdb3_server/src/http.rs, influxdb3/tests/cli/db_retention.rs.
"""

import json
from datetime import UTC, datetime

import pytest

from analytics.store.points import Database
from sensors.errors import StoreError
from tests.analytics.store.scripted import scripted, store_at, wrong

SQL = "GET /api/v3/query_sql"
DATABASE = "/api/v3/configure/database"
NO_SLASH = (
    400,
    (
        '{"error":"invalid character in database name: must be ASCII, containing only letters,'
        ' numbers, underscores, or hyphens","data":null}'
    ),
)


def kept(**days):
    """Answer what ``influxdb3 show retention`` asks; what has no end has no such key."""
    rows = [{"database_name": "_internal"}]
    rows += [
        {"database_name": f"wellbeing/{policy}"}
        | ({"retention_period_ns": kept_days * 86_400 * 10**9} if kept_days else {})
        for policy, kept_days in days.items()
    ]
    return (200, json.dumps(rows))


def test_version_3_gets_databases_with_their_retention():
    answers = {
        SQL: [kept(), kept(raw=30), kept(raw=30, derived=90)],
        f"POST {DATABASE}": [(200, ""), ...],
    }
    with scripted(version="3.12.0", answers=answers) as script, store_at(script) as store:
        assert store.prepare() == [
            "created database wellbeing/raw, kept 30 d",
            "created database wellbeing/derived, kept 90 d",
        ]
        assert {asked.query["db"] for asked in script.requests("/api/v3/query_sql")} == {
            "_internal"
        }
        assert [a.json for a in script.requests(DATABASE, "POST")] == [
            {"db": "wellbeing/raw", "retention_period": "30d"},
            {"db": "wellbeing/derived", "retention_period": "90d"},
        ]
        assert not script.requests(DATABASE, "PUT")
        assert not script.requests("/write")


def test_version_3_gets_databases_though_its_call_refuses_their_names():
    answers = {
        SQL: [kept(), kept(raw=0), kept(raw=0, derived=0)],
        f"POST {DATABASE}": [NO_SLASH, ...],
    }
    with scripted(version="3.2.1", answers=answers) as script, store_at(script) as store:
        assert store.prepare() == [
            "created database wellbeing/raw",
            "database wellbeing/raw is kept 30 d",
            "created database wellbeing/derived",
            "database wellbeing/derived is kept 90 d",
        ]
        assert [a.query["rp"] for a in script.requests("/write")] == ["raw", "derived"]
        removed = script.requests("/api/v3/configure/table", "DELETE")
        assert [a.query["db"] for a in removed] == ["wellbeing/raw", "wellbeing/derived"]
        assert [a.json["retention_period"] for a in script.requests(DATABASE, "PUT")] == [
            "30d",
            "90d",
        ]


def test_version_3_again_does_nothing():
    answers = {SQL: [kept(raw=30, derived=90)]}
    with scripted(version="3.4.1", answers=answers) as script, store_at(script) as store:
        assert store.prepare() == []


def test_version_3_that_cannot_set_a_retention_says_the_command():
    """Before 3.2 there is none; the documents of Core say that it is set at creation only."""
    unknown = (400, "Error during planning: table 'public.system.databases' not found")
    answers = {
        SQL: [unknown, ...],
        f"GET {DATABASE}": [(200, '[{"iox::database":"wellbeing/raw"}]'), ...],
        f"PUT {DATABASE}": [(404, "not found"), ...],
    }
    with scripted(version="3.0.1", answers=answers) as script, store_at(script) as store:
        first, made, second = store.prepare()
        assert made == "created database wellbeing/derived"
        for said, name, days in ((first, "raw", 30), (second, "derived", 90)):
            update = (
                f"influxdb3 update database --database wellbeing/{name} --retention-period {days}d"
            )
            assert update in said
            assert f"influxdb3 delete database wellbeing/{name}, then this again" in said


def test_version_3_core_keeps_five_databases():
    full = (422, '{"error":"Adding a new database would exceed limit of 5 databases","data":null}')
    answers = {SQL: [kept()], f"POST {DATABASE}": [full], "/write": [full]}
    with (
        scripted(version="3.4.1", answers=answers) as script,
        store_at(script) as store,
        pytest.raises(StoreError, match="keeps five: delete some, wellbeing wants two"),
    ):
        store.prepare()


def test_version_3_has_no_accounts_with_less_than_everything():
    with scripted(version="3.4.1") as script, store_at(script) as store:
        made, told = store.accounts()
        assert made == []
        assert "may do everything" in told[0]
        assert "db:wellbeing/raw,wellbeing/derived:read" in told[1]


def test_version_3_is_checked_by_its_own_words():
    answers = {
        SQL: [kept(raw=30, derived=0), kept(raw=30)],
        "/query": [(200, '{"results":[{"statement_id":0}]}'), ...],
    }
    with scripted(version="3.4.1", answers=answers) as script, store_at(script) as store:
        found = wrong(store)
        assert set(found) == {"retention derived"}
        assert "for ever, but 90 d are configured" in found["retention derived"].said
        asked = script.requests("/query")
        assert all("time >= " in a.form["q"] for a in asked if a.form["q"].startswith("SELECT"))
        missing = wrong(store)
        assert set(missing) == {"retention derived", "writing derived"}
        assert missing["writing derived"].line().endswith("run: wellbeing store init")
        assert set(Database) == {"raw", "derived"}


def test_version_3_that_knows_no_such_token_says_so():
    answers = {"/ping": [(401, ""), ...]}
    with scripted(version="3.4.1", answers=answers) as script, store_at(script) as store:
        (found,) = store.findings(datetime.now(UTC))
        assert found.what == "reachable"
        assert "401" in found.said
        assert "token_file" in found.remedy
