"""What the tests at a microphone share."""

from __future__ import annotations

from pathlib import Path

from sensors.collector import Link, Note
from sensors.signals import Channel

REPOSITORY = Path(__file__).parents[3]
VIRTUAL = {"allow_monitor": True}
OK = Link(Channel.VOICE, "ok")


async def opened(readings) -> bool:
    """Return once the input is open and its name was told."""
    return await anext(readings) == OK and isinstance(await anext(readings), Note)


def runs(pid: int) -> bool:
    """Return whether a process runs: one that ended and was not reaped does not."""
    path = Path(f"/proc/{pid}/stat")
    return path.exists() and ") Z " not in path.read_text()
