"""R1: technical faults that raise a wellbeing alert; none should.

Simulated calm agents go through the whole pipeline twice: as they are, and
with faults of seventeen kinds put in, one about every six minutes. Counted is
every personal or team alert that reaches a screen and has no counterpart
without the faults. ``by_chance`` beside it are the alerts without any fault.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from analytics.events import Arrival  # noqa: E402
from analytics.pipeline import Pipeline  # noqa: E402
from analytics.teams import parse_teams  # noqa: E402
from benchmarks._faults import FAULTS, Told, told, without  # noqa: E402
from sensors.messages import WINDOW_S, Absence, AlertKind, AlertMessage, ReadingMessage  # noqa: E402
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

WELLBEING = frozenset({AlertKind.PERSONAL, AlertKind.TEAM})


@dataclass(frozen=True, slots=True)
class Injected:
    """One fault: in whom, of what kind, when, in true time since the start [s]."""

    agent: str
    kind: str
    start_s: float
    end_s: float


@dataclass(slots=True)
class Heard:
    """What a server is told: (true time of arrival [s], agent, message), in order."""

    arrivals: list[tuple[float, str, ReadingMessage]] = field(default_factory=list)
    faults: list[Injected] = field(default_factory=list)

    def tell(self, agent: str, stretch: Iterable[Told]) -> None:
        """Append `stretch`; a delay counts from what the window says of its end."""
        self.arrivals += [(_since(m) + delay_s, agent, m) for delay_s, m in stretch]


@dataclass(frozen=True, slots=True)
class Shown:
    """A wellbeing alert that reached a screen, at `at_s` since the start."""

    at_s: float
    alert: AlertMessage


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


def inject(
    messages: list[ReadingMessage],
    agent: str,
    rng: np.random.Generator,
    every_s: float = EVERY_S,
) -> Heard:
    """Return what the server hears of `messages` with a fault in every `every_s` seconds."""
    heard = Heard()
    per_slot = round(every_s / WINDOW_S)
    for first in range(0, len(messages) - per_slot + 1, per_slot):
        slot = messages[first : first + per_slot]
        n = round(float(rng.uniform(*LENGTHS_S)) / WINDOW_S)
        at = int(rng.integers(per_slot - n))
        kind, wrong = one_fault(slot[at : at + n], rng)
        heard.tell(agent, [*told(slot[:at]), *wrong, *told(slot[at + n :])])
        start_s = _since(slot[at]) - WINDOW_S
        heard.faults.append(Injected(agent, kind, start_s, start_s + n * WINDOW_S))
    return heard


def one_fault(
    stretch: Sequence[ReadingMessage], rng: np.random.Generator
) -> tuple[str, list[Told]]:
    """Return a fault that what this agent has can suffer at all, and what is heard of it."""
    right = told(stretch)
    for i in rng.permutation(len(FAULTS)):
        wrong = FAULTS[i](stretch, rng)
        if wrong != right:
            return FAULTS[i].__name__, wrong
    raise AssertionError("windows can always be late")


def _since(message: ReadingMessage) -> float:
    return (message.window_end_at - START).total_seconds()


def run(agents: Sequence[str], arrivals: list[tuple[float, str, ReadingMessage]]) -> list[Shown]:
    """Return the wellbeing alerts that a pipeline shows when it is told `arrivals`."""
    teams = {
        f"team{i // TEAM}": {
            "supervisors": [f"s{i // TEAM}", f"t{i // TEAM}"],
            "time_zone": "UTC",
            "agents": list(agents[i : i + TEAM]),
        }
        for i in range(0, len(agents), TEAM)
    }
    pipeline, shown = Pipeline(SITE, parse_teams(teams)), {}
    arrivals = sorted(arrivals, key=lambda one: one[0])
    position, end_s = 0, arrivals[-1][0] + WINDOW_S
    now_s = 0.0
    while now_s < end_s:
        now_s += WINDOW_S
        batch = []
        while position < len(arrivals) and arrivals[position][0] <= now_s:
            at_s, agent, message = arrivals[position]
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
        who = (one.alert.kind, one.alert.team, one.alert.agent)
        if any(
            who == (c.alert.kind, c.alert.team, c.alert.agent)
            and abs(c.at_s - one.at_s) <= NEARBY_S
            for c in clean
        ):
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


def floor(seed: int, n_agents: int, hours: float, tally: Tally, every_s: float = EVERY_S) -> None:
    """Put one floor through the pipeline, with and without faults, and count."""
    rng = np.random.default_rng([seed, 20_260_105])
    agents = [f"a{i}" for i in range(n_agents)]
    clean, heard = Heard(), Heard()
    for i, agent in enumerate(agents):
        messages = calm(1000 * seed + i, agent, hours)
        clean.tell(agent, told(messages))
        faulty = inject(messages, agent, rng, every_s)
        heard.arrivals += faulty.arrivals
        heard.faults += faulty.faults
    quiet = run(agents, clean.arrivals)
    tally.raised.update(blame(run(agents, heard.arrivals), quiet, heard.faults))
    tally.injected.update(f.kind for f in heard.faults)
    tally.by_chance += len(quiet)
    tally.agent_hours += n_agents * hours


def count(n_faults: int, n_agents: int, hours: float, every_s: float = EVERY_S) -> Tally:
    """Return the tally of at least `n_faults` faults."""
    tally, seed = Tally(), 0
    while sum(tally.injected.values()) < n_faults:
        floor(seed, n_agents, hours, tally, every_s)
        seed += 1
    return tally


def main() -> int:
    """Print one JSON object per kind of fault, and their sum."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--faults", type=int, default=0)
    options = parser.parse_args()
    wanted = options.faults or (600 if options.quick else 10_000)
    tally = count(wanted, 20 if options.quick else 50, 3.0 if options.quick else 4.0)
    for kind, n in sorted(tally.injected.items()):
        print(
            json.dumps({"id": f"R1.{kind}", "value": tally.raised[kind], "unit": "alerts", "n": n})
        )
    total, n = sum(tally.raised.values()), sum(tally.injected.values())
    line = {
        "id": "R1",
        "value": total,
        "unit": "wellbeing alerts raised by a fault",
        "peer": {"name": "the same agents without faults", "value": tally.by_chance},
        "n": n,
        "agent_hours": tally.agent_hours,
    }
    print(json.dumps(line))
    return 0


if __name__ == "__main__":
    sys.exit(main())
