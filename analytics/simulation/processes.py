"""Random processes of the simulated floor, every agent of a block at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sensors.messages import WINDOW_S

Singles = NDArray[np.float32]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Random = np.random.Generator

OUTLIERS = 0.05
OUTLIER_SIZE = 3.0
"""Tukey's contaminated normal: one draw in twenty is three times as wide (Tukey 1960)."""


def drift(rng: Random, shape: tuple[int, int], tau_s: float, *, heavy: bool = False) -> Singles:
    """Return Ornstein-Uhlenbeck processes of unit spread, stationary from the start.

    Parameters
    ----------
    rng : Generator
    shape : (int, int)
        Agents, windows.
    tau_s : float
        Correlation time. [s]
    heavy : bool
        Draw the innovations with heavy tails.

    Returns
    -------
    ndarray of float32, shape `shape`
    """
    keep = float(np.exp(-WINDOW_S / tau_s))
    kicks = rng.standard_normal(shape, dtype=np.float32)
    start = kicks[:, :1] * np.float32(keep)
    if heavy:
        wide = rng.random(shape, dtype=np.float32) < OUTLIERS
        kicks[wide] *= np.float32(OUTLIER_SIZE)
        kicks /= np.float32(np.sqrt(1 + OUTLIERS * (OUTLIER_SIZE**2 - 1)))
    kicks *= np.float32(np.sqrt(1 - keep**2))
    return _recurred(np.ones(1, np.float32), keep, kicks, start)


def lag(x: Singles, tau_s: float) -> Singles:
    """Return `x` (agents, windows) through a first-order lag that begins at rest at 0."""
    keep = float(np.exp(-WINDOW_S / tau_s))
    return _recurred(np.array([1 - keep], np.float32), keep, x, np.zeros_like(x[:, :1]))


def spans(
    rng: Random, shape: tuple[int, int], per_hour: float, least_s: float, mean_s: float
) -> Singles:
    """Return stretches that begin at random moments: each stretch's number from 1, 0 outside.

    Parameters
    ----------
    rng : Generator
    shape : (int, int)
        Agents, windows.
    per_hour : float
        Mean number per hour.
    least_s, mean_s : float
        Shortest and mean length; what is beyond the shortest is exponential. [s]

    Returns
    -------
    ndarray of float32, shape `shape`
    """
    n, windows = shape
    found = np.zeros(shape, dtype=np.float32)
    counts = rng.poisson(per_hour * windows * WINDOW_S / 3600.0, n)
    starts = rng.integers(0, windows, int(counts.sum()))
    lengths_s = least_s + rng.exponential(mean_s - least_s, len(starts))
    lengths = np.maximum(1, np.round(lengths_s / WINDOW_S)).astype(int)
    agents = np.repeat(np.arange(n), counts)
    for number, (agent, start, length) in enumerate(zip(agents, starts, lengths, strict=True)):
        found[agent, start : start + length] = number + 1
    return found


def _recurred(b: Singles, keep: float, x: Singles, start: Singles) -> Singles:
    """Return ``y[t] = b x[t] + keep y[t - 1]`` for every row, from the state `start`."""
    from scipy.signal import lfilter  # noqa: PLC0415 - a second that only who simulates should wait

    found: Singles = lfilter(b, np.array([1.0, -keep], np.float32), x, zi=start)[0]
    return found
