"""``wellbeing dashboard``: the supervisor's screen, on this machine only."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Annotated

import typer

from analytics.people.teams import load_roster, load_teams
from dashboard import settings as settings_module
from dashboard.theme import STREAMLIT_OPTIONS
from sensors.command_line import BrokerOption, ConfigOption, SiteOption, plain_app
from sensors.errors import ConfigurationError

app = plain_app()

_APP = Path(__file__).with_name("app.py")


@app.command()
def dashboard(  # noqa: PLR0917 - options of the command line
    config: ConfigOption = None,
    site: SiteOption = None,
    supervisor: Annotated[
        str | None,
        typer.Option("--as", help="Your login, as in teams.toml.", show_default=False),
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port; the next free one if it is taken.", show_default=False)
    ] = None,
    address: Annotated[
        str | None, typer.Option(help="Loopback address to listen on.", show_default=False)
    ] = None,
    broker: BrokerOption = None,
    teams: Annotated[str | None, typer.Option(help="teams.toml", show_default=False)] = None,
    roster: Annotated[str | None, typer.Option(help="roster.toml", show_default=False)] = None,
    language: Annotated[
        str | None, typer.Option(help="en or zh_CN; else the browser's.", show_default=False)
    ] = None,
) -> None:
    """Show the supervisor's screen until Ctrl-C."""
    chosen = settings_module.load(
        config,
        broker,
        site=site,
        supervisor=supervisor,
        port=port,
        address=address,
        teams=teams,
        roster=roster,
        language=language,
    )
    own = chosen.dashboard
    # Read here once so that a fault in them is one line and not a broken page.
    load_teams(Path(own.teams))
    if own.roster:
        load_roster(Path(own.roster))
    listening = free_port(own.address, own.port)
    if listening != own.port:
        typer.echo(f"Port {own.port} is taken; using {listening}.")
    typer.echo(f"Dashboard of {own.site} for {own.supervisor}: {url(own.address, listening)}")
    typer.echo("Ctrl-C ends it.")
    serve(chosen, listening)


def serve(chosen: settings_module.Settings, port: int) -> None:
    """Run Streamlit in this process until it is told to stop."""
    # Importing Streamlit takes a second; a wrong option should be told at once.
    from streamlit.web import bootstrap  # noqa: PLC0415

    from dashboard import resources  # noqa: PLC0415

    resources.choose(chosen)
    options = {
        **STREAMLIT_OPTIONS,
        "server.address": chosen.dashboard.address,
        "server.port": port,
    }
    os.environ.setdefault("STREAMLIT_BROWSER_GATHER_USAGE_STATS", "false")  # TRUST T4
    bootstrap.load_config_options(options)
    bootstrap.run(str(_APP), is_hello=False, args=[], flag_options=options)


def free_port(address: str, wanted: int) -> int:
    """Return `wanted` if nobody listens there on `address`, else a free port.

    Raises
    ------
    ConfigurationError
        If this machine has no such address.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for port in (wanted, 0):
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            if os.name == "posix":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except PermissionError:
                raise ConfigurationError(
                    f"[dashboard] port is {port}; this system keeps it for administrators, "
                    "choose one above 1023"
                ) from None
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise ConfigurationError(f"[dashboard] address is {address!r}; cannot listen there")


def url(address: str, port: int) -> str:
    """Return where to look."""
    host = f"[{address}]" if ":" in address else address
    return f"http://{host}:{port}"
