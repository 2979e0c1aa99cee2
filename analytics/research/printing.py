"""What `query` and `events` print: on a terminal to be read, anywhere else an export (TRUST T11).

Standard output that is no terminal is a file or another program, and what is in
a file has left: when somebody withdraws, the ledger must name it. So the values
are held back, privately, until the ledger has the line; then they go out.
Nothing is asked for besides: which study it is and what was asked is known, and
a question that stands in the way of `| head` would teach to answer it unread.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from io import UnsupportedOperation
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, TextIO, cast

from analytics.research.ledger import ExportRecord, Ledger, account
from analytics.research.study_file import StudyTable

_IN_MEMORY = 8 << 20
_CHUNK = 1 << 20


class Printed:
    """Where to print, and the count of what was printed of whom.

    Attributes
    ----------
    to : TextIO
    rows : int
    agents : set of str
        At the site.
    """

    def __init__(self, to: TextIO) -> None:
        self.to = to
        self.rows = 0
        self.agents: set[str] = set()


@contextmanager
def printing(
    study: StudyTable,
    ledger: Ledger,
    signals: Sequence[str],
    start_at: datetime,
    end_at: datetime,
) -> Iterator[Printed]:
    """Yield where to print values; what goes anywhere but to a terminal enters the ledger first.

    Parameters
    ----------
    study : StudyTable
    ledger : Ledger
    signals : sequence of str
        What is printed, as the ledger names it.
    start_at, end_at : datetime

    Raises
    ------
    StateError
        If the ledger cannot be written; then nothing is printed.
    """
    if sys.stdout.isatty():
        yield Printed(sys.stdout)
        return
    with SpooledTemporaryFile(_IN_MEMORY, "w+", encoding="utf-8", newline="") as held:
        printed = Printed(cast("TextIO", held))
        yield printed
        if printed.rows:
            ledger.append(
                ExportRecord(
                    at=datetime.now(UTC),
                    study=study.id,
                    site=study.site,
                    file=_where(),
                    sha256=_digest(cast("IO[str]", held)),
                    rows=printed.rows,
                    signals=tuple(signals),
                    start_at=start_at,
                    end_at=end_at,
                    by=account(),
                    agents=tuple(sorted(printed.agents)),
                )
            )
        held.seek(0)
        shutil.copyfileobj(held, sys.stdout)


def _digest(held: IO[str]) -> str:
    held.seek(0)
    digest = sha256()
    while piece := held.read(_CHUNK):
        digest.update(piece.encode())
    return digest.hexdigest()


def _where() -> str:
    """Return the file that standard output goes to, as far as the system tells."""
    try:
        handle = sys.stdout.fileno()
        if stat.S_ISREG(os.fstat(handle).st_mode):
            return str(Path(f"/proc/self/fd/{handle}").readlink())
    except (OSError, UnsupportedOperation):
        pass
    return "standard output"
