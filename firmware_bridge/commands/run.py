"""``firmware-bridge run``: publish one board through the agent's edge, as on a floor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from firmware_bridge.commands.feeds import columns_of
from firmware_bridge.commands.options import BAUD, BaudOption, CsvOption, PortOption, RateOption
from firmware_bridge.ports.serial_port import check_port
from sensors import codec
from sensors.command_line import BrokerOption, ConfigOption, SiteOption
from sensors.command_line import run as run_app
from sensors.errors import MissingExtraError


def run(  # noqa: PLR0917 - typer calls it by name
    port: PortOption,
    agent: Annotated[str, typer.Option(help="The agent's pseudonym.")],
    csv: CsvOption = None,
    rate: RateOption = None,
    baud: BaudOption = BAUD,
    site: SiteOption = None,
    broker: BrokerOption = None,
    config: ConfigOption = None,
    state_dir: Annotated[
        Path | None,
        typer.Option(help="Where outbox and consent are kept.", show_default=False),
    ] = None,
    consent: Annotated[
        str | None,
        typer.Option(
            help="For unattended use: channels the agent has consented to, or none.",
            show_default=False,
        ),
    ] = None,
    page: Annotated[
        bool | None,
        typer.Option(help="Serve the agent's own page on this machine.", show_default=False),
    ] = None,
    for_s: Annotated[
        float | None, typer.Option("--for", help="Stop after this many seconds.")
    ] = None,
) -> None:
    """Publish this board's values through the agent's edge.

    Nothing is measured without consent. It is `wellbeing edge` with the collector `serial`: `wellbeing edge --agent NAME
    status`, pause and withdraw speak to it from another terminal.
    """
    check_port(port, "--port")
    options = [f"serial.port={_quoted(port)}", f"serial.baud={baud}"]
    columns = columns_of(csv, rate)
    if columns is not None:
        options.append(f"serial.csv={codec.dump_json(columns).decode()}")
    if rate is not None:
        options.append(f"serial.rate_hz={rate}")
    given = {
        "--agent": agent,
        "--site": site,
        "--broker": broker,
        "--config": config,
        "--state-dir": state_dir,
        "--consent": consent,
        "--for": for_s,
    }
    arguments = ["--collector", "serial"]
    for option in options:
        arguments += ["--option", option]
    for name, value in given.items():
        if value is not None:
            arguments += [name, str(value)]
    if page is not None:
        arguments.append("--page" if page else "--no-page")
    raise typer.Exit(_edge(arguments))


def _quoted(text: str) -> str:
    """Return `text` so that the edge reads it as text, whatever it looks like."""
    return codec.dump_json(text).decode()


def _edge(arguments: list[str]) -> int:
    try:
        from sensors.edge.commands.edge import app  # noqa: PLC0415 - the other verbs do without it
    except ImportError as error:
        raise MissingExtraError(
            f"{error.name} is not installed; run: pip install 'agent-wellbeing[edge]'"
        ) from None
    return run_app(app, arguments, "firmware-bridge run")
