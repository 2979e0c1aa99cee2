"""From evidence to episodes: one episode is one alert (TRUST A2).

Evidence above the threshold for 30 s begins an episode; it ends when the
evidence has stayed below the lower threshold for 30 s; the next one can begin
120 s after this one began. Arrays of all agents, no clock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Rows = NDArray[np.intp]

ON_DELAY_S = 30.0
"""Evidence must stay above the threshold this long. [s] (this project)"""

OFF_DELAY_S = 30.0
"""Evidence must stay below the lower threshold this long to end an episode. [s]"""

REFRACTORY_S = 120.0
"""After an alert has begun, the next can begin only this much later. [s]"""

HYSTERESIS = 0.9
"""An episode ends below this share of the threshold: noise at the line is one episode.

Evidence is smooth by itself; a lower line would keep an episode standing into
the next one, which then would be found by nobody.
"""

RECOVERS_BELOW = 0.7
"""Below this share of its highest evidence since it was told an episode recovers: it teaches again.

What falls is no strain that a level would swallow. Were the level held until
the line is crossed, skin that dries slowly would keep the episode standing
into the next one.
"""

LONGEST_GAP_S = 30.0
"""A longer silence breaks a run above the threshold: it was not seen to stay there. [s]"""

LONGEST_EPISODE_S = 3600.0
"""What lasts longer is the new usual: the episode ends and the baseline follows (A5). [s]"""

_QUIET, _PENDING, _ACTIVE, _SPENT = 0, 1, 2, 3
_RUN = ("state", "since", "below", "free", "last")


@dataclass(slots=True)
class EpisodeBatch:
    """What one step found, one entry per row.

    Parameters
    ----------
    pending : ndarray of bool
        Above the threshold, not yet for long enough.
    active : ndarray of bool
        In an episode, including the step at which it begins.
    began, ended : ndarray of bool
        True in exactly one step each of every episode.
    started_at_s : ndarray of float64
        When the evidence first rose above the threshold; NaN outside. [s]
        For `ended`, of the episode that ends.
    """

    pending: Mask
    active: Mask
    began: Mask
    ended: Mask
    started_at_s: Floats


class Episodes:
    """The state of every agent's episode: quiet, pending, active or spent."""

    _DTYPES: ClassVar[dict[str, type[np.generic]]] = {
        "state": np.int8,
        **dict.fromkeys(("since", "below", "free", "last", "highest"), np.float64),
        "recovers": np.bool_,
    }
    _BLANK: ClassVar = {
        "state": _QUIET,
        "since": np.nan,
        "below": np.nan,
        "free": -np.inf,
        "last": -np.inf,
        "highest": 0.0,
        "recovers": False,
    }

    def __init__(self) -> None:
        self._n = 0
        self._arrays: dict[str, NDArray[Any]] = {
            name: np.zeros(0, dtype=kind) for name, kind in self._DTYPES.items()
        }

    def ensure(self, n_rows: int) -> None:
        """Make room for agents 0 to n_rows - 1; never shrinks."""
        have = len(self._arrays["state"])
        if n_rows > have:
            room = max(n_rows, have + have // 4)
            for name, old in self._arrays.items():
                new = np.full(room, self._BLANK[name], dtype=old.dtype)
                new[:have] = old
                self._arrays[name] = new
        self._n = max(self._n, n_rows)

    def forget(self, rows: Rows) -> None:
        """Begin again with `rows`: their clock was set back."""
        for name, array in self._arrays.items():
            array[rows] = self._BLANK[name]

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return a copy of the whole state."""
        return {name: array[: self._n].copy() for name, array in self._arrays.items()}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]]) -> Self:
        """Return episodes in the state of :meth:`to_arrays`, bit for bit."""
        made = cls()
        made._arrays = {name: arrays[name].astype(kind) for name, kind in cls._DTYPES.items()}
        made._n = len(made._arrays["state"])
        return made

    def active(self, rows: Rows) -> Mask:
        """Return which agents are in an episode now."""
        found: Mask = self._arrays["state"][rows] == _ACTIVE
        return found

    def firing(self, rows: Rows) -> Mask:
        """Return who is in an episode that does not recover: their next window must not teach."""
        found: Mask = self.active(rows) & ~self._arrays["recovers"][rows]
        return found

    def step(
        self, rows: Rows, at_s: Floats, evidence: Floats, threshold: float | Floats, live: Mask
    ) -> EpisodeBatch:
        """Advance the agents of `rows` by one window.

        Parameters
        ----------
        rows : ndarray of intp, shape (n,)
            Unique.
        at_s : ndarray of float64, shape (n,)
            Window ends. A window at or before the last one changes nothing.
        evidence : ndarray of float64, shape (n,)
            From the detector; NaN is unknown: it neither starts nor keeps
            anything, and after `OFF_DELAY_S` of it an episode ends.
        threshold : float or ndarray of float64, shape (n,)
            From :func:`threshold_for`; above zero.
        live : ndarray of bool, shape (n,)
            False (late, learning, off shift) can neither begin nor pend.

        Returns
        -------
        EpisodeBatch
        """
        arrays, n = self._arrays, len(rows)
        last = arrays["last"][rows]
        above = (evidence >= threshold) & live & (at_s > last)
        pending, active, began, ended = np.zeros((4, n), bool)
        found = EpisodeBatch(pending, active, began, ended, np.full(n, np.nan))
        some = np.flatnonzero(above | (arrays["state"][rows] != _QUIET))
        if some.size:  # all others stay quiet
            line = threshold[some] if isinstance(threshold, np.ndarray) else threshold
            low = ~(evidence[some] >= HYSTERESIS * line)
            self._advance(rows[some], at_s[some], above[some], low, found, some)
            newer = some[at_s[some] > last[some]]
            self._recover(rows[newer], evidence[newer], found.active[newer])
        arrays["last"][rows] = np.maximum(last, at_s)
        return found

    def _recover(self, rows: Rows, evidence: Floats, active: Mask) -> None:
        """Note the highest evidence of each episode, and whether the newest lies well below it."""
        highest = np.where(active, np.fmax(self._arrays["highest"][rows], evidence), 0.0)
        self._arrays["highest"][rows] = highest
        self._arrays["recovers"][rows] = evidence < RECOVERS_BELOW * highest

    def _advance(  # noqa: PLR0917 - whose, when and what, then what is filled in
        self, rows: Rows, at_s: Floats, above: Mask, low: Mask, found: EpisodeBatch, some: Rows
    ) -> None:
        """Advance those who are above the line or not quiet; fill in `some` entries of `found`."""
        state, since, below, free, last = (self._arrays[name][rows] for name in _RUN)
        new, gap = at_s > last, at_s - last > LONGEST_GAP_S
        was_active = state == _ACTIVE
        # A run above the line, unbroken and unfree, becomes an episode.
        running = above & (state == _PENDING) & ~gap
        since = np.where(above & ~running & ~was_active, at_s, since)
        state = np.where(above & (state == _QUIET), _PENDING, state)
        state = np.where((state == _PENDING) & ~above & new, _QUIET, state)
        began = (state == _PENDING) & above & (at_s - since >= ON_DELAY_S) & (at_s >= free)
        state = np.where(began, _ACTIVE, state)
        free = np.where(began, at_s + REFRACTORY_S, free)
        # Below the lower line for long enough, it ends; one that lasts for ever is spent.
        held = was_active | (state == _SPENT)
        falling = np.where(held & low, np.where(np.isfinite(below), below, at_s), np.nan)
        below = np.where(new, falling, below)
        calm = held & new & (at_s - below >= OFF_DELAY_S)
        worn_out = was_active & new & (at_s - since > LONGEST_EPISODE_S)
        state = np.where(calm, _QUIET, np.where(worn_out, _SPENT, state)).astype(np.int8)
        found.began[some], found.ended[some] = began, was_active & (calm | worn_out)
        active, pending = state == _ACTIVE, state == _PENDING
        found.active[some], found.pending[some] = active, pending
        stands = active | pending
        found.started_at_s[some] = np.where(stands | found.ended[some], since, np.nan)
        kept = state, np.where(stands, since, np.nan), np.where(calm, np.nan, below), free
        for name, array in zip(("state", "since", "below", "free"), kept, strict=True):
            self._arrays[name][rows] = array


NULL_ALERTS_PER_TEAM_HOUR = 0.5
"""Personal alerts a team may see when nothing is the matter. [1/h] (TRUST A1)"""

NULL_CURVE: tuple[tuple[float, float], ...] = (
    (1.0, 1.34), (1.1, 1.06), (1.25, 0.75), (1.4, 0.52), (1.6, 0.311), (1.8, 0.192),
    (2.0, 0.104), (2.2, 0.065), (2.4, 0.0347), (2.6, 0.0157), (2.8, 0.0089), (3.1, 0.0041),
)  # fmt: skip
"""Threshold, and alerts per agent-hour at it when nothing is the matter.

From 4,800 simulated calm agent-hours: people of different channels and
restlessness with calls, walks, meals and brief ordinary arousal
(``benchmarks/null_alerts.py --curve --agents 300``, seeds 11 and 12), times 1.3 for
what that many hours cannot tell. Counted with version 6, and anew with 7: the same
within 5 %. People vary more than a simulation: the alert budget is what holds
whatever happens.
"""


def threshold_for(team_size: int) -> float:
    """Return the production threshold for a team of `team_size`; stricter for bigger teams.

    On calm data the whole team is to see at most
    `NULL_ALERTS_PER_TEAM_HOUR`, so each agent may raise that over the team's
    size. It is a ceiling: nothing lowers the threshold to fill it.

    Raises
    ------
    ValueError
        If `team_size` is below 1.
    """
    if team_size < 1:
        raise ValueError(f"team_size is {team_size}; expected 1 or more")
    rate_per_hour = NULL_ALERTS_PER_TEAM_HOUR / team_size
    thresholds, rates = np.array(NULL_CURVE).T
    seen = math.log(rate_per_hour)
    if rate_per_hour >= rates[-1]:
        return float(np.interp(-seen, -np.log(rates), thresholds))
    # Beyond what was seen, on along the last piece: the true tail falls faster.
    last = (thresholds[-1] - thresholds[-2]) / math.log(rates[-2] / rates[-1])
    return float(thresholds[-1] + last * (math.log(rates[-1]) - seen))
