"""TRUST T13 and T14 by fault injection: unknown is never fine, and the past raises no alert."""

from dataclasses import replace

import pytest

from analytics.pipeline.pipeline import Pipeline
from analytics.scoring.measured import UNMEASURED_S
from analytics.signals.features import PART_CHANNEL, Part
from analytics.store.points import Measurement, Point
from sensors.messages import Absence, AlertKind
from sensors.signals import Channel
from tests.analytics.synthetic_floor import CALM_S, SITE, Floor, Person, strained_after, teams

WITHIN_S = UNMEASURED_S + 5.0


def _floor(*people: Person) -> Floor:
    return Floor(people, Pipeline(SITE, teams(len(people))))


def _scores_after(floor: Floor, seconds: float) -> list[Point]:
    floor.points.clear()
    floor.run(seconds)
    return floor.of(Measurement.SCORE)


@pytest.mark.parametrize("reason", Absence)
def test_whoever_gives_nothing_is_unknown_within_three_windows(reason: Absence) -> None:
    """Every reason, every channel; features look back a minute and must not speak for now."""
    floor = _floor(
        Person("k0", absent=lambda t: dict.fromkeys(Channel, reason) if t > CALM_S else {})
    )
    floor.run(CALM_S)
    assert floor.of(Measurement.SCORE)[-1].fields["state"] == "as_usual"
    _scores_after(floor, UNMEASURED_S)
    states = {p.fields["state"] for p in _scores_after(floor, 300)}
    broken = reason in {Absence.DISCONNECTED, Absence.FAULT}
    assert states == {"fault" if broken else "no_data"}
    for point in floor.of(Measurement.SCORE):
        shown = [name for name in point.fields if name.startswith("level_")]
        assert not shown
        assert "score" not in point.fields
        assert "strain_index" not in point.fields


@pytest.mark.parametrize("channel", [Channel.HEART, Channel.KEYBOARD, Channel.MODULES])
def test_one_silent_channel_is_unknown_and_the_others_go_on(channel: Channel) -> None:
    floor = _floor(Person("k0", absent=lambda t: {channel: Absence.NOT_WORN} if t > CALM_S else {}))
    floor.run(CALM_S + UNMEASURED_S)
    parts = {f"level_{part}" for part in Part if PART_CHANNEL[part] is channel}
    for point in _scores_after(floor, 60):
        assert point.fields["state"] == "as_usual"
        shown = {name for name in point.fields if name.startswith("level_")}
        assert shown
        assert not shown & parts


def test_whoever_pauses_is_not_alerted_about_on_what_was_before() -> None:
    """T6: strained, and paused before anybody was told: nobody is told afterwards either."""

    def person(pause_s: float) -> Person:
        withheld = dict.fromkeys(Channel, Absence.WITHHELD)
        return Person("k0", strained_after(CALM_S), lambda t: withheld if t > pause_s else {})

    told = _floor(person(1e9))
    assert told.run(CALM_S + 600, until=lambda: bool(told.open(AlertKind.PERSONAL)))
    paused = _floor(person(told.t_s - WITHIN_S))
    paused.run(CALM_S + 900)
    assert paused.alerts == {}


def test_whoever_pauses_what_differs_and_types_on_as_usual_is_not_alerted_about_it() -> None:
    """T6: the channel that was taken back counts no more, though others still measure."""

    def person(pause_s: float) -> Person:
        withheld = dict.fromkeys((Channel.HEART, Channel.MODULES), Absence.WITHHELD)
        one = Person("k0", strained_after(CALM_S), lambda t: withheld if t > pause_s else {})
        strained, calm = one.window, Person("k0").window
        one.window = lambda t_s: replace(strained(t_s), keyboard=calm(t_s).keyboard)  # type: ignore[method-assign]
        return one

    told = _floor(person(1e9))
    assert told.run(CALM_S + 600, until=lambda: bool(told.open(AlertKind.PERSONAL)))
    paused = _floor(person(told.t_s - 2 * UNMEASURED_S))
    paused.run(CALM_S + 900)
    assert paused.alerts == {}


def test_an_alert_of_somebody_who_pauses_is_not_resolved_as_fine() -> None:
    start = CALM_S
    state = {"paused": False}
    person = Person(
        "k0",
        strained_after(start),
        lambda _: dict.fromkeys(Channel, Absence.WITHHELD) if state["paused"] else {},
    )
    floor = _floor(person)
    assert floor.run(start + 600, until=lambda: bool(floor.open(AlertKind.PERSONAL)))
    state["paused"] = True
    floor.run(900)
    (alert,) = floor.open(AlertKind.PERSONAL)
    assert alert.resolved_at is not None
    assert alert.reason == "no_data"
