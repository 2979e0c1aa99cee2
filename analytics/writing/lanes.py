"""In which order the spool is written: what is new first, what waited beside it; pure.

While a store is away the spool grows. Once it is back, screens want what
happens now, so batches that arrive from then on go first, and those that
waited follow at a bounded share of the time. Batches are numbered in the
order in which they were made. One that the store refuses as such is held
beside the others, which go on.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

BACK_OFF_MIN_S = 0.5
BACK_OFF_MAX_S = 10.0
RETRY_AFTER_MAX_S = 300.0
"""A server may ask for more patience than our own back-off has; not for hours."""

REPLAY_SHARE = 0.85
"""How much of the time goes into what waited; the rest is for scoring and for readers."""


REPLAY_AT_MOST_S = 0.25
"""About so long what is new waits for what waited: as long as the server makes a step. [s]"""

REPLAY_AT_LEAST = 500
"""Points: a slow store gets small batches, not ever smaller ones."""

HELD_TRIES = 5
HELD_FOR_S = 60.0
"""So often, and for so long, a refused batch is tried whole: somebody may mend the cause. [s]"""

HELD_AT_MOST = 16
"""Refused batches beside the others; one more, and the oldest is not tried whole any longer."""


@dataclass(slots=True)
class Held:
    """Batches ``(after, last]`` that the store refuses as such, while it takes others.

    Parameters
    ----------
    points : int
        How many.
    since_s, due_s : float
        Monotonic clock when they were refused first, and when to try again. [s]
    taken : int
        How many writes the store had taken when it refused these first.
    """

    after: int
    last: int
    points: int
    since_s: float
    due_s: float
    taken: int
    tries: int = 1


class Lanes:
    """Which batches are written, which are new, which wait.

    Everything up to `live_after` is written, is held, or waits in a span
    ``(after, until]``.
    """

    __slots__ = ("_held", "_spans", "live_after")

    def __init__(self) -> None:
        self.live_after = 0
        self._spans: deque[tuple[int, int]] = deque()
        self._held: list[Held] = []

    @property
    def is_behind(self) -> bool:
        """Whether something waits or is held."""
        return bool(self._spans or self._held)

    @property
    def may_go_on(self) -> bool:
        """Whether something waits that may be tried: if refused, there is room to hold it."""
        return bool(self._spans) and len(self._held) < HELD_AT_MOST

    @property
    def held_points(self) -> int:
        """How many points are held."""
        return sum(held.points for held in self._held)

    @property
    def written_id(self) -> int:
        """The number up to which everything is written."""
        waiting = self._spans[0][0] if self._spans else self.live_after
        return min([waiting, *(held.after for held in self._held)])

    def hold(self, last: int, points: int, now_s: float, taken: int) -> Held:
        """Set the waiting batches up to `last` beside: they were refused."""
        first, _ = self.wrote_waiting(last)
        held = Held(first - 1, last, points, now_s, now_s, taken)
        self._held.append(held)
        return held

    def due_held(self, now_s: float, taken: int) -> Held | None:
        """Return what is held and to be tried now; if that is too much, the oldest."""
        if len(self._held) >= HELD_AT_MOST and self._held[0].taken < taken:
            return self._held[0]
        return next((held for held in self._held if held.due_s <= now_s), None)

    def is_hopeless(self, held: Held, now_s: float, taken: int) -> bool:
        """Return whether to stop trying `held` whole.

        Never while the store takes nothing else either: then it is not about
        these points, and setting them aside would empty the spool into there.
        """
        tried = held.tries >= HELD_TRIES and now_s - held.since_s >= HELD_FOR_S
        return (tried or len(self._held) >= HELD_AT_MOST) and held.taken < taken

    def release(self, held: Held) -> None:
        """Forget what was held: it is written or set aside."""
        self._held.remove(held)

    def next_due_s(self) -> float:
        """Return when the next of what is held is due; infinity if nothing is. [s]."""
        return min((held.due_s for held in self._held), default=float("inf"))

    def fall_behind(self, newest: int) -> None:
        """Let everything up to batch `newest` that is not written yet wait."""
        if newest <= self.live_after:
            return
        after = self.live_after
        if self._spans and self._spans[-1][1] == after:
            after = self._spans.pop()[0]
        self._spans.append((after, newest))
        self.live_after = newest

    def waiting(self) -> tuple[int, int]:
        """Return the span ``(after, until]`` of the oldest batches that wait."""
        return self._spans[0]

    def wrote_live(self, last: int) -> tuple[int, int]:
        """Note that new batches up to `last` are written; return the first and last of them."""
        first, self.live_after = self.live_after + 1, last
        return first, last

    def wrote_waiting(self, last: int) -> tuple[int, int]:
        """Note that waiting batches up to `last` are written; return the first and last of them."""
        after, until = self._spans.popleft()
        if last < until:
            self._spans.appendleft((last, until))
        return after + 1, last


def patience_s(attempt: int, asked_s: float | None, chance: float) -> float:
    """Return how long to wait before trying a store again.

    Parameters
    ----------
    attempt : int
        How often it has failed in a row, from 0.
    asked_s : float or None
        What the server asked for (``Retry-After``). [s]
    chance : float
        Between 0 and 1: spreads servers that failed together.

    Returns
    -------
    float
        Doubling from half a second to ten seconds, minus up to half of it;
        never less than the server asked for, up to five minutes. [s]
    """
    doubled = min(BACK_OFF_MAX_S, BACK_OFF_MIN_S * 2.0 ** min(attempt, 16))
    own = doubled * (0.5 + 0.5 * chance)
    return max(own, min(asked_s or 0.0, RETRY_AFTER_MAX_S))


def next_size(size: int, took_s: float, most: int) -> int:
    """Return how many points that waited to write next, so that what is new waits little for them.

    Parameters
    ----------
    size : int
        How many were asked for last.
    took_s : float
        How long they took. [s]
    most : int
        At most so many.
    """
    if took_s > REPLAY_AT_MOST_S:
        return max(min(REPLAY_AT_LEAST, most), size // 2)
    return min(most, size * 2) if took_s < REPLAY_AT_MOST_S / 4 else size


def pause_s(took_s: float) -> float:
    """Return the pause after a batch that waited took `took_s` [s] to write."""
    return took_s * (1.0 - REPLAY_SHARE) / REPLAY_SHARE
