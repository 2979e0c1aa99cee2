"""``wellbeing store copy``: from one store into another, resumable, and counted on both sides."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any

import platformdirs
import typer
from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from analytics.copying.copy import Copy, Difference, Part, Progress, told
from analytics.copying.proof import shown
from analytics.people import tombstones
from analytics.people.tombstone_files import tombstones_beside
from analytics.settings import ServerSettings
from analytics.store.opening import open_store
from analytics.store.points import Database
from analytics.store.settings import StoreSettings
from sensors import codec
from sensors.command_line import JsonOption
from sensors.config import read_file, section
from sensors.errors import ConfigurationError, StoreError

_SQLITE = b"SQLite format 3\x00"
_SAVE_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class _Side:
    """A store, and where erasures known beside it stand."""

    settings: StoreSettings
    stones: tuple[Path, ...]

    @property
    def identity(self) -> str:
        """What tells one store from another."""
        if self.settings.kind == "embedded":
            return str(self.settings.file().resolve())
        return f"{self.settings.url} {self.settings.org} {self.settings.database}"


def _side(option: str, path: Path) -> _Side:
    """Return the store that a configuration file or the file of an embedded store names."""
    if path.suffix == ".sqlite" or _is_sqlite(path):
        settings = replace(StoreSettings(), path=str(path))
        return _Side(settings, tombstones_beside(settings))
    if not path.exists():
        raise ConfigurationError(
            f"{option} {path}: no such file; name a configuration file, or a store.sqlite"
        )
    tables = read_file(path)
    settings = section(tables, "store", StoreSettings)
    server = section(tables, "server", ServerSettings)
    return _Side(
        settings, (*tombstones_beside(settings), server.directory() / tombstones.FILE_NAME)
    )


def _is_sqlite(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except OSError:
        return False


def copy(
    source: Annotated[
        Path, typer.Option("--from", help="A configuration file, or an embedded store's file.")
    ],
    destination: Annotated[Path, typer.Option("--to", help="Likewise; it is written to.")],
    without: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Leave out this agent; can be given again."),
    ] = None,
    progress_file: Annotated[
        Path | None, typer.Option("--progress", help="Where to note how far it is.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Copy everything from one store into another, then count both sides.

    Ended at any time, it goes on where it was when the same command is given
    again. Ends with code 6 if the two sides do not hold the same.
    """
    there, here = _side("--from", source), _side("--to", destination)
    if there.identity == here.identity:
        raise ConfigurationError(f"--from and --to are the same store ({there.identity})")
    notes = progress_file or _notes(there, here, without or [])
    stones = tombstones.Tombstones()
    for path in (*there.stones, *here.stones):
        stones.add(tombstones.read_file(path))
    for path in tombstones_beside(here.settings):
        tombstones.merge_into(path, stones)
    with (
        closing(open_store(there.settings, read_only=True)) as old,
        closing(open_store(here.settings)) as new,
    ):
        now = datetime.now(UTC)
        days = {Database.RAW: here.settings.raw_days, Database.DERIVED: here.settings.derived_days}
        one = Copy(old, new, days, now, stones=stones, without=without or [])
        found = _copied(one, notes, now)
    _tell(found, notes, as_json=as_json)


def _notes(there: _Side, here: _Side, without: list[str]) -> Path:
    what = "\n".join((there.identity, here.identity, *sorted(without)))
    name = blake2b(what.encode(), digest_size=8).hexdigest()
    return platformdirs.user_data_path("agent-wellbeing") / f"copy-{name}.json"


def _copied(one: Copy, notes: Path, now: datetime) -> dict[str, Any]:
    """Copy and count; return what to say of it."""
    with _noted(notes, now) as noted, _bar() as bar:
        parts = one.parts(noted.progress)
        for part in parts:
            task = _task(bar, part.name, part)
            at = noted.progress.done.get(part.name, part.start_at)
            bar.update(task, completed=(at - part.start_at).total_seconds())
            one.run(part, noted.progress, _Told(bar, task, part, noted).stretch)
        differences: list[Difference] = []
        points = 0
        for part in parts:
            task = _task(bar, f"counting {part.name}", part)
            proof = one.prove(part, _Told(bar, task, part, noted).counted)
            points += proof.points
            differences += proof.differences
        hours, checksums = 0, []
        for part in parts if not differences else ():
            task = _task(bar, f"comparing {part.name}", part)
            values = one.prove_values(part, _Told(bar, task, part, noted).counted)
            hours += values.hours
            checksums.append(values.checksum)
            differences += values.differences
    progress = noted.progress
    return {
        "ok": not differences and not progress.refused,
        "written": progress.written,
        "refused": progress.refused,
        "last_refusal": progress.last_refusal,
        "counted": points,
        "hours": hours,
        "checksum": shown(checksums) if hours and not differences else None,
        "differences": differences,
    }


class _Noted:
    """The progress file of one copy."""

    def __init__(self, path: Path, now: datetime) -> None:
        self._path, self._due_s = path, 0.0
        self.progress = Progress(until=now)
        if path.exists():
            try:
                self.progress = codec.convert(codec.load_json(path.read_bytes()), Progress)
            except ValueError as error:
                raise ConfigurationError(
                    f"{path} is damaged ({error}); remove it to begin anew"
                ) from None

    def save(self, *, now: bool = False) -> None:
        """Write it, whole or not at all, at most every second."""
        if not now and time.monotonic() < self._due_s:
            return
        self._due_s = time.monotonic() + _SAVE_EVERY_S
        part = self._path.with_name(f"{self._path.name}.part")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with part.open("wb") as file:
                file.write(codec.dump_json(asdict(self.progress)))
                file.flush()
                os.fsync(file.fileno())
            part.replace(self._path)
        except OSError as error:
            raise ConfigurationError(
                f"cannot write {self._path} ({error.strerror});"
                " name another file with --progress, or free some space"
            ) from None


@contextmanager
def _noted(path: Path, now: datetime) -> Iterator[_Noted]:
    """Keep the progress on the disk, whatever ends the block."""
    noted = _Noted(path, now)
    noted.save(now=True)  # who cannot note how far it is, says so at once
    try:
        yield noted
    except KeyboardInterrupt:
        typer.echo("interrupted; the same command goes on from here", err=True)
        raise
    except StoreError as error:
        raise StoreError(f"{error}; then the same command goes on from here") from error
    finally:
        noted.save(now=True)


@dataclass(slots=True)
class _Told:
    """Moves one bar, and keeps the progress."""

    bar: Bar
    task: TaskID
    part: Part
    noted: _Noted

    def stretch(self, at: datetime) -> None:
        """Take note of a stretch that is written."""
        self.counted(at)
        self.bar.update(self.task, points=f"{self.noted.progress.written:,} points")
        self.noted.save()

    def counted(self, at: datetime) -> None:
        """Move the bar to `at`."""
        self.bar.update(self.task, completed=(at - self.part.start_at).total_seconds())


def _bar() -> Bar:
    errors = Console(stderr=True)
    return Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[points]}"),
        TimeRemainingColumn(),
        console=errors,
        transient=True,
        disable=not errors.is_terminal,
    )


def _task(bar: Bar, name: str, part: Part) -> TaskID:
    total_s = (part.end_at - part.start_at).total_seconds()
    return bar.add_task(name, total=total_s, points="")


def _tell(found: dict[str, Any], notes: Path, *, as_json: bool) -> None:
    """Say what was copied; with a difference, go on from nothing the next time."""
    notes.unlink(missing_ok=True)
    if as_json:
        typer.echo(codec.dump_json(found).decode())
    else:
        typer.echo(f"{found['written']} points written, {found['counted']} counted on both sides")
        for line in told(found["differences"]):
            typer.echo(line)
        if found["checksum"] is not None:
            typer.echo(
                f"the same values on both sides in each of {found['hours']} hours of measurements:"
                f" checksum {found['checksum']}"
            )
    if found["ok"]:
        return
    if found["refused"]:
        what = f"{found['refused']} points were refused ({found['last_refusal']})"
    else:
        of = "hours" if found["differences"][0].is_values else "counts"
        what = f"the two sides differ in {len(found['differences'])} {of}"
    raise StoreError(f"{what}; stop whoever writes to either, then give the same command again")
