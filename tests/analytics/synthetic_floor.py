"""A synthetic floor for the pipeline's tests: agents as plain functions of time, no device."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np

from analytics.events import Arrival, Input, Outputs
from analytics.people.teams import Teams, parse_teams
from analytics.pipeline.pipeline import Pipeline
from analytics.store.points import Measurement, Point
from sensors.messages import (
    Absence,
    Action,
    AlertKind,
    AlertMessage,
    DecisionMessage,
    Heart,
    Keyboard,
    Modules,
    NoticeMessage,
    ReadingMessage,
)
from sensors.signals import Channel

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
SITE = "north"
CALM_S = 600.0


def teams(n_agents: int, name: str = "billing", **extra: object) -> Teams:
    table = {
        "supervisors": ["ana", "bo"],
        "time_zone": "UTC",
        "agents": [f"k{i}" for i in range(n_agents)],
        **extra,
    }
    return parse_teams({name: table})


@dataclass
class Person:
    """Someone whose windows can be asked for; `strain` maps seconds to 0..1."""

    agent: str
    strain: Callable[[float], float] = lambda _: 0.0
    absent: Callable[[float], dict[Channel, Absence]] = lambda _: {}
    seq: int = 0
    run: str = "run00001"
    source: str = "pc"
    rng: np.random.Generator = field(default=None)  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if self.rng is None:
            self.rng = np.random.default_rng(sum(self.agent.encode()) + 7)

    def window(self, t_s: float) -> ReadingMessage:
        strain, absent = self.strain(t_s), self.absent(t_s)
        noise = self.rng.normal(size=4)
        bpm = 70.0 + 25.0 * strain + 1.5 * noise[0]
        rr = 60_000.0 / bpm
        beats = tuple(float(-rr * i) for i in range(int(5000 // rr), -1, -1))
        sections = {
            Channel.HEART: Heart(
                quality=0.95, hr_bpm=bpm, rr_ms=(rr,) * len(beats), beat_offset_ms=beats
            ),
            Channel.KEYBOARD: Keyboard(
                quality=0.9,
                key_presses=20.0,
                dwell_ms=100.0 + 3.0 * noise[1] + 20.0 * strain,
                flight_ms=150.0 + 8.0 * noise[2] + 80.0 * strain,
                key_corrections=float(1 + round(4 * strain)),
            ),
            Channel.MODULES: Modules(
                quality=0.9, values={"eda_us": 4.0 * float(np.exp(0.03 * noise[3] + strain))}
            ),
        }
        message = ReadingMessage(
            source=self.source,
            run=self.run,
            seq=self.seq,
            window_end_at=START + timedelta(seconds=t_s),
            absent=absent,
            **{c.value: s for c, s in sections.items() if c not in absent},
        )
        self.seq += 1
        return message


class Floor:
    """Drives a pipeline with a floor of persons, 5 s a step, and keeps what came out."""

    def __init__(self, people: Sequence[Person], pipeline: Pipeline) -> None:
        self.people = list(people)
        self.pipeline = pipeline
        self.t_s = 0.0
        self.points: list[Point] = []
        self.alerts: dict[str, list[AlertMessage | None]] = {}
        self.notices: list[tuple[str, NoticeMessage]] = []
        self._position = 0
        self._ids = 0

    @property
    def now(self) -> datetime:
        return START + timedelta(seconds=self.t_s)

    def arrival(self, agent: str | None, message: Input) -> Arrival:
        self._position += 1
        return Arrival(self._position, self.now, agent, message)

    def windows(self) -> list[Arrival]:
        return [self.arrival(p.agent, p.window(self.t_s)) for p in self.people]

    def feed(self, arrivals: Iterable[Arrival] = ()) -> Outputs:
        out = self.pipeline.step(list(arrivals), self.now)
        self.points.extend(out.points)
        for publication in out.publications:
            _, _, site, kind, *rest = publication.topic.split("/")
            assert site == SITE
            if kind == "alert":
                assert publication.message is None or isinstance(publication.message, AlertMessage)
                self.alerts.setdefault(rest[0], []).append(publication.message)
            else:
                assert isinstance(publication.message, NoticeMessage)
                self.notices.append((rest[0], publication.message))
        return out

    def run(self, seconds: float, *, until: Callable[[], bool] = lambda: False) -> bool:
        end_s = self.t_s + seconds
        while self.t_s < end_s:
            self.t_s += 5.0
            self.feed(self.windows())
            if until():
                return True
        return False

    def say(self, agent: str | None, message: Input) -> Outputs:
        return self.feed([self.arrival(agent, message)])

    def decide(self, alert_id: str, action: Action, by: str = "ana", **extra: object) -> Outputs:
        self._ids += 1
        facts = {"alert_id": alert_id, "by": by, "action": action, **extra}
        return self.say(None, DecisionMessage(id=f"decision{self._ids}", at=self.now, **facts))

    def open(self, kind: AlertKind | None = None) -> list[AlertMessage]:
        return [a for a in self.pipeline.open_alerts() if kind in {None, a.kind}]

    def of(self, measurement: Measurement) -> list[Point]:
        return [p for p in self.points if p.measurement is measurement]

    def told(self, agent: str) -> list[str]:
        return [n.kind.value for a, n in self.notices if a == agent]


def strained_after(start_s: float, until_s: float = 1e9) -> Callable[[float], float]:
    return lambda t: float(np.clip((t - start_s) / 60.0, 0.0, 1.0)) if t < until_s else 0.0
