"""R5: the Bluetooth link dropped 100 times; how long until beats flow after the device is back.

The production collector with its production settings over a virtual radio
(bumble: real advertising, ATT and GATT) on which connecting, discovering and
subscribing take as long as real stacks take at the least. Half of the drops
come while beats flow, half while the collector searches, connects, discovers
or subscribes. No other project publishes such a figure, so there is no peer;
beside it stands what the same radio takes to connect once, undisturbed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.sensors.heart_rate.drops import LATENCY_S, Drop, measure

IDS = ("R5.median", "R5.max", "R5.long_median", "R5.long_max", "R5.hung")
LONGEST_AWAY_S = 10.0
LONG_AWAY_S = (60.0, 75.0)  # after which the pauses between two looks have grown to their cap
LONG_COUNT = 20
SEED = 20261121


def report(name: str, drops: list[Drop], *, each: bool) -> None:
    """Print median and maximum, and with `each` every drop."""
    undisturbed_s = sum(LATENCY_S.values())
    peer = {
        "name": "connecting once, undisturbed, on the same radio",
        "value": round(undisturbed_s, 3),
    }
    recoveries = [drop.recovery_s for drop in drops]
    for figure, value in (("median", statistics.median(recoveries)), ("max", max(recoveries))):
        line = {"id": name + figure, "value": round(value, 3), "unit": "s", "peer": peer}
        print(json.dumps({**line, "ratio": round(value / undisturbed_s, 2), "n": len(drops)}))
    for number, drop in enumerate(drops if each else ()):
        print(
            f"drop {number:3}: {drop.moment_s:5.2f} s after the last beat or return, "
            f"away {drop.away_s:5.2f} s, beats again after {drop.recovery_s:5.2f} s",
            file=sys.stderr,
        )


async def long_absences(count: int, away_s: tuple[float, float]) -> tuple[list[Drop], int]:
    """Return one long absence of each of `count` headsets, side by side, and what hung."""
    shortest_s, longest_s = away_s
    found = await asyncio.gather(
        *(
            measure(1, SEED + number, shortest_away_s=shortest_s, longest_away_s=longest_s)
            for number in range(count)
        )
    )
    return [drops[0] for drops, _ in found], sum(source.hung_calls for _, source in found)


def main() -> int:
    """Drop the link, and print one JSON object per figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="12 drops instead of 100")
    parser.add_argument("--each", action="store_true", help="every drop, on standard error")
    options = parser.parse_args()
    count, away_s = (12, 2.0) if options.quick else (100, LONGEST_AWAY_S)
    drops, collector = asyncio.run(measure(count, SEED, longest_away_s=away_s))
    report("R5.", drops, each=options.each)
    count, long_s = (5, (12.0, 15.0)) if options.quick else (LONG_COUNT, LONG_AWAY_S)
    long_drops, hung = asyncio.run(long_absences(count, long_s))
    report("R5.long_", long_drops, each=options.each)
    hung += collector.hung_calls
    total = len(drops) + len(long_drops)
    print(json.dumps({"id": "R5.hung", "value": hung, "unit": "calls", "n": total}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
