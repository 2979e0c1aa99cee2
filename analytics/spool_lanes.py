"""In which order the spool is written: what is new first, what waited beside it; pure.

While a store is away the spool grows. Once it is back, screens want what
happens now, so batches that arrive from then on go first, and those that
waited follow at a bounded share of the time. Batches are numbered in the
order in which they were made.
"""

from __future__ import annotations

from collections import deque

BACK_OFF_MIN_S = 0.5
BACK_OFF_MAX_S = 10.0
RETRY_AFTER_MAX_S = 300.0
"""A server may ask for more patience than our own back-off has; not for hours."""

REPLAY_SHARE = 0.75
"""How much of the time goes into what waited; the rest is for scoring and for readers."""


class Lanes:
    """Which batches are written, which are new, which wait.

    Everything up to `live_after` is written or waits in a span ``(after, until]``.
    """

    __slots__ = ("_spans", "live_after")

    def __init__(self) -> None:
        self.live_after = 0
        self._spans: deque[tuple[int, int]] = deque()

    @property
    def is_behind(self) -> bool:
        """Whether something waits."""
        return bool(self._spans)

    @property
    def written_id(self) -> int:
        """The number up to which everything is written."""
        return self._spans[0][0] if self._spans else self.live_after

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


def pause_s(took_s: float) -> float:
    """Return the pause after a batch that waited took `took_s` [s] to write."""
    return took_s * (1.0 - REPLAY_SHARE) / REPLAY_SHARE
