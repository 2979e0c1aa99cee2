"""A floor whose evidence is set by hand: what follows from it is the real pipeline's.

Everything else (requests, replies, decisions, time, faults) arrives as in production.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace

import numpy as np

from analytics.alerts.alerting import AlertPolicy
from analytics.pipeline.pipeline import Pipeline
from analytics.signals.features import PARTS, Part
from analytics.store.points import Measurement, Point
from sensors.messages import Absence, AlertKind
from sensors.signals import Channel
from tests.analytics.synthetic_floor import SITE, START, Floor, Person, teams

TELLING = frozenset({"fire", "return", "escalate", "repeat"})
"""The events by which the system itself asks a supervisor for something."""

_HEART = PARTS.index(Part.HEART)


@dataclass(frozen=True)
class Telling:
    """One time that the system asked a supervisor about a person."""

    t_s: float
    event: str
    alert_id: str
    agent: str
    to: str


class Evidence:
    """Agents k0, k1, ... of one team, and what is seen of them."""

    def __init__(self, n_agents: int, *, policy: AlertPolicy | None = None, **team: object) -> None:
        self.agents = tuple(f"k{i}" for i in range(n_agents))
        self.teams = teams(n_agents, **team)
        self.policy = policy
        self.floor = Floor([], self._new())
        self.tellings: list[Telling] = []
        self.standing: dict[str, float] = {}
        self.away: set[str] = set()
        self.faulty: set[str] = set()
        self.monitored: dict[str, Person] = {}

    def _new(self) -> Pipeline:
        return Pipeline(SITE, self.teams, self.policy)

    @property
    def pipeline(self) -> Pipeline:
        return self.floor.pipeline

    def restart(self) -> None:
        """Replace the server by one that knows only the snapshot."""
        kept = self.pipeline.snapshot()
        self.floor.pipeline = self._new()
        self.pipeline.restore(kept)
        assert self.pipeline.snapshot() == kept

    def begin(self, *agents: str) -> None:
        """Let an episode of each begin now, unless one stands."""
        for agent in agents:
            if agent not in self.standing:
                self.standing[agent] = self.floor.t_s
                self._show()
                row = self.pipeline._floor.row(agent)
                judged = SimpleNamespace(
                    windows=[SimpleNamespace(row=row)],
                    place=np.array([0]),
                    episodes=SimpleNamespace(began=np.array([True])),
                )
                self.pipeline._personal.begin(judged, self.floor.now)

    def end(self, *agents: str) -> None:
        """Let the evidence of each go."""
        for agent in agents:
            self.standing.pop(agent, None)

    def leave(self, agent: str) -> None:
        """Let nothing more be seen of `agent`, whatever it was."""
        self.away.add(agent)

    def break_heart(self, agent: str, *, broken: bool = True) -> None:
        """Disconnect or reconnect the only channel that the evidence rests on."""
        (self.faulty.add if broken else self.faulty.discard)(agent)
        heart = {Channel.HEART: Absence.DISCONNECTED}
        self.monitored[agent] = Person(agent, absent=lambda _: heart if broken else {})

    def _show(self) -> None:
        """Write what is seen into the floor, as judging a round of windows does."""
        inner, now_s = self.pipeline._floor, self.floor.now.timestamp()
        for agent in self.agents:
            if agent in self.away:
                continue
            row, since_s = inner.row(agent), self.standing.get(agent)
            started_s = np.nan if since_s is None else (START.timestamp() + since_s)
            seen = {
                "team": 0, "learning": False, "known": True, "judged_s": now_s,
                "active": since_s is not None, "started_s": started_s, "quality": 0.9,
            }  # fmt: skip
            for name, value in seen.items():
                inner.columns[name][row] = value
            inner.level[row] = 0
            inner.level[row, _HEART] = 2 if since_s is not None else 0
            for kept in (inner.adds, inner.says):
                kept[row] = 0.0
                kept[row, _HEART] = 1.2 if since_s is not None else 0.0

    def _send_windows(self) -> None:
        """Let the machine of everybody whose headset ever broke say how it is."""
        now_s = self.floor.now.timestamp()
        for agent, person in self.monitored.items():
            window = person.window(self.floor.t_s)
            self.pipeline._technical.window(agent, window, now_s, self.floor.now, late=False)

    def step(self, *said: tuple[str | None, object]) -> list[Point]:
        """Make one step of the pipeline and return its points."""
        self._show()
        self._send_windows()
        out = self.floor.feed([self.floor.arrival(a, m) for a, m in said])  # type: ignore[arg-type]
        self.tellings += _tellings(out.points, self.floor.t_s)
        return out.points

    def wait(self, seconds: float, every_s: float = 5.0) -> None:
        """Let time pass, with a step at least every `every_s`."""
        end_s = self.floor.t_s + seconds
        while self.floor.t_s < end_s:
            self.floor.t_s = min(self.floor.t_s + every_s, end_s)
            self.step()

    def events(self, kind: AlertKind = AlertKind.PERSONAL) -> list[str]:
        """Return what happened to the alerts of `kind`, in order."""
        found = self.floor.of(Measurement.TRANSITION)
        return [str(p.fields["event"]) for p in found if p.fields["kind"] == kind]

    def most_in_an_hour(self, supervisor: str) -> int:
        """Return how many different alerts asked for `supervisor` in the busiest hour."""
        return most_in_an_hour(one for one in self.tellings if one.to == supervisor)


def _tellings(points: Iterable[Point], t_s: float) -> list[Telling]:
    return [
        Telling(
            t_s,
            str(p.fields["event"]),
            str(p.fields["alert_id"]),
            p.tags["agent"],
            str(p.fields.get("told_to", "nobody")).split(",", maxsplit=1)[0],
        )
        for p in points
        if p.measurement is Measurement.TRANSITION
        and p.fields["kind"] == AlertKind.PERSONAL
        and p.fields["event"] in TELLING
        and p.fields["state"] == "firing"
    ]


def most_in_an_hour(tellings: Iterable[Telling]) -> int:
    """Return the most different alerts told in any hour; slow, obvious and exact."""
    found = list(tellings)
    hour_s = timedelta(hours=1).total_seconds()
    return max(
        (len({b.alert_id for b in found if 0.0 <= b.t_s - a.t_s < hour_s}) for a in found),
        default=0,
    )
