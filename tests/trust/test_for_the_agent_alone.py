"""TRUST T10, T12: what is held about a person reaches that person, and nobody and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from analytics.store.base import Query, Row
from analytics.store.embedded import EmbeddedStore
from analytics.store.points import Measurement
from dashboard.queries import STATE_FIELDS
from sensors import codec, topics
from sensors.config import BrokerSettings
from sensors.errors import StoreError
from sensors.messages import MirrorMessage, ReadingMessage
from sensors.mqtt import Connection, Inbound
from sensors.signals import Channel
from sensors.topics import TopicKind
from tests.analytics.server_rig import SITE, StandInEdge, detect
from tests.rig.waiting import wait_until

pytestmark = pytest.mark.needs("mosquitto")

FIGURES = ("usual", "evidence", "threshold", "strain_index")
"""Words of a mirror that no message to others may carry."""


@pytest.fixture
def heard(mosquitto) -> Iterator[list[Inbound]]:
    """Everything that crosses the broker."""
    found: list[Inbound] = []
    listener = Connection(
        BrokerSettings(port=mosquitto.port),
        client_id="listener",
        subscriptions=(f"wellbeing/v1/{SITE}/#",),
        on_message=found.append,
    )
    listener.start()
    listener.wait_connected(60)
    yield found
    listener.stop()


def test_a_mirror_is_on_its_agents_topic_and_nowhere_else(
    mosquitto, tmp_path: Path, heard: list[Inbound]
) -> None:
    """A real server: every topic, the store, the state file and what a late comer finds."""
    with detect(tmp_path, mosquitto.port) as server:
        wait_until(lambda: "connected to the broker" in server.text)
        edges = [StandInEdge(mosquitto.port, agent, "run00001") for agent in ("k1", "k2")]
        for edge in edges:
            edge.consent(Channel.HEART, Channel.KEYBOARD)
            edge.send(5)
        edges[0].ask_for_help()
        mirrors = wait_until(lambda: len(_mirrors(heard)) == 2 and _mirrors(heard))
        told = {TopicKind.ALERT, TopicKind.STORED, TopicKind.NOTICE}
        wait_until(lambda: {_kind(one) for one in list(heard)} >= told, what="all kinds")
        for edge in edges:
            edge.wait_released()
            edge.close()
        late: list[Inbound] = []
        latecomer = Connection(
            BrokerSettings(port=mosquitto.port),
            client_id="latecomer",
            subscriptions=(f"wellbeing/v1/{SITE}/server/#",),
            on_message=late.append,
        )
        latecomer.start()
        wait_until(lambda: any(_kind(one) is TopicKind.STORED for one in list(late)))
        wait_until(lambda: _rows_so_far(server.store), what="rows in the store")
        server.kill()  # so that the log of what was written stays where it is
        latecomer.stop()
    assert set(mirrors) == {topics.mirror(SITE, "k1"), topics.mirror(SITE, "k2")}
    assert all(codec.decode(payload, MirrorMessage) for payload in mirrors.values())
    assert _mirrors(late) == {}, "nothing about a person is retained"
    others = [one for one in heard if _kind(one) is not TopicKind.MIRROR]
    for one in others:
        for word in FIGURES:
            assert word.encode() not in one.payload, one.topic
    _assert_not_kept(server.state / "server.sqlite", server.store)


def _kind(inbound: Inbound) -> TopicKind:
    return topics.parse(inbound.topic).kind


def _mirrors(heard: list[Inbound]) -> dict[str, bytes]:
    return {one.topic: one.payload for one in list(heard) if _kind(one) is TopicKind.MIRROR}


def _assert_not_kept(state: Path, store: Path) -> None:
    """Not one byte in any file of the server's, and no row of the store's holds a mirror."""
    files = {path: path.read_bytes() for path in state.parent.iterdir() if path.is_file()}
    written = b"".join(files.values())
    assert b"/alert/" in written, "what is published for good passes through here"
    assert b"/mirror" not in written
    assert b'"usual"' not in written
    rows = _rows(store)
    assert rows
    assert not {n for row in rows for n in row.fields if n in {"usual", "low", "high", "threshold"}}


def _rows_so_far(store: Path) -> list[Row]:
    """Return what there is; nothing while the process that writes has not made the file."""
    try:
        return _rows(store)
    except StoreError:
        return []


def _rows(store: Path) -> list[Row]:
    kept = EmbeddedStore(store, read_only=True)
    try:
        return [row for m in Measurement for row in kept.read(Query(measurement=m, site=SITE))]
    finally:
        kept.close()


def test_a_supervisors_screen_asks_for_the_state_and_no_figure() -> None:
    assert set(STATE_FIELDS) & {"strain_index", "evidence", "score"} == set()
    assert topics.dashboard_subscriptions(SITE) == (f"wellbeing/v1/{SITE}/alert/+",)


def test_no_reading_can_pretend_to_be_a_mirror() -> None:
    """The server takes none in: what an agent would publish there is not theirs to write."""
    where = topics.mirror(SITE, "k1")
    assert not any(where.startswith(f.rstrip("#+")) for f in topics.server_subscriptions(SITE))
    assert {f.name for f in ReadingMessage.__dataclass_fields__.values()}.isdisjoint(FIGURES)
