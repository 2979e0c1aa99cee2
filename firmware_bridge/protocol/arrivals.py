"""The arrivals with the least delay, and the line below them; pure.

What is known of two clocks from one-way messages: see
:mod:`firmware_bridge.protocol.clock`.
"""

from __future__ import annotations

from array import array

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

MAX_DRIFT = 0.1
"""The worst oscillators of microcontrollers, without crystal and untrimmed, are off by 10 %."""

_NEAR_S = 0.02  # as USB's polling makes them; Bluetooth's best arrivals lie as close


class Earliest:
    """Of each second of board time the arrival with the least offset.

    Parameters
    ----------
    seconds : int
        So many are kept, the newest.

    Attributes
    ----------
    second : float
        Of the newest, whole. [s]
    """

    def __init__(self, seconds: int) -> None:
        self._most = seconds
        self.second = -float("inf")
        # Arrays of the library: appended to one by one, and read by NumPy as they are.
        self._at_s, self._offset_s = array("d"), array("d")

    def __len__(self) -> int:
        return len(self._at_s)

    @property
    def first_s(self) -> float:
        """Board time of the oldest, in s."""
        return self._at_s[0]

    @property
    def newest_s(self) -> float:
        """Board time of the newest, in s."""
        return self._at_s[-1]

    def add(self, board_s: float, offset_s: float) -> None:
        """Add the first arrival of a second; offset is host minus board time. Both in s."""
        self.second = board_s // 1
        self._at_s.append(board_s)
        self._offset_s.append(offset_s)
        if len(self._at_s) > self._most:
            del self._at_s[0], self._offset_s[0]

    def lower(self, board_s: float, offset_s: float) -> bool:
        """Return whether this is now the least of the newest second."""
        if offset_s >= self._offset_s[-1] or board_s // 1 != self.second:
            return False
        self._at_s[-1], self._offset_s[-1] = board_s, offset_s
        return True

    def slope(self) -> float:
        """Return the slope of the line below them; see :func:`edge_slope`."""
        return edge_slope(np.array(self._at_s), np.array(self._offset_s))

    def bottom(self, slope: float) -> float:
        """Return where a line of this slope, laid below all of them, is at board time 0; in s."""
        return float((np.array(self._offset_s) - slope * np.array(self._at_s)).min())


def edge_slope(at_s: FloatArray, offset_s: FloatArray) -> float:
    """Return the slope of that edge of the lower convex hull which most points lie near.

    A stall may hold back half of all arrivals and more; those that came
    without delay still lie on one line, and those held back seldom do.

    Parameters
    ----------
    at_s, offset_s : ndarray, shape (n,)
        Times, strictly increasing, at least two; and offsets. [s]
    """
    corners = lower_hull(at_s, offset_s)
    slopes = np.diff(offset_s[corners]) / np.diff(at_s[corners])
    through = np.array(corners[:-1])
    edges = offset_s[through, None] + slopes[:, None] * (at_s - at_s[through, None])
    near = np.exp(-np.maximum(offset_s - edges, 0.0) / _NEAR_S).sum(axis=1)
    # A slope that no crystal has counts against it.
    return float(slopes[np.argmax(near - np.abs(slopes) / MAX_DRIFT)])


def lower_hull(at: FloatArray, height: FloatArray) -> list[int]:
    """Return which points are corners of the lower convex hull, from left to right.

    Jarvis's march: the next corner is the point to which the way from this one
    is the lowest. Corners are few, and each is one pass over the points.

    Parameters
    ----------
    at, height : ndarray, shape (n,)
        `at` strictly increasing.
    """
    corners, last = [0], len(at) - 1
    while (corner := corners[-1]) < last:
        slopes = (height[corner + 1 :] - height[corner]) / (at[corner + 1 :] - at[corner])
        # Of those on one line the farthest.
        corners.append(last - int(np.argmin(slopes[::-1])))
    return corners
