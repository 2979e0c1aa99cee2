"""Restoring a backup: checked, migrated forward, erased again, and only then put in place.

Everything happens in a folder beside the state first. Erasures are taken from
everywhere they may be known: the archive, the state and the store that stand
there now, and a file that is named. What they say is gone before anything is
in place, so that no server ever starts with it.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from analytics.journal.steps import Snapshot, StepLog
from analytics.people import tombstones
from analytics.people.tombstones import Tombstone, Tombstones
from analytics.rights import agent_state as rights_state
from analytics.rights import erasure as rights_erasure
from analytics.rights import requests as rights_requests
from analytics.rights.purge import Purge
from analytics.rights.requests import Kind, Request, State
from analytics.state.archive import (
    LEDGER,
    STATE,
    STORE,
    TEAMS,
    TOMBSTONES,
    Manifest,
    Progress,
    opened,
    unpack,
)
from analytics.state.state_file import (
    FILE_NAME,
    StateLock,
    open_state,
    state_errors,
    transaction,
)
from analytics.store.embedded import EmbeddedStore
from sensors.errors import StateError

_SCRATCH = ".restore-"
_CHECKED = "wellbeing-verify-"
_SIDE_FILES = ("-wal", "-shm", "-journal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where a backup is restored to.

    Parameters
    ----------
    directory : Path
        Of the server's state.
    store : Path or None
        The embedded store; ``None``: the store in the archive, if there is
        one, is left there.
    teams, ledger : Path or None
        ``None``: beside the state.
    tombstones : tuple of Path
        Files of erasures beside the store: heeded, and kept up to date.
    """

    directory: Path
    store: Path | None = None
    teams: Path | None = None
    ledger: Path | None = None
    tombstones: tuple[Path, ...] = ()


@dataclass(slots=True)
class Restored:
    """What was restored, for the report."""

    manifest: Manifest
    put: dict[str, Path] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    erased_again: list[str] = field(default_factory=list)


def verify(source: Path, tell: Progress) -> Manifest:
    """Check every hash of an archive and that its SQLite files are sound.

    Raises
    ------
    StateError
        If anything is not what was written.
    """
    # Not beside the archive, which may lie on a share: everything is in it that was measured.
    with opened(source) as (file, manifest), _private() as folder:
        unpack(file, manifest, folder, tell)
        for name in (STATE, STORE):
            if name in manifest.files:
                _check_sound(folder / name)
        if TOMBSTONES in manifest.files:
            tombstones.parse((folder / TOMBSTONES).read_bytes(), f"{source}: {TOMBSTONES}")
    return manifest


def restore(
    source: Path,
    to: Places,
    *,
    site: str,
    replace: bool,
    tell: Progress,
    heed: tuple[Path, ...] = (),
) -> Restored:
    """Restore the archive `source`.

    Parameters
    ----------
    source : Path
    to : Places
    site : str
        The server's; a backup of another one is refused.
    replace : bool
        Whether what stands there may be overwritten.
    tell : callable
    heed : tuple of Path
        Further files of erasures; they stay as they are.

    Raises
    ------
    StateError
        If the archive is damaged, of another site or newer; if a server runs;
        or if something is in the way. Then everything is as it was.
    """
    lock = StateLock(to.directory)
    try:
        _remove_left(to.directory)
        with opened(source) as (file, manifest), _scratch(to.directory) as folder:
            if manifest.site != site:
                raise StateError(
                    f"{source} is of site {manifest.site}, [server] site is {site}; restore it"
                    " with the configuration of its own site"
                )
            targets = _targets(manifest, to)
            if not replace:
                _refuse_overwriting(targets)
            unpack(file, manifest, folder, tell)
            _check_sound(folder / STATE)
            done = Restored(
                manifest, left=sorted(manifest.files.keys() - targets.keys() - {TOMBSTONES})
            )
            stones = _known_tombstones(folder, to, heed)
            asked = _requests_of(to.directory / FILE_NAME)
            done.erased_again = _bring_forward(folder, site, stones, asked)
            for path in (to.directory / tombstones.FILE_NAME, *to.tombstones):
                tombstones.merge_into(path, stones)
            for name, target in targets.items():
                _put(folder / name, target)
                done.put[name] = target
    finally:
        lock.release()
    return done


def _remove_left(directory: Path) -> None:
    """Remove what a restore that was killed left here: a whole copy, which no erasure reaches."""
    for folder in directory.glob(f"{_SCRATCH}*"):
        shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():
            raise StateError(
                f"cannot remove {folder}, left by a restore that was killed; remove it"
            )


@contextmanager
def _private() -> Iterator[Path]:
    """Yield a folder that only this account can look into; it goes, however this ends."""
    try:
        folder = TemporaryDirectory(prefix=_CHECKED)
    except OSError as error:
        raise StateError(
            f"cannot unpack into {gettempdir()} ({error.strerror}); name another place by TMPDIR"
        ) from None
    with folder as name:
        yield Path(name)


@contextmanager
def _scratch(where: Path) -> Iterator[Path]:
    try:
        folder = TemporaryDirectory(prefix=_SCRATCH, dir=where)
    except OSError as error:
        raise StateError(f"cannot write to {where} ({error.strerror}); check its owner") from None
    with folder as name:
        yield Path(name)


def _targets(manifest: Manifest, to: Places) -> dict[str, Path]:
    # A ledger only ever grows: the one that stands there knows of exports made since.
    ledger = to.ledger or to.directory / LEDGER
    places = {
        STATE: to.directory / FILE_NAME,
        STORE: to.store,
        TEAMS: to.teams or to.directory / TEAMS,
        LEDGER: None if ledger.exists() else ledger,
    }
    return {n: path for n in manifest.files if (path := places.get(n)) is not None}


def _refuse_overwriting(targets: dict[str, Path]) -> None:
    there = [str(path) for path in targets.values() if path.exists()]
    if there:
        raise StateError(
            f"{', '.join(there)} would be overwritten; restore to an empty place, or add --replace"
        )


def _check_sound(path: Path) -> None:
    with state_errors(path), closing(sqlite3.connect(path)) as db:
        (said,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if said != "ok":
        raise StateError(f"{path.name} in the archive is damaged ({said}); use another copy")


def _known_tombstones(folder: Path, to: Places, heed: tuple[Path, ...]) -> Tombstones:
    """Return every erasure that anything here knows of."""
    stones = Tombstones()
    own = to.directory / tombstones.FILE_NAME
    for path in (folder / TOMBSTONES, own, *to.tombstones, *heed):
        stones.add(tombstones.read_file(path))
    for state in (folder / STATE, to.directory / FILE_NAME):
        stones.add(_of_state(state))
    return stones


def _of_state(path: Path) -> list[Tombstone]:
    """Return the erasures in a state file; none of one that is from before there were any."""
    if not path.is_file():
        return []
    with state_errors(path), closing(sqlite3.connect(path)) as db:
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
        return rights_erasure.load(db) if "tombstone" in tables else []


def _requests_of(path: Path) -> list[Request]:
    """Return what was asked in agents' names, with the receipts, in a state file."""
    if not path.is_file():
        return []
    with state_errors(path), closing(sqlite3.connect(path)) as db:
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
        return rights_requests.find(db) if "rights" in tables else []


def _bring_forward(
    folder: Path, site: str, stones: Tombstones, asked: Iterable[Request]
) -> list[str]:
    """Migrate what was unpacked, erase from it again and return whom; what was `asked` stays."""
    db = open_state(folder)
    try:
        path = folder / STATE
        known = Tombstones(rights_erasure.load(db))
        newer = [stone for stone in stones if known.add([stone])]
        with state_errors(path), transaction(db):
            for request in asked:
                rights_requests.put(db, request)
                rights_requests.settle(db, request.id, request.state, request.receipt)
        for stone in newer:
            _erase(db, path, site, stone)
        with state_errors(path):
            db.execute("VACUUM")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            db.execute("PRAGMA journal_mode = DELETE").fetchall()
    finally:
        db.close()
    if (folder / STORE).is_file():
        store = EmbeddedStore(folder / STORE)
        try:
            for stone in newer:
                store.erase(site, stone.agent)
        finally:
            store.close()
        with state_errors(folder / STORE), closing(sqlite3.connect(folder / STORE)) as compacted:
            compacted.execute("VACUUM")
            compacted.execute("PRAGMA journal_mode = DELETE").fetchall()
    return [stone.agent for stone in newer]


def _erase(db: sqlite3.Connection, path: Path, site: str, stone: Tombstone) -> None:
    """Erase from the state; the server goes on with broker and receipt where that was not done."""
    steps = StepLog(db, path)
    kept = steps.snapshot()
    found = rights_state.Forgotten()
    with state_errors(path), transaction(db):
        if kept is not None:
            data, found = rights_state.forget(kept.data, stone.agent)
            steps.put_snapshot(Snapshot(kept.step, data))
        purge = Purge(db, stone.agent, found.alert_ids)
        clears = rights_erasure.clears_of(site, stone.agent, purge.sources(), found.shown)
        counts = purge.delete()
        rights_erasure.keep(db, [stone])
        if _is_over(db, stone):
            return
        for clear in clears:
            steps.keep(clear)
        by = rights_requests.ADMINISTRATOR
        receipt = rights_erasure.first_receipt(site, stone, by, counts, found, len(clears))
        request = Request(
            id=stone.id,
            agent=stone.agent,
            kind=Kind.ERASE,
            by=by,
            asked_at=stone.at,
            state=State.WAITING,
            receipt=receipt,
        )
        rights_requests.carried_out(db, request)


def _is_over(db: sqlite3.Connection, stone: Tombstone) -> bool:
    """Return whether broker and store have answered already: a new consent may stand there."""
    over = rights_requests.find(db, State.DONE)
    return any(one.receipt is not None and one.receipt.id == stone.id for one in over)


def _as_it_was(path: Path, was: os.stat_result) -> None:
    """Give `path` the owner (where this account may) and the mode that `was` there."""
    if hasattr(os, "chown"):
        with suppress(PermissionError):
            os.chown(path, was.st_uid, was.st_gid)
    path.chmod(stat.S_IMODE(was.st_mode))


def _put(source: Path, target: Path) -> None:
    """Move a file into its place; what an old SQLite file left beside it goes first.

    Whoever could read a teams file can read the new one: other programs do.
    """
    part = target.with_name(f"{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        source.chmod(0o600)
        shutil.move(source, part)  # maybe to another file system: not in one go
        if source.name == TEAMS and target.exists():
            _as_it_was(part, target.stat())
        for side in _SIDE_FILES:
            target.with_name(f"{target.name}{side}").unlink(missing_ok=True)
        part.replace(target)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise StateError(
            f"cannot put {target} in place ({error.strerror or error}); mend that and restore again"
            " with --replace before the server is started"
        ) from None
