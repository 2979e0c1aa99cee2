"""`wellbeing agent`: everything held about one agent, handed out or erased, with a receipt."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from analytics.commands.detect import build
from analytics.research.ledger import ResearchSettings, exports_of
from analytics.rights import export as rights_export
from analytics.rights import known as rights_known
from analytics.rights import requests as rights_requests
from analytics.rights.receipt import Receipt, as_lines, with_exports
from analytics.server import rights_office
from analytics.server.service import Service
from analytics.settings import ServerSettings
from analytics.state.state_file import open_for_reading
from analytics.store.opening import open_store
from analytics.store.settings import StoreSettings
from sensors import codec
from sensors.command_line import (
    BrokerOption,
    ConfigOption,
    JsonOption,
    SiteOption,
    broker_settings,
    plain_app,
    progress_bar,
    read_tables,
)
from sensors.config import BrokerSettings, section
from sensors.errors import ConfigurationError, MessageError, StateError, StoreError
from sensors.messages import check_identity
from sensors.mqtt import require_tls
from sensors.policy import PolicySettings

app = plain_app("Everything held about one agent: hand it out, erase it, keep the receipt.")

AgentArgument = Annotated[str, typer.Argument(help="The agent's pseudonym.")]
StateOption = Annotated[str | None, typer.Option(help="Where the server keeps its state.")]
TeamsOption = Annotated[str | None, typer.Option(help="The teams.toml file.")]
StoreOption = Annotated[str | None, typer.Option(help="embedded or influxdb.")]
StorePathOption = Annotated[str | None, typer.Option(help="File of the embedded store.")]
StoreUrlOption = Annotated[str | None, typer.Option(help="Address of InfluxDB.")]
ProfileOption = Annotated[str | None, typer.Option(help="general, cn or eu.")]

_INCOMPLETE = StoreError.exit_code


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """The server that the options describe."""

    server: ServerSettings
    broker: BrokerSettings
    store: StoreSettings
    policy: Callable[[], PolicySettings]
    ledger: Path

    def build(self) -> Service:
        """Return the server, for a request while none runs."""
        require_tls(self.broker)
        policy = self.policy()
        policy.require_server()
        return build(self.server, self.broker, self.store, policy)


def _given(config: Path | None, site: str | None, state_dir: str | None, **more: Any) -> _Given:
    tables = read_tables(config)
    return _Given(
        server=section(
            tables, "server", ServerSettings, site=site, state_dir=state_dir,
            teams=more.get("teams"),
        ),
        broker=broker_settings(tables, more.get("broker")),
        store=section(
            tables, "store", StoreSettings, kind=more.get("store"),
            path=more.get("store_path"), url=more.get("store_url"),
        ),
        ledger=section(tables, "research", ResearchSettings).file(),
        # Only a server that is started needs one.
        policy=lambda: section(tables, "policy", PolicySettings, profile=more.get("profile")),
    )  # fmt: skip


def _checked(agent: str) -> str:
    try:
        return check_identity("agent", agent)
    except MessageError as error:
        raise ConfigurationError(error.detail) from None


@app.command()
def erase(  # noqa: PLR0917 - one per option
    agent: AgentArgument,
    config: ConfigOption = None,
    site: SiteOption = None,
    state_dir: StateOption = None,
    teams: TeamsOption = None,
    broker: BrokerOption = None,
    store: StoreOption = None,
    store_path: StorePathOption = None,
    store_url: StoreUrlOption = None,
    profile: ProfileOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Also one that nobody here knows (an old backup may).")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what there is.")] = False,
    wait: Annotated[
        float, typer.Option(min=1.0, help="Seconds to wait for store and broker.")
    ] = 60.0,
    as_json: JsonOption = False,
) -> None:
    """Erase everything about AGENT, for good, and print the receipt.

    Works while the server runs and while it does not. The exit code is not
    zero as long as something within reach is not erased. Whatever was measured
    before and comes later is refused; the agent can go on after consenting
    anew. A pseudonym that is known nowhere here is taken for mistyped.
    """
    given = _given(
        config, site, state_dir, teams=teams, broker=broker, store=store,
        store_path=store_path, store_url=store_url, profile=profile,
    )  # fmt: skip
    _checked(agent)
    directory = given.server.directory()
    if not anyway:
        _require_known(given, agent, "; for one that only an old backup knows, add --anyway")
    if dry_run:
        opened = open_store(given.store, read_only=True)
        try:
            counted = rights_office.would_erase(directory, given.server.site, agent, opened)
        finally:
            opened.close()
        _print(given, counted, as_json=as_json, dry_run=True)
        return
    if not yes:
        _confirm(agent, given.server.site)
    with Console(stderr=True).status(f"erasing {agent}"):
        receipt = rights_office.erase(directory, agent, given.build, wait)
        receipt = rights_office.checked_on_broker(receipt, given.broker)
    _print(given, receipt, as_json=as_json)
    if not receipt.is_complete:
        raise typer.Exit(_INCOMPLETE)


def _require_known(given: _Given, agent: str, remedy: str = "") -> None:
    rights_known.require_known(
        agent,
        site=given.server.site,
        directory=given.server.directory(),
        teams=given.server.teams_file() if given.server.teams else None,
        ledger=given.ledger,
        open_store=lambda: open_store(given.store, read_only=True),
        remedy=remedy,
    )


def _confirm(agent: str, site: str) -> None:
    typer.echo(
        f"Everything about {agent} at site {site} will be erased; it cannot be brought back.",
        err=True,
    )
    try:
        typed = typer.prompt("Type the agent's pseudonym to confirm", err=True)
    except typer.Abort:
        if sys.stdin.isatty():
            raise
        raise ConfigurationError(
            "standard input is no terminal, so nobody was asked; nothing was erased: add --yes"
        ) from None
    if typed.strip() != agent:
        raise ConfigurationError(f"confirmed {typed.strip()!r}, not {agent!r}; nothing was erased")


def _print(given: _Given, receipt: Receipt, *, as_json: bool, dry_run: bool = False) -> None:
    exports = exports_of(receipt.agent, site=receipt.site, ledger=given.ledger)
    named = [f"{one.file} (study {one.study}, {one.at:%Y-%m-%d})" for one in exports]
    receipt = with_exports(receipt, named)
    text = receipt.to_json() if as_json else "\n".join(as_lines(receipt, dry_run=dry_run))
    sys.stdout.write(text + "\n")


@app.command()
def export(  # noqa: PLR0917 - one per option
    agent: AgentArgument,
    to: Annotated[Path, typer.Option("--to", help="The zip to write.")],
    config: ConfigOption = None,
    site: SiteOption = None,
    state_dir: StateOption = None,
    store: StoreOption = None,
    store_path: StorePathOption = None,
    store_url: StoreUrlOption = None,
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite a file.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write everything held about AGENT to a zip of tables that explain themselves.

    Works beside a running server, which tells the agent that it has been made.
    It is for the agent alone: hand it over as you would a medical record.
    """
    given = _given(config, site, state_dir, store=store, store_path=store_path, store_url=store_url)
    _checked(agent)
    if to.exists() and not replace:
        raise StateError(f"{to} is there already; choose another name, or add --replace")
    directory, name = given.server.directory(), given.server.site
    _require_known(given, agent)
    opened = open_store(given.store, read_only=True)
    try:
        with _progress() as tell:
            done = rights_export.export(directory, name, agent, opened, to, datetime.now(UTC), tell)
    finally:
        opened.close()
    rights_office.exported(directory, agent)
    if as_json:
        sys.stdout.write(codec.dump_json(done).decode() + "\n")
        return
    lines = [f"  {file}: {one['lines']} lines" for file, one in done.files.items()]
    sys.stdout.write("\n".join([f"written: {to}, {done.lines} lines", *lines]) + "\n")


@contextmanager
def _progress() -> Iterator[rights_export.Tell]:
    """Yield what takes progress; silent when nobody looks at a terminal."""
    with progress_bar() as bar:
        task, done = bar.add_task("exporting", total=None), 0

        def tell(name: str, lines: int) -> None:
            nonlocal done
            done += lines
            bar.update(task, description=f"exporting: {name}, {done} lines")

        yield tell


@app.command()
def requests(
    config: ConfigOption = None,
    site: SiteOption = None,
    state_dir: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what agents asked for on their own page, and what became of it."""
    found = _requests(_given(config, site, state_dir))
    if as_json:
        sys.stdout.write(codec.dump_json(found).decode() + "\n")
        return
    for one in found:
        at = one.asked_at.isoformat(timespec="seconds")
        sys.stdout.write(f"{at} {one.agent} {one.kind.value} by {one.by}: {one.state.value}\n")
    if not found:
        sys.stdout.write("nobody has asked for anything\n")


@app.command()
def receipt(
    agent: AgentArgument,
    config: ConfigOption = None,
    site: SiteOption = None,
    state_dir: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the newest receipt for AGENT, as it is by now."""
    given = _given(config, site, state_dir)
    found = [r.receipt for r in _requests(given) if r.agent == agent and r.receipt is not None]
    if not found:
        raise StateError(f"no receipt for {agent!r} at site {given.server.site}")
    _print(given, found[-1], as_json=as_json)
    if not found[-1].is_complete:
        raise typer.Exit(_INCOMPLETE)


def _requests(given: _Given) -> list[rights_requests.Request]:
    db = open_for_reading(given.server.directory())
    try:
        return rights_requests.find(db)
    finally:
        db.close()
