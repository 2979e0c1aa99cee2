"""Levels without what is over at once: a key that is struck, a knock at the microphone. Pure.

How loud somebody speaks is asked of the loudest that lasts. A click is louder
than a voice may be, and would make the voice beside it a whisper of somebody else.

References
----------
.. [1] J. Serra, "Image Analysis and Mathematical Morphology", 1982: opening,
   the largest of the smallest, keeps a plateau and takes away a narrower peak.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Levels = TypeVar("Levels", NDArray[np.float32], NDArray[np.float64])


def lasting(levels: Levels, frames: int) -> Levels:
    """Return at each frame the largest level that holds for `frames` frames around it [1]_.

    Parameters
    ----------
    levels : ndarray of float, shape (n,)
        At least one; of fewer than `frames`, all have to hold.
    frames : int

    Examples
    --------
    >>> import numpy as np
    >>> lasting(np.array([1.0, 9.0, 1.0, 2.0, 3.0, 3.0, 3.0]), 3)
    array([1., 1., 1., 2., 3., 3., 3.])
    """
    frames = min(frames, levels.size)
    held = sliding_window_view(levels, frames).min(axis=1)
    around = np.pad(held, frames - 1, constant_values=-np.inf)
    found: Levels = sliding_window_view(around, frames).max(axis=1)
    return found
