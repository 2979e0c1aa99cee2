"""Runs a simulated board at an endpoint, in real time, and tells what happens."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from firmware_bridge.simulation.board import Board
from firmware_bridge.simulation.endpoints import Endpoint
from firmware_bridge.simulation.happening import Happening, Watch
from firmware_bridge.simulation.settings import Kept
from sensors import codec
from sensors.errors import ConfigurationError

TURN_S = 0.01
"""The board is looked after so often. [s]"""


@dataclass(slots=True)
class Server:
    """One board at one endpoint.

    Parameters
    ----------
    board : Board
    endpoint : Endpoint
    state : Path or None
        Where its settings outlive this program.
    """

    board: Board
    endpoint: Endpoint
    state: Path | None = None
    bytes_sent: int = 0
    bytes_lost: int = 0
    """That a full buffer did not take."""
    _start_s: float = field(default_factory=time.monotonic)
    _was_open: bool = False
    _was_plugged: bool = True
    _watch: Watch = field(init=False)

    def __post_init__(self) -> None:
        self._watch = Watch(self.board.wearer, self.board.active_faults)

    def elapsed_s(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self._start_s

    def run(self, is_over: Callable[[float], bool]) -> Iterator[Happening]:
        """Run until `is_over` (of the seconds since the start); yield what happens."""
        try:
            while not is_over(at_s := self.elapsed_s()):
                yield from self._turn(at_s)
        finally:
            self.endpoint.unplug()

    def _turn(self, at_s: float) -> Iterator[Happening]:
        kept = self.board.kept
        asked = self.endpoint.receive(TURN_S)
        now_s = time.monotonic()
        said = self.board.take(asked, now_s) if asked else self.board.step(now_s)
        if self.endpoint.is_open:
            lost = self.endpoint.send(said)
            self.bytes_sent += len(said) - lost
            self.bytes_lost += lost
        elif not asked:
            time.sleep(TURN_S)  # nobody to wait for
        yield from self._plugging(at_s)
        yield from self._watch.changes(at_s)
        if self.board.kept is not kept:
            yield self._keep(at_s)

    def _plugging(self, at_s: float) -> Iterator[Happening]:
        plugged = self.board.is_plugged
        if plugged is not self._was_plugged:
            self._was_plugged = plugged
            if plugged:
                self.endpoint.plug()
                port = self.endpoint.port
                yield Happening(at_s, "plugged", f"plugged in again: {port}", {"port": port})
            else:
                self.endpoint.unplug()
                yield Happening(at_s, "unplugged", "the cable is out")
        is_open = self.endpoint.is_open
        if is_open is not self._was_open:
            self._was_open = is_open
            event = "opened" if is_open else "closed"
            yield Happening(at_s, event, f"the port was {event} by a host")

    def _keep(self, at_s: float) -> Happening:
        kept = self.board.kept
        if self.state is not None:
            write_kept(self.state, kept)
        rates = {signal: rate / 1000 for signal, rate in kept.rates_mhz.items()}
        named = f"device id {kept.device_id!r}"
        rated = ", ".join(f"{signal} at {rate:g} Hz" for signal, rate in rates.items())
        text = f"kept: {named}" + (f", {rated}" if rated else "")
        return Happening(at_s, "kept", text, {"device_id": kept.device_id, "rates_hz": rates})


def read_kept(path: Path) -> Kept:
    """Return what was kept in `path`; nothing if it is not there.

    Raises
    ------
    ConfigurationError
        If it cannot be read.
    """
    try:
        return codec.convert(codec.load_json(path.read_bytes()), Kept)
    except FileNotFoundError:
        return Kept()
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"--state is {path}, which cannot be read: {error}") from None


def write_kept(path: Path, kept: Kept) -> None:
    """Write `kept` to `path`, whole or not at all.

    Raises
    ------
    ConfigurationError
        If it cannot be written.
    """
    fresh = path.with_name(path.name + ".new")
    plain = {"device_id": kept.device_id, "rates_mhz": dict(kept.rates_mhz)}
    try:
        fresh.write_bytes(codec.dump_json(plain))
        fresh.replace(path)
    except OSError as error:
        raise ConfigurationError(
            f"--state is {path}, which cannot be written: {error.strerror or error}"
        ) from None
