"""``firmware-bridge monitor``: what a board sends, while it sends it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from firmware_bridge.bench.monitoring import Monitor
from firmware_bridge.bench.presenting import Lines, Screen, present
from firmware_bridge.bench.tapping import Step, Tap
from firmware_bridge.bench.watching import Heard
from firmware_bridge.commands.feeds import feed_of
from firmware_bridge.commands.options import (
    BAUD,
    BaudOption,
    CsvOption,
    PlainOption,
    PortOption,
    RateOption,
    SecondsOption,
    interruptible,
    is_plain,
)
from firmware_bridge.ports.serial_port import SerialPort
from sensors.command_line import JsonOption
from sensors.errors import DeviceError

_AGAIN_S = 0.5


def monitor(  # noqa: PLR0917 - typer calls it by name
    port: PortOption,
    csv: CsvOption = None,
    rate: RateOption = None,
    baud: BaudOption = BAUD,
    seconds: SecondsOption = None,
    every: Annotated[
        float, typer.Option(min=0.05, help="A line this often, where lines are printed. [s]")
    ] = 1.0,
    stay: Annotated[
        bool, typer.Option("--stay", help="Wait for the board, also when it is unplugged.")
    ] = False,
    plain: PlainOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show what a board sends, live; Ctrl-C ends.

    Values with a plot each, beats, rates, losses, clock, battery and the
    board's own lines.
    """
    feed = feed_of(csv, rate)
    watching = Monitor(0.0)
    if as_json or is_plain(plain):
        view: Lines | Screen = Lines(every, as_json=as_json)
    else:
        view = Screen(watching, port)
    steps = _read(port, baud, Tap(feed), seconds, stay=stay)
    first = next(steps, None)  # opens the port: what is wrong with it is said on the shell's screen
    with view:
        for _ in present(_chained(first, steps), feed, watching, view, port):
            pass
    trouble = feed.trouble(port)
    if trouble:
        raise DeviceError(trouble)


def _chained(first: Step | None, rest: Iterator[Step]) -> Iterator[Step]:
    if first is not None:
        yield first
        yield from rest


def _read(port: str, baud: int, tap: Tap, seconds: float | None, *, stay: bool) -> Iterator[Step]:
    """Yield what arrives until the time is over or Ctrl-C; through unplugging if to `stay`."""
    with interruptible() as interrupted:

        def is_over() -> bool:
            return interrupted.is_set() or (seconds is not None and tap.now_s() >= seconds)

        told = ""
        while not is_over():
            try:
                with SerialPort(port, baud) as opened:
                    told = ""
                    tap.opened()
                    while not is_over():
                        yield tap.step(opened)
            except DeviceError as error:
                if not stay:
                    raise
                news = () if str(error) == told else (f"{error}; waiting for it",)
                told = str(error)
                yield Step(tap.now_s(), Heard(log=news), 0)
                interrupted.wait(_AGAIN_S)
