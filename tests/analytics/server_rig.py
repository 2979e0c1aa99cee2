"""Stand-ins for edges, and what an undisturbed server would have done with the same input."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from analytics.events import Arrival, Outputs
from analytics.journal.intake import decode
from analytics.people.teams import Teams, load_teams
from analytics.pipeline.pipeline import Pipeline
from analytics.state import snapshot_rows
from analytics.state.state_file import from_us, open_for_reading
from analytics.store.base import Query
from analytics.store.embedded import EmbeddedStore
from analytics.store.points import Measurement, Point
from sensors import codec, topics
from sensors.config import BrokerSettings
from sensors.messages import (
    ConsentMessage,
    Heart,
    Keyboard,
    ReadingMessage,
    RequestKind,
    RequestMessage,
    StoredMessage,
)
from sensors.mqtt import Connection, Inbound
from sensors.signals import Channel
from tests.rig import wait_until

SITE = "lab"

_RESEND_AT_ONCE = 200  # the oldest first, at a bounded rate, as a real edge does

TEAMS = """
[billing]
supervisors = ["ana", "bo"]
time_zone = "Europe/Berlin"
agents = ["k1", "k2", "k3"]
"""


def write_teams(directory: Path) -> Path:
    path = directory / "teams.toml"
    path.write_text(TEAMS)
    return path


def reading(
    seq: int, *, run: str = "run00001", source: str = "pc", **changes: object
) -> ReadingMessage:
    """A window that ends now, unless told otherwise."""
    message = ReadingMessage(
        source=source,
        run=run,
        seq=seq,
        window_end_at=datetime.now(UTC),
        heart=Heart(
            quality=0.9, hr_bpm=70.0 + seq % 5, rr_ms=(850.0, 860.5), beat_offset_ms=(-900.0, -40.0)
        ),
        keyboard=Keyboard(quality=1.0, key_presses=float(seq % 20), dwell_ms=95.0),
    )
    return replace(message, **changes)  # type: ignore[arg-type]


class StandInEdge:
    """Holds every window until the server's `stored` covers it, and sends again, as an edge does."""

    def __init__(self, port: int, agent: str, run: str) -> None:
        self.agent, self.run = agent, run
        self.sent: set[int] = set()
        self.held: dict[int, bytes] = {}
        self.stored = -1
        self._next = 0
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._connection = Connection(
            BrokerSettings(port=port),
            client_id=f"edge-{agent}-{run}",
            subscriptions=topics.edge_subscriptions(SITE, agent, "pc"),
            on_message=self._heard,
        )
        self._connection.start()
        self._again = threading.Thread(target=self._resend, daemon=True)
        self._again.start()

    def consent(self, *channels: Channel) -> None:
        message = ConsentMessage(version="1", at=datetime.now(UTC), channels=channels)
        self._publish(topics.consent(SITE, self.agent), codec.encode(message), retain=True)

    def send(self, count: int) -> None:
        """Make `count` windows, a tenth of a second apart in time, and send them."""
        for _ in range(count):
            seq = self._next
            self._next += 1
            end = datetime.now(UTC) + timedelta(microseconds=seq)
            payload = codec.encode(reading(seq, run=self.run, window_end_at=end))
            with self._lock:
                self.sent.add(seq)
                self.held[seq] = payload
            self._publish(topics.reading(SITE, self.agent), payload)

    def ask_for_help(self, name: str = "help0001") -> None:
        message = RequestMessage(id=name, at=datetime.now(UTC), kind=RequestKind.HELP_NOW)
        self._publish(topics.request(SITE, self.agent), codec.encode(message))

    def publish_raw(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        self._publish(topic, payload, retain=retain)

    def wait_released(self, timeout: float = 120.0) -> None:
        wait_until(lambda: not self.held, timeout, f"{self.agent} released, holds {len(self.held)}")

    def close(self) -> None:
        self._closing.set()
        self._again.join()
        self._connection.stop()

    def _publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        wait_until(lambda: self._connection.is_connected, what="stand-in edge connected")
        self._connection.publish(topic, payload, retain=retain)

    def _heard(self, inbound: Inbound) -> None:
        if "/stored/" not in inbound.topic or not inbound.payload:
            return
        message = codec.decode(inbound.payload, StoredMessage)
        if message.run != self.run:
            return
        with self._lock:
            self.stored = max(self.stored, message.seq)
            for seq in [seq for seq in self.held if seq <= message.seq]:
                del self.held[seq]

    def _resend(self) -> None:
        while not self._closing.wait(2.0):
            if not self._connection.is_connected:
                continue
            with self._lock:
                held = list(self.held.values())[:_RESEND_AT_ONCE]
            for payload in held:
                self._connection.publish(topics.reading(SITE, self.agent), payload)


class DetectProcess:
    """The real `wellbeing detect` as a process of its own."""

    def __init__(
        self, directory: Path, port: int, *extra: str, env: dict[str, str] | None = None
    ) -> None:
        self.state = directory / "state"
        self.store = directory / "store.sqlite"
        self.log = directory / "detect.log"
        self.arguments = [
            "detect", "--site", SITE, "--profile", "general",
            "--teams", str(write_teams(directory)), "--state-dir", str(self.state),
            "--broker", f"127.0.0.1:{port}", "--store", "embedded", "--store-path", str(self.store), *extra,
        ]  # fmt: skip
        self._env = {**os.environ, **(env or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "wellbeing", *self.arguments],
                stdout=log,
                stderr=log,
                cwd=Path(__file__).parents[2],
                env=self._env,
            )

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> int:
        """Ask it to end and return its exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(60)

    def wait(self, timeout: float = 60.0) -> int:
        assert self._process is not None
        return self._process.wait(timeout)

    @property
    def text(self) -> str:
        return self.log.read_text() if self.log.exists() else ""


@contextmanager
def detect(
    directory: Path, port: int, *extra: str, **options: dict[str, str]
) -> Iterator[DetectProcess]:
    process = DetectProcess(directory, port, *extra, **options)
    process.start()
    try:
        yield process
    finally:
        if process._process is not None and process._process.poll() is None:
            process.kill()


class Poisoned(Pipeline):
    """Has a bug: fails, in the middle of its work, on certain windows (agent, seq)."""

    def __init__(
        self,
        site: str,
        teams: Teams,
        *,
        alone: Iterable[tuple[str, int]] = (),
        together: Iterable[tuple[str, int]] = (),
    ) -> None:
        super().__init__(site, teams)
        self._alone, self._together = set(alone), set(together)
        self.stepped = 0

    def step(self, arrivals: Sequence[Arrival], now: datetime) -> Outputs:
        self.stepped += 1
        outputs = super().step(arrivals, now)
        given = {(one.agent, getattr(one.message, "seq", -1)) for one in arrivals}
        if self._alone & given or (self._together and self._together <= given):
            raise KeyError("the text of an error may hold what was measured")
        return outputs


def undisturbed(
    state: Path, teams: Teams, fresh: Callable[[], Pipeline]
) -> tuple[bytes, list[Point]]:
    """Run the recorded steps over the journal in one go: final snapshot and all points."""
    pipeline, points = fresh(), []
    db = open_for_reading(state)
    live = backlog = 0
    for _, new_live, new_backlog, now_us in db.execute(
        "SELECT * FROM steps ORDER BY step"
    ).fetchall():
        rows = db.execute(
            "SELECT position, received_us, topic, payload FROM journal WHERE"
            " (lane = 0 AND position > ? AND position <= ?)"
            " OR (lane = 1 AND position > ? AND position <= ?) ORDER BY position",
            (live, new_live, backlog, new_backlog),
        )
        arrivals = [
            Arrival(p, from_us(us), *decode(topic, payload)) for p, us, topic, payload in rows
        ]
        points += pipeline.step(arrivals, from_us(now_us)).points
        live, backlog = new_live, new_backlog
    db.close()
    return pipeline.snapshot(), points


def snapshot_of(state: Path) -> bytes:
    db = open_for_reading(state)
    found = snapshot_rows.read(db)
    db.close()
    assert found is not None
    return found[1]


def assert_exactly_once(
    state: Path,
    store_path: Path,
    edges: Iterable[StandInEdge],
    faulty: Iterable[tuple[str, str, int]] = (),
) -> None:
    """Every window in journal and store once, by run and seq; state and points as undisturbed.

    `faulty` windows were set aside after the journal: the store has none of them.
    """
    edges = list(edges)
    expected = {(edge.agent, edge.run, seq) for edge in edges for seq in edge.sent}
    db = open_for_reading(state)
    journal = db.execute("SELECT agent, run, seq FROM journal WHERE run IS NOT NULL").fetchall()
    db.close()
    assert len(journal) == len(set(journal))
    assert set(journal) == expected
    store = EmbeddedStore(store_path, read_only=True)
    rows = store.read(Query(measurement=Measurement.READING, site=SITE))
    told = [(row.tags["agent"], row.fields["run"], row.fields["seq"]) for row in rows]
    assert len(told) == len(set(told))
    assert set(told) == expected - set(faulty)
    teams = load_teams(state.parent / "teams.toml")
    snapshot, points = undisturbed(state, teams, lambda: Pipeline(SITE, teams))
    assert snapshot == snapshot_of(state)
    for measurement in Measurement:
        identities = {
            (tuple(sorted(p.tags.items())), p.time_ns): dict(p.fields)
            for p in points
            if p.measurement is measurement
        }
        found = {
            (tuple(sorted(row.tags.items())), row.time_ns): row.fields
            for row in store.read(Query(measurement=measurement, site=SITE))
        }
        assert found == identities, measurement
    store.close()
