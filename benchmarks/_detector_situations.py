"""What becomes of the detector where things are not as usual, on the simulated floor.

Each situation is the hard case of the simulated floor with one thing changed
and everything else the same, down to the noise. The sizes of the changes are
assumptions: they show where the detector bends, not how often on a real floor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.evaluation.evaluate import bootstrap_ratio_ci, chance
from analytics.evaluation.run import run
from analytics.evaluation.simulated import SHIFT_H, FloorTally, tally
from analytics.scoring.episodes import threshold_for
from analytics.signals.features import FEATURE_INDEX, FEATURES, Part
from analytics.simulation import SCENARIOS, CommonCause, Scenario, SimulatedFloor, simulate
from sensors.messages import WINDOW_S

Floats = NDArray[np.float64]
Edit = Callable[[SimulatedFloor, int], None]

TEAM = 20
HOURS = 8.0
HARD = SCENARIOS["hard"]
_RATES = ("heart_rate_bpm", "device_rate_bpm")


@dataclass(frozen=True)
class Situation:
    """One thing that is different.

    Parameters
    ----------
    words : str
        As the page says it.
    scenario : Scenario
    edit : callable, optional
        Changes the floor that was made, given its seed.
    team_size : int
        Whose threshold is applied.
    """

    words: str
    scenario: Scenario = HARD
    edit: Edit | None = None
    team_size: int = TEAM


def columns_of(*parts: Part) -> list[int]:
    """Return the columns of the features of `parts`."""
    return [i for i, feature in enumerate(FEATURES) if feature.part in parts]


def without(*parts: Part) -> Edit:
    """Return the edit that makes `parts` unknown."""
    columns = columns_of(*parts)

    def edit(floor: SimulatedFloor, _seed: int) -> None:
        floor.values[:, :, columns], floor.quality[:, :, columns] = np.nan, 0.0
        if Part.SKIN in parts:
            floor.moving[:] = False  # the same module says who moves

    return edit


def calm_in(*parts: Part) -> Edit:
    """Return the edit after which `parts` do not react to strain: they are a calm day's."""
    columns = columns_of(*parts)

    def edit(floor: SimulatedFloor, seed: int) -> None:
        calm = replace(floor.scenario, episodes_per_shift=0.0, common=())
        other = simulate(floor.n_agents, HOURS, seed, calm)
        floor.values[:, :, columns] = other.values[:, :, columns]

    return edit


def unknown_context(floor: SimulatedFloor, _seed: int) -> None:
    """Let nobody tell who is in a call."""
    floor.context[:] = 0


def raised(rate: float, skin: float, rise_s: float, lasts_s: float, fades_s: float) -> Edit:
    """Return the edit that raises heart rate and ln(conductance) once, at a time of its own."""

    def edit(floor: SimulatedFloor, seed: int) -> None:
        begins_s = np.random.default_rng([seed, 1]).uniform(3600.0, 5 * 3600.0, floor.n_agents)
        since = floor.t_s - begins_s[:, None]
        level = np.clip(since / rise_s, 0.0, 1.0)
        level *= np.exp(-np.maximum(since - rise_s - lasts_s, 0.0) / fades_s)
        for name, size in (*((name, rate) for name in _RATES), ("log_eda", skin)):
            floor.values[:, :, FEATURE_INDEX[name]] += (size * level).astype(np.float32)

    return edit


def stairs(floor: SimulatedFloor, seed: int) -> None:
    """Let everybody climb stairs once, and nobody wear a module that would tell."""
    without(Part.SKIN)(floor, seed)
    raised(30.0, 0.0, 60.0, 30.0, 90.0)(floor, seed)


def moved_electrode(floor: SimulatedFloor, seed: int) -> None:
    """Multiply or divide everybody's skin conductance by 1.6, twice a shift, at once."""
    rng = np.random.default_rng([seed, 2])
    for _ in range(2):
        at_s = rng.uniform(3600.0, floor.t_s[-1], floor.n_agents)
        size = np.log(1.6) * rng.choice((-1.0, 1.0), floor.n_agents)
        step = np.where(floor.t_s > at_s[:, None], size[:, None], 0.0)
        floor.values[:, :, FEATURE_INDEX["log_eda"]] += step.astype(np.float32)


def lasting(ramp_s: float) -> Scenario:
    """Return a shift that everybody begins rising into strain and ends in it."""
    whole_s = HOURS * 3600.0
    cause = CommonCause(
        start_s=0.0, ramp_s=ramp_s, hold_s=whole_s - ramp_s, strength=HARD.strength, share=1.0
    )
    return replace(HARD, episodes_per_shift=0.0, common=(cause,))


SITUATIONS: dict[str, Situation] = {
    "hard": Situation("the hard case, nothing changed"),
    "clear": Situation("strain shows fully, in every channel", SCENARIOS["clear"]),
    "walking_known": Situation("everybody's walking is known", replace(HARD, movement_known=1.0)),
    "no_telephony": Situation("nobody tells who is in a call", edit=unknown_context),
    "stairs": Situation("stairs once, no module worn: +30/min", edit=stairs),
    "caffeine": Situation(
        "coffee: +5/min and +10 % conductance over 30 min, for hours",
        edit=raised(5.0, np.log(1.1), 1800.0, 3600.0, 4 * 3600.0),
    ),
    "heat": Situation(
        "a hot hour: +5/min and +40 % conductance over 30 min",
        edit=raised(5.0, np.log(1.4), 1800.0, 3600.0, 1800.0),
    ),
    "electrode": Situation(
        "the electrode moves twice: conductance x 1.6 or / 1.6", edit=moved_electrode
    ),
    "no_skin": Situation("no module: neither skin nor movement", edit=without(Part.SKIN)),
    "desk_only": Situation(
        "keyboard and mouse only", edit=without(Part.HEART, Part.SKIN, Part.VOICE)
    ),
    "no_desk": Situation(
        "no typing, no pointer (as with some aids)", edit=without(Part.TYPING, Part.POINTER)
    ),
    "heart_silent": Situation("the heart does not react (beta blocker)", edit=calm_in(Part.HEART)),
    "body_silent": Situation("neither heart nor skin reacts", edit=calm_in(Part.HEART, Part.SKIN)),
    "short": Situation(
        "strain of 4 to 6 minutes", replace(HARD, ramp_s=(60.0, 90.0), hold_s=(120.0, 180.0))
    ),
    "restless": Situation("everything drifts twice as much", replace(HARD, restlessness=2.0)),
    "from_start": Situation("strain from the first second, all shift", lasting(1.0)),
    "over_hours": Situation("strain that builds over four hours", lasting(4 * 3600.0)),
    "other_day": Situation("second day 10/min and 35 % above the first", SCENARIOS["day_offset"]),
    "team_1": Situation("a team of 1", team_size=1),
    "team_50": Situation("a team of 50", team_size=50),
}


def outcome(situation: Situation, n: int, seed: int) -> dict[str, Any]:
    """Return what was found and disturbed, with intervals over agents.

    What does not exist is ``None``: where everybody is strained all the time
    there are no false alerts, where nobody is there is nothing to find.
    """
    floor = simulate(n, HOURS, seed, situation.scenario)
    # What strains everybody is here as good as each one's own: nobody tells a team.
    floor.episodes = [replace(one, common=False) for one in floor.episodes]
    if situation.edit is not None:
        situation.edit(floor, seed)
    began: list[list[float]] = [[] for _ in range(n)]
    for one in run(floor, [threshold_for(situation.team_size)]):
        for agent in np.flatnonzero(one.episodes.began).tolist():
            began[agent].append(float(floor.t_s[one.window]))
    agents = [tally(floor, i, np.array(times)) for i, times in enumerate(began)]
    return _facts(situation, agents)


def _facts(situation: Situation, agents: list[FloorTally]) -> dict[str, Any]:
    whole = FloorTally()
    for one in agents:
        whole.add(one)
    shifts = [one.calm_hours / SHIFT_H for one in agents]
    enough = whole.calm_hours >= len(agents)  # an hour of each, else nothing is known
    rate = whole.false_per_shift / SHIFT_H
    return {
        "words": situation.words,
        "n": len(agents),
        "episodes": whole.episodes,
        "found": whole.found / whole.episodes if whole.episodes else None,
        "found_ci95": _interval([x.found for x in agents], [x.episodes for x in agents]),
        "median_delay_s": float(np.median(whole.delays_s)) if whole.delays_s else None,
        "false_per_shift": whole.false_per_shift if enough else None,
        "false_ci95": _interval([x.false_alerts for x in agents], shifts) if enough else None,
        "chance": chance(np.array(whole.lengths_s), rate) if enough and whole.lengths_s else None,
    }


def _interval(parts: list[Any], wholes: list[Any]) -> list[float] | None:
    low, high = bootstrap_ratio_ci(parts, wholes)
    return [low, high] if np.isfinite(low) else None


def typical_shift(n: int, seed: int) -> dict[str, Any]:
    """Return one simulated shift: of all with one episode and no false alert, that of median delay.

    The choice is a rule and not an eye: the delay shown is neither the best nor
    the worst.
    """
    floor = simulate(n, HOURS, seed, HARD)
    threshold = threshold_for(TEAM)
    evidence = np.full((n, len(floor.t_s)), np.nan)
    index, began = evidence.copy(), [[] for _ in range(n)]
    for one in run(floor, [threshold]):
        evidence[:, one.window] = one.scores.evidence
        index[:, one.window] = one.scores.strain_index
        for agent in np.flatnonzero(one.episodes.began).tolist():
            began[agent].append(float(floor.t_s[one.window]))
    shown = []
    for agent in range(n):
        found = tally(floor, agent, np.array(began[agent]))
        if found.episodes == found.found == 1 and not found.false_alerts:
            shown.append((found.delays_s[0], agent))
    _, agent = sorted(shown)[len(shown) // 2]
    (episode,) = floor.of(agent)
    every = round(30.0 / WINDOW_S)  # a picture needs no more
    return {
        "of": len(shown),
        "threshold": threshold,
        "t_h": np.round(floor.t_s[::every] / 3600.0, 4).tolist(),
        "evidence": _rounded(evidence[agent, ::every]),
        "index": _rounded(index[agent, ::every]),
        "alerts_h": [round(t / 3600.0, 4) for t in began[agent]],
        "corners_h": [
            round(t / 3600.0, 4)
            for t in (episode.start_s, episode.full_s, episode.release_s, episode.end_s)
        ],
        "groups": sorted(episode.groups),
    }


def _rounded(values: Floats) -> list[float | None]:
    return [round(float(x), 3) if np.isfinite(x) else None for x in values]
