"""The archive of a backup: a zip of files with a manifest of their hashes, written whole or not.

Layout: ``manifest.json`` and, below, only the names in `NAMES`. Nothing else
is ever read out of an archive, so that none can put a file where it likes.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO

from sensors import codec
from sensors.errors import StateError

FORMAT = 1
"""Goes up when a reader must change; older ones are read."""

MANIFEST = "manifest.json"
STATE, TOMBSTONES, STORE, TEAMS, LEDGER = (
    "server.sqlite",
    "tombstones.json",
    "store.sqlite",
    "teams.toml",
    "exports.jsonl",
)
NAMES = (STATE, TOMBSTONES, STORE, TEAMS, LEDGER)

_CHUNK = 1 << 20

# Flipped bits can make it "encrypted" (RuntimeError) or packed by means nobody has.
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, KeyError, EOFError, RuntimeError, NotImplementedError,
)  # fmt: skip

Progress = Callable[[str, int], None]
"""Told the file and how many bytes of it have just been done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file of an archive."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What an archive holds.

    Parameters
    ----------
    format : int
    made_at : datetime
        UTC.
    program : str
        Version of this program.
    site : str
    versions : mapping
        Versions of the SQLite files: which migrations they have had.
    files : mapping
    left_out : mapping
        What is not in it, and how to back it up.
    """

    format: int
    made_at: datetime
    program: str
    site: str
    versions: dict[str, int]
    files: dict[str, Entry] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


@contextmanager
def whole(target: Path) -> Iterator[Path]:
    """Yield where to write; it becomes `target` only once everything is there.

    Raises
    ------
    StateError
        If it cannot be written.
    """
    part = target.with_name(f"{target.name}.part")
    try:
        part.unlink(missing_ok=True)
        part.touch(mode=0o600)
        try:
            yield part
            with part.open("rb") as written:
                # A power cut must not leave an empty file where an older one stood.
                os.fsync(written.fileno())
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise StateError(
            f"cannot write {target} ({error.strerror or error}); nothing was written there"
        ) from None


def write(target: Path, manifest: Manifest, sources: Mapping[str, Path], tell: Progress) -> None:
    """Write the archive `target` with `sources` by name; the manifest gets their hashes.

    Raises
    ------
    StateError
        If it cannot be written; then nothing is there.
    """
    with (
        whole(target) as part,
        zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file,
    ):
        for name, source in sources.items():
            digest, size = hashlib.sha256(), 0
            with source.open("rb") as read, file.open(name, "w", force_zip64=True) as into:
                while chunk := read.read(_CHUNK):
                    digest.update(chunk)
                    into.write(chunk)
                    size += len(chunk)
                    tell(name, len(chunk))
            manifest.files[name] = Entry(size=size, sha256=digest.hexdigest())
        file.writestr(MANIFEST, codec.dump_json(manifest))


@contextmanager
def opened(source: Path) -> Iterator[tuple[zipfile.ZipFile, Manifest]]:
    """Yield the archive `source` and its manifest.

    Raises
    ------
    StateError
        If it is none, is damaged, or is newer than this version.
    """
    with _readable(source):
        file = zipfile.ZipFile(source)
    with file:
        with _readable(source):
            manifest = _manifest(file, source)
        # What fails from here on is not the archive's: it must not be called damaged.
        yield file, manifest


@contextmanager
def _readable(source: Path) -> Iterator[None]:
    """Turn whatever reading the archive `source` fails with into one line."""
    try:
        yield
    except _DAMAGED as error:
        raise StateError(
            f"{source} is no backup of this program, or is damaged ({error}); use another copy"
        ) from None
    except OSError as error:
        raise StateError(
            f"cannot read {source} ({error.strerror or error}); check its path and owner"
        ) from None


def _manifest(file: zipfile.ZipFile, source: Path) -> Manifest:
    try:
        manifest = codec.convert(codec.load_json(file.read(MANIFEST)), Manifest)
    except ValueError as error:
        raise StateError(f"{source}: its manifest is damaged ({error}); use another copy") from None
    if manifest.format > FORMAT:
        raise StateError(f"{source} was written by a newer version; install that version first")
    unknown = set(manifest.files) - set(NAMES)
    if unknown or STATE not in manifest.files:
        raise StateError(f"{source}: its manifest names {sorted(manifest.files)}; use another copy")
    return manifest


def unpack(file: zipfile.ZipFile, manifest: Manifest, into: Path, tell: Progress) -> None:
    """Unpack every file of the manifest into the folder `into` and check its hash.

    Raises
    ------
    StateError
        If one is not what was written.
    """
    for name, entry in manifest.files.items():
        digest, size = hashlib.sha256(), 0
        target = into / name
        with _writable(target) as write_to:
            # One that is longer than it was is not unpacked to the end: it may be a bomb.
            for chunk in _chunks(file, name):
                digest.update(chunk)
                write_to.write(chunk)
                size += len(chunk)
                tell(name, len(chunk))
                if size > entry.size:
                    break
        if size != entry.size or digest.hexdigest() != entry.sha256:
            raise StateError(f"{name} in the archive is damaged; nothing was restored")


def _chunks(file: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    """Yield one file of the archive; only what reading fails with is blamed on the archive."""
    source = Path(str(file.filename))
    with _readable(source):
        read = file.open(name)
    with read:
        while True:
            with _readable(source):
                chunk = read.read(_CHUNK)
            if not chunk:
                return
            yield chunk


@contextmanager
def _writable(target: Path) -> Iterator[IO[bytes]]:
    try:
        target.touch(mode=0o600)
        with target.open("wb") as file:
            yield file
    except OSError as error:
        raise StateError(
            f"cannot write {target} ({error.strerror or error}); nothing was restored"
        ) from None
