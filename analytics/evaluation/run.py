"""Drive the detector and the episodes over feature arrays: all agents at once, window by window."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from analytics.scoring.detector import Detector, ScoreBatch
from analytics.scoring.episodes import EpisodeBatch, Episodes
from analytics.scoring.measured import good
from analytics.signals.windows import FeatureBatch

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
Progress = Callable[[float], None]


class Tape(Protocol):
    """Features of n agents over time."""

    @property
    def lengths(self) -> Rows:
        """Number of windows of each agent, shape (n,)."""

    def moment(self, window: int) -> FeatureBatch:
        """Return one window of every agent; of those that are over, anything."""


@dataclass(slots=True)
class StackedTape:
    """Recordings of any length side by side.

    Parameters
    ----------
    lengths : ndarray of intp, shape (n,)
    windows : list of FeatureBatch
        One per window, of all n; what is over repeats its last window.
    """

    lengths: Rows
    windows: list[FeatureBatch]

    @classmethod
    def of(cls, batches: Sequence[FeatureBatch]) -> StackedTape:
        """Return the tape of one batch per agent, each a row per window."""
        lengths = np.array([len(one.at_s) for one in batches], np.intp)
        index = np.arange(int(lengths.max()))
        padded = [one.take(np.minimum(index, len(one.at_s) - 1)) for one in batches]
        stacked = {
            f.name: np.stack([getattr(one, f.name) for one in padded], axis=1)
            for f in fields(FeatureBatch)
        }
        return cls(lengths, [FeatureBatch(**{k: v[i] for k, v in stacked.items()}) for i in index])

    def moment(self, window: int) -> FeatureBatch:
        """Return one window of every recording."""
        return self.windows[window]


@dataclass(slots=True)
class Scored:
    """One window of every agent at every threshold, agents first.

    Parameters
    ----------
    window : int
    rows : ndarray of intp
        ``agent * n_thresholds + threshold`` of each entry.
    batch : FeatureBatch
        What was scored, one row per agent that is still there.
    scores : ScoreBatch
    episodes : EpisodeBatch
    """

    window: int
    rows: Rows
    batch: FeatureBatch
    scores: ScoreBatch
    episodes: EpisodeBatch


def run(
    tape: Tape, thresholds: Sequence[float], progress: Progress | None = None
) -> Iterator[Scored]:
    """Score `tape` as the service does, every agent new, nothing carried over.

    What fires does not teach the baseline, so that an agent at another
    threshold is another agent: rows are agents by thresholds.

    Parameters
    ----------
    tape : Tape
    thresholds : sequence of float
    progress : callable, optional
        Told the share that is done, 0 to 1.

    Yields
    ------
    Scored
        Window by window.
    """
    copies, lengths = len(thresholds), tape.lengths
    detector, episodes = Detector(), Episodes()
    for part in (detector, episodes):
        part.ensure(len(lengths) * copies)
    threshold = np.tile(np.asarray(thresholds, np.float64), len(lengths))
    longest, ends = int(lengths.max()), set(lengths.tolist())
    here = np.arange(len(lengths))
    rows = _rows(here, copies)
    lines = threshold[rows]
    for window in range(longest):
        if window in ends:
            here = np.flatnonzero(lengths > window)
            rows = _rows(here, copies)
            lines = threshold[rows]
        moment = tape.moment(window)
        if len(here) < len(lengths):
            moment = moment.take(here)
        batch, clean = moment, good(moment)
        if copies > 1:
            index = np.repeat(np.arange(len(here)), copies)
            batch, clean = batch.take(index), clean[index]
        learn = clean & ~episodes.firing(rows)
        scores = detector.step(rows, batch, learn=learn)
        found = episodes.step(rows, batch.at_s, scores.evidence, lines, live=~scores.learning)
        yield Scored(window, rows, moment, scores, found)
        if progress is not None:
            progress((window + 1) / longest)


def _rows(here: Rows, copies: int) -> Rows:
    return np.asarray((here[:, None] * copies + np.arange(copies)).ravel(), np.intp)
