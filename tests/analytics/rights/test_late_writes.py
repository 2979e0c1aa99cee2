"""A write that was on its way while its agent was erased is erased as well."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from analytics.rights import erasure, requests
from analytics.rights.erasure import STORE
from analytics.rights.requests import ADMINISTRATOR, Kind, Request, State
from analytics.state.state_file import open_for_reading, open_state
from analytics.store.base import Query
from analytics.store.embedded import EmbeddedStore
from analytics.store.points import Measurement, Point, epoch_ns
from sensors.signals import Channel
from tests.analytics.server_rig import SITE, StandInEdge
from tests.analytics.service_rig import Serve
from tests.rig import Mosquitto, wait_until

pytestmark = pytest.mark.needs("mosquitto")
READINGS = Query(measurement=Measurement.READING, site=SITE, agents=("k1",))


def test_what_a_store_writes_after_the_erasure_goes_a_while_later(
    tmp_path: Path, mosquitto: Mosquitto, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that nobody waits for any longer is done right after the deletion."""
    monkeypatch.setattr(erasure, "LATE_S", 0.0)
    really, late = EmbeddedStore.erase, list[int]()

    def erase_and_be_late(
        store: EmbeddedStore, site: str, agent: str, before: datetime | None = None
    ) -> int:
        count = really(store, site, agent, before)
        if not late:
            at_ns = epoch_ns(datetime.now(UTC) - timedelta(minutes=1))
            store.write(
                [Point(Measurement.READING, {"site": site, "agent": agent}, {"a": 1.0}, at_ns)]
            )
            late.append(store.count(READINGS))
        return count

    monkeypatch.setattr(EmbeddedStore, "erase", erase_and_be_late)
    edge = StandInEdge(mosquitto.port, "k1", "run00001")
    edge.consent(Channel.HEART, Channel.KEYBOARD)
    with serve(), closing(EmbeddedStore(tmp_path / "store.sqlite")) as store:
        edge.send(3)
        edge.wait_released()
        wait_until(lambda: store.count(READINGS) == 3)
        with closing(open_state(tmp_path / "state")) as db:
            requests.put(
                db,
                Request(
                    id="gone0001",
                    agent="k1",
                    kind=Kind.ERASE,
                    by=ADMINISTRATOR,
                    asked_at=datetime.now(UTC),
                    state=State.DUE,
                ),
            )
        wait_until(lambda: late == [1], what="the late write")
        wait_until(lambda: store.count(READINGS) == 0, what="it is gone again")
    edge.close()
    with closing(open_for_reading(tmp_path / "state")) as db:
        (found,) = requests.find(db, request_id="gone0001")
    assert found.receipt is not None
    (place,) = (place for place in found.receipt.places if place.name == STORE)
    assert place.count is not None
    assert place.count >= 3
    assert "a write that was still on its way" in place.note
