"""Cycles of a voice laid over one another, all of them at once. Pure.

Every function takes all cycles of a window in one array, a cycle a row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.intp]
Bools = NDArray[np.bool_]

_MARGIN = 4  # samples that must lie either side of a cycle that is cut


@dataclass(frozen=True, slots=True)
class Alignment:
    """How each cycle fits over the one before.

    Parameters
    ----------
    shift : ndarray of float, shape (n - 1,)
        How much later than its mark a cycle lies. [samples]
    likeness : ndarray of float, shape (n - 1,)
        Correlation of the two there, -1 to 1.
    """

    shift: Doubles
    likeness: Doubles


def align(sound: Floats, marks: NDArray[np.generic], half: int, reach: int) -> Alignment:
    """Return the shift at which the sound around each mark fits that around the mark before.

    Parameters
    ----------
    sound : ndarray of float32, shape (n_samples,)
    marks : ndarray of number, shape (n,)
        Between `half` + `reach` from the beginning and as much from the end. [samples]
    half, reach : int
        Half the width that is compared, and how far to look either way. [samples]
    """
    at = np.rint(np.asarray(marks, dtype=np.float64)).astype(np.intp)
    width = 2 * half
    ones = sliding_window_view(sound, width)[np.clip(at[:-1] - half, 0, sound.size - width)]
    wide = width + 2 * reach
    there = np.clip(at[1:] - half - reach, 0, sound.size - wide)
    others = sliding_window_view(sound, wide)[there]
    product = np.empty((others.shape[0], 2 * reach + 1))
    for lag in range(2 * reach + 1):
        product[:, lag] = np.einsum("ij,ij->i", others[:, lag : lag + width], ones)
    sums = np.cumsum(np.square(others, dtype=np.float64), axis=1)
    energy = sums[:, width - 1 :].copy()
    energy[:, 1:] -= sums[:, : 2 * reach]
    energy *= np.einsum("ij,ij->i", ones, ones).astype(np.float64)[:, None]
    likeness = product / np.sqrt(np.maximum(energy, 1e-30))
    rows = np.arange(likeness.shape[0])
    best = np.clip(likeness.argmax(axis=1), 1, 2 * reach - 1)
    left, here, right = (likeness[rows, best + i] for i in (-1, 0, 1))
    bend = left - 2 * here + right
    between = np.where(bend < 0, 0.5 * (left - right) / np.where(bend < 0, bend, -1.0), 0.0)
    return Alignment(best - reach + np.clip(between, -1.0, 1.0), here)


def places(marks: Ints, shift: Doubles, good: Bools) -> Doubles:
    """Return where each cycle lies so that it fits over the one before, as far back as they fit.

    Parameters
    ----------
    marks : ndarray of int, shape (n,)
    shift : ndarray of float, shape (n - 1,)
        From :func:`align`. [samples]
    good : ndarray of bool, shape (n - 1,)
        Where it may be relied upon.
    """
    total = np.concatenate([[0.0], np.cumsum(np.where(good, shift, 0.0))])
    begins = np.where(np.concatenate([[True], ~good]), np.arange(marks.size), 0)
    return np.asarray(marks + total - total[np.maximum.accumulate(begins)])


def cut(sound: Floats, at: Doubles, half: int) -> Floats:
    """Return the sound around each place, between the samples by a cubic.

    Returns
    -------
    ndarray of float32, shape (n, 2 * half)
    """
    at = np.clip(at, half + _MARGIN, sound.size - half - _MARGIN - 1)
    whole = np.floor(at).astype(np.intp)
    x = (at - whole).astype(np.float32)[:, None]
    around = sliding_window_view(sound, 2 * half + 3)[whole - half - 1]
    taps = (
        -x * (x - 1) * (x - 2) / 6,
        (x + 1) * (x - 1) * (x - 2) / 2,
        -(x + 1) * x * (x - 2) / 2,
        (x + 1) * x * (x - 1) / 6,
    )
    cycles = np.zeros((at.size, 2 * half), dtype=np.float32)
    for i, tap in enumerate(taps):
        cycles += tap * around[:, i : i + 2 * half]
    return cycles


def coherence(cycles: Floats, good: Bools) -> Floats:
    """Return the share in which a cycle is like the one before, by frequency.

    Returns
    -------
    ndarray of float32, shape (half + 1,)
        From no frequency, where it is 0, to half the sample rate.
    """
    spectra = scipy.fft.rfft(cycles)
    power = np.square(spectra.real) + np.square(spectra.imag)
    alike = (spectra[1:] * spectra[:-1].conj()).real[good].sum(axis=0)
    both = 0.5 * (power[1:] + power[:-1])[good].sum(axis=0)
    share = np.clip(alike / np.maximum(both, 1e-30), 0.0, 1.0)
    share[0] = 0.0
    return np.asarray(share, dtype=np.float32)
