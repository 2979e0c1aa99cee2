"""One episode is one alert, through real scoring: flicker, clocks, restarts, what is told twice."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from analytics.pipeline.pipeline import Pipeline
from analytics.store.points import Measurement
from sensors.messages import Action, AlertKind, ReadingMessage
from tests.analytics.synthetic_floor import (
    CALM_S,
    SITE,
    START,
    Floor,
    Person,
    strained_after,
    teams,
)

EPISODE_S = 900.0


@dataclass
class Wrong(Person):
    """Somebody whose machine's clock is off by `clock(t)` seconds, and knows it."""

    clock: Callable[[float], float] = lambda _: 0.0

    def window(self, t_s: float) -> ReadingMessage:
        off_s = self.clock(t_s)
        return replace(
            super().window(t_s),
            window_end_at=START + timedelta(seconds=t_s + off_s),
            clock_offset_ms=-1000.0 * off_s,
        )


def flickering(t: float) -> float:
    """Return strain that goes for a minute and a half every five."""
    return 1.0 if CALM_S < t < CALM_S + EPISODE_S and t % 300 < 210 else 0.0


def steady(t: float) -> float:
    return strained_after(CALM_S)(t) if t < CALM_S + EPISODE_S else 0.0


def pipeline() -> Pipeline:
    return Pipeline(SITE, teams(3))


def told(f: Floor) -> list[str]:
    return [
        str(p.fields["alert_id"])
        for p in f.of(Measurement.TRANSITION)
        if p.fields["event"] == "fire" and p.fields["kind"] == AlertKind.PERSONAL
    ]


def restart(f: Floor) -> None:
    kept = f.pipeline.snapshot()
    f.pipeline = pipeline()
    f.pipeline.restore(kept)


def steps(t: float) -> float:
    """Return a clock that is set back ten minutes and right again, every five minutes."""
    return -600.0 if t > CALM_S + 300 and t % 600 < 300 else 0.0


@pytest.mark.parametrize(
    ("person", "decided"),
    [
        pytest.param(Person("k2", flickering), True, id="flicker, decided"),
        pytest.param(Wrong("k2", steady, clock=steps), True, id="clock, decided"),
        pytest.param(Wrong("k2", flickering, clock=steps), False, id="both, nobody decides"),
    ],
)
def test_one_episode_is_told_once(person: Person, decided: bool) -> None:
    f = Floor([Person("k0"), Person("k1"), person], pipeline())
    assert f.run(CALM_S + 300, until=lambda: bool(told(f))), "never found"
    if decided:
        f.decide(told(f)[0], Action.TALK)
    while f.t_s < CALM_S + EPISODE_S + 600:
        if f.t_s % 400 == 0:
            restart(f)
        arrivals = f.windows()
        f.t_s += 5.0
        f.feed([*arrivals, *arrivals[-1:]])  # and the last of them told again
    assert len(set(told(f))) == 1
    assert f.told("k2").count("alert_told") == 1
