"""``firmware-bridge scan``: serial ports and Bluetooth headsets, and what was recognised."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, replace
from typing import Annotated

import typer

from firmware_bridge.bench import headsets
from firmware_bridge.bench.headsets import Headset, look_around
from firmware_bridge.bench.probing import PROBE_S, probe_all
from firmware_bridge.bench.scanning import Recognised
from firmware_bridge.commands.options import BAUD, BaudOption, print_json
from firmware_bridge.commands.ports import NONE, told
from firmware_bridge.ports.serial_port import ports
from sensors.command_line import JsonOption, progress_bar
from sensors.errors import WellbeingError

_LOOK_S = 5.0


def scan(  # noqa: PLR0917 - typer calls it by name
    baud: BaudOption = BAUD,
    seconds: Annotated[
        float, typer.Option(min=0.5, help="How long to look, for each kind. [s]")
    ] = _LOOK_S,
    serial: Annotated[bool, typer.Option(help="Ask the serial ports.")] = True,
    bluetooth: Annotated[bool, typer.Option(help="Look for Bluetooth headsets.")] = True,
    port: Annotated[
        list[str] | None,
        typer.Option(
            help="Ask this port, also one that is not listed; repeat.", show_default=False
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Look for boards and headsets, and say what they are.

    Serial ports are asked, Bluetooth headsets listened for. Opening a serial port makes some boards start anew.
    """
    recognised, serial_fault = _serial(port, baud, min(seconds, PROBE_S)) if serial else ([], "")
    near, radio_fault = _bluetooth(seconds) if bluetooth else ([], "")
    if as_json:
        print_json(
            {
                "serial": [asdict(one) for one in recognised],
                "serial_fault": serial_fault,
                "bluetooth": [asdict(one) for one in near],
                "bluetooth_fault": radio_fault,
            }
        )
        return
    if serial:
        _say_serial(recognised, serial_fault)
    if bluetooth:
        _say_bluetooth(near, radio_fault)


def _serial(given: list[str] | None, baud: int, seconds: float) -> tuple[list[Recognised], str]:
    """Return what was recognised; a missing driver is a line, and Bluetooth is looked at still."""
    try:
        about = {} if given else {info.port: told(info) for info in ports()}
        found = probe_all(given or list(about), baud, seconds)
    except WellbeingError as error:
        return [], str(error)
    return [replace(one, plugged=about.get(name, "")) for name, one in found.items()], ""


def _bluetooth(seconds: float) -> tuple[list[Headset], str]:
    try:
        with progress_bar() as bar:
            bar.add_task("listening for Bluetooth headsets", total=None)
            return asyncio.run(_look(seconds)), ""
    except WellbeingError as error:
        return [], str(error)


async def _look(seconds: float) -> list[Headset]:
    return await look_around(await headsets.open_radio(), seconds)


def _say_serial(recognised: list[Recognised], fault: str) -> None:
    for one in recognised:
        plugged = f" ({one.plugged})" if one.plugged else ""
        typer.echo(f"serial {one.port}{plugged}: {one.words()}")
    if not recognised:
        typer.echo(f"serial: {fault or NONE}")


def _say_bluetooth(near: list[Headset], fault: str) -> None:
    for one in near:
        strength = "" if one.rssi_dbm is None else f", {one.rssi_dbm} dBm"
        typer.echo(f"bluetooth {one.address}: {one.name or 'unnamed'}, heart rate{strength}")
    if not near:
        typer.echo(f"bluetooth: {fault or 'no headset near; switch its heart-rate broadcast on'}")
