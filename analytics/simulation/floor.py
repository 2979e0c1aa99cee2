"""A whole simulated floor as arrays of features, made block by block of agents."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

import numpy as np
from numpy.typing import NDArray

from analytics.signals.features import FEATURE_INDEX, FEATURES
from analytics.signals.windows import FeatureBatch
from analytics.simulation.person import People, draw_people, signals
from analytics.simulation.processes import Floats, Mask, Singles
from analytics.simulation.scenario import GROUPS, Group, Scenario
from analytics.simulation.wearing import Worn, wear
from analytics.simulation.workday import SimulatedEpisode, put_in, put_in_common, workday
from sensors.errors import ConfigurationError
from sensors.messages import WINDOW_S

__all__ = ["SimulatedEpisode", "SimulatedFloor", "simulate"]

BLOCK = 16
"""Agents made at a time; always drawn in full, so more agents change no earlier one."""

DAY_S = 86_400.0

_BEGIN_S = datetime(2026, 1, 5, 8, tzinfo=UTC).timestamp()  # any fixed moment


@dataclass(slots=True)
class SimulatedFloor:
    """Features of a whole floor, and what was put in.

    Parameters
    ----------
    scenario : Scenario
    t_s : ndarray of float64, shape (n_windows,)
        Window ends from the start; the night between two days is left out. [s]
    values : ndarray of float32, shape (n_agents, n_windows, d)
        In the order and units of :data:`~analytics.signals.features.FEATURES`; NaN is
        unknown. Laid out so that one moment of all agents lies together.
    quality : ndarray of float32, shape (n_agents, n_windows, d)
        0 to 1; 0 where the value is unknown.
    moving : ndarray of bool, shape (n_agents, n_windows)
        Only agents who wear a module can say so.
    context : ndarray of int8, shape (n_agents, n_windows)
        Index into :data:`~analytics.signals.windows.CONTEXTS`.
    episodes : list of SimulatedEpisode
        By agent, then by time.
    """

    scenario: Scenario
    t_s: Floats
    values: Singles
    quality: Singles
    moving: Mask
    context: NDArray[np.int8]
    episodes: list[SimulatedEpisode]

    @property
    def n_agents(self) -> int:
        """Number of agents."""
        return len(self.values)

    @property
    def lengths(self) -> NDArray[np.intp]:
        """Number of windows of each agent: the same for all."""
        return np.full(self.n_agents, len(self.t_s), np.intp)

    @property
    def agent_hours(self) -> float:
        """Time of all agents together, in hours."""
        return self.n_agents * len(self.t_s) * WINDOW_S / 3600.0

    def moment(self, window: int) -> FeatureBatch:
        """Return one window of every agent, without copying its values."""
        n = self.n_agents
        return FeatureBatch(
            at_s=np.full(n, _BEGIN_S + self.t_s[window]),
            # One window is worked on in single precision anyway.
            values=cast("Floats", self.values[:, window]),
            quality=cast("Floats", self.quality[:, window]),
            moving=self.moving[:, window],
            context=self.context[:, window],
        )

    def of(self, agent: int) -> list[SimulatedEpisode]:
        """Return the episodes of one agent, by time."""
        return [one for one in self.episodes if one.agent == agent]

    def measured(self, episode: SimulatedEpisode) -> bool:
        """Return whether some group that reacts was known for half of the episode.

        False of one between two windows.
        """
        during = (self.t_s > episode.start_s) & (self.t_s <= episode.end_s)
        if not during.any():
            return False
        known = np.isfinite(self.values[episode.agent][during])
        return any(known[:, _COLUMNS[group]].any(axis=1).mean() >= 0.5 for group in episode.groups)


def simulate(
    n_agents: int,
    hours: float,
    seed: int,
    scenario: Scenario | None = None,
    *,
    first: int = 0,
) -> SimulatedFloor:
    """Return a simulated floor; the same arguments always give the same one.

    Takes about 1.5 s and 80 MB for a hundred agents over 8 h.

    Parameters
    ----------
    n_agents : int
    hours : float
        Length of one shift; every day of the scenario has one. [h]
    seed : int
        The noise of a seed is the same in every scenario of as many hours.
    scenario : Scenario, optional
        Left out, the hard case.
    first : int
        Leave out so many agents before: a big floor can be made in parts.

    Raises
    ------
    ConfigurationError
        If there is not one agent, one window, or the seed is below 0.
    """
    windows = round(hours * 3600.0 / WINDOW_S)
    _check(agents=(n_agents, 1), windows=(windows, 1), seed=(seed, 0), first=(first, 0))
    scenario = scenario or Scenario()
    floor = _empty(n_agents, windows, scenario)
    for number in range(first // BLOCK, -(-(first + n_agents) // BLOCK)):
        people = draw_people(_random(seed, number, _PEOPLE), BLOCK, scenario)
        place = number * BLOCK - first
        put = put_in_common(_random(seed, number, _CAUSES), place, BLOCK, scenario)
        for day in range(scenario.days):
            random = _random(seed, number, _EPISODES, day)
            put += put_in(random, place, BLOCK, scenario, windows=windows, start_s=day * DAY_S)
            _fill(floor, seed, day, _Block(number, place, people, put))
        floor.episodes += [one for one in put if 0 <= one.agent < n_agents]
    floor.episodes.sort(key=lambda one: (one.agent, one.start_s))
    return floor


def _check(**least: tuple[int, int]) -> None:
    for name, (value, at_least) in least.items():
        if value < at_least:
            raise ConfigurationError(
                f"{name} of a simulated floor is {value}; expected >= {at_least}"
            )


def _empty(n_agents: int, windows: int, scenario: Scenario) -> SimulatedFloor:
    """Return a floor of which nothing is known yet."""
    shift_s = WINDOW_S * np.arange(1, windows + 1)
    shape = (scenario.days * windows, len(FEATURES), n_agents)
    return SimulatedFloor(
        scenario=scenario,
        t_s=np.concatenate([day * DAY_S + shift_s for day in range(scenario.days)]),
        values=np.full(shape, np.nan, np.float32).transpose(2, 0, 1),
        quality=np.zeros(shape, np.float32).transpose(2, 0, 1),
        moving=np.zeros((shape[0], n_agents), bool).T,
        context=np.zeros((shape[0], n_agents), np.int8).T,
        episodes=[],
    )


_PEOPLE, _WORK, _EPISODES, _SIGNALS, _WORN, _CAUSES = range(6)


def _random(seed: int, block: int, stream: int, day: int = 0) -> np.random.Generator:
    """Return a source of its own for each part, so that one choice moves nothing else."""
    return np.random.default_rng([seed, block, stream, day])


@dataclass(frozen=True, slots=True)
class _Block:
    """Agents made together; `place` is the row of the first, which may lie before the floor."""

    number: int
    place: int
    people: People
    put: list[SimulatedEpisode]


def _fill(floor: SimulatedFloor, seed: int, day: int, block: _Block) -> None:
    """Make one shift of one block of agents."""
    number, people = block.number, block.people
    windows = len(floor.t_s) // floor.scenario.days
    during = slice(day * windows, (day + 1) * windows)
    who = slice(max(block.place, 0), min(block.place + BLOCK, floor.n_agents))
    of = slice(who.start - block.place, who.stop - block.place)
    strain = _strain(block.put, block.place, floor.t_s[during])
    work = workday(_random(seed, number, _WORK, day), BLOCK, windows)
    worn = wear(_random(seed, number, _WORN, day), people, work, floor.scenario)
    drawn = signals(_random(seed, number, _SIGNALS, day), people, work, strain, day)
    floor.moving[who, during] = worn.moving[of]
    floor.context[who, during] = work.context[of]
    for name, value in drawn.items():
        column = FEATURE_INDEX.get(name)
        if column is not None:
            known, quality, disturbed = _of(worn, name)
            seen = np.where(known, value + disturbed, np.nan)
            floor.values[who, during, column] = seen[of]
            floor.quality[who, during, column] = np.where(known, quality, 0.0)[of]


def _strain(episodes: list[SimulatedEpisode], place: int, t_s: Floats) -> dict[Group, Singles]:
    """Return the intensity in every group, each of shape (BLOCK, windows)."""
    found = {group: np.zeros((BLOCK, len(t_s)), np.float32) for group in GROUPS}
    for one in episodes:
        if one.start_s <= t_s[-1] and one.end_s >= t_s[0]:
            level = one.level(t_s).astype(np.float32)
            for group in one.groups:
                found[group][one.agent - place] += level
    return found


def _of(worn: Worn, name: str) -> tuple[Mask, Singles, Singles | float]:
    """Return when the feature `name` is known, how well, and what disturbs it."""
    channel = CHANNEL_OF[name]
    amount = ARTEFACT.get(name, 0.0)
    return (
        worn.known[name] if name in worn.known else worn.known[channel],
        worn.quality[channel],
        amount * worn.artefact[channel] if amount else 0.0,
    )


ARTEFACT = {"heart_rate_bpm": 8.0, "device_rate_bpm": 8.0, "log_rmssd": 0.5, "log_sdnn": 0.4,
            "log_eda": 0.25}  # fmt: skip
"""Spread of what a bad contact adds while it lasts. [unit of the feature] (assumption)"""

CHANNEL_OF: dict[str, str] = {
    feature.name: {"skin": "modules", "typing": "keyboard"}.get(feature.part, feature.part)
    for feature in FEATURES
}
"""Which channel carries each feature; movement and silence come by channel."""

_GROUP_OF = {"heart": Group.HEART, "modules": Group.SKIN, "keyboard": Group.DESK,
             "pointer": Group.DESK, "voice": Group.VOICE}  # fmt: skip
_COLUMNS = {
    group: [i for i, f in enumerate(FEATURES) if _GROUP_OF[CHANNEL_OF[f.name]] is group]
    for group in GROUPS
}
