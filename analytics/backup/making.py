"""Making a backup while the server runs: each file as of one moment, compacted.

SQLite files are copied with ``VACUUM INTO``, which reads one consistent state
beside a writer and leaves deleted rows behind: what was erased or is past its
retention is in no page of a backup.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory

from analytics.people import tombstones
from analytics.people.tombstones import Tombstones
from analytics.state.archive import (
    FORMAT,
    LEDGER,
    STATE,
    STORE,
    TEAMS,
    TOMBSTONES,
    Manifest,
    Progress,
    write,
)
from analytics.state.state_file import FILE_NAME, state_errors
from sensors.errors import StateError

_BUSY_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What to back up.

    Parameters
    ----------
    site : str
    directory : Path
        Of the server's state.
    store : Path or None
        The embedded store; ``None`` for a database server.
    teams : Path or None
    ledger : Path or None
        Of the exports for research.
    tombstones : tuple of Path
        Files of erasures beside state and store.
    """

    site: str
    directory: Path
    store: Path | None = None
    teams: Path | None = None
    ledger: Path | None = None
    tombstones: tuple[Path, ...] = ()


def make(sources: Sources, target: Path, now: datetime, tell: Progress) -> Manifest:
    """Write a backup to `target`, whole or not at all; the server may be running.

    Raises
    ------
    StateError
        If something cannot be read or written.
    """
    state = sources.directory / FILE_NAME
    if not state.is_file():
        raise StateError(
            f"no {FILE_NAME} in {sources.directory}; check [server] site and state_dir"
        )
    try:
        scratch = TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent)
    except OSError as error:
        raise StateError(f"cannot write to {target.parent} ({error.strerror})") from None
    with scratch as folder:
        found = _gather(sources, Path(folder), tell)
        manifest = Manifest(
            format=FORMAT,
            made_at=now,
            program=_program(),
            site=sources.site,
            versions={n: _version(found[n]) for n in (STATE, STORE) if n in found},
            left_out=_left_out(sources),
        )
        write(target, manifest, found, tell)
    return manifest


def _gather(sources: Sources, folder: Path, tell: Progress) -> dict[str, Path]:
    """Return a copy of each file, as of one moment, by its name in the archive."""
    found = {STATE: _copied(sources.directory / FILE_NAME, folder / STATE)}
    tell(STATE, 0)
    if sources.store is not None and sources.store.is_file():
        found[STORE] = _copied(sources.store, folder / STORE)
        tell(STORE, 0)
    stones = Tombstones(
        stone for path in sources.tombstones for stone in tombstones.read_file(path)
    )
    (folder / TOMBSTONES).write_bytes(tombstones.dump(stones))
    found[TOMBSTONES] = folder / TOMBSTONES
    for name, path in ((TEAMS, sources.teams), (LEDGER, sources.ledger)):
        if path is not None and path.is_file():
            shutil.copyfile(path, folder / name)
            found[name] = folder / name
    return found


def _copied(source: Path, target: Path) -> Path:
    """Copy a SQLite file that may be in use, without what was deleted from it."""
    target.touch(mode=0o600)
    with (
        state_errors(source),
        closing(
            sqlite3.connect(
                f"{source.resolve().as_uri()}?mode=ro", uri=True, timeout=_BUSY_S,
                isolation_level=None,
            )
        ) as db,
    ):  # fmt: skip
        db.execute("VACUUM INTO ?", (str(target),))
    return target


def _version(path: Path) -> int:
    with state_errors(path), closing(sqlite3.connect(path)) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])


def _program() -> str:
    try:
        return version("agent-wellbeing")
    except PackageNotFoundError:
        return ""


def _left_out(sources: Sources) -> dict[str, str]:
    found = {
        "configuration and secrets": "keep them where you keep secrets; they are in no backup",
        "roster": "who the pseudonyms are; back it up apart from what they measured",
    }
    if sources.store is None:
        found["database"] = (
            "back it up with the server's own tool; after restoring it start `wellbeing detect`"
            " again, which erases once more who was erased"
        )
    return found
