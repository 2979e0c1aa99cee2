"""A collector in a process of its own: says when it listens and how many keys it timed.

``COUNT``: after so many presses and releases it says so, and waits to be ended.
"""

import asyncio
import faulthandler
import sys

from sensors.collector import Link
from sensors.hid.listener import create
from tests.rig.clocks import RealClock


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


async def main(count: int) -> None:
    faulthandler.enable()  # a crash report as people send them
    timed = 0
    async for item in create({"channels": ["keyboard"]}).readings(RealClock()):
        if isinstance(item, Link):
            say("listening")
            continue
        timed += item.signal == "dwell_ms"
        if timed == count:
            say("timed")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
