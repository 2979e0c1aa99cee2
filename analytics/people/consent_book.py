"""What each agent consented to, and since when: the server's second look at TRUST T6.

Pure. The edge alone decides what is captured; the server refuses what must
not have been sent, so that a faulty edge shows itself instead of being stored.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable
from datetime import datetime, timedelta

from sensors.messages import ConsentMessage, ReadingMessage
from sensors.signals import Channel

# Withdrawing stops capture within 5 s (T6), and a window that was open then lasts 5 s.
GRACE = timedelta(seconds=10)

_CHANNELS = tuple(Channel)


class ConsentBook:
    """The consent of every agent over time."""

    def __init__(self) -> None:
        self._by_agent: dict[str, list[tuple[datetime, frozenset[Channel]]]] = {}

    def record(self, agent: str, message: ConsentMessage) -> None:
        """Take over what an agent decided; telling it twice changes nothing."""
        entry = (message.at, frozenset(message.channels))
        entries = self._by_agent.setdefault(agent, [])
        if entry not in entries:
            insort(entries, entry, key=lambda known: known[0])

    def forget(self, agent: str) -> None:
        """Remove what `agent` ever decided: they were erased."""
        self._by_agent.pop(agent, None)

    def newest_at(self, agent: str) -> datetime | None:
        """Return when `agent` decided last, by the clock of their edge."""
        entries = self._by_agent.get(agent)
        return entries[-1][0] if entries else None

    def first_given(self, agent: str, after: datetime) -> datetime | None:
        """Return when `agent` first consented to any channel after `after`."""
        entries = self._by_agent.get(agent, ())
        return next((at for at, channels in entries if at > after and channels), None)

    def refused_channel(self, agent: str, message: ReadingMessage) -> Channel | None:
        """Return a channel that `message` carries without consent, if there is one.

        Judged by the consent in force when the window was captured, not when
        it arrived: an outbox may deliver hours later. Unknown consent refuses
        nothing; windows older than the first known one are judged by that.
        """
        entries = self._by_agent.get(agent)
        if entries is None:
            return None
        carried = [c for c in _CHANNELS if message.section(c) is not None]
        if not carried:
            return None
        newest_at, newest = entries[-1]
        if newest_at <= message.window_end_at and newest.issuperset(carried):
            return None  # the usual case, without a search
        allowed = _in_force(entries, _possible_times(message))
        return next((c for c in carried if c not in allowed), None)


def _in_force(
    entries: list[tuple[datetime, frozenset[Channel]]], times: Iterable[datetime]
) -> frozenset[Channel]:
    """Return every channel that was consented to at one of `times`."""
    found: frozenset[Channel] = frozenset()
    for at in times:
        index = bisect_right(entries, at, key=lambda known: known[0])
        found |= entries[max(0, index - 1)][1]
    return found


def _possible_times(message: ReadingMessage) -> tuple[datetime, ...]:
    """Return when the window may have been captured, in the clock that stamps consents.

    A replay stamps windows with a virtual clock and consents with the real
    one; a PC with a wrong clock stamps both with that. Either reading counts.
    """
    end = message.window_end_at
    offset = timedelta(milliseconds=message.clock_offset_ms or 0.0)
    return (end, end - GRACE, end + offset, end + offset - GRACE)
