"""R1: technical faults that raise a wellbeing alert; none should.

Simulated calm people go through the whole pipeline as they are, and again,
side by side on one floor, as several agents each, every one with faults of its
own: one about every six minutes, of another kind, onset, length and sensor
each time. Half of them take calls of which telephony tells. Counted is every
personal or team alert that reaches a screen and has no counterpart without the
faults. ``by_chance`` beside it are the alerts without any fault.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from analytics.events import Arrival  # noqa: E402
from analytics.people.teams import parse_teams  # noqa: E402
from analytics.pipeline.pipeline import Pipeline  # noqa: E402
from benchmarks._faults import FAULTS, Fault, Told, told, without  # noqa: E402
from sensors.messages import (  # noqa: E402
    WINDOW_S,
    Absence,
    AlertKind,
    AlertMessage,
    ContextMessage,
    ContextState,
    ReadingMessage,
)
from sensors.recording import LabelTrack, Recording, Series, windows  # noqa: E402
from sensors.signals import SIGNALS, Channel  # noqa: E402
from sensors.simulated import Simulation  # noqa: E402

IDS = ("R1",)

SITE, TEAM = "faults", 10
START = datetime(2026, 1, 5, 9, tzinfo=UTC)
EVERY_S = 360.0
"""One fault in so long, at a random moment of it. [s]"""

LENGTHS_S = (15.0, 180.0)
NEARBY_S = 300.0
"""An alert that calm data raise by themselves so near is no fault's doing. [s]"""

HAVE: tuple[tuple[Channel, ...], ...] = (
    tuple(Channel),
    (Channel.HEART,),
    (Channel.HEART, Channel.MODULES),
    (Channel.HEART, Channel.KEYBOARD, Channel.POINTER),
    (Channel.KEYBOARD, Channel.POINTER, Channel.VOICE),
)
"""Channels that agents consent to, in turn: the fewer, the more each one weighs."""

CALLS_S = ((30.0, 300.0), (30.0, 600.0))
"""How long agents are ready, and then in a call. [s]"""

WELLBEING = frozenset({AlertKind.PERSONAL, AlertKind.TEAM})

Heard = list[tuple[float, str, ReadingMessage | ContextMessage]]
"""What a server is told: (true time of arrival [s], agent, message)."""


@dataclass(frozen=True, slots=True)
class Injected:
    """One fault: in whom, of what kind, when, in true time since the start [s]."""

    agent: str
    kind: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Shown:
    """A wellbeing alert that reached a screen, at `at_s` since the start."""

    at_s: float
    alert: AlertMessage

    @property
    def about(self) -> tuple[AlertKind, str, str]:
        """Kind, team and person: the same for all agents that are one person."""
        agent = self.alert.agent or ""
        return self.alert.kind, self.alert.team.partition("-")[0], agent.partition("-")[0]


def simulated(seed: int, hours: float) -> Recording:
    """Return the signals of a calm agent, as a recording in memory."""
    simulation, length_s = Simulation(seed), round(hours * 6) * 600
    blocks = [simulation.advance(600) for _ in range(length_s // 600)]
    series = {}
    for name in blocks[0]:
        t_s, values = (np.concatenate([block[name][i] for block in blocks]) for i in (0, 1))
        signal = SIGNALS[name]
        series[name] = Series(t_s, np.clip(values, signal.low, signal.high), np.empty(0))
    labels = LabelTrack(np.zeros(1), np.zeros(1, dtype=np.int8), float(length_s))
    return Recording(f"calm{seed}", float(length_s), series, labels)


def calm(seed: int, agent: str, hours: float) -> list[ReadingMessage]:
    """Return the windows of a calm agent."""
    found = windows(
        simulated(seed, hours), site=SITE, agent=agent, source="pc", run="run00001", start_at=START
    )
    refused = set(Channel) - set(HAVE[seed % len(HAVE)])
    return [without(message, Absence.WITHHELD, *refused) for message in found]


def calls(rng: np.random.Generator, hours: float) -> list[tuple[float, ContextMessage]]:
    """Return what telephony says of one agent."""
    found, t_s = [], 0.0
    while t_s < 3600.0 * hours:
        for state, length_s in zip(
            (ContextState.READY, ContextState.ON_CALL), CALLS_S, strict=True
        ):
            found.append((t_s, ContextMessage(at=START + timedelta(seconds=t_s), state=state)))
            t_s += float(rng.uniform(*length_s))
    return found


def inject(
    messages: list[ReadingMessage],
    agent: str,
    rng: np.random.Generator,
    every_s: float = EVERY_S,
    faults: Sequence[Fault] = FAULTS,
) -> tuple[Heard, list[Injected]]:
    """Return what is heard of `messages` with a fault in every `every_s` seconds, and which."""
    heard: list[Told] = []
    injected = []
    per_slot = round(every_s / WINDOW_S)
    whole = len(messages) // per_slot * per_slot
    for first in range(0, whole, per_slot):
        slot = messages[first : first + per_slot]
        n = round(float(rng.uniform(*LENGTHS_S)) / WINDOW_S)
        at = int(rng.integers(per_slot - n))
        found = one_fault(slot[at : at + n], rng, faults)
        if found is None:
            heard += told(slot)
            continue
        kind, wrong = found
        heard += [*told(slot[:at]), *wrong, *told(slot[at + n :])]
        start_s = _since(slot[at]) - WINDOW_S
        injected.append(Injected(agent, kind, start_s, start_s + n * WINDOW_S))
    return arriving(agent, [*heard, *told(messages[whole:])]), injected


def one_fault(
    stretch: Sequence[ReadingMessage], rng: np.random.Generator, faults: Sequence[Fault] = FAULTS
) -> tuple[str, list[Told]] | None:
    """Return one of `faults` that what this agent has can suffer, and what is heard of it."""
    right = told(stretch)
    for i in rng.permutation(len(faults)):
        wrong = faults[i](stretch, rng)
        if wrong != right:
            return faults[i].__name__, wrong
    return None


def arriving(agent: str, stretch: Iterable[Told]) -> Heard:
    """Return `stretch` by true time: a delay counts from what the window says of its end."""
    return [(_since(message) + delay_s, agent, message) for delay_s, message in stretch]


def _since(message: ReadingMessage) -> float:
    return (message.window_end_at - START).total_seconds()


def run(teams: dict[str, list[str]], heard: Heard) -> list[Shown]:
    """Return the wellbeing alerts that a pipeline shows which is told all of `heard`."""
    table = {
        team: {"supervisors": [f"s{team}", f"t{team}"], "time_zone": "UTC", "agents": agents}
        for team, agents in teams.items()
    }
    pipeline = Pipeline(SITE, parse_teams(table))
    shown: dict[str, Shown] = {}
    heard = sorted(heard, key=itemgetter(0))
    position, now_s, end_s = 0, 0.0, heard[-1][0] + WINDOW_S
    while now_s < end_s:
        now_s += WINDOW_S
        batch = []
        while position < len(heard) and heard[position][0] <= now_s:
            at_s, agent, message = heard[position]
            position += 1
            batch.append(Arrival(position, START + timedelta(seconds=at_s), agent, message))
        out = pipeline.step(batch, START + timedelta(seconds=now_s))
        for publication in out.publications:
            alert = publication.message
            if isinstance(alert, AlertMessage) and alert.kind in WELLBEING:
                shown.setdefault(alert.alert_id, Shown(now_s, alert))
    return list(shown.values())


def blame(faulty: Sequence[Shown], clean: Sequence[Shown], faults: Sequence[Injected]) -> list[str]:
    """Return the kind of fault behind each alert that calm data did not raise by themselves."""
    kinds = []
    for one in faulty:
        if any(c.about == one.about and abs(c.at_s - one.at_s) <= NEARBY_S for c in clean):
            continue
        before = [
            f
            for f in faults
            if f.start_s < one.at_s and (one.alert.agent is None or f.agent == one.alert.agent)
        ]
        kinds.append(max(before, key=lambda f: f.start_s).kind if before else "none before")
    return kinds


@dataclass(slots=True)
class Tally:
    """What was injected, what it raised, and what calm data raise without it."""

    injected: Counter[str] = field(default_factory=Counter)
    raised: Counter[str] = field(default_factory=Counter)
    by_chance: int = 0
    agent_hours: float = 0.0


@dataclass(frozen=True, slots=True)
class Size:
    """How big a floor is: so many people, each as so many agents, for so long [h]."""

    people: int
    agents_each: int
    hours: float

    def teams(self, each: int) -> dict[str, list[str]]:
        """Return who is with whom, where everybody is there `each` times."""
        return {
            f"team{first // TEAM}-{k}": [
                f"p{i}-{k}" for i in range(first, min(first + TEAM, self.people))
            ]
            for first in range(0, self.people, TEAM)
            for k in range(each)
        }


def floor(
    seed: int,
    size: Size,
    tally: Tally,
    every_s: float = EVERY_S,
    faults: Sequence[Fault] = FAULTS,
) -> None:
    """Put one floor through the pipeline, with and without faults, and count."""
    rng = np.random.default_rng([seed, 20_260_105])
    clean: Heard = []
    faulty: Heard = []
    injected: list[Injected] = []
    for i in range(size.people):
        messages = calm(1000 * seed + i, f"p{i}", size.hours)
        telephony = calls(rng, size.hours) if rng.uniform() < 0.5 else []
        clean += arriving(f"p{i}-0", told(messages))
        clean += [(t_s, f"p{i}-0", message) for t_s, message in telephony]
        for k in range(size.agents_each):
            heard, found = inject(messages, f"p{i}-{k}", rng, every_s, faults)
            faulty += [*heard, *((t_s, f"p{i}-{k}", message) for t_s, message in telephony)]
            injected += found
    quiet = run(size.teams(1), clean)
    tally.raised.update(blame(run(size.teams(size.agents_each), faulty), quiet, injected))
    tally.injected.update(f.kind for f in injected)
    tally.by_chance += len(quiet)
    tally.agent_hours += size.people * size.agents_each * size.hours


def count(
    n_faults: int, size: Size, every_s: float = EVERY_S, faults: Sequence[Fault] = FAULTS
) -> Tally:
    """Return the tally of at least `n_faults` faults."""
    tally, seed = Tally(), 0
    while sum(tally.injected.values()) < n_faults:
        floor(seed, size, tally, every_s, faults)
        seed += 1
    return tally


def main() -> int:
    """Print one JSON object per kind of fault, and their sum."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--faults", type=int, default=0, metavar="N", help="inject at least N")
    names = {fault.__name__: fault for fault in FAULTS}
    parser.add_argument("--kind", action="append", choices=names, help="only faults of this kind")
    options = parser.parse_args()
    kinds = tuple(names[name] for name in options.kind) if options.kind else FAULTS
    size = Size(10, 3, 2.0) if options.quick else Size(50, 5, 4.0)
    wanted = options.faults or (600 if options.quick else 10_000)
    tally = count(wanted, size, faults=kinds)
    for kind, n in sorted(tally.injected.items()):
        print(
            json.dumps({"id": f"R1.{kind}", "value": tally.raised[kind], "unit": "alerts", "n": n})
        )
    total, n = sum(tally.raised.values()), sum(tally.injected.values())
    line = {
        "id": "R1",
        "value": total,
        "unit": "wellbeing alerts raised by a fault",
        "peer": {"name": "the same people without faults", "value": tally.by_chance},
        "n": n,
        "agent_hours": tally.agent_hours,
    }
    print(json.dumps(line))
    return 0


if __name__ == "__main__":
    sys.exit(main())
