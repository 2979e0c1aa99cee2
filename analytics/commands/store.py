"""``wellbeing store``: does the store answer, make its databases, look into it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from analytics.commands import set_aside as set_aside_cli
from analytics.commands import store_copy
from analytics.store.base import Query, Row, Store
from analytics.store.findings import Account, AccountsError, Finding, Level
from analytics.store.opening import open_store
from analytics.store.points import Measurement
from analytics.store.settings import StoreSettings
from sensors import codec
from sensors.command_line import ConfigOption, JsonOption, plain_app, read_tables
from sensors.config import section
from sensors.errors import ConfigurationError, StoreError

app = plain_app("Look at the store: what is in it, whether it answers.")
app.add_typer(set_aside_cli.app, name="set-aside")
app.command("copy")(store_copy.copy)


def _settings(path: Path | None) -> StoreSettings:
    return section(read_tables(path), "store", StoreSettings)


def _say(text: str, value: object, *, as_json: bool) -> None:
    typer.echo(codec.dump_json(value).decode() if as_json else text)


@app.command()
def check(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Say what is wrong with the store and how to mend it, one line each; writes nothing.

    Ends with code 6 if something must be mended.
    """
    store = open_store(_settings(config), read_only=True)
    try:
        findings = list(_findings(store))
    finally:
        store.close()
    is_good = not any(finding.level is Level.WRONG for finding in findings)
    for finding in () if as_json else findings:
        typer.echo(finding.line())
    if as_json:
        told = {"ok": is_good, "store": findings[0].said, "findings": [asdict(f) for f in findings]}
        typer.echo(codec.dump_json(told).decode())
    if not is_good:
        raise typer.Exit(StoreError.exit_code)


def _findings(store: Store) -> Iterator[Finding]:
    look = getattr(store, "findings", None)
    if look is None:
        yield Finding("file", Level.GOOD, store.check())
    else:
        yield from look(datetime.now(UTC))


@app.command()
def init(
    accounts: Annotated[
        bool,
        typer.Option(
            "--accounts",
            help="Also make an account each for server, screens and research; shown once.",
        ),
    ] = False,
    renew: Annotated[
        bool, typer.Option("--renew", help="With --accounts: new secrets for those there are.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make the file, or the databases with their retention; safe to repeat.

    On a server, run it as its administrator: with WELLBEING_STORE_TOKEN, or
    WELLBEING_STORE_USERNAME and WELLBEING_STORE_PASSWORD, of that one.
    """
    store = open_store(_settings(config))
    try:
        done = store.prepare()
        make = getattr(store, "accounts", None) if accounts else None
        made, told = make(renew=renew) if make else ([], [])
    except AccountsError as error:
        # Nobody else knows the secrets of those that are made.
        _say_done([], ["made before it stopped:"], error.made, as_json=as_json, ok=False)
        raise
    finally:
        store.close()
    _say_done(done, told, made, as_json=as_json)


def _say_done(
    done: list[str], told: list[str], made: list[Account], *, as_json: bool, ok: bool = True
) -> None:
    if as_json:
        secrets = [{"role": a.role, "username": a.username, "secret": a.secret} for a in made]
        result = {"ok": ok, "done": done, "accounts": secrets, "notes": told}
        typer.echo(codec.dump_json(result).decode())
        return
    lines = [*done, *told, *(_account_line(account) for account in made)]
    typer.echo("\n".join(lines) if lines else "nothing to do: everything is there")


def _account_line(account: Account) -> str:
    if account.username:
        return f"{account.role}: username {account.username}, password {account.secret}"
    return f"{account.role}: token {account.secret}"


@app.command("query")
def query_(  # noqa: PLR0917 - typer calls it by name
    measurement: Annotated[Measurement, typer.Argument(help="What to read.")],
    site: Annotated[str, typer.Option(help="Site to read.")],
    agent: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Agent; can be given again.")
    ] = None,
    field: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Field; can be given again.")
    ] = None,
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
