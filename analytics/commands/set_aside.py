"""``wellbeing store set-aside``: the points the store refused, listed, told again or deleted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from sqlite3 import Connection
from typing import Annotated

import typer

from analytics.settings import ServerSettings
from analytics.state.state_file import FILE_NAME, open_for_reading, open_state
from analytics.writing import set_aside
from sensors import codec
from sensors.command_line import ConfigOption, JsonOption, SiteOption, plain_app, read_tables
from sensors.config import section
from sensors.errors import ConfigurationError

app = plain_app("Points that the store refused: kept with the reason, up to 200,000 of them.")

StateDirOption = Annotated[str | None, typer.Option(help="Where the server keeps its state.")]
IdsArgument = Annotated[
    list[int] | None, typer.Argument(help="Numbers from the list.", show_default=False)
]
AllOption = Annotated[bool, typer.Option("--all", help="All of them.")]


@contextmanager
def _state(config: Path | None, site: str | None, directory: str | None) -> Iterator[Connection]:
    settings = section(
        read_tables(config), "server", ServerSettings, site=site, state_dir=directory
    )
    # For reading first: nothing is created or migrated where no server has run.
    open_for_reading(settings.directory()).close()
    db = open_state(settings.directory())
    try:
        yield db
    finally:
        db.close()


def _path(db: Connection) -> Path:
    return Path(db.execute("PRAGMA database_list").fetchone()[2] or FILE_NAME)


@app.command("list")
def list_(
    config: ConfigOption = None,
    site: SiteOption = None,
    state_dir: StateDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print what was refused, when, how much of what, and why; oldest first."""
    with _state(config, site, state_dir) as db:
        entries = set_aside.listed(db, _path(db))
    for entry in entries:
        typer.echo(codec.dump_json(asdict(entry)).decode() if as_json else _line(entry))
    if not entries and not as_json:
        typer.echo("nothing was refused")


def _line(entry: set_aside.SetAsidePoints) -> str:
    of = ", ".join(f"{count} {name}" for name, count in sorted(entry.measurements.items()))
    at = entry.at.isoformat(timespec="seconds")
    return f"{entry.id:>5}  {at}  {of or f'{entry.points} unreadable'}: {entry.reason}"


@app.command()
def replay(
    ids: IdsArgument = None,
    every: AllOption = False,
    config: ConfigOption = None,
    site: SiteOption = None,
    state_dir: StateDirOption = None,
) -> None:
    """Hand points to the store once more, after its fault has been mended.

    A running server does so within seconds; what is refused again is listed again.
    """
    with _state(config, site, state_dir) as db:
        count = set_aside.replay(db, _path(db), _chosen(ids, every=every))
    typer.echo(f"{count} points wait for the store again")


@app.command()
def drop(
    ids: IdsArgument = None,
    every: AllOption = False,
    config: ConfigOption = None,
    site: SiteOption = None,
    state_dir: StateDirOption = None,
) -> None:
    """Delete points for good."""
    with _state(config, site, state_dir) as db:
        count = set_aside.drop(db, _path(db), _chosen(ids, every=every))
    typer.echo(f"{count} points are deleted")


def _chosen(ids: list[int] | None, *, every: bool) -> list[int]:
    if bool(ids) == every:
        raise ConfigurationError("give the numbers from `wellbeing store set-aside list`, or --all")
    return ids or []
