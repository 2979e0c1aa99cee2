"""Simulated people, and the signals of one shift of theirs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.simulation.processes import Mask, Random, Singles, drift, lag
from analytics.simulation.scenario import Group, Scenario
from analytics.simulation.traits import (
    DEVICE_NOISE_BPM,
    DEVICE_SMOOTH_S,
    DRIFT_S,
    HEART,
    SETTLING,
    SLOWED,
    SLOWED_S,
    TRAITS,
    Trait,
)
from analytics.simulation.workday import ON_CALL, Workday
from sensors.messages import WINDOW_S

REACTIVITY = (0.8, 1.25)
"""A person's factor on every response to strain, as in the signal-level simulation."""

RESTLESSNESS = 0.25
"""Spread over people of the logarithm of a factor on all drifts (assumption)."""

_SWING_S = 57_600.0
"""Period of the swing over the day: a working day sees half of it. [s]"""


@dataclass(slots=True)
class People:
    """A block of n simulated agents.

    Parameters
    ----------
    level : dict
        Their own level of each feature, shape (n, 1).
    swing : dict
        Size of its swing over the day, shape (n, 1).
    phase : ndarray
        Of that swing, shape (n, 1).
    reactivity, restlessness : ndarray, shape (n, 1)
    offset : ndarray of bool, shape (n, 1)
        Those whom a day-long offset befalls from the second day on.
    has : dict of ndarray of bool, shape (n,)
        Channels they wear; ``beats`` if the device delivers RR intervals,
        ``movement`` if something tells that the body moves.
    """

    level: dict[str, Singles]
    swing: dict[str, Singles]
    phase: Singles
    reactivity: Singles
    restlessness: Singles
    offset: Mask
    has: dict[str, Mask]


def draw_people(rng: Random, n: int, scenario: Scenario) -> People:
    """Return `n` people."""
    traits = (HEART, *TRAITS)
    level = {t.name: _single(rng.normal(*t.level, (n, 1))) for t in traits}
    swing = {t.name: _single(rng.normal(0.0, t.clock, (n, 1))) for t in traits}
    desk = rng.uniform(size=n) < scenario.has_desk
    has = {
        "heart": rng.uniform(size=n) < scenario.has_heart,
        "beats": rng.uniform(size=n) < scenario.has_beats,
        "modules": rng.uniform(size=n) < scenario.has_skin,
        "keyboard": desk,
        "pointer": desk,
        "voice": rng.uniform(size=n) < scenario.has_voice,
    }
    phase = _single(rng.uniform(0.0, 2 * np.pi, (n, 1)))
    reactivity = _single(rng.uniform(*REACTIVITY, (n, 1)))
    restless = scenario.restlessness * rng.lognormal(0.0, RESTLESSNESS, (n, 1))
    offset = rng.uniform(size=(n, 1)) < scenario.day_offset
    has["movement"] = has["modules"] | (rng.uniform(size=n) < scenario.movement_known)
    return People(
        level=level,
        swing=swing,
        phase=phase,
        reactivity=reactivity,
        restlessness=_single(restless),
        offset=offset,
        has=has,
    )


def signals(
    rng: Random, people: People, work: Workday, strain: dict[Group, Singles], day: int
) -> dict[str, Singles]:
    """Return every feature of one shift, as a sensor without gaps would give it.

    Parameters
    ----------
    rng : Generator
    people : People
    work : Workday
    strain : dict
        Intensity in each group, shape (n, windows).
    day : int
        0 is the first.

    Returns
    -------
    dict of ndarray of float32, shape (n, windows)
        By name of feature.
    """
    maker = _Maker(rng, people, work, strain, day)
    rate = maker.make(HEART)
    made = {HEART.name: rate, **{trait.name: maker.make(trait) for trait in TRAITS}}
    steady = _slowed(rate, DEVICE_SMOOTH_S)
    noise = DEVICE_NOISE_BPM * drift(rng, rate.shape, DRIFT_S[-1])
    made["device_rate_bpm"] = _single(np.round(steady + noise))
    t_s = WINDOW_S * np.arange(1, rate.shape[1] + 1, dtype=np.float32)
    made["log_eda"] += np.float32(SETTLING[0]) * np.exp(-t_s / np.float32(SETTLING[1]))
    for slow, quick in SLOWED.items():
        made[slow] = _slowed(made[quick], SLOWED_S)
    warmer = np.diff(made["skin_temp_c"], axis=1, prepend=made["skin_temp_c"][:, :1])
    made["skin_temp_slope_c_min"] = lag(warmer * np.float32(60.0 / WINDOW_S), SLOWED_S)
    return made


def _slowed(x: Singles, tau_s: float) -> Singles:
    """Return `x` through a first-order lag that begins at its first value."""
    return x[:, :1] + lag(x - x[:, :1], tau_s)


class _Maker:
    """The parts that several features of one shift share, made once."""

    def __init__(
        self,
        rng: Random,
        people: People,
        work: Workday,
        strain: dict[Group, Singles],
        day: int,
    ) -> None:
        self._rng, self._people, self._work, self._day = rng, people, work, day
        self._strain = {group: level * people.reactivity for group, level in strain.items()}
        self._shape = work.context.shape
        self._arousal = [self._drift(tau_s) for tau_s in DRIFT_S]
        self._walking: dict[float, Singles] = {}
        t_s = WINDOW_S * np.arange(1, self._shape[1] + 1, dtype=np.float32)
        self._swing = np.sin(np.float32(2 * np.pi / _SWING_S) * t_s + people.phase)
        self._speaking = lag(np.asarray(work.context == ON_CALL, np.float32), 20.0)
        self._tone = lag(work.tone, 20.0)
        self._startle = lag(work.startle, 30.0)

    def _drift(self, tau_s: float) -> Singles:
        return drift(self._rng, self._shape, tau_s, heavy=tau_s == DRIFT_S[-1])

    def make(self, trait: Trait) -> Singles:
        """Return one feature."""
        people, n = self._people, self._shape[0]
        x = np.zeros(self._shape, np.float32)
        own = np.float32(np.sqrt(1 - trait.shared**2))
        for size, tau_s, arousal in zip(trait.drift, DRIFT_S, self._arousal, strict=True):
            x += np.float32(size) * (own * self._drift(tau_s) + np.float32(trait.shared) * arousal)
        x *= people.restlessness
        x += people.level[trait.name]
        x += _single(self._rng.normal(0.0, trait.day, (n, 1)) * (self._day > 0))
        x += people.swing[trait.name] * self._swing
        if self._day > 0:
            x += np.float32(trait.offset) * people.offset
        for size, what in (
            (trait.speaking, self._speaking),
            (trait.tone, self._tone),
            (trait.startle, self._startle),
            (trait.meal, self._work.meal),
        ):
            if size:
                x += np.float32(size) * what
        if trait.walking:
            x += np.float32(trait.walking) * self._walked(trait.recover_s)
        strain = self._strain[trait.group]
        if trait.effect and strain.any():
            x += np.float32(trait.effect) * lag(strain, trait.lag_s)
        return np.maximum(x, np.float32(trait.low), out=x)

    def _walked(self, recover_s: float) -> Singles:
        if recover_s not in self._walking:
            walking = self._work.walking.astype(np.float32)
            self._walking[recover_s] = lag(walking, recover_s)
        return self._walking[recover_s]


def _single(x: object) -> Singles:
    return np.asarray(x, dtype=np.float32)
