"""From one window of sound to what was heard; the sound is silenced on the way.

Pure, but for the memory that is given back.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import soxr

from sensors.voice import conditions
from sensors.voice.features import LARGEST, extract
from sensors.voice.forgetting import forget
from sensors.voice.heard import Heard
from sensors.voice.pitch import Floats

SAMPLE_RATE = 16_000
"""What faster sound is brought down to: it holds all that is looked at, 5 kHz. [Hz]"""


class WindowReader:
    """Hears one window after the other; of the last it keeps the agent's level, a number.

    Parameters
    ----------
    sample_rate : int
        Samples a second. [Hz]
    """

    def __init__(self, sample_rate: int) -> None:
        self._sample_rate = sample_rate
        self._own = conditions.OwnLevel()

    def read(self, window: Floats, *, losses: int = 0) -> Heard:
        """Return what was heard, and leave silence where the sound was.

        Parameters
        ----------
        window : ndarray of float32, shape (n,)
            Sound relative to full scale; overwritten (TRUST T1).
        losses : int
            How often the driver lost sound meanwhile.
        """
        sound = window
        if not is_sound(window):
            window[:] = 0.0
            return Heard(values={}, quality=0.0, reasons=("the sound driver gives no sound",))
        try:
            sound, rate = slowed(window, self._sample_rate)
            found = extract(sound, rate)
            judged = conditions.judge(sound, rate, self._own)
            # These are seen before it is resampled: that rounds tops, and rings at the ends.
            clipping, is_mute = conditions.clipping_of(window), conditions.is_mute(window)
            losses += conditions.gaps_of(window, self._sample_rate)
        finally:
            window[:] = 0.0
            sound[:] = 0.0
            forget()  # what was freed on the way: silencing these two leaves it as it is
        clipping = max(clipping, judged.clipping)
        judged = replace(judged, losses=losses, clipping=clipping, is_muted=is_mute)
        values = found.known() if judged.is_usable else {}
        if judged.is_telephone:
            values = {k: v for k, v in values.items() if k not in conditions.UNKNOWN_BY_TELEPHONE}
        return Heard(values=values, quality=found.quality * judged.factor, reasons=judged.reasons)


def is_sound(samples: Floats) -> bool:
    """Return whether all of `samples` are numbers, and of any scale that sound has.

    Drivers that hand over floats have been seen to hand over what was in memory before.
    """
    return bool(np.abs(samples).max(initial=0.0) <= LARGEST)  # not of "no number", either


def warm() -> None:
    """Load what the first window would have to wait for."""
    pulses = np.zeros(SAMPLE_RATE, dtype=np.float32)
    pulses[:: SAMPLE_RATE // 100] = 0.5
    WindowReader(SAMPLE_RATE).read(pulses)


def slowed(samples: Floats, sample_rate: int) -> tuple[Floats, int]:
    """Return sound of 16 kHz, or what is slower as it is, and its rate.

    Parameters
    ----------
    samples : ndarray of float32, shape (n,)
    sample_rate : int
        Samples a second. [Hz]

    Notes
    -----
    soxr's high quality: flat up to 0.913 of half the new rate, and what lies
    above that half is 120 dB down, so that nothing folds into the voice.
    """
    if sample_rate <= SAMPLE_RATE:
        return samples, sample_rate
    found = soxr.resample(samples, sample_rate, SAMPLE_RATE, quality="HQ")
    return np.asarray(found, dtype=np.float32), SAMPLE_RATE
