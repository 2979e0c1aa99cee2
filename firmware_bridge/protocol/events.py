"""What a session with a board yields: values with their times, and what happened; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.protocol.messages import (
    Battery,
    Fault,
    Hello,
    Log,
    Part,
    Setting,
    Stream,
)

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Described:
    """The board has said who it is and what it measures, or has changed it."""

    hello: Hello
    streams: Mapping[int, Stream]


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Samples of one stream.

    Parameters
    ----------
    stream : Stream
        What they are.
    at_s : ndarray, shape (count,)
        When they were measured, on the host's clock. [s]
    values : ndarray, shape (count, width)
        In the stream's unit; NaN where nothing was measured.
    board_s : ndarray, shape (count,)
        When they were measured, on the board's clock since it was first heard:
        evenly spaced, whatever the wire did. [s]
    """

    stream: Stream
    at_s: FloatArray
    values: FloatArray
    board_s: FloatArray


@dataclass(frozen=True, slots=True)
class Beaten:
    """A heartbeat that the board found.

    Parameters
    ----------
    at_s, board_s : float
        When, on the host's and on the board's clock. [s]
    rr_ms : float or None
        Time since the beat before; None where the board does not know. [ms]
    quality : float or None
        0-1; None where the board does not know.
    """

    at_s: float
    rr_ms: float | None
    quality: float | None
    board_s: float


@dataclass(frozen=True, slots=True)
class Touched:
    """A part touches skin from `at_s` (host's clock, in s) on, or does not any more."""

    part: Part
    on: bool
    at_s: float


@dataclass(frozen=True, slots=True)
class Powered:
    """State of the battery."""

    battery: Battery


@dataclass(frozen=True, slots=True)
class Faulted:
    """A fault began, lasts or ended.

    Parameters
    ----------
    fault : Fault
    at_s : float
        When, as the board says, on the host's clock. [s]
    heard_s : float
        When that arrived, which is what counts for whether it lasts. [s]
    """

    fault: Fault
    at_s: float
    heard_s: float


@dataclass(frozen=True, slots=True)
class Said:
    """A line for the bench."""

    log: Log


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to a request."""

    setting: Setting


@dataclass(frozen=True, slots=True)
class Restarted:
    """The board began anew: what it said before holds no longer."""


Event = Described | Measured | Beaten | Touched | Powered | Faulted | Said | Answered | Restarted
