"""Which export holds whose data: one line for each, appended before the file appears.

Read when somebody withdraws or is erased (TRUST T11): :func:`exports_of`
names every file that they are in. It names agents by the site's pseudonyms,
so only its owner can read it; the pseudonyms of the study are not in it.
"""

from __future__ import annotations

import errno
import getpass
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import platformdirs

from sensors import codec
from sensors.errors import StateError

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ResearchSettings:
    """``[research]`` of the configuration.

    Parameters
    ----------
    ledger : str
        File that names every export; the same for everybody who exports and
        for the server that erases. Empty for the place the system has for an
        application's data.
    """

    ledger: str = ""

    def file(self) -> Path:
        """Return the ledger's path."""
        if self.ledger:
            return Path(self.ledger).expanduser()
        return platformdirs.user_data_path("agent-wellbeing") / "exports.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRecord:
    """One export: where it went, what it holds, and of whom."""

    at: datetime
    study: str
    site: str
    file: str
    sha256: str
    rows: int
    signals: tuple[str, ...]
    start_at: datetime
    end_at: datetime
    by: str
    agents: tuple[str, ...]
    version: int = VERSION


class Ledger:
    """The exports of an installation, append-only.

    Parameters
    ----------
    path : Path
        Made at the first export, readable by its owner only.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, record: ExportRecord) -> None:
        """Add `record`, durably.

        Raises
        ------
        StateError
            If it cannot be written; then nothing may be exported.
        """
        line = codec.dump_json(record) + b"\n"
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                if _is_cut_off(handle):
                    line = b"\n" + line  # a line that a crash cut off stays alone
                # One call: lines of two writers do not mix.
                if os.write(handle, line) < len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            raise StateError(
                f"cannot write the ledger of exports {self.path}: {error.strerror}; "
                "nothing was exported"
            ) from None

    def records(self) -> list[ExportRecord]:
        """Return every export, oldest first; none where there is no ledger yet.

        Raises
        ------
        StateError
            If a line cannot be read: who is in that export is then unknown.
        """
        return list(self._read())

    def _read(self) -> Iterator[ExportRecord]:
        try:
            lines = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return
        except OSError as error:
            raise StateError(f"cannot read {self.path}: {error.strerror}") from None
        for number, line in enumerate(lines, start=1):
            if not line:
                continue
            try:
                record = codec.convert(codec.load_json(line), ExportRecord)
            except ValueError:
                raise StateError(
                    f"{self.path}, line {number} is damaged: who is in that export is unknown; "
                    "look at it and at the exports of that time"
                ) from None
            if record.version > VERSION:
                raise StateError(f"{self.path} was written by a newer version; upgrade the program")
            yield record


def _is_cut_off(handle: int) -> bool:
    """Return whether the last line of an open file has no end."""
    if os.lseek(handle, 0, os.SEEK_END) == 0:
        return False
    os.lseek(handle, -1, os.SEEK_END)
    return os.read(handle, 1) != b"\n"


def exports_of(
    agent: str, *, site: str | None = None, ledger: Path | None = None
) -> list[ExportRecord]:
    """Return every export that `agent` is in, oldest first.

    Parameters
    ----------
    agent : str
        Pseudonym at the site, not the study's.
    site : str or None
        Left out, every site.
    ledger : Path or None
        Left out, the default of ``[research] ledger``.

    Raises
    ------
    StateError
        If the ledger is there and cannot be read.
    """
    book = Ledger(ResearchSettings().file() if ledger is None else ledger)
    return [r for r in book.records() if agent in r.agents and site in {None, r.site}]


def account() -> str:
    """Return the name of the account that asks."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # an account without a name, as in some containers
        return "unknown"
