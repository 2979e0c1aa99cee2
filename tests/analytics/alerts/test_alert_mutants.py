"""The properties of the alert machine can fail: each fault put in here on purpose is found.

What is played is the shortest way to the fault; without the fault it is harmless.
"""

from collections.abc import Callable
from contextlib import nullcontext
from types import MappingProxyType
from typing import Any

import pytest

from analytics.alerts import alerting, notices
from analytics.alerts.alert_book import AlertBook
from analytics.alerts.alerting import Event, UndefinedTransitionError
from analytics.alerts.budget import Budget
from analytics.alerts.matters import Matters
from analytics.alerts.personal import PersonalAlerts
from analytics.alerts.technical import Technical
from sensors.messages import Action, AlertState, NoticeKind, RequestKind
from tests.analytics.alerts.test_alert_machine import AlertMachine

Patch = Callable[[pytest.MonkeyPatch], None]
Play = Callable[[AlertMachine], None]


def replaced(owner: Any, name: str, by: Any) -> Patch:
    return lambda patch: patch.setattr(owner, name, by)


def table(state: AlertState, event: Event, *to: AlertState) -> Patch:
    """Return a table with another target for a row, or without the row."""
    rest = {key: value for key, value in alerting.TABLE.items() if key != (state, event)}
    if to:
        rest[state, event] = to[0]
    return replaced(alerting, "TABLE", MappingProxyType(rest))


def nothing(*_: object) -> None:
    return None


def first_in_line(_self: Budget, _alert: str, line: tuple[str, ...], _now: object) -> str | None:
    return line[0] if line else None


def back_for_free(self: PersonalAlerts, alert: alerting.Alert, now: Any) -> None:
    self._book.apply(alert.message.alert_id, Event.RETURN, now)


def told_again_for_free(self: PersonalAlerts, alert: Any, event: Event, *rest: Any) -> bool:
    line, now = rest
    if line:
        told_to = alerting.hand_on_order(alert.message.told_to, line[0])
        self._book.apply(alert.message.alert_id, event, now, told_to=told_to)
    return bool(line)


def dropped(self: PersonalAlerts, alert: alerting.Alert, *_: object) -> None:
    del self._book._open[alert.message.alert_id]
    self._book._dirty[alert.message.alert_id] = None


def hide(alert: alerting.Alert | None) -> Any:
    return None if alert is None or alert.message.request else alert.message


def always_fresh(*args: Any, **named: Any) -> Any:
    found = OF_EVENT(*args, **named)
    if found is not None and found.message.kind is NoticeKind.ALERT_SHOWN_AGAIN:
        object.__setattr__(found.message, "kind", NoticeKind.ALERT_TOLD)
    return found


OF_EVENT = notices.of_event


def told(m: AlertMachine, agent: str = "k0") -> str:
    m.episode_begins(agent=agent)
    return next(a.alert_id for a in m.evidence.floor.open() if a.agent == agent)


def flickers(m: AlertMachine) -> None:
    told(m)
    m.evidence_flickers(agent="k0", seconds=120)


def answered_and_flickers(m: AlertMachine) -> None:
    m.decide(told(m), Action.TALK)
    m.evidence_flickers(agent="k0", seconds=120)


def rests_on_a_broken_headset(m: AlertMachine) -> None:
    m.headset(agent="k0", broken=True)
    m.episode_begins(agent="k0")


def five_in_turn(m: AlertMachine) -> None:
    for i in range(5):
        m.episode_begins(agent=f"k{i}")
        m.time_passes(seconds=400)
        m.evidence_goes(agent=f"k{i}")


def comes_back_into_a_full_hour(m: AlertMachine) -> None:
    m.episode_begins(agent="k0")
    m.time_passes(seconds=400)
    m.evidence_goes(agent="k0")
    for seconds in (1900, 700, 400, 130, 130):  # beyond the hour in which it was told
        m.time_passes(seconds=seconds)
    for i in range(1, 5):
        m.episode_begins(agent=f"k{i}")
        m.evidence_goes(agent=f"k{i}")
        m.time_passes(seconds=30)
    m.episode_begins(agent="k0")


def nobody_answers(m: AlertMachine) -> None:
    for i in range(4):
        m.episode_begins(agent=f"k{i}")
        m.time_passes(seconds=400)
    m.time_passes(seconds=700)


def waits_and_goes(m: AlertMachine) -> None:
    m.headset(agent="k0", broken=True)
    m.episode_begins(agent="k0")
    m.evidence_goes(agent="k0")


def nobody_decides(m: AlertMachine) -> None:
    told(m)
    m.evidence_goes(agent="k0")
    m.time_passes(seconds=3700)


def restarts_in_a_matter(m: AlertMachine) -> None:
    m.decide(told(m), Action.TALK)
    m.server_restarts()
    m.evidence_flickers(agent="k0", seconds=120)


def restarts_in_a_full_hour(m: AlertMachine) -> None:
    five_in_turn(m)
    m.server_restarts()
    m.episode_begins(agent="k4")


def decision_twice(m: AlertMachine) -> None:
    m.decide(told(m), Action.TALK)
    m.tell_again(m.decisions[-1])


def asks(m: AlertMachine) -> None:
    m.asks(agent="k0", kind=RequestKind.HELP_NOW)


FAULTS = [
    pytest.param(
        table(AlertState.PENDING, Event.VANISH), waits_and_goes, "cannot vanish", id="lost row"
    ),
    pytest.param(
        table(AlertState.RESOLVED, Event.EXPIRE, AlertState.CLOSED),
        nobody_decides,
        "CLOSED",
        id="closes by itself",
    ),
    pytest.param(
        replaced(Matters, "of", nothing), answered_and_flickers, "two alerts", id="second alert"
    ),
    pytest.param(
        replaced(notices, "of_event", always_fresh), flickers, "two notices", id="second notice"
    ),
    pytest.param(
        replaced(Technical, "inhibitor", nothing),
        rests_on_a_broken_headset,
        "broken headset",
        id="fault of a device",
    ),
    pytest.param(
        replaced(Budget, "room", first_in_line), five_in_turn, "above the ceiling", id="no ceiling"
    ),
    pytest.param(
        replaced(PersonalAlerts, "_return", back_for_free),
        comes_back_into_a_full_hour,
        "above the ceiling",
        id="back for free",
    ),
    pytest.param(
        replaced(PersonalAlerts, "_tell_next", told_again_for_free),
        nobody_answers,
        "above the ceiling",
        id="passed on for free",
    ),
    pytest.param(
        replaced(PersonalAlerts, "_lose", dropped),
        waits_and_goes,
        "without a record",
        id="dropped silently",
    ),
    pytest.param(
        replaced(PersonalAlerts, "to_plain", lambda _: {}),
        restarts_in_a_matter,
        "a restart changed",
        id="restart forgets answers",
    ),
    pytest.param(
        replaced(Budget, "to_plain", lambda _: {}),
        restarts_in_a_full_hour,
        "a restart changed",
        id="restart forgets the hour",
    ),
    pytest.param(
        replaced(AlertBook, "first_time", lambda *_: True),
        decision_twice,
        "counted twice",
        id="decision heard twice",
    ),
    pytest.param(
        replaced(AlertBook, "_message", staticmethod(hide)),
        asks,
        "is not seen",
        id="request hidden",
    ),
]


def play(scene: Play) -> None:
    machine = AlertMachine()
    scene(machine)
    for check in (
        machine.one_personal_alert_per_person,
        machine.one_episode_is_one_alert_and_one_notice,
        machine.nothing_leaves_without_a_record,
        machine.requests_are_always_seen,
        machine.retained_topics_hold_what_is_open,
        machine.never_above_the_ceiling,
    ):
        check()


@pytest.mark.parametrize("fault", [True, False], ids=["with", "without"])
@pytest.mark.parametrize(("put_in", "scene", "finding"), FAULTS)
def test_a_fault_put_in_is_found_and_nothing_else(
    put_in: Patch, scene: Play, finding: str, fault: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fault:
        put_in(monkeypatch)
    found = pytest.raises((AssertionError, UndefinedTransitionError), match=finding)
    with found if fault else nullcontext():
        play(scene)
