"""The `wellbeing` command with the edge's clock forty times as fast: ``python -m tests.trust.hurried VERB ...``.

A window then lasts an eighth of a second.
`wellbeing me` starts its edge in the same hurry.
"""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import UTC, datetime, timedelta

import wellbeing
from sensors.edge.running import process

SPEED = 40.0


class Hurried:
    """The system's clocks, forty times as fast."""

    def __init__(self) -> None:
        self._start_s, self._start_at = time.monotonic(), datetime.now(UTC)

    def monotonic_s(self) -> float:
        return 5000.0 + (time.monotonic() - self._start_s) * SPEED

    def wall_at(self) -> datetime:
        return self._start_at + timedelta(seconds=self.monotonic_s() - 5000.0)

    async def sleep_until(self, at_monotonic_s: float) -> None:
        while (left_s := at_monotonic_s - self.monotonic_s()) > 0:  # noqa: ASYNC110 - may wake early
            await asyncio.sleep(left_s / SPEED)


def main() -> int:
    """Run the verb."""
    if sys.argv[1] == "me":
        from analytics.one_machine import me  # noqa: PLC0415 - the edge itself needs no server

        me.EDGE = ("-m", "tests.trust.hurried", "edge")
    else:
        process.SystemTime = Hurried
    return wellbeing.main(sys.argv[1:])


if __name__ == "__main__":
    raise SystemExit(main())
