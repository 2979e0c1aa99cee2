"""What the agent says of themselves: ``wellbeing edge ask | fine | report | ...``.

These work with no sensor and no consent at all (TRUST T9); only a running
edge and a broker are needed.
"""

from __future__ import annotations

from typing import Annotated

import typer

from sensors.command_line import JsonOption
from sensors.edge.asking.replies import LAST, parse_request
from sensors.edge.commands.giving import command
from sensors.errors import ConfigurationError

app = typer.Typer()


@app.command()
def ask(
    context: typer.Context,
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT", help="help_now, break_please, cancel, export or erase (see above)."
        ),
    ],
    as_json: JsonOption = False,
) -> None:
    """Ask for help now or a break; works with no sensor at all.

    cancel takes back what you asked for. export and erase concern your data
    on the server (wellbeing edge erase concerns this machine): you are told
    what becomes of it. A copy is handed to you by whoever runs the server.
    """
    command(context, "ask", (parse_request((what,)).value,), as_json=as_json)


@app.command()
def fine(context: typer.Context, as_json: JsonOption = False) -> None:
    """Say that you are fine.

    Whoever was told about you sees that you say so.
    """
    command(context, "reply", ("fine",), as_json=as_json)


@app.command("different-today")
def different_today(context: typer.Context, as_json: JsonOption = False) -> None:
    """Say that today is different for you; no reason is asked."""
    command(context, "reply", ("different_today",), as_json=as_json)


@app.command()
def report(
    context: typer.Context,
    demanding: Annotated[
        int | None,
        typer.Option(
            min=0, max=10, metavar="0-10", help="How demanding work is: 0 not at all, 10 extremely."
        ),
    ] = None,
    recovered: Annotated[
        int | None,
        typer.Option(
            min=0, max=10, metavar="0-10", help="How recovered you feel: 0 not at all, 10 fully."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Report on yourself, as often as you like.

    Either figure, or both.
    """
    if demanding is None and recovered is None:
        raise ConfigurationError("nothing was reported; give --demanding, --recovered or both")
    words = tuple("-" if number is None else str(number) for number in (demanding, recovered))
    command(context, "reply", ("self_report", *words), as_json=as_json)


@app.command()
def answer(
    context: typer.Context,
    so: Annotated[bool | None, typer.Option("--so/--not-so", help="Was it so?")] = None,
    helped: Annotated[
        bool | None, typer.Option("--helped/--not-helped", help="Did it help?")
    ] = None,
    alert: Annotated[
        str,
        typer.Option(
            metavar="ID", help="The alert's id; the one you were asked about last if left out."
        ),
    ] = LAST,
    as_json: JsonOption = False,
) -> None:
    """Answer what you are asked after an alert.

    Whether it was so, and whether it helped.
    """
    given = [(k, v) for k, v in (("was_it_so", so), ("did_it_help", helped)) if v is not None]
    if not given:
        raise ConfigurationError(
            "nothing was answered; give --so, --not-so, --helped or --not-helped"
        )
    for kind, yes in given:
        command(context, "reply", (kind, alert, "yes" if yes else "no"), as_json=as_json)
