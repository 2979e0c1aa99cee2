"""What the last minutes of deviations say together: the evidence of every agent.

Each part's deviation is averaged over time before it is judged: strain lasts,
noise does not. Two averages must agree, of about a minute and of about four:
strain that is worth a supervisor has lasted, and is still there now. Both are
counted in spreads of the agent's own longer average, learnt where no strain
is: below the usual. How long somebody's noise remembers is thereby learnt, too.
Parts that stray together count for fewer witnesses (`analytics.scoring.together`).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from analytics.scoring.baseline import LONGEST_STEP_S, NEVER_ZERO
from analytics.scoring.choice import put
from analytics.scoring.fusion import log_ratios, sum_down
from analytics.scoring.pace import Pace
from analytics.scoring.together import counted, learn, shares
from analytics.signals.features import PARTS
from sensors.messages import WINDOW_S

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Mask = NDArray[np.bool_]
Rows = NDArray[np.intp] | slice

NOW_S, LASTING_S = 60.0, 240.0
"""Time constants of the two averages. [s]"""

NOISE_S = 100.0
"""Until more is known, calm people's deviations forget themselves about this fast. [s]

An average over T of such noise has the share NOISE_S / (NOISE_S + T) of its variance.
"""

CALM_PRIOR_S = 3600.0
"""How much of the agent's own time that prior is worth. [s]"""

CALM_HORIZON_S = 8 * 3600.0
"""Over so much own time the spread of the longer average is learnt. [s] About two shifts."""

CALM_MOST = 3.0
"""An average counts for no more than this many of its spreads when that spread is learnt."""

_TIMES_S = np.array([[NOW_S], [LASTING_S]])
_USUAL_SQUARE = np.float32(NOISE_S / (NOISE_S + LASTING_S))
_SCALE = math.sqrt((NOISE_S + LASTING_S) / (NOISE_S + NOW_S))
_MOST = np.float32(CALM_MOST * math.sqrt(_USUAL_SQUARE))


class Evidence:
    """Running averages of every agent's parts, how certain they are, and how far they stray."""

    PASSING: ClassVar = ("deviation", "certainty", "deviation_before", "certainty_before")
    """What says something of the last minutes only."""

    ARRAYS: ClassVar = (
        *PASSING,
        *("calm", "calm_s", "together", "together_of"),
        *("calm_before", "calm_s_before", "together_before", "together_of_before"),
    )

    def __init__(self) -> None:
        shape = (2, len(PARTS), 0)
        self.deviation = np.zeros(shape, dtype=np.float32)
        self.certainty = np.zeros(shape, dtype=np.float32)
        # Mean square of the longer average while below the usual, over what it usually is.
        self.calm = np.zeros(shape[1:], dtype=np.float32)
        self.calm_s = np.zeros(shape[1:], dtype=np.float32)  # seen of that
        # How far parts stray together: see `analytics.scoring.together`.
        self.together = np.zeros(0, dtype=np.float32)
        self.together_of = np.zeros(0, dtype=np.float32)
        # As they were before the last window, for a second source of the same moment.
        self.deviation_before = np.zeros(shape, dtype=np.float32)
        self.certainty_before = np.zeros(shape, dtype=np.float32)
        self.calm_before = np.zeros(shape[1:], dtype=np.float32)
        self.calm_s_before = np.zeros(shape[1:], dtype=np.float32)
        self.together_before = np.zeros(0, dtype=np.float32)
        self.together_of_before = np.zeros(0, dtype=np.float32)

    def gather(self, rows: Rows, pace: Pace, parts: Singles, certainty: Singles) -> Floats:
        """Return the evidence after one window of each agent, and keep it.

        Parameters
        ----------
        rows : ndarray of intp or slice
            n agents.
        pace : Pace
            Of their windows.
        parts, certainty : ndarray of float32, shape (P, n)
            Deviation of each part and how certain it is; both 0 where unknown.

        Returns
        -------
        ndarray of float64, shape (n,)
            What the parts say together, in spreads of what they say about this
            agent when calm; NaN where nothing is known now, or the window is
            older than the last one.
        """
        held = [getattr(self, name)[..., rows] for name in _NEWEST + _BEFORE]
        known = certainty > 0
        each = _follow(held, pace, parts, certainty, known)
        for name, array in zip(_NEWEST + _BEFORE, held, strict=True):
            put(getattr(self, name), rows, array)
        said = np.minimum(each[0], each[1])
        told = np.logical_or.reduce(known, axis=0)
        told &= pace.ahead
        return np.where(told, said, np.nan)

    def rests_on(self, rows: Rows, known: Mask) -> tuple[Floats, Floats]:
        """Return what each part adds to the newest evidence, and what it says by itself.

        The evidence is computed once more without each part, as if it were not
        measured now: from the same averages, in spreads of the parts that are
        left, with all that was learnt before the newest window.

        Parameters
        ----------
        rows : ndarray of intp or slice
            n agents.
        known : ndarray of bool, shape (P, n)
            Which parts the newest window measured.

        Returns
        -------
        adds : ndarray of float64, shape (P, n)
            By how much the evidence falls without the part; at or below 0 is
            what it does not need. No shares of a whole: of parts that stray
            together each can be spared. [spreads]
        says : ndarray of float64, shape (P, n)
            Log-likelihood ratio of the part, in whichever of the two averages
            it is larger; above 0 of every part that adds.

        Both are NaN where a part is unknown, and where there is no evidence.
        """
        own = _own(self.calm_before[:, rows], self.calm_s_before[:, rows])
        pair = counted(self.together_before[rows], self.together_of_before[rows])
        spreads, still = self.deviation[..., rows] / own, self.certainty[..., rows] * known
        left = _without_each(still)
        _, alone, pairs = shares(left)
        each = _standardised(spreads, left, pair * pairs + alone)
        found = np.where(alone > 0, each, 0.0).min(axis=1)
        without, whole = found[:-1], found[-1]
        says = log_ratios(spreads, still).max(axis=0).astype(np.float64)
        told = known & (whole > 0)
        return np.where(told, whole - without, np.nan), np.where(told, says, np.nan)


_NEWEST = ("deviation", "certainty", "calm", "calm_s", "together", "together_of")
_BEFORE = tuple(f"{name}_before" for name in _NEWEST)


def _follow(
    held: list[Singles], pace: Pace, parts: Singles, certainty: Singles, known: Mask
) -> Floats:
    """Return what each of the two averages says after one window, shape (2, n).

    Changes `held`, the newest state and the one before it, as far as time runs on.
    """
    newest, before = held[: len(_NEWEST)], held[len(_NEWEST) :]
    if pace.even:  # what is kept is worked on where it lies
        work, old = newest, before
        for kept, new in zip(before, newest, strict=True):
            kept[...] = new
    else:
        old = [np.where(pace.again, *pair) for pair in zip(before, newest, strict=True)]
        work = [array.copy() for array in old]
    moved, now, calm, calm_s, together, together_of = work
    own = _own(calm, calm_s)
    _average(moved, now, pace, parts, certainty)
    _learn(calm, calm_s, own, pace, moved[1], known)
    spreads = moved / own
    # What is not measured now counts no more, whatever it said (T6); it is kept, fading.
    still = now * known
    share, alone, pairs = shares(still)
    square = counted(together, together_of) * pairs
    square += alone
    lasting = spreads[1].clip(-_MOST, _MOST)
    lasting *= np.float32(1.0 / math.sqrt(_USUAL_SQUARE))
    learn(together, together_of, pace, lasting, share[1], pairs[1])
    if not pace.even:
        for kept, new in zip(held, (*work, *old), strict=True):
            np.copyto(kept, new, where=pace.ahead)
    return _standardised(spreads, still, square)


def _without_each(certainty: Singles) -> Singles:
    """Return the certainties without each part, and last of all with every one, (P + 1, 2, P, n)."""
    left = ~np.eye(len(PARTS) + 1, len(PARTS), dtype=bool)
    return certainty * left[:, None, :, None]


def _average(moved: Singles, now: Singles, pace: Pace, parts: Singles, certainty: Singles) -> None:
    """Take one window into the averages and their certainty, in place."""
    if pace.even:
        share, left = _share_of(float(pace.step_s[0]))
    else:
        share, left = _share(pace.step_s)
    if left is not None:
        now *= left
    gain = certainty - now
    gain *= share
    now += gain
    # What has faded is 0: below any normal number it would stay, and slow every step down.
    now -= NEVER_ZERO
    np.maximum(now, 0.0, out=now)
    pull = share * certainty
    pull /= now + NEVER_ZERO
    off = parts - moved
    off *= pull
    moved += off


def _own(calm: Singles, calm_s: Singles) -> Singles:
    """Return by how much more the longer average strays than it usually does, shape (P, n)."""
    square = calm_s * calm
    square += np.float32(CALM_PRIOR_S)
    square /= calm_s + np.float32(CALM_PRIOR_S)
    found: Singles = np.sqrt(square, out=square)
    return found


def _learn(  # noqa: PLR0917 - what is kept, and then what was seen
    calm: Singles, calm_s: Singles, own: Singles, pace: Pace, lasting: Singles, known: Mask
) -> None:
    """Learn, in place, how far the longer average strays: from below the usual, where no strain is."""
    step_s = np.minimum(pace.step_s, LONGEST_STEP_S).astype(np.float32)
    step = step_s * (known & (lasting < 0))
    fade = step * np.float32(-1.0 / CALM_HORIZON_S)
    fade += np.float32(1.0)
    calm_s *= fade
    calm_s += step
    off = np.maximum(lasting, -_MOST * own)
    off *= off
    off /= _USUAL_SQUARE
    off -= calm
    step /= calm_s + NEVER_ZERO
    off *= step
    calm += off


def _share(step_s: Floats) -> tuple[Singles, Singles | None]:
    """Return the weight of a new value, and what a gap before it leaves of the certainty.

    A window that is missing fades what is known as an empty one does, and the
    next one counts for its own time: no single window speaks for a gap.

    Returns
    -------
    ndarray of float32, shape (2, 1, n)
        In each average.
    ndarray of float32, shape (2, 1, n), or None
        Where there is a gap.
    """
    gap_s = np.where(step_s > LONGEST_STEP_S, step_s - WINDOW_S, 0.0)
    share = 1.0 - np.exp(-(step_s - gap_s) / _TIMES_S)
    left = np.exp(-gap_s / _TIMES_S)[:, None, :].astype(np.float32) if gap_s.any() else None
    return np.asarray(share[:, None, :], np.float32), left


@lru_cache(maxsize=256)
def _share_of(step_s: float) -> tuple[Singles, Singles | None]:
    return _share(np.array([step_s]))


def _standardised(deviation: Singles, certainty: Singles, square: Singles) -> Floats:
    """Return the sum of the log-likelihood ratios over its spread on calm data, shape (..., 2, n).

    `square` is that of the spread, near the usual (:func:`shares`). More parts
    are more noise: over this, one threshold means one false-alert rate whatever
    somebody wears.
    """
    total = sum_down(log_ratios(deviation, certainty))
    total /= np.sqrt(np.maximum(square, NEVER_ZERO))
    total *= np.float32(_SCALE)
    return total.astype(np.float64)
