"""``wellbeing edge page``: open the agent's own page."""

from __future__ import annotations

import webbrowser
from typing import Annotated

import typer

from sensors import codec
from sensors.command_line import JsonOption
from sensors.edge.commands.giving import Given
from sensors.edge.control.offline import command_everywhere
from sensors.edge.page.opening import has_desktop
from sensors.spoken import say

app = typer.Typer()


@app.command()
def page(
    context: typer.Context,
    as_json: JsonOption = False,
    only_print: Annotated[
        bool, typer.Option("--print", help="Print the address instead of opening it.")
    ] = False,
) -> None:
    """Open your own page.

    What is read, what others see, help, a break, your signals. The address works once and within two minutes; ask again for another.
    """
    given: Given = context.obj
    source = given.edge.source if given.source_given else None
    reports = command_everywhere(given.edge, source, "page", ())
    if as_json:
        typer.echo(codec.dump_json(reports).decode())
        return
    for report in reports:
        address = report["page"]
        if only_print or not has_desktop() or not webbrowser.open(address):
            typer.echo(address)
        else:
            typer.echo(say("opened in the browser"))
