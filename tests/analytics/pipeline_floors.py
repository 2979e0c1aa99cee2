"""Floors for the scenarios of the pipeline."""

from analytics.pipeline.pipeline import Pipeline
from sensors.messages import (
    RequestKind,
    RequestMessage,
)
from tests.analytics.synthetic_floor import (
    CALM_S,
    SITE,
    Floor,
    Person,
    strained_after,
    teams,
)


def floor(n: int = 6, strained: dict[int, Person] | None = None, **extra: object) -> Floor:
    """Return a team of `n`, `strained` in place of those with the same number."""
    people = [(strained or {}).get(i) or Person(f"k{i}") for i in range(n)]
    return Floor(people, Pipeline(SITE, teams(n), **extra))


def one_strained(until_s: float = 1e9) -> Floor:
    """Return a team whose fourth is strained after calm, until `until_s`."""
    return floor(strained={3: Person("k3", strained_after(CALM_S, until_s))})


def request(floor: Floor, agent: str, kind: RequestKind, number: int = 1) -> None:
    """Let `agent` ask."""
    floor.say(agent, RequestMessage(id=f"request{number}", at=floor.now, kind=kind))
