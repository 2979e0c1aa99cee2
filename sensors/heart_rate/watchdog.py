"""When a connected device is called dead: pure, the caller has the clock."""

from __future__ import annotations

LONGEST_S = 300.0
"""Longest wait between two attempts to wake a device that talks without beats. [s]"""


class Watchdog:
    """Watch the data, not the link: stacks go on calling a dead link connected.

    Parameters
    ----------
    silence_s : float
        Without a beat for this long the device is dead. [s]

    Notes
    -----
    A device whose contact bits say that it is not worn has no beats to send
    and is left alone. One that talks and sends no beats is connected anew,
    too, since its sensor may be stuck; but when that does not help the next
    wait is twice as long, so that a strap on a desk is not connected to all
    day long.
    """

    def __init__(self, silence_s: float) -> None:
        self._silence_s = silence_s
        self._patience_s = silence_s
        self._talks = False
        self.due_s = 0.0

    def connected(self, now_s: float) -> None:
        """Begin to wait for the first beat of a new link."""
        if self._talks:
            self._patience_s = min(LONGEST_S, 2 * self._patience_s)
        self._talks = False
        self.due_s = now_s + self._patience_s

    def beat(self, now_s: float) -> None:
        """Take a beat: the device lives."""
        self._talks = False
        self._patience_s = self._silence_s
        self.due_s = now_s + self._silence_s

    def not_worn(self, now_s: float) -> None:
        """Take the device's word that there is no skin, and so no beat, to feel."""
        self.beat(now_s)

    def talked(self) -> None:
        """Take a report without a beat; it puts nothing off."""
        self._talks = True
