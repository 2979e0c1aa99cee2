"""Gives freed memory back to the system, so that no sound lies in it any more.

An array that is freed keeps its numbers until something else is written there:
the sound without its mean, the spectrum of a whole window. What the system
takes back it hands out again as zeros (TRUST T1).

References
----------
.. [1] malloc_trim(3): since glibc 2.8 every whole page that is free, of all threads.
"""

from __future__ import annotations

import ctypes
import sys
from functools import lru_cache
from typing import Any


def forget() -> None:
    """Give back what is free [1]_; without glibc there is no such call, and nothing happens."""
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@lru_cache(maxsize=1)
def _malloc_trim() -> Any:
    if sys.platform != "linux":
        return None
    return getattr(ctypes.CDLL(None), "malloc_trim", None)
