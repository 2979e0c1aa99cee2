"""A server with two edges to erase one from, and whether anything is left of them."""

from __future__ import annotations

import csv
import hashlib
import json
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import wellbeing
from analytics.research.words import FILES
from analytics.rights.purge import Purge
from analytics.state.state_file import open_for_reading
from analytics.store.base import Query, Store
from analytics.store.embedded import EmbeddedStore
from analytics.store.points import Measurement
from sensors import codec, topics
from sensors.config import BrokerSettings
from sensors.errors import StoreError
from sensors.messages import (
    ContextMessage,
    ContextState,
    NoticeKind,
    NoticeMessage,
    RequestKind,
    RequestMessage,
    StatusMessage,
)
from sensors.mqtt import Connection, Inbound
from sensors.signals import Channel
from tests.analytics.server_rig import SITE, DetectProcess, StandInEdge, snapshot_of
from tests.rig import wait_until

GONE, STAYS = "zarathustra", "kestrel"
"""Names that occur nowhere by chance, so that raw bytes can be searched for them."""

TEAMS = f"""
[billing]
supervisors = ["ana"]
time_zone = "Europe/Berlin"
agents = ["{GONE}", "{STAYS}"]
"""


class Remembering(StandInEdge):
    """Keeps every window that it ever sent, as an outbox on an old disk does."""

    def __init__(self, port: int, agent: str, run: str) -> None:
        self.outbox: list[bytes] = []
        super().__init__(port, agent, run)

    def send(self, count: int) -> None:
        super().send(count)
        with self._lock:
            self.outbox += self.held.values()


class Floor:
    """A server and two edges; the server can be stopped, killed and started again."""

    def __init__(self, directory: Path, port: int, *extra: str) -> None:
        self.directory, self.port = directory, port
        teams = directory / "both.toml"
        teams.write_text(TEAMS)
        self.server = DetectProcess(directory, port, "--teams", str(teams), *extra)
        self.options = (
            "--site", SITE, "--profile", "general", "--teams", str(teams),
            "--state-dir", str(self.server.state), "--broker", f"127.0.0.1:{port}",
            "--store", "embedded", "--store-path", str(self.server.store), *extra,
        )  # fmt: skip
        self.edges = {name: Remembering(port, name, f"run{name}") for name in (GONE, STAYS)}

    def fill(self) -> None:
        """Give the server everything it can hold about both."""
        # Before its first subscription a broker drops what nobody resends.
        wait_until(lambda: "connected to the broker" in self.server.text, 60, "the server")
        for name, edge in self.edges.items():
            edge.consent(Channel.HEART, Channel.KEYBOARD)
            now = datetime.now(UTC)
            status = StatusMessage(source="pc", run=edge.run, online=True, at=now)
            edge.publish_raw(topics.status(SITE, name, "pc"), codec.encode(status), retain=True)
            context = codec.encode(ContextMessage(at=now, state=ContextState.READY))
            edge.publish_raw(topics.context(SITE, name), context, retain=True)
            edge.ask_for_help("help0001" if name == GONE else "help0002")
            edge.publish_raw(topics.reading(SITE, name), b'{"schema": 1, "broken": true}')
            edge.send(8)
        for edge in self.edges.values():
            edge.wait_released()
        if "influxdb" not in self.options:
            wait_until(self._has_store, 60, "the store")

    def _has_store(self) -> bool:
        """Return whether the server has made the store: windows are released before they are in it."""
        try:
            EmbeddedStore(self.server.store, read_only=True).close()
        except StoreError:
            return False
        return True

    def agent(self, verb: str, *arguments: str) -> int:
        return wellbeing.main(["agent", verb, *arguments, *self.options])

    def close(self) -> None:
        for edge in self.edges.values():
            edge.close()


@contextmanager
def running(directory: Path, port: int, *extra: str) -> Iterator[Floor]:
    floor = Floor(directory, port, *extra)
    floor.server.start()
    try:
        yield floor
    finally:
        floor.close()
        if floor.server._process is not None and floor.server._process.poll() is None:
            floor.server.kill()


def points_of(store: Store, agent: str) -> int:
    return sum(store.count(Query(measurement=m, site=SITE, agents=(agent,))) for m in Measurement)


def rows_of(state: Path, agent: str) -> dict[str, int]:
    db = open_for_reading(state)
    try:
        return {name: count for name, count in Purge(db, agent).count().items() if count}
    finally:
        db.close()


def refused(state: Path) -> int:
    db = open_for_reading(state)
    try:
        row = db.execute("SELECT value FROM counters WHERE name = 'refused.erased'").fetchone()
    finally:
        db.close()
    return int(row[0]) if row else 0


def retained(port: int) -> dict[str, bytes]:
    """Return everything that the broker keeps."""
    found: dict[str, bytes] = {}
    marker = threading.Event()

    def note(inbound: Inbound) -> None:
        if inbound.topic == "marker":
            marker.set()
        elif inbound.retained:
            found[inbound.topic] = inbound.payload

    connection = Connection(
        BrokerSettings(port=port), client_id="eye", subscriptions=("#",), on_message=note
    )
    connection.start()
    connection.wait_connected(60)
    connection.publish("marker", b"x")
    assert marker.wait(60)  # what is retained was sent before
    connection.stop()
    return found


def assert_nothing_left(floor: Floor, store: Store) -> None:
    """Every query over store, state, snapshot and retained topics finds nothing."""
    assert points_of(store, GONE) == 0
    # The agent is told what became of it; that goes once the broker has it.
    wait_until(lambda: rows_of(floor.server.state, GONE) == {}, 60, "no row is left")
    assert GONE.encode() not in snapshot_of(floor.server.state)

    def on_the_broker() -> list[str]:
        kept = retained(floor.port).items()
        return [topic for topic, body in kept if GONE in topic or GONE.encode() in body]

    wait_until(lambda: not on_the_broker(), 60, "nothing of theirs on the broker")


def play_everything_old(floor: Floor, old: dict[str, bytes]) -> None:
    """Send the old outbox, what was retained and the request once more: all is refused.

    Retained as before: an edge says its consent again, and a broker may be restored, too.
    """
    edge, state = floor.edges[GONE], floor.server.state
    before = refused(state)
    for payload in edge.outbox:
        edge.publish_raw(topics.reading(SITE, GONE), payload)
    for topic, payload in old.items():
        edge.publish_raw(topic, payload, retain=True)
    asked = RequestMessage(
        id="helpagain", at=datetime.now(UTC) - timedelta(hours=1), kind=RequestKind.HELP_NOW
    )
    edge.publish_raw(topics.request(SITE, GONE), codec.encode(asked))
    edge.publish_raw(topics.reading(SITE, GONE), b'{"schema": 1, "broken": true}')
    sent = len(edge.outbox) + len(old) + 2
    wait_until(lambda: refused(state) >= before + sent, 60, "all of it refused")
    # Measured after the erasure, but nobody has consented anew: let go, and nothing is kept.
    edge.send(2)
    edge.wait_released()


def assert_no_bytes_left(floor: Floor, run: str) -> None:
    """No page of any file holds a window of the agent's, used or unused."""
    files = [*floor.server.state.glob("server.sqlite*"), *floor.directory.glob("store.sqlite*")]
    for path in files:
        assert run.encode() not in path.read_bytes(), path


def assert_exported(floor: Floor, store: Store) -> None:
    """The copy holds every point and message, and says what each column means."""
    target = floor.directory / "copy.zip"
    options = (
        "--site", SITE, "--state-dir", str(floor.server.state), "--store-path",
        str(floor.server.store),
    )  # fmt: skip
    asked = RequestMessage(id="export001", at=datetime.now(UTC), kind=RequestKind.EXPORT)
    floor.edges[GONE].publish_raw(topics.request(SITE, GONE), codec.encode(asked))
    notices: list[NoticeMessage] = []
    ear = Connection(
        BrokerSettings(port=floor.port),
        client_id="ear",
        subscriptions=(topics.notice(SITE, GONE),),
        on_message=lambda told: notices.append(codec.decode(told.payload, NoticeMessage)),
    )
    ear.start()
    ear.wait_connected(60)
    wait_until(lambda: "asks to export" in floor.server.text, 60, "the request is noted")
    held = {m: Query(measurement=m, site=SITE, agents=(GONE,)) for m in Measurement}
    decisions = held[Measurement.DECISION]
    wait_until(lambda: store.count(decisions) == 2, 60, "both requests in the store")
    before = {m: store.count(query) for m, query in held.items()}
    assert wellbeing.main(["agent", "export", GONE, "--to", str(target), *options]) == 0
    assert wellbeing.main(["agent", "export", GONE, "--to", str(target), *options]) == 7
    wait_until(lambda: [n.kind for n in notices if n.kind is NoticeKind.EXPORT_READY], 60, "told")
    ear.stop()
    assert target.stat().st_mode & 0o077 == 0
    with zipfile.ZipFile(target) as copy:
        files = {name: copy.read(name) for name in copy.namelist()}
    manifest = json.loads(files.pop("manifest.json"))
    readme = files.pop("README.txt").decode()
    assert files.keys() == manifest["files"].keys() == FILES.keys()
    for name, data in files.items():
        assert hashlib.sha256(data).hexdigest() == manifest["files"][name]["sha256"]
        assert name in readme
    for measurement in Measurement:
        rows = len(list(csv.reader(files[f"{measurement}.csv"].decode().splitlines()))) - 1
        # A minute may have been summed up meanwhile.
        assert before[measurement] <= rows <= store.count(held[measurement]), measurement
    assert b"70.0" in files["reading.csv"]
    assert b"heart keyboard" in files["consents.csv"]
    assert b"broken" in files["refused.jsonl"]
    assert files["messages.jsonl"].count(b"window_end_at") == 8
    assert STAYS.encode() not in b"".join(files.values())
