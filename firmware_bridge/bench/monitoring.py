"""What a watched board is doing: newest values, rates, losses, clock; pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.bench.watching import Health, Heard, Taken

RATE_OVER_S = 10.0
"""Measured rates are of the newest so many seconds. [s]"""

WAVE_HZ = 10.0
"""From this rate on a signal is drawn as a waveform, below it as a trend. [1/s]"""

WAVE_S, TREND_S = 4.0, 60.0
"""What is drawn of a waveform, and of a trend. [s] Four seconds show each pulse wave."""

MAX_KEPT = 4_096
"""Values kept of one signal. A minute below 10/s, four seconds at 200/s, with room."""

LOG_KEPT = 100

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SignalReport:
    """One signal at one look.

    Parameters
    ----------
    name, unit : str
    value : tuple of float
        The newest, one per axis; empty before the first. NaN is told as None.
    nominal_hz : float or None
        As the board announces it; None where nobody did. [1/s]
    measured_hz : float or None
        Of the newest 10 s, by the times of measurement; None before the second value. [1/s]
    quality : float or None
        0-1, of the newest value; None where it has none.
    age_s : float or None
        Since the newest value arrived; None before the first. [s]
    """

    name: str
    unit: str
    value: tuple[float | None, ...]
    nominal_hz: float | None
    measured_hz: float | None
    quality: float | None = None
    age_s: float | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """One look at the board.

    Parameters
    ----------
    elapsed_s : float
        Since watching began. [s]
    signals : tuple of SignalReport
        What it measures, then what is made of it.
    health : Health
        Who it is, contact, battery, faults, losses and clock.
    log : tuple of str
        Lines it said since the last look.
    """

    elapsed_s: float
    signals: tuple[SignalReport, ...]
    health: Health
    log: tuple[str, ...] = ()


@dataclass(slots=True)
class Trace:
    """The newest values of one signal.

    Parameters
    ----------
    name, unit : str
    nominal_hz : float or None
        Announced rate. [1/s]
    """

    name: str
    unit: str
    nominal_hz: float | None
    newest: tuple[float, ...] = ()
    arrived_s: float = 0.0
    quality: float | None = None
    _at_s: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_KEPT))
    _drawn: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_KEPT))

    def take(self, at_s: FloatArray, values: FloatArray, arrived_s: float) -> None:
        """Take samples, oldest first: shapes (count,) and (count, width)."""
        if not len(at_s):
            return
        self.arrived_s = arrived_s
        self._at_s.extend(at_s.tolist())
        # One line for all axes: their length, which is what moves.
        drawn = values[:, 0] if values.shape[1] == 1 else np.linalg.norm(values, axis=1)
        self._drawn.extend(drawn.tolist())
        self.newest = tuple(values[-1].tolist())

    def rate_hz(self, now_s: float) -> float | None:
        """Return how many values a second there were lately, in 1/s; None before the second."""
        at_s = np.fromiter(self._at_s, float)
        if len(at_s) < 2:
            return None
        recent = at_s[at_s > at_s.max(initial=0.0) - RATE_OVER_S]
        if len(recent) < 2:
            return 0.0  # one every ten seconds, or fewer
        # A signal that has stopped falls to nothing; but a frame holds a second of values,
        # and beats from a pulse wave are known seconds after they were.
        silent_s = now_s - self.arrived_s
        usual_s = max(2.0, 3.0 / (self.nominal_hz or 1.0))
        span_s = float(recent[-1] - recent[0]) + (silent_s if silent_s > usual_s else 0.0)
        return (len(recent) - 1) / span_s if span_s > 0.0 else 0.0

    def drawn(self, points: int) -> list[float | None]:
        """Return `points` values to draw, oldest first; None where there was nothing."""
        if not self._at_s or points <= 0:
            return [None] * max(points, 0)
        at_s, values = np.fromiter(self._at_s, float), np.fromiter(self._drawn, float)
        is_wave = (self.nominal_hz or _rate(at_s)) >= WAVE_HZ
        span_s = WAVE_S if is_wave else TREND_S
        place = np.floor((at_s - at_s.max() + span_s) / span_s * points).astype(int)
        place[place == points] = points - 1  # the newest
        kept = (place >= 0) & np.isfinite(values)
        counts = np.bincount(place[kept], minlength=points)
        sums = np.bincount(place[kept], weights=values[kept], minlength=points)
        means = np.divide(sums, counts, out=np.full(points, np.nan), where=counts > 0)
        return [None if np.isnan(mean) else float(mean) for mean in means]

    def report(self, now_s: float) -> SignalReport:
        """Return what there is to say at `now_s`."""
        rate = self.rate_hz(now_s)
        return SignalReport(
            self.name,
            self.unit,
            tuple(None if np.isnan(value) else value for value in self.newest),
            self.nominal_hz,
            None if rate is None else round(rate, 3),
            self.quality,
            round(now_s - self.arrived_s, 3) if self.newest else None,
        )


def _rate(at_s: FloatArray) -> float:
    """Return the rate of a signal that nobody announced, in 1/s."""
    span_s = float(at_s[-1] - at_s[0])
    return (len(at_s) - 1) / span_s if span_s > 0.0 else 0.0


def clock(elapsed_s: float) -> str:
    """Return minutes and seconds, such as ``02:05``."""
    minutes, seconds = divmod(int(elapsed_s), 60)
    return f"{minutes:02d}:{seconds:02d}"


class Monitor:
    """Follows one board.

    Parameters
    ----------
    start_s : float
        When watching began, on the caller's clock. [s]
    """

    def __init__(self, start_s: float) -> None:
        self.is_shown = False  # whether everything that was taken has been reported
        self.log: deque[str] = deque(maxlen=LOG_KEPT)
        self._start_s = start_s
        self._traces: dict[str, Trace] = {}
        self._fresh_log: list[str] = []

    @property
    def traces(self) -> list[Trace]:
        """What is drawn, in the order of the table."""
        return list(self._traces.values())

    def announce(self, name: str, unit: str, nominal_hz: float | None) -> None:
        """Have a row for a signal before its first value, or with another rate than before."""
        trace = self._traces.get(name)
        if trace is None:
            self._traces[name] = Trace(name, unit, nominal_hz)
        else:
            trace.nominal_hz = nominal_hz

    def take(self, heard: Heard, now_s: float) -> None:
        """Take what a board was heard to say by `now_s`, in seconds."""
        self.is_shown = False
        for taken in heard.taken:
            self._take(taken, now_s)
        for line in heard.log:
            self.log.append(f"{clock(now_s - self._start_s)} {line}")
            self._fresh_log.append(line)

    def _take(self, taken: Taken, now_s: float) -> None:
        self.announce(taken.name, taken.unit, taken.nominal_hz)
        trace = self._traces[taken.name]
        trace.take(taken.at_s, taken.values, now_s)
        if taken.quality is not None:
            trace.quality = taken.quality

    def report(self, now_s: float, health: Health) -> Report:
        """Return what there is to see at `now_s`, and begin the next stretch."""
        self.is_shown = True
        log, self._fresh_log = tuple(self._fresh_log), []
        return Report(
            round(now_s - self._start_s, 3),
            tuple(trace.report(now_s) for trace in self._traces.values()),
            health,
            log,
        )
