"""P2, P3: how many agents one machine carries before windows are late, and what each of them costs.

The same servers and the same load as for P1 (`messages_path.py`), for floors of
growing size. P3 is the CPU of the server with its writer per window: the clock
on the wall tells as much about the machine as about us. P2 is the largest of
the floors tried whose windows were all in the journal before they were late
(15 s) and whose second half was no slower than a window's length: who falls
behind is late sooner or later. The load comes from this machine, too, and takes
about as much CPU for each window as the server does; ``sent_late_p99_ms`` tells
where the load itself could not keep up, and the floor counts as too big then.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from analytics.events import LIVE_WITHIN_S  # noqa: E402
from benchmarks.messages_path import Floor, measure, names, percentile  # noqa: E402
from sensors.messages import WINDOW_S  # noqa: E402

IDS = ("P2", "P3")

COST_SIZES = (100, 1_000, 10_000)
GROWING = (4_000, 6_000, 8_000, 10_000, 12_000, 16_000, 20_000)
QUICK_COST_SIZES = (50, 200)
QUICK_GROWING = (400,)


@dataclass(frozen=True, slots=True)
class Tried:
    """One size of a floor, and how it went."""

    agents: int
    windows: int
    cpu_us: dict[str, float]
    stored_s: list[float]
    settled_p99_ms: float
    sent_late_p99_ms: float
    missing: int

    @property
    def is_carried(self) -> bool:
        """Whether nothing was lost or late, and nothing was getting later."""
        in_time = len(self.stored_s) == self.windows and max(self.stored_s) <= LIVE_WITHIN_S
        keeps_up = max(self.settled_p99_ms, self.sent_late_p99_ms) <= 1000 * WINDOW_S
        return in_time and keeps_up and not self.missing

    def row(self) -> dict[str, object]:
        """Return what to say of it."""
        return {
            "agents": self.agents,
            "carried": self.is_carried,
            "stored_p99_ms": round(percentile(self.stored_s, 0.99), 1),
            "second_half_p99_ms": round(self.settled_p99_ms, 1),
            "sent_late_p99_ms": round(self.sent_late_p99_ms, 1),
            "missing": self.missing,
            **{f"{name}_us_per_window": round(cost, 1) for name, cost in self.cpu_us.items()},
        }


def tried(agents: int, seconds: float) -> Tried:
    """Return how a floor of `agents` went for `seconds`."""
    with tempfile.TemporaryDirectory() as directory:
        floor, found = measure(names(agents), seconds, Path(directory))
    windows = len(floor.ends)
    return Tried(
        agents=agents,
        windows=windows,
        cpu_us={name: 1e6 * spent_s / windows for name, spent_s in floor.cpu_s.items()},
        stored_s=list(floor.stored_s.values()),
        settled_p99_ms=percentile(_second_half(floor), 0.99),
        sent_late_p99_ms=percentile(floor.sent_late_s[windows // 2 :], 0.99),
        missing=len(set(floor.ends) - set(found)),
    )


def _second_half(floor: Floor) -> list[float]:
    middle = max(seq for _, seq in floor.ends) / 2
    return [took_s for (_, seq), took_s in floor.stored_s.items() if seq > middle]


def cost(sizes: tuple[int, ...], seconds: float) -> None:
    """Report P3: what a window costs on floors of each size; the ratio is the largest to the smallest."""
    found = [tried(agents, seconds) for agents in sizes]
    spent = [one.cpu_us["server"] + one.cpu_us.get("writer", 0.0) for one in found]
    for one, each in zip(found, spent, strict=True):
        row = {"id": "P3", "value": round(each, 1), "unit": "us of CPU/window", "peer": None}
        row |= {"ratio": round(each / spent[0], 3), "n": one.windows}
        print(json.dumps(row | one.row()), flush=True)


def grow(sizes: tuple[int, ...], seconds: float) -> None:
    """Report P2: the largest floor that was carried, having tried the next one."""
    carried, one = 0, None
    for agents in sizes:
        one = tried(agents, seconds)
        print(json.dumps(one.row()), file=sys.stderr, flush=True)
        if not one.is_carried:
            break
        carried = agents
    assert one is not None
    row = {"id": "P2", "value": carried, "unit": "agents", "peer": None, "ratio": None}
    row |= {"n": one.windows, "at_least": one.is_carried, "last_tried": one.row()}
    print(json.dumps(row), flush=True)


def main() -> int:
    """Print one JSON object per figure; on standard error, each size as it was tried."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only a few hundred agents")
    parser.add_argument("--only", choices=("P2", "P3"), help="one of the two")
    parser.add_argument("--seconds", type=float, help="how long each floor talks")
    parser.add_argument("--sizes", type=int, nargs="+", help="agents, in rising order")
    given = parser.parse_args()
    seconds = given.seconds or (10.0 if given.quick else 60.0)
    sizes = tuple(given.sizes or ())
    if given.only != "P2":
        cost(sizes or (QUICK_COST_SIZES if given.quick else COST_SIZES), seconds)
    if given.only != "P3":
        grow(sizes or (QUICK_GROWING if given.quick else GROWING), seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
