"""Whether the server's clock may be believed when it says that something is too old.

Retention deletes for good. A clock that jumped ahead by a month (a dead
battery, a mistyped year, a virtual machine put back) would make everything too
old at once. So the clock needs a witness before anything is deleted by age:
windows, which are stamped by the agents' own machines. While the newest is a
day or more behind the server's clock nothing goes, and that is said. Once they
have agreed, a clock that nobody sets carries it over nights and weekends.

After a start in a holiday there is no witness until the first window. Where
none comes for long, the clock is believed all the same, since what is kept too
long is a wrong too (TRUST T18). That is for silence only: windows that go on
coming and say otherwise are witnesses, however long that lasts. A server of a database keeps its own time and
its own retention; this is about what we delete ourselves.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta

APART = timedelta(days=1)
"""So far may the newest window be behind: clocks of agents' machines differ by less."""

PATIENCE_S = 3 * 86_400.0
"""So long is waited for a witness while the server runs and no window comes. [s]"""


def steady_s() -> float:
    """Return a clock that nobody sets, and that goes on while the machine sleeps if it can, in s."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class ClockWitness:
    """Remembers since when nobody confirmed the clock, nor said otherwise.

    Parameters
    ----------
    is_trusted : bool
        The operator says that the clock is right, whatever is stored.
    """

    def __init__(self, *, is_trusted: bool = False) -> None:
        self._is_trusted = is_trusted
        self._agreed: tuple[datetime, float] | None = None
        self._doubted_s: float | None = None
        self._newest: datetime | None = None

    def doubt(self, now: datetime, newest: datetime | None, steady_s: float) -> str:
        """Return why nothing may be deleted by age at `now`; empty if it may.

        Parameters
        ----------
        now : datetime
            The server's clock. UTC.
        newest : datetime or None
            End of the newest window, by the clock of whoever measured it;
            ``None``: there is none, and so nothing to delete.
        steady_s : float
            From :func:`steady_s`. [s]
        """
        if newest is not None and now - newest < APART:
            self._agreed = now, steady_s
        if self._is_trusted or newest is None or self._has_gone_on(now, steady_s):
            self._doubted_s = None
            return ""
        if self._doubted_s is None or self._newest is None or newest > self._newest:
            self._doubted_s, self._newest = steady_s, newest
        if steady_s - self._doubted_s >= PATIENCE_S:
            return ""
        return (
            f"the server's clock says {now:%Y-%m-%d %H:%M}, the newest window is of"
            f" {newest:%Y-%m-%d %H:%M} UTC: nothing is deleted by age until they agree"
        )

    def _has_gone_on(self, now: datetime, steady_s: float) -> bool:
        """Return whether the clock has been confirmed, and went as fast as time does since."""
        if self._agreed is None:
            return False
        at, at_s = self._agreed
        return abs((now - at).total_seconds() - (steady_s - at_s)) < APART.total_seconds()
