"""Reads the floor over time in a thread and over a connection of its own.

A month of a floor takes longer than a page may be held up, and than the next
alert may be. So it is read day by day, newest first; the page draws what is
there, and what is not is said to be still coming, away, or too much.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from queue import SimpleQueue

from analytics.store.base import Store
from analytics.store.groups import Cell, GroupQuery, Told, read_cells
from analytics.store.points import Measurement, epoch_ns
from dashboard.trend import AS_USUAL, DIFFERENT, LENGTH, Members, Part, Plan, Span, parts, plan
from sensors.errors import StoreError

TIME_LIMIT_S = 30.0
"""How long one picture may be read; checked after each day. [s]"""

LONGEST = max(LENGTH.values()) + timedelta(days=1)
"""So far back somebody can look, at most: the oldest column begins before its span."""

RETRY_S = 5.0
"""A store that was away is asked again after so long, while somebody looks. [s]"""

_log = logging.getLogger("wellbeing.dashboard")


class Stage(StrEnum):
    """How far the reading of a picture has come."""

    READING = "reading"
    READY = "ready"
    AWAY = "away"
    TOO_LONG = "too_long"


@dataclass(frozen=True, slots=True)
class Trend:
    """What is known of one picture: cells of every team, and whether that is all of it.

    `read_from` is how far back it is read: newest first.
    """

    plan: Plan
    stage: Stage
    read_from: datetime
    different: tuple[Cell, ...] = ()
    as_usual: tuple[Cell, ...] = ()
    why: str = ""


class TrendReader:
    """Keeps the newest picture of each span at hand; thread-safe.

    Parameters
    ----------
    open_store : callable
        Opens a store for this reader alone.
    site : str
    members : callable
        Time to the teams shown and who was in them then.
    smallest : int
        The fewest people a figure may be about.
    clock : callable
    time_limit_s : float
        How long one picture may be read. [s]
    """

    def __init__(
        self,
        open_store: Callable[[], Store],
        site: str,
        members: Members,
        *,
        smallest: int,
        clock: Callable[[], datetime],
        time_limit_s: float = TIME_LIMIT_S,
    ) -> None:
        self._open_store, self._site = open_store, site
        self._members, self._clock = members, clock
        self.smallest = smallest
        self._time_limit_s = time_limit_s
        # One for all spans: the same cell is in the picture of a day and of a week.
        self._told = Told(smallest)
        self._lock = threading.Lock()
        self._known: dict[Span, Trend] = {}
        self._asked: set[Span] = set()
        self._failed_at: dict[Span, float] = {}
        self._queue: SimpleQueue[Plan | None] = SimpleQueue()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="floor-over-time", daemon=True)

    def start(self) -> None:
        """Begin; nothing is read before somebody looks."""
        self._thread.start()

    def stop(self) -> None:
        """End; returns when the thread has, or a store that hangs has been waited for long enough."""
        self._end.set()
        self._queue.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout=2.0)

    def look(self, span: Span, zone: tzinfo) -> Trend:
        """Return what is known of `span` now, at once; whatever is missing is being read."""
        wanted = plan(span, self._clock(), zone)
        with self._lock:
            known = self._known.get(span)
            if self._is_due(span, known, wanted) and span not in self._asked:
                self._asked.add(span)
                self._queue.put(wanted)
            # What was read a quarter of an hour ago is shown until the new is there.
            return known or Trend(wanted, Stage.READING, wanted.end_at)

    def _is_due(self, span: Span, known: Trend | None, wanted: Plan) -> bool:
        failed_at = self._failed_at.get(span)
        if failed_at is not None and time.monotonic() - failed_at < RETRY_S:
            return False
        return known is None or known.plan != wanted or known.stage is Stage.AWAY

    def _run(self) -> None:
        store: Store | None = None
        while (wanted := self._queue.get()) is not None and not self._end.is_set():
            try:
                store = store or self._open_store()
                self._read(store, wanted)
            except Exception as error:  # noqa: BLE001 - a bug must not leave it reading for ever
                self._lose(wanted, _said(error))
                if store is not None:
                    store.close()
                store = None
            finally:
                with self._lock:
                    self._asked.discard(wanted.span)
        if store is not None:
            store.close()

    def _read(self, store: Store, wanted: Plan) -> None:
        trend = Trend(wanted, Stage.READING, wanted.end_at)
        self._told.forget(epoch_ns(wanted.end_at - LONGEST))
        until = time.monotonic() + self._time_limit_s
        for part in parts(wanted, self._members, self.smallest):
            if self._end.is_set():
                return
            if time.monotonic() >= until:
                self._show(replace(trend, stage=Stage.TOO_LONG))
                return
            trend = replace(
                trend,
                read_from=part.start_at,
                different=(*trend.different, *self._cells(store, part, DIFFERENT)),
                as_usual=(*trend.as_usual, *self._cells(store, part, AS_USUAL)),
            )
            self._show(trend)
        self._show(replace(trend, stage=Stage.READY))
        with self._lock:
            self._failed_at.pop(wanted.span, None)

    def _cells(self, store: Store, part: Part, field: str) -> Sequence[Cell]:
        query = GroupQuery(
            measurement=Measurement.SUMMARY,
            site=self._site,
            field=field,
            start_at=part.start_at,
            end_at=part.end_at,
        )
        return read_cells(store, part.blocks, query, self._told)

    def _show(self, trend: Trend) -> None:
        """Show `trend`, but no half of it in the place of a whole one."""
        span = trend.plan.span
        with self._lock:
            known = self._known.get(span)
            if trend.stage is not Stage.READING or known is None or known.stage is Stage.READING:
                self._known[span] = trend

    def _lose(self, wanted: Plan, why: str) -> None:
        with self._lock:
            known = self._known.get(wanted.span) or Trend(wanted, Stage.AWAY, wanted.end_at)
            # What was read before is still true; it is drawn with what it does not say any more.
            self._known[wanted.span] = replace(known, stage=Stage.AWAY, why=why)
            self._failed_at[wanted.span] = time.monotonic()


def _said(error: Exception) -> str:
    """Return what to say of `error`: a bug's own words may hold what was measured."""
    if isinstance(error, StoreError):
        return str(error)
    _log.error("a bug of this program, please report it: %s", type(error).__name__)
    return type(error).__name__
