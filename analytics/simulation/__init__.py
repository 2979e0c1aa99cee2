"""A simulated floor at the level of features: what no recording can give in quantity.

How often a whole floor would be disturbed on calm days, and which episodes of
known strength would be found, needs thousands of agent-hours. This model makes
them in seconds. It was written from physiology before any detector was run on
it and is no evidence about people: recordings are. Every number, its unit and
where it comes from stand in ``README.md`` beside this file.
"""

from analytics.simulation.floor import SimulatedEpisode, SimulatedFloor, simulate
from analytics.simulation.scenario import SCENARIOS, CommonCause, Group, Scenario

__all__ = [
    "SCENARIOS",
    "CommonCause",
    "Group",
    "Scenario",
    "SimulatedEpisode",
    "SimulatedFloor",
    "simulate",
]
