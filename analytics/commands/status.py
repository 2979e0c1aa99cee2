"""`wellbeing status`: what the server is doing, in figures for people or as JSON."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from analytics.settings import ServerSettings
from analytics.watching.status import read_status
from analytics.watching.status_lines import as_lines, as_plain
from sensors import codec
from sensors.command_line import ConfigOption, SiteOption, plain_app, read_tables
from sensors.config import section

WATCH_EVERY_S = 2.0

_CLEAR = "\x1b[H\x1b[2J"

app = plain_app()


@app.command()
def status(
    config: ConfigOption = None,
    site: SiteOption = None,
    state_dir: Annotated[str | None, typer.Option(help="Where the server keeps its state.")] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Again every two seconds, until Ctrl-C.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with every run.")] = False,
) -> None:
    """Show what arrived, was refused or is missing, what waits, and what to do about trouble.

    Figures per run are at most ten seconds behind while the server runs.
    """
    tables = read_tables(config)
    settings = section(tables, "server", ServerSettings, site=site, state_dir=state_dir)
    directory = settings.directory()
    _show(directory, as_json=as_json, clear=False)
    while watch:
        time.sleep(WATCH_EVERY_S)
        _show(directory, as_json=as_json, clear=sys.stdout.isatty() and not as_json)


def _show(directory: Path, *, as_json: bool, clear: bool) -> None:
    found = read_status(directory, datetime.now(UTC))
    text = codec.dump_json(as_plain(found)).decode() if as_json else "\n".join(as_lines(found))
    sys.stdout.write(f"{_CLEAR if clear else ''}{text}\n")
    sys.stdout.flush()
