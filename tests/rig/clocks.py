"""Clocks for collectors: the real one, and one that passes as soon as somebody waits for it."""

import asyncio
import time


class RealClock:
    """The clock that an edge hands to its collectors."""

    def monotonic_s(self) -> float:
        return time.monotonic()

    async def sleep_until(self, at_monotonic_s: float) -> None:
        await asyncio.sleep(max(0.0, at_monotonic_s - time.monotonic()))


class SteppedClock:
    """Jumps to whatever is waited for."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic_s(self) -> float:
        return self.now_s

    async def sleep_until(self, at_monotonic_s: float) -> None:
        self.now_s = max(self.now_s, at_monotonic_s)
        await asyncio.sleep(0)
