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

IDS = ("R5.median", "R5.max", "R5.hung")
LONGEST_AWAY_S = 10.0
SEED = 20261121


def report(drops: list[Drop], hung: int, *, each: bool) -> None:
    """Print the figures, and with `each` every drop."""
    recoveries = [drop.recovery_s for drop in drops]
    undisturbed = {
        "name": "connecting once, undisturbed, on the same radio",
        "value": round(sum(LATENCY_S.values()), 3),
    }
    figures = (
        ("R5.median", statistics.median(recoveries), "s"),
        ("R5.max", max(recoveries), "s"),
    )
    for name, value, unit in figures:
        ratio = round(value / undisturbed["value"], 2)  # type: ignore[operator]
        line = {"id": name, "value": round(value, 3), "unit": unit, "peer": undisturbed}
        print(json.dumps({**line, "ratio": ratio, "n": len(drops)}))
    print(json.dumps({"id": "R5.hung", "value": hung, "unit": "calls", "n": len(drops)}))
    for number, drop in enumerate(drops if each else ()):
        print(
            f"drop {number:3}: {drop.moment_s:5.2f} s after the last beat or return, "
            f"away {drop.away_s:5.2f} s, beats again after {drop.recovery_s:5.2f} s",
            file=sys.stderr,
        )


def main() -> int:
    """Drop the link, and print one JSON object per figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="12 drops instead of 100")
    parser.add_argument("--each", action="store_true", help="every drop, on standard error")
    options = parser.parse_args()
    count, away_s = (12, 2.0) if options.quick else (100, LONGEST_AWAY_S)
    drops, collector = asyncio.run(measure(count, SEED, longest_away_s=away_s))
    report(drops, collector.hung_calls, each=options.each)
    return 0


if __name__ == "__main__":
    sys.exit(main())
