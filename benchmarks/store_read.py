"""W3: what a dashboard asks: 8 h of one agent, and now of 1,000 agents.

Against a real InfluxDB 1.6 and against the embedded file, through the typed
query layer, with a floor's history in them. Eight hours are asked for at the
width of a picture, as a page does; beside it the same points one by one, by a
bare request or statement that decodes the answer and makes nothing of it.
Median of nine; the database is on this machine and everything is in its
cache, as it is on a dashboard that asks every second.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from analytics.store.base import Aggregate, Query, Store  # noqa: E402
from analytics.store.opening import open_store  # noqa: E402
from analytics.store.points import FieldValue, Measurement, Point, point_time_ns  # noqa: E402
from analytics.store.sampling import interval_for  # noqa: E402
from analytics.store.settings import StoreSettings  # noqa: E402
from tests.rig import Influxd  # noqa: E402

IDS = (
    "W3.day_influxdb",
    "W3.day_embedded",
    "W3.now_influxdb",
    "W3.now_embedded",
)

SITE, RUN = "bench", "benchrun1"
WIDTH = 1_000
"""Points of the picture that eight hours are drawn into."""

LOOK_BACK = timedelta(hours=2)  # as the dashboard's
TARGET_MS = {"day": 200.0, "now": 300.0}
REPEATS = 9


def history(agent: str, end_at: datetime, windows: int) -> Iterator[Point]:
    """Yield the last `windows` of an agent: what was read and what was made of it."""
    for seq in range(windows):
        time_ns = point_time_ns(end_at - timedelta(seconds=5 * (windows - seq)), RUN)
        shared: dict[str, FieldValue] = {"run": RUN, "seq": seq, "utc_offset_min": 60}
        tags = {"site": SITE, "agent": agent}
        sent: dict[str, FieldValue] = {
            **shared, "late": False, "hr_bpm": 60.0 + seq % 30, "contact": 1.0,
            "quality_heart": 0.95, "key_presses": float(seq % 20), "dwell_ms": 98.5,
            "flight_ms": 140.25, "quality_keyboard": 1.0, "eda_us": 4.0 + seq % 7 / 10,
            "quality_modules": 0.9,
        }  # fmt: skip
        yield Point(Measurement.READING, {**tags, "source": "pc"}, sent, time_ns)
        judged: dict[str, FieldValue] = {
            **shared, "state": "as_usual", "score": 0.5, "strain_index": 12.5, "evidence": 0.1,
            "quality": 0.93, "level_heart": 0, "level_skin": 1, "level_typing": 0,
            "clock_offset_ms": 3.5, "team": "billing", "late": False, "detector_version": "bench",
        }  # fmt: skip
        yield Point(Measurement.SCORE, tags, judged, time_ns)


def fill(store: Store, agents: int, minutes: int, end_at: datetime) -> None:
    """Write the floor: `minutes` of everybody, eight hours of the first."""
    batch: list[Point] = []
    for number in range(agents):
        windows = 8 * 720 if number == 0 else minutes * 12
        batch += history(f"a{number:04d}", end_at, windows)
        if len(batch) >= 20_000 or number == agents - 1:
            refused = store.write(batch).refused
            assert not refused, refused[0]
            batch = []


def day(end_at: datetime) -> Query:
    """Return the question of a page that draws eight hours of one agent."""
    start_at = end_at - timedelta(hours=8)
    return Query(
        measurement=Measurement.READING,
        site=SITE,
        fields=("hr_bpm", "eda_us", "quality_heart"),
        agents=("a0000",),
        start_at=start_at,
        end_at=end_at,
        aggregates=(Aggregate.MEAN,),
        every=interval_for(start_at, end_at, WIDTH),
    )


def now(end_at: datetime, agents: int) -> Query:
    """Return the question behind the supervisor's screen."""
    return Query(
        measurement=Measurement.SCORE,
        site=SITE,
        fields=("state", "clock_offset_ms"),
        agents=tuple(f"a{number:04d}" for number in range(agents)),
        start_at=end_at - LOOK_BACK,
        latest=True,
    )


def median_ms(work: Callable[[], int], expected: int) -> float:
    """Return how long `work` takes, and be sure that it finds what is there."""
    took = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        found = work()
        took.append(1000 * (time.perf_counter() - start))
        assert found == expected, f"{found} rows instead of {expected}"
    return statistics.median(took)


def bare_request(url: str, agents: int, end_at: datetime) -> dict[str, Callable[[], int]]:
    """Return the same points, asked for by hand and not down-sampled."""
    start_ns = int((end_at - timedelta(hours=8)).timestamp()) * 1_000_000_000
    statements = {
        "day": 'SELECT "hr_bpm", "eda_us", "quality_heart" FROM "wellbeing"."raw"."reading"'
        f" WHERE \"site\" = '{SITE}' AND \"agent\" = 'a0000' AND time >= {start_ns}",
        "now": 'SELECT "state", "clock_offset_ms" FROM "wellbeing"."derived"."score"'
        f' WHERE "site" = \'{SITE}\' AND time >= {start_ns} GROUP BY "agent"'
        " ORDER BY time DESC LIMIT 1",
    }

    def ask(statement: str) -> int:
        form = urlencode({"q": statement, "epoch": "ns"}).encode()
        with urllib.request.urlopen(f"{url}/query", form) as answer:
            series = json.load(answer)["results"][0]["series"]
        return sum(len(one["values"]) for one in series)

    del agents
    return {name: lambda s=s: ask(s) for name, s in statements.items()}  # type: ignore[misc]


def bare_statement(path: Path, end_at: datetime) -> dict[str, Callable[[], int]]:
    """Return the same points from the file, by plain SQL and not down-sampled."""
    connection = sqlite3.connect(path)
    start_ns = int((end_at - timedelta(hours=8)).timestamp()) * 1_000_000_000
    day_sql = (
        "SELECT m.* FROM reading m JOIN series s ON s.id = m.series"
        " WHERE s.measurement = 'reading' AND s.agent = 'a0000' AND m.time_ns >= ?"
    )
    now_sql = (
        "SELECT m.series, max(m.time_ns), m.* FROM score m JOIN series s ON s.id = m.series"
        " WHERE s.measurement = 'score' AND m.time_ns >= ? GROUP BY m.series"
    )
    return {
        name: lambda sql=sql: len(connection.execute(sql, (start_ns,)).fetchall())  # type: ignore[misc]
        for name, sql in (("day", day_sql), ("now", now_sql))
    }


def lines(
    store: Store, kind: str, bare: dict[str, Callable[[], int]], agents: int, end_at: datetime
) -> Iterator[dict[str, object]]:
    """Yield the two results of one store."""
    step_s = interval_for(end_at - timedelta(hours=8), end_at, WIDTH).total_seconds()
    asked = {"day": (day(end_at), round(8 * 3600 / step_s), 8 * 720), "now": (now(end_at, agents), agents, agents)}  # fmt: skip
    for name, (query, expected, points) in asked.items():
        ours = median_ms(lambda q=query: len(store.read(q)), expected)  # type: ignore[misc]
        theirs = median_ms(bare[name], points)
        yield {
            "id": f"W3.{name}_{kind}",
            "what": {"day": "8 h of one agent", "now": f"now of {agents:,} agents"}[name],
            "value": round(ours, 1),
            "unit": "ms",
            "target": TARGET_MS[name],
            "peer": {"name": "bare, every point", "value": round(theirs, 1)},
            "ratio": round(ours / theirs, 2),
            "n": REPEATS,
        }


def main() -> int:
    """Print one JSON object per question and store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="5 minutes of history, not 60")
    parser.add_argument("--agents", type=int, default=1_000)
    arguments = parser.parse_args()
    minutes = 5 if arguments.quick else 60
    # On the grid, so that eight hours are a whole number of stretches.
    end_at = datetime.fromtimestamp(time.time() // 60 * 60, UTC)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "store.sqlite"
        server = Influxd(Path(name))
        server.start()
        try:
            stores = {
                "influxdb": open_store(StoreSettings(kind="influxdb", url=server.url)),
                "embedded": open_store(StoreSettings(path=str(path))),
            }
            stores["influxdb"].prepare()
            for kind, store in stores.items():
                fill(store, arguments.agents, minutes, end_at)
                bare = (
                    bare_request(server.url, arguments.agents, end_at)
                    if kind == "influxdb"
                    else bare_statement(path, end_at)
                )
                for line in lines(store, kind, bare, arguments.agents, end_at):
                    print(json.dumps(line), flush=True)
                store.close()
        finally:
            server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
