"""`wellbeing status`: what the server is doing, in figures for people or as JSON."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from analytics.settings import ServerSettings
from analytics.status import as_lines, read_status
from sensors import codec
from sensors.command_line import ConfigOption, SiteOption, plain_app, read_tables
from sensors.config import section

app = plain_app()


@app.command()
def status(
    config: ConfigOption = None,
    site: SiteOption = None,
    state_dir: Annotated[str | None, typer.Option(help="Where the server keeps its state.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with every run.")] = False,
) -> None:
    """Show what arrived, was refused or is missing, and what waits.

    Figures per run are at most ten seconds behind while the server runs.
    """
    tables = read_tables(config)
    settings = section(tables, "server", ServerSettings, site=site, state_dir=state_dir)
    found = read_status(settings.directory(), datetime.now(UTC))
    if as_json:
        sys.stdout.write(codec.dump_json(found).decode() + "\n")
    else:
        sys.stdout.write("\n".join(as_lines(found)) + "\n")
