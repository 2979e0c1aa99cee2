"""R3: episodes of strain that yield two alerts; one episode is one alert.

Synthetic agents with clear episodes go through the whole pipeline while
everything happens that could make two of one: evidence that flaps, restarts
from a snapshot, windows told again or late, a line that is cut, clocks that
are set, *I'm fine*, and decisions of supervisors. The peer is the same
evidence with a bare threshold.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from analytics.alerts.alerting import AlertPolicy  # noqa: E402
from analytics.events import Arrival, Input, Outputs  # noqa: E402
from analytics.people.teams import Teams, parse_teams  # noqa: E402
from analytics.pipeline.pipeline import Pipeline  # noqa: E402
from analytics.scoring.episodes import threshold_for  # noqa: E402
from analytics.store.points import Measurement  # noqa: E402
from benchmarks._ablation import explanations  # noqa: E402
from sensors.messages import (  # noqa: E402
    DECISIONS,
    WINDOW_S,
    Action,
    AlertKind,
    AlertMessage,
    AlertState,
    DecisionMessage,
    Heart,
    Modules,
    ReadingMessage,
    ReplyKind,
    ReplyMessage,
)

IDS = ("R3", "R3.explained")

SITE = "episodes"
START = datetime(2026, 1, 5, 9, tzinfo=UTC)
CALM_S = 900.0
"""Every agent begins calm for so long: a baseline to differ from. [s]"""

SLOT_S = 840.0
"""One episode of each agent in so long. [s]"""

EPISODE_S = (200.0, 480.0)
FLAP_S = 25.0
"""A dip is shorter than this: shorter than the off-delay, so the episode goes on. [s]"""

AFTER_S = 120.0
"""What begins so soon after an episode still belongs to it. [s]"""

RESTART_EVERY_S = 95.0
_THRESHOLD = threshold_for(1)
_WILL = ("flap", "again", "late", "cut", "clock", "fine", "decide")


@dataclass(slots=True)
class Episode:
    """One stretch of strain, and what happens in it.

    Parameters
    ----------
    start_s, end_s : float
        True time. [s since the start]
    size : float
        Strength of the response, 0 to 1.
    what : tuple of str
        Of `_WILL`.
    dips : list of (float, float)
        When the evidence is away. [s]
    at_s : float
        When what happens once happens. [s]
    alerts : dict
        The alerts that it yielded, by identity.
    crossings : int
        How often a bare threshold was crossed upwards.
    """

    start_s: float
    end_s: float
    size: float
    what: tuple[str, ...]
    dips: list[tuple[float, float]]
    at_s: float
    alerts: dict[str, None] = field(default_factory=dict)
    crossings: int = 0


def draw(slot: int, rng: np.random.Generator) -> Episode:
    """Return the episode of a slot."""
    start_s = CALM_S + slot * SLOT_S + float(rng.uniform(60, 200))
    end_s = start_s + float(rng.uniform(*EPISODE_S))
    what = tuple(name for name in _WILL if rng.uniform() < 0.4)
    dips, t_s = [], start_s + 30.0
    while "flap" in what and t_s < end_s - 60.0:
        t_s += float(rng.uniform(20, 90))
        dips.append((t_s, t_s + float(rng.uniform(5, FLAP_S))))
        t_s = dips[-1][1]
    at_s = float(rng.uniform(start_s + 40.0, end_s))
    return Episode(start_s, end_s, float(rng.uniform(0.6, 1.0)), what, dips, at_s)


@dataclass(slots=True)
class Agent:
    """A person, an edge and a line to the server."""

    name: str
    episodes: list[Episode]
    rng: np.random.Generator
    seq: int = 0
    off_s: float = 0.0
    off_known: bool = True
    held: list[tuple[float, ReadingMessage]] = field(default_factory=list)
    above: bool = False
    drawn: list[list[float]] = field(default_factory=list)

    def episode(self, t_s: float, after_s: float = 0.0) -> Episode | None:
        """Return the episode at true time `t_s`, or up to `after_s` before."""
        slot = int((t_s - CALM_S) // SLOT_S)  # what is drawn for a slot stays within it
        if not 0 <= slot < len(self.episodes):
            return None
        one = self.episodes[slot]
        return one if one.start_s <= t_s <= one.end_s + after_s else None

    def window(self, t_s: float) -> ReadingMessage:
        """Return the window that ends at true time `t_s`."""
        now = self.episode(t_s)
        away = now is None or any(a <= t_s < b for a, b in now.dips)
        size = 0.0 if now is None or away else now.size
        rate, skin, rhythm = self.noise()
        bpm = 70.0 + 25.0 * size + 1.5 * rate
        rr_ms, n = 60_000.0 / bpm + 12.0 * rhythm, int(5000 * bpm / 60_000)
        self.seq += 1
        return ReadingMessage(
            source="pc",
            run="run00001",
            seq=self.seq,
            window_end_at=START + timedelta(seconds=t_s + self.off_s),
            clock_offset_ms=-1000.0 * self.off_s if self.off_known else None,
            heart=Heart(
                quality=0.95,
                hr_bpm=bpm,
                rr_ms=(rr_ms,) * n,
                beat_offset_ms=tuple(-rr_ms * k for k in range(n - 1, -1, -1)),
            ),
            modules=Modules(quality=0.9, values={"eda_us": 4.0 * math.exp(0.03 * skin + size)}),
        )

    def noise(self) -> list[float]:
        """Return three standard normal numbers; drawn by the thousand, which is fast."""
        if not self.drawn:
            self.drawn = self.rng.normal(size=(1000, 3)).tolist()
        return self.drawn.pop()

    def tell(self, t_s: float) -> Iterator[ReadingMessage]:
        """Yield what reaches the server in this window, in order of arrival."""
        now, message = self.episode(t_s), self.window(t_s)
        if now is None and not self.held:
            yield message
            return
        what = now.what if now is not None else ()
        delay_s = 0.0
        if now is not None and "cut" in what and now.at_s <= t_s < now.at_s + 60.0:
            delay_s = now.at_s + 60.0 - t_s
        elif "late" in what and self.rng.uniform() < 0.2:
            delay_s = float(self.rng.uniform(5, 60))
        self.held.append((t_s + delay_s, message))
        if "again" in what and self.rng.uniform() < 0.3:
            self.held.append((t_s + delay_s + float(self.rng.choice([0.0, 10.0])), message))
        ready = [one for one in self.held if one[0] <= t_s]
        self.held = [one for one in self.held if one[0] > t_s]
        yield from (message for _, message in sorted(ready, key=lambda one: one[0]))

    def set_clock(self) -> None:
        """Step the clock of the PC; half the edges notice how far it is off."""
        steps = (-600.0, -35.0, -8.0, 8.0, 35.0, 600.0)
        self.off_s = 0.0 if self.off_s else float(self.rng.choice(steps))
        self.off_known = abs(self.off_s) > 10 or bool(self.rng.uniform() < 0.5)


class Run:
    """A pipeline, its agents, and the count of alerts of each episode."""

    def __init__(self, n_agents: int, n_slots: int, seed: int) -> None:
        self.rng = np.random.default_rng([seed, 3])
        self.agents = [
            Agent(f"a{i}", [draw(k, self.rng) for k in range(n_slots)], rng)
            for i, rng in enumerate(self.rng.spawn(n_agents))
        ]
        self.by_name = {agent.name: agent for agent in self.agents}
        self.pipeline = self._pipeline()
        self.end_s = CALM_S + n_slots * SLOT_S
        self.t_s = 0.0
        self.strays = 0
        self._position = 0
        self._ids = 0

    def _pipeline(self) -> Pipeline:
        # Each alone in a team: nobody's alert hides behind a team's.
        table = {
            f"t{agent.name}": {
                "supervisors": [f"{agent.name}-{k}" for k in range(3)],
                "time_zone": "UTC",
                "agents": [agent.name],
            }
            for agent in self.agents
        }
        teams: Teams = parse_teams(table)
        return Pipeline(SITE, teams, AlertPolicy(alerts_per_supervisor_hour=6))

    @property
    def now(self) -> datetime:
        """Time of the server."""
        return START + timedelta(seconds=self.t_s)

    def _arrival(self, agent: str | None, message: Input) -> Arrival:
        self._position += 1
        return Arrival(self._position, self.now, agent, message)

    def _identity(self) -> str:
        self._ids += 1
        return f"id{self._ids:08d}"

    def run(self) -> None:
        """Run to the end of the last slot."""
        restart_s = RESTART_EVERY_S
        while self.t_s < self.end_s:
            self.t_s += WINDOW_S
            if self.t_s >= restart_s:
                restart_s += RESTART_EVERY_S
                kept, self.pipeline = self.pipeline.snapshot(), self._pipeline()
                self.pipeline.restore(kept)
            arrivals = [
                self._arrival(agent.name, message)
                for agent in self.agents
                for message in agent.tell(self.t_s)
            ]
            arrivals += self._what_happens()
            self._take(self.pipeline.step(arrivals, self.now))

    def _what_happens(self) -> list[Arrival]:
        found: list[Arrival] = []
        for agent in self.agents:
            one = agent.episode(self.t_s)
            if one is None or not 0.0 <= self.t_s - one.at_s < WINDOW_S:
                continue
            if "clock" in one.what:
                agent.set_clock()
            if "fine" in one.what:
                fine = ReplyMessage(id=self._identity(), at=self.now, kind=ReplyKind.FINE)
                found.append(self._arrival(agent.name, fine))
            if "decide" in one.what:
                found += self._decide(agent.name)
        return found

    def _decide(self, agent: str) -> list[Arrival]:
        """Take and perhaps close what stands about `agent`."""
        found = []
        for alert in self.pipeline.open_alerts():
            if alert.agent == agent and alert.state is not AlertState.PENDING:
                actions = [Action.TAKE, *([Action.TALK] if self.rng.uniform() < 0.7 else [])]
                found += [
                    self._arrival(
                        None,
                        DecisionMessage(
                            id=self._identity(),
                            at=self.now,
                            alert_id=alert.alert_id,
                            by=f"{agent}-0",
                            action=action,
                            reason="long_calls" if action in DECISIONS else None,
                        ),
                    )
                    for action in actions
                ]
        return found

    def _take(self, out: Outputs) -> None:
        for publication in out.publications:
            alert = publication.message
            if isinstance(alert, AlertMessage) and alert.kind is AlertKind.PERSONAL:
                self._file(alert)
        for point in out.points:
            if point.measurement is Measurement.SCORE and not point.fields["late"]:
                agent = self.by_name[point.tags["agent"]]
                above = float(point.fields.get("evidence", 0.0)) >= _THRESHOLD
                one = agent.episode(self.t_s, AFTER_S)
                if above and not agent.above and one is not None:
                    one.crossings += 1
                agent.above = above

    def _file(self, alert: AlertMessage) -> None:
        agent = self.by_name[str(alert.agent)]
        if any(alert.alert_id in one.alerts for one in agent.episodes):
            return
        one = agent.episode(self.t_s, AFTER_S)
        if one is None:
            self.strays += 1
        else:
            one.alerts[alert.alert_id] = None


@dataclass(slots=True)
class Tally:
    """Episodes by how many alerts they yielded."""

    episodes: int = 0
    alerted: int = 0
    twice: int = 0
    bare_twice: int = 0
    strays: int = 0
    after: Counter[str] = field(default_factory=Counter)

    def add(self, run: Run) -> None:
        """Count the episodes of `run`."""
        self.strays += run.strays
        for agent in run.agents:
            for one in agent.episodes:
                self.episodes += 1
                self.alerted += bool(one.alerts)
                self.twice += len(one.alerts) > 1
                self.bare_twice += one.crossings > 1
                if len(one.alerts) > 1:
                    self.after["+".join(one.what) or "nothing"] += 1


def count(n_alerted: int, n_agents: int, n_slots: int = 4) -> Tally:
    """Return the tally of at least `n_alerted` episodes that yielded an alert."""
    tally, seed = Tally(), 0
    while tally.alerted < n_alerted:
        run = Run(n_agents, n_slots, seed)
        run.run()
        tally.add(run)
        seed += 1
    return tally


def explained(n_agents: int, hours: float) -> dict[str, object]:
    """Return the share of alerts whose named parts are those that they rest on, in order."""
    found = explanations(n_agents, hours, seed=4)
    return {
        "id": "R3.explained",
        "value": round(float(np.mean([one.right and one.in_order for one in found])), 3),
        "unit": "share of alerts whose named parts all take most from the evidence, in order",
        "named": sum(len(one.named) for one in found),
        "named_though_harmless": sum(one.harmless for one in found),
        "n": len(found),
    }


def main() -> int:
    """Print two JSON objects."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--episodes", type=int, default=0)
    options = parser.parse_args()
    tally = count(
        options.episodes or (200 if options.quick else 10_000), 60 if options.quick else 400
    )
    line = {
        "id": "R3",
        "value": tally.twice,
        "unit": "episodes with two alerts",
        "peer": {"name": "a bare threshold on the same evidence", "value": tally.bare_twice},
        "n": tally.alerted,
        "episodes": tally.episodes,
        "outside_any_episode": tally.strays,
        "after": dict(tally.after.most_common(10)),
    }
    print(json.dumps(line))
    print(json.dumps(explained(24 if options.quick else 200, 1.5 if options.quick else 8.0)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
