"""R4, the edge's part: killed 100 times at random moments; the broker away for 10 minutes.

A real Mosquitto and the real edge as a process of its own, its windows ten
times as fast; a stand-in for the server answers `stored`. What the outbox had
committed, the edge wrote down itself; all of it must arrive, and never two
windows under one number. For the outage the broker is killed in the middle of
ten minutes of the edge's time, loses what it had, and comes back.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.rig import Mosquitto, wait_until  # noqa: E402
from tests.sensors.edge.conftest import FastTime  # noqa: E402
from tests.sensors.edge.killing import edge, kill_again_and_again, promises  # noqa: E402
from tests.sensors.edge.standin import StandIn  # noqa: E402

IDS = ("R4.edge_killed", "R4.broker_away")

AWAY_S = 600.0


def outage(broker: Mosquitto, folder: Path, away_s: float) -> tuple[int, int, float]:
    """Return windows promised, windows lost, and how long the backlog took. [s]."""
    server = StandIn(broker.port).start()
    process = edge(broker.port, folder)
    try:
        wait_until(lambda: len(server.windows) >= 3, timeout=60)
        server.stop()
        broker.kill()
        time.sleep(away_s / FastTime.SPEED)
        broker.start()
        back_s = time.monotonic()
        waited = promises(folder)
        server.start()
        with contextlib.suppress(AssertionError):  # then what is missing is the result
            wait_until(lambda: all(("k7", *key) in server.heard for key in waited), timeout=120)
        took_s = time.monotonic() - back_s
    finally:
        process.terminate()
        process.wait(30)
    lost = sum(("k7", *key) not in server.heard for key in waited)
    server.stop()
    return len(waited), lost, took_s


def main() -> int:
    """Print one JSON object per figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="5 kills, one minute away")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    kills, away_s = (5, AWAY_S / 10) if given.quick else (100, AWAY_S)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        broker = Mosquitto(folder / "mosquitto")
        broker.start()
        try:
            for name in ("killed", "away"):
                (folder / name).mkdir()
            found = kill_again_and_again(
                broker.port, folder / "killed", kills, random.Random(given.seed)
            )
            line = {"id": "R4.edge_killed", "value": found.lost, "unit": "windows lost", "n": kills}
            more = {
                "promised": found.promised,
                "two_windows_under_one_number": found.two_faced,
                "killed_before_the_first_window": found.stopped_in_start,
            }
            print(json.dumps(line | more), flush=True)
            promised, lost, took_s = outage(broker, folder / "away", away_s)
            line = {"id": "R4.broker_away", "value": lost, "unit": "windows lost", "n": promised}
            print(json.dumps(line | {"away_s": away_s, "backlog_s": round(took_s, 1)}), flush=True)
        finally:
            broker.stop()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
