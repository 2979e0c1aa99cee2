"""What the tests on a real X server share."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import aclosing, contextmanager

from sensors.collector import Link, Reading
from sensors.hid.listener import HidCollector
from sensors.signals import Channel
from tests.rig.clocks import RealClock
from tests.rig.display import Display
from tests.rig.waiting import PATIENCE_S

KEYBOARD, POINTER = {"channels": ["keyboard"]}, {"channels": ["pointer"]}
SENT = ["getmouselocation"]  # a question to the server: xdotool sends what it has gathered
KEYBOARD_OK, POINTER_OK = Link(Channel.KEYBOARD, "ok"), Link(Channel.POINTER, "ok")


async def xdotool(display: Display, *words: str) -> None:
    process = await asyncio.create_subprocess_exec("xdotool", *words, env=display.environ)
    assert await process.wait() == 0


@contextmanager
def remapped(display: Display, code: int, name: str) -> Iterator[None]:
    """Give a key another meaning."""
    from Xlib import XK  # noqa: PLC0415 - comes with pynput on Linux
    from Xlib.display import Display as Connection  # noqa: PLC0415

    connection = Connection(display.name)
    before = connection.get_keyboard_mapping(code, 1)
    try:
        keysym = XK.string_to_keysym(name)
        connection.change_keyboard_mapping(code, [[keysym] * len(before[0])])
        connection.sync()
        yield
    finally:
        connection.change_keyboard_mapping(code, before)
        connection.sync()
        connection.close()


async def gather(
    collector: HidCollector, display: Display, *commands: list[str], last: str, count: int
):
    """Return links and readings until `count` of signal `last` have come."""
    links, readings = [], []
    async with asyncio.timeout(PATIENCE_S), aclosing(collector.readings(RealClock())) as found:
        async for item in found:
            if isinstance(item, Link):
                links.append(item)
                if len(links) == len(collector.channels):
                    for words in commands:
                        await xdotool(display, *words)
                continue
            readings.append(item)
            if sum(r.signal == last for r in readings) >= count:
                break
    return links, readings


def values(readings: list[Reading], signal: str) -> list[float]:
    return [r.value for r in readings if r.signal == signal]
