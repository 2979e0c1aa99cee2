"""From one window of sound to readings; the sound is silenced on the way. Pure."""

from __future__ import annotations

from sensors.collector import Reading
from sensors.voice.features import extract
from sensors.voice.pitch import Floats


def readings_of(window: Floats, sample_rate: int, end_s: float) -> list[Reading]:
    """Return the readings of one window, and leave silence where the sound was.

    Parameters
    ----------
    window : ndarray of float32, shape (n,)
        Sound relative to full scale; overwritten (TRUST T1).
    sample_rate : int
        Samples a second. [Hz]
    end_s : float
        When the window ended, on the collector's clock. [s]
    """
    try:
        found = extract(window, sample_rate)
    finally:
        window[:] = 0.0
    return [Reading(name, value, end_s, found.quality) for name, value in found.known().items()]
