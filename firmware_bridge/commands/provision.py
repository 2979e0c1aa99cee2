"""``firmware-bridge provision``: give a board its device id and rates, and read them back."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from firmware_bridge.bench.conversation import Conversation
from firmware_bridge.bench.inspecting import unanswered
from firmware_bridge.bench.provisioning import (
    Provisioned,
    check_device_id,
    parse_rate,
    provision,
    wishes,
)
from firmware_bridge.commands.options import BAUD, BaudOption, PortOption, print_json
from firmware_bridge.ports.serial_port import SerialPort
from sensors.command_line import JsonOption, progress_bar
from sensors.errors import DeviceError


def provision_(  # noqa: PLR0917 - typer calls it by name
    port: PortOption,
    device_id: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Pseudonym of the board, [a-z0-9][a-z0-9_-]{0,31}, never a person's name; "
            "'' takes it away.",
            show_default=False,
        ),
    ] = None,
    rate: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STREAM=HZ",
            help="Rate of a stream, by its number or signal, such as ppg=100; repeat.",
        ),
    ] = None,
    show: Annotated[
        bool, typer.Option("--show", help="Write nothing; say what is in force and would change.")
    ] = False,
    baud: BaudOption = BAUD,
    as_json: JsonOption = False,
) -> None:
    """Give a board its device id and rates, and read them back.

    What is said is what is in force afterwards. Without --device-id and --rate it only asks.
    """
    checked = None if device_id is None else check_device_id(device_id)
    rates = [parse_rate(text) for text in rate or []]
    with SerialPort(port, baud) as opened, progress_bar() as bar:
        bar.add_task(f"asking {port}", total=None)
        talking = Conversation(opened, port)
        talking.introduced()
        streams = dict(talking.feed.session.streams)
        done = [
            provision(talking, wish, only_show=show) for wish in wishes(streams, checked, rates)
        ]
    if as_json:
        print_json([asdict(one) for one in done])
    else:
        for one in done:
            typer.echo(one.words())
    if talking.is_deaf:
        raise DeviceError(f"{port}: {unanswered(talking.feed.health())}")
    _judge(port, done)


def _judge(port: str, done: list[Provisioned]) -> None:
    failed = [one.name for one in done if not one.is_done]
    if failed:
        done_to = "taken" if any(one.wanted is not None for one in done) else "told"
        raise DeviceError(
            f"{port} has not {done_to} {', '.join(failed)}; see hardware.md, SET and GET"
        )
