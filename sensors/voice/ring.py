"""Where sound waits for its features, and nowhere else (TRUST T1). Pure.

A ring of fixed size in memory. What is taken out is overwritten with silence
at once, so that no sample outlives the features of its window.
"""

from __future__ import annotations

import threading

import numpy as np

from sensors.voice.pitch import Floats


class SoundRing:
    """A bounded queue of samples between the sound card's thread and ours.

    Parameters
    ----------
    capacity : int
        Samples held at most; the oldest give way.

    Attributes
    ----------
    overrun : int
        Samples that gave way because nobody took them.
    """

    def __init__(self, capacity: int) -> None:
        self.overrun = 0
        self._samples = np.zeros(capacity, dtype=np.float32)
        self._begin = 0
        self._held = 0
        self._lock = threading.Lock()

    @property
    def held(self) -> int:
        """How many samples wait."""
        return self._held

    def put(self, block: Floats) -> None:
        """Append `block`, shape (n,), at most the capacity."""
        capacity = self._samples.size
        with self._lock:
            excess = max(0, self._held + block.size - capacity)
            self.overrun += excess
            self._begin = (self._begin + excess) % capacity
            self._held -= excess
            at = (self._begin + self._held + np.arange(block.size)) % capacity
            self._samples[at] = block
            self._held += block.size

    def take(self, count: int) -> Floats | None:
        """Return the oldest `count` samples and forget them; ``None`` if fewer wait.

        The caller owns the array and silences it when the features exist.
        """
        with self._lock:
            if self._held < count:
                return None
            at = (self._begin + np.arange(count)) % self._samples.size
            taken = self._samples[at]
            self._samples[at] = 0.0
            self._begin = (self._begin + count) % self._samples.size
            self._held -= count
            return taken

    def silence(self) -> None:
        """Forget everything."""
        with self._lock:
            self._samples[:] = 0.0
            self._begin = self._held = 0
