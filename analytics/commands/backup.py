"""`wellbeing backup` and `wellbeing restore`: the state, the embedded store, teams and erasures."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from analytics.backup import making as backup
from analytics.backup import restore
from analytics.people import tombstones
from analytics.people.tombstone_files import tombstones_beside
from analytics.research.ledger import ResearchSettings
from analytics.settings import ServerSettings
from analytics.state.archive import Manifest
from analytics.state.archive import Progress as Tell
from analytics.store.settings import StoreSettings
from sensors import codec
from sensors.command_line import (
    ConfigOption,
    JsonOption,
    SiteOption,
    plain_app,
    progress_bar,
    read_tables,
)
from sensors.config import section
from sensors.errors import StateError

backup_app = plain_app()
restore_app = plain_app()

StateOption = Annotated[str | None, typer.Option(help="Where the server keeps its state.")]
TeamsOption = Annotated[str | None, typer.Option(help="The teams.toml file.")]
StoreOption = Annotated[str | None, typer.Option(help="embedded or influxdb.")]
StorePathOption = Annotated[str | None, typer.Option(help="File of the embedded store.")]


@backup_app.command()
def make(  # noqa: PLR0917 - one per option
    to: Annotated[Path, typer.Argument(help="The archive to write.")],
    config: ConfigOption = None,
    site: SiteOption = None,
    state_dir: StateOption = None,
    teams: TeamsOption = None,
    store: StoreOption = None,
    store_path: StorePathOption = None,
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite an archive.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write journal, consent, erasures, teams, ledger and the embedded store to one archive.

    The server may go on running. The archive holds what was measured: keep it
    as you keep that. It is written whole or not at all.
    """
    if to.exists() and not replace:
        raise StateError(f"{to} is there already; choose another name, or add --replace")
    server, stored, research = _settings(config, site, state_dir, teams, store, store_path)
    beside = (server.directory() / tombstones.FILE_NAME, *tombstones_beside(stored))
    sources = backup.Sources(
        site=server.site,
        directory=server.directory(),
        store=stored.file() if stored.kind == "embedded" else None,
        teams=server.teams_file() if server.teams else None,
        ledger=research.file(),
        tombstones=beside,
    )
    with _progress("backing up") as tell:
        manifest = backup.make(sources, to, datetime.now(UTC), tell)
    _say(manifest, f"written: {to}", as_json=as_json)


@restore_app.command("restore")
def put_back(  # noqa: PLR0917 - one per option
    source: Annotated[Path, typer.Argument(metavar="FROM", help="The archive.")],
    config: ConfigOption = None,
    site: SiteOption = None,
    state_dir: StateOption = None,
    teams: TeamsOption = None,
    store: StoreOption = None,
    store_path: StorePathOption = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Overwrite what stands there.")
    ] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Only check the archive.")] = False,
    stones: Annotated[
        list[Path] | None,
        typer.Option(
            "--tombstones", metavar="FILE", help="Erasures to heed besides; can be given again."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Put a backup in place, with every erasure since then done again.

    The server must be stopped. Files of older versions are brought forward.
    """
    if verify:
        with _progress("checking") as tell:
            manifest = restore.verify(source, tell)
        _say(manifest, f"{source} is sound", as_json=as_json)
        return
    server, stored, research = _settings(config, site, state_dir, teams, store, store_path)
    missing = [str(path) for path in stones or () if not path.is_file()]
    if missing:
        raise StateError(f"--tombstones {', '.join(missing)}: no such file")
    to = restore.Places(
        directory=server.directory(),
        store=stored.file() if stored.kind == "embedded" else None,
        teams=server.teams_file() if server.teams else None,
        ledger=research.file(),
        tombstones=tombstones_beside(stored),
    )
    with _progress("restoring") as tell:
        done = restore.restore(
            source, to, site=server.site, replace=replace, tell=tell, heed=tuple(stones or ())
        )
    lines = [f"restored: {path}" for path in done.put.values()]
    lines += [f"left in the archive: {name}" for name in done.left]
    lines += [f"erased again: {agent}" for agent in done.erased_again]
    _say(done.manifest, "\n".join(lines), as_json=as_json)


def _settings(  # noqa: PLR0917 - one per option
    config: Path | None,
    site: str | None,
    state_dir: str | None,
    teams: str | None,
    store: str | None,
    store_path: str | None,
) -> tuple[ServerSettings, StoreSettings, ResearchSettings]:
    tables = read_tables(config)
    return (
        section(tables, "server", ServerSettings, site=site, state_dir=state_dir, teams=teams),
        section(tables, "store", StoreSettings, kind=store, path=store_path),
        section(tables, "research", ResearchSettings),
    )


@contextmanager
def _progress(what: str) -> Iterator[Tell]:
    """Yield what takes progress; silent when nobody looks at a terminal."""
    with progress_bar() as bar:
        task = bar.add_task(what, total=None)
        done = 0

        def tell(name: str, size: int) -> None:
            nonlocal done
            done += size
            bar.update(task, description=f"{what}: {name}, {done / 1e6:.0f} MB")

        yield tell


def _say(manifest: Manifest, text: str, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(codec.dump_json(manifest).decode() + "\n")
        return
    lines = [text, f"site {manifest.site}, made {manifest.made_at.isoformat(timespec='seconds')}"]
    lines += [f"  {name}: {entry.size} bytes" for name, entry in manifest.files.items()]
    lines += [f"  not in it: {name}: {why}" for name, why in manifest.left_out.items()]
    sys.stdout.write("\n".join(lines) + "\n")
