"""What to send next, told what happened and what time it is. Pure.

A broker's confirmation only paces. A window is done when the server's
``stored`` covers it; until then it is sent again: while the server is heard,
whatever it did not store in good time; while it is silent, only a few of the
oldest as a probe, ever more rarely, so that an absent server floods nobody.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from sensors.edge.outbox.outbox import Key

LIVE_S = 15.0
"""A window older than this is backlog: it can raise no live alert any more (DESIGN). [s]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast to send.

    Parameters
    ----------
    in_flight : int
        Most windows the broker has not yet confirmed.
    backlog_per_s : float
        Most windows a second beside the live ones. [1/s]
    resend_after_s : float
        How long a window may stay unstored before it is sent again. [s]
    probe_max_s : float
        Longest pause between probes of a silent server. [s]
    alive_s : float
        The server counts as heard this long after it stored something. [s]
    """

    in_flight: int = 20
    backlog_per_s: float = 20.0
    resend_after_s: float = 10.0
    probe_max_s: float = 60.0
    alive_s: float = 30.0


_PROBE_WINDOWS = 5


class SendPlan:
    """Order and pace of one edge's windows. Every `now_s` is a monotonic reading.

    Parameters
    ----------
    pace : Pace
    held : iterable of Key
        What the outbox holds from earlier runs, oldest first.
    """

    def __init__(self, pace: Pace, held: Iterable[Key] = ()) -> None:
        self._pace = pace
        self._sent_s: dict[Key, float | None] = dict.fromkeys(held)  # oldest first
        self._live: deque[tuple[Key, float]] = deque()
        self._backlog: deque[Key] = deque(self._sent_s)
        self._awaiting: OrderedDict[Key, None] = OrderedDict()  # least recently sent first
        self._in_flight: set[Key] = set()
        self._heard_s = -math.inf
        self._allowance = 1.0
        self._allowance_s: float | None = None
        self._probe_pause_s = pace.resend_after_s
        self._next_probe_s = -math.inf

    @property
    def room(self) -> int:
        """How many more windows may be in flight."""
        return max(0, self._pace.in_flight - len(self._in_flight))

    @property
    def unsent(self) -> int:
        """How many windows wait to be sent for the first time."""
        return len(self._live) + len(self._backlog)

    @property
    def is_waiting(self) -> bool:
        """Whether any window is not yet known to be stored, so that time alone may make it due."""
        return bool(self._sent_s)

    def added(self, key: Key, now_s: float) -> None:
        """Take a window that was just kept."""
        self._sent_s[key] = None
        self._live.append((key, now_s))

    def sent(self, key: Key, now_s: float) -> None:
        """Note that a window was handed to the broker."""
        if key in self._sent_s:
            self._sent_s[key] = now_s
            self._in_flight.add(key)
            self._awaiting[key] = None
            self._awaiting.move_to_end(key)

    def not_sent(self, keys: Iterable[Key]) -> None:
        """Note that `keys`, due just now, could not be handed over: they are due again."""
        back = [key for key in keys if key in self._sent_s and self._sent_s[key] is None]
        self._backlog.extendleft(reversed(back))

    def confirmed(self, key: Key) -> None:
        """Note the broker's confirmation: room for another one."""
        self._in_flight.discard(key)

    def connected(self, now_s: float) -> None:
        """Note a new connection: ask soon whether what went before arrived."""
        self._probe_pause_s = self._pace.resend_after_s
        self._next_probe_s = now_s

    def released(self, keys: Iterable[Key], now_s: float) -> None:
        """Note that the server has `keys`."""
        self.forgotten(keys)
        self._heard_s = now_s
        self._probe_pause_s = self._pace.resend_after_s

    def forgotten(self, keys: Iterable[Key]) -> None:
        """Note that the outbox no longer holds `keys`."""
        for key in keys:
            self._sent_s.pop(key, None)
            self._awaiting.pop(key, None)
            self._in_flight.discard(key)

    def due(self, now_s: float) -> list[Key]:
        """Return what to send now, live windows first; say of each whether it was `sent`."""
        keys = self._due_live(now_s)
        room = self.room - len(keys)
        room = min(room, self._refill(now_s))
        extra = self._due_backlog(room)
        extra += self._due_again(now_s, room - len(extra))
        self._allowance -= len(extra)
        return keys + extra

    def _refill(self, now_s: float) -> int:
        """Return how many windows beside the live ones the rate allows now."""
        elapsed_s = 0.0 if self._allowance_s is None else now_s - self._allowance_s
        self._allowance_s = now_s
        rate = self._pace.backlog_per_s
        if math.isinf(rate):
            self._allowance = float(self._pace.in_flight)
        else:
            self._allowance = min(max(1.0, rate), self._allowance + elapsed_s * rate)
        return int(self._allowance)

    def _due_live(self, now_s: float) -> list[Key]:
        while self._live and now_s - self._live[0][1] > LIVE_S:
            self._backlog.append(self._live.popleft()[0])
        keys: list[Key] = []
        while self._live and len(keys) < self.room:
            key, _ = self._live.popleft()
            if key in self._sent_s:
                keys.append(key)
        return keys

    def _due_backlog(self, room: int) -> list[Key]:
        keys: list[Key] = []
        while self._backlog and len(keys) < room:
            key = self._backlog.popleft()
            if key in self._sent_s:
                keys.append(key)
        return keys

    def _due_again(self, now_s: float, room: int) -> list[Key]:
        """Return windows that were sent and never stored: all that waited, or a probe."""
        if room <= 0:
            return []
        if now_s - self._heard_s <= self._pace.alive_s:
            # Least recently sent first: the first that did not wait ends the search.
            candidates = islice(self._awaiting, room + len(self._in_flight))
            return [key for key in candidates if self._waited(key, now_s)][:room]
        if now_s < self._next_probe_s:
            return []
        keys = [k for k in islice(self._sent_s, _PROBE_WINDOWS) if self._waited(k, now_s)][:room]
        if keys:
            self._next_probe_s = now_s + self._probe_pause_s
            self._probe_pause_s = min(self._pace.probe_max_s, 2 * self._probe_pause_s)
        return keys

    def _waited(self, key: Key, now_s: float) -> bool:
        sent_s = self._sent_s[key]
        return (
            sent_s is not None
            and key not in self._in_flight
            and now_s - sent_s >= self._pace.resend_after_s
        )
