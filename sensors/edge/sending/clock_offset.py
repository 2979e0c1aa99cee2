"""How far this machine's clock is off the server's. Pure."""

from __future__ import annotations

from datetime import datetime

DRIFT = 15e-6
"""How fast two clocks may drift apart: PHI of RFC 5905, section 4."""

ROUNDING_MS = 32.0
"""Two readings make an offset, and Windows' monotonic clock goes in steps of 15.6 ms. [ms]"""


class OffsetEstimate:
    """Server clock minus this one, from questions and their echoes.

    The echo's midpoint is the best guess, half the way there and back its
    error (Mills 1985, RFC 958). An answer's error grows with its age (`DRIFT`,
    RFC 5905); of the last answers the one with the smallest counts. An answer
    that no earlier one can be right beside ends their time: a clock was set,
    or this machine slept for less than what anchors anew.
    """

    def __init__(self, keep: int = 8) -> None:
        self._keep = keep
        self._samples: list[tuple[datetime, float, float]] = []  # (at, error_ms, offset_ms)

    def add(self, asked_at: datetime, server_at: datetime, answered_at: datetime) -> None:
        """Take one answer; one that came before its question is ignored."""
        error_ms = (answered_at - asked_at).total_seconds() * 500.0
        if error_ms < 0:
            return
        middle_at = asked_at + (answered_at - asked_at) / 2
        offset_ms = (server_at - middle_at).total_seconds() * 1000.0
        held = self.best(answered_at)
        if held is not None and abs(offset_ms - held[0]) > error_ms + held[1] + ROUNDING_MS:
            self.forget()
        self._samples = [*self._samples, (answered_at, error_ms, offset_ms)][-self._keep :]

    def forget(self) -> None:
        """Begin again: the clock was anchored anew."""
        self._samples = []

    def best(self, now_at: datetime) -> tuple[float, float] | None:
        """Return offset and error as of `now_at` (UTC), or ``None`` while unknown. [ms]."""
        if not self._samples:
            return None
        error_ms, offset_ms = min(
            (error_ms + max(0.0, (now_at - at).total_seconds()) * 1000.0 * DRIFT, offset_ms)
            for at, error_ms, offset_ms in self._samples
        )
        return round(offset_ms, 3), round(error_ms, 3)
