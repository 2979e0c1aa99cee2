"""The agent's choices on disk: every consent given or withdrawn, and whether they have paused.

Each line of the history has its text's version and its time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sensors import codec
from sensors.edge.consent.permission import Given, Permission, Reason
from sensors.errors import StateError
from sensors.replacing import alone, remedy, replace_durably

FILE_VERSION = 1

Change = Callable[[Permission], Permission]
"""What the agent said, to be applied to whatever holds when it is written down."""

_LOCK_S = 2.0
"""How long another edge of this person may be writing. [s]"""


@dataclass(frozen=True, slots=True)
class _Content:
    """The file's layout, version 1."""

    file_version: int
    paused: bool = False
    history: tuple[Given, ...] = field(default=())


class ConsentFile:
    """The agent's choices on disk, replaced as a whole and durably at every change.

    Parameters
    ----------
    path : Path
        JSON file, readable by its owner only.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = self._stamp()

    def news(self) -> Permission | None:
        """Return what the agent said to another of their edges here since, if anything.

        Raises
        ------
        StateError
            As `load` does, once for each change.
        """
        stamp = self._stamp()
        if stamp == self._known:
            return None
        self._known = stamp
        return self.load()

    def _stamp(self) -> tuple[int, int, int] | None:
        """Return what changes whenever the file is replaced; ``None`` while there is none."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size

    def load(self) -> Permission:
        """Return the state at start-up: nothing allowed when there is no file.

        Raises
        ------
        StateError
            If the file is damaged or from a newer version. It is never
            guessed at: consent that cannot be read is not consent.
        """
        return _permission(self._read())

    def change(self, change: Change) -> Permission:
        """Write down what `change` makes of what the file says now; return that.

        No other edge writes between the reading and the writing, so none
        overwrites what the agent said to another one. A new consent or
        withdrawal is added to the history.

        Raises
        ------
        StateError
            If the disk refuses, another edge does not finish, or as `load` does.
        """
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with alone(self._path.with_suffix(".lock"), _LOCK_S):
                before = self._read()
                permission = change(_permission(before))
                replace_durably(self._path, codec.dump_json(_content(before, permission)))
                self._known = self._stamp()
        except OSError as error:
            raise StateError(
                f"cannot write {self._path}: {error.strerror}; {remedy(error)}"
            ) from None
        except sqlite3.Error as error:
            raise StateError(
                f"cannot write {self._path}: {error} (by another edge of yours?); say it again"
            ) from None
        return permission

    def _read(self) -> _Content:
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return _Content(FILE_VERSION)
        except OSError as error:
            raise StateError(
                f"cannot read {self._path}: {error.strerror}; check [edge] state_dir"
            ) from None
        try:
            content = codec.convert(codec.load_json(data), _Content)
        except ValueError:
            raise StateError(
                f"{self._path} is damaged; move it away, and you will be asked again"
            ) from None
        if content.file_version > FILE_VERSION:
            raise StateError(
                f"{self._path} has version {content.file_version}, "
                f"this program reads up to {FILE_VERSION}; upgrade the program"
            )
        return content


def _permission(content: _Content) -> Permission:
    given = content.history[-1] if content.history else None
    reasons = frozenset({Reason.PAUSED}) if content.paused else frozenset()
    return Permission(given, reasons)


def _content(before: _Content, permission: Permission) -> _Content:
    history = before.history
    if permission.given is not None and (not history or history[-1] != permission.given):
        history = (*history, permission.given)
    return _Content(FILE_VERSION, Reason.PAUSED in permission.reasons, history)
