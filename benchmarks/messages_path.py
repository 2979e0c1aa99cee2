"""P1: from a window's end to an alert on the dashboard's topic, with a floor talking.

Real Mosquitto, real ``wellbeing detect`` and real InfluxDB 1.x as processes of
their own; this process is the load generator, all on one machine. Every agent
sends a window every 5 s on its own grid. Some also ask for help at a window's
end: a request takes the same way as evidence does (broker, journal, pipeline,
retained alert), and needs no learnt baseline, so the time until its alert is
the time of the path. Beside it: window's end to *stored in the journal*, and
how many windows of those sent are missing in the database or there twice; CPU
of the server, of its writer and of this process per window, which other work on
the machine moves less than it moves a time; and how late this process itself
was with what it sent, which counts as the path's.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from analytics.store.base import Query, Store  # noqa: E402
from analytics.store.opening import open_store  # noqa: E402
from analytics.store.points import Measurement  # noqa: E402
from analytics.store.settings import StoreSettings  # noqa: E402
from sensors import codec, topics  # noqa: E402
from sensors.config import BrokerSettings  # noqa: E402
from sensors.messages import (  # noqa: E402
    WINDOW_S,
    AlertMessage,
    ConsentMessage,
    Heart,
    Keyboard,
    Modules,
    Pointer,
    ReadingMessage,
    RequestKind,
    RequestMessage,
    StoredMessage,
)
from sensors.mqtt import Connection, Inbound  # noqa: E402
from sensors.reduction import grid_shift_ms  # noqa: E402
from sensors.signals import Channel  # noqa: E402
from tests.rig import Influxd, Mosquitto, wait_until  # noqa: E402

IDS = (
    "P1.p50",
    "P1.p99",
    "P1.stored_p50",
    "P1.stored_p99",
    "P1.missing",
    "P1.twice",
    "P1.server_cpu",
    "P1.writer_cpu",
    "P1.load_cpu",
    "P1.sent_late_p99",
)

SITE, RUN, SOURCE = "bench", "benchrun1", "load"
DRAIN_S = 120.0
STARTING_S = 3.0  # its imports are no window's cost

Found = tuple[str, int]
"""Agent and number of a window."""


@dataclass
class Floor:
    """The load: what was sent, when its windows ended, and what came back."""

    connection: Connection | None = None
    ends: dict[tuple[str, int], float] = field(default_factory=dict)
    stored_s: dict[tuple[str, int], float] = field(default_factory=dict)
    asked_at: dict[str, float] = field(default_factory=dict)
    alert_s: dict[str, float] = field(default_factory=dict)
    next_stored: dict[str, int] = field(default_factory=dict)
    sent_late_s: list[float] = field(default_factory=list)
    cpu_s: dict[str, float] = field(default_factory=dict)

    def hear(self, inbound: Inbound) -> None:
        """Note when a window was stored or an alert appeared."""
        now = time.time()
        topic = topics.parse(inbound.topic)
        if topic.alert_id is not None and inbound.payload:
            agent = codec.decode(inbound.payload, AlertMessage).agent
            if agent in self.asked_at:
                self.alert_s.setdefault(agent, now - self.asked_at[agent])
        elif topic.agent is not None and inbound.payload:
            last = codec.decode(inbound.payload, StoredMessage).seq
            for seq in range(self.next_stored.get(topic.agent, 0), last + 1):
                key = (topic.agent, seq)
                self.stored_s[key] = now - self.ends[key]
            self.next_stored[topic.agent] = last + 1

    def send(self, agent: str, seq: int, end_s: float, *, asks: bool) -> None:
        """Publish one window, and a request for help with it."""
        assert self.connection is not None
        end = datetime.fromtimestamp(end_s, UTC)
        self.ends[agent, seq] = end_s
        self.connection.publish(topics.reading(SITE, agent), codec.encode(_window(seq, end)))
        self.sent_late_s.append(time.time() - end_s)
        if asks:
            self.asked_at[agent] = end_s
            request = RequestMessage(id=f"{agent}00000000", at=end, kind=RequestKind.HELP_NOW)
            self.connection.publish(topics.request(SITE, agent), codec.encode(request))


def _window(seq: int, end: datetime) -> ReadingMessage:
    """Return a full window of plausible, varying values."""
    rr = tuple(random.gauss(800, 30) for _ in range(6))
    return ReadingMessage(
        source=SOURCE,
        run=RUN,
        seq=seq,
        window_end_at=end,
        sent_at=datetime.now(UTC),
        heart=Heart(
            quality=1.0, hr_bpm=75.0, rr_ms=rr, beat_offset_ms=tuple(-800.0 * i for i in range(6))
        ),
        keyboard=Keyboard(quality=1.0, key_presses=20, dwell_ms=random.gauss(95, 5), flight_ms=110),
        pointer=Pointer(quality=1.0, pointer_speed_px_s=random.gauss(600, 50), pointer_clicks=2),
        modules=Modules(quality=1.0, values={"eda_us": random.gauss(4, 0.2), "skin_temp_c": 33.0}),
    )


def drive(floor: Floor, agents: list[str], seconds: float) -> None:
    """Send every agent's windows at their ends for `seconds`; one agent a quarter second asks."""
    first = math.ceil(time.time() + 1)
    base = first - first % WINDOW_S + WINDOW_S
    order = sorted((grid_shift_ms(SITE, agent) / 1000, agent) for agent in agents)
    waiting = set(random.sample(agents, min(len(agents), int(seconds * 4))))
    for seq in range(int(seconds / WINDOW_S)):
        for shift_s, agent in order:
            end_s = base + seq * WINDOW_S + shift_s
            if (ahead := end_s - time.time()) > 0:
                time.sleep(ahead)
            asks = agent in waiting and random.random() < WINDOW_S / seconds
            floor.send(agent, seq, end_s, asks=asks)
            waiting -= {agent} if asks else set()


def consent(floor: Floor, agents: list[str]) -> None:
    """Say that every agent consents to what is sent."""
    assert floor.connection is not None
    message = ConsentMessage(
        version="1", at=datetime.now(UTC) - timedelta(hours=1), channels=tuple(Channel)
    )
    for agent in agents:
        floor.connection.publish(topics.consent(SITE, agent), codec.encode(message), retain=True)


def names(count: int) -> list[str]:
    """Return so many agents."""
    return [f"a{i:05d}" for i in range(count)]


def write_teams(path: Path, agents: list[str]) -> None:
    """Write teams of twenty."""
    teams = [agents[i : i + 20] for i in range(0, len(agents), 20)]
    text = [
        f'[team{i}]\nsupervisors = ["ana"]\ntime_zone = "UTC"\nvalid_from = 2020-01-01\n'
        f"agents = {json.dumps(team)}\n"
        for i, team in enumerate(teams)
    ]
    path.write_text("\n".join(text))


def percentile(values: list[float], share: float) -> float:
    """Return a percentile by rank, in milliseconds."""
    ranked = sorted(values)
    return 1000 * ranked[min(len(ranked) - 1, int(share * len(ranked)))]


def report(figure: str, value: float, unit: str, n: int) -> None:
    """Print one result; nobody publishes this figure, so there is no peer."""
    row = {"id": figure, "value": round(value, 1), "unit": unit, "peer": None, "ratio": None}
    sys.stdout.write(json.dumps(row | {"n": n}) + "\n")
    sys.stdout.flush()


def cpu_times(server: subprocess.Popen[bytes]) -> dict[str, float]:
    """Return the CPU time so far of the server, of its writer and of this process. [s]."""
    process = psutil.Process(server.pid)
    found = [("server", process), ("load", psutil.Process())]
    found += [("writer", child) for child in process.children()]
    times = {name: one.cpu_times() for name, one in found}
    return {name: one.user + one.system for name, one in times.items()}


def measure(agents: list[str], seconds: float, directory: Path) -> tuple[Floor, list[Found]]:
    """Start the servers and run the load; return what was sent and heard, and what is stored."""
    broker, database = Mosquitto(directory / "broker"), Influxd(directory / "influxd")
    write_teams(directory / "teams.toml", agents)
    floor = Floor()
    broker.start()
    database.start()
    server = None
    environ = os.environ | {"WELLBEING_STORE_KIND": "influxdb", "WELLBEING_STORE_URL": database.url}
    try:
        wellbeing = [sys.executable, "-m", "wellbeing"]
        subprocess.run(
            [*wellbeing, "store", "init"], cwd=ROOT, env=environ, check=True, stdout=sys.stderr
        )
        command = [*wellbeing, "detect", "--site", SITE]
        command += ["--teams", str(directory / "teams.toml"), "--profile", "general"]
        command += ["--state-dir", str(directory / "state"), "--broker", f"127.0.0.1:{broker.port}"]
        with (directory / "server.log").open("wb") as log:
            server = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=log, stderr=log)
        answers = (f"{topics.ROOT}/{SITE}/server/+/stored/+", *topics.dashboard_subscriptions(SITE))
        floor.connection = Connection(
            BrokerSettings(port=broker.port),
            client_id="load",
            subscriptions=answers,
            on_message=floor.hear,
        )
        floor.connection.start()
        floor.connection.wait_connected(20)
        consent(floor, agents)
        wait_until(lambda: "serving site" in (directory / "server.log").read_text(), 30)
        time.sleep(STARTING_S)
        before = cpu_times(server)
        drive(floor, agents, seconds)
        floor.cpu_s = {n: s - before.get(n, 0.0) for n, s in cpu_times(server).items()}
        store = open_store(StoreSettings(kind="influxdb", url=database.url), read_only=True)
        try:
            return floor, drained(floor, store)
        finally:
            store.close()
    finally:
        if floor.connection is not None:
            floor.connection.stop()
        if server is not None:
            server.terminate()
            server.wait(30)
        database.stop()
        broker.stop()


def drained(floor: Floor, store: Store) -> list[Found]:
    """Wait until everything has arrived, or for two minutes; return what is stored either way."""
    query = Query(measurement=Measurement.READING, site=SITE, fields=("seq",))
    end = time.monotonic() + DRAIN_S
    rows = store.read(query)
    while len(rows) < len(floor.ends) and time.monotonic() < end:
        time.sleep(0.5)
        rows = store.read(query)
    return [(row.tags["agent"], int(row.fields["seq"])) for row in rows]


def summarise(floor: Floor, found: list[Found]) -> None:
    """Report what a run came to."""
    alerts, stored = list(floor.alert_s.values()), list(floor.stored_s.values())
    for name, values in (("", alerts), ("stored_", stored)):
        for share, label in ((0.5, "p50"), (0.99, "p99")):
            if values:
                report(f"P1.{name}{label}", percentile(values, share), "ms", len(values))
    lost_alerts = len(floor.asked_at) - len(alerts)
    missing = len(set(floor.ends) - set(found)) + lost_alerts
    report("P1.missing", missing, "windows and alerts", len(floor.ends) + len(floor.asked_at))
    report("P1.twice", len(found) - len(set(found)), "windows", len(found))
    for name, spent_s in floor.cpu_s.items():
        report(f"P1.{name}_cpu", 1e6 * spent_s / len(floor.ends), "us/window", len(floor.ends))
    report("P1.sent_late_p99", percentile(floor.sent_late_s, 0.99), "ms", len(floor.sent_late_s))


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="300 agents for 25 s")
    parser.add_argument("--agents", type=int, help="agents on the floor")
    parser.add_argument("--seconds", type=float, help="how long they talk")
    given = parser.parse_args()
    count = given.agents or (300 if given.quick else 1_000)
    random.seed(1)
    with tempfile.TemporaryDirectory() as directory:
        seconds = given.seconds or (25 if given.quick else 120)
        summarise(*measure(names(count), seconds, Path(directory)))


if __name__ == "__main__":
    main()
