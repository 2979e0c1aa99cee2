"""W2: the database away at 10,000 agents: what is lost, what it costs, how long it is felt.

A real InfluxDB 1.x is killed under the load that 10,000 agents make and comes
back after 30 minutes of it. What is committed is what the service commits
every 250 ms: a reading, its beats, a feature and a score for each window. The
spool, the writer and the commits are the real ones; only what is in the
points is made up. Lost: committed minus counted at the server itself. Catching
up: from its return until nothing of the outage waits. Live delay: how long
the points of a commit take to the store, while old ones are worked off.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import psutil  # noqa: E402

from analytics.spool import SpoolWriter  # noqa: E402
from analytics.state_file import FILE_NAME, open_state  # noqa: E402
from analytics.steps import Commit, Step, StepLog  # noqa: E402
from analytics.store.influx import InfluxStore  # noqa: E402
from analytics.store.points import Measurement, Point  # noqa: E402
from analytics.store.settings import StoreSettings  # noqa: E402
from tests.rig import Influxd, wait_until  # noqa: E402

IDS = ("W2.lost", "W2.memory", "W2.catch_up", "W2.live_delay", "W2.disk")

COMMIT_S = 0.25
WINDOW_S = 5.0
BEATS = 6
READING = tuple(f"signal_{n:02d}" for n in range(10))
FEATURE = tuple(f"feature_{n:02d}" for n in range(12))
SCORE = ("score", "strain_index", "evidence", "quality")


class Floor:
    """Commits what so many agents make, and watches."""

    def __init__(self, directory: Path, url: str, agents: int) -> None:
        self.db = open_state(directory)
        self.log = StepLog(self.db, directory / FILE_NAME)
        self.settings = StoreSettings(kind="influxdb", url=url)
        store = InfluxStore(self.settings)
        store.prepare()
        store.close()
        self.writer = SpoolWriter(
            directory, lambda: InfluxStore(self.settings), lambda: datetime.now(UTC)
        )
        self.agents, self.committed, self.worst_delay_s = agents, 0, 0.0
        self.measured_from_s = float("inf")
        self._waiting: list[tuple[int, float]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        """Begin to commit."""
        self.writer.start()
        self._thread.start()

    def _run(self) -> None:
        due, number, turn = time.monotonic(), 0, 0
        per_commit = int(self.agents * COMMIT_S / WINDOW_S)
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            due += COMMIT_S
            number += 1
            at_ns = time.time_ns()
            points = [p for n in range(per_commit) for p in window_points(turn + n, at_ns)]
            turn = (turn + per_commit) % self.agents
            self.log.commit(
                Commit(steps=[Step(number, number, number, datetime.now(UTC))], points=points)
            )
            self.committed += len(points)
            self.writer.notify()
            self._watch(self.newest())

    def newest(self) -> int:
        """Return the newest batch."""
        row = self.db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'spool'").fetchone()
        return int(row[0])

    def _watch(self, newest: int) -> None:
        now = time.monotonic()
        self._waiting.append((newest, now))
        live_after = self.writer.live_id
        while self._waiting and self._waiting[0][0] <= live_after:
            self._waiting.pop(0)
        # Of what was made before it was back, the outage itself is part of the delay.
        made_s = next((at for _, at in self._waiting if at >= self.measured_from_s), now)
        self.worst_delay_s = max(self.worst_delay_s, now - made_s)

    def end(self) -> None:
        """Stop making, wait until all is written."""
        self._stop.set()
        self._thread.join()

        def is_empty() -> bool:
            return self.log.spool_size()[0] == 0

        wait_until(is_empty, 3_600.0)
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


def measure(agents: int, away_s: float, before_s: float) -> dict[str, float]:
    """Return what an outage of `away_s` cost."""
    me = psutil.Process()
    with tempfile.TemporaryDirectory() as directory:
        server = Influxd(Path(directory) / "influxd")
        server.start()
        floor = Floor(Path(directory) / "state", server.url, agents)
        try:
            floor.start()
            time.sleep(before_s)
            before, most = me.memory_info().rss, 0
            server.kill()
            end = time.monotonic() + away_s
            while time.monotonic() < end:
                time.sleep(0.5)
                most = max(most, me.memory_info().rss)
            disk = sum(file.stat().st_size for file in (Path(directory) / "state").iterdir())
            server.start()
            back = time.monotonic()
            wait_until(lambda: not floor.writer.state.trouble, 120.0)
            floor.measured_from_s = time.monotonic()
            while floor.writer.state.catching_up:
                time.sleep(0.2)
                most = max(most, me.memory_info().rss)
            floor.measured_from_s = float("inf")
            caught_s = time.monotonic() - back
            floor.end()
            lost = floor.committed - counted(server)
        finally:
            server.stop()
    return {
        "lost": lost,
        "memory": (most - before) / 1e6,
        "catch_up": caught_s,
        "live_delay": floor.worst_delay_s,
        "disk": disk / 1e6,
        "n": floor.committed,
    }


def main() -> int:
    """Print one JSON object per figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--agents", type=int)
    parser.add_argument("--away", type=float, help="How long it is away. [s]")
    given = parser.parse_args()
    agents = given.agents or (1_000 if given.quick else 10_000)
    away_s = given.away or (10.0 if given.quick else 1_800.0)
    found = measure(agents, away_s, 5.0 if given.quick else 30.0)
    units = {"lost": "points", "memory": "MB", "catch_up": "s", "live_delay": "s", "disk": "MB"}
    for name, unit in units.items():
        line = {"id": f"W2.{name}", "value": round(found[name], 1), "unit": unit, "n": found["n"]}
        print(json.dumps(line | {"agents": agents, "away_s": away_s}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
