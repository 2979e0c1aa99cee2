"""One board as the bench sees it: bytes in, values and health out, whichever way it speaks; pure.

`monitor`, `record` and `replay` all read through this one path.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sensors.collector import Reading

FloatArray = NDArray[np.float64]


def printable(text: str) -> str:
    """Return what a board sent as one line that no terminal obeys."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """Values of one signal.

    Parameters
    ----------
    name, unit : str
    at_s : ndarray, shape (count,)
        When they were measured. [s]
    values : ndarray, shape (count, width)
        In `unit`; NaN where it was not measured.
    nominal_hz : float or None
        Announced rate; None where nobody announced one. [1/s]
    quality : float or None
        0-1, of the newest.
    """

    name: str
    unit: str
    at_s: FloatArray
    values: FloatArray
    nominal_hz: float | None = None
    quality: float | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """What some bytes said.

    Parameters
    ----------
    taken : tuple of Taken
        What was measured, and what was made of it.
    readings : tuple of Reading
        What the edge would have been handed.
    log : tuple of str
        Lines to show.
    notices : tuple of str
        Those of them that are no LOG of the board's: what is not read, faults, restarts.
    """

    taken: tuple[Taken, ...] = ()
    readings: tuple[Reading, ...] = ()
    log: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClockHealth:
    """The board's clock beside ours; None while it is not known.

    Parameters
    ----------
    drift_ppm : float or None
        How much faster it runs than ours. [1e-6]
    latency_ms : float
        How much later than without delay the newest frame came. [ms]
    error_ms : float or None
        How far the times of values may be off. [ms]
    """

    drift_ppm: float | None
    latency_ms: float
    error_ms: float | None


@dataclass(frozen=True, slots=True)
class Health:
    """How the board does, apart from what it measures.

    Parameters
    ----------
    board : str
        Maker, model and firmware, or that it prints lines; empty while it has not said so.
    device_id : str
    contact : dict
        Part to whether it touches skin; without those the board cannot tell.
    channels : dict
        Channel to ``ok`` or why nothing is read from it.
    battery_percent : int or None
    charging : bool or None
    faults : tuple of str
        That are active.
    counts : dict
        What became of frames or lines, by name.
    clock : ClockHealth or None
    example : str
        Of what could not be read, so that its fault can be seen.
    """

    board: str = ""
    device_id: str = ""
    contact: dict[str, bool] = field(default_factory=dict)
    channels: dict[str, str] = field(default_factory=dict)
    battery_percent: int | None = None
    charging: bool | None = None
    faults: tuple[str, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)
    clock: ClockHealth | None = None
    example: str = ""


class Feed(Protocol):
    """A board, however it speaks."""

    def opened(self) -> None:
        """Take that the port was opened again, perhaps on another board."""

    def due(self, now_s: float) -> bytes:
        """Return what to write to the board now; may be nothing."""

    def feed(self, data: bytes, now_s: float) -> Heard:
        """Return what `data`, which arrived at `now_s`, says."""

    def health(self) -> Health:
        """Return how the board does."""

    def trouble(self, name: str) -> str:
        """Return why there are no values from the port called `name`; empty once there are."""
