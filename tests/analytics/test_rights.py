"""TRUST T11: an agent is erased, everything old is played again, and every query finds nothing."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import shutil
import sqlite3
import threading
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

import wellbeing
from analytics.research.ledger import ExportRecord, Ledger
from analytics.rights_erasure import compact, erase_from_store
from analytics.rights_export import _csv
from analytics.rights_purge import Purge
from analytics.rights_receipt import Done, Receipt, as_lines, from_json
from analytics.rights_words import FILES, explain
from analytics.settings import ServerSettings, may_erase_on_request
from analytics.state_file import open_for_reading
from analytics.store.base import Query, Store
from analytics.store.embedded import EmbeddedStore
from analytics.store.points import Measurement, Point, epoch_ns
from analytics.store.settings import StoreSettings, open_store
from sensors import codec, topics
from sensors.config import BrokerSettings
from sensors.errors import CannotEraseError, ConfigurationError
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
from tests.analytics.server_rig import SITE, DetectProcess, StandInEdge, reading, snapshot_of
from tests.rig import Influxd, Mosquitto, wait_until

pytestmark = pytest.mark.needs("mosquitto")

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
    assert not [topic for topic in retained(floor.port) if GONE in topic]
    assert not [body for body in retained(floor.port).values() if GONE.encode() in body]


def play_everything_old(floor: Floor, old: dict[str, bytes]) -> None:
    """Send the old outbox, what was retained and the request once more: all is refused."""
    edge, state = floor.edges[GONE], floor.server.state
    before = refused(state)
    for payload in edge.outbox:
        edge.publish_raw(topics.reading(SITE, GONE), payload)
    for topic, payload in old.items():
        edge.publish_raw(topic, payload)
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


def test_erased_while_the_server_runs_and_everything_old_is_refused(
    tmp_path: Path, mosquitto: Mosquitto, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(tmp_path, mosquitto.port) as floor:
        floor.fill()
        edge, state = floor.edges[GONE], floor.server.state
        store = EmbeddedStore(floor.server.store, read_only=True)
        wait_until(lambda: points_of(store, GONE) > 20, 60, "points of both in the store")
        wait_until(lambda: points_of(store, STAYS) > 20, 60, "points of both in the store")
        old = {t: body for t, body in retained(floor.port).items() if f"/agent/{GONE}/" in t}
        assert len(old) == 2
        assert set(rows_of(state, GONE)) >= {"journal", "consent", "set_aside"}

        assert_exported(floor, store)
        capsys.readouterr()
        assert floor.agent("erase", GONE, "--dry-run") == 0
        assert "nothing was changed" in capsys.readouterr().out
        assert points_of(store, GONE) > 20

        assert floor.agent("erase", GONE, "--yes", "--json") == 0
        receipt = json.loads(capsys.readouterr().out)
        assert receipt["complete"]
        counts = {place["name"]: place["count"] for place in receipt["places"]}
        assert counts["store"] > 20
        assert counts["journal"] >= 8
        assert counts["set_aside"] == 1
        assert counts["pipeline state"] >= 3  # the row, the request's alert, the link
        assert_nothing_left(floor, store)
        assert_no_bytes_left(floor, edge.run)

        play_everything_old(floor, old)
        assert_nothing_left(floor, store)

        # After a new consent the agent goes on, with what is measured from then on.
        edge.consent(Channel.HEART, Channel.KEYBOARD)
        wait_until(lambda: "consent" in rows_of(state, GONE), 60, "the new consent")
        later = datetime.now(UTC) + timedelta(seconds=6)
        for seq in range(3):
            end = later + timedelta(seconds=5 * seq)
            window = reading(seq, run="runafresh", window_end_at=end)
            edge.publish_raw(topics.reading(SITE, GONE), codec.encode(window))
        readings = Query(measurement=Measurement.READING, site=SITE, agents=(GONE,))
        wait_until(lambda: store.count(readings) == 3, 60, "what came after the new consent")

        # A restart erases again what a restored store holds, and leaves what is new.
        floor.server.kill()
        an_hour_ago = epoch_ns(datetime.now(UTC) - timedelta(hours=1))
        writer = EmbeddedStore(floor.server.store)
        writer.write(
            [Point(Measurement.READING, {"site": SITE, "agent": GONE}, {"a": 1.0}, an_hour_ago)]
        )
        writer.close()
        assert store.count(readings) == 4
        floor.server.start()
        wait_until(lambda: store.count(readings) == 3, 60, "the old point is gone again")
        assert points_of(store, STAYS) > 20
        store.close()


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


def test_every_column_is_explained() -> None:
    """The documentation of the store names every field; each means something to its agent."""
    page = (Path(__file__).parents[2] / "analytics" / "store" / "README.md").read_text()
    rows = re.findall(r"^\| (`[a-z].*?) \|", page, re.MULTILINE)
    fields = {field for row in rows for field in re.findall(r"`([a-z0-9_]+)`", row)}
    fields -= set(Measurement)  # the table of measurements
    assert len(fields) > 100
    assert not sorted(field for field in fields if not explain(field))


def test_a_database_that_deletes_nothing_is_a_stated_refusal() -> None:
    class Core:
        def erase(self, site: str, agent: str, before: datetime | None = None) -> int:
            raise CannotEraseError(f"no rows of {agent} at {site} are deleted before {before}")

    place = erase_from_store(cast("Store", Core()), SITE, GONE)
    receipt = Receipt(
        id="x", site=SITE, agent=GONE, at=datetime.now(UTC), by="agent", places=(place,)
    )
    assert not receipt.is_complete
    assert "NOT COMPLETE" in as_lines(receipt)[-1]
    assert from_json(receipt.to_json()) == receipt


@pytest.mark.needs("influxd")
def test_erased_from_a_database_once_it_answers(
    tmp_path: Path, mosquitto: Mosquitto, influxd: Influxd, capsys: pytest.CaptureFixture[str]
) -> None:
    store = open_store(StoreSettings(kind="influxdb", url=influxd.url))
    store.prepare()
    more = ("--store", "influxdb", "--store-url", influxd.url)
    with running(tmp_path, mosquitto.port, *more) as floor:
        floor.fill()
        for name in (GONE, STAYS):
            wait_until(lambda who=name: points_of(store, who) > 20, 60, "points in the database")
        kept = points_of(store, STAYS)
        influxd.kill()
        assert floor.agent("erase", GONE, "--yes", "--wait", "3") == 6
        said = capsys.readouterr().out
        assert "NOT COMPLETE" in said
        assert "waiting" in said
        influxd.start()
        state = ("--state-dir", str(floor.server.state), "--site", SITE)
        wait_until(
            lambda: wellbeing.main(["agent", "receipt", GONE, *state]) == 0, 120, "all is erased"
        )
        assert_nothing_left(floor, store)
        assert points_of(store, STAYS) >= kept
    store.close()


def assert_no_bytes_left(floor: Floor, run: str) -> None:
    """No page of any file holds a window of the agent's, used or unused."""
    files = [*floor.server.state.glob("server.sqlite*"), *floor.directory.glob("store.sqlite*")]
    for path in files:
        assert run.encode() not in path.read_bytes(), path


def test_erased_while_no_server_runs(
    tmp_path: Path,
    mosquitto: Mosquitto,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with running(tmp_path, mosquitto.port) as floor:
        floor.fill()
        store = EmbeddedStore(floor.server.store, read_only=True)
        wait_until(lambda: points_of(store, GONE) > 20, 60, "points in the store")
        old = {t: body for t, body in retained(floor.port).items() if f"/agent/{GONE}/" in t}
        assert floor.server.stop() == 0
        before = tmp_path / "state-before"
        shutil.copytree(floor.server.state, before)
        ledger = tmp_path / "exports.jsonl"
        monkeypatch.setenv("WELLBEING_RESEARCH_LEDGER", str(ledger))
        at = datetime.now(UTC)
        Ledger(ledger).append(
            ExportRecord(
                at=at, study="lunch", site=SITE, file="lunch.parquet", sha256="0" * 64, rows=1,
                signals=("hr_bpm",), start_at=at, end_at=at, by="rita", agents=(GONE,),
            )
        )  # fmt: skip
        assert floor.agent("erase", GONE, "--yes") == 0
        said = capsys.readouterr().out
        assert "complete: whatever was measured before" in said
        assert "lunch.parquet (study lunch, " in said
        assert_nothing_left(floor, store)
        assert_no_bytes_left(floor, floor.edges[GONE].run)
        floor.server.start()
        play_everything_old(floor, old)
        assert_nothing_left(floor, store)
        state = ("--state-dir", str(floor.server.state), "--site", SITE)
        assert wellbeing.main(["agent", "receipt", GONE, *state]) == 0

        # The whole folder put back as it was, with journal, spool, snapshot and consent.
        assert floor.server.stop() == 0
        shutil.rmtree(floor.server.state)
        shutil.copytree(before, floor.server.state)
        assert rows_of(floor.server.state, GONE)
        floor.server.start()
        wait_until(lambda: "erasing again" in floor.server.text, 60, "it is found")
        wait_until(lambda: rows_of(floor.server.state, GONE) == {}, 60, "it is gone")
        assert_nothing_left(floor, store)
        store.close()


@pytest.mark.parametrize("at_once", [True, False])
def test_an_agents_own_request(
    tmp_path: Path, mosquitto: Mosquitto, capsys: pytest.CaptureFixture[str], *, at_once: bool
) -> None:
    with running(tmp_path, mosquitto.port) as floor:
        if at_once:
            floor.server._env |= {
                "WELLBEING_SERVER_ERASE_ON_REQUEST": "true",
                "WELLBEING_BROKER_USERNAME": "server",
                "WELLBEING_BROKER_PASSWORD": "word",
            }
            floor.server.kill()
            floor.server.log.unlink()
            floor.server.start()
        floor.fill()
        store = EmbeddedStore(floor.server.store, read_only=True)
        wait_until(lambda: points_of(store, GONE) > 20, 60, "points in the store")
        notices: list[NoticeKind] = []
        ear = Connection(
            BrokerSettings(port=floor.port),
            client_id="ear",
            subscriptions=(topics.notice(SITE, GONE),),
            on_message=lambda m: notices.append(codec.decode(m.payload, NoticeMessage).kind),
        )
        ear.start()
        ear.wait_connected(60)
        asked = RequestMessage(id="eraseme01", at=datetime.now(UTC), kind=RequestKind.ERASE)
        for _ in range(2):  # told twice, done once
            floor.edges[GONE].publish_raw(topics.request(SITE, GONE), codec.encode(asked))
        told = NoticeKind.ERASED if at_once else NoticeKind.RIGHTS_NOTED
        wait_until(lambda: told in notices, 60, f"told {told}")
        state = ("--state-dir", str(floor.server.state), "--site", SITE)
        assert wellbeing.main(["agent", "requests", *state]) == 0
        listed = capsys.readouterr().out
        if at_once:
            assert f"{GONE} erase by agent: done" in listed
            assert_nothing_left(floor, store)
        else:
            assert f"{GONE} erase by agent: asked" in listed
            assert points_of(store, GONE) > 20
            assert floor.agent("erase", GONE, "--yes") == 0
            wait_until(lambda: NoticeKind.ERASED in notices, 60, "told that it is done")
        assert notices.count(told) == 1
        ear.stop()
        store.close()


def test_erasing_asks_first_and_refuses_what_cannot_be_meant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = ("--state-dir", str(tmp_path / "nowhere"), "--profile", "general")
    monkeypatch.setattr("sys.stdin", io.StringIO("kestrel\n"))
    assert wellbeing.main(["agent", "erase", GONE, *nowhere]) == 2
    assert "confirmed 'kestrel', not 'zarathustra'; nothing was erased" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{GONE}\n"))
    assert wellbeing.main(["agent", "erase", GONE, *nowhere]) == 7
    assert "no server.sqlite" in capsys.readouterr().err
    assert not (tmp_path / "nowhere").exists()
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert wellbeing.main(["agent", "erase", GONE, *nowhere]) == 2
    assert "nothing was erased: add --yes" in capsys.readouterr().err
    assert wellbeing.main(["agent", "erase", "Not A Pseudonym", "--yes", *nowhere]) == 2
    for verb in ("erase", "export", "requests", "receipt"):
        assert wellbeing.main(["agent", verb, "--help"]) == 0


def test_no_erasing_at_the_word_of_a_broker_that_knows_nobody() -> None:
    wanted = ServerSettings(erase_on_request=True)
    with pytest.raises(ConfigurationError, match="cannot prove who asks"):
        may_erase_on_request(wanted, BrokerSettings())
    assert may_erase_on_request(wanted, BrokerSettings(username="server", password="word"))
    assert not may_erase_on_request(ServerSettings(), BrokerSettings(username="server"))


def test_old_pages_that_somebody_still_reads_are_not_called_gone(tmp_path: Path) -> None:
    path = tmp_path / "some.sqlite"
    with (
        closing(sqlite3.connect(path, timeout=0.0, isolation_level=None)) as db,
        closing(sqlite3.connect(path, timeout=0.0, isolation_level=None)) as reader,
    ):
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE held AS SELECT 1 AS row")
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM held").fetchall()
        assert compact(db, path).done is Done.ELSEWHERE
        reader.execute("COMMIT")
        assert compact(db, path).done is Done.ERASED


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_of_a_copy_is_a_formula(start: str) -> None:
    (data,) = _csv(["note"], [[f"{start}1+cmd"], [-1.5]])
    (_, cell, figure) = (row[0] for row in csv.reader(io.StringIO(data.decode(), newline="")))
    assert cell == f"'{start}1+cmd"
    assert figure == "-1.5"
