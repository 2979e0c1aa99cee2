"""Every store there is, behind one fixture."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import pytest

from analytics.store.base import Store
from analytics.store.influx import InfluxStore
from analytics.store.opening import open_store
from analytics.store.settings import StoreSettings
from tests.rig import Influxd


@dataclass(frozen=True)
class Kind:
    """One kind of store: its settings, and how to open it once more."""

    settings: StoreSettings

    def open(self, *, read_only: bool = False) -> Store:
        return open_store(self.settings, read_only=read_only)


GIVEN = "WELLBEING_TEST_INFLUX_"
"""``WELLBEING_TEST_INFLUX_URL`` names a server of any version to run the contract against.

So do ``_TOKEN`` (that may create and delete databases), ``_ORG``, ``_USER``,
``_PASSWORD`` and ``_CA_FILE``. Databases are made per test and deleted after it:
with the token if there is one, and then tried as the user, if there is one too.
"""


def given(what: str) -> str:
    """Return what the environment says about the server to test against."""
    return os.environ.get(GIVEN + what, "")


@pytest.fixture(scope="session")
def shared_influxd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a real 1.x that all tests share, each in its own database."""
    server = Influxd(tmp_path_factory.mktemp("influxd"))
    try:
        server.start()
        yield server.url
    finally:
        server.stop()


@contextmanager
def guarded_influxd(directory: Path) -> Iterator[StoreSettings]:
    """Run a real 1.x that asks who one is; yield settings of its administrator."""
    server = Influxd(directory, http_lines="auth-enabled = true")
    try:
        server.start()
        settings = StoreSettings(kind="influxdb", url=server.url)
        first = InfluxStore(settings)
        made = first._connection.query("CREATE USER root WITH PASSWORD 'r' WITH ALL PRIVILEGES", "")
        assert made.ok
        first.close()
        yield replace(settings, username="root", password="r")
    finally:
        server.stop()


def fresh_name() -> str:
    """Return a database name that every version takes, used by nobody else."""
    return f"test{uuid4().hex}"


@pytest.fixture
def influx_settings(shared_influxd: str) -> StoreSettings:
    """Return settings for a database of this test's own on a real 1.x, made ready."""
    return _prepared(StoreSettings(kind="influxdb", url=shared_influxd, database=fresh_name()))


def _prepared(settings: StoreSettings) -> StoreSettings:
    store = InfluxStore(settings)
    store.prepare()
    store.close()
    return settings


@pytest.fixture
def any_influx_settings(request: pytest.FixtureRequest) -> Iterator[StoreSettings]:
    """Return settings for a database of this test's own on the server given, else on a real 1.x."""
    with any_databases(request) as settings:
        yield settings


@contextmanager
def any_databases(request: pytest.FixtureRequest) -> Iterator[StoreSettings]:
    """Make databases on the server given, deleted afterwards; else on a real 1.x."""
    if given("URL"):
        with databases_on_the_server_given() as settings:
            yield settings
        return
    url = request.getfixturevalue("shared_influxd")
    yield _prepared(StoreSettings(kind="influxdb", url=url, database=fresh_name()))


@contextmanager
def databases_on_the_server_given() -> Iterator[StoreSettings]:
    """Make databases there that nobody else uses, and delete them afterwards."""
    administrator = given_settings()
    store = InfluxStore(administrator)
    try:
        store.prepare()
        yield as_tested(administrator)
    finally:
        drop_databases(store)
        store.close()


def given_settings() -> StoreSettings:
    """Return settings for databases of this test's own on the server given, as administrator."""
    has_token = bool(given("TOKEN"))
    return StoreSettings(
        kind="influxdb",
        url=given("URL"),
        database=fresh_name(),
        token=given("TOKEN"),
        org=given("ORG"),
        username="" if has_token else given("USER"),
        password="" if has_token else given("PASSWORD"),
        ca_file=given("CA_FILE"),
    )


def as_tested(administrator: StoreSettings) -> StoreSettings:
    """Return the settings with the account that the tests shall use."""
    if not given("USER"):
        return administrator
    return replace(administrator, token="", username=given("USER"), password=given("PASSWORD"))


def drop_databases(store: InfluxStore) -> None:
    """Delete a test's databases: 3.x Core allows five, and nobody wants what tests leave."""
    name, call = store._settings.database, store._connection.call_json
    if store.server_version().startswith("1."):
        store.run(f'DROP DATABASE "{name}"')
        return
    for policy in ("raw", "derived"):
        bucket = f"{name}/{policy}"
        if store.server_version().startswith("3."):
            query = {"db": bucket, "hard_delete_at": "now"}
            call("DELETE", "/api/v3/configure/database", query)
            continue
        found = json.loads(call("GET", "/api/v2/buckets", {"name": bucket}).body)
        for one in found.get("buckets", []):
            call("DELETE", f"/api/v2/buckets/{one['id']}", {})


@pytest.fixture(
    params=[
        "embedded",
        pytest.param("influxdb", marks=[] if given("URL") else [pytest.mark.needs("influxd")]),
    ],
)
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> Kind:
    if request.param == "embedded":
        return Kind(StoreSettings(path=str(tmp_path / "new" / "store.sqlite")))
    return Kind(request.getfixturevalue("any_influx_settings"))


@pytest.fixture
def store(kind: Kind) -> Iterator[Store]:
    opened = kind.open()
    yield opened
    opened.close()


@pytest.fixture
def reopen(kind: Kind) -> Iterator[Callable[[], Store]]:
    """Return a function that opens the same store once more, for reading."""
    opened: list[Store] = []

    def again() -> Store:
        opened.append(kind.open(read_only=True))
        return opened[-1]

    yield again
    for one in opened:
        one.close()
