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

from sensors.alert_messages import (
    AlertMessage,
    AuditMessage,
    Contribution,
    DecisionMessage,
    check_contributions,
)
from sensors.checks import (
    SCHEMA_VERSION,
    check_count,
    check_finite,
    check_identity,
    check_person,
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
        check_contributions(self.contributions)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextMessage:
    """What the agent is doing, from telephony or workforce management."""

    at: datetime
    state: ContextState
    schema: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        check_schema(self.schema)
        check_utc("at", self.at)


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
