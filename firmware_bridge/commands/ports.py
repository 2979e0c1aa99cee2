"""``firmware-bridge ports``: what is plugged in, and with `--probe` who answers."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from firmware_bridge.bench.probing import PROBE_S, probe_all
from firmware_bridge.bench.scanning import Recognised
from firmware_bridge.bench.watching import printable
from firmware_bridge.commands.options import BAUD, BaudOption, print_json
from firmware_bridge.ports.serial_port import PortInfo, ports
from sensors.command_line import JsonOption

NONE = "no serial port found; plug a board in, or check its cable (data, not charge)"


def ports_(
    probe: Annotated[
        bool, typer.Option("--probe", help="Also ask each who is there; opening resets some.")
    ] = False,
    baud: BaudOption = BAUD,
    as_json: JsonOption = False,
) -> None:
    """List the serial ports of this machine."""
    found = ports()
    recognised = probe_all([info.port for info in found], baud, PROBE_S) if probe else {}
    if as_json:
        print_json([_fields(info, recognised.get(info.port)) for info in found])
        return
    for info in found:
        words = shown(info)
        typer.echo(f"{words}: {recognised[info.port].words()}" if probe else words)
    if not found:
        typer.echo(NONE)


def _fields(info: PortInfo, recognised: Recognised | None) -> dict[str, object]:
    fields = asdict(info) | {"lasting": info.lasting}
    return fields if recognised is None else fields | {"recognised": asdict(recognised)}


def shown(info: PortInfo) -> str:
    """Return what is known about a port without opening it.

    Its last word finds the board under another name, too.
    """
    return "  ".join(word for word in (info.port, told(info)) if word)


def told(info: PortInfo) -> str:
    """Return what the system knows about what is plugged in; empty if nothing."""
    # What a device calls itself goes to a terminal.
    return "  ".join(word for word in map(printable, (info.description, info.lasting)) if word)
