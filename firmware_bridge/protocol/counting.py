"""What the counters of frames tell: lost, repeated, late; pure.

Defined in hardware.md, *What a host does*. A counter has 16 bits and wraps.
"""

from __future__ import annotations

from dataclasses import dataclass

WINDOW = 64
"""A frame up to this far behind the newest is taken once. [frames]"""

AHEAD = 4_096
"""A frame further ahead of the newest is not taken before a HELLO says so: either a restart was not
heard, or nothing was, for 20 s and more at 200 frames per second. [frames]"""

_COUNTERS = 1 << 16
_MASK = (1 << (WINDOW + 1)) - 1


@dataclass(slots=True)
class Counting:
    """Follows the counter of one sender.

    Attributes
    ----------
    lost : int
        Frames that never came. One that comes late is taken off again.
    repeated : int
        Frames that came a second time; refused.
    late : int
        Frames that a newer one had overtaken; taken.
    stale : int
        Frames further behind than :data:`WINDOW` or ahead than
        :data:`AHEAD`; refused, since nobody knows whether they came before.
        After a restart whose HELLO was lost they are all there is: time to
        ask for HELLO.
    """

    lost: int = 0
    repeated: int = 0
    late: int = 0
    stale: int = 0
    _newest: int | None = None
    _seen: int = 0  # bit k: the frame k behind the newest came
    _known: int = 0  # how many frames behind the newest the first one lies, up to WINDOW

    def take(self, counter: int) -> bool:
        """Return whether the frame with `counter` (0-65535) is to be taken."""
        if self._newest is None:
            self.begin(counter)
            return True
        ahead = counter - self._newest & _COUNTERS - 1
        if ahead == 1:  # nearly always
            self._newest = counter
            self._seen = (self._seen << 1 | 1) & _MASK
            self._known += self._known < WINDOW
            return True
        if 0 < ahead <= AHEAD:
            self.lost += ahead - 1
            self._newest = counter
            # A long jump must not build a long number.
            self._seen = (self._seen << ahead | 1) & _MASK if ahead <= WINDOW else 1
            self._known = min(WINDOW, self._known + ahead)
            return True
        return self._behind(-ahead & _COUNTERS - 1)

    def _behind(self, behind: int) -> bool:
        if behind > WINDOW:
            self.stale += 1
            return False
        if self._seen >> behind & 1:
            self.repeated += 1
            return False
        self._seen |= 1 << behind
        self.late += 1
        self.lost -= behind <= self._known
        return True

    def is_near(self, counter: int) -> bool:
        """Return whether `counter` belongs to what was counted so far."""
        if self._newest is None:
            return True
        ahead = counter - self._newest & _COUNTERS - 1
        return ahead <= AHEAD or _COUNTERS - ahead <= WINDOW

    def begin(self, counter: int) -> None:
        """Count from `counter` on: the board began anew, or is heard for the first time."""
        self._newest = counter
        self._seen = 1
        self._known = 0
