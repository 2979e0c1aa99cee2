"""The floor of `wellbeing up`: who sits there and what happens to whom, as plain values.

Twenty-four simulated agents in two teams. Within the first minute one becomes
strained, one asks for help and one takes the headset off; a few minutes later
a whole team reacts to an outage. Nobody in it is real.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sensors.messages import Absence, RequestKind
from sensors.signals import Channel
from sensors.simulated import Episode, Outage

SITE = "trial"
SUPERVISOR = "ana"

STRAINED_AT_S = 20.0
HELP_AT_S = 35.0
HEADSET_OFF_AT_S = 30.0
OUTAGE_AT_S = 420.0

_NAMES = (
    "Amir Haddad", "Beatriz Souza", "Chen Wei", "Dalia Mansour", "Emeka Obi", "Freya Holm",
    "Goran Petrov", "Hana Suzuki", "Ines Marques", "Jonas Weber", "Kim Sato", "Lena Fischer",
    "Mateo Rossi", "Nadia Karim", "Oskar Lind", "Priya Nair", "Quentin Roy", "Rosa Delgado",
    "Samir Patel", "Tuuli Laine", "Uma Rao", "Viktor Novak", "Wanda Nowak", "Yusuf Demir",
)  # fmt: skip
_BILLING = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialAgent:
    """One simulated agent and what the script has in store for them."""

    agent: str
    name: str
    team: str
    seed: int
    episodes: tuple[Episode, ...] = ()
    outages: tuple[Outage, ...] = ()
    requests: tuple[tuple[float, RequestKind], ...] = field(default=())


def trial_floor() -> tuple[TrialAgent, ...]:
    """Return the agents of the trial, in the order of their pseudonyms."""
    return tuple(_agent(number, name) for number, name in enumerate(_NAMES, start=1))


def _agent(number: int, name: str) -> TrialAgent:
    team = "billing" if number <= _BILLING else "orders"
    return TrialAgent(
        agent=f"k{number}",
        name=name,
        team=team,
        seed=number,
        episodes=_episodes(number, team),
        outages=_HEADSET_OFF if number == 19 else (),
        requests=((HELP_AT_S, RequestKind.HELP_NOW),) if number == 22 else (),
    )


_HEADSET_OFF = (
    Outage(
        channel=Channel.HEART,
        start_s=HEADSET_OFF_AT_S,
        end_s=HEADSET_OFF_AT_S + 300,
        reason=Absence.NOT_WORN,
    ),
)


def _episodes(number: int, team: str) -> tuple[Episode, ...]:
    found: tuple[Episode, ...] = ()
    if number == 16:
        found += (Episode(start_s=STRAINED_AT_S, ramp_s=15, hold_s=600, strength=1.5),)
    if team == "billing":
        # An outage reaches everybody on the same calls, not all equally.
        strength = 0.9 + 0.1 * (number % 5)
        found += (Episode(start_s=OUTAGE_AT_S, ramp_s=40, hold_s=600, strength=strength),)
    return found


def teams_toml() -> str:
    """Return the trial's teams.toml."""
    lines = []
    for team in ("billing", "orders"):
        agents = ", ".join(f'"{a.agent}"' for a in trial_floor() if a.team == team)
        lines += [
            f"[{team}]",
            f'supervisors = ["{SUPERVISOR}", "bo"]',
            'time_zone = "UTC"',
            "valid_from = 2026-01-01",
            f"agents = [{agents}]",
            "",
        ]
    return "\n".join(lines)


def roster_toml() -> str:
    """Return the trial's roster: invented names for the pseudonyms."""
    agents = [f'{a.agent} = "{a.name}"' for a in trial_floor()]
    supervisors = [f'{SUPERVISOR} = "Ana Lopez"', 'bo = "Bo Lindqvist"']
    return "\n".join(["[agents]", *agents, "", "[supervisors]", *supervisors, ""])
