"""The messages about alerts: the card, what a person decided on it, and who looked.

Part of the schema; import them from :mod:`sensors.messages`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sensors.checks import (
    SCHEMA_VERSION,
    check_count,
    check_identity,
    check_person,
    check_quality,
    check_schema,
    check_text,
    check_token,
    check_utc,
    refuse,
)
from sensors.signals import Channel
from sensors.vocabulary import (
    FAULTS,
    Action,
    AlertKind,
    AlertState,
    AuditKind,
    Outcome,
    RequestKind,
)

_MAX_CONTRIBUTIONS = 3  # DESIGN, Scoring 6: the three signals that contributed most


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """One part of the body or the work that differs: words and bands, no raw value (T12)."""

    part: str
    level: int

    def __post_init__(self) -> None:
        check_text("part", self.part, 32)
        if not -2 <= self.level <= 2:
            raise refuse("level", self.level, "-2 to 2")


def check_contributions(value: tuple[Contribution, ...]) -> None:
    """Refuse more than a card has room for."""
    if len(value) > _MAX_CONTRIBUTIONS:
        raise refuse("contributions", len(value), f"at most {_MAX_CONTRIBUTIONS}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertMessage:
    """One card on the supervisor's screen; retained while open, cleared after.

    Evidence and decision are independent: `resolved_at` says that the
    evidence is gone, `closed_at` that a person decided.
    """

    alert_id: str
    kind: AlertKind
    state: AlertState
    team: str
    started_at: datetime
    schema: int = SCHEMA_VERSION
    agent: str | None = None
    request: RequestKind | None = None
    fault: str | None = None  # an Absence, or "offline"
    channel: Channel | None = None
    told_at: datetime | None = None
    told_to: tuple[str, ...] = ()
    escalated: int = 0
    repeated_at: datetime | None = None
    taken_by: str | None = None
    taken_at: datetime | None = None
    decision: Action | None = None
    reason: str | None = None
    follow_up_at: datetime | None = None
    resolved_at: datetime | None = None
    closed_at: datetime | None = None
    quality: float | None = None
    contributions: tuple[Contribution, ...] = ()
    unknown: tuple[Channel, ...] = ()
    affected: int | None = None
    team_size: int | None = None
    detector_version: str = ""

    def __post_init__(self) -> None:
        check_schema(self.schema)
        check_token("alert_id", self.alert_id)
        check_identity("team", self.team)
        check_person("agent", self.agent)
        check_person("taken_by", self.taken_by)
        for supervisor in self.told_to:
            check_identity("told_to", supervisor)
        for name in ("escalated", "affected", "team_size"):
            check_count(name, getattr(self, name))
        check_text("reason", self.reason, 64)
        check_text("detector_version", self.detector_version, 64)
        check_quality(self.quality)
        check_contributions(self.contributions)
        if self.fault is not None and self.fault not in FAULTS:
            raise refuse("fault", self.fault, f"one of {', '.join(FAULTS)}")
        for name in (
            "started_at",
            "told_at",
            "repeated_at",
            "taken_at",
            "resolved_at",
            "closed_at",
        ):
            check_utc(name, getattr(self, name))


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionMessage:
    """A person's answer to an alert (T15): authenticated, with an id, so it counts once.

    A silence (action `silence`) names an agent or a team, an end and a reason;
    its `alert_id` is the alert it was made at, or its own `id`.
    """

    id: str
    at: datetime
    alert_id: str
    by: str
    action: Action
    schema: int = SCHEMA_VERSION
    to: str | None = None
    reason: str | None = None
    note: str | None = None
    follow_up_at: datetime | None = None
    outcome: Outcome | None = None
    agent: str | None = None
    team: str | None = None
    until_at: datetime | None = None

    def __post_init__(self) -> None:
        check_schema(self.schema)
        check_token("id", self.id)
        check_token("alert_id", self.alert_id)
        check_identity("by", self.by)
        check_person("to", self.to)
        check_utc("at", self.at)
        check_utc("follow_up_at", self.follow_up_at)
        check_text("reason", self.reason, 64)
        check_text("note", self.note)
        if (self.action is Action.OUTCOME) != (self.outcome is not None):
            raise refuse("outcome", self.outcome, "given exactly when the action is outcome")
        if self.action is Action.CANNOT_NOW and self.to is None:
            raise refuse("to", None, "who takes it instead, when the action is cannot_now")
        self._check_silence()

    def _check_silence(self) -> None:
        check_person("agent", self.agent)
        check_person("team", self.team)
        check_utc("until_at", self.until_at)
        silences = self.action is Action.SILENCE
        if ((self.agent is None) != (self.team is None)) != silences:
            raise refuse("agent", self.agent, "an agent or a team, when the action is silence")
        if (self.until_at is not None) != silences:
            raise refuse("until_at", self.until_at, "given exactly when the action is silence")
        if silences and not self.reason:
            raise refuse("reason", self.reason, "why, when the action is silence")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditMessage:
    """What a supervisor's screen did that the agent will see (T10)."""

    id: str
    at: datetime
    by: str
    kind: AuditKind
    schema: int = SCHEMA_VERSION
    agent: str | None = None

    def __post_init__(self) -> None:
        check_schema(self.schema)
        check_token("id", self.id)
        check_identity("by", self.by)
        check_utc("at", self.at)
        check_person("agent", self.agent)
