"""What simulated agents do: calls, breaks, walks, and the episodes put in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.signals.windows import CONTEXTS
from analytics.simulation.processes import Mask, Random, Singles, spans
from analytics.simulation.scenario import GROUPS, Group, Scenario
from sensors.messages import WINDOW_S, ContextState

CALL_S = (240.0, 0.6)
"""Median length of a call [s] and its spread as a logarithm: call lengths are lognormal.

Brown et al. 2005, J. Am. Stat. Assoc. 100:36 (a bank's call centre).
"""

WRAP_UP_S, READY_S = 60.0, 40.0
"""Mean time after a call, and between calls: exponential. [s] (assumption)"""

BREAK_EVERY_S = 7200.0
BREAKS_S = (900.0, 1800.0, 900.0)
"""A break about every two hours, the second the longer one. [s] (assumption)"""

WALKS_PER_HOUR = 1.0
WALK_S = (60.0, 150.0)
"""Walks to printer, colleague or coffee: shortest and mean length. [s] (assumption)"""

STARTLES_PER_HOUR = 1.0
STARTLE_S = (30.0, 60.0)
"""Brief ordinary arousals (a laugh, a hurry), shortest and mean length. [s] (assumption)"""

APART_S = 1800.0
"""Two episodes of one agent are at least so far apart. [s]"""

ON_CALL, WRAP_UP, READY, BREAK = (
    CONTEXTS.index(state)
    for state in (
        ContextState.ON_CALL,
        ContextState.WRAP_UP,
        ContextState.READY,
        ContextState.BREAK,
    )
)


@dataclass(slots=True)
class Workday:
    """What the agents of one block do, each of shape (agents, windows).

    Parameters
    ----------
    context : ndarray of int8
        Index into :data:`~analytics.signals.windows.CONTEXTS`.
    tone : ndarray of float32
        How lively the present call is, unit spread over calls; 0 outside.
    walking : ndarray of bool
    startle : ndarray of float32
        Size of a brief ordinary arousal, mean 1; 0 outside.
    meal : ndarray of float32
        1 right after the long break, fading over an hour.
    """

    context: NDArray[np.int8]
    tone: Singles
    walking: Mask
    startle: Singles
    meal: Singles


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedEpisode:
    """One stretch of strain that was put in.

    Parameters
    ----------
    agent : int
    start_s, full_s, release_s, end_s : float
        When it begins to rise, is at full intensity, begins to fall, is over. [s]
    strength : float
    groups : frozenset of Group
        Those that react; none of them if it shows nowhere.
    common : bool
        Part of a common cause.
    """

    agent: int
    start_s: float
    full_s: float
    release_s: float
    end_s: float
    strength: float
    groups: frozenset[Group]
    common: bool = False

    def level(self, t_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the intensity at `t_s`, 0 to `strength`."""
        corners = (self.start_s, self.full_s, self.release_s, self.end_s)
        return np.interp(t_s, corners, (0.0, self.strength, self.strength, 0.0))


def workday(rng: Random, n: int, windows: int) -> Workday:
    """Return one shift of `n` agents."""
    context = np.empty((n, windows), dtype=np.int8)
    tone = np.zeros((n, windows), dtype=np.float32)
    for agent in range(n):
        context[agent], tone[agent] = _calls(rng, windows)
    walking = spans(rng, (n, windows), WALKS_PER_HOUR, *WALK_S) > 0
    startled = spans(rng, (n, windows), STARTLES_PER_HOUR, *STARTLE_S).astype(int)
    sizes = np.concatenate([[0.0], rng.exponential(1.0, int(startled.max()))]).astype(np.float32)
    meal = np.zeros((n, windows), dtype=np.float32)
    _breaks(rng, context, walking, meal)
    tone[context != ON_CALL] = 0.0
    return Workday(context, tone, walking, sizes[startled], meal)


def _calls(rng: Random, windows: int) -> tuple[NDArray[np.int8], Singles]:
    """Return call, wrap-up and ready in turn, and the tone of each call."""
    shift_s = windows * WINDOW_S
    n = int(shift_s / 120.0) + 8  # far more than fit
    lengths_s = np.empty((n, 3))
    lengths_s[:, 0] = rng.lognormal(np.log(CALL_S[0]), CALL_S[1], n)
    lengths_s[:, 1] = rng.exponential(WRAP_UP_S, n)
    lengths_s[:, 2] = rng.exponential(READY_S, n)
    ends_s = np.cumsum(lengths_s) - rng.uniform(0, CALL_S[0])
    at = np.searchsorted(ends_s, WINDOW_S * np.arange(1, windows + 1))
    state = np.array([ON_CALL, WRAP_UP, READY], dtype=np.int8)[at % 3]
    return state, rng.standard_normal(n + 1, dtype=np.float32)[at // 3]


def _breaks(rng: Random, context: NDArray[np.int8], walking: Mask, meal: Singles) -> None:
    """Put the breaks of every agent in; they come back on foot."""
    n, windows = context.shape
    t_s = WINDOW_S * np.arange(1, windows + 1)
    for number, length_s in enumerate(BREAKS_S, start=1):
        for agent, moved_s in enumerate(rng.uniform(-1200.0, 1200.0, (n,))):
            start_s = number * BREAK_EVERY_S + moved_s
            end_s = start_s + length_s
            if end_s + BREAK_EVERY_S / 4 > t_s[-1]:
                continue
            context[agent, (t_s > start_s) & (t_s <= end_s)] = BREAK
            walking[agent, (t_s > end_s - 120.0) & (t_s <= end_s)] = True
            if length_s == max(BREAKS_S):
                after = t_s > end_s
                meal[agent, after] = np.exp(-(t_s[after] - end_s) / 3600.0)


def put_in(
    rng: Random, first: int, n: int, scenario: Scenario, *, windows: int, start_s: float
) -> list[SimulatedEpisode]:
    """Return the episodes of one shift of agents `first` to ``first + n - 1``.

    Parameters
    ----------
    rng : Generator
    first, n : int
    scenario : Scenario
    windows : int
    start_s : float
        When the shift begins. [s]
    """
    shift_s = windows * WINDOW_S
    found = []
    for agent in range(first, first + n):
        taken: list[tuple[float, float]] = []
        for _ in range(rng.poisson(scenario.episodes_per_shift * shift_s / 28_800.0)):
            rise_s, fall_s = rng.uniform(*scenario.ramp_s, 2)
            lasts_s = rise_s + rng.uniform(*scenario.hold_s) + fall_s
            latest_s = shift_s - lasts_s
            begin_s = scenario.first_s + rng.uniform() * (latest_s - scenario.first_s)
            groups = _reacting(rng, scenario)
            clear = all(begin_s > b + APART_S or begin_s + lasts_s < a - APART_S for a, b in taken)
            if latest_s <= scenario.first_s or not clear:
                continue  # it does not fit: the mean number is that of what was tried
            taken.append((begin_s, begin_s + lasts_s))
            begin_s += start_s
            found.append(
                SimulatedEpisode(
                    agent=agent,
                    start_s=begin_s,
                    full_s=begin_s + rise_s,
                    release_s=begin_s + lasts_s - fall_s,
                    end_s=begin_s + lasts_s,
                    strength=scenario.strength,
                    groups=groups,
                )
            )
    return found


def put_in_common(rng: Random, first: int, n: int, scenario: Scenario) -> list[SimulatedEpisode]:
    """Return what the common causes do to agents `first` to ``first + n - 1``."""
    found = []
    for cause in scenario.common:
        for agent in range(first, first + n):
            touched, groups = rng.uniform() < cause.share, _reacting(rng, scenario)
            delay_s = rng.exponential(60.0)  # not everybody notices at once
            if touched:
                start_s = cause.start_s + delay_s
                full_s = start_s + cause.ramp_s
                found.append(
                    SimulatedEpisode(
                        agent=agent,
                        start_s=start_s,
                        full_s=full_s,
                        release_s=full_s + cause.hold_s,
                        end_s=full_s + cause.hold_s + cause.ramp_s,
                        strength=cause.strength,
                        groups=groups,
                        common=True,
                    )
                )
    return found


def _reacting(rng: Random, scenario: Scenario) -> frozenset[Group]:
    draws = rng.uniform(size=len(GROUPS)) < scenario.react
    return frozenset(group for group, reacts in zip(GROUPS, draws, strict=True) if reacts)
