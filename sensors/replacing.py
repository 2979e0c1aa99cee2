"""A small file replaced as a whole."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path


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
