"""W1: points of 12 fields per second into a real InfluxDB 1.x through our writer.

The peer posts the same points as lines that were formatted before the clock
started, in requests of the same size and as many at a time as ours has on
their way: nothing can be faster than that. (``one_at_a_time`` is the same peer
over one connection, which waits between an answer and the next request.) Ours
takes rows of the spool, as the writer's process does: unpacks, posts, and reads
what the server refuses. ``with_formatting`` takes points instead, and checks
and formats them first, which otherwise happens where they are packed for the
spool (``W1.pack``). Rounds alternate, each into a database of its own; the
median counts.
"""

from __future__ import annotations

import argparse
import http.client
import json
import queue
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import urlencode, urlsplit

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from analytics.state.packing import LinePacker, read, together  # noqa: E402
from analytics.store.formatted import Formatted  # noqa: E402
from analytics.store.influx import InfluxStore  # noqa: E402
from analytics.store.influx_writing import BATCH, IN_FLIGHT  # noqa: E402
from analytics.store.line_protocol import Encoder  # noqa: E402
from analytics.store.points import Measurement, Point  # noqa: E402
from analytics.store.settings import StoreSettings  # noqa: E402
from analytics.writing.spool import POINTS_AT_ONCE  # noqa: E402
from tests.rig import Influxd  # noqa: E402

IDS = ("W1", "W1.format", "W1.pack")

FIELDS = tuple(f"signal_{n:02d}" for n in range(12))
AGENTS = 1_000


def made_points(count: int) -> list[Point]:
    """Return points of 12 random fields, an agent after the other, five seconds apart."""
    rng = random.Random(1)
    begin_ns = (int(time.time()) - 5 * (count // AGENTS + 1)) * 10**9
    return [
        Point(
            Measurement.FEATURE,
            {"site": "bench", "agent": f"k{n % AGENTS}"},
            {name: rng.gauss(50.0, 10.0) for name in FIELDS},
            begin_ns + (n // AGENTS) * 5 * 10**9,
        )
        for n in range(count)
    ]


def ours(settings: StoreSettings, batches: Iterable[Sequence[Point]]) -> float:
    """Return points per second through the store."""
    store = InfluxStore(settings)
    store.prepare()
    started = time.perf_counter()
    written = 0
    for batch in batches:
        report = store.write(batch)
        assert not report.refused
        written += report.written
    took_s = time.perf_counter() - started
    store.close()
    return written / took_s


def from_spool(rows: Sequence[tuple[int, bytes]]) -> Iterator[Sequence[Point]]:
    """Yield what the writer's process takes out of the spool at a time."""
    taken: list[Formatted] = []
    for _, payload in rows:
        taken.append(read(payload))
        if sum(map(len, taken)) >= POINTS_AT_ONCE:
            yield together(taken)
            taken = []
    if taken:
        yield together(taken)


def as_points(points: Sequence[Point]) -> Iterator[Sequence[Point]]:
    """Yield so many points at a time."""
    for start in range(0, len(points), POINTS_AT_ONCE):
        yield points[start : start + POINTS_AT_ONCE]


def preformatted(
    settings: StoreSettings, bodies: Sequence[bytes], count: int, at_once: int
) -> float:
    """Return points per second of posting lines that are there already, over `at_once` connections."""
    store = InfluxStore(settings)
    store.prepare()
    store.close()
    target = urlencode({"db": settings.database, "rp": "derived", "precision": "ns"})
    waiting = queue.SimpleQueue[bytes]()
    for body in bodies:
        waiting.put(body)

    def post() -> None:
        with closing(http.client.HTTPConnection(urlsplit(settings.url).netloc)) as connection:
            while not waiting.empty():
                with suppress(queue.Empty):
                    connection.request("POST", f"/write?{target}", waiting.get_nowait())
                    answer = connection.getresponse()
                    answer.read()
                    assert answer.status == 204

    with ThreadPoolExecutor(at_once) as posting:
        started = time.perf_counter()
        for done in [posting.submit(post) for _ in range(at_once)]:
            done.result()
        return count / (time.perf_counter() - started)


def measure(count: int, rounds: int) -> list[float]:
    """Return points per second: ours, the peer's, its over one connection, ours with formatting."""
    points = made_points(count)
    rows = LinePacker().pack(points)
    lines, _, _ = Encoder().lines(points)
    bodies = [b"\n".join(lines[n : n + BATCH]) for n in range(0, len(lines), BATCH)]
    del lines
    found: list[tuple[float, ...]] = []
    with tempfile.TemporaryDirectory() as directory:
        server = Influxd(Path(directory))
        server.start()
        try:
            for number in range(rounds + 1):
                url = server.url
                a, b, c, d = (
                    StoreSettings(kind="influxdb", url=url, database=f"{name}{number}")
                    for name in ("ours", "peer", "single", "points")
                )
                found.append(
                    (
                        ours(a, from_spool(rows)),
                        preformatted(b, bodies, count, IN_FLIGHT),
                        preformatted(c, bodies, count, 1),
                        ours(d, as_points(points)),
                    )
                )
        finally:
            server.stop()
    # The first round warms all of them up.
    return [statistics.median(one) for one in zip(*found[1:], strict=True)]


def format_rate(count: int) -> float:
    """Return lines formatted per second of CPU."""
    points, encoder = made_points(count), Encoder()
    encoder.lines(points[:AGENTS])
    started = time.process_time()
    encoder.lines(points)
    return count / (time.process_time() - started)


def pack_rate(count: int) -> float:
    """Return points formatted and compressed for the spool per second of CPU."""
    points, packer = made_points(count), LinePacker()
    packer.pack(points[:AGENTS])
    started = time.process_time()
    packer.pack(points)
    return count / (time.process_time() - started)


def main() -> int:
    """Print one JSON object per figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    count, rounds = (40_000, 3) if quick else (200_000, 7)
    value, peer, single, with_formatting = measure(count, rounds)
    lines = [
        {
            "id": "W1",
            "value": round(value),
            "unit": "points/s",
            "peer": {"name": "preformatted lines", "value": round(peer)},
            "ratio": round(value / peer, 3),
            "one_at_a_time": round(single),
            "with_formatting": round(with_formatting),
            "n": count * rounds,
        },
        {
            "id": "W1.format",
            "value": round(format_rate(count)),
            "unit": "points/s/core",
            "n": count,
        },
        {"id": "W1.pack", "value": round(pack_rate(count)), "unit": "points/s/core", "n": count},
    ]
    for line in lines:
        print(json.dumps(line))
    return 0


if __name__ == "__main__":
    sys.exit(main())
