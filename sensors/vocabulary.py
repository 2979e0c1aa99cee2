"""The words messages may use: states, kinds and actions, each in one enumeration."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum


class Absence(StrEnum):
    """Why a channel gave nothing. Never zero, never drawn as fine (TRUST T13).

    `WITHHELD` is the one word for every private reason (paused, refused,
    locked, off shift, private): nobody but the agent can tell them apart (T7).
    """

    WITHHELD = "withheld"
    DISCONNECTED = "disconnected"
    NOT_WORN = "not_worn"
    POOR = "poor"
    FAULT = "fault"


# Plain strings on the wire: a union of an enum and a literal cannot be decoded.
LINK_STATES: tuple[str, ...] = ("ok", *Absence)
"""What a collector's device may be."""

FAULTS: tuple[str, ...] = ("offline", *Absence)
"""What a technical alert may be about."""


class RequestKind(StrEnum):
    """What an agent asks for; the first two outrank every detection (T9)."""

    HELP_NOW = "help_now"
    BREAK_PLEASE = "break_please"
    CANCEL = "cancel"
    EXPORT = "export"
    ERASE = "erase"


class ReplyKind(StrEnum):
    """What an agent answers."""

    FINE = "fine"
    DIFFERENT_TODAY = "different_today"
    WAS_IT_SO = "was_it_so"
    DID_IT_HELP = "did_it_help"
    SELF_REPORT = "self_report"


class ContextState(StrEnum):
    """Telephony or workforce-management state of an agent."""

    ON_CALL = "on_call"
    WRAP_UP = "wrap_up"
    READY = "ready"
    BREAK = "break"
    OFF = "off"


CONTEXT_BELIEVED = timedelta(hours=4)
"""What telephony said is believed for so long; then what the agent does is unknown.

Telephony that dies in a call says nothing any more. Longer than calls and
breaks, and shorter than a shift, so that a new one never begins in yesterday's
call.
"""


class PersonState(StrEnum):
    """What a person's row says; unknown is a state of its own, never fine (T13)."""

    AS_USUAL = "as_usual"
    LEARNING = "learning"
    DIFFERENT = "different"
    NO_DATA = "no_data"
    FAULT = "fault"


class AlertKind(StrEnum):
    """What a card on the supervisor's screen is about, most urgent first."""

    REQUEST = "request"
    TEAM = "team"
    PERSONAL = "personal"
    TECHNICAL = "technical"


class AlertState(StrEnum):
    """States of an alert; the table of transitions stands in analytics.alerts.alerting."""

    PENDING = "pending"
    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    CLOSED = "closed"


class Action(StrEnum):
    """What a supervisor does with an alert: take it, decide, record what followed.

    `SILENCE` is about an agent or a team instead, until a time.
    """

    TAKE = "take"
    TALK = "talk"
    OFFER_BREAK = "offer_break"
    JOIN_OR_TAKE_OVER = "join_or_take_over"
    BRING_IN_EXPERT = "bring_in_expert"
    FIX_THE_WORK = "fix_the_work"
    AGENT_SAYS_FINE = "agent_says_fine"
    CANNOT_NOW = "cannot_now"
    NOT_USEFUL = "not_useful"
    OUTCOME = "outcome"
    SILENCE = "silence"


DECISIONS: frozenset[Action] = frozenset(Action) - {Action.TAKE, Action.OUTCOME, Action.SILENCE}
"""The actions that answer an alert (SCREENS.md); all but *cannot now* close it."""


class Outcome(StrEnum):
    """What followed a decision."""

    HELPED = "helped"
    NO_CHANGE = "no_change"
    DECLINED = "declined"
    NOT_REACHED = "not_reached"


class NoticeKind(StrEnum):
    """What an agent is told about themselves (T10).

    `ALERT_TOLD` comes once for each alert; what the supervisor sees of it later
    (it is back, it went on to the next) is `ALERT_SHOWN_AGAIN`, for the page:
    it interrupts nobody (A6). `RIGHTS_NOTED` to `ERASED_IN_PART` answer what the
    agent asked of their rights (T11). `SILENCE_LIFTED` says that what somebody
    had muted is told again from now on.
    """

    ALERT_TOLD = "alert_told"
    ALERT_SHOWN_AGAIN = "alert_shown_again"
    ALERT_RESOLVED = "alert_resolved"
    TAKEN = "taken"
    DECIDED = "decided"
    LOOKED = "looked"
    REQUEST_RECEIVED = "request_received"
    REQUEST_PASSED_ON = "request_passed_on"
    WAS_IT_SO = "was_it_so"
    RIGHTS_NOTED = "rights_noted"
    EXPORT_READY = "export_ready"
    ERASED = "erased"
    ERASED_IN_PART = "erased_in_part"
    SILENCE_LIFTED = "silence_lifted"


class AuditKind(StrEnum):
    """What is written to the audit log."""

    VIEWED_PERSON = "viewed_person"
    SIGNED_IN = "signed_in"
