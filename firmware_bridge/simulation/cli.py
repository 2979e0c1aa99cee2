"""``firmware-bridge simulate``: a headset that is not there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from firmware_bridge.commands.options import SecondsOption, interruptible, print_json
from firmware_bridge.simulation.bluetooth import NAME, SimulatedHeadset, opened
from firmware_bridge.simulation.board import Board
from firmware_bridge.simulation.endpoints import Endpoint, Listener, Terminal
from firmware_bridge.simulation.faults import (
    BLUETOOTH_FAULTS,
    FAULTS,
    ScriptedFault,
    parse_fault,
)
from firmware_bridge.simulation.happening import Happening
from firmware_bridge.simulation.script import DEFAULT, parse_script
from firmware_bridge.simulation.serving import Server, read_kept
from firmware_bridge.simulation.settings import BoardSettings
from firmware_bridge.simulation.sources import SOURCES
from sensors.command_line import JsonOption
from sensors.errors import ConfigurationError

_SIGNALS = ",".join(SOURCES)

LinkOption = Annotated[
    Path | None,
    typer.Option(help="Keep a symbolic link on the port, for a name that stays."),
]
TcpOption = Annotated[
    str | None,
    typer.Option(metavar="HOST:PORT", help="Listen here instead of on a pseudo-terminal."),
]
TransportOption = Annotated[
    str | None,
    typer.Option(
        metavar="TRANSPORT",
        help="Be a Bluetooth headset on this HCI controller, as bumble spells it: usb:0, "
        "hci-socket:0, serial:/dev/ttyACM0. Needs agent-wellbeing[bench].",
    ),
]
ScriptOption = Annotated[
    str,
    typer.Option(
        help="What happens to the wearer: names and seconds (rest, strain, recovery, off), "
        "or a .toml file with a table [[stage]] for each."
    ),
]
SeedOption = Annotated[int, typer.Option(min=0, help="The same seed gives the same wearer.")]
FaultOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME[@START[+SECONDS]]",
        help="Something that goes wrong; may be given several times. --list-faults names them.",
    ),
]
SignalsOption = Annotated[str, typer.Option(help="Streams of a serial board, in their order.")]
BeatsOption = Annotated[
    bool,
    typer.Option("--beats", help="Send beats found on the board instead of the raw pulse."),
]
DriftOption = Annotated[float, typer.Option(help="By how much its clock is fast. [1e-6]")]
TickOption = Annotated[int, typer.Option(help="Ticks of its clock per second.")]
StateOption = Annotated[
    Path | None,
    typer.Option(help="File that keeps its settings when this program ends."),
]
ListFaultsOption = Annotated[bool, typer.Option("--list-faults", help="Name every fault and end.")]


def simulate(  # noqa: PLR0917 - typer calls it by name
    link: LinkOption = None,
    tcp: TcpOption = None,
    bluetooth: TransportOption = None,
    script: ScriptOption = DEFAULT,
    seed: SeedOption = 1,
    fault: FaultOption = None,
    signals: SignalsOption = _SIGNALS,
    beats: BeatsOption = False,
    drift_ppm: DriftOption = 40.0,
    tick_hz: TickOption = 1_000_000,
    state: StateOption = None,
    seconds: SecondsOption = None,
    list_faults: ListFaultsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Be a headset: on a pseudo-terminal, a TCP port or Bluetooth.

    It speaks the serial protocol of hardware.md (or the Heart Rate Service),
    with a made-up wearer and, if asked for, with faults. Ctrl-C ends it.
    """
    if list_faults:
        _list_faults(as_json=as_json)
        return
    stages = parse_script(script)
    if bluetooth is not None:
        if tcp is not None or link is not None or state is not None:
            raise ConfigurationError("--bluetooth goes without --tcp, --link and --state")
        faults = _faults(fault or [], BLUETOOTH_FAULTS, FAULTS, "without --bluetooth")
        headset = SimulatedHeadset(stages, seed, faults)
        asyncio.run(_broadcast(headset, bluetooth, seconds, as_json=as_json))
        return
    if tcp is not None and link is not None:
        raise ConfigurationError("--tcp goes without --link")
    faults = _faults(fault or [], FAULTS, BLUETOOTH_FAULTS, "with --bluetooth")
    chosen = tuple(s.strip() for s in signals.split(",") if s.strip())
    settings = BoardSettings(
        seed=seed,
        stages=stages,
        signals=tuple(s for s in chosen if not (beats and s == "ppg")),
        finds_beats=beats,
        tick_hz=tick_hz,
        drift_ppm=drift_ppm,
    )
    board = Board(settings, faults) if state is None else Board(settings, faults, read_kept(state))
    endpoint: Endpoint = Terminal(link) if tcp is None else Listener(tcp)
    _serve(Server(board, endpoint, state), seconds, as_json=as_json)


def _list_faults(*, as_json: bool) -> None:
    if as_json:
        print_json({"serial": dict(FAULTS), "bluetooth": dict(BLUETOOTH_FAULTS)})
        return
    for heading, faults in (("serial", FAULTS), ("with --bluetooth", BLUETOOTH_FAULTS)):
        typer.echo(f"{heading}:")
        for name, what in faults.items():
            typer.echo(f"  {name:18} {what}")


def _faults(
    given: Sequence[str], fitting: Mapping[str, str], others: Mapping[str, str], where: str
) -> list[ScriptedFault]:
    faults = [parse_fault(text) for text in given]
    for one in faults:
        if one.name not in fitting and one.name in others:
            raise ConfigurationError(f"--fault {one.name} can be only {where}")
    return faults


def _serve(server: Server, seconds: float | None, *, as_json: bool) -> None:
    port = server.endpoint.port
    text = (
        f"simulated headset on {port}; try: firmware-bridge monitor --port {port}; Ctrl-C ends it"
    )
    tell = _teller(as_json=as_json)
    tell(Happening(0.0, "ready", text, {"port": port}))
    with interruptible() as interrupted:

        def is_over(at_s: float) -> bool:
            return interrupted.is_set() or (seconds is not None and at_s >= seconds)

        for happening in server.run(is_over):
            tell(happening)
    more = {"bytes_sent": server.bytes_sent, "bytes_lost": server.bytes_lost}
    text = f"ended; {server.bytes_sent} bytes sent, {server.bytes_lost} lost to a full buffer"
    tell(Happening(server.elapsed_s(), "ended", text, more))


def _teller(*, as_json: bool) -> Callable[[Happening], None]:
    """Return what prints a happening at once, as a line of text or of JSON."""
    return lambda happening: typer.echo(happening.json() if as_json else happening.line())


async def _broadcast(
    headset: SimulatedHeadset, transport: str, seconds: float | None, *, as_json: bool
) -> None:
    tell = _teller(as_json=as_json)
    async with opened(transport) as controller:
        with interruptible() as interrupted:
            try:
                await headset.start(controller.source, controller.sink)
                text = f"{NAME} ({headset.address}) advertises; Ctrl-C ends it"
                tell(Happening(0.0, "ready", text, {"address": headset.address}))
                start_s = time.monotonic()

                def is_over(at_s: float) -> bool:
                    return interrupted.is_set() or (seconds is not None and at_s >= seconds)

                async for happening in headset.run(is_over):
                    tell(happening)
            finally:
                await headset.stop()
    text = f"ended; {headset.notified} notifications in {headset.connections} connections"
    more = {"notified": headset.notified, "connections": headset.connections}
    tell(Happening(time.monotonic() - start_s, "ended", text, more))
