"""Memory that the process keeps: work on arrays asks for the same pieces again and again."""

from __future__ import annotations

import numpy as np

_LARGEST_BYTES = 16 << 20


def keep_memory() -> None:
    """Let what arrays up to 16 MiB leave behind be used again at once.

    The C library gives large pieces back to the system as soon as they are
    free, and then every step faults the same memory in anew, which takes longer
    than the work on it. Once a piece of a size was freed it keeps what is
    smaller for itself. Calling this again changes nothing.
    """
    np.empty(_LARGEST_BYTES, np.int8)
