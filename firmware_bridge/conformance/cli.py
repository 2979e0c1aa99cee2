"""``firmware-bridge check``: every requirement of hardware.md as a named test."""

from __future__ import annotations

import asyncio
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from firmware_bridge.bench import headsets
from firmware_bridge.commands.options import (
    BAUD,
    BaudOption,
    BluetoothOption,
    EitherPortOption,
    UnpairedOption,
    check_one,
    interruptible,
    note,
    print_json,
)
from firmware_bridge.conformance import heart_check
from firmware_bridge.conformance.examination import SHORTEST_S
from firmware_bridge.conformance.heart_trace import HeartTrace
from firmware_bridge.conformance.page import page
from firmware_bridge.conformance.report import Report
from firmware_bridge.conformance.serial_check import Ending, examine
from firmware_bridge.conformance.serial_check import report as serial_report
from firmware_bridge.conformance.trace import Trace
from firmware_bridge.ports.serial_port import SerialPort
from sensors.command_line import INTERRUPTED, JsonOption, progress_bar
from sensors.errors import ConfigurationError

_SECONDS = 30.0
FAILED = 1
"""Exit code when a requirement is not met."""

LookOption = Annotated[
    float,
    typer.Option(
        min=5.0, help=f"How long to look at it; a board takes {SHORTEST_S:g} at least. [s]"
    ),
]
ReportOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE.html", help="Write a page with plots.", show_default=False),
]
OneWayOption = Annotated[
    bool, typer.Option("--one-way", help="The board cannot be asked: its RX is not wired.")
]
SlackOption = Annotated[
    float,
    typer.Option(min=0.0, max=10.0, help="Widen every limit, for slow links and hosts. [s]"),
]


def check(  # noqa: PLR0917 - typer calls it by name
    port: EitherPortOption = None,
    bluetooth: BluetoothOption = None,
    seconds: LookOption = _SECONDS,
    report: ReportOption = None,
    one_way: OneWayOption = False,
    unpaired: UnpairedOption = False,
    slack: SlackOption = 0.25,
    baud: BaudOption = BAUD,
    as_json: JsonOption = False,
) -> None:
    """Check a board or headset against all that hardware.md requires.

    The board's settings are tried and set back. Ends with 0 if every requirement that
    applies is met, with 1 if one is not, with 2 if the command cannot be carried out so.
    """
    check_one("check", port, bluetooth)
    if port is not None:
        _check_look(seconds)
    if report is not None:
        _check_writable(report)
    if port is not None:
        found = _check_port(port, baud, seconds, Trace(slack_s=slack, is_one_way=one_way))
    else:
        found = _check_headset(str(bluetooth), seconds, slack, unpaired=unpaired)
    if report is not None:
        _write(report, found)
    if as_json:
        print_json(found.plain())
    else:
        for line in found.lines():
            typer.echo(line)
    if found.is_cut_short:
        raise typer.Exit(INTERRUPTED)
    if not found.is_passed:
        raise typer.Exit(FAILED)


def _check_look(seconds: float) -> None:
    if seconds < SHORTEST_S:
        raise ConfigurationError(
            f"--seconds is {seconds:g}; a board takes {SHORTEST_S:g} at least: HELLO has to come "
            "by itself"
        )


def _check_port(port: str, baud: int, seconds: float, trace: Trace) -> Report:
    with SerialPort(port, baud) as opened, progress_bar() as bar, interruptible() as interrupted:
        task = bar.add_task(f"checking {port}", total=seconds)

        def tick(at_s: float) -> bool:
            bar.update(task, completed=at_s)
            return interrupted.is_set()

        ending = examine(opened, seconds, trace, tick)
    _note_owed_id(port, ending)
    return serial_report(port, trace, is_whole=ending.is_whole)


def _note_owed_id(port: str, ending: Ending) -> None:
    """Say so where another device id may have been left behind."""
    if ending.owed_id is not None:
        note(
            f"{port} did not say that it has its own device id again; run: firmware-bridge "
            f"provision --port {quote(port)} --device-id {quote(ending.owed_id)}"
        )


def _check_headset(address: str, seconds: float, slack: float, *, unpaired: bool) -> Report:
    trace = HeartTrace(slack_s=slack)
    with progress_bar() as bar, interruptible() as interrupted:
        task = bar.add_task(f"checking {address}", total=seconds)

        def tick(at_s: float) -> bool:
            bar.update(task, completed=at_s)
            return interrupted.is_set()

        async def run() -> bool:
            radio = await headsets.open_radio()
            return await heart_check.HeartExamination(
                radio, address, seconds, trace, tick, unpaired
            ).run()

        is_whole = asyncio.run(run())
    return heart_check.report(address, trace, is_whole=is_whole)


def _check_writable(path: Path) -> None:
    """Say now what would be said after half a minute."""
    if path.suffix.casefold() not in {".html", ".htm"}:
        raise ConfigurationError(f"--report is {path}; expected a name that ends in .html")
    is_new = not path.exists()
    try:
        path.open("ab").close()
        if is_new:
            path.unlink()
    except OSError as error:
        raise ConfigurationError(f"--report is {path}; {error.strerror or error}") from None


def _write(path: Path, found: Report) -> None:
    try:
        path.write_text(page(found), encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"--report is {path}; {error.strerror or error}") from None
    note(f"report: {path}")
