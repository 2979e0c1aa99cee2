"""A small file replaced as a whole."""

from __future__ import annotations

import errno
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def alone(path: Path, wait_s: float) -> Iterator[None]:
    """Let one program at a time do what it does meanwhile; the system lets go when one dies.

    Parameters
    ----------
    path : Path
        The lock: an empty file, which stays.
    wait_s : float
        How long another one may keep us waiting. [s]

    Raises
    ------
    OSError
        If the file cannot be made.
    sqlite3.OperationalError
        If another one still has it after `wait_s`.
    """
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    db = sqlite3.connect(path, timeout=wait_s, isolation_level=None)  # its locks work everywhere
    try:
        db.execute("BEGIN EXCLUSIVE")
        yield
    finally:
        db.close()


def replace_durably(path: Path, data: bytes) -> None:
    """Put `data` in place of the file at `path`, whole or not at all; its owner's only."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def remedy(error: OSError) -> str:
    """Return what to do about a state file that cannot be written."""
    is_full = error.errno in {errno.ENOSPC, errno.EDQUOT}
    return "free space" if is_full else "check [edge] state_dir"
