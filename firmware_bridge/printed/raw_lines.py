"""Beats and movement from boards that only print their raw waveforms line by line; pure.

Such a board has no clock that we could see: one line is one step. How many
steps make a second is told, or found from the arrivals, and then followed like
the drift of a clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.printed.csv_lines import ACC, PPG, SKIP
from firmware_bridge.protocol.clock import TickClock
from firmware_bridge.readings.movement import Movement
from firmware_bridge.readings.pulse import PulseStream
from sensors.collector import Reading
from sensors.errors import ConfigurationError
from sensors.heart_rate.ppg import MAX_RATE_HZ, MIN_RATE_HZ
from sensors.signals import SIGNALS

FloatArray = NDArray[np.float64]

ESTIMATE_S = 3.0
"""Arrivals from which the rate is found. [s] USB delivers in steps of up to 16 ms: 0.5 %, and the
rest is found with the drift."""

PAUSE_S = 2.0
"""After so long without a line nobody knows how many were not printed. [s]"""

_SKIP_S = 1.0  # what waited in buffers comes at once at first, and says nothing about the rate
_TICKS = 1_000  # a line, so that rates with a fraction fit


def check_rate(rate_hz: float, where: str) -> float:
    """Return `rate_hz` if a raw pulse can have it.

    Raises
    ------
    ConfigurationError
        If it cannot; `where` says how it was given, such as ``--rate``.
    """
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise ConfigurationError(
            f"{where} is {rate_hz:g}; expected {MIN_RATE_HZ:g} to {MAX_RATE_HZ:g} lines per second"
        )
    return rate_hz


class RawLines:
    """Turns the values of lines into readings: those of the catalogue as they are, raw ones not.

    Parameters
    ----------
    columns : sequence of str
        As checked by :func:`~firmware_bridge.printed.csv_lines.check_columns`.
    rate_hz : float or None
        Lines per second, where it is known; else it is found within 4 s. [1/s]

    Attributes
    ----------
    out_of_range : int
        Readings made of raw values that the catalogue refuses.
    """

    def __init__(self, columns: Sequence[str], rate_hz: float | None = None) -> None:
        self.out_of_range = 0
        self._plain = frozenset(columns) - {PPG, SKIP, *ACC}
        self._axes = tuple(column for column in columns if column in ACC)
        self._has_pulse = PPG in columns
        self._told_hz = rate_hz
        self._rate_hz = rate_hz
        self._line = 0
        self._last_s: float | None = None
        self._begin_s: float | None = None  # of looking for the rate
        self._mark: tuple[float, int] | None = None  # arrival and number of a line
        self._start()

    def _start(self) -> None:
        self._clock = TickClock(round((self._rate_hz or 1.0) * _TICKS))
        self._pulse = PulseStream(self._rate_hz or 1.0)
        self._movement = Movement()

    def reopened(self) -> None:
        """Take that the port was opened again: nobody knows how many lines were not printed."""
        self._start()
        self._last_s = self._begin_s = self._mark = None

    @property
    def rate_hz(self) -> float | None:
        """Lines per second, as told or found so far; None before. [1/s]."""
        drift = self._clock.drift_ppm
        if self._rate_hz is None or drift is None:
            return self._rate_hz
        return self._rate_hz * (1.0 + drift / 1e6)

    @property
    def trouble(self) -> str:
        """Why no beats can come of the pulse; empty while nothing speaks against them."""
        if not self._pulse.unsuited:
            return ""
        return (
            f"{self.rate_hz:.1f} lines/s; beats of a raw pulse need {MIN_RATE_HZ:g} "
            f"to {MAX_RATE_HZ:g} samples/s"
        )

    def take(
        self, samples: Sequence[Mapping[str, float]], now_s: float, lost: int = 0
    ) -> list[Reading]:
        """Return what lines that arrived at `now_s` give.

        Parameters
        ----------
        samples : sequence of mapping
            Column to value, a line each, oldest first.
        now_s : float
            On the host's clock. [s]
        lost : int
            How many lines among them could not be read: time went on, too.
        """
        found = [
            Reading(name, value, now_s)
            for sample in samples
            for name, value in sample.items()
            if name in self._plain
        ]
        count = lost + len(samples)
        if count and (self._has_pulse or self._axes):
            found += self._raw(samples, now_s, lost)
        return found

    def _raw(
        self, samples: Sequence[Mapping[str, float]], now_s: float, lost: int
    ) -> Iterable[Reading]:
        if self._last_s is not None and now_s - self._last_s > PAUSE_S:
            self.reopened()
        self._last_s = now_s
        first = self._line + lost
        self._line = first + len(samples)
        if self._rate_hz is None:
            self._look_for_rate(now_s)
        elif samples:
            yield from self._timed(samples, first, now_s)

    def _look_for_rate(self, now_s: float) -> None:
        if self._begin_s is None:
            self._begin_s = now_s
        if self._mark is None:
            if now_s - self._begin_s >= _SKIP_S:
                self._mark = (now_s, self._line)
            return
        since_s, line = self._mark
        if now_s - since_s >= ESTIMATE_S and self._line > line:
            self._rate_hz = (self._line - line) / (now_s - since_s)
            self._start()

    def _timed(
        self, samples: Sequence[Mapping[str, float]], first: int, now_s: float
    ) -> Iterable[Reading]:
        clock = self._clock
        ticks = np.arange(first, self._line) * _TICKS
        clock.heard(int(ticks[-1]), now_s)
        # Not wrapped: this clock is ours, and was first heard at a line we know.
        line_s = clock.board_s(ticks)
        at_s = clock.host_s(line_s)
        if self._axes:
            yield from self._moved(samples, line_s, at_s)
        if self._has_pulse:
            yield from self._beats(samples, line_s, at_s)

    def _moved(
        self, samples: Sequence[Mapping[str, float]], line_s: FloatArray, at_s: FloatArray
    ) -> Iterable[Reading]:
        values = np.array([[s.get(axis, np.nan) for axis in self._axes] for s in samples])
        for moved in self._movement.feed(line_s, at_s, values):
            yield from self._reading("acc_rms_g", moved.rms_g, moved.at_s, 1.0)

    def _beats(
        self, samples: Sequence[Mapping[str, float]], line_s: FloatArray, at_s: FloatArray
    ) -> Iterable[Reading]:
        values = np.array([sample.get(PPG, np.nan) for sample in samples])
        newest = self._movement.newest
        moved_g = None if newest is None else newest.rms_g
        for beat in self._pulse.feed(line_s, at_s, values, moved_g):
            if beat.rr_ms is not None:
                rr_ms = beat.rr_ms / (1.0 + (self._clock.drift_ppm or 0.0) / 1e6)
                yield from self._reading("rr_ms", rr_ms, beat.at_s, beat.quality)

    def _reading(self, signal: str, value: float, at_s: float, quality: float) -> Iterable[Reading]:
        if SIGNALS[signal].accepts(value):
            yield Reading(signal, value, at_s, quality)
        else:
            self.out_of_range += 1
