"""A capture served as a board: what it sent, in its time, to whoever opens the port."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from firmware_bridge.ports.capture import Capture
from firmware_bridge.simulation.endpoints import Endpoint

_TURN_S = 0.01

_SETTLING_S = 0.3
"""Between opening and the first byte. [s] Hosts set a port up after they opened it, and drop what
came meanwhile."""


@dataclass(frozen=True, slots=True)
class Served:
    """Something that happened.

    Parameters
    ----------
    event : str
        ``opened``, ``closed`` or ``sent``: all of it.
    sent, lost : int
        Bytes since it was opened, and those that a full buffer did not take.
    """

    event: str
    sent: int
    lost: int

    def line(self) -> str:
        """Return it as a line of text."""
        if self.event == "opened":
            return "the port was opened by a host; sending from the start"
        lost = f", {self.lost} lost to a full buffer" if self.lost else ""
        what = "closed by the host" if self.event == "closed" else "all sent"
        return f"{what}: {self.sent} bytes{lost}"


def serve(
    capture: Capture, endpoint: Endpoint, speed: float, interrupted: threading.Event
) -> Iterator[Served]:
    """Send `capture` from its start each time a host opens the port; yield what happens.

    What the host writes is read and not answered.
    """
    try:
        while not interrupted.is_set():
            if not endpoint.is_open:
                interrupted.wait(_TURN_S)
                continue
            yield Served("opened", 0, 0)
            yield from _once(capture, endpoint, speed, interrupted)
    finally:
        endpoint.unplug()


def _once(
    capture: Capture, endpoint: Endpoint, speed: float, interrupted: threading.Event
) -> Iterator[Served]:
    interrupted.wait(_SETTLING_S)
    start_s, sent, lost = time.monotonic(), 0, 0

    def is_over() -> bool:
        return interrupted.is_set() or not endpoint.is_open

    for chunk in capture.chunks():
        if not chunk.from_board:
            continue
        due_s = start_s + chunk.at_ns / 1e9 / speed
        while not is_over() and time.monotonic() < due_s:
            endpoint.receive(min(_TURN_S, max(0.0, due_s - time.monotonic())))
        if is_over():
            break
        left = endpoint.send(chunk.data)
        # At the speed of the wire nothing need be lost; in real time a board would not wait.
        while speed == float("inf") and left and not is_over():
            endpoint.receive(_TURN_S)
            left = endpoint.send(chunk.data[-left:])
        sent, lost = sent + len(chunk.data) - left, lost + left
    else:
        yield Served("sent", sent, lost)
        while not is_over():
            endpoint.receive(_TURN_S)
    if not interrupted.is_set():
        yield Served("closed", sent, lost)
