"""``wellbeing store``: does the store answer, make its databases, look into it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from analytics.store.base import Query, Row
from analytics.store.points import Measurement
from analytics.store.settings import StoreSettings, open_store
from sensors import codec
from sensors.command_line import ConfigOption, JsonOption, plain_app, read_tables
from sensors.config import section
from sensors.errors import ConfigurationError

app = plain_app("Look at the store: what is in it, whether it answers.")


def _settings(path: Path | None) -> StoreSettings:
    return section(read_tables(path), "store", StoreSettings)


def _say(text: str, value: object, *, as_json: bool) -> None:
    typer.echo(codec.dump_json(value).decode() if as_json else text)


@app.command()
def check(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Say in one line what the store is and that it answers."""
    store = open_store(_settings(config), read_only=True)
    try:
        line = store.check()
    finally:
        store.close()
    _say(line, {"ok": True, "store": line}, as_json=as_json)


@app.command()
def init(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Make the file, or the databases with their retention; safe to repeat."""
    settings = _settings(config)
    store = open_store(settings)
    try:
        done = store.prepare()
    finally:
        store.close()
    text = "\n".join(done) if done else "nothing to do: everything is there"
    _say(text, {"ok": True, "done": done}, as_json=as_json)


@app.command("query")
def query_(  # noqa: PLR0917 - typer calls it by name
    measurement: Annotated[Measurement, typer.Argument(help="What to read.")],
    site: Annotated[str, typer.Option(help="Site to read.")],
    agent: Annotated[list[str] | None, typer.Option(help="Agent; can be given again.")] = None,
    field: Annotated[list[str] | None, typer.Option(help="Field; can be given again.")] = None,
    since: Annotated[str | None, typer.Option(help="From this time on, ISO 8601.")] = None,
    until: Annotated[str | None, typer.Option(help="Before this time, ISO 8601.")] = None,
    latest: Annotated[bool, typer.Option(help="Only the newest of each agent.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many of the newest.")] = 20,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the newest points, oldest first; one JSON object a line with --json."""
    query = Query(
        measurement=measurement,
        site=site,
        fields=tuple(field or ()),
        agents=tuple(agent or ()),
        start_at=_time("--since", since),
        end_at=_time("--until", until),
        latest=latest,
        limit=limit,
    )
    store = open_store(_settings(config), read_only=True)
    try:
        rows = store.read(query)
    finally:
        store.close()
    for row in rows:
        _say(_line(row), asdict(row), as_json=as_json)
    if not rows and not as_json:
        typer.echo("nothing matches")


def _time(option: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            f"{option} is {text!r}; expected like 2026-01-31T09:00:00Z"
        ) from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _line(row: Row) -> str:
    at = datetime.fromtimestamp(row.time_ns / 1e9, tz=UTC).isoformat(timespec="milliseconds")
    return " ".join([at, *(f"{k}={v}" for k, v in ({**row.tags, **row.fields}).items())])
