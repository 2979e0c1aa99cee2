"""Whether the agent has left the desk: pure, from what is told to what follows.

Several sources may tell of a locked screen (the login manager, a screen
saver); as long as one of them does, it is locked. Who has touched neither
keyboard nor mouse for long, and is not on a call, counts as away just the
same (TRUST T8).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

REQUEST = "request"
"""Pseudo-source: somebody asked for the lock, and any unlocking answers it."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What is known about the desk.

    Parameters
    ----------
    idle_limit_s : float
        How long nobody may touch keyboard or mouse before being away. [s]
        Infinite: for as long as they like.
    locked : frozenset of str
        Sources that say the screen is locked.
    seen_s : float
        When the agent was last known to be there, on the monotonic clock. [s]
    is_idle : bool
        Whether that was too long ago.
    """

    idle_limit_s: float = math.inf
    locked: frozenset[str] = frozenset()
    seen_s: float = -math.inf
    is_idle: bool = False

    @property
    def is_away(self) -> bool:
        """Whether nothing may be measured."""
        return bool(self.locked) or self.is_idle

    def told(self, source: str, *, locked: bool) -> Desk:
        """Return the state after `source` said whether the screen is locked."""
        if locked:
            return replace(self, locked=self.locked | {source})
        return replace(self, locked=self.locked - {source, REQUEST})

    def looked(self, now_s: float, idle_s: float, *, on_call: bool) -> Desk:
        """Return the state after a look at how long nothing was touched.

        Parameters
        ----------
        now_s : float
            Monotonic clock. [s]
        idle_s : float
            How long ago a key or the mouse was last used. [s]
        on_call : bool
            Who speaks on a call is there, whatever the hands do.
        """
        touched_s = now_s if on_call else now_s - max(0.0, idle_s)
        seen_s = max(self.seen_s, touched_s)
        return replace(self, seen_s=seen_s, is_idle=now_s - seen_s >= self.idle_limit_s)

    def unseen(self, now_s: float) -> Desk:
        """Return the state when idleness cannot or may not be looked at: nobody is idle then."""
        return replace(self, seen_s=now_s, is_idle=False)
