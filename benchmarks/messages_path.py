"""P1: from a window's end to an alert on the dashboard's topic, with a floor talking.

Real Mosquitto, real ``wellbeing detect`` and real InfluxDB 1.x as processes of
their own; this process is the load generator, all on one machine. Every agent
sends a window every 5 s on its own grid. Some also ask for help at a window's
end: a request takes the same way as evidence does (broker, journal, pipeline,
retained alert), and needs no learnt baseline, so the time until its alert is
the time of the path. Beside it: window's end to *stored in the journal*, and
how many windows of those sent are missing in the database or there twice; CPU
of each process per window until all is written, which other work on the machine
moves less than it moves a time; how much of the machine that other work had;
and how late this process itself was with what it sent, which counts as the path's.

It ends in bounded time on a floor that is too big, too: what could not be sent,
was late (15 s) or never came is counted.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from analytics.events import LIVE_WITHIN_S  # noqa: E402
from analytics.store.base import Query, Store  # noqa: E402
from analytics.store.opening import open_store  # noqa: E402
from analytics.store.points import Measurement  # noqa: E402
from analytics.store.settings import StoreSettings  # noqa: E402
from benchmarks._floor_load import (  # noqa: E402
    SITE,
    Floor,
    consent,
    drive,
    made_windows,
    names,
    write_teams,
)
from sensors import topics  # noqa: E402
from sensors.command_line import progress_bar  # noqa: E402
from sensors.config import BrokerSettings  # noqa: E402
from sensors.messages import WINDOW_S  # noqa: E402
from sensors.mqtt import Connection  # noqa: E402
from tests.rig import Influxd, Mosquitto, wait_until  # noqa: E402

IDS = (
    "P1.p50",
    "P1.p99",
    "P1.stored_p50",
    "P1.stored_p99",
    "P1.late",
    "P1.missing",
    "P1.twice",
    "P1.not_sent",
    "P1.server_cpu",
    "P1.writer_cpu",
    "P1.broker_cpu",
    "P1.database_cpu",
    "P1.load_cpu",
    "P1.others_cpu",
    "P1.sent_late_p99",
)

DRAIN_S = 60.0
STARTING_S = 3.0  # its imports are no window's cost
STOPPING_S = 30.0
_LOOK_S = 1.0

Found = tuple[str, int]
"""Agent and number of a window."""

Tell = Callable[[str, int, int], None]
"""Told what goes on, and how much of how much is done."""


class Servers(NamedTuple):
    """What runs: processes by name, and where the database answers."""

    pids: dict[str, int]
    database: str


class Broker(Mosquitto):
    """Says and saves as much as in `deploy/mosquitto/mosquitto.conf`; tests want all of it."""

    def _basics(self) -> list[str]:
        chatty = ("log_type", "autosave_interval", "connection_messages")
        rest = [line for line in super()._basics() if not line.startswith(chatty)]
        return [*rest, "log_type error", "log_type warning", "autosave_interval 30"]


def percentile(values: list[float], share: float) -> float:
    """Return a percentile by rank, in milliseconds; infinite of nothing, which never came."""
    if not values:
        return math.inf
    ranked = sorted(values)
    return 1000 * ranked[min(len(ranked) - 1, int(share * len(ranked)))]


def report(figure: str, value: float, unit: str, n: int) -> None:
    """Print one result; nobody publishes this figure, so there is no peer."""
    row = {"id": figure, "value": round(value, 1), "unit": unit, "peer": None, "ratio": None}
    sys.stdout.write(json.dumps(row | {"n": n}) + "\n")
    sys.stdout.flush()


def cpu_times(pids: dict[str, int]) -> dict[str, float]:
    """Return the CPU time so far of each, of the server's writer, and of everybody. [s]."""
    found = {name: psutil.Process(pid) for name, pid in pids.items()}
    for child in found["server"].children():
        found["writer"] = child
    spent = {name: process.cpu_times() for name, process in found.items()}
    everybody = psutil.cpu_times()
    times = {name: one.user + one.system for name, one in spent.items()}
    return times | {"all": sum(everybody) - everybody.idle - getattr(everybody, "iowait", 0.0)}


def measure(
    agents: list[str], seconds: float, directory: Path, tell: Tell = lambda *_: None
) -> tuple[Floor, list[Found]]:
    """Start the servers and run the load; return what was sent and heard, and what is stored."""
    broker, database = Broker(directory / "broker"), Influxd(directory / "influxd")
    write_teams(directory / "teams.toml", agents)
    floor = Floor(made=made_windows())
    with ExitStack() as undo:
        for one in (broker, database):
            undo.callback(one.stop)
            one.start()
        server = undo.enter_context(_serving(directory, broker, database))
        answers = (f"{topics.ROOT}/{SITE}/server/+/stored/+", *topics.dashboard_subscriptions(SITE))
        floor.connection = Connection(
            BrokerSettings(port=broker.port),
            client_id="load",
            subscriptions=answers,
            on_message=floor.hear,
        )
        floor.connection.start()
        undo.callback(floor.connection.stop)
        floor.connection.wait_connected(20)
        consent(floor, agents)
        wait_until(lambda: "serving site" in (directory / "server.log").read_text(), 60)
        time.sleep(STARTING_S)
        pids = {"server": server.pid, "broker": broker.pid, "database": database.pid}
        servers = Servers(pids | {"load": os.getpid()}, database.url)
        return floor, _run(floor, agents, seconds, servers, tell)


@contextmanager
def _serving(
    directory: Path, broker: Mosquitto, database: Influxd
) -> Iterator[subprocess.Popen[bytes]]:
    environ = os.environ | {"WELLBEING_STORE_KIND": "influxdb", "WELLBEING_STORE_URL": database.url}
    wellbeing = [sys.executable, "-m", "wellbeing"]
    init = [*wellbeing, "store", "init"]
    subprocess.run(init, cwd=ROOT, env=environ, check=True, stdout=sys.stderr)
    command = [*wellbeing, "detect", "--site", SITE]
    command += ["--teams", str(directory / "teams.toml"), "--profile", "general"]
    command += ["--state-dir", str(directory / "state"), "--broker", f"127.0.0.1:{broker.port}"]
    with (directory / "server.log").open("wb") as log:
        server = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=log, stderr=log)
    try:
        yield server
    finally:
        server.terminate()
        try:
            server.wait(STOPPING_S)
        except subprocess.TimeoutExpired:  # what it had to do is measured; the rest is thrown away
            server.kill()
            server.wait()


def _run(
    floor: Floor, agents: list[str], seconds: float, servers: Servers, tell: Tell
) -> list[Found]:
    """Let the floor talk, and wait for what becomes of it; return what is stored."""
    total = len(agents) * int(seconds / WINDOW_S)
    before, began_s = cpu_times(servers.pids), time.monotonic()
    drive(floor, agents, seconds, lambda sent: tell("talking", sent, total))
    store = open_store(StoreSettings(kind="influxdb", url=servers.database), read_only=True)
    try:
        drained(floor, store, tell)
        after = cpu_times(servers.pids)
        floor.cpu_s = {name: spent_s - before.get(name, 0.0) for name, spent_s in after.items()}
        machine_s = (time.monotonic() - began_s) * (os.cpu_count() or 1)
        others_s = floor.cpu_s.pop("all") - sum(floor.cpu_s.values())
        floor.others_share = max(0.0, others_s / machine_s)
        rows = store.read(Query(measurement=Measurement.READING, site=SITE, fields=("seq",)))
    finally:
        store.close()
    return [(row.tags["agent"], int(row.fields["seq"])) for row in rows]


def drained(floor: Floor, store: Store, tell: Tell) -> None:
    """Wait until everything that was sent has arrived everywhere, or for a minute."""
    query = Query(measurement=Measurement.READING, site=SITE, fields=("seq",))
    end, sent = time.monotonic() + DRAIN_S, len(floor.ends)
    while time.monotonic() < end:
        arrived = len(floor.stored_s)
        tell("arriving", arrived, sent)
        # The database is asked only once it can be complete: it is busy enough.
        heard_all = arrived == sent and len(floor.alert_s) == len(floor.asked_at)
        if heard_all and store.count(query) >= sent:
            return
        time.sleep(_LOOK_S)


def summarise(floor: Floor, found: list[Found]) -> None:
    """Report what a run came to."""
    alerts, stored = list(floor.alert_s.values()), list(floor.stored_s.values())
    for name, values in (("", alerts), ("stored_", stored)):
        for share, label in ((0.5, "p50"), (0.99, "p99")):
            if values:
                report(f"P1.{name}{label}", percentile(values, share), "ms", len(values))
    sent = len(floor.ends)
    in_time = sum(took_s <= LIVE_WITHIN_S for took_s in stored)
    report("P1.late", sent - in_time, "windows", sent)
    lost_alerts = len(floor.asked_at) - len(alerts)
    missing = len(set(floor.ends) - set(found)) + lost_alerts
    report("P1.missing", missing, "windows and alerts", sent + len(floor.asked_at))
    report("P1.twice", len(found) - len(set(found)), "windows", len(found))
    report("P1.not_sent", floor.not_sent, "windows", sent + floor.not_sent)
    for name, spent_s in floor.cpu_s.items():
        report(f"P1.{name}_cpu", 1e6 * spent_s / max(1, len(stored)), "us/window", len(stored))
    report("P1.others_cpu", 100 * floor.others_share, "% of the machine", 1)
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
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the servers end with it
    with tempfile.TemporaryDirectory() as directory, progress_bar() as bar:
        seconds = given.seconds or (25 if given.quick else 120)
        task = bar.add_task("starting", total=None)

        def tell(what: str, done: int, of: int) -> None:
            bar.update(task, description=what, completed=done, total=of)

        measured = measure(names(count), seconds, Path(directory), tell)
    summarise(*measured)


if __name__ == "__main__":
    main()
