"""Keyboard and pointer timing: times of events in, readings out. Pure.

Nothing here knows which key was pressed: presses are numbered, and the only
class of key there is, is *correction*. Positions of the pointer come in and
are used up at once; what goes out are speeds, sizes and durations.

References
----------
.. [1] V. Dhakal, A. M. Feit, P. O. Kristensson, A. Oulasvirta, "Observations
   on typing from 136 million keystrokes", CHI 2018, paper 646.
.. [2] J. B. Freeman, N. Ambady, "MouseTracker", Behavior Research Methods,
   vol. 42, no. 1, pp. 226-241, 2010.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from sensors.collector import Reading
from sensors.signals import SIGNALS

PAUSE_S = 0.5
"""A longer flight is a pause. [s] Catalogue, ``key_pauses``; between two pauses lies a burst."""

_SEGMENT_S = 0.02
"""Pointer events are gathered into steps of this length. [s] Mice report at
125-1000 Hz; hand movement holds nothing above 25 Hz, half of this rate."""

_STILL_S = 0.15
"""A pointer without an event for this long has ended its movement. [s]"""

_MIN_PATH_PX = 20.0
"""Shorter movements say nothing about straightness: pixels are whole. [px]"""


def _reading(signal: str, value: float, at_s: float) -> list[Reading]:
    """Return the reading, or none where the catalogue would refuse it.

    Outside lie a key held down to repeat, or a pause between two texts:
    durations that are no typing.
    """
    return [Reading(signal, value, at_s)] if SIGNALS[signal].accepts(value) else []


class KeyTiming:
    """Dwell, flight, pauses, bursts and corrections of one stream of presses.

    Presses are numbered by the caller, from any number, one up each time.
    """

    def __init__(self) -> None:
        self._down_s: dict[int, float] = {}
        self._last: int | None = None
        self._last_up_s: float | None = None
        self._burst = 0
        # Press k+1 came while k was still down: the flight is known when k is released.
        self._rolled_over_s: dict[int, float] = {}

    def press(self, number: int, at_s: float, *, correction: bool) -> list[Reading]:
        """Return what the press tells.

        Parameters
        ----------
        number : int
            One more than that of the press before.
        at_s : float
            When. [s]
        correction : bool
            Whether the key was backspace or delete.
        """
        found = [*self.rest(at_s), Reading("key_presses", 1.0, at_s)]
        if correction:
            found.append(Reading("key_corrections", 1.0, at_s))
        if self._last_up_s is not None:
            found += self._flight(at_s - self._last_up_s, at_s)
        elif self._last is not None and self._last in self._down_s:
            self._rolled_over_s[self._last] = at_s
        self._down_s[number] = at_s
        self._last, self._last_up_s = number, None
        self._burst += 1
        return found

    def release(self, number: int, at_s: float) -> list[Reading]:
        """Return what the release of press `number` tells; nothing if it is unknown."""
        down_s = self._down_s.pop(number, None)
        if down_s is None:
            return []
        found = _reading("dwell_ms", 1000.0 * (at_s - down_s), at_s)
        next_s = self._rolled_over_s.pop(number, None)
        if next_s is not None:
            found += self._flight(next_s - at_s, at_s)
        if number == self._last:
            self._last_up_s = at_s
        return found

    def rest(self, now_s: float) -> list[Reading]:
        """Return the burst that has ended because no key was pressed until `now_s`."""
        if not self._burst or self._last_up_s is None or now_s - self._last_up_s <= PAUSE_S:
            return []
        burst, self._burst = self._burst, 0
        return _reading("burst_presses", float(burst), now_s)

    def forget(self, number: int) -> None:
        """Give up waiting for the release of press `number`; it was lost."""
        self._down_s.pop(number, None)
        self._rolled_over_s.pop(number, None)

    @staticmethod
    def _flight(flight_s: float, at_s: float) -> list[Reading]:
        found = _reading("flight_ms", 1000.0 * flight_s, at_s)
        if flight_s > PAUSE_S:
            found.append(Reading("key_pauses", 1.0, at_s))
        return found


@dataclass(slots=True)
class _Movement:
    """A movement under way; gone, with its positions, when it ends."""

    start: tuple[float, float]
    here: tuple[float, float]
    here_s: float
    segment_s: float
    segment_px: float = 0.0
    path_px: float = 0.0
    speed_px_s: float | None = None


class PointerTiming:
    """Speed, acceleration, straightness, clicks and scrolling of one pointer."""

    def __init__(self) -> None:
        self._movement: _Movement | None = None
        self._button_down_s: float | None = None

    def move(self, x_px: float, y_px: float, at_s: float) -> list[Reading]:
        """Return what a movement event tells.

        Parameters
        ----------
        x_px, y_px : float
            Where the pointer is; forgotten when the movement ends. [px]
        at_s : float
            When. [s]
        """
        ended = self.rest(at_s)
        here = (x_px, y_px)
        movement = self._movement
        if movement is None:
            self._movement = _Movement(here, here, at_s, at_s)
            return ended
        step_px = math.dist(movement.here, here)
        movement.path_px += step_px
        movement.segment_px += step_px
        movement.here, movement.here_s = here, at_s
        return ended + _segment(movement, at_s)

    def click(self, at_s: float, *, pressed: bool) -> list[Reading]:
        """Return what pressing or releasing a button tells; a press ends the movement."""
        if pressed:
            found = self._end()
            self._button_down_s = at_s
            return [*found, Reading("pointer_clicks", 1.0, at_s)]
        down_s, self._button_down_s = self._button_down_s, None
        return [] if down_s is None else _reading("click_dwell_ms", 1000.0 * (at_s - down_s), at_s)

    def scroll(self, steps: float, at_s: float) -> list[Reading]:
        """Return what scrolling tells; `steps` counts either way."""
        return _reading("scroll_steps", abs(steps), at_s)

    def rest(self, now_s: float) -> list[Reading]:
        """Return what became known because the pointer stood still until `now_s`."""
        movement = self._movement
        if movement is None or now_s - movement.here_s < _STILL_S:
            return []
        return self._end()

    def _end(self) -> list[Reading]:
        movement, self._movement = self._movement, None
        if movement is None or movement.path_px < _MIN_PATH_PX:
            return []
        straight_px = math.dist(movement.start, movement.here)
        # Rounding may put a straight line a hair above 1.
        return [
            Reading(
                "pointer_straightness", min(1.0, straight_px / movement.path_px), movement.here_s
            )
        ]


def _segment(movement: _Movement, at_s: float) -> list[Reading]:
    """Return speed and acceleration once a segment is long enough, and begin the next."""
    length_s = at_s - movement.segment_s
    if length_s < _SEGMENT_S:
        return []
    speed_px_s = movement.segment_px / length_s
    found = _reading("pointer_speed_px_s", speed_px_s, at_s)
    if movement.speed_px_s is not None:
        change = abs(speed_px_s - movement.speed_px_s) / length_s
        found += _reading("pointer_acceleration_px_s2", change, at_s)
    movement.speed_px_s = speed_px_s
    movement.segment_s, movement.segment_px = at_s, 0.0
    return found
