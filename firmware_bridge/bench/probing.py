"""Opens serial ports for a moment each and asks who is there."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from firmware_bridge.bench.scanning import Probe, Recognised
from firmware_bridge.ports.serial_port import SerialPort
from sensors.command_line import progress_bar
from sensors.errors import DeviceError

PROBE_S = 4.0
"""How long a port is given. [s] A board that starts anew when its port is opened, as many do,
needs one or two seconds, and is then asked again."""

MOST_AT_ONCE = 16


def probe_all(names: Sequence[str], baud: int, seconds: float) -> dict[str, Recognised]:
    """Return who is there, by port; all are asked at the same time, with a bar where one shows.

    Parameters
    ----------
    names : sequence of str
    baud : int
        Speed. [1/s]
    seconds : float
        Longest time for each. [s]
    """
    if not names:
        return {}
    over = threading.Event()
    with progress_bar() as bar, ThreadPoolExecutor(min(len(names), MOST_AT_ONCE)) as pool:
        task = bar.add_task("asking serial ports", total=len(names))
        asked = {pool.submit(probe, name, baud, seconds, over): name for name in names}
        found: dict[str, Recognised] = {}
        try:
            for one in as_completed(asked):
                found[asked[one]] = one.result()
                bar.advance(task)
        finally:
            over.set()  # after Ctrl-C nobody waits for the rest
    return {name: found[name] for name in names}


def probe(port: str, baud: int, seconds: float, over: threading.Event) -> Recognised:
    """Return who is at `port`; also when it cannot be opened, or goes away meanwhile."""
    asking = Probe(port)
    end_s = time.monotonic() + seconds
    try:
        with SerialPort(port, baud) as opened:
            asks = True
            while not (asking.is_done or over.is_set()) and time.monotonic() < end_s:
                due = asking.due(time.monotonic()) if asks else b""
                if due:
                    try:
                        opened.write(due)
                    except DeviceError:
                        asks = False  # it takes nothing; if it is gone, reading says so
                asking.feed(opened.read(), time.monotonic())
    except DeviceError as error:
        return Recognised(port, "unusable", fault=str(error).removeprefix(f"{port} "))
    return asking.result()
