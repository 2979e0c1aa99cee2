"""A technical fault is for whoever repairs and never a word about a person."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from analytics.alerts.alerting import UPDATE_EVERY
from analytics.pipeline.pipeline import Pipeline
from sensors.messages import (
    Absence,
    Action,
    AlertKind,
    AlertState,
    RequestKind,
    RequestMessage,
    StatusMessage,
)
from sensors.signals import Channel
from tests.analytics.synthetic_floor import CALM_S, SITE, Floor, Person, strained_after, teams

Absent = Callable[[float], dict[Channel, Absence]]


def broken(reason: Absence, start_s: float, end_s: float = 1e9, *channels: Channel) -> Absent:
    parts = channels or (Channel.HEART,)
    return lambda t: dict.fromkeys(parts, reason) if start_s <= t < end_s else {}


def floor(*people: Person, n: int = 6) -> Floor:
    return Floor(people or [Person("k0")], Pipeline(SITE, teams(n)))


@pytest.mark.parametrize("reason", [Absence.DISCONNECTED, Absence.FAULT])
def test_a_channel_in_trouble_for_a_minute_is_one_technical_alert(reason: Absence) -> None:
    f = floor(Person("k0", absent=broken(reason, 100, 300)))
    f.run(155)
    assert f.open() == []
    f.run(5)
    (alert,) = f.open()
    assert (alert.kind, alert.agent, alert.fault) == (AlertKind.TECHNICAL, "k0", reason)
    assert (alert.channel, alert.state) == (Channel.HEART, AlertState.FIRING)
    assert alert.told_to == ()
    assert alert.contributions == ()
    f.run(145)
    assert f.open()[0].state is AlertState.RESOLVED
    f.run(300)
    assert f.open() == [], "repaired, it needs nobody"
    assert len(f.alerts) == 1
    assert f.notices == []


@pytest.mark.parametrize("reason", [Absence.WITHHELD, Absence.NOT_WORN, Absence.POOR])
def test_what_nobody_can_repair_is_no_fault(reason: Absence) -> None:
    f = floor(Person("k0", absent=broken(reason, 100, 1e9, *Channel)))
    f.run(600)
    assert f.alerts == {}


def test_flapping_is_one_alert() -> None:
    f = floor(
        Person("k0", absent=lambda t: {Channel.HEART: Absence.FAULT} if t % 200 < 120 else {})
    )
    f.run(1200)
    assert len(f.alerts) == 1


def test_a_decided_fault_is_not_raised_again_while_it_lasts() -> None:
    f = floor(Person("k0", absent=broken(Absence.FAULT, 10)))
    f.run(100)
    f.decide(f.open()[0].alert_id, Action.FIX_THE_WORK)
    f.run(600)
    assert f.open() == []
    assert len(f.alerts) == 1


def test_silence_and_last_will_in_the_shift() -> None:
    f = floor(Person("k0"), Person("k1"))
    f.run(60)
    gone = f.people.pop()
    f.run(25)
    assert f.open() == []
    f.run(10)
    (alert,) = f.open()
    assert (alert.kind, alert.agent, alert.fault) == (AlertKind.TECHNICAL, "k1", "offline")
    f.people.append(gone)
    f.run(10)
    assert f.open()[0].state is AlertState.RESOLVED
    will = StatusMessage(source="pc", run="run00001", online=False, at=f.now)
    f.people.pop()
    f.say("k1", will)
    f.run(5)
    assert f.open()[0].state is AlertState.FIRING
    assert len(f.alerts) == 1


def test_a_will_of_an_older_run_says_nothing() -> None:
    f = floor()
    f.run(60)
    f.say("k0", StatusMessage(source="pc", run="run00000", online=False, at=f.now))
    f.run(20)
    assert f.alerts == {}


def test_a_machine_that_falls_asleep_while_all_is_withheld_is_private() -> None:
    f = floor(Person("k0"), Person("k1"))
    f.run(60)
    f.people = []
    for agent, state in (("k0", Absence.WITHHELD), ("k1", Absence.DISCONNECTED)):
        links = dict.fromkeys(Channel, state)
        f.say(agent, StatusMessage(source="pc", run="run00001", online=True, at=f.now, links=links))
    f.run(60)
    assert [a.agent for a in f.open()] == ["k1"], "locked, before a window could say so"


@pytest.mark.parametrize("after_s", [30.0, 90.0], ids=["before it is told", "after"])
def test_what_is_broken_is_nobody_s_any_more_after_a_goodbye(after_s: float) -> None:
    f = floor(Person("k0", absent=broken(Absence.FAULT, 10)))
    f.run(after_s)
    goodbye = {"online": False, "goodbye": True, "at": f.now}
    f.say("k0", StatusMessage(source="pc", run="run00001", **goodbye))
    f.people = []
    f.run(90)
    assert [a for a in f.open() if a.state is AlertState.FIRING] == []
    assert f.pipeline._technical.faulty_channels("k0") == {}


def test_a_team_that_goes_silent_together_is_one_alert() -> None:
    f = floor(*(Person(f"k{i}") for i in range(6)))
    f.run(60)
    f.people = f.people[:1]
    f.run(40)
    (alert,) = f.open()
    assert (alert.agent, alert.fault, alert.affected, alert.team_size) == (None, "offline", 5, 6)


def test_the_figures_of_a_silent_team_are_those_of_now() -> None:
    f = floor(*(Person(f"k{i}") for i in range(20)), n=20)
    f.run(60)
    f.people = f.people[8:]
    f.run(20)
    f.people = []
    assert f.run(40, until=lambda: bool(f.open()))
    assert [(a.affected, a.team_size) for a in f.open()] == [(8, 20)]
    f.run(UPDATE_EVERY.total_seconds() - 5)
    assert [a.affected for a in f.open()] == [8], "nobody reads a flicker"
    f.run(5)
    assert [(a.affected, a.team_size) for a in f.open()] == [(20, 20)]


@pytest.mark.parametrize("told", [False, True])
def test_no_window_no_time_in_which_a_device_was_broken(told: bool) -> None:
    """A headset leaves as the lid is closed, and is back moments after it is opened."""
    f = floor(Person("k0", absent=broken(Absence.DISCONNECTED, 30 if told else 90, 120 + 3600)))
    f.run(100)
    assert bool(f.open()) is told
    people, f.people = f.people, []
    f.t_s += 3600
    f.feed()  # the server heard nothing meanwhile
    f.people = people
    f.run(15)
    assert [a.channel for a in f.open() if a.state is AlertState.FIRING] == (
        [Channel.HEART] if told else []
    )
    told_of = [a.alert_id for a in f.open() if a.channel]
    assert list(f.pipeline._technical.faulty_channels("k0").values())[: len(told_of)] == told_of


def test_a_server_that_was_deaf_blames_nobody() -> None:
    f = floor(*(Person(f"k{i}") for i in range(6)))
    f.run(60)
    f.t_s += 600
    f.feed()
    f.run(20)
    assert f.alerts == {}


def test_off_shift_silence_is_no_fault() -> None:
    shifts = [{"days": ["mon"], "start": "08:00", "end": "09:02"}]
    f = Floor([Person("k0")], Pipeline(SITE, teams(1, shifts=shifts)))
    f.run(110)
    f.people = []
    f.run(300)
    assert f.alerts == {}


def test_faults_never_raise_a_wellbeing_alert() -> None:
    def storm(t: float) -> dict[Channel, Absence]:
        reasons = list(Absence)
        step = int(t // 35)
        parts = (Channel.HEART, Channel.KEYBOARD, Channel.MODULES)
        return {c: reasons[(step + i) % 5] for i, c in enumerate(parts) if (step + i) % 3}

    f = floor(Person("k0", absent=storm), Person("k1"))
    f.run(CALM_S + 900)
    kinds = {m.kind for messages in f.alerts.values() for m in messages if m}
    assert kinds <= {AlertKind.TECHNICAL}


def test_an_alert_that_rests_on_the_faulty_channel_gives_way() -> None:
    only_heart = dict.fromkeys((Channel.KEYBOARD, Channel.MODULES), Absence.WITHHELD)

    def absent(t: float) -> dict[Channel, Absence]:
        heart = {Channel.HEART: Absence.DISCONNECTED} if f.t_s > broken_at else {}
        return {**only_heart, **heart}

    broken_at = 1e9
    f = floor(Person("k0", strained_after(CALM_S), absent), n=1)
    assert f.run(CALM_S + 600, until=lambda: bool(f.open()))
    (alert,) = f.open()
    assert alert.kind is AlertKind.PERSONAL
    assert [c.part for c in alert.contributions] == ["heart"]
    broken_at = f.t_s
    f.run(5)
    assert f.open() == [], "taken back at once"
    f.run(65)
    (fault,) = f.open()
    assert fault.kind is AlertKind.TECHNICAL
    assert f.alerts[alert.alert_id][-1] is None
    assert f.told("k0") == ["alert_told", "alert_resolved"]


def test_a_device_that_another_source_replaces_holds_no_alert_back() -> None:
    everything = (Channel.HEART, Channel.KEYBOARD, Channel.MODULES)
    spare = Person(
        "k0",
        absent=broken(Absence.DISCONNECTED, 0, 1e9, *everything),
        run="run00002",
        source="vdi",
    )
    worn = Person("k0", strained_after(CALM_S))
    f = floor(worn, spare, n=1)
    assert f.run(CALM_S + 600, until=lambda: bool(f.open(AlertKind.PERSONAL)))
    assert f.told("k0") == ["alert_told"]
    (alert,) = f.open(AlertKind.PERSONAL)
    assert alert.state is AlertState.FIRING
    assert len(f.open(AlertKind.TECHNICAL)) == len(everything), "still somebody's to repair"


def test_help_comes_through_with_every_channel_broken() -> None:
    f = floor(Person("k0", absent=broken(Absence.FAULT, 0, 1e9, *Channel)))
    f.run(120)
    f.say("k0", RequestMessage(id="request1", at=f.now, kind=RequestKind.HELP_NOW))
    assert [a.kind for a in f.open(AlertKind.REQUEST)] == [AlertKind.REQUEST]


def test_lost_evidence_is_not_fine_but_does_not_fire_for_ever() -> None:
    f = floor(Person("k0", strained_after(CALM_S)), Person("k1"))
    assert f.run(CALM_S + 600, until=lambda: bool(f.open()))
    f.people = f.people[1:]
    f.run(595)
    assert f.open(AlertKind.PERSONAL)[0].state is AlertState.FIRING
    f.run(10)
    (alert,) = f.open(AlertKind.PERSONAL)
    assert (alert.state, alert.reason) == (AlertState.RESOLVED, "no_data")
    assert f.now - (alert.resolved_at or f.now) <= timedelta(seconds=10)
