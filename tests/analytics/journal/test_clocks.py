"""Clocks of agents that are wrong, are set right, or differ between two sources."""

from dataclasses import replace
from datetime import timedelta

from analytics.pipeline.pipeline import Pipeline
from analytics.state.snapshot import pack, unpack
from analytics.store.points import Measurement
from sensors.messages import Absence, AlertKind, ReadingMessage
from sensors.signals import Channel
from tests.analytics.synthetic_floor import CALM_S, SITE, Floor, Person, strained_after, teams

NOTHING = dict.fromkeys((Channel.HEART, Channel.KEYBOARD, Channel.MODULES), Absence.WITHHELD)


def ahead(person: Person, by_s: float, until_s: float) -> None:
    """Let the clock of `person` be ahead, and known to be, until somebody sets it right."""
    right = person.window

    def window(t_s: float) -> ReadingMessage:
        off_s = by_s if t_s < until_s else 0.0
        message = right(t_s)
        end_at = message.window_end_at + timedelta(seconds=off_s)
        return replace(message, window_end_at=end_at, clock_offset_ms=-1000.0 * off_s)

    person.window = window  # type: ignore[method-assign]


def states(f: Floor) -> list[object]:
    return [p.fields["state"] for p in f.of(Measurement.SCORE)]


def test_an_agent_whose_clock_was_set_back_is_judged_again_within_a_minute() -> None:
    f = Floor([Person("k0", strained_after(CALM_S + 300.0))], Pipeline(SITE, teams(1)))
    ahead(f.people[0], 3600.0, CALM_S)
    f.run(CALM_S + 60.0)
    assert states(f)[-1] == "as_usual"  # what is usual was learnt before
    assert f.run(600.0, until=lambda: bool(f.open(AlertKind.PERSONAL)))


def test_what_is_broken_stays_broken_when_the_clock_is_set_back() -> None:
    broken = {Channel.HEART: Absence.DISCONNECTED}
    f = Floor([Person("k0", absent=lambda _: broken)], Pipeline(SITE, teams(1)))
    ahead(f.people[0], 3600.0, 300.0)
    f.run(295.0)
    (alert,) = f.open(AlertKind.TECHNICAL)
    f.run(300.0)
    assert [(a.alert_id, a.resolved_at) for a in f.open()] == [(alert.alert_id, None)]
    assert [m.state for m in f.alerts[alert.alert_id] if m] == [alert.state]


def test_a_second_source_whose_clock_differs_disturbs_nothing() -> None:
    alone = Floor([Person("k0", strained_after(CALM_S))], Pipeline(SITE, teams(1)))
    other = Person("k0", run="run00002", source="vdi", absent=lambda _: NOTHING)
    both = Floor([Person("k0", strained_after(CALM_S)), other], Pipeline(SITE, teams(1)))
    ahead(other, -600.0, 1e9)
    for f in (alone, both):
        assert f.run(CALM_S + 600.0, until=lambda f=f: bool(f.open(AlertKind.PERSONAL)))
    assert alone.t_s == both.t_s


def test_a_snapshot_from_before_clocks_were_followed_is_read() -> None:
    f = Floor([Person("k0")], Pipeline(SITE, teams(1)))
    f.run(CALM_S)
    arrays, values = unpack(f.pipeline.snapshot())
    del arrays["floor.heard_s"]
    f.pipeline.restore(pack(arrays, values))
    f.run(60.0)
    assert states(f)[-1] == "as_usual"
