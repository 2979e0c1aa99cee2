"""The floor of `wellbeing up`: who sits there and what happens to whom, as plain values.

Twenty-four simulated agents in two teams. Within the first minute one becomes
strained, one asks for help and one takes the headset off; a few minutes later
a whole team reacts to an outage. Nobody in it is real.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sensors.messages import Absence, RequestKind
from sensors.signals import Channel
from sensors.simulated import Episode, Outage

SITE = "trial"
SUPERVISOR = "ana"
PROFILE = "general"
"""On this machine alone; `up` says so when what it shows is real."""

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
    channels: tuple[Channel, ...] = tuple(Channel)
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
        # This one consented to the headset only: without it nothing is known.
        channels=(Channel.HEART,) if number == 19 else tuple(Channel),
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


def teams_toml(floor: Sequence[TrialAgent]) -> str:
    """Return the trial's teams.toml."""
    lines = []
    for team in dict.fromkeys(a.team for a in floor):
        agents = ", ".join(f'"{a.agent}"' for a in floor if a.team == team)
        lines += [
            f"[{team}]",
            f'supervisors = ["{SUPERVISOR}", "bo"]',
            'time_zone = "UTC"',
            "valid_from = 2026-01-01",
            f"agents = [{agents}]",
            "",
        ]
    return "\n".join(lines)


def roster_toml(floor: Sequence[TrialAgent]) -> str:
    """Return the trial's roster: invented names for the pseudonyms."""
    agents = [f"{a.agent} = {_quoted(a.name)}" for a in floor]
    supervisors = [f'{SUPERVISOR} = "Ana Lopez"', 'bo = "Bo Lindqvist"']
    return "\n".join(["[agents]", *agents, "", "[supervisors]", *supervisors, ""])


def config_toml(directory: Path, broker_port: int, dashboard_port: int, language: str) -> str:
    """Return the trial's one configuration file; credentials come by the environment."""
    here = {
        name: _quoted(str(directory / name))
        for name in ("server", "store.sqlite", "teams.toml", "roster.toml", "edges")
    }
    return f"""\
[broker]
host = "127.0.0.1"
port = {broker_port}

[server]
site = "{SITE}"
state_dir = {here["server"]}
teams = {here["teams.toml"]}

[store]
kind = "embedded"
path = {here["store.sqlite"]}

[policy]
profile = "{PROFILE}"

[dashboard]
site = "{SITE}"
supervisor = "{SUPERVISOR}"
teams = {here["teams.toml"]}
roster = {here["roster.toml"]}
port = {dashboard_port}
language = {_quoted(language)}

[edge]
site = "{SITE}"
state_dir = {here["edges"]}
"""


def floor_plan(
    floor: Sequence[TrialAgent], broker_port: int, state_dir: str, passwords: Mapping[str, str]
) -> dict[str, Any]:
    """Return the plan that ``sensors.edge.running.floor`` runs, as plain values for JSON."""
    agents = [
        {
            "agent": a.agent,
            "password": passwords[a.agent],
            "channels": a.channels,
            "simulation": {"seed": a.seed, "episodes": a.episodes, "outages": a.outages},
            "requests": a.requests,
        }
        for a in floor
    ]
    return {"site": SITE, "port": broker_port, "state_dir": state_dir, "agents": agents}


def _quoted(text: str) -> str:
    """Return `text` as a TOML basic string, which JSON's strings are."""
    return json.dumps(text, ensure_ascii=False)
