"""A collector for a ring whose dock sends lines of ``battery_percent,eda_us`` over TCP.

The ring is made up; everything else is what a real driver needs. README.md
walks through it.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from sensors.collector import Clock, Link, Note, Reading
from sensors.errors import ConfigurationError, DeviceError
from sensors.messages import Absence
from sensors.signals import SIGNALS, Channel

SILENCE_S = 10.0
"""Without a line for this long the ring counts as lost. [s] It sends four a second."""

OPTIONS = ("host", "port")


class TcpRing:
    """Skin conductance of one ring.

    Parameters
    ----------
    options : mapping
        ``[edge.options.tcp_ring]``: `host` (default 127.0.0.1) and `port` (default 7700) of its dock.

    Raises
    ------
    ConfigurationError
        Naming the option and what was expected.
    """

    channels = frozenset({Channel.MODULES})

    def __init__(self, options: Mapping[str, Any]) -> None:
        unknown = sorted(set(options) - set(OPTIONS))
        if unknown:
            raise ConfigurationError(
                f"tcp_ring: unknown option {unknown[0]!r}; known: {', '.join(OPTIONS)}"
            )
        self._host = str(options.get("host", "127.0.0.1"))
        self._port = options.get("port", 7700)
        if not isinstance(self._port, int) or not 1 <= self._port <= 65_535:
            raise ConfigurationError(f"tcp_ring: port is {self._port!r}; expected 1 to 65535")

    async def readings(self, clock: Clock) -> AsyncGenerator[Reading | Link | Note]:
        """Yield readings until closed.

        Raises
        ------
        DeviceError
            If the dock cannot be reached, hangs up or falls silent.
        """
        where = f"{self._host}:{self._port}"
        try:
            reader, writer = await asyncio.open_connection(self._host, self._port)
        except OSError as error:
            raise DeviceError(f"no ring at {where} ({error}); is its dock on?") from None
        try:
            is_worn: bool | None = None
            while True:
                line = await _line(reader, where)
                now_s = clock.monotonic_s()
                battery, eda_us = parse(line)
                if battery is not None:
                    yield Note(device=f"ring, battery {battery:.0f} %")
                if eda_us is None:
                    continue
                # Off the finger its electrodes are open: below what skin can be.
                worn = eda_us >= SIGNALS["eda_us"].low
                if worn is not is_worn:
                    is_worn = worn
                    yield Link(Channel.MODULES, "ok" if worn else Absence.NOT_WORN)
                if worn:
                    yield Reading("eda_us", eda_us, now_s)
        finally:
            writer.close()  # at once, also when the agent takes their consent back


async def _line(reader: asyncio.StreamReader, where: str) -> bytes:
    try:
        line = await asyncio.wait_for(reader.readline(), SILENCE_S)
    except TimeoutError:
        raise DeviceError(f"the ring at {where} has been silent for {SILENCE_S:g} s") from None
    except (OSError, ValueError) as error:  # reset, or a line without end
        raise DeviceError(f"the ring at {where} failed: {error}") from None
    if not line:
        raise DeviceError(f"the ring at {where} hung up")
    return line


def parse(line: bytes) -> tuple[float | None, float | None]:
    """Return battery [%] and skin conductance [uS] of one line; None for what cannot be read.

    Examples
    --------
    >>> parse(b"87,2.41")
    (87.0, 2.41)
    >>> parse(b"87,nan")
    (None, None)
    >>> parse(b"garbage")
    (None, None)
    """
    try:
        battery, eda_us = (float(part) for part in line.split(b","))
    except ValueError:
        return None, None
    # float() reads "nan" and "inf", too; neither says that the ring is off the finger.
    return (battery, eda_us) if math.isfinite(battery + eda_us) else (None, None)
