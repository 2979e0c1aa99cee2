"""Accounts with the least rights, on a real server: nobody may do more than their work."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from analytics.store.base import Query
from analytics.store.findings import ROLES, Level
from analytics.store.influx import InfluxStore
from analytics.store.points import Measurement, Point, epoch_ns
from analytics.store.settings import StoreSettings
from sensors.errors import StoreError
from tests.analytics.store.conftest import guarded_influxd
from tests.rig.influx import ON_A_SERVER, drop_databases, fresh_name, given, given_settings

pytestmark = ON_A_SERVER
SCORES = Query(measurement=Measurement.SCORE, site="north")


@pytest.fixture(scope="module")
def administrator(tmp_path_factory) -> Iterator[StoreSettings]:
    """Return the administrator of the server given, else of a 1.x that asks who one is."""
    if given("URL"):
        yield given_settings()
        return
    with guarded_influxd(tmp_path_factory.mktemp("rights")) as settings:
        yield settings


@pytest.fixture
def admin(administrator) -> Iterator[InfluxStore]:
    """Return the administrator's store of databases and accounts of this test's own."""
    store = InfluxStore(replace(administrator, database=fresh_name()))
    try:
        store.prepare()
        yield store
    finally:
        drop_accounts(store)
        drop_databases(store)
        store.close()


def drop_accounts(store):
    name, call = store._settings.database, store._connection.call_json
    if store.is_version("1"):
        for role in ROLES:
            store._connection.query(f'DROP USER "{name}_{role}"', "")
    elif store.is_version("2"):
        found = json.loads(call("GET", "/api/v2/authorizations", {}).body)["authorizations"]
        for one in found:
            if str(one.get("description")).startswith(f"{name} "):
                call("DELETE", f"/api/v2/authorizations/{one['id']}", {})


@pytest.fixture
def roles(admin) -> Iterator[dict[str, InfluxStore]]:
    """Return the store as each new account sees it."""
    if admin.is_version("3"):
        pytest.skip("InfluxDB 3 Core has no account that may do less than everything")
    made, told = admin.accounts()
    assert ([account.role for account in made], told) == (list(ROLES), [])
    assert not any(account.secret in repr(made) for account in made)
    stores = {account.role: as_role(admin, account) for account in made}
    yield stores
    for store in stores.values():
        store.close()


def as_role(admin, account, **changed):
    if account.username:
        account_of = {"username": account.username, "password": account.secret}
    else:
        account_of = {"token": account.secret, "username": "", "password": ""}
    return InfluxStore(replace(admin._settings, **account_of, **changed))


def point(**fields):
    now = epoch_ns(datetime.now(UTC))
    return Point(Measurement.SCORE, {"site": "north", "agent": "k1"}, fields, now)


def test_an_administrators_account_is_more_than_the_server_process_needs(admin, roles):
    def doubted(store):
        found = {f.what: f for f in store.findings(datetime.now(UTC))}
        return found["rights"].line() if "rights" in found else ""

    assert doubted(admin).startswith("!!  rights")
    assert "this account may do everything" in doubted(admin)
    assert not any(doubted(store) for store in roles.values())


def wrong(store):
    return {f.what for f in store.findings(datetime.now(UTC)) if f.level is Level.WRONG}


def test_the_writer_does_all_that_the_server_process_does(roles):
    writer = roles["writer"]
    assert writer.write([point(seq=1)]).written == 1
    assert writer.count(SCORES) == 1
    assert wrong(writer) == set()
    assert writer.erase("north", "k1") == 1
    assert writer.count(SCORES) == 0


@pytest.mark.parametrize("role", ["dashboard", "researcher"])
def test_who_reads_may_not_write_nor_erase(admin, roles, role):
    admin.write([point(seq=1)])
    reader = roles[role]
    assert [row.fields for row in reader.read(SCORES)] == [{"seq": 1}]
    assert wrong(reader) == {"writing raw", "writing derived"}
    with pytest.raises(StoreError, match=r"403.*check username and password_file"):
        reader.write([point(seq=2)])
    with pytest.raises(StoreError, match=r"not authorized|403"):
        reader.erase("north", "k1")
    for statement in ('DROP MEASUREMENT "score"', 'DELETE FROM "score"'):
        with pytest.raises(StoreError):
            reader.run(statement, "derived")
    assert admin.count(SCORES) == 1


def test_nobody_sees_or_changes_another_database_nor_the_retention(admin, roles):
    other = InfluxStore(replace(admin._settings, database=fresh_name()))
    try:
        other.prepare()
        other.write([point(seq=1)])
        for store in roles.values():
            elsewhere = replace(store._settings, database=other._settings.database)
            foreign = InfluxStore(elsewhere)
            with pytest.raises(StoreError):
                foreign.read(SCORES)
            with pytest.raises(StoreError):
                foreign.write([point(seq=2)])
            foreign.close()
            _try_to_keep_longer(store)
        assert other.count(SCORES) == 1
        assert wrong(admin) == set()
    finally:
        drop_databases(other)
        other.close()


def _try_to_keep_longer(store):
    greedy = InfluxStore(replace(store._settings, raw_days=365))
    try:
        assert greedy.prepare()[0].startswith("run: ")  # words for whoever may
    except StoreError as error:
        assert "requires admin privilege" in str(error)  # noqa: PT017 - 2.x raises nothing
    finally:
        greedy.close()


def test_again_makes_nothing_and_renewed_the_old_secret_is_worthless(admin, roles):
    made, told = admin.accounts()
    assert made == []
    assert len(told) == len(ROLES)
    renewed, _ = admin.accounts(renew=True)
    with pytest.raises(StoreError, match="401"):
        roles["writer"].write([point(seq=1)])
    writer = as_role(admin, renewed[0])
    assert writer.write([point(seq=1)]).written == 1
    writer.close()
