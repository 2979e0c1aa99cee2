"""A batch that the store refuses in words nobody knows: which of its points it means; pure.

A store away, busy or refusing *us* is waited out. One that refuses a batch as
such, and takes others, will refuse it for ever: it is held beside the others,
tried again for a while, and then written in halves until what is refused is
alone. Only that is set aside.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from analytics.store.base import WriteReport
from analytics.store.points import Point
from sensors.errors import StoreRefusedError

_REMEDY = "mend it, then: wellbeing store set-aside replay"


def sift(
    write: Callable[[Sequence[Point]], WriteReport],
    points: Sequence[Point],
    may_split: Callable[[], bool] = lambda: True,
) -> WriteReport:
    """Write `points` in parts, so that only those are refused that the store will not have.

    Parameters
    ----------
    write : callable
        Writes some of them; whatever else it raises than
        :class:`~sensors.errors.StoreRefusedError` is the caller's: to be done
        again, since the same point told twice is one.
    points : sequence of Point
    may_split : callable
        Asked before a refused part is halved; if not, all of it is refused.

    Returns
    -------
    WriteReport
        Each refused point has the store's words and what to do.
    """
    pending = [points]
    written = 0
    refused: list[tuple[Point, str]] = []
    while pending:
        part = pending.pop()
        if not part:
            continue
        try:
            report = write(part)
        except StoreRefusedError as error:
            if len(part) == 1 or not may_split():
                refused += [(point, f"{error}; {_REMEDY}") for point in part]
            else:
                middle = len(part) // 2
                pending += [part[middle:], part[:middle]]
        else:
            written += report.written
            refused += report.refused
    return WriteReport(written=written, refused=refused)
