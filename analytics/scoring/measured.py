"""What a round of windows rests on: channels that give something, and quality enough to learn from."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from analytics.signals.features import FEATURES, PART_CHANNEL
from analytics.signals.windows import FeatureBatch, measures_body
from sensors.messages import ReadingMessage
from sensors.signals import Channel

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

LEARN_QUALITY = 0.5
"""Mean quality of what is known below which a window teaches the baseline nothing."""

UNMEASURED_S = 15.0
"""A channel without a reading for so long is unknown. [s] Three windows.

Features look back a minute; without this, somebody who paused would be drawn
as usual for as long (TRUST T13), and could alert on what was before (T6).
"""

CHANNELS = tuple(Channel)
"""Order of the columns of all that is told per channel."""

_sections = attrgetter(*(channel.value for channel in CHANNELS))
_FEATURE_COLUMN = np.array([CHANNELS.index(PART_CHANNEL[f.part]) for f in FEATURES], np.intp)


def given(messages: Sequence[ReadingMessage]) -> Mask:
    """Return which channels each of n messages measured, shape (n, C)."""
    found = np.array([[s is not None for s in _sections(m)] for m in messages], bool)
    found = found.reshape(-1, len(CHANNELS))
    found[:, CHANNELS.index(Channel.MODULES)] = [measures_body(m.modules) for m in messages]
    return found


def blank_unmeasured(batch: FeatureBatch, measured_s: Floats) -> None:
    """Make unknown what rests on channels that give nothing any more.

    Parameters
    ----------
    batch : FeatureBatch
        Of n windows; its values are changed.
    measured_s : ndarray of float64, shape (n, C)
        Newest reading of each channel up to then. [s since the epoch]
    """
    old = batch.at_s[:, None] - measured_s > UNMEASURED_S
    if np.count_nonzero(old):
        batch.values[old[:, _FEATURE_COLUMN]] = np.nan


def good(batch: FeatureBatch) -> Mask:
    """Return which windows are good enough to teach the baseline, shape (n,)."""
    known = np.isfinite(batch.values)
    total = (batch.quality * known).sum(axis=1)
    count = np.add.reduce(known.view(np.int8), axis=1, dtype=np.int8)
    return np.asarray(total >= LEARN_QUALITY * np.maximum(count, 1))
