"""A write that was on its way while its agent was erased is erased as well."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from analytics.rights import erasure, requests
from analytics.rights.erasure import STORE
from analytics.rights.purge import Purge
from analytics.rights.requests import ADMINISTRATOR, Kind, Request, State
from analytics.state.state_file import open_for_reading, open_state
from analytics.store.base import Query
from analytics.store.embedded import EmbeddedStore
from analytics.store.points import Measurement, Point, epoch_ns
from analytics.writing import set_aside
from sensors import codec, topics
from sensors.errors import StoreUnreachableError
from sensors.signals import Channel
from tests.analytics.server_rig import SITE, StandInEdge, reading
from tests.analytics.service_rig import Serve
from tests.rig import Mosquitto, wait_until

pytestmark = pytest.mark.needs("mosquitto")
READINGS = Query(measurement=Measurement.READING, site=SITE, agents=("k1",))


def ask_to_erase(directory: Path) -> None:
    with closing(open_state(directory / "state")) as db:
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


def request(directory: Path) -> Request:
    with closing(open_for_reading(directory / "state")) as db:
        (found,) = requests.find(db, request_id="gone0001")
    return found


def rows(directory: Path, table: str) -> int:
    with closing(open_for_reading(directory / "state")) as db:
        (found,) = db.execute(f"SELECT count(*) FROM {table} WHERE agent = 'k1'").fetchone()
    return int(found)


def refuse_an_old_point(directory: Path) -> None:
    """The store refuses what was being written when the state was erased."""
    now = datetime.now(UTC)
    tags = {"site": SITE, "agent": "k1"}
    old = Point(Measurement.READING, tags, {"a": 1.0}, epoch_ns(now - timedelta(minutes=1)))
    with closing(open_state(directory / "state")) as db:
        set_aside.keep(db, set_aside.bundle([(old, "refused")], now))


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
        ask_to_erase(tmp_path)
        wait_until(lambda: late == [1], what="the late write")
        wait_until(lambda: store.count(READINGS) == 0, what="it is gone again")
    edge.close()
    found = request(tmp_path)
    assert found.receipt is not None
    (place,) = (place for place in found.receipt.places if place.name == STORE)
    assert place.count is not None
    assert place.count >= 3
    assert "a write that was still on its way" in place.note


def test_who_consents_anew_while_the_store_is_away_loses_nothing_when_it_is_back(
    tmp_path: Path, mosquitto: Mosquitto, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store erases hours after the state; by then more of the same agent waits for it."""
    erases_not, writes_not = threading.Event(), threading.Event()
    for name, event in (("erase", erases_not), ("write", writes_not)):
        monkeypatch.setattr(EmbeddedStore, name, unless(event, getattr(EmbeddedStore, name)))
    edge = StandInEdge(mosquitto.port, "k1", "run00001")
    edge.consent(Channel.HEART, Channel.KEYBOARD)
    with serve(), closing(EmbeddedStore(tmp_path / "store.sqlite")) as store:
        edge.send(3)
        edge.wait_released()
        wait_until(lambda: store.count(READINGS) == 3)
        erases_not.set()
        writes_not.set()
        ask_to_erase(tmp_path)
        wait_until(lambda: request(tmp_path).state is State.WAITING, what="erased from the state")
        edge.consent(Channel.HEART, Channel.KEYBOARD)
        wait_until(lambda: rows(tmp_path, "consent") == 1, what="the new consent")
        later = datetime.now(UTC) + timedelta(seconds=6)
        for seq in range(3):
            window = reading(seq, run="runafresh", window_end_at=later + timedelta(seconds=5 * seq))
            edge.publish_raw(topics.reading(SITE, "k1"), codec.encode(window))
        wait_until(lambda: rows(tmp_path, "journal") >= 3, what="new windows")
        refuse_an_old_point(tmp_path)
        before = {table: rows(tmp_path, table) for table in ("journal", "consent")}
        erases_not.clear()
        wait_until(lambda: request(tmp_path).state is State.DONE, 120, "erased from the store")
        assert all(rows(tmp_path, table) >= count for table, count in before.items())
        with closing(open_for_reading(tmp_path / "state")) as db:
            assert Purge(db, "k1").count()["refused_points"] == 0
        writes_not.clear()
        wait_until(lambda: store.count(READINGS) == 3, what="what came after the new consent")
    edge.close()


def unless(away: threading.Event, really: Callable[..., Any]) -> Callable[..., Any]:
    def may(*given: Any) -> Any:
        if away.is_set():
            raise StoreUnreachableError("nobody there")
        return really(*given)

    return may
