"""W2: the database away at 10,000 agents: what is lost, what it costs, how long it is felt.

A real InfluxDB 1.x is killed under the load that 10,000 agents make and comes
back after 30 minutes of it. What is committed is what the service commits
every 250 ms: a reading, its beats, a feature and a score for each window. The
spool, the commits and the writer's process are the real ones; only what is in
the points is made up.

Nothing happens during an outage but that commits go on, so its time is
compressed: they follow each other as fast as they can be made, each with all
that belongs to its 250 ms (``compressed`` says how much faster that was;
``--real-time`` waits instead). Before it and after it time is real.

Lost: committed minus counted at the server itself. Memory: of this process,
which commits, and the writer's, the most they grew over what they had before.
Catching up: from the database's return until nothing of the outage waits,
while the load goes on. Live delay: how long the points of a commit take to the
store meanwhile, at a resolution of a quarter second.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from collections import deque
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import psutil  # noqa: E402

from analytics.journal.steps import Commit, Step, StepLog  # noqa: E402
from analytics.state.state_file import FILE_NAME, open_state  # noqa: E402
from analytics.store.influx import InfluxStore  # noqa: E402
from analytics.store.points import Measurement, Point  # noqa: E402
from analytics.store.settings import StoreSettings  # noqa: E402
from analytics.writing.writer_process import WriterProcess  # noqa: E402
from tests.rig import Influxd, wait_until  # noqa: E402

IDS = ("W2.lost", "W2.memory", "W2.catch_up", "W2.live_delay", "W2.disk")

SETTLE_S = 120.0
"""How long its return may take to be noticed. [s]"""

COMMIT_S = 0.25
WINDOW_S = 5.0
BEATS = 6
READING = tuple(f"signal_{n:02d}" for n in range(10))
FEATURE = tuple(f"feature_{n:02d}" for n in range(12))
SCORE = ("score", "strain_index", "evidence", "quality")


class Floor:
    """Commits what so many agents make, and watches."""

    def __init__(self, directory: Path, url: str, agents: int, ahead_s: float) -> None:
        self.db = open_state(directory)
        self.log = StepLog(self.db, directory / FILE_NAME, as_lines=True)
        settings = StoreSettings(kind="influxdb", url=url)
        store = InfluxStore(settings)
        store.prepare()
        store.close()
        self.writer = WriterProcess(directory, settings)
        self.agents, self.committed, self.worst_delay_s = agents, 0, 0.0
        self.measured_from_s = float("inf")
        self.in_a_hurry = threading.Event()
        self.number = 0
        # So far back that what is made in a hurry does not come from the future.
        self._begin_ns = time.time_ns() - int(ahead_s * 1e9)
        self._waiting: deque[tuple[int, float]] = deque()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        """Begin to commit."""
        self.writer.start()
        self._thread.start()

    def _run(self) -> None:
        due, turn = time.monotonic(), 0
        per_commit = int(self.agents * COMMIT_S / WINDOW_S)
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            due = time.monotonic() if self.in_a_hurry.is_set() else due + COMMIT_S
            at_ns = self._begin_ns + int(self.number * COMMIT_S * 1e9)
            points = [p for n in range(per_commit) for p in window_points(turn + n, at_ns)]
            turn = (turn + per_commit) % self.agents
            self.number += 1
            step = Step(self.number, self.number, self.number, datetime.now(UTC))
            self.log.commit(Commit(steps=[step], points=points))
            self.committed += len(points)
            self.writer.notify()
            self._watch(self.newest())

    def newest(self) -> int:
        """Return the newest batch."""
        row = self.db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'spool'").fetchone()
        return int(row[0])

    def _watch(self, newest: int) -> None:
        now = time.monotonic()
        if now < self.measured_from_s:
            self._waiting.clear()
            return
        # Of what was made before it was back, the outage itself is part of the delay.
        self._waiting.append((newest, now))
        while self._waiting and self._waiting[0][0] <= self.writer.live_id:
            self._waiting.popleft()
        made_s = self._waiting[0][1] if self._waiting else now
        self.worst_delay_s = max(self.worst_delay_s, now - made_s)

    def memory(self) -> int:
        """Return what this process and the writer's have in memory. [byte]."""
        own = psutil.Process().memory_info().rss
        pid = self.writer.pid
        return own + (psutil.Process(pid).memory_info().rss if pid is not None else 0)

    def end(self) -> None:
        """Stop making, wait until all is written."""
        self._stop.set()
        self._thread.join()
        wait_until(lambda: self.log.spool_size()[0] == 0, 3_600.0)

    def close(self) -> None:
        """End whatever still runs."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
        self.writer.stop()
        self.db.close()


def window_points(agent: int, at_ns: int) -> list[Point]:
    """Return the points of one window of one agent."""
    tags = {"site": "bench", "agent": f"k{agent}"}
    raw = tags | {"source": "pc"}
    value = (at_ns % 10_007) / 7.0 + agent
    numbered = {"run": "benchrun", "seq": at_ns % 100_000}
    beats = [
        Point(Measurement.BEAT, raw, {"rr_ms": 800.0 + n, **numbered}, at_ns - n * 800_000_000)
        for n in range(BEATS)
    ]
    return [
        Point(Measurement.READING, raw, dict.fromkeys(READING, value) | numbered, at_ns),
        *beats,
        Point(Measurement.FEATURE, tags, dict.fromkeys(FEATURE, value) | numbered, at_ns),
        Point(
            Measurement.SCORE,
            tags,
            dict.fromkeys(SCORE, value) | numbered | {"state": "as_usual", "late": False},
            at_ns,
        ),
    ]


def counted(server: Influxd) -> int:
    """Return how many points the server itself counts."""
    total = 0
    for policy, name in (
        ("raw", "reading"),
        ("raw", "beat"),
        ("derived", "feature"),
        ("derived", "score"),
    ):
        series = server.query(f'SELECT count("seq") FROM "wellbeing"."{policy}"."{name}"')
        total += series[0]["values"][0][1] if series else 0
    return total


def outage(floor: Floor, away_s: float, *, real_time: bool) -> tuple[float, int]:
    """Let the load of `away_s` pass; return how long that took, and the most memory. [s, byte]."""
    started_s, last = time.monotonic(), floor.number + int(away_s / COMMIT_S)
    most = 0
    if not real_time:
        floor.in_a_hurry.set()
    while floor.number < last:
        time.sleep(0.2)
        most = max(most, floor.memory())
    floor.in_a_hurry.clear()
    return time.monotonic() - started_s, most


def catch_up(floor: Floor) -> tuple[float, int]:
    """Wait until nothing of the outage waits; return how long that took, and the most memory."""
    began_s = time.monotonic()
    wait_until(lambda: not floor.writer.state.trouble, SETTLE_S)
    floor.measured_from_s = time.monotonic()
    most = 0
    while floor.writer.state.catching_up:
        time.sleep(0.2)
        most = max(most, floor.memory())
    floor.measured_from_s = float("inf")
    return time.monotonic() - began_s, most


def measure(agents: int, away_s: float, before_s: float, *, real_time: bool) -> dict[str, float]:
    """Return what an outage of `away_s` cost."""
    with tempfile.TemporaryDirectory() as directory:
        server = Influxd(Path(directory) / "influxd")
        server.start()
        floor = Floor(Path(directory) / "state", server.url, agents, before_s + away_s + 5.0)
        try:
            floor.start()
            time.sleep(before_s)
            wait_until(lambda: floor.writer.state.written > 0, SETTLE_S)
            before = floor.memory()
            server.kill()
            took_s, most_away = outage(floor, away_s, real_time=real_time)
            disk = sum(file.stat().st_size for file in (Path(directory) / "state").iterdir())
            server.start()
            caught_s, most_after = catch_up(floor)
            floor.end()
            lost = floor.committed - counted(server)
        finally:
            floor.close()
            server.stop()
    return {
        "lost": lost,
        "memory": (max(most_away, most_after) - before) / 1e6,
        "catch_up": caught_s,
        "live_delay": floor.worst_delay_s,
        "disk": disk / 1e6,
        "n": floor.committed,
        "compressed": away_s / took_s,
    }


def main() -> int:
    """Print one JSON object per figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--agents", type=int)
    parser.add_argument("--away", type=float, help="How long it is away. [s]")
    parser.add_argument("--real-time", action="store_true", help="Wait as long as it is away.")
    given = parser.parse_args()
    agents = given.agents or (1_000 if given.quick else 10_000)
    away_s = given.away or (10.0 if given.quick else 1_800.0)
    before_s = 5.0 if given.quick else 30.0
    found = measure(agents, away_s, before_s, real_time=given.real_time)
    units = {"lost": "points", "memory": "MB", "catch_up": "s", "live_delay": "s", "disk": "MB"}
    for name, unit in units.items():
        line = {"id": f"W2.{name}", "value": round(found[name], 1), "unit": unit, "n": found["n"]}
        line |= {"agents": agents, "away_s": away_s, "compressed": round(found["compressed"], 1)}
        print(json.dumps(line))
    return 0


if __name__ == "__main__":
    sys.exit(main())
