"""When somebody at the machine has gone without a break for too long (TRUST T9). Pure.

It needs no sensor and no consent: the clock, and what says that the person is
away (telephony's *break* and *off*, a locked screen, the end of the shift, a
machine asleep). A pause of the sensors is no break: whoever lets nothing be
measured works on like everybody else, and is reminded like everybody else.
"""

from __future__ import annotations

from datetime import datetime, timedelta

EVERY_MIN = 60.0
"""Work without a break after which one is due. [min]

UK Health and Safety Executive, *Work with display screen equipment* (L26):
short, frequent breaks beat longer, rarer ones; five to ten minutes after 50 to
60 minutes of continuous screen work. Council Directive 90/270/EEC, Art. 7, asks
for breaks and gives no figure.
"""

LONGEST_MIN = 240.0
"""Half a working day; whoever wants it rarer wants none. [min]"""

BREAK = timedelta(minutes=5)
"""So long away counts as a break; the shortest that the same source calls one."""


class BreakReminder:
    """Follows one person's work and breaks.

    Parameters
    ----------
    every_min : float
        Work without a break after which one is due; 0 never reminds. [min]
    """

    def __init__(self, every_min: float = EVERY_MIN) -> None:
        self._every = timedelta(minutes=every_min)
        self._seen_at: datetime | None = None
        self._away_at: datetime | None = None
        self._since: datetime | None = None  # work without a break
        self._reminded_at: datetime | None = None

    @property
    def is_rested(self) -> bool:
        """Whether the person has been away long enough for a break; a locked moment is none."""
        return self._since is None

    def step(self, now: datetime, *, is_away: bool) -> timedelta | None:
        """Return for how long there was no break, when a reminder is due now.

        Parameters
        ----------
        now : datetime
            Never earlier than before. A step that comes `BREAK` late says that
            the machine slept: nobody worked at it.
        is_away : bool
            The person is not at work at this moment.

        Returns
        -------
        timedelta or None
            Due once; again only after as much work again.
        """
        slept = self._seen_at is not None and now - self._seen_at >= BREAK
        self._seen_at = now
        if is_away:
            self._away_at = self._away_at or now
            if now - self._away_at >= BREAK:
                self._since = None
            return None
        if slept or self._since is None:
            self._since, self._reminded_at = now, None
        self._away_at = None
        begun_at = self._reminded_at or self._since
        if not self._every or now - begun_at < self._every:
            return None
        self._reminded_at = now
        return now - self._since
