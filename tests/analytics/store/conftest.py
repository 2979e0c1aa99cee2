"""Every store there is, behind one fixture."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from analytics.store.base import Store
from analytics.store.influx import InfluxStore
from analytics.store.opening import open_store
from analytics.store.settings import StoreSettings
from tests.analytics.store import copies
from tests.rig import Influxd
from tests.rig.influx import (
    ON_A_SERVER,
    databases_on_the_server_given,
    fresh_name,
    given,
    prepared,
)


@dataclass(frozen=True)
class Kind:
    """One kind of store: its settings, and how to open it once more."""

    settings: StoreSettings

    def open(self, *, read_only: bool = False) -> Store:
        return open_store(self.settings, read_only=read_only)


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


@pytest.fixture
def influx_settings(shared_influxd: str) -> StoreSettings:
    """Return settings for a database of this test's own on a real 1.x, made ready."""
    return prepared(StoreSettings(kind="influxdb", url=shared_influxd, database=fresh_name()))


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
    yield prepared(StoreSettings(kind="influxdb", url=url, database=fresh_name()))


@pytest.fixture(
    params=[
        "embedded",
        pytest.param("influxdb", marks=ON_A_SERVER),
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


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "old.sqlite"
    copies.fill(copies.embedded(path), copies.points())
    return path
