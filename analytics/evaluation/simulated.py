"""How well the alerts do on a simulated floor: what they find, when, and whom they disturb."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from analytics.evaluation.evaluate import SCORED_FROM_S, TAIL_S, auc
from analytics.evaluation.run import Progress, run
from analytics.evaluation.told import Supervised, Told
from analytics.scoring.detector import ScoreBatch
from analytics.scoring.episodes import EpisodeBatch
from analytics.simulation import Scenario, SimulatedFloor, simulate
from analytics.simulation.workday import BREAK
from sensors.messages import WINDOW_S

Floats = NDArray[np.float64]
Batch = TypeVar("Batch", ScoreBatch, EpisodeBatch)

SHIFT_H = 8.0
"""An agent-shift. [h]"""

PART_HOURS = 2048.0
"""About so many hours of agents are made and scored at a time: 0.5 GB. [h]

A step costs its calls however many agents it scores: of 2,048 each costs a
third of what each of 256 does, so a short stretch is taken of more of them.
"""

HALF = 0.5
"""A moment counts as strained from half of the full intensity on, for the AUC."""


@dataclass(slots=True)
class FloorTally:
    """Alerts at one threshold against what was put in.

    Parameters
    ----------
    episodes, found, before_full : int
        Personal episodes; those in which an alert began between the start and
        60 s after the end; of these, those at or before full intensity.
    reachable, found_reachable : int
        The same of episodes that show in a channel that was measured.
    false_alerts : int
        Began outside every episode and its tail.
    in_common : int
        Began during a common cause: neither found nor false.
    calm_hours : float
        Agent-hours after the first five minutes, outside episodes and tails.
    delays_s : list of float
        From the start of each found episode to its first alert. [s]
    lengths_s : list of float
        Of every personal episode. [s]
    """

    episodes: int = 0
    found: int = 0
    before_full: int = 0
    reachable: int = 0
    found_reachable: int = 0
    false_alerts: int = 0
    in_common: int = 0
    calm_hours: float = 0.0
    delays_s: list[float] = field(default_factory=list)
    lengths_s: list[float] = field(default_factory=list)

    @property
    def false_per_shift(self) -> float:
        """False alerts in 8 h of one agent; NaN without calm time."""
        return SHIFT_H * self.false_alerts / self.calm_hours if self.calm_hours else float("nan")

    def add(self, other: FloorTally) -> None:
        """Take in the tally of other agents."""
        for part in fields(self):
            setattr(self, part.name, getattr(self, part.name) + getattr(other, part.name))


def tally(floor: SimulatedFloor, agent: int, alerts_s: Floats) -> FloorTally:
    """Return what one agent's alerts found and disturbed.

    Parameters
    ----------
    floor : SimulatedFloor
    agent : int
    alerts_s : ndarray of float64
        When alerts began. [s]
    """
    found = FloorTally()
    calm = floor.t_s >= SCORED_FROM_S
    free = alerts_s[alerts_s >= SCORED_FROM_S]
    for one in floor.of(agent):
        end_s = one.end_s + TAIL_S
        calm &= ~((floor.t_s > one.start_s) & (floor.t_s <= end_s))
        hits = alerts_s[(alerts_s > one.start_s) & (alerts_s <= end_s)]
        free = free[(free <= one.start_s) | (free > end_s)]
        if one.common:
            found.in_common += len(hits)
            continue
        reachable = floor.measured(one)
        found.episodes += 1
        found.lengths_s.append(one.end_s - one.start_s)
        found.reachable += reachable
        if len(hits):
            found.found += 1
            found.found_reachable += reachable
            found.before_full += bool(hits[0] <= one.full_s)
            found.delays_s.append(float(hits[0] - one.start_s))
    found.false_alerts = len(free)
    found.calm_hours = float(calm.sum()) * WINDOW_S / 3600.0
    return found


@dataclass(slots=True)
class JudgedAgent:
    """One agent at production's threshold.

    Parameters
    ----------
    number : int
    alerts_s : list of float
        When alerts began. [s]
    tally : FloorTally
    auc : float
        Of the score, strained from half of the full intensity on; NaN if the
        agent had no episode.
    coverage : float
        Share of the working time after the first five minutes that has a score.
    """

    number: int
    alerts_s: list[float]
    tally: FloorTally
    auc: float
    coverage: float


@dataclass(slots=True)
class JudgedFloor:
    """A whole floor, put together from its parts.

    Parameters
    ----------
    thresholds : tuple of float
        Production's first.
    tallies : list of FloorTally
        One per threshold.
    agents : list of JudgedAgent
    told : Told
    """

    thresholds: tuple[float, ...]
    tallies: list[FloorTally]
    agents: list[JudgedAgent]
    told: Told


def judge_floor(
    floor: SimulatedFloor,
    thresholds: Sequence[float],
    team_size: int,
    progress: Progress | None = None,
    *,
    first: int = 0,
) -> JudgedFloor:
    """Run detector, episodes and, at the first threshold, the alert book over `floor`.

    Parameters
    ----------
    floor : SimulatedFloor
    thresholds : sequence of float
        The first is production's, at which supervisors are told.
    team_size : int
    progress : callable, optional
        Told the share that is done.
    first : int
        Number of the floor's first agent, a multiple of `team_size`.
    """
    n, copies = floor.n_agents, len(thresholds)
    at = datetime.fromtimestamp(float(floor.moment(0).at_s[0]), UTC)
    supervised = Supervised(n, team_size, at, first_team=first // team_size)
    score = np.full((n, len(floor.t_s)), np.nan, np.float32)
    began: list[list[list[float]]] = [[[] for _ in range(n)] for _ in thresholds]
    for one in run(floor, thresholds, progress):
        for entry in np.flatnonzero(one.episodes.began).tolist():
            began[entry % copies][entry // copies].append(float(floor.t_s[one.window]))
        score[:, one.window] = one.scores.score[::copies]
        scores, episodes = _every(one.scores, copies), _every(one.episodes, copies)
        supervised.step(one.batch, scores, episodes)
    tallies = [FloorTally() for _ in thresholds]
    agents = []
    for k, per_agent in enumerate(began):
        for number, alerts_s in enumerate(per_agent):
            found = tally(floor, number, np.array(alerts_s))
            tallies[k].add(found)
            if k == 0:
                agents.append(_judged(floor, number, alerts_s, found, score[number], first))
    return JudgedFloor(tuple(thresholds), tallies, agents, supervised.told)


def _judged(  # noqa: PLR0917 - one agent's share of everything
    floor: SimulatedFloor,
    number: int,
    alerts_s: list[float],
    found: FloorTally,
    score: NDArray[np.float32],
    first: int,
) -> JudgedAgent:
    counted = (floor.t_s >= SCORED_FROM_S) & (floor.context[number] != BREAK)
    strained, calm = np.zeros(len(score), bool), counted.copy()
    for one in floor.of(number):
        level = one.level(floor.t_s)
        strained |= counted & (level > 0) & (level >= HALF * one.strength)
        calm &= (level <= 0) & ~_within(floor.t_s, one.end_s, one.end_s + TAIL_S)
    either = strained | calm
    known = np.isfinite(score[counted])
    return JudgedAgent(
        number=first + number,
        alerts_s=alerts_s,
        tally=found,
        auc=auc(np.nan_to_num(score[either]).astype(np.float64), strained[either]),
        coverage=float(known.mean()) if known.size else float("nan"),
    )


def _within(x_s: Floats, low_s: float, high_s: float) -> NDArray[np.bool_]:
    return np.asarray((x_s > low_s) & (x_s <= high_s))


def _every(batch: Batch, copies: int) -> Batch:
    """Return each `copies`-th entry: those of the first threshold."""
    return replace(batch, **{f.name: getattr(batch, f.name)[::copies] for f in fields(batch)})


def parts(
    n_agents: int, hours: float, seed: int, scenario: Scenario, team_size: int
) -> Iterator[tuple[int, SimulatedFloor]]:
    """Yield a floor in parts of whole teams, with the number of each part's first agent."""
    n_at_a_time = int(PART_HOURS / (hours * scenario.days))
    step = max(team_size, n_at_a_time // team_size * team_size)
    for first in range(0, n_agents, step):
        n = min(step, n_agents - first)
        yield first, simulate(n, hours, seed, scenario, first=first)


def judge_simulated(
    n_agents: int,
    hours: float,
    seed: int,
    scenario: Scenario,
    *,
    thresholds: Sequence[float],
    team_size: int,
    progress: Progress | None = None,
) -> JudgedFloor:
    """Return :func:`judge_floor` of a simulated floor of any size, made in parts."""
    whole = JudgedFloor(tuple(thresholds), [FloorTally() for _ in thresholds], [], Told())
    for first, floor in parts(n_agents, hours, seed, scenario, team_size):
        inner = None if progress is None else _shifted(progress, first, floor.n_agents, n_agents)
        found = judge_floor(floor, thresholds, team_size, inner, first=first)
        for mine, theirs in zip(whole.tallies, found.tallies, strict=True):
            mine.add(theirs)
        whole.agents += found.agents
        whole.told.add(found.told)
    return whole


def _shifted(progress: Progress, first: int, n: int, total: int) -> Progress:
    return lambda share: progress((first + share * n) / total)
