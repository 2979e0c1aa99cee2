"""``firmware-bridge inspect``: everything one board or headset says about itself."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from firmware_bridge.bench import headsets
from firmware_bridge.bench.conversation import Conversation
from firmware_bridge.bench.headsets import InspectedHeadset, Notified, inspect_headset
from firmware_bridge.bench.inspecting import InspectedBoard, board_lines, inspect_board
from firmware_bridge.commands.options import (
    BAUD,
    BaudOption,
    BluetoothOption,
    EitherPortOption,
    UnpairedOption,
    check_one,
    print_json,
)
from firmware_bridge.ports.serial_port import SerialPort
from sensors.command_line import JsonOption, progress_bar

_LISTEN_S = 3.0
_SCAN_S = 8.0


def inspect(  # noqa: PLR0917 - typer calls it by name
    port: EitherPortOption = None,
    bluetooth: BluetoothOption = None,
    unpaired: UnpairedOption = False,
    baud: BaudOption = BAUD,
    seconds: Annotated[
        float, typer.Option(min=0.0, help="How long to wait for what comes by itself. [s]")
    ] = _LISTEN_S,
    as_json: JsonOption = False,
) -> None:
    """Say everything one board or headset says about itself.

    Streams or services, firmware, battery, contact, clock and settings.
    """
    check_one("inspect", port, bluetooth)
    if port is not None:
        board = _board(port, baud, seconds)
        lines = board_lines(board)
        found: object = board
    else:
        assert bluetooth is not None  # noqa: S101 - for the type checker, see above
        headset = _headset(bluetooth, seconds, unpaired=unpaired)
        lines, found = headset_lines(headset), headset
    if as_json:
        print_json(found)
        return
    for line in lines:
        typer.echo(line)


def _board(port: str, baud: int, seconds: float) -> InspectedBoard:
    with SerialPort(port, baud) as opened, progress_bar() as bar:
        bar.add_task(f"asking {port}", total=None)
        return inspect_board(Conversation(opened, port), port, seconds)


def _headset(address: str, seconds: float, *, unpaired: bool) -> InspectedHeadset:
    with progress_bar() as bar:
        bar.add_task(f"looking for {address}, connecting, listening", total=None)
        return asyncio.run(_inspect(address, seconds, unpaired=unpaired))


async def _inspect(address: str, seconds: float, *, unpaired: bool) -> InspectedHeadset:
    radio = await headsets.open_radio()
    return await inspect_headset(
        radio, address, scan_s=_SCAN_S, notify_s=seconds, unpaired=unpaired
    )


def headset_lines(headset: InspectedHeadset) -> list[str]:
    """Return what a headset offers as lines of text."""
    made = " ".join(part for part in (headset.maker, headset.model) if part)
    battery = headset.battery_percent
    lines = [
        f"{headset.address}: {headset.name or 'unnamed'}",
        f"model         {made or 'not said'}",
        f"firmware      {headset.firmware or 'not said'}",
        f"battery       {'not said' if battery is None else f'{battery} %'}",
    ]
    for service in headset.services:
        lines.append(f"service       {service.uuid} {service.name}")
        lines += [
            f"  offers      {c.uuid} {c.name} ({', '.join(c.properties)})"
            for c in service.characteristics
        ]
    lines.append(f"notification  {_notified_words(headset.notified)}")
    return lines


def _notified_words(notified: Notified | None) -> str:
    if notified is None:
        return "none came; is the headset worn? --seconds waits longer"
    if notified.fault:
        return f"{notified.hex}: {notified.fault}"
    contact = {None: "contact not told", True: "worn", False: "not worn"}[notified.contact]
    intervals = ", ".join(f"{ms:.0f}" for ms in notified.rr_ms)
    rr = f"RR {intervals} ms" if intervals else "no RR intervals in it"
    return f"{notified.hex}: {notified.hr_bpm} beats/min, {contact}, {rr}"
