"""What can still be read of a damaged outbox: every row proves itself by its seal.

Works on a copy. SQLite reads from the front until it meets the damage, then
from the back; a row is believed only if it opens as the window it says it is,
so nothing that the damage made up can come back. When page 1 is gone, which
holds the table of contents, that of a new file takes its place: the layout is
always the same.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import struct
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

PAGE = 4096
_AT_CHANGES, _AT_PAGES, _AT_FREE, _AT_VALID_FOR = 24, 28, 32, 92  # SQLite's file format, 1.3


class Row(NamedTuple):
    """One window as it lies in the file."""

    run: str
    seq: int
    kept_at: float
    payload: bytes


class Rescued(NamedTuple):
    """What was saved, oldest first, each once; how many are known to be missing; the old count."""

    rows: list[Row]
    missing: int
    dropped: int


def rescue(path: Path, opens: Callable[[Row], bool], layout: Callable[[Path], None]) -> Rescued:
    """Return what can be read of the damaged file at `path`, which is left as it is.

    Parameters
    ----------
    opens : callable
        Whether a row's seal holds.
    layout : callable
        Makes a new, empty file of the same layout at the path it is given.
    """
    with TemporaryDirectory(prefix="rescue-", dir=path.parent) as folder:
        copy = Path(folder) / "copy"
        for tail in ("", "-wal"):
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(path.with_name(path.name + tail), copy.with_name(copy.name + tail))
        found = _read(copy, opens)
        if not found.rows:
            blank = Path(folder) / "blank"
            layout(blank)
            _graft(copy, blank)
            found = _read(copy, opens)
        return found


def _read(path: Path, opens: Callable[[Row], bool]) -> Rescued:
    front = dict(_rows(path, "ASC"))
    back = dict(_rows(path, "DESC"))
    seen = front | back
    good = {row[:2]: row for _, row in sorted(seen.items()) if opens(row)}
    between = 0
    if not front.keys() & back.keys() and front and back:
        between = max(0, min(back) - max(front) - 1)
    listed = len(_listed(path) - good.keys())  # the index knows them, the table no longer does
    missing = max(listed, len(seen) - len(good) + between)
    return Rescued(list(good.values()), missing, _dropped(path))


def _listed(path: Path) -> set[tuple[str, int]]:
    """Return which windows the table's index lists, as far as it can be read."""
    listed: set[tuple[str, int]] = set()
    query = (
        "SELECT run, seq FROM window INDEXED BY sqlite_autoindex_window_1 ORDER BY run {0}, seq {0}"
    )
    for order in ("ASC", "DESC"):
        with contextlib.suppress(sqlite3.Error), closing(sqlite3.connect(path)) as db:
            for run, seq in db.execute(query.format(order)):
                listed.add((run, seq))
    return listed


def _dropped(path: Path) -> int:
    with contextlib.suppress(sqlite3.Error, TypeError), closing(sqlite3.connect(path)) as db:
        value = db.execute("SELECT value FROM counter WHERE name = 'dropped'").fetchone()[0]
        return value if isinstance(value, int) and value >= 0 else 0
    return 0


def _rows(path: Path, order: str) -> Iterator[tuple[int, Row]]:
    """Yield rows by id until SQLite meets the damage."""
    query = f"SELECT id, run, seq, kept_at, payload FROM window ORDER BY id {order}"  # noqa: S608
    with contextlib.suppress(sqlite3.Error), closing(sqlite3.connect(path)) as db:
        db.text_factory = lambda data: data.decode("utf-8", "replace")
        for number, run, seq, kept_at, payload in db.execute(query):
            if isinstance(payload, bytes) and isinstance(kept_at, float):
                yield number, Row(run, seq, kept_at, payload)


def _graft(path: Path, blank: Path) -> None:
    """Put the first page of `blank` before the rest of `path`."""
    first = bytearray(blank.read_bytes()[:PAGE])
    content = path.read_bytes()
    struct.pack_into(">I", first, _AT_PAGES, max(1, len(content) // PAGE))
    struct.pack_into(">II", first, _AT_FREE, 0, 0)
    first[_AT_VALID_FOR : _AT_VALID_FOR + 4] = first[_AT_CHANGES : _AT_CHANGES + 4]
    path.write_bytes(bytes(first) + content[PAGE:])
