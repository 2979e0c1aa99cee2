"""THE message schema: what may travel between edge, server and dashboard.

Frozen, slotted dataclasses, checked when they are built. Times are aware UTC.
Fields are an allow-list: each is described in :mod:`sensors.signals`, and a
test fails otherwise (TRUST T3). There is no field for audio, words, keys,
window titles or positions, so no message can carry them off the machine.

Unknown fields are ignored by readers, so that adding one breaks nobody;
`SCHEMA_VERSION` goes up when a reader must change. Servers read versions
``SCHEMA_VERSION`` and ``SCHEMA_VERSION - 1``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sensors.checks import (
    SCHEMA_VERSION,
    check_count,
    check_finite,
    check_identity,
    check_person,
    check_quality,
    check_schema,
    check_text,
    check_token,
    check_utc,
    refuse,
)
from sensors.mirror import MirrorMessage, UsualRange
from sensors.sections import SECTIONS, Heart, Keyboard, Modules, Pointer, Section, Voice
from sensors.signals import Channel
from sensors.vocabulary import (
    DECISIONS,
    FAULTS,
    LINK_STATES,
    Absence,
    Action,
    AlertKind,
    AlertState,
    AuditKind,
    ContextState,
    NoticeKind,
    Outcome,
    PersonState,
    ReplyKind,
    RequestKind,
)

__all__ = [
    "DECISIONS",
    "MAX_MESSAGE_BYTES",
    "SCHEMA_VERSION",
    "SECTIONS",
    "WINDOW_S",
    "Absence",
    "Action",
    "AlertKind",
    "AlertMessage",
    "AlertState",
    "AuditKind",
    "AuditMessage",
    "ConsentMessage",
    "ContextMessage",
    "ContextState",
    "Contribution",
    "DecisionMessage",
    "Heart",
    "Keyboard",
    "Message",
    "MirrorMessage",
    "Modules",
    "NoticeKind",
    "NoticeMessage",
    "Outcome",
    "PersonState",
    "Pointer",
    "ReadingMessage",
    "ReplyKind",
    "ReplyMessage",
    "RequestKind",
    "RequestMessage",
    "Section",
    "StatusMessage",
    "StoredMessage",
    "TimeMessage",
    "UsualRange",
    "Voice",
    "check_identity",
    "check_token",
]


WINDOW_S = 5.0
"""Length of one window. [s] DESIGN: one reading per source and 5-second window."""

MAX_MESSAGE_BYTES = 64 * 1024
"""No message of ours comes near it: 5 s of beats and features is about 1 KiB."""

_MAX_CONTRIBUTIONS = 3  # DESIGN, Scoring 6: the three signals that contributed most


def _check_contributions(value: tuple[Contribution, ...]) -> None:
    if len(value) > _MAX_CONTRIBUTIONS:
        raise refuse("contributions", len(value), f"at most {_MAX_CONTRIBUTIONS}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingMessage:
    """One source's one 5-second window: a section or an absence for each channel.

    Empty windows are sent too, so that a gap is always a loss and never a pause.
    """

    source: str
    run: str
    seq: int
    window_end_at: datetime
    schema: int = SCHEMA_VERSION
    oldest_seq: int = 0
    utc_offset_min: int = 0
    sent_at: datetime | None = None
    clock_offset_ms: float | None = None
    clock_error_ms: float | None = None
    heart: Heart | None = None
    keyboard: Keyboard | None = None
    pointer: Pointer | None = None
    voice: Voice | None = None
    modules: Modules | None = None
    absent: dict[Channel, Absence] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_schema(self.schema)
        check_identity("source", self.source)
        check_token("run", self.run)
        check_count("seq", self.seq)
        if not 0 <= self.oldest_seq <= self.seq:
            raise refuse("oldest_seq", self.oldest_seq, f"0 to seq, {self.seq}")
        check_utc("window_end_at", self.window_end_at)
        check_utc("sent_at", self.sent_at)
        if not -1080 <= self.utc_offset_min <= 1080:
            raise refuse("utc_offset_min", self.utc_offset_min, "-1080 to 1080")
        check_finite("clock_offset_ms", self.clock_offset_ms)
        check_finite("clock_error_ms", self.clock_error_ms)
        if self.clock_error_ms is not None and self.clock_error_ms < 0:
            raise refuse("clock_error_ms", self.clock_error_ms, "0 or more")
        for channel in self.absent:
            if getattr(self, channel) is not None:
                raise refuse("absent", channel.value, "only channels without a section")

    def section(self, channel: Channel) -> Section | None:
        """Return what `channel` measured, or ``None`` when it gave nothing."""
        found: Section | None = getattr(self, channel)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusMessage:
    """An edge's word about itself; retained, and its last will says offline.

    `goodbye` is set when the edge ends because its agent ended it: the choice
    is private (T7), so readers treat what follows like any withheld channel
    and raise nothing technical. The last will never sets it.
    """

    source: str
    run: str
    online: bool
    at: datetime
    schema: int = SCHEMA_VERSION
    goodbye: bool = False
    version: str = ""
    links: Mapping[Channel, str] = field(default_factory=dict)  # "ok" or an Absence
    held: int = 0
    dropped: int = 0

    def __post_init__(self) -> None:
        check_schema(self.schema)
        check_identity("source", self.source)
        check_token("run", self.run)
        check_utc("at", self.at)
        check_text("version", self.version, 32)
        check_count("held", self.held)
        check_count("dropped", self.dropped)
        if self.goodbye and self.online:
            raise refuse("goodbye", self.goodbye, "true only when offline")
        for channel, state in self.links.items():
            if state not in LINK_STATES:
                raise refuse(f"links.{channel}", state, f"one of {', '.join(LINK_STATES)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentMessage:
    """Which channels the agent consents to, under which text, since when; retained."""

    version: str
    at: datetime
    channels: tuple[Channel, ...] = ()
    schema: int = SCHEMA_VERSION
    research: bool = False

    def __post_init__(self) -> None:
        check_schema(self.schema)
        check_utc("at", self.at)
        check_text("version", self.version, 32)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyMessage:
    """What the agent answers: I'm fine, was it so, did it help, a self-report."""

    id: str
    at: datetime
    kind: ReplyKind
    schema: int = SCHEMA_VERSION
    alert_id: str | None = None
    answer: bool | None = None
    demanding: int | None = None
    recovered: int | None = None

    def __post_init__(self) -> None:
        check_schema(self.schema)
        check_token("id", self.id)
        check_utc("at", self.at)
        check_token("alert_id", self.alert_id)
        check_count("demanding", self.demanding, 10)
        check_count("recovered", self.recovered, 10)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestMessage:
    """What the agent asks for; works with no channel at all (T9)."""

    id: str
    at: datetime
    kind: RequestKind
    schema: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        check_schema(self.schema)
        check_token("id", self.id)
        check_utc("at", self.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeMessage:
    """A question about the clock, and its echo with `server_at` filled in."""

    id: str
    edge_sent_at: datetime
    schema: int = SCHEMA_VERSION
    server_at: datetime | None = None

    def __post_init__(self) -> None:
        check_schema(self.schema)
        check_token("id", self.id)
        check_utc("edge_sent_at", self.edge_sent_at)
        check_utc("server_at", self.server_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMessage:
    """Every window of `run` up to and including `seq` is in the journal (or gone for good)."""

    run: str
    seq: int
    at: datetime
    schema: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        check_schema(self.schema)
        check_token("run", self.run)
        check_count("seq", self.seq)
        check_utc("at", self.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeMessage:
    """What is shown about the agent, to whom, and who looked (T10).

    The words are the edge's own, in the agent's language; this carries facts.
    """

    id: str
    at: datetime
    kind: NoticeKind
    schema: int = SCHEMA_VERSION
    alert_id: str | None = None
    by: str | None = None
    decision: Action | None = None
    contributions: tuple[Contribution, ...] = ()

    def __post_init__(self) -> None:
        check_schema(self.schema)
        check_token("id", self.id)
        check_utc("at", self.at)
        check_token("alert_id", self.alert_id)
        check_person("by", self.by)
        _check_contributions(self.contributions)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextMessage:
    """What the agent is doing, from telephony or workforce management."""

    at: datetime
    state: ContextState
    schema: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        check_schema(self.schema)
        check_utc("at", self.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """One part of the body or the work that differs: words and bands, no raw value (T12)."""

    part: str
    level: int

    def __post_init__(self) -> None:
        check_text("part", self.part, 32)
        if not -2 <= self.level <= 2:
            raise refuse("level", self.level, "-2 to 2")


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
        _check_contributions(self.contributions)
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


Message = (
    ReadingMessage
    | StatusMessage
    | ConsentMessage
    | ReplyMessage
    | RequestMessage
    | TimeMessage
    | StoredMessage
    | NoticeMessage
    | MirrorMessage
    | ContextMessage
    | AlertMessage
    | DecisionMessage
    | AuditMessage
)
