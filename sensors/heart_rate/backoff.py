"""How long to wait before the next attempt: growing, capped, jittered."""

from __future__ import annotations

from random import Random


class Backoff:
    """Delays that double up to a cap, each shortened at random.

    The jitter keeps a floor of headsets, all dropped by one radio reset, from
    coming back in step. The shortening is between none and half ("equal
    jitter", Brooker 2015, AWS Architecture Blog), so that a delay is never
    near zero.

    Parameters
    ----------
    first_s, cap_s : float
        First delay and longest one. [s]
    random : Random
        Source of the jitter.
    """

    def __init__(self, first_s: float, cap_s: float, random: Random) -> None:
        self._first_s = first_s
        self._cap_s = cap_s
        self._random = random
        self._delay_s = first_s

    def next_s(self) -> float:
        """Return the next delay in seconds."""
        delay_s, self._delay_s = self._delay_s, min(self._cap_s, 2 * self._delay_s)
        return delay_s * self._random.uniform(0.5, 1.0)

    def reset(self) -> None:
        """Begin again with the first delay: the last attempt worked."""
        self._delay_s = self._first_s
