"""What the server does, as numbers: counted in the loop, read by whoever watches it.

The loop counts and once a second publishes one immutable `Figures`; metrics,
health and status read that and never wait for the loop, nor the loop for them.
Nothing here is about a person: an administrator sees no personal signals
(TRUST T17), so no figure is told per agent, and of a site smaller than the
smallest group no count of personal alerts is told (TRUST T16).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import ArrayLike

from analytics.events import Arrival, Outputs, is_late
from analytics.store.points import Measurement
from analytics.writing.report import StoreState
from sensors.messages import AlertKind, AlertMessage, ReadingMessage

STEP_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
LAG_BOUNDS_S = (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0, 15.0)
"""Upper bounds of the buckets. [s] 0.25 and 1.0 are the targets of the path; above 15 is late."""

AlertCounts = Mapping[tuple[str, str], int]
"""How many, by kind and by state or event."""


@dataclass(frozen=True, slots=True)
class Buckets:
    """A distribution: how many values lie at or below each bound.

    Parameters
    ----------
    bounds : tuple of float
        Upper bounds, rising; one more bucket holds what lies above the last.
    counts : tuple of int, one more than bounds
        Of each bucket alone.
    total : float
        Sum of all values.
    """

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float

    def cumulated(self) -> list[tuple[float, int]]:
        """Return the count up to and including each bound; the last bound is infinite."""
        upper = (*self.bounds, float("inf"))
        return list(zip(upper, np.cumsum(self.counts).tolist(), strict=True))


class Distribution:
    """Counts values into buckets."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._edges = np.array(bounds)
        self._counts = np.zeros(len(bounds) + 1, np.int64)
        self._total = 0.0

    def add(self, values: ArrayLike) -> None:
        """Count `values`; what is below zero, from a clock that differs, counts as zero."""
        found = np.maximum(np.atleast_1d(np.asarray(values, float)), 0.0)
        places = np.searchsorted(self._edges, found, side="left")
        self._counts += np.bincount(places, minlength=len(self._counts))
        self._total += float(found.sum())

    def frozen(self) -> Buckets:
        """Return what was counted so far."""
        return Buckets(self._bounds, tuple(self._counts.tolist()), self._total)


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotFigures:
    """The newest snapshot of the pipeline: when, how long it took, how big it is.

    Parameters
    ----------
    taken_s : float or None
        Monotonic clock when it was complete; ``None`` before the first. [s]
    held_up_s : float
        How long the loop stood still for it. [s]
    took_s : float
        Until it was on the disk. [s]
    size : int
        [byte]
    """

    taken_s: float | None = None
    held_up_s: float = 0.0
    took_s: float = 0.0
    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What the loop has counted since its start."""

    steps: int = 0
    scored: int = 0
    step_s: Buckets = field(default_factory=Distribution(STEP_BOUNDS_S).frozen)
    lag_s: Buckets = field(default_factory=Distribution(LAG_BOUNDS_S).frozen)
    alert_events: AlertCounts = field(default_factory=dict)
    snapshot: SnapshotFigures = field(default_factory=SnapshotFigures)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The server at one moment.

    Parameters
    ----------
    ticked_s, committed_s : float
        Monotonic clock at the newest round of the loop and the newest commit. [s]
    behind_s : float
        For how long points have waited for a store that takes none. [s]
    counters : mapping
        Counts since the state file was made, as `analytics.journal.journal` names them.
    counted : Counted
        Counts since the start.
    """

    site: str
    at: datetime
    ticked_s: float
    committed_s: float
    broker_trouble: str = ""
    store: StoreState = field(default_factory=StoreState)
    behind_s: float = 0.0
    counters: Mapping[str, int] = field(default_factory=dict)
    missing: int = 0
    live_waiting: int = 0
    backlog_waiting: int = 0
    journal_rows: int = 0
    spooled_points: int = 0
    spooled_bytes: int = 0
    alerts: AlertCounts = field(default_factory=dict)
    counted: Counted = field(default_factory=Counted)


class Tally:
    """What the loop counts while it runs.

    Parameters
    ----------
    tell_personal : bool
        Whether the site is big enough for counts of personal alerts.
    """

    def __init__(self, *, tell_personal: bool = True) -> None:
        self._tell_personal = tell_personal
        self._step_s = Distribution(STEP_BOUNDS_S)
        self._lag_s = Distribution(LAG_BOUNDS_S)
        self._events: Counter[tuple[str, str]] = Counter()
        self._steps = self._scored = 0
        self._moved_s = time.monotonic()
        self._moved = -1
        self.snapshot = SnapshotFigures()

    def stepped(
        self, arrivals: Sequence[Arrival], outputs: Outputs, now_s: float, took_s: float
    ) -> None:
        """Count one step.

        Parameters
        ----------
        now_s : float
            Server clock at its end. [s since the epoch]
        took_s : float
            How long it took. [s]
        """
        self._steps += 1
        self._step_s.add(took_s)
        ends = [
            (arrival, arrival.message)
            for arrival in arrivals
            if isinstance(arrival.message, ReadingMessage)
        ]
        self._scored += len(ends)
        lags = [
            now_s - message.window_end_at.timestamp() - (message.clock_offset_ms or 0.0) / 1000.0
            for arrival, message in ends
            if not is_late(message.window_end_at, message.clock_offset_ms, arrival.received_at)
        ]
        if lags:
            self._lag_s.add(lags)
        for point in outputs.points.at_hand():
            if point.measurement is Measurement.TRANSITION:
                self._events[str(point.fields["kind"]), str(point.fields["event"])] += 1

    def behind_s(self, moved: int, waiting: int) -> float:
        """Return for how long points have waited while the store took none. [s].

        Parameters
        ----------
        moved : int
            How many points have left the spool so far, for good or refused.
        waiting : int
            How many wait.
        """
        now_s = time.monotonic()
        if moved != self._moved or not waiting:
            self._moved, self._moved_s = moved, now_s
        return now_s - self._moved_s

    def frozen(self) -> Counted:
        """Return what was counted so far."""
        return Counted(
            steps=self._steps,
            scored=self._scored,
            step_s=self._step_s.frozen(),
            lag_s=self._lag_s.frozen(),
            alert_events=self._told(self._events),
            snapshot=self.snapshot,
        )

    def open_alerts(self, alerts: Iterable[AlertMessage]) -> AlertCounts:
        """Return how many of `alerts` there are by kind and state."""
        return self._told(Counter((a.kind.value, a.state.value) for a in alerts))

    def _told(self, counts: Mapping[tuple[str, str], int]) -> AlertCounts:
        return {
            key: count
            for key, count in counts.items()
            if self._tell_personal or key[0] != AlertKind.PERSONAL.value
        }
