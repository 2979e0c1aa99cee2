"""Every store there is, behind one fixture."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from analytics.store.base import Store
from analytics.store.influx import InfluxStore
from analytics.store.settings import StoreSettings, open_store
from tests.rig import Influxd


@dataclass(frozen=True)
class Kind:
    """One kind of store: its settings, and how to open it once more."""

    settings: StoreSettings

    def open(self, *, read_only: bool = False) -> Store:
        return open_store(self.settings, read_only=read_only)


@pytest.fixture(scope="session")
def shared_influxd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a server that all tests share, each in its own database."""
    given = os.environ.get("WELLBEING_TEST_INFLUX_URL")
    if given:
        yield given
        return
    server = Influxd(tmp_path_factory.mktemp("influxd"))
    try:
        server.start()
        yield server.url
    finally:
        server.stop()


@pytest.fixture
def influx_settings(shared_influxd: str) -> StoreSettings:
    """Return settings for a database of this test's own, made ready."""
    settings = StoreSettings(
        kind="influxdb",
        url=shared_influxd,
        database=f"test-{uuid4().hex}",
        token=os.environ.get("WELLBEING_TEST_INFLUX_TOKEN", ""),
        org=os.environ.get("WELLBEING_TEST_INFLUX_ORG", ""),
    )
    store = InfluxStore(settings)
    store.prepare()
    store.close()
    return settings


@pytest.fixture(
    params=["embedded", pytest.param("influxdb", marks=pytest.mark.needs("influxd"))],
)
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> Kind:
    if request.param == "embedded":
        return Kind(StoreSettings(path=str(tmp_path / "new" / "store.sqlite")))
    return Kind(request.getfixturevalue("influx_settings"))


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
