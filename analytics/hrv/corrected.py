"""Windows after correction: what came out, and how much of it was measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.hrv.arrays import Counts, Floats, Mask


@dataclass(slots=True)
class Corrected:
    """Windows after correction: beats moved up to the left, NaN behind the last.

    Parameters
    ----------
    rr_ms : ndarray of float, shape (n_windows, n_corrected)
        Normal-to-normal intervals. [ms]
    beat_s : ndarray of float, shape (n_windows, n_corrected)
        Time of the beat that ends each; on the clock of the input, or from
        the window's first beat where none was given. [s]
    measured : ndarray of bool, shape (n_windows, n_corrected)
        False for padding and for what is an estimate. A heart rate rests on these.
    normal : ndarray of bool, shape (n_windows, n_corrected)
        Measured, and no long beat far out of line: variability is taken from these.
    doubtful : ndarray of bool, shape (n_windows, n_corrected)
        Measured, and longer than the heart of the window does by itself; some
        are normal all the same.
    follows : ndarray of bool, shape (n_windows, n_corrected)
        Measured, and directly after another measured one without a gap.
    missed, extra, ectopic, irregular : ndarray of int, shape (n_windows,)
        Artefacts found of each kind.
    """

    rr_ms: Floats
    beat_s: Floats
    measured: Mask
    normal: Mask
    doubtful: Mask
    follows: Mask
    missed: Counts
    extra: Counts
    ectopic: Counts
    irregular: Counts

    @property
    def long(self) -> Counts:
        """Single long beats of each window, also those that are normal all the same."""
        return np.asarray(self.doubtful.sum(axis=1))

    @property
    def artefacts(self) -> Counts:
        """All artefacts of each window."""
        return self.missed + self.extra + self.ectopic + self.irregular + self.long
