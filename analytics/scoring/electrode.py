"""Taking out of the skin's conductance what no skin does: its electrode moved, or is loose."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from analytics.scoring.baseline import LONGEST_STEP_S
from analytics.scoring.choice import Rows, either
from sensors.messages import WINDOW_S

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Mask = NDArray[np.bool_]
Numbers = NDArray[np.intp]

FASTEST_SKIN = 0.2
"""Fastest that skin conductance changes within one window, up or down. [ln(uS)]

Ours: a faster change is taken for an electrode that moved, was pressed or came
off. Conductance falls more slowly than it rises, but the limit is the same both
ways, so that noise beyond it cancels.
"""

UNREST, UNREST_S = 4.0, 1800.0
"""A jump is more than so many mean changes of the last half hour, if that is more. [1], [s]

Noise is no electrode: what jumps with every window comes back, and taking it
out would leave a random walk in place of the skin.
"""

LOOSE_JUMPS, LOOSE_S, LOOSE_SKIN = 2.0, 60.0, 0.4
"""An electrode that jumps more often than so within so long is loose. [1], [s], [ln(uS)]

By half as much again from one window to the next, that is. Each jump counts
less the longer ago it is, by this time constant; pressed once, an electrode
jumps twice and is followed. A loose one counts as such until the same time
after its last jump.
"""


class Electrode:
    """Skin conductance of every agent as last seen, and by how much its electrode has moved since."""

    PASSING: ClassVar = ("skin_s", "jumps")
    """What says something of the last minutes only."""

    ARRAYS: ClassVar = ("skin", "moved", "unrest", *PASSING)

    def __init__(self) -> None:
        self.skin = np.zeros(0, dtype=np.float32)
        self.skin_s = np.zeros(0, dtype=np.float64)
        self.moved = np.zeros(0, dtype=np.float32)
        self.jumps = np.zeros(0, dtype=np.float32)  # how often it did lately
        self.unrest = np.zeros(0, dtype=np.float32)  # mean change from window to window

    def follow(self, rows: Rows, at_s: Floats, log_eda: Singles, late: Mask) -> Numbers:
        """Take out of `log_eda` by how much electrodes moved; return whose level is to be learnt anew.

        One that was silent and then gives something else, or had moved before,
        may have been put back, or not: its level is learnt anew. So is that of
        a loose one, which moves again and again and says nothing meanwhile.

        Parameters
        ----------
        rows : ndarray of intp or slice
            n agents.
        at_s : ndarray of float64, shape (n,)
            Ends of their windows. [s]
        log_eda : ndarray of float32, shape (n,)
            NaN is unknown; changed. [ln(uS)]
        late : ndarray of bool, shape (n,)
            Older than the agent's newest window.

        Returns
        -------
        ndarray of intp
            Rows.
        """
        skin, before, seen_s = log_eda.copy(), self.skin[rows], self.skin_s[rows]
        here = np.isfinite(skin) & ~late
        unrest = self.unrest[rows]
        fastest = np.maximum(np.float32(UNREST) * unrest, np.float32(FASTEST_SKIN))
        change = np.abs(skin - before)
        jumped = here & (change > fastest) & (seen_s > -np.inf)
        odd = np.flatnonzero(jumped | (self.moved[rows] != 0) | (self.jumps[rows] != 0))
        anew = odd[:0]
        if odd.size:  # all others' electrodes never moved
            whose = odd + rows.start if isinstance(rows, slice) else rows[odd]
            log_eda[odd], loose = self._without_jumps(
                whose, at_s[odd], skin[odd], here[odd], fastest[odd]
            )
            anew = whose[loose]
        since_s = at_s - seen_s
        follows = here & (since_s > 0) & (since_s <= LONGEST_STEP_S)
        gain = np.minimum(change, fastest) - unrest
        gain *= np.float32(WINDOW_S / UNREST_S)
        self.unrest[rows] = either(follows, unrest + gain, unrest)
        self.skin[rows] = either(here, skin, before)
        self.skin_s[rows] = either(here, at_s, seen_s)
        return anew

    def _without_jumps(
        self, rows: Numbers, at_s: Floats, skin: Singles, here: Mask, fastest: Singles
    ) -> tuple[Singles, Mask]:
        """Return the conductance of those whose electrode moved, now or before; and who begins anew."""
        since_s, moved = at_s - self.skin_s[rows], self.moved[rows]
        follows = here & (since_s <= LONGEST_STEP_S)
        change = np.where(here & np.isfinite(since_s), skin - self.skin[rows], np.float32(0.0))
        jumped = np.abs(change) > fastest
        far = follows & (np.abs(change) > np.float32(LOOSE_SKIN / FASTEST_SKIN) * fastest)
        jumps = self.jumps[rows] * np.where(here, np.exp(-since_s / LOOSE_S), 1.0) + far
        loose = here & (jumps >= LOOSE_JUMPS)
        # Its last jump keeps it loose for as long as jumps are remembered.
        jumps = np.where(loose & far, np.e * LOOSE_JUMPS, jumps)
        back = here & ~follows & (jumped | (np.abs(moved) > fastest))
        anew = loose | back
        moved = np.where(anew, np.float32(0.0), moved)
        off = change - np.clip(change, -fastest, fastest)
        moved = moved + np.where(follows & ~loose, off, np.float32(0.0))
        self.moved[rows], self.jumps[rows] = moved, jumps
        return np.where(loose, np.float32(np.nan), skin - moved), anew
