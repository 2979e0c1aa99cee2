"""What must not teach does not: late, poor and firing windows; and who is learnt raises nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from analytics.events import Arrival
from analytics.pipeline.pipeline import Pipeline
from analytics.scoring import floor
from analytics.scoring.detector import LEARNING_S
from analytics.scoring.measured import LEARN_QUALITY
from sensors.messages import ReadingMessage
from tests.analytics.synthetic_floor import CALM_S, SITE, Floor, Person, strained_after, teams


def of_quality(message: ReadingMessage, quality: float) -> ReadingMessage:
    """Return `message` with everything measured at `quality`."""
    sections = {
        name: replace(section, quality=quality)
        for name in ("heart", "keyboard", "modules")
        if (section := getattr(message, name)) is not None
    }
    return replace(message, **sections)


def as_it_is(arrival: Arrival) -> Arrival:
    return arrival


def late(arrival: Arrival) -> Arrival:
    return replace(arrival, received_at=arrival.received_at + timedelta(seconds=60))


def poor(arrival: Arrival) -> Arrival:
    assert isinstance(arrival.message, ReadingMessage)
    return replace(arrival, message=of_quality(arrival.message, LEARN_QUALITY / 2))


EASES_S = CALM_S + 900.0


def easing(t_s: float) -> float:
    """Return strain that a quarter of an hour later is half of what it was."""
    return strained_after(CALM_S)(t_s) * (1.0 if t_s < EASES_S else 0.25)


def level(f: Floor) -> np.ndarray:
    return f.pipeline.floor.to_arrays()["detector.mean"][:, 0]


@pytest.mark.parametrize(("change", "teaches"), [(as_it_is, True), (late, False), (poor, False)])
def test_only_good_windows_in_time_teach(
    change: Callable[[Arrival], Arrival], teaches: bool
) -> None:
    f = Floor([Person("k0", strained_after(CALM_S + 60.0))], Pipeline(SITE, teams(200)))
    f.run(CALM_S)
    for window in range(24):
        f.t_s += 5.0
        f.feed([change(one) for one in f.windows()])
        if window == 11:  # the last minute is of such windows alone
            before = level(f)
    assert (level(f) != before).any() == teaches


def test_strain_does_not_teach_what_recovers_does() -> None:
    """An episode swallows nothing, and nothing that only dries slowly keeps it standing."""
    f = Floor([Person("k0", easing)], Pipeline(SITE, teams(1)))
    columns = f.pipeline.floor.columns
    f.run(CALM_S + 240.0, until=lambda: bool(columns["active"][0]))
    told, measured = level(f), level(f) > 0
    while f.t_s < EASES_S:
        f.run(5.0)
        assert columns["active"][0]
        assert (level(f) == told).all()
    f.run(180.0)
    assert columns["active"][0], "no episode was left that could recover"
    assert (level(f) > told)[measured].all()


def test_who_is_still_learnt_raises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floor, "threshold_for", lambda _: 0.3)  # a young level says little
    f = Floor([Person("k0", strained_after(60.0))], Pipeline(SITE, teams(1)))
    columns = f.pipeline.floor.columns
    while f.t_s < LEARNING_S - 30.0:
        f.run(5.0)
        assert columns["learning"][0]
        assert not columns["pending"][0]
    f.run(120.0)
    assert columns["active"][0]
