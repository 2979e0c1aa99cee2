"""A service on a real Mosquitto, in this process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest

from analytics.clock import now_utc
from analytics.people.teams import Teams, load_teams
from analytics.pipeline.pipeline import Pipeline
from analytics.pipeline.service_options import ServiceOptions
from analytics.server.service import Service
from analytics.server.subscriber import Subscriber
from analytics.store.base import Store
from analytics.store.embedded import EmbeddedStore
from analytics.writing.spool import SpoolWriter
from sensors.config import BrokerSettings
from tests.analytics.server_rig import (
    SITE,
    write_teams,
)
from tests.analytics.service_rig import Listener, Serve
from tests.rig import Mosquitto, wait_until


@pytest.fixture
def serve(tmp_path: Path, mosquitto: Mosquitto) -> Serve:
    """Run a service in a thread for as long as the block lasts."""
    teams = load_teams(write_teams(tmp_path))

    def embedded() -> Store:
        return EmbeddedStore(tmp_path / "store.sqlite")

    @contextmanager
    def run(
        open_store: Callable[[], Store] = embedded,
        make: Callable[[str, Teams], Pipeline] = Pipeline,
        clock: Callable[[], datetime] = now_utc,
        *,
        trust_clock: bool = False,
    ) -> Iterator[Service]:
        service = Service(
            ServiceOptions(site=SITE, directory=tmp_path / "state", trust_clock=trust_clock),
            Subscriber(BrokerSettings(port=mosquitto.port), SITE),
            teams,
            make(SITE, teams),
            writer=SpoolWriter(tmp_path / "state", open_store, clock, trust_clock=trust_clock),
            clock=clock,
        )
        stop = threading.Event()
        failed: list[BaseException] = []

        def target() -> None:
            try:
                service.run(stop)
            except BaseException as error:  # noqa: BLE001 - told by the test's own thread
                failed.append(error)

        thread = threading.Thread(target=target)
        thread.start()
        try:
            # before its first subscription a broker drops what nobody resends
            wait_until(lambda: service._subscriber.is_connected or failed)
            yield service
        finally:
            stop.set()
            thread.join()
        assert not failed, failed

    return run


@pytest.fixture
def listener(mosquitto: Mosquitto) -> Iterator[Listener]:
    found = Listener(mosquitto.port, f"wellbeing/v1/{SITE}/#")
    yield found
    found.connection.stop()
