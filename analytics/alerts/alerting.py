"""What an alert is and how it lives: one table of (state, event) -> state.

Evidence and decision are independent. *Resolved* says that the evidence is
gone, *closed* that a person decided (TRUST T15). Only a decision closes: an
alert that nobody decided leaves the screen for the record (``None`` in the
table) when its evidence never reached anybody, when the agent withdrew the
request, or when it has stood resolved for a documented time (`KEPT_RESOLVED`).

=============  ==================================================================
state          meaning
=============  ==================================================================
pending        an episode has begun, or is back; nobody is told (budget, inhibition, silence)
firing         supervisors are told; nobody has taken it
acknowledged   a person has taken it; the evidence may stand or be gone
resolved       the evidence is gone, nobody has taken it or decided
closed         a person decided
=============  ==================================================================

The table is drawn, and every time constant explained beside its counterpart in
Prometheus Alertmanager, in ``analytics/ALERTS.md``. Everything here is pure:
values and a time in, values out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import blake2s
from types import MappingProxyType
from typing import Any

from sensors.errors import ConfigurationError, WellbeingError
from sensors.messages import Action, AlertKind, AlertMessage, AlertState
from sensors.policy import ALERTS_PER_SUPERVISOR_HOUR


class Event(StrEnum):
    """What can happen to an alert."""

    FIRE = "fire"  # supervisors are told
    VANISH = "vanish"  # the evidence went before anybody was told
    INHIBIT = "inhibit"  # another alert explains it; the card gives way
    SILENCE = "silence"  # a person muted it until a time; the card gives way
    HOLD = "hold"  # the evidence is back and nobody's hour has room; it waits
    UPDATE = "update"  # what is known about it changed
    TAKE = "take"  # a person takes it
    ESCALATE = "escalate"  # nobody answered; it goes on to the next supervisor
    REPEAT = "repeat"  # everybody was told and nobody answered; it is told again
    HAND_ON = "hand_on"  # can't now: a person names who takes it instead
    RESOLVE = "resolve"  # the evidence is gone
    RETURN = "return"  # the evidence is back before anybody decided
    DECIDE = "decide"  # a person decided
    WITHDRAW = "withdraw"  # the agent took the request back
    EXPIRE = "expire"  # it stood resolved for long; it goes into the record
    OUTCOME = "outcome"  # what followed the decision


_P, _F, _A, _R, _C = (
    AlertState.PENDING,
    AlertState.FIRING,
    AlertState.ACKNOWLEDGED,
    AlertState.RESOLVED,
    AlertState.CLOSED,
)

TABLE: MappingProxyType[tuple[AlertState, Event], AlertState | None] = MappingProxyType(
    {
        (_P, Event.FIRE): _F,
        (_P, Event.VANISH): None,
        (_P, Event.INHIBIT): _P,
        (_P, Event.SILENCE): _P,
        (_P, Event.UPDATE): _P,
        (_P, Event.RESOLVE): _R,  # it was told once, waited to be told again, and went
        (_F, Event.INHIBIT): _P,
        (_F, Event.SILENCE): _P,
        (_F, Event.UPDATE): _F,
        (_F, Event.TAKE): _A,
        (_F, Event.ESCALATE): _F,
        (_F, Event.REPEAT): _F,
        (_F, Event.HAND_ON): _F,
        (_F, Event.RESOLVE): _R,
        (_F, Event.DECIDE): _C,
        (_F, Event.WITHDRAW): None,
        (_A, Event.UPDATE): _A,
        (_A, Event.HAND_ON): _F,
        (_A, Event.RESOLVE): _A,  # a person is on it; that the evidence went is told beside
        (_A, Event.RETURN): _A,
        (_A, Event.DECIDE): _C,
        (_A, Event.WITHDRAW): None,
        (_A, Event.EXPIRE): None,
        (_R, Event.TAKE): _A,
        (_R, Event.HAND_ON): _R,
        (_R, Event.RETURN): _F,
        (_R, Event.HOLD): _P,
        (_R, Event.INHIBIT): _P,
        (_R, Event.SILENCE): _P,
        (_R, Event.DECIDE): _C,
        (_R, Event.EXPIRE): None,
        (_C, Event.OUTCOME): _C,
    }
)
"""Every transition there is; ``None`` means that it leaves the screen for the record."""


KEPT_RESOLVED: MappingProxyType[AlertKind, timedelta] = MappingProxyType(
    {
        AlertKind.REQUEST: timedelta(hours=12),
        AlertKind.TEAM: timedelta(hours=1),
        AlertKind.PERSONAL: timedelta(hours=1),
        # A repaired cable needs nobody; flapping within this time is one alert.
        AlertKind.TECHNICAL: timedelta(minutes=5),
    }
)
"""How long a resolved alert that nobody took stays on the screen."""

KEPT_TAKEN = timedelta(hours=12)
"""How long a taken alert whose evidence is gone waits for its decision: one shift."""

OUTCOME_WITHIN = timedelta(days=7)
"""How long after closing what followed can be recorded."""

ESCALATE_AFTER: MappingProxyType[AlertKind, timedelta] = MappingProxyType(
    {
        AlertKind.REQUEST: timedelta(minutes=2),  # SCREENS, People asking
        AlertKind.PERSONAL: timedelta(minutes=10),
    }
)
"""Without an answer for so long, it goes on to the next supervisor on duty.

A personal alert waits longer: nobody asked for anybody, and each telling costs
one of few alerts of an hour. (this project)
"""

REPEAT_AFTER = timedelta(minutes=30)
"""A personal alert that everybody was told and nobody took is told again so long after.

Alertmanager's `repeat_interval` is 4 h; here the longest episode is one. (this project)
"""

ASK_AGAIN_AFTER = timedelta(minutes=5)
"""A request that everybody was told and nobody took is told again so long after. (this project)

Sooner than a personal alert: somebody waits, and it costs nobody's budget.
"""

ASK_AGAIN_FOR = timedelta(hours=1)
"""A request is told again for so long; then it only stands on the screens. (this project)

Whoever asked has had to help themselves by then, and a night must not be full of it.
"""

GROUP_WAIT = timedelta(seconds=30)
"""A personal alert waits so long while others of the team begin with it (Alertmanager's default)."""

UPDATE_EVERY = timedelta(minutes=1)
"""At most so often is the text of an open alert changed: nobody reads a flicker."""

SMALLEST_GROUP = 5
"""Figures about fewer people are not shown (TRUST T16); an operator may ask for more."""

SAYS_FINE = "agent_says_fine"
NO_DATA = "no_data"
"""Reasons of a resolved alert whose evidence did not simply go: answered, or lost from sight."""


class UndefinedTransitionError(WellbeingError, ValueError):
    """A fault of ours: an event that the table does not know in this state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertPolicy:
    """What an operator may set about alerts.

    Parameters
    ----------
    alerts_per_supervisor_hour : int
        Most personal alerts that one supervisor is told in any 60 minutes;
        1 to 6 (TRUST A1). Requests, team and technical alerts do not count.
    smallest_group : int
        Figures about fewer people are not shown; 5 or more (TRUST T16).

    Raises
    ------
    ConfigurationError
        If the ceiling is outside 1 to 6, or the group below 5.
    """

    alerts_per_supervisor_hour: int = ALERTS_PER_SUPERVISOR_HOUR
    smallest_group: int = SMALLEST_GROUP

    def __post_init__(self) -> None:
        if not 1 <= self.alerts_per_supervisor_hour <= 6:
            raise ConfigurationError(
                f"alerts_per_supervisor_hour is {self.alerts_per_supervisor_hour}; "
                "set it to 1 to 6 (more cannot be read and believed)"
            )
        if self.smallest_group < SMALLEST_GROUP:
            raise ConfigurationError(
                f"smallest_group is {self.smallest_group}; set it to {SMALLEST_GROUP} or more"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert as the server keeps it: the message and what no screen needs.

    Parameters
    ----------
    message : AlertMessage
        What the dashboards see.
    source : str or None
        The edge that a technical alert is about.
    passed_at : datetime or None
        When it last reached another supervisor; the clock of escalation.
    updated_at : datetime or None
        When its text last changed.
    inhibited_by : str or None
        Alert that explains this one; while set, this one is not shown.
    silenced_by : str or None
        Silence that mutes this one; while set, this one is not shown.
    opened_at : datetime or None
        Server clock when it was opened.
    lost_at : datetime or None
        Since when a muted alert that was told before has no evidence.
    asked_at : datetime or None
        When the agent was asked whether it was so.
    gone : bool
        It left the screen without a decision.
    """

    message: AlertMessage
    source: str | None = None
    passed_at: datetime | None = None
    updated_at: datetime | None = None
    inhibited_by: str | None = None
    silenced_by: str | None = None
    opened_at: datetime | None = None
    lost_at: datetime | None = None
    asked_at: datetime | None = None
    gone: bool = False

    @property
    def state(self) -> AlertState:
        """State of the message."""
        return self.message.state

    @property
    def open(self) -> bool:
        """Whether it still awaits something: not decided, not gone."""
        return not self.gone and self.message.state is not AlertState.CLOSED

    @property
    def muted(self) -> bool:
        """Whether something else speaks for it, or a person muted it."""
        return self.inhibited_by is not None or self.silenced_by is not None


def alert_id(subject: str, started_at: datetime) -> str:
    """Return the identity of the alert of `subject` (agent or team, with its kind).

    A hash, so that the same episode found twice (restart, retelling) is one alert.
    """
    text = f"{subject}|{started_at.isoformat()}"
    return blake2s(text.encode(), digest_size=8).hexdigest()


def next_state(state: AlertState, event: Event) -> AlertState | None:
    """Return the state after `event`, ``None`` when it leaves for the record.

    Raises
    ------
    UndefinedTransitionError
        If the table has no such row.
    """
    try:
        return TABLE[state, event]
    except KeyError:
        raise UndefinedTransitionError(
            f"an alert that is {state} cannot {event}; this is a fault of the pipeline, report it"
        ) from None


def allows(state: AlertState, event: Event) -> bool:
    """Return whether the table knows `event` in `state`."""
    return (state, event) in TABLE


def advance(alert: Alert, event: Event, at: datetime, **changes: Any) -> Alert:
    """Return `alert` after `event` at `at`.

    Parameters
    ----------
    alert : Alert
    event : Event
    at : datetime
        UTC.
    **changes
        Fields of :class:`Alert` or of its message that the event brings along.

    Raises
    ------
    UndefinedTransitionError
        If the table does not know the event in this state, or it is gone.
    """
    if alert.gone:
        raise UndefinedTransitionError(f"an alert that is gone cannot {event}")
    state = next_state(alert.state, event)
    if event is Event.HAND_ON and alert.message.resolved_at is not None:
        # Its evidence went while it was taken: it waits for a decision, it does not fire.
        state = next_state(AlertState.RESOLVED, event)
    own = {k: changes.pop(k) for k in list(changes) if k in _OWN}
    stamps = _stamps(alert, event, at)
    message = replace(alert.message, state=state or alert.state, **(stamps | changes))
    if event in _REACHES_SOMEBODY:
        own.setdefault("passed_at", at)
    if event in {Event.FIRE, Event.UPDATE}:
        own.setdefault("updated_at", at)
    return replace(alert, message=message, gone=state is None, **own)


_OWN = frozenset(Alert.__dataclass_fields__) - {"message", "gone"}
_REACHES_SOMEBODY = frozenset(
    {Event.FIRE, Event.RETURN, Event.ESCALATE, Event.REPEAT, Event.HAND_ON}
)


_UNRESOLVED: dict[str, Any] = {"resolved_at": None, "reason": None}


def _stamps(alert: Alert, event: Event, at: datetime) -> dict[str, Any]:
    """Return the fields of the message that follow from the event alone."""
    stamps: dict[Event, dict[str, Any]] = {
        Event.FIRE: {"told_at": at},
        Event.RESOLVE: {"resolved_at": at},
        Event.RETURN: _UNRESOLVED,
        Event.HOLD: _UNRESOLVED,
        Event.INHIBIT: _UNRESOLVED,
        Event.SILENCE: _UNRESOLVED,
        Event.TAKE: {"taken_at": at},
        Event.HAND_ON: {"taken_by": None, "taken_at": None},
        Event.ESCALATE: {"escalated": alert.message.escalated + 1},
        Event.REPEAT: {"repeated_at": at},
        Event.DECIDE: {"closed_at": at},
    }
    return stamps.get(event, {})


def event_of(action: Action) -> Event:
    """Return what a supervisor's action does to an alert."""
    match action:
        case Action.TAKE:
            return Event.TAKE
        case Action.OUTCOME:
            return Event.OUTCOME
        case Action.CANNOT_NOW:
            return Event.HAND_ON
        case Action.SILENCE:
            return Event.SILENCE
        case _:
            return Event.DECIDE


def hand_on_order(told_to: tuple[str, ...], to: str) -> tuple[str, ...]:
    """Return who is told, in order, after it went on to `to`."""
    return (to, *(person for person in told_to if person != to))


def not_told(told_to: tuple[str, ...], supervisors: tuple[str, ...]) -> tuple[str, ...]:
    """Return the supervisors who have not been told, in the order of escalation."""
    return tuple(person for person in supervisors if person not in told_to)


def turn_again(told_to: tuple[str, ...], supervisors: tuple[str, ...]) -> tuple[str, ...]:
    """Return who is told again, in order: of those on duty whoever was told longest ago."""
    return tuple(person for person in reversed(told_to) if person in supervisors)


def expires_at(alert: Alert) -> datetime | None:
    """Return when an undecided alert leaves for the record; ``None`` while evidence stands."""
    resolved_at = alert.message.resolved_at
    if resolved_at is None or not alert.open:
        return None
    if alert.state is AlertState.ACKNOWLEDGED:
        return resolved_at + KEPT_TAKEN
    return resolved_at + KEPT_RESOLVED[alert.message.kind]
