"""What happens on a simulated floor: who wears what, and which episodes are put in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sensors.errors import ConfigurationError


class Group(StrEnum):
    """Channels that react to strain together, or not at all."""

    HEART = "heart"
    SKIN = "skin"
    DESK = "desk"  # keyboard and pointer: the same hands
    VOICE = "voice"


GROUPS: tuple[Group, ...] = tuple(Group)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonCause:
    """Something that strains many agents at the same moment: the work, not the person.

    Parameters
    ----------
    start_s : float
        When it begins. [s]
    ramp_s, hold_s : float
        Its rise (and fall), and how long it lasts at full intensity. [s]
    strength : float
        As for an episode.
    share : float
        Chance of each agent to be touched by it, 0 to 1.
    """

    start_s: float
    ramp_s: float = 300.0
    hold_s: float = 1800.0
    strength: float = 0.8
    share: float = 0.7


STRONGEST = 10.0
"""Ten clear responses: +140/min heart rate. Far beyond, figures of single precision overflow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Everything about a simulated floor that a caller may choose.

    Parameters
    ----------
    episodes_per_shift : float
        Mean number of personal episodes in 8 h of an agent.
    strength : float
        Full intensity; 1 is a clear response (+14/min heart rate, +40 % skin
        conductance), 0.6 the hard case; 0 to 10, which no body exceeds.
    react : float
        Chance of each :class:`Group` to react to an episode, drawn
        independently: at 0.6 one episode in 39 shows nowhere at all.
    ramp_s, hold_s : (float, float)
        Least and greatest rise (and fall), and time at full intensity. [s]
    first_s : float
        No episode begins before. [s]
    days : int
        Shifts in a row, 24 h apart; levels differ a little from day to day.
    day_offset : float
        Share of agents whose heart rate and skin conductance lie far above
        their own usual from the second day on (a cold, medication).
    common : tuple of CommonCause
    has_heart, has_beats, has_skin, has_desk, has_voice : float
        Share of agents with that channel; ``has_beats`` of those with a heart
        channel whose device delivers RR intervals, not only a rate.
    movement_known : float
        Share of the agents without a module whose movement is known all the
        same; today nothing else tells it, and their walks look like strain.
    restlessness : float
        Factor on all drifts: how sure one is of their size is about a factor of 2.
    dropouts_per_hour : float
        Mean number of outages of each channel, of about 6 minutes each.
    """

    episodes_per_shift: float = 1.0
    strength: float = 0.6
    react: float = 0.6
    ramp_s: tuple[float, float] = (300.0, 900.0)
    hold_s: tuple[float, float] = (600.0, 1800.0)
    first_s: float = 3600.0
    days: int = 1
    day_offset: float = 0.0
    common: tuple[CommonCause, ...] = ()
    has_heart: float = 0.95
    has_beats: float = 0.85
    has_skin: float = 0.7
    has_desk: float = 0.95
    has_voice: float = 0.8
    movement_known: float = 0.0
    restlessness: float = 1.0
    dropouts_per_hour: float = 0.15

    def __post_init__(self) -> None:
        for name in ("react", "day_offset", "movement_known", *(f"has_{x}" for x in _OWNED)):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigurationError(f"{name} is {getattr(self, name):g}; expected 0 to 1")
        if not 0 <= self.strength <= STRONGEST:
            raise ConfigurationError(
                f"strength is {self.strength:g}; expected 0 to {STRONGEST:g} (1 is a clear response)"
            )
        for name in (
            "episodes_per_shift",
            "first_s",
            "restlessness",
            "dropouts_per_hour",
        ):
            if not getattr(self, name) >= 0:
                raise ConfigurationError(f"{name} is {getattr(self, name):g}; expected 0 or more")
        for name in ("ramp_s", "hold_s"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise ConfigurationError(
                    f"{name} is ({low:g}, {high:g}); expected 0 < least <= greatest"
                )
        if self.days < 1:
            raise ConfigurationError(f"days is {self.days}; expected 1 or more")


_OWNED = ("heart", "beats", "skin", "desk", "voice")

SCENARIOS: dict[str, Scenario] = {
    "calm": Scenario(episodes_per_shift=0.0),
    "hard": Scenario(),
    "clear": Scenario(strength=1.0, react=1.0),
    "day_offset": Scenario(episodes_per_shift=0.0, days=2, day_offset=0.3),
    "team_cause": Scenario(episodes_per_shift=0.0, common=(CommonCause(start_s=3 * 3600.0),)),
}
"""Ready-made ones, by name."""
