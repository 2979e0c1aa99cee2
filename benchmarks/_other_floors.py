"""Floors that are not our simulation's: what anybody would write from one sentence.

Effects of 60 %, each group of channels reacting with probability 0.6, ramps of
5 to 15 minutes, movement, drift, missing channels. Everything is in spreads of
the person. Of `analytics.simulation` only the container, the groups and the
shape of an episode are used; but how often and how long people are strained and
channels are missing is as there, every channel of a group that reacts shows as
much as the heart, and the spreads stand to one another as the least spreads of
the detector's second version did.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from analytics.signals.features import FEATURE_INDEX, FEATURES
from analytics.simulation import Scenario, SimulatedEpisode, SimulatedFloor
from analytics.simulation.scenario import GROUPS, Group
from sensors.messages import WINDOW_S

Floats = NDArray[np.float64]
Random = np.random.Generator

SIGNALS: dict[str, tuple[Group, float, float]] = {
    "heart_rate_bpm": (Group.HEART, 75.0, 4.4),
    "log_eda": (Group.SKIN, 1.4, 0.22),
    "dwell_ms": (Group.DESK, 100.0, 8.8),
    "correction_ratio": (Group.DESK, 0.1, 0.033),
    "pointer_speed_px_s": (Group.DESK, 550.0, 88.0),
    "f0_st": (Group.VOICE, 8.0, 0.66),
    "loudness_db": (Group.VOICE, -30.0, 2.2),
    "speech_rate_hz": (Group.VOICE, 4.2, 0.44),
}
"""Group, level and usual spread of what is measured. [unit of the feature]"""

WALKING = {Group.HEART: 2.5, Group.SKIN: 1.2}
"""What walking adds. [spreads]"""

STRENGTH, REACT, MISSING = 0.6, 0.6, 0.15
EFFECT = (2.0, 3.0)
"""A full response, of which an episode here shows `STRENGTH`. [spreads]"""

COMMON, COMMON_FORGETS_S = 0.4, 300.0
"""Where channels stray together: any two of a person's then correlate by about the square. [1], [s]"""


@dataclass(frozen=True)
class Kind:
    """One way such a floor could be.

    Parameters
    ----------
    words : str
        What is special about it.
    forgets_s : float
        Time constant of the noise that has a memory; half of it has none. [s]
    drift : float
        Spread of what comes and goes within `drifts_s`. [spreads]
    drifts_s : float
    unit : float
        Factor on everybody's spreads in every feature.
    reacting : tuple of Group
        Groups that can react at all.
    walking_told : float
        Share of people whose walking a module tells.
    together : float
        How much of the noise all channels have in common, towards strain in each or away
        from it in each, with a memory of five minutes. [share of the spread]
    """

    words: str
    forgets_s: float = 60.0
    drift: float = 0.5
    drifts_s: float = 7200.0
    unit: float = 1.0
    reacting: tuple[Group, ...] = tuple(GROUPS)
    walking_told: float = 1.0
    together: float = 0.0


KINDS: dict[str, Kind] = {
    "quick": Kind("noise without a memory", forgets_s=0.0),
    "minute": Kind("noise that remembers a minute"),
    "slow": Kind("noise that remembers five minutes, drift as large", 300.0, 1.0, 3600.0),
    "steady": Kind("people half as restless", unit=0.5),
    "body": Kind("hands and voice never react", reacting=(Group.HEART, Group.SKIN)),
}

_MINUTE = KINDS["minute"]
CALM_KINDS: dict[str, Kind] = {
    **{name: KINDS[name] for name in ("quick", "slow", "steady", "minute")},
    "untold": replace(_MINUTE, words="the same, and nobody's walking is known", walking_told=0.0),
    "together": replace(
        _MINUTE, words="the same, and all channels of a person stray together", together=COMMON
    ),
    "both": replace(
        _MINUTE, words="the same, and both of these", walking_told=0.0, together=COMMON
    ),
}
"""Floors on which nothing is the matter: how well what was promised is kept elsewhere."""


def make(
    kind: Kind, n: int, seed: int, hours: float = 8.0, *, strained: bool = True
) -> SimulatedFloor:
    """Return a floor of `n` agents; the same arguments always give the same one.

    Without anybody `strained`, nothing is the matter all day.
    """
    rng = np.random.default_rng([seed, 77])
    t_s = WINDOW_S * np.arange(1, round(hours * 3600.0 / WINDOW_S) + 1)
    episodes = [one for agent in range(n) for one in _episodes(rng, agent, t_s[-1], kind)]
    walking = _spans(rng, n, t_s, 2.0, lambda: rng.uniform(60.0, 240.0))
    moving = walking | (_lagged(walking) > np.exp(-1.0))
    common = np.zeros((1, 1))
    # Drawn only where it is needed: the other floors stay what they were.
    if kind.walking_told < 1:
        moving &= rng.uniform(size=(n, 1)) < kind.walking_told
    if kind.together:
        common = kind.together * _noise(rng, walking.shape, COMMON_FORGETS_S)
    shape = (len(t_s), len(FEATURES), n)
    floor = SimulatedFloor(
        scenario=Scenario(strength=STRENGTH, react=REACT),
        t_s=t_s,
        values=np.full(shape, np.nan, np.float32).transpose(2, 0, 1),
        quality=np.zeros(shape, np.float32).transpose(2, 0, 1),
        moving=moving,
        context=np.zeros((len(t_s), n), np.int8).T,
        episodes=episodes if strained else [],
    )
    for group in GROUPS:
        _fill(rng, floor, group, walking, common, kind)
    return floor


def _fill(  # noqa: PLR0917 - what is filled in, and then of what
    rng: Random,
    floor: SimulatedFloor,
    group: Group,
    walking: NDArray[np.bool_],
    common: Floats,
    kind: Kind,
) -> None:
    """Make the features of one group of channels."""
    n, t_s = floor.n_agents, floor.t_s
    own = np.sqrt(1.0 - kind.together**2)
    known = (rng.uniform(size=(n, 1)) >= MISSING) & ~_spans(
        rng, n, t_s, MISSING, lambda: rng.exponential(360.0)
    )
    strain = np.zeros((n, len(t_s)))
    for one in floor.episodes:
        if group in one.groups:
            strain[one.agent] += one.level(t_s) * rng.uniform(*EFFECT)
    for name, (_, level, spread) in SIGNALS.items():
        if SIGNALS[name][0] is not group:
            continue
        column = FEATURE_INDEX[name]
        noise = 0.7 * _noise(rng, strain.shape, kind.forgets_s) + 0.7 * _noise(rng, strain.shape, 0)
        drift = kind.drift * _noise(rng, strain.shape, kind.drifts_s)
        noise = own * noise + FEATURES[column].sign * common
        moved = FEATURES[column].sign * strain + WALKING.get(group, 0.0) * _lagged(walking)
        unit = kind.unit * spread * rng.lognormal(0.0, 0.3, (n, 1))
        value = level + unit * (noise + drift + moved + 1.5 * rng.standard_normal((n, 1)))
        floor.values[:, :, column] = np.where(known, value, np.nan)
        floor.quality[:, :, column] = np.where(known, 0.95, 0.0)


def _noise(rng: Random, shape: tuple[int, int], forgets_s: float) -> Floats:
    """Return noise of unit spread that forgets itself within `forgets_s`."""
    white = rng.standard_normal(shape)
    if forgets_s <= 0:
        return white
    keep = float(np.exp(-WINDOW_S / forgets_s))
    white[:, 1:] *= np.sqrt(1 - keep**2)
    return np.asarray(lfilter([1.0], [1.0, -keep], white, axis=1))


def _lagged(walking: NDArray[np.bool_]) -> Floats:
    keep = float(np.exp(-WINDOW_S / 45.0))
    return np.asarray(lfilter([1 - keep], [1.0, -keep], walking.astype(np.float64), axis=1))


def _spans(
    rng: Random, n: int, t_s: Floats, per_hour: float, length_s: Callable[[], float]
) -> NDArray[np.bool_]:
    """Return when something lasts that begins `per_hour` times an hour."""
    found = np.zeros((n, len(t_s)), bool)
    for row in range(n):
        for _ in range(rng.poisson(per_hour * t_s[-1] / 3600.0)):
            start_s = rng.uniform(0.0, t_s[-1])
            found[row] |= (t_s > start_s) & (t_s <= start_s + length_s())
    return found


def _episodes(rng: Random, agent: int, shift_s: float, kind: Kind) -> Iterator[SimulatedEpisode]:
    """Yield one agent's episodes: one per shift at most in the mean, half an hour apart."""
    free_s = 3600.0
    for start_s in np.sort(rng.uniform(3600.0, shift_s, rng.poisson(shift_s / 28_800.0))):
        rise_s, fall_s = rng.uniform(300.0, 900.0, 2)
        release_s = start_s + rise_s + rng.uniform(600.0, 1800.0)
        reacts = [group for group in kind.reacting if rng.uniform() < REACT]
        if start_s >= free_s and release_s + fall_s <= shift_s:
            free_s = release_s + fall_s + 1800.0
            yield SimulatedEpisode(
                agent=agent,
                start_s=float(start_s),
                full_s=float(start_s + rise_s),
                release_s=float(release_s),
                end_s=float(release_s + fall_s),
                strength=STRENGTH,
                groups=frozenset(reacts),
            )
